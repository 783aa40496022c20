/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c - what identity/ remembers for a while: pins of certificates, sessions, failures of unknown names. With
 * a cache of the test's own. */
/* links: identity common */
#include "cache/cache.h"
#include "identity/lockout.h"
#include "identity/pins.h"
#include "identity/sessions.h"
#include "push/live.h"
#include "store/account.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool redis_up;
static char published[128];
static struct uuid stream_ended;
static void (*subscriber)(struct slice, void *);

bool cache_up(void)
{
    return redis_up;
}

void cache_publish(const char *channel, struct slice message)
{
    (void)channel;
    memcpy(published, message.p, message.n);
    published[message.n] = '\0';
}

void cache_subscribe(const char *channel, void (*fn)(struct slice, void *), void *arg)
{
    (void)channel;
    (void)arg;
    subscriber = fn;
}

void live_end_session(struct uuid session)
{
    stream_ended = session;
}

static struct sha256 leaf_of(int i)
{
    return crypto_sha256(slice_mem(&i, sizeof i));
}

static int setup(void **state)
{
    (void)state;
    redis_up = true;
    pins_start();
    sessions_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pins_stop();
    sessions_stop();
    return 0;
}

static void pins_of_a_device_are_dropped(void **state)
{
    (void)state;
    struct uuid a = uuid_new(), b = uuid_new();
    struct pin p = {.verdict = PIN_GOOD, .tenant_no = 1, .device = a};
    struct sha256 leaves[3] = {leaf_of(1), leaf_of(2), leaf_of(3)};
    pins_put(&leaves[0], &p, pins_generation());
    pins_put(&leaves[1], &p, pins_generation());
    p.device = b;
    pins_put(&leaves[2], &p, pins_generation());
    pins_drop_device(a);
    assert_false(pins_find(&leaves[0], &p));
    assert_false(pins_find(&leaves[1], &p));
    assert_true(pins_find(&leaves[2], &p));
    pins_drop_all();
    assert_false(pins_find(&leaves[2], &p));
}

/* The database said "good" before the device was cut, the answer comes after: it must not be kept. */
static void late_verdict_is_not_kept(void **state)
{
    (void)state;
    struct pin p = {.verdict = PIN_GOOD, .tenant_no = 1, .device = uuid_new()};
    struct sha256 leaf = leaf_of(1);
    uint64_t generation = pins_generation();
    pins_drop_device(p.device);
    pins_put(&leaf, &p, generation);
    assert_false(pins_find(&leaf, &p));
}

static void pins_are_listed_by_tenant(void **state)
{
    (void)state;
    struct pin_entry *list;
    for (int i = 0; i < 20; i++) {
        struct pin p = {.verdict = i % 5 == 0 ? PIN_REVOKED : PIN_GOOD, .tenant_no = i % 3 + 1, .device = uuid_new()};
        struct sha256 leaf = leaf_of(i);
        pins_put(&leaf, &p, pins_generation());
    }
    size_t n = pins_list(&list, 100);
    assert_int_equal(n, 16);
    for (size_t i = 1; i < n; i++)
        assert_true(list[i - 1].tenant_no <= list[i].tenant_no);
    free(list);
    n = pins_list(&list, 4);
    assert_int_equal(n, 4);
    free(list);
}

static void sessions_are_believed_briefly(void **state)
{
    (void)state;
    struct uuid s = uuid_new();
    struct session_known k = {.tenant_no = 1, .asked_ns = clock_mono_ns()}, found;
    sessions_put(s, &k);
    assert_true(sessions_find(s, &found));
    k.asked_ns = clock_mono_ns() - SESSIONS_VALID_NS;
    sessions_put(s, &k);
    assert_false(sessions_find(s, &found));
}

static void ended_session_is_told_to_all(void **state)
{
    (void)state;
    struct uuid s = uuid_new();
    char text[UUID_TEXT_SIZE];
    struct session_known k = {.tenant_no = 1, .asked_ns = clock_mono_ns()}, found;
    sessions_put(s, &k);
    sessions_end(s);
    assert_false(sessions_find(s, &found));
    assert_string_equal(published, uuid_text(s, text));
    assert_true(uuid_eq(stream_ended, s));
    /* The other way round: another replica says so. */
    s = uuid_new();
    sessions_put(s, &k);
    subscriber(slice_of(uuid_text(s, text)), NULL);
    assert_false(sessions_find(s, &found));
    assert_true(uuid_eq(stream_ended, s));
    subscriber(SLICE("not an id"), NULL);
}

static void unknown_names_lock_like_known_ones(void **state)
{
    (void)state;
    usec_t now = INT64_C(1900000000) * USEC_PER_SEC;
    struct sha256 n = lockout_name(SLICE("acme"), SLICE("Nobody")), same = lockout_name(SLICE("ACME"), SLICE("nobody"));
    struct sha256 other = lockout_name(SLICE("acm"), SLICE("enobody"));
    assert_memory_equal(&n, &same, sizeof n);
    assert_memory_not_equal(&n, &other, sizeof n);
    for (int i = 0; i < ACCOUNT_LOCK_FROM - 1; i++)
        lockout_failed(&n, now);
    assert_true(lockout_until(&n, now) == 0);
    lockout_failed(&n, now);
    assert_true(lockout_until(&n, now) == now + ACCOUNT_LOCK_SECONDS * USEC_PER_SEC);
    assert_true(lockout_until(&n, now + ACCOUNT_LOCK_SECONDS * USEC_PER_SEC) == 0);
    lockout_failed(&n, now);
    assert_true(lockout_until(&n, now) == now + 2 * ACCOUNT_LOCK_SECONDS * USEC_PER_SEC);
    for (int i = 0; i < 100; i++)
        lockout_failed(&n, now);
    assert_true(lockout_until(&n, now) == now + ACCOUNT_LOCK_MOST * USEC_PER_SEC);
    assert_true(lockout_until(&other, now) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(pins_of_a_device_are_dropped),  T(late_verdict_is_not_kept),     T(pins_are_listed_by_tenant),
        T(sessions_are_believed_briefly), T(ended_session_is_told_to_all), T(unknown_names_lock_like_known_ones),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
