/* SPDX-License-Identifier: Apache-2.0 */
/* test_token.c - attacks on access and refresh tokens. Forged tokens are put together by hand, so that nothing of the
 * code under test helps to make them. */
/* links: identity common */
#include "common/strbuf.h"
#include "identity/token.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW (INT64_C(1900000000) * USEC_PER_SEC)

static struct arena *a;
static struct token_keys keys;
static struct token_claims claims;

static int setup(void **state)
{
    (void)state;
    a = arena_new((size_t)4 << 20);
    keys = (struct token_keys){.n = 2, .signs = 0};
    for (size_t i = 0; i < 2; i++) {
        snprintf(keys.key[i].kid, sizeof keys.key[i].kid, "key-%zu", i);
        memset(keys.key[i].secret, (int)(0x41 + i), TOKEN_KEY_BYTES);
        keys.key[i].created = NOW - USEC_PER_SEC * 1000 * (usec_t)(i + 1);
        keys.key[i].retires = NOW + USEC_PER_SEC * 10000;
    }
    claims = (struct token_claims){.account = uuid_new(),
                                   .session = uuid_new(),
                                   .tenant_no = 7,
                                   .tenant = "acme",
                                   .issued = NOW,
                                   .expires = NOW + 600 * USEC_PER_SEC};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static struct slice b64(const char *text)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 4096);
    strbuf_add_base64url(&b, text, strlen(text));
    return strbuf_slice(&b);
}

/* header.payload.HMAC with the secret, whatever the header says. */
static struct slice forge(const char *header, const char *payload, const uint8_t *secret)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 8192);
    strbuf_add(&b, b64(header));
    strbuf_add_char(&b, '.');
    strbuf_add(&b, b64(payload));
    struct sha256 mac = crypto_hmac_sha256(slice_mem(secret, TOKEN_KEY_BYTES), strbuf_slice(&b));
    strbuf_add_char(&b, '.');
    strbuf_add_base64url(&b, mac.b, sizeof mac.b);
    return strbuf_slice(&b);
}

static const char *payload(const char *iss, const char *aud, int64_t nbf, int64_t exp)
{
    char s1[UUID_TEXT_SIZE], s2[UUID_TEXT_SIZE];
    return arena_printf(a,
                        "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"sid\":\"%s\",\"tenant\":\"acme\",\"tno\":7,"
                        "\"pwc\":false,\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld}",
                        iss, aud, uuid_text(claims.account, s1), uuid_text(claims.session, s2), (long long)nbf,
                        (long long)nbf, (long long)exp);
}

#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"key-0\"}"
#define GOOD   payload("sekisho", "console", 1900000000, 1900000600)

static enum token_verdict verify(struct slice text)
{
    struct token_claims c;
    return token_verify(a, &keys, text, NOW + USEC_PER_SEC, &c);
}

static void round_trip(void **state)
{
    (void)state;
    struct slice t;
    struct token_claims c;
    claims.must_change = true;
    assert_int_equal(token_sign(a, &keys, &claims, &t), RC_OK);
    assert_int_equal(token_verify(a, &keys, t, NOW, &c), TOKEN_GOOD);
    assert_true(uuid_eq(c.account, claims.account) && uuid_eq(c.session, claims.session));
    assert_int_equal(c.tenant_no, 7);
    assert_string_equal(c.tenant, "acme");
    assert_true(c.must_change);
    assert_true(c.expires == claims.expires);
    /* What the tests forge by hand is good when nothing is wrong with it: the refusals below have the reason they name.
     */
    assert_int_equal(verify(forge(HEADER, GOOD, keys.key[0].secret)), TOKEN_GOOD);
    assert_int_equal(verify(forge("{\"alg\":\"HS256\",\"kid\":\"key-1\"}", GOOD, keys.key[1].secret)), TOKEN_GOOD);
}

static void expires(void **state)
{
    (void)state;
    struct slice t;
    struct token_claims c;
    assert_int_equal(token_sign(a, &keys, &claims, &t), RC_OK);
    assert_int_equal(token_verify(a, &keys, t, NOW + 599 * USEC_PER_SEC, &c), TOKEN_GOOD);
    assert_int_equal(token_verify(a, &keys, t, NOW + 600 * USEC_PER_SEC, &c), TOKEN_EXPIRED);
    assert_int_equal(token_verify(a, &keys, t, NOW - 60 * USEC_PER_SEC, &c), TOKEN_INVALID);
}

