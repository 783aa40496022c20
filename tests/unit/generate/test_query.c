/* SPDX-License-Identifier: Apache-2.0 */
/* links: fixture common */
/* test_query.c - query strings and path arguments into request structs. */
#include "../common/unit.h"

#include "things.gen.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct things_list_request good(const char *query)
{
    struct things_list_request r = {0};
    struct decode_error e = {0};

    if (decode_query(arena, &things_list_query_desc, slice_of(query), &r, &e) != RC_OK)
        fail_msg("%s: %s %s", query, e.code, e.field);
    return r;
}

static void bad(const char *query, const char *code, const char *field, const char *allowed)
{
    struct things_list_request r = {0};
    struct decode_error e = {0};

    if (decode_query(arena, &things_list_query_desc, slice_of(query), &r, &e) != RC_INVALID)
        fail_msg("accepted: %s", query);
    if (strcmp(e.code, code) != 0 || strcmp(e.field, field) != 0 || strcmp(e.allowed, allowed) != 0)
        fail_msg("%s: got %s [%s] (%s)", query, e.code, e.field, e.allowed);
}

static void all_kinds_arrive(void **state)
{
    struct things_list_request r =
        good("owner=018f3c4e-7d2a-7abc-8def-0123456789ab&colour=red&broken=true&search=%E9%96%A2+a"
             "&since=2026-11-24T10%3A00%3A00%2B09%3A00&weight=-2.5e1&most=-5&kind=large&sort=name&limit=200");

    (void)state;
    assert_false(uuid_is_nil(r.owner));
    assert_true(r.has_colour && r.colour == THINGS_COLOUR_RED);
    assert_true(r.has_broken && r.broken);
    assert_slice(r.search, "関 a");
    assert_int_equal(r.since, INT64_C(1795482000000000));
    assert_true(r.has_weight && r.weight == -25.0);
    assert_true(r.has_most && r.most == -5);
    assert_int_equal(r.kind, THINGS_LIST_KIND_LARGE);
    assert_int_equal(r.sort, THINGS_LIST_SORT_NAME);
    assert_int_equal(r.limit, 200);
}

static void absent_ones_have_their_defaults(void **state)
{
    struct things_list_request r = good("&kind=small&&");

    (void)state;
    assert_true(uuid_is_nil(r.owner));
    assert_false(r.has_colour || r.has_broken || r.has_weight || r.has_most);
    assert_null(r.search.p);
    assert_int_equal(r.since, 0);
    assert_int_equal(r.sort, THINGS_LIST_SORT_AGE);
    assert_int_equal(r.limit, 50);
}

static void wrong_ones_are_named(void **state)
{
    (void)state;
    bad("", "field_missing", "kind", "");
    bad("kind=small&colours=red", "query_unknown", "colours", "");
    bad("kind=small&Colour=red", "query_unknown", "Colour", "");
    bad("kind=small&%00=1", "query_unknown", "", "");
    bad("kind=small&%zz=1", "query_unknown", "", "");
    bad("kind=small&limit=1&limit=1", "field_value", "limit", "one value");
    bad("kind=small&colour=&colour=red", "field_value", "colour", "red, deep-blue, on");
    bad("kind=small&limit=0", "field_range", "limit", "1 to 200");
    bad("kind=small&limit=201", "field_range", "limit", "1 to 200");
    bad("kind=small&limit=%2B1", "field_type", "limit", "integer");
    bad("kind=small&limit=1.0", "field_type", "limit", "integer");
    bad("kind=small&limit=99999999999999999999", "field_type", "limit", "integer");
    bad("kind=small&limit", "field_type", "limit", "integer");
    bad("kind=small&weight=nan", "field_type", "weight", "number");
    bad("kind=small&broken=1", "field_type", "broken", "true, false");
    bad("kind=small&owner=x", "field_format", "owner", "uuid");
    bad("kind=small&since=2026", "field_format", "since", "date-time");
    bad("kind=small&search=", "field_length", "search", "1 to 5");
    bad("kind=small&search=abcdef", "field_length", "search", "1 to 5");
    bad("kind=small&search=%00", "field_format", "search", "text without control characters");
    bad("kind=small&search=%ff", "field_format", "search", "text without control characters");
    bad("kind=small&search=%4", "field_format", "search", "percent-encoded text");
    bad("kind=small&search=%4g", "field_format", "search", "percent-encoded text");
    bad("kind=tiny", "field_value", "kind", "small, large");
    bad("kind=small&cursor=%", "query_unknown", "cursor", "");
}

static enum rc path(const char *owner, const char *name, struct things_replace_request *r)
{
    struct slice args[2] = {slice_of(owner), slice_of(name)};

    *r = (struct things_replace_request){0};
    return decode_path(arena, &things_replace_path_desc, args, r);
}

static void what_cannot_be_an_id_names_nothing(void **state)
{
    const char *id = "018f3c4e-7d2a-7abc-8def-0123456789ab";
    struct things_replace_request r;

    (void)state;
    assert_int_equal(path(id, "%E9%96%A2+", &r), RC_OK);
    assert_slice(r.thing_name, "関+"); /* a plus is a plus in a path */
    assert_int_equal(path("018f3c4e", "a", &r), RC_NOT_FOUND);
    assert_int_equal(path(id, "abcdef", &r), RC_NOT_FOUND);
    assert_int_equal(path(id, "%", &r), RC_NOT_FOUND);
    assert_int_equal(path(id, "%00", &r), RC_NOT_FOUND);
    assert_int_equal(path(id, "a%2fb", &r), RC_OK);
    assert_slice(r.thing_name, "a/b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_kinds_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_ones_have_their_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_ones_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_an_id_names_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
