/* SPDX-License-Identifier: Apache-2.0 */
/* test_frames.c - the behaviour of HTTP/2 clients, frame by frame: what honest ones do passes, floods end. */
/* links: edge */
#include "edge/frames.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the four above */
#include <cmocka.h>

static uint64_t now_ms, written;

static const char *give(struct frames *f, enum frame_type type, uint8_t flags, uint32_t stream, const void *p, size_t n)
{
    struct frame frame = {.length = (uint32_t)n, .stream = stream, .type = (uint8_t)type, .flags = flags, .payload = p};

    return frames_check(f, &frame, now_ms, written);
}

static struct frames begun(void)
{
    struct frames f = {.noise = 0};

    now_ms = 1000;
    written = 0;
    assert_null(give(&f, FRAME_SETTINGS, 0, 0, "", 0));
    return f;
}

static void cutting(void **state)
{
    static const uint8_t ping[] = {0, 0, 8, 6, 1, 0x80, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8},
                         large[] = {0, 0x40, 1, 0, 0, 0, 0, 0, 1};
    struct frame f;

    (void)state;
    for (size_t n = 0; n < sizeof(ping); n++)
        assert_false(frame_cut(ping, n, &f));
    assert_true(frame_cut(ping, sizeof(ping), &f));
    assert_int_equal(f.length, 8);
    assert_int_equal(f.type, FRAME_PING);
    assert_int_equal(f.flags, 1);
    assert_int_equal(f.stream, 5); /* without the reserved bit */
    assert_ptr_equal(f.payload, ping + 9);
    assert_false(frame_cut(large, sizeof(large), &f));
}

static void beginnings(void **state)
{
    struct frames f = {.noise = 0};

    (void)state;
    assert_non_null(give(&f, FRAME_PING, 0, 0, "12345678", 8));
    memset(&f, 0, sizeof(f));
    assert_non_null(give(&f, FRAME_SETTINGS, FRAME_ACK, 0, "", 0));
    memset(&f, 0, sizeof(f));
    assert_null(give(&f, FRAME_SETTINGS, 0, 0, "", 0));
}

/* Gives a block in pieces of every size; how many fields were counted. */
static unsigned fields_of(const uint8_t *block, size_t n)
{
    unsigned counted = 0;

    for (size_t piece = 1; piece <= n; piece++) {
        struct frames f = begun();

        for (size_t at = 0; at < n; at += piece) {
            size_t m = n - at < piece ? n - at : piece;

            assert_null(give(&f, at ? FRAME_CONTINUATION : FRAME_HEADERS, at + m == n ? FRAME_END_HEADERS : 0, 1,
                             block + at, m));
        }
        if (piece == 1)
            counted = f.block_fields;
        assert_int_equal(f.block_fields, counted);
        assert_int_equal(f.block_stream, 0);
        assert_int_equal(f.block_bytes, n);
    }
    return counted;
}

static void blocks(void **state)
{
    static const uint8_t indexed[] = {0x82, 0x86, 0x84, 0xFF, 0x80, 0x01},
                         literal[] = {0x00, 3, 'a', '-', 'b', 0x81, 0xFF, 0x40, 1, 'x', 1, 'y', 0x41, 0},
                         resized[] = {0x20, 0x3F, 0xE1, 0x1F, 0x82}, never[] = {0x10, 1, 'n', 0, 0x1F, 0x00, 1, 'v'};
    uint8_t lengthy[300] = {0x00, 1, 'n', 0x7F, 0x80, 0x01}; /* a value of 255 bytes */

    (void)state;
    assert_int_equal(fields_of(indexed, sizeof(indexed)), 4);
    assert_int_equal(fields_of(literal, sizeof(literal)), 3);
    assert_int_equal(fields_of(resized, sizeof(resized)), 3);
    assert_int_equal(fields_of(never, sizeof(never)), 2);
    memset(lengthy + 6, 0x82, sizeof(lengthy) - 6); /* 255 of them are the value, 39 are fields */
    for (size_t piece = 60; piece <= 300; piece += 60) {
        struct frames f = begun();

        for (size_t at = 0; at < sizeof(lengthy); at += piece)
            assert_null(give(&f, at ? FRAME_CONTINUATION : FRAME_HEADERS, 0, 1, lengthy + at,
                             sizeof(lengthy) - at < piece ? sizeof(lengthy) - at : piece));
        assert_int_equal(f.block_fields, 40);
    }
}

