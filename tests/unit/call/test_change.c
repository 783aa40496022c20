/* SPDX-License-Identifier: Apache-2.0 */
/* test_change.c - what a handler says for the audit: nothing when nothing changed, bounded texts, a bounded number. */
/* links: call common */
#include "call/call.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_changes(void **state)
{
    struct arena *a = arena_new(CALL_ARENA_CEILING);
    struct call c = {.arena = a};
    char before[] = "old";

    (void)state;
    audit_change(&c, "same", SLICE("x"), SLICE("x"));
    audit_change(&c, "none", SLICE_NONE, SLICE_NONE);
    assert_int_equal(c.n_changes, 0);
    audit_change(&c, "name", slice_of(before), SLICE("new"));
    before[0] = 'X'; /* the text was copied */
    assert_true(slice_eq(c.changes[0].before, SLICE("old")));
    assert_true(slice_eq(c.changes[0].after, SLICE("new")));
    audit_change(&c, "emptied", SLICE_NONE, SLICE("")); /* absent is not empty */
    assert_int_equal(c.n_changes, 2);
    assert_null(c.changes[1].before.p);
    assert_non_null(c.changes[1].after.p);
    for (int i = 0; i < 100; i++)
        audit_change(&c, "more", SLICE_NONE, SLICE("y"));
    assert_int_equal(c.n_changes, AUDIT_CHANGES_MAX);
    arena_free(&a);
}

/* Characters count, not bytes, and none is cut in two. */
static void test_long_texts(void **state)
{
    struct arena *a = arena_new(CALL_ARENA_CEILING);
    struct call c = {.arena = a};
    char text[3 * 1500];

    (void)state;
    for (size_t i = 0; i < sizeof text; i += 3)
        memcpy(text + i, "\xe5\xb1\xb1", 3);
    audit_change(&c, "text", SLICE_NONE, slice_mem(text, sizeof text));
    assert_int_equal(c.changes[0].after.n, 3 * AUDIT_CHANGE_CHARS);
    assert_true(slice_utf8(c.changes[0].after));
    audit_change(&c, "text", SLICE_NONE, slice_mem(text, 3 * AUDIT_CHANGE_CHARS));
    assert_int_equal(c.changes[1].after.n, 3 * AUDIT_CHANGE_CHARS);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes), cmocka_unit_test(test_long_texts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
