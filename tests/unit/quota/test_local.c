/* SPDX-License-Identifier: Apache-2.0 */
/* test_local.c - token buckets in memory. Time is given, nothing sleeps. */
/* links: quota common */
#include "quota/quota_local.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static int setup(void **state)
{
    (void)state;
    quota_local_reset();
    return 0;
}

static struct quota_outcome one(const char *key, double rate, double burst, uint64_t now)
{
    struct slice k = slice_of(key);
    struct quota_rate r = {rate, burst};
    return quota_local_take(&k, &r, 1, now);
}

static void burst_then_rate(void **state)
{
    (void)state;
    uint64_t now = 100 * SECOND;
    for (int i = 0; i < 5; i++) {
        struct quota_outcome o = one("a", 2, 5, now);
        assert_true(o.allowed);
        assert_int_equal(o.left, 4 - i);
    }
    struct quota_outcome o = one("a", 2, 5, now);
    assert_false(o.allowed);
    assert_in_range(o.wait_ms, 500, 502);
    assert_true(one("b", 2, 5, now).allowed);
    assert_true(one("a", 2, 5, now + SECOND / 2 + 1000000).allowed);
    assert_false(one("a", 2, 5, now + SECOND / 2 + 1000000).allowed);
    assert_int_equal(one("a", 2, 5, now + 1000 * SECOND).left, 4);
}

/* The floor of scheduled check-ins as a bucket of one: 90 % of 1,200 s. */
static void floor_of_an_interval(void **state)
{
    (void)state;
    double least = 1200 * 0.9;
    assert_true(one("d", 1 / least, 1, SECOND).allowed);
    struct quota_outcome o = one("d", 1 / least, 1, 2 * SECOND);
    assert_false(o.allowed);
    assert_in_range(o.wait_ms, 1079000, 1079002);
    assert_false(one("d", 1 / least, 1, 1079 * SECOND).allowed);
    assert_true(one("d", 1 / least, 1, 1082 * SECOND).allowed);
}

static void all_or_none(void **state)
{
    (void)state;
    struct slice keys[] = {SLICE("session"), SLICE("tenant")};
    struct quota_rate rates[] = {{1, 3}, {1, 1}};
    assert_true(quota_local_take(keys, rates, 2, SECOND).allowed);
    struct quota_outcome o = quota_local_take(keys, rates, 2, SECOND);
    assert_false(o.allowed);
    assert_int_equal(o.refused, 1);
    /* The session's bucket was not charged by the refusal. */
    assert_int_equal(quota_local_take(keys, rates, 1, SECOND).left, 1);
}

static void clock_that_stands_or_goes_back(void **state)
{
    (void)state;
    assert_true(one("c", 1, 1, 10 * SECOND).allowed);
    assert_false(one("c", 1, 1, 10 * SECOND).allowed);
    assert_false(one("c", 1, 1, 5 * SECOND).allowed);
    assert_true(one("c", 1, 1, 11 * SECOND + 1000).allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(burst_then_rate, setup), cmocka_unit_test_setup(floor_of_an_interval, setup),
        cmocka_unit_test_setup(all_or_none, setup), cmocka_unit_test_setup(clock_that_stands_or_goes_back, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
