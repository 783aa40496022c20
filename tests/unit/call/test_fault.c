/* SPDX-License-Identifier: Apache-2.0 */
/* test_fault.c - refusals: the first one wins, texts in both languages, problem+json with its arguments, permissions.
 */
/* links: call */
#include "call/call.h"
#include "call/make_principal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>

static struct arena *arena;

static struct call *call_new(void)
{
    struct call *c = ARENA_NEW(arena, struct call);

    c->arena = arena;
    strbuf_init_arena(&c->answer.body, arena, 65536);
    memcpy(c->trace_id, "0123456789abcdef0123456789abcdef", 33);
    return c;
}

static const char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    assert_non_null(s);
    return s;
}

static json_t *answer_of(struct call *c)
{
    struct json_error error;
    json_t *o = json_parse(arena, strbuf_slice(&c->answer.body), JSON_LIMITS_DEFAULT, &error);

    assert_non_null(o);
    assert_string_equal(c->answer.content_type, "application/problem+json");
    return o;
}

static const char *header(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->answer.n_headers; i++)
        if (strcmp(c->answer.headers[i].name, name) == 0)
            return arena_cstr(arena, c->answer.headers[i].value);
    return NULL;
}

static void first_fault_wins(void **state)
{
    struct call *c = call_new();
    json_t *o;

    (void)state;
    assert_int_equal(fault_field(c, PROBLEM_field_value, "sort", "name, last_seen"), RC_INVALID);
    assert_int_equal(fault(c, RC_DENIED, PROBLEM_permission_denied), RC_DENIED);
    answer_problem(c, RC_DENIED);
    o = answer_of(c);
    assert_int_equal(c->answer.status, 422);
    assert_string_equal(text_of(o, "code"), "field_value");
    assert_string_equal(text_of(o, "field"), "sort");
    assert_int_equal(json_array_size(json_object_get(o, "allowed")), 2);
    assert_string_equal(text_of(o, "trace_id"), c->trace_id);
    assert_non_null(strstr(text_of(o, "title"), "sort"));
}

static void limits_and_waits(void **state)
{
    struct call *c = call_new();
    json_t *o;

    (void)state;
    c->fault.has_limit = c->fault.has_used = true;
    c->fault.limit = 60;
    c->fault.used = 61;
    c->fault.retry_after = 7;
    c->fault.until = 1764000000 * USEC_PER_SEC;
    c->japanese = true;
    answer_problem(c, fault(c, RC_OVER_QUOTA, PROBLEM_rate_limited));
    o = answer_of(c);
    assert_int_equal(c->answer.status, 429);
    assert_string_equal(header(c, "retry-after"), "7");
    assert_string_equal(header(c, "ratelimit"), "\"default\";r=0;t=7");
    assert_int_equal(json_integer_value(json_object_get(o, "limit")), 60);
    assert_int_equal(json_integer_value(json_object_get(o, "used")), 61);
    assert_string_equal(text_of(o, "resets_at"), "2025-11-24T16:00:00Z");
    assert_non_null(strstr(text_of(o, "title"), "7 秒後"));
}

static void busy_always_says_when(void **state)
{
    struct call *c = call_new();

    (void)state;
    answer_problem(c, RC_UNAVAILABLE);
    assert_int_equal(c->answer.status, 503);
    assert_non_null(header(c, "retry-after"));
    assert_null(strchr(header(c, "retry-after"), '0'));
}

static void every_text_is_whole(void **state)
{
    struct fault f = {0};

    (void)state;
    for (int p = PROBLEM_NONE + 1; problem_by_code(problem_texts[p].code) == (enum problem)p; p++) {
        assert_in_range(problem_texts[p].status, 400, 599);
        for (int japanese = 0; japanese < 2; japanese++) {
            struct slice s = fault_text(arena, &f, (enum problem)p, japanese);
            size_t at;

            assert_true(s.n > 0 && slice_utf8(s));
            assert_false(slice_find(s, '{', &at));
        }
        if (p == PROBLEM_internal)
            break;
    }
}

static void compression(void **state)
{
    struct call *c = call_new();

    (void)state;
    for (int i = 0; i < 500; i++)
        strbuf_add_str(&c->answer.body, "0123456789");
    c->answer.content_type = "application/json";
    answer_compress(c); /* not accepted */
    assert_int_equal(c->answer.body.n, 5000);
    c->headers.accept_encoding = SLICE("br, gzip;q=0.8");
    answer_compress(c);
    assert_true(c->answer.body.n < 500);
    assert_string_equal(header(c, "content-encoding"), "gzip");
    assert_false(accepts_encoding(SLICE("gzip;q=0"), SLICE("gzip")));
    assert_false(accepts_encoding(SLICE("identity"), SLICE("gzip")));
    assert_true(accepts_encoding(SLICE("*"), SLICE("gzip")));
    assert_false(accepts_encoding(SLICE("*, gzip;q=0"), SLICE("gzip")));
}

static void permissions(void **state)
{
    rights r = rights_allow(FUNCTIONALITY_devices, ACCESS_USE) | rights_allow(FUNCTIONALITY_tasks, ACCESS_WRITE);
    rights no = rights_deny(FUNCTIONALITY_tasks, ACCESS_USE);
    const char *names[FUNCTIONALITY_COUNT * 3];
    struct uuid id = uuid_new();
    struct access access = {.may = r};
    const struct principal *p = principal_user(arena, 3, id, id, SLICE("ann"), &access, false, 1);

    (void)state;
    assert_true(r & rights_named("devices.read"));
    assert_true(r & rights_named("devices.use"));
    assert_false(r & rights_named("devices.write"));
    assert_true(r & rights_named("tasks.write"));
    assert_false(r & rights_named("detections.read"));
    assert_int_equal(rights_names(r, names), 5);
    assert_int_equal(rights_names(RIGHTS_ALL, names), FUNCTIONALITY_COUNT * 3);
    assert_int_equal(rights_level(ACCESS_WRITE), RIGHTS_ALL);
    assert_int_equal(rights_most(r, FUNCTIONALITY_devices), ACCESS_USE);
    assert_int_equal(rights_most(r, FUNCTIONALITY_audit), ACCESS_NONE);
    assert_int_equal(rights_least(no, FUNCTIONALITY_tasks), ACCESS_USE);
    assert_int_equal(rights_least(no, FUNCTIONALITY_devices), ACCESS_NONE);
    assert_int_equal(rights_most(r & ~no, FUNCTIONALITY_tasks), ACCESS_READ);
    assert_int_equal(rights_deny(FUNCTIONALITY_tasks, ACCESS_NONE), 0);
    assert_true(principal_may(p, "tasks.use"));
    assert_false(principal_may(p, "enrolment.read"));
    assert_false(principal_may(principal_anonymous(arena), "devices.read"));
    assert_false(principal_may(principal_device(arena, 3, id, 1), "devices.read"));
    assert_true(principal_may(principal_service(arena, 3), "devices.write"));
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new((size_t)1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_fault_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_and_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(busy_always_says_when, setup, teardown),
        cmocka_unit_test_setup_teardown(every_text_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(compression, setup, teardown),
        cmocka_unit_test_setup_teardown(permissions, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