static void algorithm_is_pinned(void **state)
{
    (void)state;
    struct slice none = b64("{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"key-0\"}"), body = b64(GOOD);
    assert_int_equal(verify(slice_of(arena_printf(a, "%s.%s.", none.p, body.p))), TOKEN_INVALID);
    assert_int_equal(verify(slice_of(arena_printf(a, "%s.%s.AAAA", none.p, body.p))), TOKEN_INVALID);
    assert_int_equal(verify(slice_of(arena_printf(a, "%s.%s", none.p, body.p))), TOKEN_INVALID);
    static const char *const headers[] = {"{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"None\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"HS512\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"hs256\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"\",\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":256,\"typ\":\"JWT\",\"kid\":\"key-0\"}",
                                          "{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"key-0\"}"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_int_equal(verify(forge(headers[i], GOOD, keys.key[0].secret)), TOKEN_INVALID);
}

static void header_has_nothing_else(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"key-9\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":[\"key-0\"]}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"key-0\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"key-0\",\"jwk\":{}}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"key-0\",\"jku\":\"https://evil.example\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWE\",\"kid\":\"key-0\"}",
        "[]",
        "\"HS256\"",
        "",
        "{"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_int_equal(verify(forge(headers[i], GOOD, keys.key[0].secret)), TOKEN_INVALID);
}

static void key_must_fit_its_id(void **state)
{
    (void)state;
    uint8_t zeros[TOKEN_KEY_BYTES] = {0};
    assert_int_equal(verify(forge(HEADER, GOOD, keys.key[1].secret)), TOKEN_INVALID);
    assert_int_equal(verify(forge(HEADER, GOOD, zeros)), TOKEN_INVALID);
    keys.key[0].retires = NOW;
    assert_int_equal(verify(forge(HEADER, GOOD, keys.key[0].secret)), TOKEN_INVALID);
    keys.n = 0;
    assert_int_equal(verify(forge(HEADER, GOOD, keys.key[0].secret)), TOKEN_INVALID);
    struct slice t;
    assert_int_equal(token_sign(a, &keys, &claims, &t), RC_UNAVAILABLE);
}

static void claims_are_checked(void **state)
{
    (void)state;
    const uint8_t *k = keys.key[0].secret;
    assert_int_equal(verify(forge(HEADER, payload("evil", "console", 1900000000, 1900000600), k)), TOKEN_INVALID);
    assert_int_equal(verify(forge(HEADER, payload("sekisho", "agent", 1900000000, 1900000600), k)), TOKEN_INVALID);
    assert_int_equal(verify(forge(HEADER, payload("sekisho", "console", 1900000300, 1900000600), k)), TOKEN_INVALID);
    assert_int_equal(verify(forge(HEADER, payload("sekisho", "console", 1900000000, 1899999999), k)), TOKEN_INVALID);
    assert_int_equal(verify(forge(HEADER, payload("sekisho", "console", 1899990000, 1899999999), k)), TOKEN_EXPIRED);
    static const char *const bodies[] = {
        "{}",
        "[]",
        "null",
        "",
        "{\"iss\":\"sekisho\",\"aud\":\"console\"}",
        "{\"iss\":\"sekisho\",\"aud\":[\"console\"],\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":"
        "\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":7,\"pwc\":false,\"iat\":1,\"nbf\":1,"
        "\"exp\":1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"x\",\"sid\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\","
        "\"tenant\":\"acme\",\"tno\":7,\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"00000000-"
        "0000-0000-0000-000000000000\",\"tenant\":\"acme\",\"tno\":7,\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":"
        "1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"0190a1b2-"
        "c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":-7,\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":"
        "1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"0190a1b2-"
        "c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":\"7\",\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":"
        "1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"0190a1b2-"
        "c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":7,\"iat\":1,\"nbf\":1,\"exp\":1900000600}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"0190a1b2-"
        "c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":7,\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":"
        "\"1900000600\"}",
        "{\"iss\":\"sekisho\",\"aud\":\"console\",\"sub\":\"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"sid\":\"0190a1b2-"
        "c3d4-7e5f-8a9b-0c1d2e3f4a5b\",\"tenant\":\"acme\",\"tno\":7,\"pwc\":false,\"iat\":1,\"nbf\":1,\"exp\":"
        "9223372036854775807}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        assert_int_equal(verify(forge(HEADER, bodies[i], k)), TOKEN_INVALID);
}

static void tampering_shows(void **state)
{
    (void)state;
    struct slice t;
    assert_int_equal(token_sign(a, &keys, &claims, &t), RC_OK);
    for (size_t i = 0; i < t.n; i++) {
        char *copy = arena_cstr(a, t);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        /* The last character of a part of 32 bytes carries two bits that decode to nothing. */
        if (i == t.n - 1)
            continue;
        assert_int_equal(verify(slice_mem(copy, t.n)), TOKEN_INVALID);
    }
    assert_int_equal(verify(slice_mem(t.p, t.n - 1)), TOKEN_INVALID);
    assert_int_equal(verify(slice_of(arena_printf(a, "%s=", t.p))), TOKEN_INVALID);
    assert_int_equal(verify(slice_of(arena_printf(a, "%s.", t.p))), TOKEN_INVALID);
    assert_int_equal(verify(slice_of(arena_printf(a, " %s", t.p))), TOKEN_INVALID);
    assert_int_equal(verify(SLICE_NONE), TOKEN_INVALID);
    assert_int_equal(verify(SLICE("..")), TOKEN_INVALID);
    char *big = arena_alloc(a, TOKEN_TEXT_MAX + 10);
    memset(big, 'A', TOKEN_TEXT_MAX + 9);
    big[10] = big[20] = '.';
    assert_int_equal(verify(slice_of(big)), TOKEN_INVALID);
}

static void bearer(void **state)
{
    (void)state;
    assert_true(slice_eq(token_bearer(SLICE("Bearer abc")), SLICE("abc")));
    assert_true(slice_eq(token_bearer(SLICE("bearer  abc ")), SLICE("abc")));
    assert_null(token_bearer(SLICE("Basic abc")).p);
    assert_null(token_bearer(SLICE("Bearer")).p);
    assert_null(token_bearer(SLICE_NONE).p);
}

static void refresh_round_trip(void **state)
{
    (void)state;
    uint8_t family[32] = {1}, other[32] = {2};
    struct uuid session = uuid_new();
    struct slice t = refresh_write(a, family, 3, session, 41);
    struct refresh_token r;
    assert_int_equal(refresh_parse(t, &r), RC_OK);
    assert_int_equal(r.tenant_no, 3);
    assert_true(uuid_eq(r.session, session));
    assert_int_equal(r.counter, 41);
    assert_true(refresh_genuine(&r, family));
    assert_false(refresh_genuine(&r, other));
    struct refresh_token changed = r;
    changed.counter++;
    assert_false(refresh_genuine(&changed, family));
    changed = r;
    changed.tenant_no++;
    assert_false(refresh_genuine(&changed, family));
    changed = r;
    changed.session.b[3] ^= 1;
    assert_false(refresh_genuine(&changed, family));
}

static void refresh_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "...",
        "1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0",
        "0.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "01.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.-1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.99999999999999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAA",
        "99999999999.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.x"};
    struct refresh_token r;
    assert_int_equal(
        refresh_parse(SLICE("1.0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                      &r),
        RC_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(refresh_parse(slice_of(bad[i]), &r), RC_INVALID);
}

static void refresh_family(void **state)
{
    (void)state;
    assert_int_equal(refresh_decide(5, 5, NOW - 3600 * USEC_PER_SEC, NOW), REFRESH_ROTATE);
    assert_int_equal(refresh_decide(4, 5, NOW - 9 * USEC_PER_SEC, NOW), REFRESH_REPEAT);
    assert_int_equal(refresh_decide(4, 5, NOW - 11 * USEC_PER_SEC, NOW), REFRESH_REUSED);
    assert_int_equal(refresh_decide(3, 5, NOW, NOW), REFRESH_REUSED);
    assert_int_equal(refresh_decide(6, 5, NOW, NOW), REFRESH_REUSED);
    assert_int_equal(refresh_decide(0, 0, NOW, NOW), REFRESH_ROTATE);
}

static void cookies(void **state)
{
    (void)state;
    assert_true(slice_eq(refresh_cookie(SLICE("a=1; __Host-sekisho_refresh=x.y; b=2")), SLICE("x.y")));
    assert_true(slice_eq(refresh_cookie(SLICE("__Host-sekisho_refresh=x.y")), SLICE("x.y")));
    assert_null(refresh_cookie(SLICE("a=__Host-sekisho_refresh=x")).p);
    assert_null(refresh_cookie(SLICE("__Host-sekisho_refresh=")).p);
    assert_null(refresh_cookie(SLICE("__Host-sekisho_refresh=a; __Host-sekisho_refresh=b")).p);
    assert_null(refresh_cookie(SLICE_NONE).p);
}

static void other_sites_are_refused(void **state)
{
    (void)state;
    struct slice url = SLICE("https://console.example.org:8443/"), host = SLICE("127.0.0.1:8443");
    assert_true(origin_ours(SLICE("https://console.example.org:8443"), SLICE("same-origin"), host, url));
    assert_true(origin_ours(SLICE("https://127.0.0.1:8443"), SLICE_NONE, host, url));
    assert_true(origin_ours(SLICE_NONE, SLICE_NONE, host, url));
    assert_true(origin_ours(SLICE_NONE, SLICE("none"), host, url));
    assert_false(origin_ours(SLICE("https://evil.example"), SLICE_NONE, host, url));
    assert_false(origin_ours(SLICE("null"), SLICE_NONE, host, url));
    assert_false(origin_ours(SLICE("http://127.0.0.1:8443"), SLICE_NONE, host, url));
    assert_false(origin_ours(SLICE("https://console.example.org"), SLICE_NONE, host, url));
    assert_false(origin_ours(SLICE("https://console.example.org:8443"), SLICE("cross-site"), host, url));
    assert_false(origin_ours(SLICE("https://console.example.org:8443"), SLICE("same-site"), host, url));
    assert_false(origin_ours(SLICE("https://"), SLICE_NONE, SLICE(""), url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(round_trip),
        T(expires),
        T(algorithm_is_pinned),
        T(header_has_nothing_else),
        T(key_must_fit_its_id),
        T(claims_are_checked),
        T(tampering_shows),
        T(bearer),
        T(refresh_round_trip),
        T(refresh_form),
        T(refresh_family),
        T(cookies),
        T(other_sites_are_refused),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
