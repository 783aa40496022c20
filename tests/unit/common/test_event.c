/* SPDX-License-Identifier: Apache-2.0 */
/* test_event.c - log lines: always one, always JSON. */
/* links: common */
#include "unit.h"

#include "common/event.h"
#include "common/file.h"
#include "common/json.h"
#include <errno.h>
#include <pthread.h>

static struct arena *arena;
static char *folder;
static char *path;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 24);
    folder = unit_folder();
    path = arena_printf(arena, "%s/log", folder);
    event_setup(EVENT_INFO, path);
    event_thread_context(NULL, NULL);
    clock_fix(INT64_C(1795514400) * USEC_PER_SEC + 250000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_fix(0);
    unit_folder_remove(folder);
    arena_free(&arena);
    return 0;
}

static struct slice written(void)
{
    struct slice text;

    assert_int_equal(file_read(arena, path, 1 << 22, &text), RC_OK);
    return text;
}

/* Each line must be JSON of its own. */
static json_t *only_line(void)
{
    struct slice text = written();
    struct json_error error;
    json_t *v;

    assert_true(slice_ends(text, SLICE("\n")));
    text.n--;
    assert_false(slice_find(text, '\n', &(size_t){0}));
    v = json_parse(arena, text, JSON_LIMITS_DEFAULT, &error);
    if (!v)
        fail_msg("not JSON (%s): " SLICE_FMT, error.reason, SLICE_ARG(text));
    return v;
}

static void a_line_has_its_fields_in_order(void **state)
{
    (void)state;
    event_thread_context("4bf92f35", "acme");
    ev_warn(AREA_STORE, "connection lost", EV_STR("slice", "s1"), EV_INT("tries", -3),
            EV_SLICE("host", SLICE("db.local")), EV_RC(RC_UNAVAILABLE), EV_STR("none", NULL));
    assert_slice(written(), "{\"time\":\"2026-11-24T10:00:00.250000Z\",\"level\":\"warn\",\"area\":\"store\","
                            "\"msg\":\"connection lost\",\"trace\":\"4bf92f35\",\"tenant\":\"acme\",\"slice\":\"s1\","
                            "\"tries\":-3,\"host\":\"db.local\",\"rc\":\"unavailable\",\"none\":\"-\"}\n");
}

static void a_line_needs_no_fields(void **state)
{
    (void)state;
    ev_error(AREA_SIM, "alone");
    assert_slice(written(), "{\"time\":\"2026-11-24T10:00:00.250000Z\",\"level\":\"error\",\"area\":\"sim\","
                            "\"msg\":\"alone\"}\n");
}

static void foreign_text_cannot_forge_a_line(void **state)
{
    struct slice bad = SLICE("x\"}\n{\"level\":\"info\"\\ \x1b[31m\x7f\xff\xc2\x9b 関所\0end");
    json_t *v;

    (void)state;
    ev_info(AREA_EDGE, "request", EV_SLICE("path", bad));
    v = only_line();
    assert_string_equal(json_string_value(json_object_get(v, "level")), "info");
    assert_null(strchr(written().p, 0x1b)); /* no escape sequences for terminals */
    assert_null(strchr(written().p, 0x7f));
    assert_null(strstr(written().p, "\xc2\x9b"));
    assert_non_null(strstr(written().p, "関所�end"));
}

static void long_values_are_cut_and_stay_json(void **state)
{
    char *text = arena_alloc(arena, 30000);

    (void)state;
    for (size_t n = 2000; n < 9000; n += 61) {
        struct slice s = slice_mem(text, n);

        assert_int_equal(truncate(path, 0), 0);
        for (size_t i = 0; i < n; i++)
            text[i] = n % 3 == 0 ? '\x01' : n % 3 == 1 ? 'a' : "\xe9\x96\xa2"[i % 3];
        ev_info(AREA_EDGE, "long", EV_SLICE("a", s), EV_SLICE("b", s), EV_SLICE("c", s), EV_SLICE("d", s),
                EV_SLICE("e", s), EV_INT("n", n));
        only_line();
        assert_true(written().n <= 8192);
    }
}

