/* SPDX-License-Identifier: Apache-2.0 */
/* test_cursor.c - cursors come back as they went out, and nothing else is taken for one. */
/* links: domain wire call common */
#include "domain/cursor.h"
#include "unit/common/unit.h"

static struct cursor parsed;

static void round_trip(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct uuid id = uuid_new();
    static const char *const keys[] = {"", "a", "楓-PC-01", "2026-11-24T10:00:00.123456Z", "42"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct slice text = cursor_encode(a, 7, slice_of(keys[i]), id);
        assert_true(cursor_parse(a, text, 7, CURSOR_TEXT, &parsed));
        assert_true(slice_eq(parsed.key, slice_of(keys[i])));
        assert_true(uuid_eq(parsed.id, id));
    }
    arena_free(&a);
}

static void long_keys_are_cut_between_characters(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    char key[1600];
    for (size_t i = 0; i + 3 <= sizeof key; i += 3)
        memcpy(key + i, "楓", 3);
    struct slice text = cursor_encode(a, 1, slice_mem(key, 1599), uuid_new());
    assert_true(text.n <= 1640); /* what the contract allows for a cursor */
    assert_true(cursor_parse(a, text, 1, CURSOR_TEXT, &parsed));
    assert_int_equal(parsed.key.n, 1200);
    arena_free(&a);
}

static void foreign_ones_are_refused(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct slice text = cursor_encode(a, 7, SLICE("x"), uuid_new());
    assert_false(cursor_parse(a, text, 8, CURSOR_TEXT, &parsed)); /* other filters */
    assert_false(cursor_parse(a, text, 7, CURSOR_INT, &parsed));  /* another sort */
    assert_false(cursor_parse(a, text, 7, CURSOR_TIME, &parsed));
    assert_false(cursor_parse(a, SLICE(""), 7, CURSOR_TEXT, &parsed));
    assert_false(cursor_parse(a, SLICE("AAAA"), 7, CURSOR_TEXT, &parsed));
    assert_false(cursor_parse(a, slice_mem(text.p, text.n - 8), 7, CURSOR_TEXT, &parsed) && parsed.key.n > 0);
    assert_false(cursor_parse(a, SLICE("!!!!"), 7, CURSOR_TEXT, &parsed));
    struct slice bad = cursor_encode(a, 7, SLICE("a\x01z"), uuid_new());
    assert_false(cursor_parse(a, bad, 7, CURSOR_TEXT, &parsed));
    struct slice sql = cursor_encode(a, 7, SLICE("1; DROP TABLE device"), uuid_new());
    assert_false(cursor_parse(a, sql, 7, CURSOR_INT, &parsed));
    arena_free(&a);
}

static void fingerprint_ignores_order_and_the_cursor_itself(void **state)
{
    (void)state;
    static const struct route route = {.operation = "device_list"}, other = {.operation = "detection_list"};
    struct call x = {.route = &route, .query = SLICE("search=a&sort=name&limit=5")};
    struct call y = {.route = &route, .query = SLICE("cursor=zzz&sort=name&search=a")};
    struct call z = {.route = &route, .query = SLICE("sort=name&search=b")};
    struct call w = {.route = &other, .query = SLICE("search=a&sort=name")};
    assert_int_equal(cursor_fingerprint(&x), cursor_fingerprint(&y));
    assert_int_not_equal(cursor_fingerprint(&x), cursor_fingerprint(&z));
    assert_int_not_equal(cursor_fingerprint(&x), cursor_fingerprint(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(long_keys_are_cut_between_characters),
        cmocka_unit_test(foreign_ones_are_refused),
        cmocka_unit_test(fingerprint_ignores_order_and_the_cursor_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
