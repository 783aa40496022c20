/* SPDX-License-Identifier: Apache-2.0 */
/* test_file.c - plan and tenant files: what is taken, and the exact sentence for what is not. */
/* links: provision common */
#include "provision/file.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define HEAD  "{\"id\":\"acme\",\"name\":\"Acme\",\"plan\":\"lite\",\"seats\":6"
#define ADMIN ",\"accounts\":[{\"name\":\"admin\",\"display_name\":\"A\"}]"
#define PLAN(seats, more)                                                                                    \
    "{\"id\":\"lite\",\"seats\":" seats ",\"limits\":{\"min_interval\":1200,\"api_per_minute\":600}," more   \
    "\"entitlements\":{\"android\":false,\"ios\":false,\"notifications\":false,\"scheduled_reports\":false," \
    "\"multi_user\":false,\"audit_screen\":false,\"tenant_backup\":false}}"

static char why[400];

static enum rc parse(struct arena *a, const char *text, struct provision_file *f)
{
    why[0] = 0;
    return file_parse(a, "f.json", slice_of(text), f, why, sizeof(why));
}

static void refused(const char *text, const char *sentence)
{
    struct arena *a = arena_new(1024 * 1024);
    struct provision_file f;

    assert_int_equal(parse(a, text, &f), RC_INVALID);
    assert_string_equal(why, sentence);
    arena_free(&a);
}

static void a_tenant(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct provision_file f;

    (void)state;
    assert_int_equal(
        parse(a,
              HEAD ",\"language\":\"en\",\"hosts\":[\"a.example.com\"],\"groups\":[\"Tokyo\",\"大阪\"]" ADMIN
                   ",\"enrolment_tokens\":[{\"name\":\"t\",\"group\":\"大阪\",\"max_uses\":5},{\"name\":\"u\"}]}",
              &f),
        RC_OK);
    assert_int_equal(f.kind, FILE_TENANT);
    assert_int_equal(f.u.tenant.seats, 6);
    assert_true(slice_eq(f.u.tenant.time_zone, SLICE("Asia/Tokyo")));
    assert_int_equal(f.u.tenant.n_groups, 2);
    assert_true(slice_eq(f.u.tenant.accounts[0].language, SLICE("en")));
    assert_int_equal(f.u.tenant.tokens[0].max_uses, 5);
    assert_null(f.u.tenant.tokens[1].group.p);
    assert_int_equal(parse(a, HEAD ",\"accounts\":[]}", &f), RC_OK); /* they come by another way */
    assert_int_equal(f.u.tenant.n_accounts, 0);
    arena_free(&a);
}

static void a_plan(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct provision_file f;

    (void)state;
    assert_int_equal(parse(a, PLAN("{\"min\":6,\"max\":249}", ""), &f), RC_OK);
    assert_int_equal(f.kind, FILE_PLAN);
    assert_int_equal(f.u.plan.seats_max, 249);
    assert_int_equal(parse(a, PLAN("{\"min\":25,\"max\":null}", ""), &f), RC_OK);
    assert_int_equal(f.u.plan.seats_max, 0);
    arena_free(&a);
}

