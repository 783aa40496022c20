/* SPDX-License-Identifier: Apache-2.0 */
/* totp.c - see totp.h. */
#include "identity/totp.h"
#include "common/strbuf.h"
#include <stdio.h>

#define WINDOW   1  /* steps of clock skew, either way */
#define NAME_MAX 40 /* bytes of a name in the URI */

int64_t totp_step(usec_t now)
{
    return now / USEC_PER_SEC / TOTP_SECONDS;
}

void totp_code(struct slice secret, int64_t step, char ret[TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[20];
    for (int i = 7; i >= 0; i--) {
        counter[i] = (uint8_t)step;
        step >>= 8;
    }
    crypto_hmac_sha1(secret, slice_mem(counter, sizeof counter), mac);
    const uint8_t *p = mac + (mac[19] & 15);
    uint32_t n = (uint32_t)(p[0] & 127) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    snprintf(ret, TOTP_DIGITS + 1, "%06u", n % 1000000);
    crypto_wipe(mac, sizeof mac);
}

int64_t totp_find(struct slice secret, struct slice code, usec_t now, int64_t used)
{
    char typed[TOTP_DIGITS + 1] = "", right[TOTP_DIGITS + 1];
    int64_t found = 0, here = totp_step(now);
    bool form = code.n == TOTP_DIGITS;
    memcpy(typed, form ? code.p : "......", TOTP_DIGITS);
    for (int64_t step = here - WINDOW; step <= here + WINDOW; step++) {
        totp_code(secret, step, right);
        bool same = crypto_equal(typed, right, TOTP_DIGITS);
        if (same & form & (step > used)) /* not &&: every step is looked at in the same way */
            found = step;
    }
    crypto_wipe(right, sizeof right);
    return found;
}

struct slice totp_base32(struct arena *a, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    struct strbuf b;
    uint32_t held = 0;
    int bits = 0;
    strbuf_init_arena(&b, a, bytes.n * 2 + 8);
    for (size_t i = 0; i < bytes.n; i++) {
        held = held << 8 | (uint8_t)bytes.p[i];
        for (bits += 8; bits >= 5; bits -= 5)
            strbuf_add_char(&b, digits[held >> (bits - 5) & 31]);
    }
    if (bits)
        strbuf_add_char(&b, digits[held << (5 - bits) & 31]);
    return strbuf_slice(&b);
}

static void escaped(struct strbuf *b, struct slice s)
{
    s = slice_utf8_head(s, NAME_MAX);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c)))
            strbuf_add_char(b, (char)c);
        else
            strbuf_printf(b, "%%%02X", c);
    }
}

struct slice totp_uri(struct arena *a, struct slice tenant, struct slice account, struct slice secret)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 400);
    strbuf_add(&b, SLICE("otpauth://totp/Sekisho:"));
    escaped(&b, tenant);
    strbuf_add(&b, SLICE("%2F"));
    escaped(&b, account);
    strbuf_add(&b, SLICE("?secret="));
    strbuf_add(&b, totp_base32(a, secret));
    strbuf_add(&b, SLICE("&issuer=Sekisho&algorithm=SHA1&digits=6&period=30"));
    return strbuf_slice(&b);
}

/* 32 characters without those that look alike. */
struct slice recovery_code_new(struct arena *a)
{
    static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[10];
    char text[12];
    crypto_random(random, sizeof random);
    for (size_t i = 0, at = 0; i < sizeof random; i++) {
        if (i == 5)
            text[at++] = '-';
        text[at++] = digits[random[i] & 31];
    }
    text[11] = 0;
    crypto_wipe(random, sizeof random);
    return slice_of(arena_strdup(a, text));
}

struct sha256 recovery_code_hash(struct uuid account, struct slice typed)
{
    char text[24 + UUID_TEXT_SIZE + 32], id[UUID_TEXT_SIZE];
    int n = snprintf(text, sizeof text, "recovery:%s:", uuid_text(account, id));
    size_t at = (size_t)n;
    for (size_t i = 0; i < typed.n && at < sizeof text - 1; i++) {
        char c = typed.p[i];
        if (c != '-' && c != ' ')
            text[at++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    struct sha256 h = crypto_sha256(slice_mem(text, at));
    crypto_wipe(text, sizeof text);
    return h;
}
