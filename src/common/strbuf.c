/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf.c - the growing buffer. Grows by doubling up to its ceiling; p points at a shared empty text until the first
 * byte, so that an unused buffer costs nothing and strbuf_slice works at once. */
#include "common/strbuf.h"
#include "common/must.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAP 256

static char nothing[1];

void strbuf_init(struct strbuf *b, size_t ceiling)
{
    *b = (struct strbuf){.p = nothing, .ceiling = ceiling};
}

void strbuf_init_arena(struct strbuf *b, struct arena *a, size_t ceiling)
{
    *b = (struct strbuf){.p = nothing, .ceiling = ceiling, .arena = a};
}

void strbuf_done(struct strbuf *b)
{
    if (!b->arena && b->cap)
        free(b->p);
    *b = (struct strbuf){.p = nothing};
}

void strbuf_clear(struct strbuf *b)
{
    b->n = 0;
    b->over = false;
    if (b->cap)
        b->p[0] = 0;
}

static void grow(struct strbuf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    char *old = b->cap ? b->p : NULL;

    if (!old && cap < need)
        cap = need; /* who begins with much often has no more */
    while (cap < need)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
    if (cap > b->ceiling && b->ceiling < SIZE_MAX)
        cap = b->ceiling + 1; /* need is never more */
    b->p = b->arena ? arena_realloc(b->arena, old, b->cap, cap) : must_realloc(old, cap);
    b->cap = cap;
    b->p[b->n] = 0;
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
    if (b->over || n > b->ceiling - b->n) {
        b->over = true;
        return NULL;
    }
    if (b->cap <= b->n || n > b->cap - b->n - 1) {
        must(n < SIZE_MAX - b->n);
        grow(b, b->n + n + 1);
    }
    return b->p + b->n;
}

void strbuf_commit(struct strbuf *b, size_t n)
{
    must(b->cap > b->n && n <= b->cap - b->n - 1);
    b->n += n;
    b->p[b->n] = 0;
}

void strbuf_add(struct strbuf *b, struct slice s)
{
    char *p;

    if (s.n == 0)
        return;
    p = strbuf_reserve(b, s.n);
    if (!p)
        return;
    memcpy(p, s.p, s.n);
    strbuf_commit(b, s.n);
}

void strbuf_add_str(struct strbuf *b, const char *s)
{
    strbuf_add(b, slice_of(s));
}

void strbuf_add_char(struct strbuf *b, char c)
{
    char *p = strbuf_reserve(b, 1);

    if (!p)
        return;
    *p = c;
    strbuf_commit(b, 1);
}

static void add_decimal(struct strbuf *b, uint64_t v, bool negative)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (negative)
        digits[--at] = '-';
    strbuf_add(b, slice_mem(digits + at, sizeof(digits) - at));
}

void strbuf_add_u64(struct strbuf *b, uint64_t v)
{
    add_decimal(b, v, false);
}

void strbuf_add_i64(struct strbuf *b, int64_t v)
{
    add_decimal(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

/* 15 digits hold what people write, 17 hold every double. A decimal comma (some library has set a locale) becomes a
 * point; and then the text is not compared by strtod but by slice_double, which knows no locale. */
void strbuf_add_double(struct strbuf *b, double v)
{
    char text[40];

    must(isfinite(v));
    for (int precision = 15; precision <= 17; precision++) {
        double back;
        char *comma;

        snprintf(text, sizeof(text), "%.*g", precision, v);
        comma = strchr(text, ',');
        if (comma)
            *comma = '.';
        if (slice_double(slice_of(text), &back) && back == v)
            break;
    }
    strbuf_add_str(b, text);
}

void strbuf_add_hex(struct strbuf *b, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = p;
    char *out = n <= SIZE_MAX / 2 ? strbuf_reserve(b, n * 2) : NULL;

    if (!out)
        return;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    strbuf_commit(b, n * 2);
}

void strbuf_add_base64url(struct strbuf *b, const void *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = p;
    size_t left = n % 3;
    size_t size;
    char *out;

    must(n <= SIZE_MAX / 2);
    size = n / 3 * 4 + (left ? left + 1 : 0);
    out = strbuf_reserve(b, size);
    if (!out)
        return;
    for (; n >= 3; n -= 3, in += 3) {
        uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }
    if (left) {
        uint32_t v = (uint32_t)in[0] << 16 | (left == 2 ? (uint32_t)in[1] << 8 : 0);

        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        if (left == 2)
            *out++ = digits[v >> 6 & 63];
    }
    strbuf_commit(b, size);
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    char small[256];
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    must(n >= 0);
    if ((size_t)n < sizeof(small)) {
        strbuf_add(b, slice_mem(small, (size_t)n));
        return;
    }
    p = strbuf_reserve(b, (size_t)n);
    if (!p)
        return;
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    strbuf_commit(b, (size_t)n);
}
