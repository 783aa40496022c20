/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace.c - which traceparent of a client is taken over. */
/* links: call */
#include "call/call.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above */
#include <cmocka.h>

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void good_ones(void **state)
{
    static const char *const good[] = {"00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-00",
                                       "00-" TRACE "-" PARENT "-ff", "cc-" TRACE "-" PARENT "-01",
                                       "cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char id[33] = "";

        if (!traceparent_read(slice_of(good[i]), id))
            fail_msg("refused: %s", good[i]);
        assert_string_equal(id, TRACE);
    }
}

static void bad_ones(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-more",
        "00-" TRACE "-" PARENT "-01 ",
        "cc-" TRACE "-" PARENT "-01.what",
        "ff-" TRACE "-" PARENT "-01",
        "0X-" TRACE "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-" TRACE "-" PARENT "-0G",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "00-0af7651916cd43dd8448eb211c80319\"-" PARENT "-01",
        "00-0af7651916cd43dd8448eb211c80319\n-" PARENT "-01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char id[33] = "kept";

        if (traceparent_read(slice_of(bad[i]), id))
            fail_msg("taken: %s", bad[i]);
        assert_string_equal(id, "kept");
    }
    assert_false(traceparent_read(SLICE_NONE, (char[33]){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_ones), cmocka_unit_test(bad_ones)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