static void blocks_that_are_too_much(void **state)
{
    static uint8_t p[16384];
    struct frames f = begun();

    (void)state;
    memset(p, 0x82, sizeof(p));
    assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS, 1, p, FRAMES_FIELDS_MAX));
    assert_non_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS, 3, p, FRAMES_FIELDS_MAX + 1));
    /* Nonsense hides nothing. */
    f = begun();
    memset(p, 0xFF, sizeof(p));
    assert_non_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS, 1, p, 1000));
    /* Few fields, many bytes: 64 KiB pass, one more does not. */
    f = begun();
    memcpy(p, "\x00\x01n\x7F\x81\xFF\xFF\x7F", 8);
    for (int i = 0; i < 4; i++)
        assert_null(give(&f, i ? FRAME_CONTINUATION : FRAME_HEADERS, 0, 1, p, sizeof(p)));
    assert_non_null(give(&f, FRAME_CONTINUATION, 0, 1, p, 1));
    /* Many pieces. */
    f = begun();
    assert_null(give(&f, FRAME_HEADERS, 0, 1, "\x82", 1));
    for (int i = 1; i < FRAMES_PIECES_MAX; i++)
        assert_null(give(&f, FRAME_CONTINUATION, 0, 1, "\x82", 1));
    assert_non_null(give(&f, FRAME_CONTINUATION, 0, 1, "\x82", 1));
    /* On another stream. */
    f = begun();
    assert_null(give(&f, FRAME_HEADERS, 0, 1, "\x82", 1));
    assert_non_null(give(&f, FRAME_CONTINUATION, FRAME_END_HEADERS, 3, "\x82", 1));
    /* Padding and priority are no part of the block; damaged padding is the library's. */
    f = begun();
    assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_PADDED | FRAME_PRIORITIZED, 1,
                     "\x02\0\0\0\0\0\x82\x86\xFF\xFF", 10));
    assert_int_equal(f.block_fields, 2);
    assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_PADDED, 3, "\x09\x82", 2));
    assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_PADDED, 5, "", 0));
    assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_PRIORITIZED, 7, "\0\0", 2));
}

static unsigned how_many(enum frame_type type, uint8_t flags, uint32_t stream, const void *p, size_t n)
{
    struct frames f = begun();
    unsigned i = 0;

    while (i < 100000 && !give(&f, type, flags, stream, p, n))
        i++;
    return i;
}

static void floods(void **state)
{
    (void)state;
    assert_int_equal(how_many(FRAME_SETTINGS, 0, 0, "", 0), 1000);
    assert_int_equal(how_many(FRAME_PING, 0, 0, "12345678", 8), 2000);
    assert_int_equal(how_many(FRAME_PRIORITY, 0, 1, "\0\0\0\0\1", 5), 2000);
    assert_int_equal(how_many(FRAME_DATA, 0, 1, "", 0), 1000);
    assert_int_equal(how_many(FRAME_DATA, FRAME_PADDED, 1, "\3\0\0\0", 4), 1000);
    assert_int_equal(how_many(FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4), 10000);
    assert_int_equal(how_many((enum frame_type)0xFA, 0, 0, "", 0), 10000);
    assert_int_equal(how_many(FRAME_WINDOW_UPDATE, 0, 1, "\0\0\0\0", 4), 100);
    assert_int_equal(how_many(FRAME_RST_STREAM, 0, 1, "\0\0\0\1", 4), 100);
    assert_int_equal(how_many(FRAME_DATA, 0, 1, "x", 1), 100000);
    assert_int_equal(how_many(FRAME_DATA, FRAME_END_STREAM, 1, "", 0), 100000);
}

static void honest(void **state)
{
    struct frames f = begun();
    uint32_t stream = 1;

    (void)state;
    /* A large download: a window update for each 8 KiB, of stream and connection. */
    for (int i = 0; i < 100000; i++) {
        written += 8192;
        assert_null(give(&f, FRAME_WINDOW_UPDATE, 0, 0, "\0\0\x20\0", 4));
        assert_null(give(&f, FRAME_WINDOW_UPDATE, 0, 1, "\0\0\x20\0", 4));
    }
    /* A day of pings. */
    for (int i = 0; i < 86400; i++) {
        now_ms += 1000;
        assert_null(give(&f, FRAME_PING, 0, 0, "12345678", 8));
    }
    /* A person who leaves pages early: two of five requests are thrown away. */
    for (int i = 0; i < 100000; i++, stream += 2) {
        now_ms += 100;
        assert_null(give(&f, FRAME_HEADERS, FRAME_END_HEADERS | FRAME_END_STREAM, stream, "\x82\x86\x84", 3));
        if (i % 5 < 2)
            assert_null(give(&f, FRAME_RST_STREAM, 0, stream, "\0\0\0\x08", 4));
    }
    assert_true(f.noise < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutting), cmocka_unit_test(beginnings),
        cmocka_unit_test(blocks),  cmocka_unit_test(blocks_that_are_too_much),
        cmocka_unit_test(floods),  cmocka_unit_test(honest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
