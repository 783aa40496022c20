/* SPDX-License-Identifier: Apache-2.0 */
/* test_args.c - parameters as text: NULLs, escapes of array literals, values that cannot be sent. */
/* links: store call common */
#include "store/db.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *a;
static struct sql_args s;

static int setup(void **state)
{
    (void)state;
    a = arena_new(64 * 1024 * 1024);
    args_init(&s, a);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static void scalars(void **state)
{
    struct uuid u;

    (void)state;
    assert_true(uuid_parse(SLICE("0190a0b0-1111-7222-8333-444455556666"), &u));
    args_slice(&s, SLICE("text"));
    args_slice(&s, SLICE_NONE);
    args_slice(&s, SLICE(""));
    args_str(&s, NULL);
    args_uuid(&s, u);
    args_uuid(&s, (struct uuid){0});
    args_int(&s, INT64_MIN);
    args_bool(&s, false);
    args_time(&s, 0);
    args_time(&s, INT64_C(1764000000123456));
    args_bytes(&s, SLICE("\0\xff"));
    args_bytes(&s, SLICE_NONE);
    args_null(&s);
    assert_int_equal(s.n, 13);
    assert_string_equal(s.value[0], "text");
    assert_null(s.value[1]);
    assert_string_equal(s.value[2], "");
    assert_null(s.value[3]);
    assert_string_equal(s.value[4], "0190a0b0-1111-7222-8333-444455556666");
    assert_null(s.value[5]);
    assert_string_equal(s.value[6], "-9223372036854775808");
    assert_string_equal(s.value[7], "false");
    assert_null(s.value[8]);
    assert_string_equal(s.value[9], "2025-11-24T16:00:00.123456Z");
    assert_string_equal(s.value[10], "\\x00ff");
    assert_null(s.value[11]);
    assert_null(s.value[12]);
}

static void arrays(void **state)
{
    struct sql_array *x = args_array(&s);

    (void)state;
    assert_string_equal(s.value[0], "{}");
    array_slice(x, SLICE("plain"));
    assert_string_equal(s.value[0], "{\"plain\"}");
    array_slice(x, SLICE("a\"b\\c"));
    array_slice(x, SLICE("{,} NULL"));
    array_slice(x, SLICE(""));
    array_null(x);
    array_slice(x, SLICE_NONE);
    array_int(x, -5);
    array_bool(x, true);
    array_time(x, 0);
    array_uuid(x, (struct uuid){0});
    assert_string_equal(s.value[0], "{\"plain\",\"a\\\"b\\\\c\",\"{,} NULL\",\"\",NULL,NULL,-5,t,NULL,NULL}");
    assert_int_equal(s.n, 1);
}

static void two_arrays_grow_together(void **state)
{
    struct sql_array *x = args_array(&s);
    struct sql_array *y = args_array(&s);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        array_int(x, i);
        array_slice(y, SLICE("\\"));
    }
    assert_int_equal(strncmp(s.value[0], "{0,1,2,", 7), 0);
    assert_int_equal(strncmp(s.value[1], "{\"\\\\\",\"\\\\\",", 11), 0);
    assert_string_equal(s.value[0] + strlen(s.value[0]) - 7, ",19999}");
}

static void a_nul_spoils_the_set(void **state)
{
    (void)state;
    args_slice(&s, SLICE("a\0b"));
    args_int(&s, 1);
    assert_true(s.n > SQL_PARAMS_MAX);
}

static void a_nul_in_an_array_spoils_the_set(void **state)
{
    struct sql_array *x = args_array(&s);

    (void)state;
    array_slice(x, SLICE("a\0b"));
    array_slice(x, SLICE("c"));
    assert_true(s.n > SQL_PARAMS_MAX);
}

static void a_great_array_spoils_the_set(void **state)
{
    struct sql_array *x = args_array(&s);
    static char big[1024 * 1024];

    (void)state;
    memset(big, 'x', sizeof(big));
    for (int i = 0; i < 15; i++)
        array_slice(x, slice_mem(big, sizeof(big)));
    assert_int_equal(s.n, 1);
    for (int i = 0; i < 2; i++)
        array_slice(x, slice_mem(big, sizeof(big)));
    assert_true(s.n > SQL_PARAMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scalars, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays, setup, teardown),
        cmocka_unit_test_setup_teardown(two_arrays_grow_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nul_spoils_the_set, setup, teardown),
        cmocka_unit_test_setup_teardown(a_nul_in_an_array_spoils_the_set, setup, teardown),
        cmocka_unit_test_setup_teardown(a_great_array_spoils_the_set, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
