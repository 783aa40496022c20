/* SPDX-License-Identifier: Apache-2.0 */
/* test_counters.c - sums over threads, and the text of Prometheus. */
/* links: common */
#include "unit.h"

#include "common/counters.h"
#include <pthread.h>

#define THREADS 4
#define TIMES   50000

static void counting(void **state)
{
    int64_t before = counter_read(C_requests);

    (void)state;
    count(C_requests);
    count_add(C_requests, 5);
    assert_true(counter_read(C_requests) == before + 6);
    count_add(C_streams_wake, 3);
    count_add(C_streams_wake, -2);
    assert_true(counter_read(C_streams_wake) == 1);
    count_set(C_redis_up, 1);
    count_set(C_redis_up, 1);
    assert_true(counter_read(C_redis_up) == 1);
    count_set(C_redis_up, 0);
    assert_true(counter_read(C_redis_up) == 0);
}

static void *count_much(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        count(C_batch_items);
        if (i % 100 == 0)
            counter_read(C_batch_items);
    }
    return NULL;
}

static void threads_add_up_and_leave_their_share(void **state)
{
    int64_t before = counter_read(C_batch_items);

    (void)state;
    for (int round = 0; round < 3; round++) {
        pthread_t threads[THREADS];

        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_true(counter_read(C_batch_items) == before + INT64_C(1) * (round + 1) * THREADS * TIMES);
    }
}

static void *count_once(void *arg)
{
    (void)arg;
    count(C_batches);
    return NULL;
}

static void many_short_threads_are_all_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, count_once, NULL), 0);
        pthread_join(thread, NULL);
    }
    assert_true(counter_read(C_batches) == 300);
}

static void the_text_is_that_of_prometheus(void **state)
{
    struct strbuf out;
    struct slice rest;
    int lines = 0;

    (void)state;
    count_add(C_jobs_shed, 42);
    strbuf_init(&out, 1 << 20);
    counters_write(&out);
    assert_non_null(strstr(out.p, "# HELP sekisho_jobs_shed Jobs refused since the queue was full or too old.\n"
                                  "# TYPE sekisho_jobs_shed counter\nsekisho_jobs_shed 42\n"));
    assert_non_null(strstr(out.p, "# TYPE sekisho_redis_up gauge\n"));
    rest = strbuf_slice(&out);
    while (rest.n) {
        struct slice line = slice_cut(&rest, '\n');

        lines++;
        if (!slice_starts(line, SLICE("# "))) {
            struct slice name = slice_cut(&line, ' ');
            int64_t v;

            assert_true(slice_starts(name, SLICE("sekisho_")));
            assert_true(slice_i64(line, &v));
        }
    }
    assert_int_equal(lines, 3 * C_COUNT);
    strbuf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting),
        cmocka_unit_test(threads_add_up_and_leave_their_share),
        cmocka_unit_test(many_short_threads_are_all_counted),
        cmocka_unit_test(the_text_is_that_of_prometheus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
