/* SPDX-License-Identifier: Apache-2.0 */
/* test_arena.c - allocation, ceilings, growth and releases of arenas. */
/* links: common */
#include "unit.h"

#include "common/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    struct arena *a = arena_new(1 << 20);
    unsigned char *blocks[300];
    size_t sizes[300];

    (void)state;
    random_seed(1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            sizes[i] = random_below(i % 50 == 0 ? 9000 : 300);
            blocks[i] = arena_alloc(a, sizes[i]);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(blocks[i][k], 0);
            memset(blocks[i], i & 0xFF, sizes[i]);
        }
        for (int i = 0; i < 300; i++)
            for (size_t k = 0; k < sizes[i]; k++)
                assert_int_equal(blocks[i][k], i & 0xFF);
        assert_false(arena_over(a));
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
    arena_free(&a);
    assert_null(a);
    arena_free(&a);
}

static void nothing_is_still_a_pointer(void **state)
{
    struct arena *a = arena_new(100);
    void *p = arena_alloc(a, 0);

    (void)state;
    assert_non_null(p);
    assert_ptr_not_equal(p, arena_alloc(a, 0));
    arena_free(&a);
}

static void the_ceiling_is_exact_and_sticky(void **state)
{
    struct arena *a = arena_new(1000);
    char *p;

    (void)state;
    arena_alloc(a, 400);
    arena_alloc(a, 600);
    assert_false(arena_over(a));
    assert_int_equal(arena_used(a), 1000);
    p = arena_alloc(a, 1);
    assert_true(arena_over(a));
    *p = 'x'; /* valid nevertheless */
    p = arena_alloc(a, 999);
    memset(p, 1, 999);
    assert_true(arena_over(a));
    arena_reset(a);
    assert_false(arena_over(a));
    arena_alloc(a, 1000);
    assert_false(arena_over(a));
    arena_free(&a);
}

static void take_thrice(void *ceiling)
{
    struct arena *a = arena_new(*(size_t *)ceiling);

    for (int i = 0; i < 3; i++)
        arena_alloc(a, *(size_t *)ceiling);
}

static void take_at_once(void *n)
{
    arena_alloc(arena_new(1000), *(size_t *)n);
}

static void take_overflowing(void *n)
{
    arena_alloc_array(arena_new(SIZE_MAX / 8), 16, *(size_t *)n);
}

static void beyond_twice_the_ceiling_it_aborts(void **state)
{
    size_t ceilings[] = {100, 5000, 100000};
    size_t wishes[] = {2001, SIZE_MAX / 2, SIZE_MAX};
    size_t many[] = {SIZE_MAX / 16 + 1, SIZE_MAX};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(unit_aborts(take_thrice, &ceilings[i], NULL, 0));
    for (int i = 0; i < 3; i++)
        assert_true(unit_aborts(take_at_once, &wishes[i], NULL, 0));
    for (int i = 0; i < 2; i++)
        assert_true(unit_aborts(take_overflowing, &many[i], NULL, 0));
}

static void copies_are_nul_ended(void **state)
{
    struct arena *a = arena_new(100000);
    char *long_text = arena_alloc(a, 2000);
    struct slice copy;

    (void)state;
    assert_string_equal(arena_strdup(a, "text"), "text");
    assert_string_equal(arena_cstr(a, SLICE("ab\0cd")), "ab");
    assert_string_equal(arena_cstr(a, SLICE_NONE), "");
    copy = arena_copy(a, SLICE("ab\0cd"));
    assert_int_equal(copy.n, 5);
    assert_memory_equal(copy.p, "ab\0cd", 6);
    assert_string_equal(arena_printf(a, "%d of %s", 7, "many"), "7 of many");
    memset(long_text, 'y', 1999);
    assert_int_equal(strlen(arena_printf(a, "<%s>", long_text)), 2001);
    arena_free(&a);
}

static void growing_keeps_the_bytes_and_zeroes_the_rest(void **state)
{
    struct arena *a = arena_new(1 << 20);
    size_t n = 0;
    unsigned char *p = NULL;

    (void)state;
    random_seed(2);
    for (size_t next = 1; next < 60000; next += 1 + random_below(next)) {
        p = arena_realloc(a, p, n, next);
        for (size_t i = 0; i < next; i++)
            assert_int_equal(p[i], i < n ? 0xAB : 0);
        memset(p, 0xAB, next);
        n = next;
        if (random_below(4) == 0)
            memset(arena_alloc(a, 5), 0xCD, 5);
    }
    assert_ptr_equal(arena_realloc(a, p, n, n), p);
    arena_free(&a);
}

static void the_last_allocation_grows_in_place(void **state)
{
    struct arena *a = arena_new(1000);
    char *p = arena_alloc(a, 10);

    (void)state;
    assert_ptr_equal(arena_realloc(a, p, 10, 500), p);
    assert_int_equal(arena_used(a), 500);
    arena_alloc(a, 1);
    assert_ptr_not_equal(arena_realloc(a, p, 500, 501), p);
    assert_true(arena_over(a)); /* 500 are left behind and count */
    arena_free(&a);
}

static void a_large_one_counts_once_when_it_grows(void **state)
{
    struct arena *a = arena_new(300000);
    char *p = arena_alloc(a, 10000);

    (void)state;
    for (size_t n = 10000; n < 150000; n *= 2) {
        p = arena_realloc(a, p, n, n * 2);
        memset(p, 1, n * 2);
    }
    assert_int_equal(arena_used(a), 160000);
    arena_free(&a);
}

static char order[16];
static size_t order_n;

static void remember(void *letter)
{
    order[order_n++] = *(char *)letter;
}

static void releases_run_in_reverse_order_once(void **state)
{
    struct arena *a = arena_new(10);
    static char letters[] = "abc";

    (void)state;
    order_n = 0;
    for (int i = 0; i < 3; i++)
        arena_defer(a, remember, &letters[i]);
    assert_false(arena_over(a)); /* they do not count */
    arena_reset(a);
    assert_int_equal(order_n, 3);
    assert_memory_equal(order, "cba", 3);
    arena_defer(a, remember, arena_cstr(a, SLICE("z"))); /* may still read the arena */
    arena_free(&a);
    assert_int_equal(order_n, 4);
    assert_int_equal(order[3], 'z');
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__) /* looks at memory after its life */
static void a_wiping_arena_wipes_on_reset(void **state)
{
    struct arena *a = arena_new_wiping(1000);
    char *secret = arena_cstr(a, SLICE("opensesame"));

    (void)state;
    arena_reset(a);
    for (int i = 0; i < 10; i++)
        assert_int_equal(secret[i], 0);
    arena_free(&a);
}
#else
static void a_wiping_arena_wipes_on_reset(void **state)
{
    struct arena *a = arena_new_wiping(100000);
    char *p = arena_alloc(a, 10);

    (void)state;
    p = arena_realloc(a, p, 10, 20000);
    p = arena_realloc(a, p, 20000, 40000);
    p[39999] = 'x';
    arena_reset(a);
    arena_free(&a);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(nothing_is_still_a_pointer),
        cmocka_unit_test(the_ceiling_is_exact_and_sticky),
        cmocka_unit_test(beyond_twice_the_ceiling_it_aborts),
        cmocka_unit_test(copies_are_nul_ended),
        cmocka_unit_test(growing_keeps_the_bytes_and_zeroes_the_rest),
        cmocka_unit_test(the_last_allocation_grows_in_place),
        cmocka_unit_test(a_large_one_counts_once_when_it_grows),
        cmocka_unit_test(releases_run_in_reverse_order_once),
        cmocka_unit_test(a_wiping_arena_wipes_on_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