static void no_more_than_twelve_fields(void **state)
{
    (void)state;
    ev_info(AREA_CTL, "many", EV_INT("a", 1), EV_INT("b", 1), EV_INT("c", 1), EV_INT("d", 1), EV_INT("e", 1),
            EV_INT("f", 1), EV_INT("g", 1), EV_INT("h", 1), EV_INT("i", 1), EV_INT("j", 1), EV_INT("k", 1),
            EV_INT("l", 1), EV_INT("m", 1));
    assert_int_equal(json_object_size(only_line()), 4 + 12);
}

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void debug_is_switched_by_area(void **state)
{
    (void)state;
    ev_debug(AREA_CACHE, "not seen", EV_INT("n", evaluate()));
    assert_int_equal(evaluated, 0);
    assert_int_equal(written().n, 0);
    event_debug_set(AREA_CACHE, true);
    ev_debug(AREA_CACHE, "seen", EV_INT("n", evaluate()));
    ev_debug(AREA_QUOTA, "not seen");
    assert_string_equal(json_string_value(json_object_get(only_line(), "msg")), "seen");
    event_debug_set(AREA_CACHE, false);
    assert_false(event_debug_on(AREA_CACHE));
    event_setup(EVENT_DEBUG, NULL);
    assert_true(event_debug_on(AREA_QUOTA));
    event_setup(EVENT_WARN, NULL);
    ev_info(AREA_QUOTA, "not seen either");
    only_line();
}

static void debug_for_a_time_and_a_tenant(void **state)
{
    struct event_trace list[] = {{AREA_STORE, "acme", clock_now() + 60 * USEC_PER_SEC},
                                 {AREA_QUOTA, "", clock_now() + 10 * USEC_PER_SEC}};

    (void)state;
    event_trace_set(list, 2);
    ev_debug(AREA_STORE, "not seen: nobody's work");
    event_thread_context("4bf92f35", "other");
    ev_debug(AREA_STORE, "not seen: another's");
    ev_debug(AREA_CACHE, "not seen: another area");
    assert_true(event_debug_any(AREA_STORE));
    assert_false(event_debug_any(AREA_CACHE));
    assert_int_equal(written().n, 0);
    event_thread_context("4bf92f35", "acme");
    ev_debug(AREA_STORE, "seen");
    assert_string_equal(json_string_value(json_object_get(only_line(), "msg")), "seen");
    assert_true(event_debug_on(AREA_QUOTA));
    assert_int_equal(truncate(path, 0), 0);
    clock_fix(clock_now() + 11 * USEC_PER_SEC);
    ev_debug(AREA_QUOTA, "not seen: over");
    assert_string_equal(json_string_value(json_object_get(only_line(), "msg")), "debug lines ended");
    assert_false(event_debug_any(AREA_QUOTA));
    assert_true(event_debug_on(AREA_STORE));
    event_trace_set(NULL, 0);
    assert_false(event_debug_any(AREA_STORE));
}

static void areas_have_names(void **state)
{
    enum event_area a;

    (void)state;
    for (int i = 0; i < AREA_COUNT; i++) {
        assert_true(event_area_parse(slice_of(event_area_name((enum event_area)i)), &a));
        assert_int_equal(a, i);
    }
    assert_false(event_area_parse(SLICE("nonsense"), &a));
    assert_false(event_area_parse(SLICE(""), &a));
}

static void errno_survives(void **state)
{
    (void)state;
    errno = ENOSPC;
    ev_error(AREA_AGENT, "disk full", EV_INT("errno", errno));
    assert_int_equal(errno, ENOSPC);
}

static void *log_much(void *tenant)
{
    event_thread_context(NULL, tenant);
    for (int i = 0; i < 500; i++)
        ev_info(AREA_WORKER, "working", EV_INT("i", i), EV_STR("tenant_again", tenant));
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    struct slice rest;
    int lines = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    rest = written();
    while (rest.n) {
        struct json_error error;
        json_t *v = json_parse(arena, slice_cut(&rest, '\n'), JSON_LIMITS_DEFAULT, &error);

        assert_non_null(v);
        assert_string_equal(json_string_value(json_object_get(v, "tenant")),
                            json_string_value(json_object_get(v, "tenant_again")));
        lines++;
    }
    assert_int_equal(lines, 2000);
}

static void log_nowhere(void *arg)
{
    event_setup(EVENT_INFO, arg);
    ev_info(AREA_SERVER, "still here");
    abort();
}

static void without_its_file_it_stays_on_standard_error(void **state)
{
    char out[4096];

    (void)state;
    assert_true(unit_aborts(log_nowhere, "/none/below/log", out, sizeof(out)));
    assert_non_null(strstr(out, "cannot open the log file"));
    assert_non_null(strstr(out, "still here"));
}

#define EVENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_its_file_it_stays_on_standard_error), /* first: the others leave a file open */
        EVENT_TEST(a_line_has_its_fields_in_order),
        EVENT_TEST(a_line_needs_no_fields),
        EVENT_TEST(foreign_text_cannot_forge_a_line),
        EVENT_TEST(long_values_are_cut_and_stay_json),
        EVENT_TEST(no_more_than_twelve_fields),
        EVENT_TEST(debug_is_switched_by_area),
        EVENT_TEST(debug_for_a_time_and_a_tenant),
        EVENT_TEST(areas_have_names),
        EVENT_TEST(errno_survives),
        EVENT_TEST(threads_do_not_mix_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
