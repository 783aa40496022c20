/* SPDX-License-Identifier: Apache-2.0 */
/* links: handler wire common */
/* test_codecs.c - both real contracts, every message: what is valid goes through encoder and decoder unchanged. */
#include "../common/unit.h"

#include "handler/api.gen.h"
#include "random_message.h"
#include "wire/agent.gen.h"

#define ROUNDS 60

static void round_trip(const struct message_desc *desc)
{
    struct json_limits limits = {16u << 20, 64, 1000000};
    struct arena *a = arena_new(64u << 20);
    struct decode_error e = {0};
    void *sent = arena_alloc(a, desc->size), *got = arena_alloc(a, desc->size);
    struct slice text, again;

    random_message(a, desc, sent);
    if (encode_check(desc, sent, &e) != RC_OK)
        fail_msg("%s: %s %s", desc->name, e.code, e.field);
    text = message_text(a, desc, sent);
    if (decode_text(a, desc, text, limits, got, &e) != RC_OK)
        fail_msg("%s: %s %s %s %s\n" SLICE_FMT, desc->name, e.code, e.field, e.allowed, e.reason, SLICE_ARG(text));
    again = message_text(a, desc, got);
    if (!slice_eq(text, again))
        fail_msg("%s:\n" SLICE_FMT "\n" SLICE_FMT, desc->name, SLICE_ARG(text), SLICE_ARG(again));
    arena_free(&a);
}

static void every_message_goes_round(const struct message_desc *const messages[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < ROUNDS; k++) {
            random_seed(1 + i * ROUNDS + (uint64_t)k); /* so that a failure can be had again alone */
            round_trip(messages[i]);
        }
    }
    random_seed(0);
}

static void messages_of_agents_go_round(void **state)
{
    (void)state;
    every_message_goes_round(wire_messages, wire_messages_count);
}

static void schemas_of_the_console_go_round(void **state)
{
    (void)state;
    every_message_goes_round(api_messages, api_messages_count);
}

static const char check_in[] = "{\"agent_version\":\"0.1.0\",\"reason\":\"urgent\",\"clock\":\"2026-11-24T10:00:00."
                               "000001Z\",\"revision\":12,\"facts_digest\":\"\","
                               "\"spool\":{\"epoch\":\"018f3c4e-7d2a-7abc-8def-0123456789ab\",\"head\":2,\"tail\":1},"
                               "\"facts\":[{\"kind\":\"software\",\"digest\":\"aa\",\"set\":[{\"key\":\"bash\","
                               "\"value\":{\"version\":\"5.2\"}}],\"remove\":[\"vim\"]}],"
                               "\"events\":[{\"seq\":1,\"id\":\"018f3c4e-7d2a-7abc-8def-0123456789ac\",\"kind\":"
                               "\"detection\",\"occurred\":\"2026-11-24T09:59:59Z\","
                               "\"hash\":\"bb\",\"body\":{\"name\":\"Eicar-Test\",\"later_field\":[1]}}]}";

static void a_check_in_arrives_as_it_was_sent(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct wire_checkin_request r;
    struct decode_error e = {0};

    (void)state;
    assert_int_equal(wire_checkin_request_parse(a, slice_of(check_in), &r, &e), RC_OK);
    assert_int_equal(r.reason, WIRE_REASON_URGENT);
    assert_false(r.has_interval);
    assert_int_equal(r.facts[0].kind, WIRE_FACT_KIND_SOFTWARE);
    assert_slice(r.facts[0].set[0].value, "{\"version\":\"5.2\"}");
    assert_slice(r.facts[0].remove[0], "vim");
    assert_null(r.facts[0].base.p);
    assert_slice(r.events[0].body, "{\"name\":\"Eicar-Test\",\"later_field\":[1]}");
    assert_slice(message_text(a, &wire_checkin_request_desc, &r), check_in);
    arena_free(&a);
}

static void a_wrong_check_in_is_told_where(void **state)
{
    static const struct {
        const char *from, *to, *code, *field;
    } rows[] = {
        {"\"seq\":1", "\"seq\":0", "field_range", "events[0].seq"},
        {"\"seq\":1", "\"seq\":\"1\"", "field_type", "events[0].seq"},
        {"\"head\":2,", "", "field_missing", "spool.head"},
        {"\"key\":\"bash\",", "", "field_missing", "facts[0].set[0].key"},
        {"\"vim\"", "7", "field_type", "facts[0].remove[0]"},
        {"09:59:59Z", "9:59", "field_format", "events[0].occurred"},
        {"\"facts\":[", "\"facts\":[7,", "field_type", "facts[0]"},
    };
    struct arena *a = arena_new(1u << 20);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *at = strstr(check_in, rows[i].from);
        char *text = arena_printf(a, "%.*s%s%s", (int)(at - check_in), check_in, rows[i].to, at + strlen(rows[i].from));
        struct wire_checkin_request r;
        struct decode_error e = {0};

        assert_int_equal(wire_checkin_request_parse(a, slice_of(text), &r, &e), RC_INVALID);
        assert_string_equal(e.code, rows[i].code);
        assert_string_equal(e.field, rows[i].field);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_agents_go_round),
        cmocka_unit_test(schemas_of_the_console_go_round),
        cmocka_unit_test(a_check_in_arrives_as_it_was_sent),
        cmocka_unit_test(a_wrong_check_in_is_told_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
