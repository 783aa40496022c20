/* SPDX-License-Identifier: Apache-2.0 */
/* test_must.c - what a failed assertion prints. */
/* links: common */
#include "unit.h"

#include "common/must.h"

static void fail_one(void *arg)
{
    (void)arg;
    must_context("store", "device 7");
    must(1 + 1 == 3);
}

static void the_report_names_the_place_and_the_work(void **state)
{
    char out[4096];

    (void)state;
    assert_true(unit_aborts(fail_one, NULL, out, sizeof(out)));
    assert_non_null(strstr(out, "must failed: 1 + 1 == 3"));
    assert_non_null(strstr(out, "test_must.c:"));
    assert_non_null(strstr(out, "in fail_one"));
    assert_non_null(strstr(out, "stage: store"));
    assert_non_null(strstr(out, "subject: device 7"));
    assert_non_null(strstr(out, "[0x")); /* a backtrace */
}

static void fail_without_context(void *arg)
{
    must_context(NULL, NULL);
    must(arg != NULL);
}

static void no_context_is_fine(void **state)
{
    char out[4096];

    (void)state;
    assert_true(unit_aborts(fail_without_context, NULL, out, sizeof(out)));
    assert_non_null(strstr(out, "stage: -"));
}

static void what_holds_passes(void **state)
{
    int evaluated = 0;

    (void)state;
    must(++evaluated == 1);
    assert_int_equal(evaluated, 1);
}

static void ask_too_much(void *arg)
{
    (void)arg;
    free(must_alloc(SIZE_MAX / 2));
}

static void allocation_is_zeroed_or_aborts(void **state)
{
    unsigned char *p = must_alloc(100);
    char *s = must_strdup("text");

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    p[99] = 1;
    p = must_realloc(p, 200);
    assert_int_equal(p[99], 1);
    p = must_realloc(p, 0);
    assert_non_null(p);
    free(p);
    assert_string_equal(s, "text");
    free(s);
    p = must_alloc(0);
    assert_non_null(p);
    free(p);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__) /* sanitizers report such a request in their own way */
    assert_true(unit_aborts(ask_too_much, NULL, NULL, 0));
#else
    (void)ask_too_much;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_names_the_place_and_the_work),
        cmocka_unit_test(no_context_is_fine),
        cmocka_unit_test(what_holds_passes),
        cmocka_unit_test(allocation_is_zeroed_or_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
