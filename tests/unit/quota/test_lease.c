/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - leases: who decides when, and that a lease never says "unchanged" after a change was told. */
/* links: quota call common wire */
#include "cache/cache.h"
#include "quota/lease.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static char held[96];
static int64_t held_ms;
static bool usable = true;

void cache_hold(struct slice key, int64_t ms)
{
    snprintf(held, sizeof held, SLICE_FMT, SLICE_ARG(key));
    held_ms = ms;
}

bool cache_revisions_usable(void)
{
    return usable;
}

static const struct uuid device = {{1, 2, 3}};
static const struct quota_rate burst_of_two = {1, 2};
static const struct quota_rate floor_of_ten = {0.1, 1};

static int setup(void **state)
{
    (void)state;
    lease_start();
    held[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lease_stop();
    return 0;
}

static struct lease_view take(const struct quota_rate *r, uint64_t now)
{
    struct lease_view v;
    assert_true(lease_take(device, r->burst > 1 ? WIRE_REASON_WAKE : WIRE_REASON_SCHEDULED, r, now, &v));
    return v;
}

static void test_only_with_a_stream(void **state)
{
    struct lease_view v;
    (void)state;
    lease_begin(device, WIRE_REASON_WAKE, &burst_of_two, SECOND);
    assert_false(lease_take(device, WIRE_REASON_WAKE, &burst_of_two, SECOND, &v));
    lease_open(device);
    assert_false(lease_take(device, WIRE_REASON_WAKE, &burst_of_two, SECOND, &v)); /* Redis first */
    lease_begin(device, WIRE_REASON_WAKE, &burst_of_two, SECOND);
    assert_true(lease_take(device, WIRE_REASON_WAKE, &burst_of_two, SECOND, &v));
    assert_false(lease_take(device, WIRE_REASON_URGENT, &burst_of_two, SECOND, &v)); /* per reason */
    lease_close(device);
    assert_false(lease_take(device, WIRE_REASON_WAKE, &burst_of_two, SECOND, &v));
}

static void test_buckets(void **state)
{
    uint64_t now = clock_mono_ns();
    (void)state;
    lease_open(device);
    lease_begin(device, WIRE_REASON_WAKE, &burst_of_two, now);
    struct lease_view v = take(&burst_of_two, now); /* the burst was Redis' */
    assert_false(v.allowed);
    assert_in_range(v.wait_ms, 1000, 1001);
    assert_true(take(&burst_of_two, now + SECOND).allowed);
    assert_false(take(&burst_of_two, now + SECOND).allowed);
    assert_true(take(&burst_of_two, now + 60 * SECOND).allowed);
    assert_true(take(&burst_of_two, now + 60 * SECOND).allowed);
    assert_false(take(&burst_of_two, now + 60 * SECOND).allowed);
}

static void test_floor_outlives_the_stream(void **state)
{
    uint64_t now = clock_mono_ns();
    (void)state;
    lease_open(device);
    lease_begin(device, WIRE_REASON_SCHEDULED, &floor_of_ten, now - 20 * SECOND);
    assert_true(take(&floor_of_ten, now).allowed);
    assert_false(take(&floor_of_ten, now + SECOND).allowed);
    lease_close(device);
    assert_string_equal(held, "sk:q:scheduled:01020300-0000-0000-0000-000000000000");
    assert_in_range(held_ms, 8000, 10000);
    held[0] = '\0';
    lease_open(device);
    lease_begin(device, WIRE_REASON_SCHEDULED, &floor_of_ten, now);
    lease_give_back(device, WIRE_REASON_SCHEDULED);
    assert_true(take(&floor_of_ten, now + SECOND).allowed);
    lease_give_back(device, WIRE_REASON_SCHEDULED);
    lease_close(device);
    assert_string_equal(held, ""); /* what was given back holds nothing */
}

static void test_revision(void **state)
{
    uint64_t now = clock_mono_ns();
    (void)state;
    lease_open(device);
    lease_begin(device, WIRE_REASON_WAKE, &burst_of_two, now);
    assert_false(take(&burst_of_two, now += 2 * SECOND).known);
    lease_fill(device, 5, SLICE("abc"), now);
    struct lease_view v = take(&burst_of_two, now += 2 * SECOND);
    assert_true(v.known);
    assert_int_equal(v.revision, 5);
    assert_true(slice_eq(slice_mem(v.digest, v.digest_n), SLICE("abc")));
    lease_told(device, 6);
    assert_false(take(&burst_of_two, now += 2 * SECOND).known);
    lease_fill(device, 5, SLICE("abc"), now); /* read before the change, came after it */
    assert_false(take(&burst_of_two, now += 2 * SECOND).known);
    lease_fill(device, 6, SLICE("abd"), now);
    lease_told(device, 4);
    assert_true(take(&burst_of_two, now += 2 * SECOND).known);
    usable = false;
    assert_false(take(&burst_of_two, now += 2 * SECOND).known);
    usable = true;
    assert_true(take(&burst_of_two, now += 2 * SECOND).known);
    assert_false(take(&burst_of_two, now += 901 * SECOND).known); /* old */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_only_with_a_stream, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_buckets, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_floor_outlives_the_stream, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_revision, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