static void sentences(void **state)
{
    (void)state;
    refused(HEAD "}", "f.json: accounts: is missing.");
    refused(HEAD ADMIN ",\"langauge\":\"ja\"}", "f.json: langauge: is unknown; allowed are id, name, plan, seats, "
                                                "time_zone, language, hosts, groups, accounts, enrolment_tokens.");
    refused(HEAD ADMIN ",\"language\":\"de\"}", "f.json: language: must be one of ja, en.");
    refused(HEAD ADMIN ",\"hosts\":[\"ok.example\",\"Bad.example\"]}",
            "f.json: hosts[1]: must be a host name in lower case, such as console.example.com.");
    refused(HEAD ADMIN ",\"hosts\":[\"x.example:8443\"]}",
            "f.json: hosts[0]: must be a host name in lower case, such as console.example.com.");
    refused(HEAD ADMIN ",\"groups\":[\"A\",\"a\"]}", "f.json: groups[1]: is there twice.");
    refused(HEAD ADMIN ",\"groups\":[\" A\"]}",
            "f.json: groups[0]: must have no control characters and no blanks at either end.");
    refused(HEAD ADMIN ",\"enrolment_tokens\":[{\"name\":\"t\",\"group\":\"X\"}]}",
            "f.json: enrolment_tokens[0].group: is not one of groups.");
    refused(HEAD ADMIN ",\"enrolment_tokens\":[{\"name\":\"t\",\"max_uses\":0}]}",
            "f.json: enrolment_tokens[0].max_uses: must be a whole number from 1 to 100000.");
    refused(HEAD ",\"accounts\":[{\"name\":\"a/b\",\"display_name\":\"A\"}]}",
            "f.json: accounts[0].name: must be letters, digits and . _ @ + - only.");
    refused(HEAD ",\"accounts\":[{\"name\":\"ab\"}]}", "f.json: accounts[0].display_name: is missing.");
    refused("{\"id\":\"Acme\",\"name\":\"x\",\"plan\":\"lite\",\"seats\":6" ADMIN "}",
            "f.json: id: must be 3 to 40 lower-case letters, digits and hyphens, a letter first, no hyphen last.");
    refused("{\"id\":\"acme\",\"name\":\"x\",\"plan\":\"lite\",\"seats\":6.5" ADMIN "}",
            "f.json: seats: must be a whole number from 1 to 1000000.");
    refused("{\"id\":\"acme\",\"name\":\"x\",\"plan\":\"lite\",\"seats\":\"6\"" ADMIN "}",
            "f.json: seats: must be a whole number from 1 to 1000000.");
    refused(
        "{\"id\":\"acme\"}",
        "f.json: is neither a plan (id, seats, limits, entitlements) nor a tenant (id, name, plan, seats, accounts).");
    refused("[]", "f.json: must be an object.");
    refused(PLAN("{\"min\":6,\"max\":5}", ""), "f.json: seats.max: must not be less than seats.min.");
    refused(PLAN("{\"min\":6}", ""), "f.json: seats.max: is missing.");
    refused(PLAN("{\"min\":0,\"max\":5}", ""), "f.json: seats.min: must be a whole number from 1 to 1000000.");
    refused(PLAN("{\"min\":1,\"max\":5}", "\"price\":1,"),
            "f.json: price: is unknown; allowed are id, seats, limits, entitlements.");
}

static void broken_json(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct provision_file f;

    (void)state;
    assert_int_equal(parse(a, "{\"id\":", &f), RC_INVALID);
    assert_non_null(strstr(why, "f.json: is not JSON"));
    assert_int_equal(parse(a, HEAD ",\"id\":\"twice\"}", &f), RC_INVALID);
    assert_non_null(strstr(why, "f.json: is not JSON"));
    arena_free(&a);
}

static void seats(void **state)
{
    struct plan_file lite = {.id = SLICE("lite"), .seats_min = 6, .seats_max = 249};
    struct plan_file dedicated = {.id = SLICE("dedicated"), .seats_min = 25};

    (void)state;
    assert_false(plan_seats_fit(&lite, 5, why, sizeof(why)));
    assert_string_equal(why, "Plan lite allows 6 to 249 seats; 5 were asked for.");
    assert_true(plan_seats_fit(&lite, 6, why, sizeof(why)));
    assert_true(plan_seats_fit(&lite, 249, why, sizeof(why)));
    assert_false(plan_seats_fit(&lite, 250, why, sizeof(why)));
    assert_string_equal(why, "Plan lite allows 6 to 249 seats; 250 were asked for.");
    assert_false(plan_seats_fit(&dedicated, 24, why, sizeof(why)));
    assert_string_equal(why, "Plan dedicated allows 25 seats or more; 24 were asked for.");
    assert_true(plan_seats_fit(&dedicated, 1000000, why, sizeof(why)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant),    cmocka_unit_test(a_plan), cmocka_unit_test(sentences),
        cmocka_unit_test(broken_json), cmocka_unit_test(seats),
    };

    /* With files as arguments: says of each whether it is taken, for the comparison with the JSON Schemas. */
    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            struct arena *a = arena_new(16 * 1024 * 1024);
            struct provision_file *f;
            size_t n;
            enum rc rc = file_collect(a, argv[i], &f, &n, why, sizeof(why));

            printf("%s\t%s\n", rc == RC_OK ? "ok" : "no", rc == RC_OK ? "" : why);
            arena_free(&a);
        }
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
