/* SPDX-License-Identifier: Apache-2.0 */
/* test_wake.c - lines out of the wake-up stream: however the bytes are cut, and whatever they are. */
#include "agent/wake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* after the headers that it needs */
#include <cmocka.h>

struct heard {
    int lines;
    int wakes;
    int64_t last;
};

static void hear(void *ctx, const struct wire_wake_line *line)
{
    struct heard *h = ctx;
    h->lines++;
    h->wakes += line->has_wake;
    if (line->has_wake)
        h->last = line->wake;
}

static void test_any_cut(void **state)
{
    (void)state;
    struct slice text =
        SLICE("{\"server_time\":\"2026-11-24T10:00:00Z\"}\n{\"wake\":7}\n\n  \r\nnonsense\n{\"wake\":-1}\n"
              "{\"wake\":8,\"new\":[1]}\r\n{\"wake\":9");
    for (size_t piece = 1; piece <= text.n; piece++) {
        struct wake_lines *l = calloc(1, sizeof(*l));
        struct heard h = {0};
        for (size_t at = 0; at < text.n; at += piece) {
            size_t n = text.n - at < piece ? text.n - at : piece;
            wake_feed(l, (struct slice){text.p + at, n}, hear, &h);
        }
        assert_int_equal(h.lines, 3);
        assert_int_equal(h.wakes, 2);
        assert_int_equal(h.last, 8);
        wake_feed(l, SLICE("}\n"), hear, &h);
        assert_int_equal(h.last, 9);
        free(l);
    }
}

static void test_too_long(void **state)
{
    (void)state;
    struct wake_lines *l = calloc(1, sizeof(*l));
    struct heard h = {0};
    for (int i = 0; i < 100000; i++)
        wake_feed(l, SLICE("{\"x\":"), hear, &h);
    wake_feed(l, SLICE("\n{\"wake\":1}\n"), hear, &h);
    assert_int_equal(h.lines, 1);
    assert_int_equal(h.last, 1);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_cut), cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
