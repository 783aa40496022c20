/* SPDX-License-Identifier: Apache-2.0 */
/* test_checkin.c - the rules of a check-in that need no database. */
/* links: domain wire call common */
#include "domain/checkin.h"
#include "unit/common/unit.h"
#include "wire/digest.h"

static struct call *call_new(void)
{
    struct call *c = test_calloc(1, sizeof *c);
    c->arena = arena_new(CALL_ARENA_CEILING);
    return c;
}

static void call_end(struct call *c)
{
    arena_free(&c->arena);
    test_free(c);
}

static struct wire_event event_of(struct call *c, int64_t seq, enum wire_event_kind kind, const char *body)
{
    struct wire_event e = {.seq = seq, .id = uuid_new(), .kind = kind, .occurred = clock_now(), .body = slice_of(body)};
    struct sha256 h = wire_event_hash(e.id, slice_of(wire_event_kind_text(kind)), e.occurred, e.body);
    e.hash = slice_of(wire_hex(&h, arena_alloc(c->arena, WIRE_HEX_SIZE)));
    return e;
}

#define AUDIT "{\"action\":\"test\"}"

static void good_events_pass(void **state)
{
    (void)state;
    struct call *c = call_new();
    struct wire_event events[] = {event_of(c, 4, WIRE_EVENT_KIND_AUDIT, AUDIT),
                                  event_of(c, 5, WIRE_EVENT_KIND_AUDIT, AUDIT)};
    struct wire_checkin_request r = {.spool = {.head = 5, .tail = 4}, .events = events, .n_events = 2};
    assert_int_equal(checkin_check(c, &r), RC_OK);
    call_end(c);
}

static void refused(struct call *c, const struct wire_checkin_request *r, enum problem p, const char *field)
{
    assert_int_equal(checkin_check(c, r), RC_INVALID);
    assert_int_equal(c->fault.problem, p);
    assert_string_equal(c->fault.field, field);
    call_end(c);
}

static void gaps_and_numbers_above_the_head_are_named(void **state)
{
    (void)state;
    struct call *c = call_new();
    struct wire_event gap[] = {event_of(c, 4, WIRE_EVENT_KIND_AUDIT, AUDIT),
                               event_of(c, 6, WIRE_EVENT_KIND_AUDIT, AUDIT)};
    refused(c, &(struct wire_checkin_request){.spool = {.head = 6}, .events = gap, .n_events = 2}, PROBLEM_field_range,
            "events[1].seq");
    c = call_new();
    struct wire_event future[] = {event_of(c, 9, WIRE_EVENT_KIND_AUDIT, AUDIT)};
    refused(c, &(struct wire_checkin_request){.spool = {.head = 8}, .events = future, .n_events = 1},
            PROBLEM_field_range, "events[0].seq");
}

static void wrong_hashes_and_bodies_are_named(void **state)
{
    (void)state;
    struct call *c = call_new();
    struct wire_event e[] = {event_of(c, 1, WIRE_EVENT_KIND_AUDIT, AUDIT)};
    e[0].occurred++;
    refused(c, &(struct wire_checkin_request){.spool = {.head = 1}, .events = e, .n_events = 1}, PROBLEM_field_value,
            "events[0].hash");
    c = call_new();
    struct wire_event b[] = {event_of(c, 1, WIRE_EVENT_KIND_DETECTION, "{\"name\":\"x\"}")};
    refused(c, &(struct wire_checkin_request){.spool = {.head = 1}, .events = b, .n_events = 1}, PROBLEM_field_missing,
            "events[0].body.type");
}

static void facts_are_checked_by_kind(void **state)
{
    (void)state;
    struct call *c = call_new();
    struct wire_fact_row rows[] = {{.key = SLICE("-"), .value = SLICE("{\"family\":\"linux\"}")}};
    struct wire_fact facts[] = {{.kind = WIRE_FACT_KIND_OS, .set = rows, .n_set = 1}};
    refused(c, &(struct wire_checkin_request){.facts = facts, .n_facts = 1}, PROBLEM_field_missing,
            "facts[0].set[0].value.name");
    c = call_new();
    struct wire_fact_row same[] = {{.key = SLICE("a"), .value = SLICE("{}")},
                                   {.key = SLICE("b"), .value = SLICE("{}")}};
    struct slice gone[] = {{"b", 1}};
    struct wire_fact both[] = {{.kind = WIRE_FACT_KIND_USERS, .set = same, .n_set = 2, .remove = gone, .n_remove = 1}};
    refused(c, &(struct wire_checkin_request){.facts = both, .n_facts = 1}, PROBLEM_field_value, "facts[0].set");
    c = call_new();
    struct wire_fact twice[] = {{.kind = WIRE_FACT_KIND_USERS}, {.kind = WIRE_FACT_KIND_USERS}};
    refused(c, &(struct wire_checkin_request){.facts = twice, .n_facts = 2}, PROBLEM_field_value, "facts[1].kind");
}

static void the_floor_is_a_clamp(void **state)
{
    (void)state;
    struct tenant lite = {.min_interval = 1200, .status = TENANT_ACTIVE},
                  fast = {.min_interval = 10, .status = TENANT_ACTIVE};
    struct wire_checkin_request none = {0}, below = {.has_interval = true, .interval = 1199},
                                at = {.has_interval = true, .interval = 1200},
                                above = {.has_interval = true, .interval = 5000};
    assert_int_equal(checkin_interval(&lite, &none, 60), 1200);
    assert_int_equal(checkin_interval(&lite, &below, 60), 1200);
    assert_int_equal(checkin_interval(&lite, &at, 60), 1200);
    assert_int_equal(checkin_interval(&lite, &above, 60), 5000);
    assert_int_equal(checkin_interval(&fast, &none, 60), 60);
    fast.status = TENANT_SUSPENDED;
    assert_int_equal(checkin_interval(&fast, &none, 60), 3600);
    for (int i = 0; i < 1000; i++)
        assert_in_range(checkin_next_contact(1200), 1200, 1260);
}

static void unchanged_needs_everything_equal(void **state)
{
    (void)state;
    struct wire_checkin_request r = {.revision = 3, .facts_digest = SLICE("d")};
    assert_true(checkin_unchanged(&r, true, 3, SLICE("d")));
    assert_false(checkin_unchanged(&r, false, 3, SLICE("d")));
    assert_false(checkin_unchanged(&r, true, 4, SLICE("d")));
    assert_false(checkin_unchanged(&r, true, 3, SLICE("e")));
    r.n_events = 1;
    assert_false(checkin_unchanged(&r, true, 3, SLICE("d")));
}

static void certificates_renew_in_the_last_third(void **state)
{
    (void)state;
    const usec_t day = 86400 * USEC_PER_SEC;
    assert_false(checkin_renew(90 * day, 0, 90));
    assert_false(checkin_renew(31 * day, 0, 90));
    assert_true(checkin_renew(29 * day, 0, 90));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_events_pass),
        cmocka_unit_test(gaps_and_numbers_above_the_head_are_named),
        cmocka_unit_test(wrong_hashes_and_bodies_are_named),
        cmocka_unit_test(facts_are_checked_by_kind),
        cmocka_unit_test(the_floor_is_a_clamp),
        cmocka_unit_test(unchanged_needs_everything_equal),
        cmocka_unit_test(certificates_renew_in_the_last_third),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
