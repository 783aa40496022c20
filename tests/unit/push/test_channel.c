/* SPDX-License-Identifier: Apache-2.0 */
/* test_channel.c - the beat that shows whether hints get through, over a channel of the test's own that can be cut. */
/* links: push cache call common wire */
#include "cache/cache.h"
#include "push/channel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void (*subscriber)(struct slice, void *);
static bool cut;
static char last[160];
static int n_missed;

void cache_subscribe(const char *channel, void (*fn)(struct slice, void *), void *arg)
{
    assert_string_equal(channel, "sekisho:push");
    assert_null(arg);
    subscriber = fn;
}

void cache_publish(const char *channel, struct slice message)
{
    (void)channel;
    if (cut)
        return;
    snprintf(last, sizeof last, SLICE_FMT, SLICE_ARG(message));
    subscriber(message, NULL); /* everybody hears it, the sender too */
}

static void missed(void)
{
    n_missed++;
}

static int setup(void **state)
{
    (void)state;
    cut = false;
    n_missed = 0;
    channel_start("a");
    channel_on_missed(missed);
    channel_beat();
    channel_beat();
    n_missed = 0;
    return 0;
}

static void test_beat(void **state)
{
    (void)state;
    assert_true(channel_beat());
    cut = true;
    assert_true(channel_beat()); /* the one before came back */
    assert_false(channel_beat());
    assert_false(channel_beat());
    assert_int_equal(n_missed, 0);
    cut = false;
    assert_false(channel_beat()); /* sent, and not known to have come back */
    assert_true(channel_beat());
    assert_int_equal(n_missed, 1); /* what others and we sent meanwhile */
    assert_true(channel_beat());
    assert_int_equal(n_missed, 1);
}

static void test_others(void **state)
{
    (void)state;
    subscriber(SLICE("01020300-0000-7000-8000-000000000000 missed - 0"), NULL);
    assert_int_equal(n_missed, 1);
    subscriber(SLICE("01020300-0000-7000-8000-000000000000 beat - 0"), NULL); /* of another: says nothing of our way */
    cut = true;
    channel_beat();
    subscriber(SLICE("01020300-0000-7000-8000-000000000000 beat - 0"), NULL);
    assert_false(channel_beat());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_beat, setup),
                                       cmocka_unit_test_setup(test_others, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
