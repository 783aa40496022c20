/* SPDX-License-Identifier: Apache-2.0 */
/* slice.c - comparing, cutting and parsing of borrowed bytes. No locale has a say in any of it. */
#include "common/slice.h"
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool slice_ieq(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_mem(s.p, prefix.n), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.n && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool slice_find(struct slice s, char c, size_t *ret_at)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    if (!at)
        return false;
    *ret_at = (size_t)(at - s.p);
    return true;
}

struct slice slice_cut(struct slice *rest, char sep)
{
    struct slice head = *rest;
    size_t at;

    if (!slice_find(*rest, sep, &at)) {
        *rest = slice_mem(rest->p ? rest->p + rest->n : NULL, 0);
        return head;
    }
    head.n = at;
    rest->p += at + 1;
    rest->n -= at + 1;
    return head;
}

bool slice_u64(struct slice s, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool slice_i64(struct slice s, int64_t *ret)
{
    bool negative = s.n && s.p[0] == '-';
    uint64_t v;

    if (negative) {
        s.p++;
        s.n--;
    }
    if (!slice_u64(s, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool slice_int(struct slice s, int min, int max, int *ret)
{
    int64_t v;

    if (!slice_i64(s, &v) || v < min || v > max)
        return false;
    *ret = (int)v;
    return true;
}

static size_t digits(struct slice s, size_t at)
{
    size_t from = at;

    while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9')
        at++;
    return at - from;
}

/* -?digits[.digits][e[+-]digits] */
static bool number_form(struct slice s)
{
    size_t at = s.n && s.p[0] == '-';
    size_t n = digits(s, at);

    if (n == 0 || (n > 1 && s.p[at] == '0'))
        return false;
    at += n;
    if (at < s.n && s.p[at] == '.') {
        n = digits(s, ++at);
        if (n == 0)
            return false;
        at += n;
    }
    if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
        at++;
        if (at < s.n && (s.p[at] == '+' || s.p[at] == '-'))
            at++;
        n = digits(s, at);
        if (n == 0)
            return false;
        at += n;
    }
    return at == s.n;
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool slice_double(struct slice s, double *ret)
{
    char text[400]; /* longer than any double that needs its digits */
    locale_t before;
    double v;

    if (s.n >= sizeof(text) || !number_form(s))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    pthread_once(&c_locale_once, c_locale_make);
    before = uselocale(c_locale);
    v = strtod(text, NULL);
    uselocale(before);
    if (!isfinite(v))
        return false;
    *ret = v;
    return true;
}

bool slice_bool(struct slice s, bool *ret)
{
    bool yes = slice_eq(s, SLICE("true"));

    if (!yes && !slice_eq(s, SLICE("false")))
        return false;
    *ret = yes;
    return true;
}

/* Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t slice_utf8_at(struct slice s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    size_t left = s.n - at;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t n;

    if (left == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (left < n)
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

/* True when all eight bytes are ASCII and none is a C0 control. */
static bool eight_plain(const char *p)
{
    const uint64_t tops = UINT64_C(0x8080808080808080);
    uint64_t v;

    memcpy(&v, p, 8);
    return ((v | (v - UINT64_C(0x2020202020202020))) & tops) == 0;
}

bool slice_utf8(struct slice s)
{
    size_t at = 0;

    while (at < s.n) {
        unsigned char c;
        size_t n;

        if (s.n - at >= 8 && eight_plain(s.p + at)) {
            at += 8;
            continue;
        }
        c = (unsigned char)s.p[at];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        n = slice_utf8_at(s, at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

struct slice slice_utf8_head(struct slice s, size_t n)
{
    size_t at = n;

    if (s.n <= n)
        return s;
    while (at > 0 && n - at < 3 && ((unsigned char)s.p[at] & 0xC0) == 0x80)
        at--;
    if (((unsigned char)s.p[at] & 0xC0) == 0x80)
        at = n; /* not UTF-8 at all */
    return slice_mem(s.p, at);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool slice_unhex(struct slice s, uint8_t *out, size_t cap, size_t *ret_n)
{
    if (s.n % 2 || s.n / 2 > cap)
        return false;
    for (size_t i = 0; i < s.n / 2; i++) {
        int high = hex_digit(s.p[2 * i]);
        int low = hex_digit(s.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *ret_n = s.n / 2;
    return true;
}

static int base64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Each value has one text only: bits behind the last byte must be zero. */
bool slice_unbase64url(struct slice s, uint8_t *out, size_t cap, size_t *ret_n)
{
    size_t size = s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0);
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    if (s.n % 4 == 1 || size > cap)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int digit = base64url_digit(s.p[i]);

        if (digit < 0)
            return false;
        bits = (bits << 6 | (uint32_t)digit) & 0xFFFF;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    if (bits & ((1U << n_bits) - 1))
        return false;
    *ret_n = n;
    return true;
}
