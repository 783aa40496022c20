/* SPDX-License-Identifier: Apache-2.0 */
/* links: fixture common */
/* test_decode.c - JSON into structs: what arrives, and for each way of being wrong the code, the exact field and what
 * is allowed. */
#include "../common/unit.h"

#include "common/encode.h"
#include "things.gen.h"

#define ID "\"id\":\"018f3c4e-7d2a-7abc-8def-0123456789ab\""
#define GOOD                                                                                                       \
    ID ",\"name\":\"関所\",\"at\":\"2026-11-24T10:00:00.500000Z\",\"size\":-3,\"heavy\":true,\"colour\":\"deep-" \
       "blue\","                                                                                                   \
       "\"lid\":{\"screws\":4}"

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

static struct things_box good(const char *more)
{
    struct decode_error e = {0};
    struct things_box b;
    char *text = arena_printf(arena, "{" GOOD "%s}", more);

    if (things_box_parse(arena, slice_of(text), &b, &e) != RC_OK)
        fail_msg("%s: %s %s %s", text, e.code, e.field, e.allowed);
    return b;
}

static void bad(const char *text, const char *code, const char *field, const char *allowed)
{
    struct decode_error e = {0};
    struct things_box b;

    if (things_box_parse(arena, slice_of(text), &b, &e) != RC_INVALID)
        fail_msg("accepted: %s", text);
    if (strcmp(e.code, code) != 0 || strcmp(e.field, field) != 0 || strcmp(e.allowed, allowed) != 0)
        fail_msg("%s\n  got      %s [%s] (%s)\n  expected %s [%s] (%s)", text, e.code, e.field, e.allowed, code, field,
                 allowed);
}

/* The good box with one more member. */
static void bad_more(const char *more, const char *code, const char *field, const char *allowed)
{
    bad(arena_printf(arena, "{" GOOD ",%s}", more), code, field, allowed);
}

static void all_required_fields_arrive(void **state)
{
    struct things_box b = good("");
    char text[UUID_TEXT_SIZE];

    (void)state;
    assert_string_equal(uuid_text(b.id, text), "018f3c4e-7d2a-7abc-8def-0123456789ab");
    assert_slice(b.name, "関所");
    assert_int_equal(b.at, INT64_C(1795514400500000));
    assert_int_equal(b.size, -3);
    assert_true(b.heavy);
    assert_int_equal(b.colour, THINGS_COLOUR_DEEP_BLUE);
    assert_int_equal(b.lid.screws, 4);
}

static void absent_fields_say_so_and_defaults_are_set(void **state)
{
    struct things_box b = good("");

    (void)state;
    assert_null(b.note.p);
    assert_true(uuid_is_nil(b.owner));
    assert_int_equal(b.until, 0);
    assert_false(b.has_count || b.has_ratio || b.has_open || b.has_shape);
    assert_null(b.spare);
    assert_int_equal(b.n_tags + b.n_friends + b.n_colours + b.n_numbers + b.n_lids, 0);
    assert_int_equal(b.retries, 7);
    assert_true(b.clean);
    assert_int_equal(b.finish, THINGS_BOX_FINISH_MATT);
    assert_null(b.default_.p);
}

static void optional_fields_arrive(void **state)
{
    struct things_box b =
        good(",\"note\":\"\",\"count\":9.0,\"ratio\":0.25,\"open\":false,\"shape\":\"square\",\"spare\":{\"screws\":1},"
             "\"tags\":[\"a\",\"bb\"],\"colours\":[\"on\",\"red\"],\"numbers\":[0,9],\"lids\":[{\"screws\":0},"
             "{\"screws\":2,\"hinges\":[{},{\"metal\":\"fe\"}]}],\"clean\":false,\"retries\":0,\"default\":\"x\"");

    (void)state;
    assert_non_null(b.note.p);
    assert_int_equal(b.note.n, 0);
    assert_true(b.has_count && b.count == 9);
    assert_true(b.has_ratio && b.ratio == 0.25);
    assert_true(b.has_open && !b.open);
    assert_true(b.has_shape && b.shape == THINGS_BOX_SHAPE_SQUARE);
    assert_int_equal(b.spare->screws, 1);
    assert_int_equal(b.n_tags, 2);
    assert_slice(b.tags[1], "bb");
    assert_int_equal(b.colours[0], THINGS_COLOUR_ON);
    assert_int_equal(b.numbers[1], 9);
    assert_int_equal(b.n_lids, 2);
    assert_int_equal(b.lids[1].n_hinges, 2);
    assert_null(b.lids[1].hinges[0].metal.p);
    assert_slice(b.lids[1].hinges[1].metal, "fe");
    assert_false(b.clean);
    assert_int_equal(b.retries, 0);
    assert_slice(b.default_, "x");
}

