/* SPDX-License-Identifier: Apache-2.0 */
/* test_slice.c - comparing, cutting, numbers and UTF-8. */
/* links: common */
#include "unit.h"

#include "common/slice.h"
#include "common/strbuf.h"
#include <float.h>
#include <limits.h>
#include <locale.h>

static void comparing(void **state)
{
    (void)state;
    assert_true(slice_eq(SLICE_NONE, SLICE("")));
    assert_true(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
    assert_true(slice_ieq(SLICE("Content-Type"), SLICE("content-tYPE")));
    assert_false(slice_ieq(SLICE("a["), SLICE("A{")));             /* 32 apart, not letters */
    assert_false(slice_ieq(SLICE("\xc3\x84"), SLICE("\xc3\xa4"))); /* ASCII only */
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_true(slice_starts(SLICE("abc"), SLICE_NONE));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
    assert_true(slice_ends(SLICE("abc"), SLICE("bc")));
    assert_true(slice_ends(SLICE_NONE, SLICE_NONE));
    assert_false(slice_ends(SLICE("c"), SLICE("bc")));
    assert_true(slice_cmp(SLICE("a"), SLICE("b")) < 0);
    assert_true(slice_cmp(SLICE("a"), SLICE("a\0")) < 0);
    assert_true(slice_cmp(SLICE("\x80"), SLICE("\x7f")) > 0);
    assert_int_equal(slice_cmp(SLICE_NONE, SLICE("")), 0);
}

static void cutting(void **state)
{
    struct slice rest = SLICE("a,,b");
    size_t at;

    (void)state;
    assert_slice(slice_cut(&rest, ','), "a");
    assert_slice(slice_cut(&rest, ','), "");
    assert_slice(slice_cut(&rest, ','), "b");
    assert_int_equal(rest.n, 0);
    assert_slice(slice_cut(&rest, ','), "");
    rest = SLICE("x,");
    assert_slice(slice_cut(&rest, ','), "x");
    assert_int_equal(rest.n, 0);
    rest = SLICE_NONE;
    assert_int_equal(slice_cut(&rest, ',').n, 0);
    assert_slice(slice_trim(SLICE(" \t\r\n a b \n")), "a b");
    assert_slice(slice_trim(SLICE(" \t ")), "");
    assert_true(slice_find(SLICE("ab\0c"), 'c', &at));
    assert_int_equal(at, 3);
    assert_false(slice_find(SLICE("ab"), 'c', &at));
    assert_false(slice_find(SLICE_NONE, 0, &at));
}

static void integers(void **state)
{
    static const char *const bad[] = {
        "", "-", "+1", " 1", "1 ", "1a", "--1", "0x1", "1e3", "１", "18446744073709551616", "99999999999999999999999"};
    uint64_t u = 5;
    int64_t i = 5;
    int n = 5;

    (void)state;
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        assert_false(slice_u64(slice_of(bad[k]), &u));
        assert_false(slice_i64(slice_of(bad[k]), &i));
        assert_false(slice_int(slice_of(bad[k]), INT_MIN, INT_MAX, &n));
    }
    assert_false(slice_u64(SLICE("-1"), &u));
    assert_false(slice_u64(SLICE("1\0"), &u));
    assert_true(u == 5 && i == 5 && n == 5); /* only written on success */
    assert_true(slice_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(slice_u64(SLICE("007"), &u) && u == 7);
    assert_true(slice_i64(SLICE("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(slice_i64(SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(slice_i64(SLICE("9223372036854775808"), &i));
    assert_false(slice_i64(SLICE("-9223372036854775809"), &i));
    assert_true(slice_i64(SLICE("-0"), &i) && i == 0);
    assert_true(slice_int(SLICE("-5"), -5, 5, &n) && n == -5);
    assert_true(slice_int(SLICE("5"), -5, 5, &n) && n == 5);
    assert_false(slice_int(SLICE("6"), -5, 5, &n));
    assert_false(slice_int(SLICE("-6"), -5, 5, &n));
    assert_false(slice_int(SLICE("4294967297"), INT_MIN, INT_MAX, &n));
}

static void integers_read_back(void **state)
{
    char text[32];

    (void)state;
    random_seed(6);
    for (int k = 0; k < 20000; k++) {
        uint64_t wide = random_u64() >> random_below(64);
        uint64_t u;
        int64_t i;

        snprintf(text, sizeof(text), "%llu", (unsigned long long)wide);
        assert_true(slice_u64(slice_of(text), &u) && u == wide);
        snprintf(text, sizeof(text), "%lld", (long long)wide);
        assert_true(slice_i64(slice_of(text), &i) && i == (int64_t)wide);
    }
}

static void doubles(void **state)
{
    static const char *const bad[] = {"",    "-",   ".5",  "5.", "1e",    "1e+", "+1",    "01",    "-01",   "inf",
                                      "nan", "0x1", "1,5", "1 ", "1e999", "--1", "1.2.3", "1e1.5", "1e400", "-1e400"};
    char digits[500];
    double v = 5;

    (void)state;
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_false(slice_double(slice_of(bad[k]), &v));
    assert_true(v == 5);
    assert_true(slice_double(SLICE("0"), &v) && v == 0);
    assert_true(slice_double(SLICE("-1.5E+2"), &v) && v == -150);
    assert_true(slice_double(SLICE("1.7976931348623157e308"), &v) && v == DBL_MAX);
    assert_true(slice_double(SLICE("1e-400"), &v) && v == 0);
    memset(digits, '1', sizeof(digits));
    assert_false(slice_double(slice_mem(digits, sizeof(digits)), &v));
    assert_true(slice_double(slice_mem(digits, 300), &v));
}

static void a_locale_with_a_comma_changes_nothing(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    struct strbuf b;
    double v;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (setlocale(LC_ALL, names[i]))
            break; /* where none is installed, the test holds trivially */
    assert_true(slice_double(SLICE("1.5"), &v) && v == 1.5);
    strbuf_init(&b, 100);
    strbuf_add_double(&b, 1.5);
    assert_slice(strbuf_slice(&b), "1.5");
    strbuf_done(&b);
    setlocale(LC_ALL, "C");
}

static void booleans(void **state)
{
    bool b = false;

    (void)state;
    assert_true(slice_bool(SLICE("true"), &b) && b);
    assert_true(slice_bool(SLICE("false"), &b) && !b);
    assert_false(slice_bool(SLICE("True"), &b));
    assert_false(slice_bool(SLICE("1"), &b));
    assert_false(slice_bool(SLICE(""), &b));
}

static void utf8_known_answers(void **state)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\t\n\r",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "関所は門です。日本語の長い文章"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x20",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe3\x81",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\x01",
                                      "\x1b[0m",
                                      "\x1f",
                                      "\xf0\x9f\x98"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(slice_utf8(slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(slice_utf8(slice_of(bad[i])));
    assert_false(slice_utf8(SLICE("a\0b")));
}

/* A bad byte is found at each place of a word, whatever stands around it. */
static void utf8_looks_at_each_byte(void **state)
{
    static const unsigned char bad[] = {0x00, 0x01, 0x08, 0x0b, 0x1f, 0x80, 0xa0, 0xc2, 0xff};
    char text[40];

    (void)state;
    for (size_t n = 1; n <= sizeof(text); n++)
        for (size_t at = 0; at < n; at++)
            for (size_t k = 0; k < sizeof(bad); k++) {
                memset(text, k % 2 ? ' ' : '~', n);
                assert_true(slice_utf8(slice_mem(text, n)));
                text[at] = (char)bad[k];
                assert_false(slice_utf8(slice_mem(text, n)));
            }
}

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void utf8_takes_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        size_t n = encode(c, text);
        size_t expected = c >= 0xD800 && c < 0xE000 ? 0 : n;

        if (slice_utf8_at(slice_mem(text, n), 0) != expected)
            fail_msg("U+%04X", c);
        if (n > 1 && slice_utf8_at(slice_mem(text, n - 1), 0) != 0)
            fail_msg("cut U+%04X", c);
    }
}

static void heads_are_not_cut_inside_a_character(void **state)
{
    struct slice s = SLICE("a\xc3\xa4\xe9\x96\xa2\xf0\x9f\x98\x80"
                           "b");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)state;
    for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++)
        assert_int_equal(slice_utf8_head(s, n).n, expected[n]);
    assert_int_equal(slice_utf8_head(SLICE("\x80\x80\x80\x80\x80\x80"), 4).n, 4);
}

static void hex_and_base64url_refuse(void **state)
{
    static const char *const bad_hex[] = {"0", "0g", "g0", "00 ", "0x00", " 00"};
    static const char *const bad_base64url[] = {"A", "AAAAA", "A=", "AA==", "A+", "A/", "A ", "AB", "AAB", "____\n"};
    uint8_t out[16];
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof(bad_hex) / sizeof(bad_hex[0]); i++)
        assert_false(slice_unhex(slice_of(bad_hex[i]), out, sizeof(out), &n));
    for (size_t i = 0; i < sizeof(bad_base64url) / sizeof(bad_base64url[0]); i++)
        assert_false(slice_unbase64url(slice_of(bad_base64url[i]), out, sizeof(out), &n));
    assert_true(slice_unhex(SLICE("aAfF"), out, 2, &n));
    assert_int_equal(n, 2);
    assert_memory_equal(out, "\xaa\xff", 2);
    assert_false(slice_unhex(SLICE("aAfF"), out, 1, &n));
    assert_true(slice_unhex(SLICE_NONE, out, 0, &n) && n == 0);
    assert_true(slice_unbase64url(SLICE("AA"), out, 1, &n) && n == 1);
    assert_true(slice_unbase64url(SLICE_NONE, out, 0, &n) && n == 0);
    assert_false(slice_unbase64url(SLICE("AAAA"), out, 2, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(cutting),
        cmocka_unit_test(integers),
        cmocka_unit_test(integers_read_back),
        cmocka_unit_test(doubles),
        cmocka_unit_test(a_locale_with_a_comma_changes_nothing),
        cmocka_unit_test(booleans),
        cmocka_unit_test(utf8_known_answers),
        cmocka_unit_test(utf8_looks_at_each_byte),
        cmocka_unit_test(utf8_takes_every_character),
        cmocka_unit_test(heads_are_not_cut_inside_a_character),
        cmocka_unit_test(hex_and_base64url_refuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
