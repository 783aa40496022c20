/* SPDX-License-Identifier: Apache-2.0 */
/* links: fixture common */
/* test_open.c - the agents' dialect: unknown fields are ignored, unknown enum text is `unknown`, json is kept as text.
 */
#include "../common/unit.h"

#include "common/encode.h"
#include "notes.gen.h"

#define GOOD                                                                                                      \
    "\"id\":\"018f3c4e-7d2a-7abc-8def-0123456789ab\",\"mood\":\"sad\",\"at\":\"2026-11-24T10:00:00Z\",\"body\":{" \
    "\"a\":[1,2.5]},"                                                                                             \
    "\"first\":{\"n\":1}"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct notes_note good(const char *text)
{
    struct decode_error e = {0};
    struct notes_note n;

    if (notes_note_parse(arena, slice_of(text), &n, &e) != RC_OK)
        fail_msg("%s: %s %s %s", text, e.code, e.field, e.allowed);
    return n;
}

static void bad(const char *more, const char *code, const char *field, const char *allowed)
{
    char *text = arena_printf(arena, "{" GOOD ",%s}", more);
    struct decode_error e = {0};
    struct notes_note n;

    if (notes_note_parse(arena, slice_of(text), &n, &e) != RC_INVALID)
        fail_msg("accepted: %s", text);
    if (strcmp(e.code, code) != 0 || strcmp(e.field, field) != 0 || strcmp(e.allowed, allowed) != 0)
        fail_msg("%s: got %s [%s] (%s)", text, e.code, e.field, e.allowed);
}

static void unknown_fields_are_ignored(void **state)
{
    struct notes_note n = good("{\"newer\":{\"x\":1}," GOOD ",\"parts\":[{\"n\":1,\"m\":2}]}");

    (void)state;
    assert_int_equal(n.n_parts, 1);
    assert_int_equal(n.mood, NOTES_MOOD_SAD);
}

static void unknown_enum_text_is_unknown(void **state)
{
    struct notes_note n = good("{" GOOD ",\"other\":\"bored\",\"moods\":[\"glad\",\"\",\"unknown\"]}");

    (void)state;
    assert_true(n.has_other);
    assert_int_equal(n.other, NOTES_MOOD_UNKNOWN);
    assert_int_equal(n.moods[0], NOTES_MOOD_GLAD);
    assert_int_equal(n.moods[1], NOTES_MOOD_UNKNOWN);
    assert_int_equal(n.moods[2], NOTES_MOOD_UNKNOWN);
    assert_int_equal(notes_mood_parse(SLICE("sad")), NOTES_MOOD_SAD);
    assert_int_equal(notes_mood_parse(SLICE("no")), NOTES_MOOD_UNKNOWN);
    assert_string_equal(notes_mood_text(NOTES_MOOD_UNKNOWN), "unknown");
}

static void json_is_kept_as_compact_text(void **state)
{
    struct notes_note n = good("{" GOOD ",\"extra\": [ 1 , \"é\" ] }");

    (void)state;
    assert_slice(n.body, "{\"a\":[1,2.5]}");
    assert_slice(n.extra, "[1,\"é\"]");
    bad("\"extra\":\"0123456789012345678\"", "field_length", "extra", "1 to 20");
}

static void errors_name_the_field(void **state)
{
    (void)state;
    bad("\"moods\":[\"glad\",1]", "field_type", "moods[1]", "string");
    bad("\"moods\":[\"a\",\"b\",\"c\",\"d\"]", "field_length", "moods", "0 to 3");
    bad("\"lines\":[\"abcd\"]", "field_length", "lines[0]", "0 to 3");
    bad("\"parts\":[{\"n\":1},{}]", "field_missing", "parts[1].n", "");
    bad("\"parts\":[{\"n\":10}]", "field_range", "parts[0].n", "0 to 9");
    bad("\"extra\":1,\"extra\":1", "json_duplicate_key", "extra", "");
}

static void what_was_decoded_is_encoded(void **state)
{
    const char *text =
        "{\"id\":\"018f3c4e-7d2a-7abc-8def-0123456789ab\",\"mood\":\"sad\",\"other\":\"unknown\",\"moods\":[\"glad\"],"
        "\"at\":\"2026-11-24T10:00:00Z\",\"body\":{\"a\":[1,2.5]},\"extra\":null,\"lines\":[\"x\"],\"parts\":[{\"n\":9}"
        "],\"first\":{\"n\":0}}";
    struct notes_note n = good(text);
    struct json_writer w;
    struct strbuf out;

    (void)state;
    strbuf_init_arena(&out, arena, 4096);
    json_start(&w, &out);
    notes_note_encode(&w, &n);
    assert_string_equal(out.p, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unknown_fields_are_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_enum_text_is_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(json_is_kept_as_compact_text, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_name_the_field, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_decoded_is_encoded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
