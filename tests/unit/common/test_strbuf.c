/* SPDX-License-Identifier: Apache-2.0 */
/* test_strbuf.c - growing buffers, their ceilings and encodings. */
/* links: common */
#include "unit.h"

#include "common/strbuf.h"
#include <float.h>
#include <math.h>

static void empty_is_an_empty_text(void **state)
{
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 10);
    assert_string_equal(b.p, "");
    strbuf_clear(&b);
    strbuf_add(&b, SLICE_NONE);
    assert_int_equal(strbuf_slice(&b).n, 0);
    strbuf_done(&b);
    strbuf_done(&b);
}

static void pieces_add_up(void **state)
{
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 1000);
    strbuf_add_str(&b, "a");
    strbuf_add_char(&b, '-');
    strbuf_add_u64(&b, UINT64_MAX);
    strbuf_add_char(&b, ' ');
    strbuf_add_i64(&b, INT64_MIN);
    strbuf_add_i64(&b, 0);
    strbuf_add_i64(&b, INT64_MAX);
    strbuf_printf(&b, "%03d", 7);
    assert_string_equal(b.p, "a-18446744073709551615 -922337203685477580809223372036854775807007");
    strbuf_clear(&b);
    assert_string_equal(b.p, "");
    strbuf_done(&b);
}

static void check_growth(struct strbuf *b)
{
    size_t n = 0;

    random_seed(3);
    while (n < 50000) {
        char piece[700];
        size_t len = random_below(sizeof(piece));

        memset(piece, 'a' + (int)(n % 26), len);
        strbuf_add(b, slice_mem(piece, len));
        n += len;
        assert_int_equal(b->n, n);
        assert_int_equal(b->p[n], 0);
    }
    assert_false(b->over);
    strbuf_done(b);
}

static void it_grows_on_the_heap_and_in_an_arena(void **state)
{
    struct arena *a = arena_new(1 << 20);
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 60000);
    check_growth(&b);
    strbuf_init_arena(&b, a, 60000);
    check_growth(&b);
    assert_true(arena_used(a) <= 60001 + 4096); /* no trail of smaller selves but in the first page */
    arena_free(&a);
}

static void the_ceiling_is_exact_and_sticky(void **state)
{
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 5);
    strbuf_add_str(&b, "12345");
    assert_false(b.over);
    strbuf_add_char(&b, '6');
    assert_true(b.over);
    assert_string_equal(b.p, "12345");
    strbuf_clear(&b);
    assert_false(b.over);
    strbuf_add_str(&b, "123");
    strbuf_add_str(&b, "too long");
    strbuf_add_str(&b, "4"); /* would fit, but then the text would have a hole */
    assert_true(b.over);
    assert_string_equal(b.p, "123");
    strbuf_done(&b);
    strbuf_init(&b, 0);
    strbuf_add_char(&b, 'x');
    assert_true(b.over);
    assert_string_equal(b.p, "");
    strbuf_done(&b);
}

static void every_adder_respects_the_ceiling(void **state)
{
    struct strbuf b;

    (void)state;
    for (size_t ceiling = 0; ceiling < 400; ceiling += 7) {
        strbuf_init(&b, ceiling);
        for (int i = 0; i < 20 && !b.over; i++) {
            strbuf_add_u64(&b, random_u64());
            strbuf_add_hex(&b, &b.n, 3);
            strbuf_add_base64url(&b, &b.n, 5);
            strbuf_printf(&b, "%*d", 300 - i, i);
            strbuf_add_double(&b, 0.1 * i);
        }
        assert_true(b.over);
        assert_true(b.n <= ceiling);
        strbuf_done(&b);
    }
}

static void reserved_room_is_written_in_place(void **state)
{
    struct strbuf b;
    char *p;

    (void)state;
    strbuf_init(&b, 300);
    strbuf_add_str(&b, "<");
    p = strbuf_reserve(&b, 299);
    assert_non_null(p);
    memset(p, 'x', 299);
    strbuf_commit(&b, 2);
    assert_string_equal(b.p, "<xx");
    assert_null(strbuf_reserve(&b, 298));
    assert_true(b.over);
    strbuf_done(&b);
}

static void commit_too_much(void *arg)
{
    struct strbuf b;

    (void)arg;
    strbuf_init(&b, 1000);
    strbuf_reserve(&b, 10);
    strbuf_commit(&b, 900);
}

static void committing_more_than_reserved_aborts(void **state)
{
    (void)state;
    assert_true(unit_aborts(commit_too_much, NULL, NULL, 0));
}

/* RFC 4648 section 10, without the padding; and the letters in which base64url differs. */
static void encodings_have_known_answers(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
    };
    struct strbuf b;

    (void)state;
    strbuf_init(&b, 1000);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        strbuf_clear(&b);
        strbuf_add_base64url(&b, pairs[i][0], strlen(pairs[i][0]));
        assert_slice(strbuf_slice(&b), pairs[i][1]);
    }
    strbuf_clear(&b);
    strbuf_add_hex(&b, "\x00\x7f\x80\xff", 4);
    assert_string_equal(b.p, "007f80ff");
    strbuf_done(&b);
}

static void encodings_read_back(void **state)
{
    struct strbuf b;

    (void)state;
    random_seed(4);
    strbuf_init(&b, 1000);
    for (int i = 0; i < 2000; i++) {
        uint8_t in[100];
        uint8_t out[100];
        size_t n = random_below(sizeof(in) + 1);
        size_t back;

        random_bytes(in, n);
        strbuf_clear(&b);
        strbuf_add_base64url(&b, in, n);
        assert_true(slice_unbase64url(strbuf_slice(&b), out, n, &back));
        assert_int_equal(back, n);
        assert_memory_equal(in, out, n);
        strbuf_clear(&b);
        strbuf_add_hex(&b, in, n);
        assert_true(slice_unhex(strbuf_slice(&b), out, n, &back));
        assert_int_equal(back, n);
        assert_memory_equal(in, out, n);
    }
    strbuf_done(&b);
}

static void assert_double(double v, const char *text)
{
    struct strbuf b;

    strbuf_init(&b, 100);
    strbuf_add_double(&b, v);
    if (text)
        assert_slice(strbuf_slice(&b), text);
    double back;
    assert_true(slice_double(strbuf_slice(&b), &back));
    assert_memory_equal(&back, &v, sizeof(v));
    strbuf_done(&b);
}

static void doubles_are_short_and_read_back(void **state)
{
    (void)state;
    assert_double(0.1, "0.1");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double(-0.0, "-0");
    assert_double(100, "100");
    assert_double(1e300, "1e+300");
    assert_double(DBL_MAX, NULL);
    assert_double(DBL_TRUE_MIN, NULL);
    random_seed(5);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = random_u64();
        double v;

        memcpy(&v, &bits, sizeof(v));
        if (isfinite(v))
            assert_double(v, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_an_empty_text),
        cmocka_unit_test(pieces_add_up),
        cmocka_unit_test(it_grows_on_the_heap_and_in_an_arena),
        cmocka_unit_test(the_ceiling_is_exact_and_sticky),
        cmocka_unit_test(every_adder_respects_the_ceiling),
        cmocka_unit_test(reserved_room_is_written_in_place),
        cmocka_unit_test(committing_more_than_reserved_aborts),
        cmocka_unit_test(encodings_have_known_answers),
        cmocka_unit_test(encodings_read_back),
        cmocka_unit_test(doubles_are_short_and_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
