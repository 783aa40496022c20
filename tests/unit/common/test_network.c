/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: what is one, and which addresses are in it. */
#include "common/network.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static bool has(const char *network, const char *address)
{
    struct network n;
    struct address a;

    assert_true(network_parse(slice_of(network), &n));
    assert_true(address_parse(slice_of(address), &a));
    return network_has(&n, &a);
}

static void test_has(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("192.0.2.64/26", "192.0.2.127"));
    assert_false(has("192.0.2.64/26", "192.0.2.128"));
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("0.0.0.0/0", "203.0.113.9"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3")); /* mapped */
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",           "/8",          "10.0.0.0/",    "10.0.0.0/33", "10.0.0.0/-1",
                                      "10.0.0.1/8", "10.0.0/8",    "10.0.0.0/8/8", "::/129",      "2001:db8::1/64",
                                      "localhost",  "10.0.0.0/8x", "1.2.3.4.5/8",  "0.0.0.0/00x"};
    struct network n;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(network_parse(slice_of(bad[i]), &n));
}

static void test_list(void **state)
{
    struct network n[2];
    struct slice bad;
    size_t got;

    (void)state;
    assert_int_equal(network_list_parse(slice_of(" 10.0.0.0/8 , ::1 "), n, 2, &got, &bad), RC_OK);
    assert_int_equal(got, 2);
    assert_int_equal(network_list_parse(slice_of(""), n, 2, &got, &bad), RC_OK);
    assert_int_equal(got, 0);
    assert_int_equal(network_list_parse(slice_of("10.0.0.0/8,,::1"), n, 2, &got, &bad), RC_INVALID);
    assert_int_equal(bad.n, 0);
    assert_int_equal(network_list_parse(slice_of("::1,::2,::3"), n, 2, &got, &bad), RC_OVER_QUOTA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_has), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
