/* SPDX-License-Identifier: Apache-2.0 */
/* test_split.c - statements of a migration: quotes, comments, dollar quotes, placeholders, and files that do not end.
 */
/* links: provision common */
#include "common/file.h"
#include "provision/split.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(const char *text, const char *const *want, size_t n_want)
{
    struct arena *a = arena_new(1024 * 1024);
    struct slice *got = NULL;
    size_t n = 0;
    int line;

    assert_int_equal(split_statements(a, slice_of(text), &got, &n, &line), RC_OK);
    assert_int_equal(n, n_want);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(arena_cstr(a, got[i]), want[i]);
    arena_free(&a);
}

#define EXPECT(text, ...) \
    expect(text, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void simple(void **state)
{
    (void)state;
    expect("", NULL, 0);
    expect(" \n ; ;;\n-- nothing; here\n", NULL, 0);
    EXPECT("SELECT 1;", "SELECT 1");
    EXPECT("SELECT 1; SELECT\n 2 ;\n", "SELECT 1", "SELECT\n 2");
}

static void quotes(void **state)
{
    (void)state;
    EXPECT("SELECT ';', 'it''s; --', \"a;b\"; SELECT 2;", "SELECT ';', 'it''s; --', \"a;b\"", "SELECT 2");
    EXPECT("DO $$ a; b $$; SELECT $x$ ; $$ ; $x$;", "DO $$ a; b $$", "SELECT $x$ ; $$ ; $x$");
    EXPECT("SELECT $1; SELECT a$b;", "SELECT $1", "SELECT a$b");
}

static void comments(void **state)
{
    (void)state;
    EXPECT("-- `;` ends a statement; really\nSELECT 1 -- one; more\n, 2;", "SELECT 1 \n, 2");
    EXPECT("/* a; /* nested; */ b; */ SELECT 1;", "SELECT 1");
    EXPECT("SELECT '-- no comment', 'nor /* this';", "SELECT '-- no comment', 'nor /* this'");
}

static void unfinished(void **state)
{
    static const struct {
        const char *text;
        int line;
    } cases[] = {{"SELECT 1", 1},
                 {"SELECT 1;\nSELECT 'x\n;", 2},
                 {"\n\n/* x", 3},
                 {"SELECT 1;\nDO $a$ ; $b$;", 2},
                 {"SELECT 1;\n\nSELECT \"x;", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena *a = arena_new(1024 * 1024);
        struct slice *got;
        size_t n;
        int line = 0;

        assert_int_equal(split_statements(a, slice_of(cases[i].text), &got, &n, &line), RC_INVALID);
        assert_int_equal(line, cases[i].line);
        arena_free(&a);
    }
}

static void places(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    const char *out;

    (void)state;
    assert_int_equal(split_place(a, SLICE("GRANT USAGE ON SCHEMA {t} TO {r}; '{1,38}' {x} {t"), 17, &out), RC_OK);
    assert_string_equal(out, "GRANT USAGE ON SCHEMA t_17 TO t_17; '{1,38}' {x} {t");
    assert_int_equal(split_place(a, SLICE("SELECT {t}"), 0, &out), RC_INVALID);
    assert_int_equal(split_place(a, SLICE("SELECT '{1,38}'"), 0, &out), RC_OK);
    arena_free(&a);
}

static void our_own_files(void **state)
{
    static const char *const files[] = {SEKISHO_SOURCE "/migrations/control/0001-create-control.sql",
                                        SEKISHO_SOURCE "/migrations/tenant/0001-create-tenant.sql"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct arena *a = arena_new(4 * 1024 * 1024);
        struct slice text, *got;
        size_t n;
        int line;

        assert_int_equal(file_read(a, files[i], 1024 * 1024, &text), RC_OK);
        assert_int_equal(split_statements(a, text, &got, &n, &line), RC_OK);
        assert_true(n > 10);
        for (size_t k = 0; k < n; k++)
            assert_true(slice_starts(got[k], SLICE("CREATE ")) || slice_starts(got[k], SLICE("GRANT ")) ||
                        slice_starts(got[k], SLICE("INSERT ")));
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple),     cmocka_unit_test(quotes), cmocka_unit_test(comments),
        cmocka_unit_test(unfinished), cmocka_unit_test(places), cmocka_unit_test(our_own_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