static void missing_fields_are_named(void **state)
{
    (void)state;
    bad("{}", "field_missing", "id", "");
    bad("{" ID "}", "field_missing", "name", "");
    bad_more("\"spare\":{}", "field_missing", "spare.screws", "");
    bad_more("\"lids\":[{\"screws\":1},{}]", "field_missing", "lids[1].screws", "");
}

static void unknown_fields_are_named(void **state)
{
    (void)state;
    bad_more("\"nmae\":1", "field_unknown", "nmae", "");
    bad_more("\"spare\":{\"screws\":1,\"x\":null}", "field_unknown", "spare.x", "");
    bad_more("\"lids\":[{\"screws\":1,\"hinges\":[{},{\"metall\":1}]}]", "field_unknown", "lids[0].hinges[1].metall",
             "");
    bad_more("\"a\\u0001b\":1", "field_unknown", "a?b", "");
}

static void long_unknown_names_are_cut_between_characters(void **state)
{
    char name[301], expected[200];

    (void)state;
    for (int i = 0; i < 300; i += 3)
        memcpy(name + i, "関", 3);
    name[300] = 0;
    memcpy(expected, name, 198);
    expected[198] = 0;
    bad_more(arena_printf(arena, "\"%s\":1", name), "field_unknown", expected, "");
}

