/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_read.c - the JSON reader: grammar, hazards and exact limits. */
/* links: common */
#include "unit.h"

#include "common/json.h"

static struct arena *arena;
static struct json_error error;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 22);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static json_t *parse(struct slice text)
{
    memset(&error, 0, sizeof(error));
    return json_parse(arena, text, JSON_LIMITS_DEFAULT, &error);
}

static void assert_refused(struct slice text, const char *code)
{
    if (parse(text))
        fail_msg("accepted: " SLICE_FMT, SLICE_ARG(text));
    if (strcmp(error.code, code) != 0)
        fail_msg("%s instead of %s for: " SLICE_FMT, error.code, code, SLICE_ARG(text));
    assert_true(error.reason[0]);
}

static void good_documents_are_read(void **state)
{
    json_t *v;

    (void)state;
    v = parse(SLICE(" { \"a\" : [ 1 , -2.5e1, true, false, null, \"x\\u00e4\\ud83d\\ude00\\n\" ] , \"b\" : { } } "));
    assert_non_null(v);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(v, "a"), 0)), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(v, "a"), 5)), "xä😀\n");
    assert_true(json_is_string(parse(SLICE("\"alone\""))));
    assert_true(json_is_integer(parse(SLICE("0"))));
    assert_true(json_is_array(parse(SLICE("[]"))));
    assert_true(json_is_object(parse(SLICE("{\"\":1}"))));
}

static void the_document_lives_with_the_arena(void **state)
{
    struct arena *a = arena_new(1000);
    json_t *v = json_parse(a, SLICE("[1]"), JSON_LIMITS_DEFAULT, &error);

    (void)state;
    json_incref(v);
    assert_int_equal(v->refcount, 2);
    arena_free(&a);
    assert_int_equal(v->refcount, 1);
    json_decref(v);
}

