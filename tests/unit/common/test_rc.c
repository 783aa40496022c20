/* SPDX-License-Identifier: Apache-2.0 */
/* test_rc.c - names of results. */
/* links: common */
#include "unit.h"

#include "common/rc.h"

static void names_are_distinct(void **state)
{
    (void)state;
    for (int i = RC_OK; i <= RC_INTERNAL; i++)
        for (int j = RC_OK; j < i; j++)
            assert_string_not_equal(rc_name((enum rc)i), rc_name((enum rc)j));
    assert_string_equal(rc_name(RC_OK), "ok");
    assert_string_equal(rc_name(RC_OVER_QUOTA), "over_quota");
}

static void an_impossible_value_has_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(rc_name((enum rc)99), "unknown");
    assert_string_equal(rc_name((enum rc) - 1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_distinct),
        cmocka_unit_test(an_impossible_value_has_a_name_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