static void wrong_types_are_named(void **state)
{
    static const struct {
        const char *more, *field, *type;
    } rows[] = {
        {"\"note\":1", "note", "string"},
        {"\"note\":null", "note", "string"},
        {"\"owner\":7", "owner", "string"},
        {"\"until\":7", "until", "string"},
        {"\"shape\":true", "shape", "string"},
        {"\"count\":\"1\"", "count", "integer"},
        {"\"count\":1.5", "count", "integer"},
        {"\"count\":1e300", "count", "integer"},
        {"\"ratio\":\"1\"", "ratio", "number"},
        {"\"open\":1", "open", "boolean"},
        {"\"open\":null", "open", "boolean"},
        {"\"spare\":[]", "spare", "object"},
        {"\"spare\":null", "spare", "object"},
        {"\"tags\":{}", "tags", "array"},
        {"\"tags\":[\"a\",5]", "tags[1]", "string"},
        {"\"lids\":[{\"screws\":1},7]", "lids[1]", "object"},
        {"\"lids\":[{\"screws\":1,\"hinges\":1}]", "lids[0].hinges", "array"},
        {"\"lids\":[{\"screws\":1,\"hinges\":[{\"metal\":[]}]}]", "lids[0].hinges[0].metal", "string"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        bad_more(rows[i].more, "field_type", rows[i].field, rows[i].type);
    bad("[]", "field_type", "", "object");
    bad("\"text\"", "field_type", "", "object");
}

static void lengths_count_characters(void **state)
{
    (void)state;
    good(",\"note\":\"一二三四五六七八九十\"");
    bad_more("\"note\":\"一二三四五六七八九十一\"", "field_length", "note", "0 to 10");
    bad_more("\"tags\":[\"abcde\"]", "field_length", "tags[0]", "1 to 4");
    bad_more("\"tags\":[\"\"]", "field_length", "tags[0]", "1 to 4");
    bad_more("\"tags\":[]", "field_length", "tags", "1 to 3");
    bad_more("\"tags\":[\"a\",\"b\",\"c\",\"d\"]", "field_length", "tags", "1 to 3");
    bad("{" ID ",\"name\":\"x\"}", "field_length", "name", "2 to 5");
}

static void limits_go_into_the_error(void **state)
{
    struct decode_error e = {0};
    struct things_lid lid;

    (void)state;
    assert_int_equal(things_lid_parse(arena, SLICE("{\"screws\":5}"), &lid, &e), RC_INVALID);
    assert_int_equal(e.limit, 4);
}

static void ranges_are_checked(void **state)
{
    (void)state;
    bad_more("\"count\":0", "field_range", "count", "1 to 9");
    bad_more("\"count\":10", "field_range", "count", "1 to 9");
    bad_more("\"count\":-9007199254740991", "field_range", "count", "1 to 9");
    bad_more("\"ratio\":1.01", "field_range", "ratio", "0 to 1");
    bad_more("\"numbers\":[1,2,-1]", "field_range", "numbers[2]", "0 to 9");
    bad_more("\"spare\":{\"screws\":5}", "field_range", "spare.screws", "0 to 4");
}

static void values_outside_an_enum_show_what_is_allowed(void **state)
{
    (void)state;
    bad_more("\"shape\":\"Round\"", "field_value", "shape", "round, square");
    bad_more("\"colours\":[\"red\",\"\"]", "field_value", "colours[1]", "red, deep-blue, on");
}

static void forms_are_checked(void **state)
{
    (void)state;
    bad_more("\"owner\":\"018f3c4e-7d2a-7abc-8def-0123456789a\"", "field_format", "owner", "uuid");
    bad_more("\"friends\":[\"x\"]", "field_format", "friends[0]", "uuid");
    bad_more("\"until\":\"2026-02-30T00:00:00Z\"", "field_format", "until", "date-time");
    bad_more("\"until\":\"yesterday\"", "field_format", "until", "date-time");
    bad_more("\"note\":\"a\\u0007\"", "field_format", "note", "text without control characters");
    good(",\"note\":\"a\\tb\\nc\\r\"");
}

static void broken_json_is_told_as_such(void **state)
{
    (void)state;
    bad("", "json_malformed", "", "");
    bad("{\"id\":", "json_malformed", "", "");
    bad("{\"a\":1,\"a\":2}", "json_duplicate_key", "a", "");
    bad("{\"note\":\"\\u0000\"}", "json_malformed", "", "");
}

static void a_decoded_message_encodes_to_the_same(void **state)
{
    const char *more = ",\"note\":\"n\",\"count\":3,\"ratio\":0.5,\"open\":true,\"shape\":\"round\",\"spare\":{"
                       "\"screws\":1},\"tags\":[\"a\"],"
                       "\"lids\":[{\"screws\":2,\"hinges\":[{\"metal\":\"fe\"},{}]}],\"retries\":1,\"clean\":false,"
                       "\"finish\":\"raw\",\"default\":\"d\"";
    struct things_box b = good(more);
    struct json_writer w;
    struct strbuf out;

    (void)state;
    strbuf_init_arena(&out, arena, 4096);
    json_start(&w, &out);
    things_box_encode(&w, &b);
    assert_string_equal(out.p, arena_printf(arena, "{" GOOD "%s}", more));
}

static void encode_leaves_out_what_is_absent_and_writes_what_is_required(void **state)
{
    struct things_box b = {.colour = THINGS_COLOUR_RED};
    struct json_writer w;
    struct strbuf out;

    (void)state;
    strbuf_init_arena(&out, arena, 4096);
    json_start(&w, &out);
    things_box_encode(&w, &b);
    assert_string_equal(
        out.p,
        "{\"id\":\"00000000-0000-0000-0000-000000000000\",\"name\":\"\",\"at\":\"1970-01-01T00:00:00Z\",\"size\":0,"
        "\"heavy\":false,\"colour\":\"red\",\"lid\":{\"screws\":0},\"retries\":0,\"clean\":false,\"finish\":\"raw\"}");
}

static void broken(const struct things_box *b, const char *code, const char *field)
{
    struct decode_error e = {0};

    assert_int_equal(encode_check(&things_box_desc, b, &e), RC_INVALID);
    assert_string_equal(e.code, code);
    assert_string_equal(e.field, field);
}

static void answers_that_break_the_contract_are_found(void **state)
{
    struct decode_error e = {0};
    struct things_box b = good(",\"tags\":[\"a\"],\"lids\":[{\"screws\":2}]");

    (void)state;
    assert_int_equal(encode_check(&things_box_desc, &b, &e), RC_OK);
    b.name = SLICE("toolong");
    broken(&b, "field_length", "name");
    b.name = SLICE("\xff\xfe");
    broken(&b, "field_format", "name");
    b.name = SLICE("ok");
    b.tags[0] = SLICE("12345");
    broken(&b, "field_length", "tags[0]");
    b.tags[0] = SLICE("1");
    b.n_lids = 4;
    broken(&b, "field_length", "lids");
    b.n_lids = 1;
    b.lids[0].screws = 5;
    broken(&b, "field_range", "lids[0].screws");
    b.lids[0].screws = 0;
    b.colour = (enum things_colour)77;
    broken(&b, "field_value", "colour");
}

static void write_a_value_outside_its_enum(void *arg)
{
    (void)arg;
    (void)things_colour_text((enum things_colour)3);
}

static void enum_text_goes_both_ways(void **state)
{
    enum things_colour c = THINGS_COLOUR_RED;

    (void)state;
    for (int i = 0; i < THINGS_COLOUR_COUNT; i++) {
        assert_true(things_colour_parse(slice_of(things_colour_text((enum things_colour)i)), &c));
        assert_int_equal(c, i);
    }
    assert_false(things_colour_parse(SLICE("redd"), &c));
    assert_false(things_colour_parse(SLICE(""), &c));
    assert_true(unit_aborts(write_a_value_outside_its_enum, NULL, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_required_fields_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_fields_say_so_and_defaults_are_set, setup, teardown),
        cmocka_unit_test_setup_teardown(optional_fields_arrive, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_fields_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_fields_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(long_unknown_names_are_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_types_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_count_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_go_into_the_error, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(values_outside_an_enum_show_what_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(forms_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_json_is_told_as_such, setup, teardown),
        cmocka_unit_test_setup_teardown(a_decoded_message_encodes_to_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(encode_leaves_out_what_is_absent_and_writes_what_is_required, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_that_break_the_contract_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(enum_text_goes_both_ways, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
