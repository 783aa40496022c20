/* SPDX-License-Identifier: Apache-2.0 */
/* test_pgtext.c - PostgreSQL's text forms: times, bytes, arrays, and what does not fit them; meanings of SQLSTATEs. */
/* links: store call common */
#include "store/pg.h"
#include "store/pgtext.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void times(void **state)
{
    (void)state;
    assert_int_equal(pgtext_time(SLICE("2025-11-24 16:00:00.123456+00")), INT64_C(1764000000123456));
    assert_int_equal(pgtext_time(SLICE("2025-11-24 16:00:00+00")), INT64_C(1764000000000000));
    assert_int_equal(pgtext_time(SLICE("2025-11-25 01:00:00+09")), INT64_C(1764000000000000));
    assert_int_equal(pgtext_time(SLICE("infinity")), 0);
    assert_int_equal(pgtext_time(SLICE("")), 0);
    assert_int_equal(pgtext_time(SLICE("2025-11-24T16:00:00+00")), 0);
    assert_int_equal(pgtext_time(SLICE("20000-11-24 16:00:00+00 BC and much more than that")), 0);
}

static void bytes(void **state)
{
    struct arena *a = arena_new(65536);
    struct slice got = pgtext_bytes(a, SLICE("\\x00ff7a"));

    (void)state;
    assert_int_equal(got.n, 3);
    assert_memory_equal(got.p, "\0\xffz", 3);
    got = pgtext_bytes(a, SLICE("\\x"));
    assert_true(got.p != NULL && got.n == 0);
    assert_null(pgtext_bytes(a, SLICE("\\xf")).p);
    assert_null(pgtext_bytes(a, SLICE("\\xzz")).p);
    assert_null(pgtext_bytes(a, SLICE("")).p);
    arena_free(&a);
}

static void arrays(void **state)
{
    struct arena *a = arena_new(65536);
    struct slice *items;

    (void)state;
    assert_int_equal(pgtext_array(a, SLICE("{a,\"b c\",NULL,\"NULL\",\"x\\\"y\\\\z\",\"\",\"{,}\"}"), &items), 7);
    assert_true(slice_eq(items[0], SLICE("a")));
    assert_true(slice_eq(items[1], SLICE("b c")));
    assert_null(items[2].p);
    assert_true(slice_eq(items[3], SLICE("NULL")));
    assert_true(slice_eq(items[4], SLICE("x\"y\\z")));
    assert_true(items[5].p != NULL && items[5].n == 0);
    assert_true(slice_eq(items[6], SLICE("{,}")));
    assert_int_equal(pgtext_array(a, SLICE("{}"), &items), 0);
    arena_free(&a);
}

static void broken_arrays(void **state)
{
    static const char *const broken[] = {"",      "{",       "}",     "{a",       "a}",
                                         "{\"a}", "{\"a\\}", "{a}b}", "{\"a\"b}", "[0:1]={a,b}"};
    struct arena *a = arena_new(65536);
    struct slice *items;

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(pgtext_array(a, slice_of(broken[i]), &items), 0);
    arena_free(&a);
}

static void sqlstates(void **state)
{
    (void)state;
    assert_int_equal(pg_rc("40001"), RC_CONFLICT);
    assert_int_equal(pg_rc("40P01"), RC_CONFLICT);
    assert_int_equal(pg_rc("23505"), RC_CONFLICT);
    assert_int_equal(pg_rc("23514"), RC_INVALID);
    assert_int_equal(pg_rc("22021"), RC_INVALID);
    assert_int_equal(pg_rc("55P03"), RC_UNAVAILABLE);
    assert_int_equal(pg_rc("57014"), RC_UNAVAILABLE);
    assert_int_equal(pg_rc("57P01"), RC_UNAVAILABLE);
    assert_int_equal(pg_rc("53300"), RC_UNAVAILABLE);
    assert_int_equal(pg_rc("42501"), RC_INTERNAL);
    assert_int_equal(pg_rc(""), RC_INTERNAL);
    assert_true(pg_sqlstate_lost("57P01"));
    assert_true(pg_sqlstate_lost("25006"));
    assert_false(pg_sqlstate_lost("57014"));
    assert_false(pg_sqlstate_lost("23505"));
}

static void connection_strings(void **state)
{
    struct pg_names n;

    (void)state;
    assert_int_equal(pg_names("host=/x user=u dbname=d password=p", &n), RC_OK);
    assert_string_equal(n.user, "u");
    assert_string_equal(n.database, "d");
    assert_string_equal(n.password, "p");
    assert_int_equal(pg_names("postgresql://me@db.example/cell", &n), RC_OK);
    assert_string_equal(n.user, "me");
    assert_string_equal(n.password, "");
    assert_int_equal(pg_names("no connection string", &n), RC_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),         cmocka_unit_test(bytes),     cmocka_unit_test(arrays),
        cmocka_unit_test(broken_arrays), cmocka_unit_test(sqlstates), cmocka_unit_test(connection_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
