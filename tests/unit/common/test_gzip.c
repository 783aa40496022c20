/* SPDX-License-Identifier: Apache-2.0 */
/* test_gzip.c - packing, damage and bombs. */
/* links: common */
#include "unit.h"

#include "common/gzip.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 26);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static enum rc inflate_into(struct slice in, size_t ceiling)
{
    struct slice ignored;

    return gzip_inflate(arena, in, ceiling, &ignored);
}

static void what_is_packed_comes_out(void **state)
{
    (void)state;
    random_seed(14);
    for (int i = 0; i < 300; i++) {
        size_t n = random_below(i < 290 ? 3000 : 300000);
        char *in = arena_alloc(arena, n);
        struct slice packed;
        struct slice back;

        for (size_t k = 0; k < n; k++)
            in[k] = (char)random_below(i % 2 ? 256 : 4);
        packed = gzip_deflate(arena, slice_mem(in, n));
        assert_int_equal(gzip_inflate(arena, packed, n, &back), RC_OK);
        assert_true(slice_eq(back, slice_mem(in, n)));
        if (n)
            assert_int_equal(inflate_into(packed, n - 1), RC_OVER_QUOTA);
        arena_reset(arena);
    }
}

/* `printf 'hello\n' | gzip -n` */
static void a_foreign_member_is_read(void **state)
{
    static const unsigned char member[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                           0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
                                           0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00};
    struct slice back;

    (void)state;
    assert_int_equal(gzip_inflate(arena, slice_mem(member, sizeof(member)), 6, &back), RC_OK);
    assert_slice(back, "hello\n");
}

static void nothing_packs_too(void **state)
{
    struct slice packed = gzip_deflate(arena, SLICE_NONE);
    struct slice back = SLICE("x");

    (void)state;
    assert_int_equal(gzip_inflate(arena, packed, 0, &back), RC_OK);
    assert_int_equal(back.n, 0);
}

static void equal_input_packs_equally(void **state)
{
    struct slice a = gzip_deflate(arena, SLICE("the same, at any time"));

    (void)state;
    assert_true(slice_eq(a, gzip_deflate(arena, SLICE("the same, at any time"))));
}

static void damage_is_found(void **state)
{
    static const char text[] = "a text of some length, a text of some length, and more";
    struct slice packed = gzip_deflate(arena, slice_of(text));
    char *copy = arena_alloc(arena, packed.n + 1);

    (void)state;
    for (size_t n = 0; n < packed.n; n++) /* cut at each place */
        assert_int_not_equal(inflate_into(slice_mem(packed.p, n), 1000), RC_OK);
    for (size_t at = 0; at < packed.n; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct slice back;

            memcpy(copy, packed.p, packed.n);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            if (gzip_inflate(arena, slice_mem(copy, packed.n), 1000, &back) == RC_OK)
                assert_slice(back, text); /* time and system of the head, padding bits: nothing that matters */
        }
    memcpy(copy, packed.p, packed.n);
    copy[packed.n] = 0;
    assert_int_equal(inflate_into(slice_mem(copy, packed.n + 1), 1000), RC_INVALID); /* something behind */
}

static void a_second_member_is_refused(void **state)
{
    struct slice packed = gzip_deflate(arena, SLICE("once"));
    char *twice = arena_alloc(arena, packed.n * 2);

    (void)state;
    memcpy(twice, packed.p, packed.n);
    memcpy(twice + packed.n, packed.p, packed.n);
    assert_int_equal(inflate_into(slice_mem(twice, packed.n * 2), 1000), RC_INVALID);
}

static void a_bomb_is_refused_cheaply(void **state)
{
    size_t n = 32 << 20;
    char *zeros = arena_alloc(arena, n);
    struct slice bomb = gzip_deflate(arena, slice_mem(zeros, n));
    struct arena *small = arena_new(256 * 1024 + 1);
    char *lying = arena_alloc(arena, bomb.n);
    struct slice out;

    (void)state;
    assert_true(bomb.n < 200000);
    assert_int_equal(gzip_inflate(small, bomb, 256 * 1024, &out), RC_OVER_QUOTA);
    assert_int_equal(arena_used(small), 0);
    memcpy(lying, bomb.p, bomb.n);
    memset(lying + bomb.n - 4, 0, 4); /* says it is empty */
    assert_int_equal(gzip_inflate(small, slice_mem(lying, bomb.n), 256 * 1024, &out), RC_INVALID);
    memset(lying + bomb.n - 4, 0xFF, 4); /* says it is 4 GiB */
    assert_int_equal(gzip_inflate(small, slice_mem(lying, bomb.n), 256 * 1024, &out), RC_OVER_QUOTA);
    assert_false(arena_over(small));
    arena_free(&small);
}

static void a_small_lie_takes_no_memory(void **state)
{
    struct slice packed = gzip_deflate(arena, SLICE("short"));
    char *lying = arena_alloc(arena, packed.n);
    size_t before;

    (void)state;
    memcpy(lying, packed.p, packed.n);
    lying[packed.n - 2] = 0x10; /* 1 MiB out of 25 bytes */
    before = arena_used(arena);
    assert_int_equal(inflate_into(slice_mem(lying, packed.n), 1 << 24), RC_INVALID);
    assert_int_equal(arena_used(arena), before);
}

static void noise_never_crashes(void **state)
{
    (void)state;
    random_seed(15);
    for (int i = 0; i < 20000; i++) {
        unsigned char noise[100];
        size_t n = random_below(sizeof(noise));

        random_bytes(noise, sizeof(noise));
        memcpy(noise, "\x1f\x8b\x08\x00", 4);
        assert_int_not_equal(inflate_into(slice_mem(noise, n), 5000), RC_OK);
        arena_reset(arena);
    }
}

#define GZIP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GZIP_TEST(what_is_packed_comes_out),  GZIP_TEST(a_foreign_member_is_read),
        GZIP_TEST(nothing_packs_too),         GZIP_TEST(equal_input_packs_equally),
        GZIP_TEST(damage_is_found),           GZIP_TEST(a_second_member_is_refused),
        GZIP_TEST(a_bomb_is_refused_cheaply), GZIP_TEST(a_small_lie_takes_no_memory),
        GZIP_TEST(noise_never_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
