/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.c - form: base64url of version 1 | fingerprint (4, big endian) | id (16) | key text (0-1200 bytes: 300
 * characters). */
#include "domain/cursor.h"

enum { CURSOR_VERSION = 1, CURSOR_HEAD = 1 + 4 + 16, CURSOR_KEY_MAX = 1200 };

static uint32_t hash32(struct slice s)
{
    uint32_t h = UINT32_C(2166136261); /* FNV-1a: a check against mistakes, not against attackers */
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (uint8_t)s.p[i]) * UINT32_C(16777619);
    return h;
}

uint32_t cursor_fingerprint(const struct call *c)
{
    uint32_t sum = hash32(slice_of(c->route->operation));
    struct slice rest = c->query;
    while (rest.n) {
        struct slice pair = slice_cut(&rest, '&');
        if (!slice_starts(pair, SLICE("cursor=")) && !slice_starts(pair, SLICE("limit=")))
            sum += hash32(pair);
    }
    return sum;
}

struct slice cursor_encode(struct arena *a, uint32_t fingerprint, struct slice key, struct uuid id)
{
    uint8_t raw[CURSOR_HEAD + CURSOR_KEY_MAX] = {CURSOR_VERSION, (uint8_t)(fingerprint >> 24),
                                                 (uint8_t)(fingerprint >> 16), (uint8_t)(fingerprint >> 8),
                                                 (uint8_t)fingerprint};
    size_t n = key.n;
    if (n > CURSOR_KEY_MAX) { /* cut between characters: the next page then begins at or before its first row */
        n = CURSOR_KEY_MAX;
        while (n > 0 && ((uint8_t)key.p[n] & 0xC0) == 0x80)
            n--;
    }
    memcpy(raw + 5, id.b, sizeof id.b);
    if (n)
        memcpy(raw + CURSOR_HEAD, key.p, n);
    struct strbuf out;
    strbuf_init_arena(&out, a, 2048);
    strbuf_add_base64url(&out, raw, CURSOR_HEAD + n);
    return strbuf_slice(&out);
}

static bool key_fits(struct slice key, enum cursor_key kind)
{
    int64_t number;
    usec_t time;
    switch (kind) {
    case CURSOR_TEXT:
        return slice_utf8(key);
    case CURSOR_INT:
        return slice_i64(key, &number) && number >= INT32_MIN && number <= INT32_MAX;
    case CURSOR_TIME:
        return clock_parse_rfc3339(key, &time);
    }
    return false;
}

bool cursor_parse(struct arena *a, struct slice text, uint32_t fingerprint, enum cursor_key kind, struct cursor *ret)
{
    uint8_t *raw = arena_alloc(a, CURSOR_HEAD + CURSOR_KEY_MAX);
    size_t n;
    if (!slice_unbase64url(text, raw, CURSOR_HEAD + CURSOR_KEY_MAX, &n) || n < CURSOR_HEAD || raw[0] != CURSOR_VERSION)
        return false;
    uint32_t print = (uint32_t)raw[1] << 24 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 8 | raw[4];
    struct slice key = slice_mem(raw + CURSOR_HEAD, n - CURSOR_HEAD);
    if (print != fingerprint || !key_fits(key, kind))
        return false;
    ret->key = key;
    memcpy(ret->id.b, raw + 5, sizeof ret->id.b);
    return true;
}

enum rc cursor_decode(struct call *c, struct slice text, enum cursor_key kind, struct cursor *ret)
{
    *ret = (struct cursor){0};
    if (!text.p)
        return RC_OK;
    if (!cursor_parse(c->arena, text, cursor_fingerprint(c), kind, ret))
        return fault_field(c, PROBLEM_cursor_invalid, "cursor", "next_cursor of the page before");
    return RC_OK;
}
