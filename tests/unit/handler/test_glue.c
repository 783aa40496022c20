/* SPDX-License-Identifier: Apache-2.0 */
/* links: handler call common */
/* test_glue.c - which route an address is, and what is done to a body before a handler sees it. The table here is one
 * of the test, so that no handler is linked. */
#include "../common/unit.h"

#include "common/gzip.h"
#include "handler/glue.h"

#define ROW(l, m, p)                                                                        \
    {                                                                                       \
        .listener = (l), .method = (m), .pattern = (p), .operation = (p), .body_limit = 100 \
    }

const struct route routes[] = {
    ROW(LISTENER_AGENT, "GET", "/agent/v1/modules/{file}"),
    ROW(LISTENER_CONSOLE, "GET", "/things"),
    ROW(LISTENER_CONSOLE, "POST", "/things"),
    ROW(LISTENER_CONSOLE, "POST", "/things/resolve"),
    ROW(LISTENER_CONSOLE, "GET", "/things/{id}"),
    ROW(LISTENER_CONSOLE, "POST", "/things/{id}/parts/{part}"),
};
const size_t routes_count = sizeof(routes) / sizeof(routes[0]);
const struct route_place route_places[] = {
    {&routes[0], 1, "GET"}, {&routes[1], 2, "GET, POST"}, {&routes[3], 1, "POST"},
    {&routes[4], 1, "GET"}, {&routes[5], 1, "POST"},
};
const size_t route_places_count = sizeof(route_places) / sizeof(route_places[0]);

static const struct route *find(enum listener l, const char *method, const char *path, struct slice args[ROUTE_ARGS],
                                const char **allowed)
{
    return route_find(l, slice_of(method), slice_of(path), args, allowed);
}

static void addresses_find_their_rows(void **state)
{
    struct slice args[ROUTE_ARGS];
    const char *allowed;

    (void)state;
    assert_ptr_equal(find(LISTENER_CONSOLE, "GET", "/things", args, &allowed), &routes[1]);
    assert_ptr_equal(find(LISTENER_CONSOLE, "POST", "/things", args, &allowed), &routes[2]);
    assert_ptr_equal(find(LISTENER_CONSOLE, "POST", "/things/resolve", args, &allowed), &routes[3]);
    assert_ptr_equal(find(LISTENER_CONSOLE, "GET", "/things/abc%2F", args, &allowed), &routes[4]);
    assert_slice(args[0], "abc%2F");
    assert_ptr_equal(find(LISTENER_CONSOLE, "POST", "/things/1/parts/2", args, &allowed), &routes[5]);
    assert_slice(args[0], "1");
    assert_slice(args[1], "2");
    assert_ptr_equal(find(LISTENER_AGENT, "GET", "/agent/v1/modules/manifest.json", args, &allowed), &routes[0]);
}

static void other_addresses_find_nothing(void **state)
{
    static const char *const paths[] = {
        "",           "/",      "/thing",           "/things/", "/thingss", "/things/1/parts",    "/things/1/parts/",
        "/things/1/", "things", "/things//parts/2", "//things", "/Things",  "/agent/v1/modules/x"};
    struct slice args[ROUTE_ARGS];
    const char *allowed;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_null(find(LISTENER_CONSOLE, "GET", paths[i], args, &allowed));
        assert_null(allowed);
    }
    assert_null(find(LISTENER_OPS, "GET", "/things", args, &allowed));
}

static void other_methods_are_told_what_is_allowed(void **state)
{
    struct slice args[ROUTE_ARGS];
    const char *allowed;

    (void)state;
    assert_null(find(LISTENER_CONSOLE, "DELETE", "/things", args, &allowed));
    assert_string_equal(allowed, "GET, POST");
    assert_null(find(LISTENER_CONSOLE, "get", "/things", args, &allowed));
    assert_null(find(LISTENER_CONSOLE, "GET", "/things/resolve", args, &allowed));
    assert_string_equal(allowed, "POST");
}

static struct call *call_new(const char *type, const char *encoding, struct slice body)
{
    struct arena *a = arena_new(1u << 20);
    struct call *c = ARENA_NEW(a, struct call);

    c->arena = a;
    c->route = &routes[2];
    c->headers.content_type = slice_of(type);
    c->headers.content_encoding = slice_of(encoding);
    c->body = body.p ? arena_copy(a, body) : body;
    return c;
}

static enum problem body_problem(const char *type, const char *encoding, struct slice body, const char *expected)
{
    struct call *c = call_new(type, encoding, body);
    struct arena *a = c->arena;
    enum problem p = PROBLEM_NONE;
    struct slice text;

    if (glue_body(c, &text) == RC_OK)
        assert_slice(text, expected);
    else
        p = c->fault.problem;
    arena_free(&a);
    return p;
}

static void bodies_are_json_plain_or_gzip(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct slice zeros = slice_mem(arena_alloc(a, 101), 101), packed = gzip_deflate(a, SLICE("{\"a\":1}"));

    (void)state;
    assert_int_equal(body_problem("application/json", "", SLICE("{}"), "{}"), PROBLEM_NONE);
    assert_int_equal(body_problem("Application/JSON ; charset=utf-8", "identity", SLICE("{}"), "{}"), PROBLEM_NONE);
    assert_int_equal(body_problem("application/json", "GZIP", packed, "{\"a\":1}"), PROBLEM_NONE);
    assert_int_equal(body_problem("", "", SLICE("{}"), ""), PROBLEM_media_type_unsupported);
    assert_int_equal(body_problem("text/plain", "", SLICE("{}"), ""), PROBLEM_media_type_unsupported);
    assert_int_equal(body_problem("application/jsonx", "", SLICE("{}"), ""), PROBLEM_media_type_unsupported);
    assert_int_equal(body_problem("application/json", "br", SLICE("{}"), ""), PROBLEM_encoding_unsupported);
    assert_int_equal(body_problem("application/json", "gzip, gzip", packed, ""), PROBLEM_encoding_unsupported);
    assert_int_equal(body_problem("application/json", "gzip", SLICE("{}"), ""), PROBLEM_gzip_malformed);
    assert_int_equal(body_problem("application/json", "gzip", slice_mem(packed.p, packed.n - 1), ""),
                     PROBLEM_gzip_malformed);
    assert_int_equal(body_problem("application/json", "gzip", gzip_deflate(a, zeros), ""), PROBLEM_body_too_large);
    arena_free(&a);
}

static void a_route_without_filters_refuses_them(void **state)
{
    struct call *c = call_new("", "", SLICE_NONE);
    struct arena *a = c->arena;

    (void)state;
    assert_int_equal(glue_no_request(c), RC_OK);
    c->query = SLICE("sort=name");
    assert_int_equal(glue_no_request(c), RC_INVALID);
    assert_int_equal(c->fault.problem, PROBLEM_query_unknown);
    assert_string_equal(c->fault.field, "sort");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_find_their_rows),
        cmocka_unit_test(other_addresses_find_nothing),
        cmocka_unit_test(other_methods_are_told_what_is_allowed),
        cmocka_unit_test(bodies_are_json_plain_or_gzip),
        cmocka_unit_test(a_route_without_filters_refuses_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
