/* SPDX-License-Identifier: Apache-2.0 */
/* test_totp.c - the vectors of RFC 6238 and RFC 4648, the window, used steps, recovery codes. */
#include "identity/totp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SECRET SLICE("12345678901234567890")

static void test_rfc_6238(void **state)
{
    /* Appendix B, SHA-1; the last six of its eight digits. */
    static const struct {
        int64_t seconds;
        const char *code;
    } vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                   {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char code[TOTP_DIGITS + 1];

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        totp_code(SECRET, totp_step(vectors[i].seconds * USEC_PER_SEC), code);
        assert_string_equal(code, vectors[i].code);
    }
}

static void test_window(void **state)
{
    usec_t now = INT64_C(1234567890) * USEC_PER_SEC;
    int64_t here = totp_step(now);
    char code[TOTP_DIGITS + 1];

    (void)state;
    for (int64_t skew = -3; skew <= 3; skew++) {
        bool near = skew >= -1 && skew <= 1;
        totp_code(SECRET, here + skew, code);
        assert_int_equal(totp_find(SECRET, slice_of(code), now, 0), near ? here + skew : 0);
        /* Used, or older than what was used. */
        assert_int_equal(totp_find(SECRET, slice_of(code), now, here + skew), 0);
        assert_int_equal(totp_find(SECRET, slice_of(code), now, here + skew - 1), near ? here + skew : 0);
    }
}

static void test_forms(void **state)
{
    usec_t now = INT64_C(59) * USEC_PER_SEC;

    (void)state;
    assert_int_equal(totp_find(SECRET, SLICE("287082"), now, 0), 1);
    assert_int_equal(totp_find(SECRET, SLICE("287083"), now, 0), 0);
    assert_int_equal(totp_find(SECRET, SLICE("28708"), now, 0), 0);
    assert_int_equal(totp_find(SECRET, SLICE("2870820"), now, 0), 0);
    assert_int_equal(totp_find(SECRET, SLICE(""), now, 0), 0);
    assert_int_equal(totp_find(SECRET, SLICE("......"), now, 0), 0);
}

static void test_base32(void **state)
{
    static const struct {
        const char *in, *out;
    } vectors[] = {{"", ""},
                   {"f", "MY"},
                   {"fo", "MZXQ"},
                   {"foo", "MZXW6"},
                   {"foob", "MZXW6YQ"},
                   {"fooba", "MZXW6YTB"},
                   {"foobar", "MZXW6YTBOI"}};
    struct arena *a = arena_new(65536);

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct slice got = totp_base32(a, slice_of(vectors[i].in));
        assert_true(slice_eq(got, slice_of(vectors[i].out)));
    }
    arena_free(&a);
}

static void test_uri(void **state)
{
    struct arena *a = arena_new(65536);
    struct slice uri = totp_uri(a, SLICE("acme"), SLICE("a b@\xe5\xb1\xb1"), SECRET);

    (void)state;
    assert_true(
        slice_eq(uri, SLICE("otpauth://totp/Sekisho:acme%2Fa%20b%40%E5%B1%B1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                            "&issuer=Sekisho&algorithm=SHA1&digits=6&period=30")));
    char name[300];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = '@';
    uri = totp_uri(a, slice_mem(name, sizeof name), slice_mem(name, sizeof name), SECRET);
    assert_true(uri.n <= 400 && slice_ends(uri, SLICE("period=30")));
    arena_free(&a);
}

static void test_recovery(void **state)
{
    struct arena *a = arena_new(65536);
    struct uuid one = uuid_new(), two = uuid_new();
    struct slice code = recovery_code_new(a), other = recovery_code_new(a);
    char loud[12];

    (void)state;
    assert_int_equal(code.n, 11);
    assert_int_equal(code.p[5], '-');
    assert_false(slice_eq(code, other));
    struct sha256 h = recovery_code_hash(one, code), x;
    for (size_t i = 0; i < 12; i++)
        loud[i] = code.p[i] >= 'a' && code.p[i] <= 'z' ? (char)(code.p[i] - 32) : code.p[i] == '-' ? ' ' : code.p[i];
    x = recovery_code_hash(one, slice_mem(loud, 11));
    assert_memory_equal(h.b, x.b, sizeof h.b);
    x = recovery_code_hash(two, code);
    assert_memory_not_equal(h.b, x.b, sizeof h.b);
    x = recovery_code_hash(one, other);
    assert_memory_not_equal(h.b, x.b, sizeof h.b);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc_6238), cmocka_unit_test(test_window),
                                       cmocka_unit_test(test_forms),    cmocka_unit_test(test_base32),
                                       cmocka_unit_test(test_uri),      cmocka_unit_test(test_recovery)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
