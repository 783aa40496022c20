/* SPDX-License-Identifier: Apache-2.0 */
/* test_json_write.c - the JSON writer: escapes, nesting and misuse. */
/* links: common */
#include "unit.h"

#include "common/json.h"
#include <math.h>

static struct arena *arena;
static struct strbuf out;
static struct json_writer w;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 22);
    strbuf_init(&out, 1 << 20);
    json_start(&w, &out);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    strbuf_done(&out);
    arena_free(&arena);
    return 0;
}

static void each_kind_of_value(void **state)
{
    struct uuid u = {{0x01, 0x7f}};

    (void)state;
    json_object_open(&w);
    json_key(&w, "s");
    json_str(&w, SLICE("text"));
    json_key_slice(&w, SLICE("k\"2"));
    json_int(&w, -5);
    json_key(&w, "list");
    json_array_open(&w);
    json_num(&w, 0.5);
    json_num(&w, NAN);
    json_num(&w, INFINITY);
    json_bool(&w, true);
    json_bool(&w, false);
    json_nil(&w);
    json_uuid(&w, u);
    json_time(&w, INT64_C(1795514400) * USEC_PER_SEC);
    json_time(&w, 0);
    json_raw(&w, SLICE("{\"r\":1}"));
    json_array_open(&w);
    json_array_close(&w);
    json_object_open(&w);
    json_object_close(&w);
    json_array_close(&w);
    json_key(&w, "end");
    json_object_open(&w);
    json_key(&w, "x");
    json_int(&w, 1);
    json_object_close(&w);
    json_object_close(&w);
    assert_slice(strbuf_slice(&out),
                 "{\"s\":\"text\",\"k\\\"2\":-5,\"list\":[0.5,null,null,true,false,null,"
                 "\"017f0000-0000-0000-0000-000000000000\",\"2026-11-24T10:00:00Z\",null,{\"r\":1},[],{}],"
                 "\"end\":{\"x\":1}}");
}

static void a_root_may_be_a_scalar(void **state)
{
    (void)state;
    json_int(&w, 7);
    assert_slice(strbuf_slice(&out), "7");
}

static void escapes_have_known_answers(void **state)
{
    (void)state;
    json_str(&w, SLICE("\"\\/\b\f\n\r\t\x01\x0b\x1f\x7f\0 関所 \xf0\x9f\x98\x80"));
    assert_slice(strbuf_slice(&out), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\x7f� 関所 \xf0\x9f\x98\x80\"");
}

static void bad_utf8_is_replaced(void **state)
{
    (void)state;
    json_array_open(&w);
    json_str(&w, SLICE("a\xff"
                       "b"));
    json_str(&w, SLICE("\xed\xa0\x80"));
    json_str(&w, SLICE("\xc3"));
    json_str(&w, SLICE("long enough for words \xe3\x81"));
    json_array_close(&w);
    assert_slice(strbuf_slice(&out), "[\"a\xef\xbf\xbd"
                                     "b\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"\xef\xbf\xbd\","
                                     "\"long enough for words \xef\xbf\xbd\xef\xbf\xbd\"]");
}

/* Every byte at every place of a word comes back through the parser. */
static void each_byte_at_each_place_reads_back(void **state)
{
    struct json_error error;

    (void)state;
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 1; c < 128; c++) /* 0 does not come back */ {
                char text[20];
                json_t *v;

                memset(text, 'a', n);
                text[at] = (char)c;
                strbuf_clear(&out);
                json_start(&w, &out);
                json_str(&w, slice_mem(text, n));
                v = json_parse(arena, strbuf_slice(&out), JSON_LIMITS_DEFAULT, &error);
                if (!v || json_string_length(v) != n || memcmp(json_string_value(v), text, n) != 0)
                    fail_msg("byte %d at %zu of %zu", c, at, n);
                arena_reset(arena);
            }
}

