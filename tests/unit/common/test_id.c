/* SPDX-License-Identifier: Apache-2.0 */
/* test_id.c - UUIDs and randomness, over threads and forks. */
/* links: common */
#include "unit.h"

#include "common/clock.h"
#include "common/id.h"
#include <pthread.h>

#define THREADS    4
#define PER_THREAD 20000

static void text_known_answers(void **state)
{
    char text[UUID_TEXT_SIZE];
    struct uuid u;

    (void)state;
    assert_true(uuid_parse(SLICE("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &u)); /* of RFC 9562 */
    assert_string_equal(uuid_text(u, text), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_int_equal(u.b[0], 0x01);
    assert_int_equal(u.b[15], 0x8F);
    assert_false(uuid_is_nil(u));
    assert_true(uuid_parse(SLICE("00000000-0000-0000-0000-000000000000"), &u));
    assert_true(uuid_is_nil(u));
}

static void bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
        "------------------------------------",
    };
    struct uuid u = {{9}};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(uuid_parse(slice_of(bad[i]), &u));
    assert_int_equal(u.b[0], 9);
}

static void texts_read_back_and_order_like_ids(void **state)
{
    (void)state;
    random_seed(9);
    for (int i = 0; i < 5000; i++) {
        struct uuid a;
        struct uuid b;
        struct uuid back;
        char text_a[UUID_TEXT_SIZE];
        char text_b[UUID_TEXT_SIZE];

        random_bytes(&a, sizeof(a));
        random_bytes(&b, sizeof(b));
        assert_true(uuid_parse(slice_of(uuid_text(a, text_a)), &back) && uuid_eq(a, back));
        uuid_text(b, text_b);
        assert_true((uuid_cmp(a, b) < 0) == (strcmp(text_a, text_b) < 0));
    }
    random_seed(0);
}

static void a_new_id_carries_version_and_time(void **state)
{
    struct uuid u;
    uint64_t ms = 0;

    (void)state;
    random_seed(1); /* forgets the newest id, so that a clock of the past is followed */
    clock_fix(INT64_C(1645557742000) * 1000);
    u = uuid_new();
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | u.b[i];
    assert_true(ms == UINT64_C(0x017F22E279B0));
    assert_int_equal(u.b[6] >> 4, 7);
    assert_int_equal(u.b[8] >> 6, 2);
    clock_fix(0);
    random_seed(0);
}

static void ids_rise_while_the_clock_stands_or_falls(void **state)
{
    struct uuid last = uuid_new();

    (void)state;
    clock_fix(clock_now());
    for (int i = 0; i < 10000; i++) { /* more than one millisecond has stamps */
        struct uuid next = uuid_new();

        assert_true(uuid_cmp(last, next) < 0);
        last = next;
    }
    clock_fix(clock_now() - 10 * USEC_PER_SEC);
    assert_true(uuid_cmp(last, uuid_new()) < 0);
    clock_fix(0);
}

static void *make_ids(void *arg)
{
    struct uuid *ids = arg;

    for (int i = 0; i < PER_THREAD; i++)
        ids[i] = uuid_new();
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return uuid_cmp(*(const struct uuid *)a, *(const struct uuid *)b);
}

static void threads_never_share_an_id(void **state)
{
    struct uuid *ids = malloc(sizeof(*ids) * THREADS * PER_THREAD);
    pthread_t threads[THREADS];

    (void)state;
    assert_non_null(ids);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids + i * PER_THREAD), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        for (int k = 1; k < PER_THREAD; k++)
            if (uuid_cmp(ids[i * PER_THREAD + k - 1], ids[i * PER_THREAD + k]) >= 0)
                fail_msg("thread %d: id %d does not rise", i, k);
    qsort(ids, THREADS * PER_THREAD, sizeof(*ids), by_id);
    for (int i = 1; i < THREADS * PER_THREAD; i++)
        if (memcmp(ids[i - 1].b, ids[i].b, 8) == 0)
            fail_msg("two ids share their stamp");
    free(ids);
}

static void a_seed_fixes_everything(void **state)
{
    struct uuid ids[2][3];
    uint64_t numbers[2];

    (void)state;
    clock_fix(INT64_C(1800000000) * USEC_PER_SEC);
    for (int run = 0; run < 2; run++) {
        random_seed(77);
        numbers[run] = random_u64();
        for (int i = 0; i < 3; i++)
            ids[run][i] = uuid_new();
    }
    assert_true(numbers[0] == numbers[1]);
    assert_memory_equal(ids[0], ids[1], sizeof(ids[0]));
    random_seed(78);
    assert_true(random_u64() != numbers[0]);
    random_seed(0);
    assert_true(random_u64() != random_u64());
    clock_fix(0);
}

static void below_is_below_and_even(void **state)
{
    int seen[10] = {0};

    (void)state;
    random_seed(10);
    for (int i = 0; i < 100000; i++)
        seen[random_below(10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 9500, 10500);
    for (int i = 0; i < 1000; i++) {
        assert_true(random_below(1) == 0);
        assert_true(random_below(UINT64_C(1) << 63 | 1) <= UINT64_C(1) << 63);
    }
    random_seed(0);
}

static void below_nothing(void *arg)
{
    (void)arg;
    random_below(0);
}

static void below_zero_aborts(void **state)
{
    (void)state;
    assert_true(unit_aborts(below_nothing, NULL, NULL, 0));
}

static void long_runs_are_filled_whole(void **state)
{
    static uint8_t bytes[3000];

    (void)state;
    random_seed(0);
    for (size_t n = 1; n < sizeof(bytes); n += 97) {
        int zeros = 0;

        memset(bytes, 0, sizeof(bytes));
        random_bytes(bytes, n);
        for (size_t i = 0; i < n; i++)
            zeros += bytes[i] == 0;
        assert_true(n < 50 || zeros < (int)n / 10);
        for (size_t i = n; i < sizeof(bytes); i++)
            assert_int_equal(bytes[i], 0);
    }
}

static void a_forked_child_draws_its_own(void **state)
{
    int fds[2];
    uint64_t child_drew = 0;
    uint64_t we_drew;
    pid_t child;

    (void)state;
    random_u64(); /* the stock is filled */
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        uint64_t v = random_u64();

        _exit(write(fds[1], &v, sizeof(v)) == sizeof(v) ? 0 : 1);
    }
    we_drew = random_u64();
    assert_int_equal(read(fds[0], &child_drew, sizeof(child_drew)), sizeof(child_drew));
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(fds[0]);
    close(fds[1]);
    assert_true(child_drew != we_drew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_known_answers),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(texts_read_back_and_order_like_ids),
        cmocka_unit_test(a_new_id_carries_version_and_time),
        cmocka_unit_test(ids_rise_while_the_clock_stands_or_falls),
        cmocka_unit_test(threads_never_share_an_id),
        cmocka_unit_test(a_seed_fixes_everything),
        cmocka_unit_test(below_is_below_and_even),
        cmocka_unit_test(below_zero_aborts),
        cmocka_unit_test(long_runs_are_filled_whole),
        cmocka_unit_test(a_forked_child_draws_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