static void bad_grammar_is_refused(void **state)
{
    static const char *const bad[] = {
        "",        " ",         "{",          "}",        "[",         "]",           "[1",      "{\"a\"",
        "{\"a\":", "{\"a\":1",  "{\"a\":1,}", "[1,]",     "[,1]",      "{,}",         "[1 2]",   "{\"a\" 1}",
        "{1:2}",   "{a:1}",     "'a'",        "01",       "+1",        "1.",          ".5",      "-",
        "1e",      "0x1",       "NaN",        "Infinity", "-Infinity", "nul",         "tru",     "True",
        "\"",      "\"a",       "\"\\\"",     "\"\\x\"",  "\"\\u12\"", "\"\\u123g\"", "\"\t\"",  "\"\n\"",
        "1 2",     "{} x",      "[]]",        "[}",       "{]",        "/* c */ 1",   "// c\n1", "\xef\xbb\xbf{}",
        "\"a\\",   "[\"a\",\"", "1e999",      "-1e999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(slice_of(bad[i]), "json_malformed");
    assert_refused(SLICE("[1]\0"), "json_malformed");
    assert_refused(SLICE("[1,\0 2]"), "json_malformed");
}

static void hazards_in_strings_are_refused(void **state)
{
    static const char *const bad[] = {
        "\"\\u0000\"",          "\"a\\u0000b\"", "{\"\\u0000\":1}", "{\"a\\u0000\":1}",
        "\"\\ud800\"",          "\"\\udc00\"",   "\"\\ud800x\"",    "\"\\ud800\\u0041\"",
        "\"\\udc00\\ud800\"",   "\"\x80\"",      "\"\xc0\x80\"",    "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "\"\xc3\"",      "{\"\xff\":1}",    "\xff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(slice_of(bad[i]), "json_malformed");
    assert_refused(SLICE("\"a\0b\""), "json_malformed");
}

static void integers_have_53_bits(void **state)
{
    static const char *const good[] = {"9007199254740992",  "-9007199254740992",   "[9007199254740991]", "0",    "-0",
                                       "900719925474099.3", "90071992547409930.5", "9007199254740993e0", "1e300"};
    static const char *const bad[] = {
        "9007199254740993",    "-9007199254740993",   "[1,9007199254740993]", "{\"a\":10000000000000000}",
        "9223372036854775807", "9223372036854775808", "18446744073709551617", "99999999999999999999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!parse(slice_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(slice_of(bad[i]), "json_malformed");
    assert_non_null(strstr(error.reason, "2^53"));
    assert_non_null(parse(SLICE("\"9223372036854775808\""))); /* text is not a number */
}

static void a_duplicate_key_is_named(void **state)
{
    static const struct {
        const char *text;
        const char *key;
    } cases[] = {
        {"{\"a\":1,\"a\":2}", "a"},
        {"{\"x\":{\"deep\":1,\"deep\" :2}}", "deep"},
        {"{\"\":1,\"\":2}", ""},
        {"{\"a\\\"b\":1,\"a\\\"b\":2}", "a\"b"},
        {"{\"a\\\\\":1,\"a\\\\\":2}", "a\\"},
        {"{\"\\\\\\\"\":1,\"\\\\\\\"\":2}", "\\\""},
        {"{\"a\":1,\"\\u0061\":2}", "a"}, /* the same key, written otherwise */
        {"{\"端末\":1,\n\n  \"端末\":2}", "端末"},
        {"[\"a\",{\"k\":\"a\",\"k\":\"a\"}]", "k"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(slice_of(cases[i].text), "json_duplicate_key");
        assert_string_equal(error.field, cases[i].key);
    }
    assert_non_null(parse(SLICE("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}")));
}

static void a_long_duplicate_key_is_cut(void **state)
{
    char text[1000];
    char key[201] = {0};

    (void)state;
    for (int i = 0; i < 66; i++)
        memcpy(key + 3 * i, "端", 3);
    snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", key, key);
    assert_refused(slice_of(text), "json_duplicate_key");
    assert_int_equal(strlen(error.field), 63);
    assert_true(slice_utf8(slice_of(error.field)));
    snprintf(text, sizeof(text), "{\"a%s\":1,\"a%s\":2}", key, key);
    assert_refused(slice_of(text), "json_duplicate_key");
    assert_int_equal(strlen(error.field), 61); /* not 63: that would cut a character */
    assert_true(slice_utf8(slice_of(error.field)));
}

static void reasons_do_not_repeat_the_input(void **state)
{
    (void)state;
    assert_refused(SLICE("{\"password\": hunter2}"), "json_malformed");
    assert_null(strstr(error.reason, "hunter2"));
    assert_null(strstr(error.reason, "password"));
    assert_non_null(strstr(error.reason, "line 1"));
}

static struct slice nested(size_t levels, const char *open, const char *middle, const char *close)
{
    struct strbuf b;

    strbuf_init_arena(&b, arena, 1 << 20);
    for (size_t i = 0; i < levels; i++)
        strbuf_add_str(&b, open);
    strbuf_add_str(&b, middle);
    for (size_t i = 0; i < levels; i++)
        strbuf_add_str(&b, close);
    return strbuf_slice(&b);
}

static void depth_is_exact(void **state)
{
    (void)state;
    assert_non_null(parse(nested(64, "[", "", "]")));
    assert_refused(nested(65, "[", "", "]"), "json_too_deep");
    assert_int_equal(error.limit, 64);
    assert_non_null(parse(nested(64, "{\"a\":", "1", "}")));
    assert_refused(nested(65, "{\"a\":", "1", "}"), "json_too_deep");
    assert_refused(nested(100000, "[", "", ""), "json_too_deep");
    assert_non_null(parse(SLICE("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"")));
    assert_non_null(parse(SLICE("[[],[],[],[[],[]]]")));
    assert_null(json_parse(arena, SLICE("[]"), (struct json_limits){10, 0, 10}, &error));
    assert_non_null(json_parse(arena, SLICE("1"), (struct json_limits){10, 0, 10}, &error));
}

static size_t count_values(const json_t *v)
{
    size_t n = 1;
    size_t i;
    const char *key;
    json_t *child;
    json_t *object = (json_t *)(uintptr_t)v;

    if (json_is_array(v))
        json_array_foreach(v, i, child) n += count_values(child);
    if (json_is_object(v))
        json_object_foreach(object, key, child) n += count_values(child);
    return n;
}

static void assert_counted(struct slice text)
{
    json_t *v = parse(text);
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    assert_non_null(v);
    limits.values = (unsigned)count_values(v);
    assert_non_null(json_parse(arena, text, limits, &error));
    limits.values--;
    assert_null(json_parse(arena, text, limits, &error));
    assert_string_equal(error.code, "json_too_many_values");
    assert_int_equal(error.limit, limits.values);
}

static void random_value(struct strbuf *b, unsigned depth)
{
    static const char *const scalars[] = {"1",    "\"a,[{\\\"\"", "null", "-2.5", "\"\"",
                                          "true", "[]",           "{}",   "[ ]",  "{\n}"};
    size_t n = random_below(4);
    bool object = random_below(2);

    if (depth == 0 || random_below(4) == 0) {
        strbuf_add_str(b, scalars[random_below(sizeof(scalars) / sizeof(scalars[0]))]);
        return;
    }
    strbuf_add_char(b, object ? '{' : '[');
    for (size_t i = 0; i < n; i++) {
        strbuf_add_str(b, i ? " , " : " ");
        if (object)
            strbuf_printf(b, "\"k,%zu]\" :", i);
        random_value(b, depth - 1);
    }
    strbuf_add_char(b, object ? '}' : ']');
}

static void values_are_counted_exactly(void **state)
{
    struct strbuf b;

    (void)state;
    assert_counted(SLICE("1"));
    assert_counted(SLICE("[]"));
    assert_counted(SLICE("[[],{},[ ],{ }]"));
    assert_counted(SLICE("{\"a\":1,\"b\":[2,3,{\"c\":\",,,[[[{{{\"}]}"));
    random_seed(11);
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < 2000; i++) {
        strbuf_clear(&b);
        random_value(&b, 6);
        assert_counted(strbuf_slice(&b));
        arena_reset(arena);
    }
    strbuf_done(&b);
}

static void the_limits_stand_before_the_parser(void **state)
{
    struct strbuf b;
    struct json_limits limits = JSON_LIMITS_DEFAULT;

    (void)state;
    strbuf_init(&b, 1 << 20);
    strbuf_add_char(&b, '[');
    for (int i = 0; i < 19998; i++)
        strbuf_add_str(&b, "1,");
    strbuf_add_str(&b, "1]");
    assert_non_null(parse(strbuf_slice(&b))); /* 19,999 elements and the array */
    b.p[b.n - 1] = ',';
    strbuf_add_str(&b, "1]");
    assert_refused(strbuf_slice(&b), "json_too_many_values");
    strbuf_clear(&b);
    for (int i = 0; i < 256 * 1024; i++)
        strbuf_add_char(&b, ' ');
    b.p[0] = '1';
    assert_non_null(parse(strbuf_slice(&b)));
    strbuf_add_char(&b, ' ');
    assert_refused(strbuf_slice(&b), "body_too_large");
    assert_int_equal(error.limit, 256 * 1024);
    limits.bytes = 3;
    assert_null(json_parse(arena, SLICE("1234"), limits, &error));
    strbuf_done(&b);
}

/* A quote or backslash is seen at each place of a word. */
static void strings_end_where_they_end(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        struct strbuf b;

        strbuf_init_arena(&b, arena, 1000);
        strbuf_add_str(&b, "[\"");
        for (size_t i = 0; i < n; i++)
            strbuf_add_char(&b, 'x');
        strbuf_add_str(&b, "\\\"[[[\\\\\", \"");
        for (size_t i = 0; i < n; i++)
            strbuf_add_str(&b, i % 3 ? "\xe9\x96\xa2" : "!");
        strbuf_add_str(&b, "\"]");
        assert_counted(strbuf_slice(&b));
    }
}

/* What is accepted, is written and accepted again as the same. */
static void mutated_documents_never_crash(void **state)
{
    static const char seed_text[] = "{\"a\":[1,-2.5e3,\"\\u00e4\\\"\",{\"b\":null}],\"c\":{\"d\":[[],{}],\"e\":true}}";
    static const char letters[] = "{}[]\",:\\u0d8e-+.19 \n\xe3\x81\x82";
    char text[sizeof(seed_text)];

    (void)state;
    random_seed(12);
    for (int i = 0; i < 30000; i++) {
        json_t *v;

        memcpy(text, seed_text, sizeof(text));
        for (size_t k = random_below(6); k > 0; k--)
            text[random_below(sizeof(text) - 1)] = letters[random_below(sizeof(letters) - 1)];
        v = parse(slice_mem(text, sizeof(text) - 1 - random_below(3)));
        if (v) {
            json_t *again = parse(json_text(arena, v));

            assert_non_null(again);
            assert_true(json_equal(v, again));
        }
        arena_reset(arena);
    }
}

#define READ_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READ_TEST(good_documents_are_read),
        READ_TEST(the_document_lives_with_the_arena),
        READ_TEST(bad_grammar_is_refused),
        READ_TEST(hazards_in_strings_are_refused),
        READ_TEST(integers_have_53_bits),
        READ_TEST(a_duplicate_key_is_named),
        READ_TEST(a_long_duplicate_key_is_cut),
        READ_TEST(reasons_do_not_repeat_the_input),
        READ_TEST(depth_is_exact),
        READ_TEST(values_are_counted_exactly),
        READ_TEST(the_limits_stand_before_the_parser),
        READ_TEST(strings_end_where_they_end),
        READ_TEST(mutated_documents_never_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
