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

static struct strbuf text;

static const char *scrape(void)
{
    strbuf_done(&text);
    strbuf_init(&text, 1 << 22);
    counters_write(&text, NULL);
    assert_false(text.over);
    return text.p;
}

/* The value of a series. */
static double series(const char *name)
{
    char line[200];
    const char *at;
    double v;

    snprintf(line, sizeof(line), "\nsekisho_%s ", name);
    at = strstr(text.p, line);
    if (!at)
        return -1;
    at += strlen(line);
    assert_true(slice_double(slice_mem(at, strcspn(at, "\n")), &v));
    return v;
}

static void plain_series(void **state)
{
    (void)state;
    count_add(C_jobs_shed, 42);
    count_set(C_redis_up, 1);
    assert_non_null(strstr(scrape(), "# HELP sekisho_jobs_shed Jobs refused since the queue was full or too old.\n"
                                     "# TYPE sekisho_jobs_shed counter\nsekisho_jobs_shed 42\n"));
    assert_non_null(strstr(text.p, "# TYPE sekisho_redis_up gauge\nsekisho_redis_up 1\n"));
}

static void series_by_a_label(void **state)
{
    (void)state;
    count(C_answers_2xx);
    count_add((enum counter)(C_answers_2xx + 4 - 2), 5);
    scrape();
    assert_true(series("answers{status=\"2xx\"}") == 1);
    assert_true(series("answers{status=\"4xx\"}") == 5);
    assert_true(series("answers{status=\"5xx\"}") == 0);
    assert_true(counter_read(C_answers) == 6);
    count_set(C_queue_age_seconds_slow, INT64_C(1500000001));
    scrape();
    assert_true(series("queue_age_seconds{pool=\"slow\"}") == 1.500000001);
    assert_true(series("queue_age_seconds{pool=\"batch\"}") == 0);
}

static void histograms(void **state)
{
    (void)state;
    observe(C_batch_size, 1); /* bounds are inclusive */
    observe(C_batch_size, 3);
    observe(C_batch_size, 4);
    observe(C_batch_size, 1000);
    scrape();
    assert_true(series("batch_size_bucket{le=\"1\"}") == 1);
    assert_true(series("batch_size_bucket{le=\"2\"}") == 1);
    assert_true(series("batch_size_bucket{le=\"4\"}") == 3);
    assert_true(series("batch_size_bucket{le=\"64\"}") == 3);
    assert_true(series("batch_size_bucket{le=\"+Inf\"}") == 4);
    assert_true(series("batch_size_sum") == 1008);
    assert_true(series("batch_size_count") == 4);
    assert_true(counter_read(C_batch_size) == 4);
    observe(C_api_seconds, 1000000);
    observe(C_api_seconds, INT64_C(70000000000));
    scrape();
    assert_true(series("api_seconds_bucket{le=\"0.001\"}") == 1);
    assert_true(series("api_seconds_bucket{le=\"5\"}") == 1);
    assert_true(series("api_seconds_sum") == 70.001);
}

static double sum_of(const char *name)
{
    char start[64];
    double sum = 0, v;

    snprintf(start, sizeof(start), "\nsekisho_%s{", name);
    for (const char *at = strstr(text.p, start); at; at = strstr(at + 1, start)) {
        const char *value = strchr(at, ' ') + 1;

        assert_true(slice_double(slice_mem(value, strcspn(value, "\n")), &v));
        sum += v;
    }
    return sum;
}

static unsigned series_of(const char *name)
{
    char start[64];
    unsigned n = 0;

    snprintf(start, sizeof(start), "\nsekisho_%s{", name);
    for (const char *at = strstr(text.p, start); at; at = strstr(at + 1, start))
        n++;
    return n;
}