static void random_bytes_make_valid_json(void **state)
{
    struct json_error error;

    (void)state;
    random_seed(13);
    for (int i = 0; i < 5000; i++) {
        char text[200];
        size_t n = random_below(sizeof(text));
        struct slice s = slice_mem(text, n);
        json_t *v;

        random_bytes(text, n);
        for (size_t k = 0; k < n; k++)
            if (random_below(2))
                text[k] = 'x';
        strbuf_clear(&out);
        json_start(&w, &out);
        json_str(&w, s);
        assert_true(slice_utf8(strbuf_slice(&out)));
        v = json_parse(arena, strbuf_slice(&out), JSON_LIMITS_DEFAULT, &error);
        assert_non_null(v);
        arena_reset(arena);
    }
}

static void the_ceiling_shows_in_the_buffer(void **state)
{
    struct strbuf small;

    (void)state;
    strbuf_init(&small, 10);
    json_start(&w, &small);
    json_array_open(&w);
    for (int i = 0; i < 100; i++)
        json_str(&w, SLICE("too much"));
    json_array_close(&w);
    assert_true(small.over);
    assert_true(small.n <= 10);
    strbuf_done(&small);
}

static void nesting_of_32_is_fine(void **state)
{
    (void)state;
    for (int i = 0; i < 32; i++)
        json_array_open(&w);
    for (int i = 0; i < 32; i++)
        json_array_close(&w);
    assert_int_equal(out.n, 64);
}

static void misuse_nesting(void *arg)
{
    (void)arg;
    for (int i = 0; i < 33; i++)
        json_array_open(&w);
}

static void misuse_key_in_array(void *arg)
{
    (void)arg;
    json_array_open(&w);
    json_key(&w, "k");
}

static void misuse_key_at_root(void *arg)
{
    (void)arg;
    json_key(&w, "k");
}

static void misuse_value_without_key(void *arg)
{
    (void)arg;
    json_object_open(&w);
    json_int(&w, 1);
}

static void misuse_two_keys(void *arg)
{
    (void)arg;
    json_object_open(&w);
    json_key(&w, "a");
    json_key(&w, "b");
}

static void misuse_key_without_value(void *arg)
{
    (void)arg;
    json_object_open(&w);
    json_key(&w, "a");
    json_object_close(&w);
}

static void misuse_wrong_close(void *arg)
{
    (void)arg;
    json_object_open(&w);
    json_array_close(&w);
}

static void misuse_close_nothing(void *arg)
{
    (void)arg;
    json_object_close(&w);
}

static void misuse_two_roots(void *arg)
{
    (void)arg;
    json_int(&w, 1);
    json_int(&w, 2);
}

static void misuse_aborts(void **state)
{
    static void (*const misuses[])(void *) = {misuse_nesting,           misuse_key_in_array,  misuse_key_at_root,
                                              misuse_value_without_key, misuse_two_keys,      misuse_key_without_value,
                                              misuse_wrong_close,       misuse_close_nothing, misuse_two_roots};

    (void)state;
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++)
        if (!unit_aborts(misuses[i], NULL, NULL, 0))
            fail_msg("misuse %zu did not abort", i);
}

static void texts_of_values(void **state)
{
    static const char *const texts[] = {
        "{\"b\":1,\"a\":[true,false,null],\"c\":{},\"d\":[]}", "\"\\n関\"", "-5", "2.0", "0.1", "1e+300", "[[[1.5]]]",
    };
    struct json_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *v = json_parse(arena, slice_of(texts[i]), JSON_LIMITS_DEFAULT, &error);

        assert_non_null(v);
        assert_slice(json_text(arena, v), texts[i]);
    }
}

#define WRITE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITE_TEST(each_kind_of_value),
        WRITE_TEST(a_root_may_be_a_scalar),
        WRITE_TEST(escapes_have_known_answers),
        WRITE_TEST(bad_utf8_is_replaced),
        WRITE_TEST(each_byte_at_each_place_reads_back),
        WRITE_TEST(random_bytes_make_valid_json),
        WRITE_TEST(the_ceiling_shows_in_the_buffer),
        WRITE_TEST(nesting_of_32_is_fine),
        WRITE_TEST(misuse_aborts),
        WRITE_TEST(texts_of_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