static void twenty_tenants_and_the_rest(void **state)
{
    double rest, first;

    (void)state;
    count_tenant(T_tenant_requests, 0, 3); /* nobody */
    for (int no = 1; no <= 500; no++)
        count_tenant(T_tenant_requests, no, no);
    count_tenant(T_tenant_requests, 1 << 20, 2); /* beyond the table */
    scrape();
    assert_int_equal(series_of("tenant_requests"), 21);
    assert_true(series("tenant_requests{tenant=\"t_500\"}") == 500);
    assert_true(series("tenant_requests{tenant=\"t_481\"}") == 481);
    assert_true(series("tenant_requests{tenant=\"t_480\"}") == -1);
    assert_true(sum_of("tenant_requests") == 500 * 501 / 2 + 5);
    rest = series("tenant_requests{tenant=\"_rest\"}");
    /* A small one becomes busy: it gets a series, from nothing; nothing falls, and nothing is lost. */
    count_tenant(T_tenant_requests, 7, 100000);
    count_tenant(T_tenant_requests, 8, 1);
    scrape();
    assert_int_equal(series_of("tenant_requests"), 21);
    assert_true(series("tenant_requests{tenant=\"t_7\"}") == 100000);
    assert_true(series("tenant_requests{tenant=\"_rest\"}") == rest + 1);
    assert_true(series("tenant_requests{tenant=\"t_481\"}") == -1); /* it had to make room */
    first = series("tenant_requests{tenant=\"t_482\"}");
    count_tenant(T_tenant_requests, 482, 9);
    scrape();
    assert_true(series("tenant_requests{tenant=\"t_482\"}") == first + 9);
    assert_true(series_of("tenant_bytes") == 1); /* only the rest */
}

static bool name_of(int no, char *out, size_t size)
{
    snprintf(out, size, "a\\b\"%d\n", no);
    return true;
}

static void names_are_escaped(void **state)
{
    (void)state;
    count_tenant(T_tenant_bytes, 9, 77);
    strbuf_clear(&text);
    counters_write(&text, name_of);
    assert_non_null(strstr(text.p, "sekisho_tenant_bytes{tenant=\"a\\\\b\\\"9\\n\"} 77\n"));
}

static void *count_for_tenants(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++)
        count_tenant(T_tenant_cpu_seconds, 1 + i % 200, 1000);
    return NULL;
}

static void threads_count_for_tenants(void **state)
{
    pthread_t threads[THREADS];
    struct tenant_sum *sums;
    int64_t sum = 0;
    size_t n;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_for_tenants, NULL), 0);
    for (int i = 0; i < 20; i++)
        scrape();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    n = counters_tenants(&sums);
    for (size_t i = 0; i < n; i++) {
        sum += sums[i].v[T_tenant_cpu_seconds];
        assert_true(i == 0 || sums[i].no > sums[i - 1].no);
    }
    assert_true(sum == INT64_C(1000) * TIMES * THREADS);
    free(sums);
}

/* Each line of the documentation names what a scrape has. */
static void the_documentation_lists_all(void **state)
{
    char line[2048];
    unsigned rows = 0;
    FILE *f = tmpfile();

    (void)state;
    scrape();
    counters_print_markdown(f);
    rewind(f);
    while (fgets(line, sizeof(line), f)) {
        char name[200];
        const char *end;

        if (strncmp(line, "| `sekisho_", 11) != 0)
            continue;
        rows++;
        end = strchr(line + 3, '`');
        snprintf(name, sizeof(name), "# TYPE %.*s ", (int)(end - line - 3), line + 3);
        assert_non_null(strstr(text.p, name));
    }
    fclose(f);
    for (const char *at = strstr(text.p, "# TYPE "); at; at = strstr(at + 1, "# TYPE "))
        rows--;
    assert_int_equal(rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting),
        cmocka_unit_test(threads_add_up_and_leave_their_share),
        cmocka_unit_test(many_short_threads_are_all_counted),
        cmocka_unit_test(plain_series),
        cmocka_unit_test(series_by_a_label),
        cmocka_unit_test(histograms),
        cmocka_unit_test(twenty_tenants_and_the_rest),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(threads_count_for_tenants),
        cmocka_unit_test(the_documentation_lists_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
