/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit.c - the canonical form of an audit record and its hash, against a vector that was made apart from this
 * code (tests/integration/audit/chain.py writes the same form in another language), and what is told apart by it. */
/* links: store call common */
#include "store/audit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct uuid id(const char *text)
{
    struct uuid u;

    assert_true(uuid_parse(slice_of(text), &u));
    return u;
}

static struct audit_record sample(void)
{
    return (struct audit_record){.id = id("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
                                 .at = INT64_C(1795514400) * USEC_PER_SEC + 120,
                                 .account = id("11111111-2222-4333-8444-555555555555"),
                                 .name = SLICE("\xe5\xb1\xb1\xe7\x94\xb0"),
                                 .address = SLICE("192.0.2.7"),
                                 .action = SLICE("device.update"),
                                 .object_type = SLICE("device"),
                                 .object_id = id("99999999-8888-4777-8666-555555555555"),
                                 .object_name = SLICE(""),
                                 .result = SLICE("done"),
                                 .detail = SLICE("{\"changes\":[]}"),
                                 .seq = 7};
}

static void test_form(void **state)
{
    struct arena *a = arena_new(65536);
    struct audit_record r = sample();
    const char *want = "2:v11:736:0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b27:2026-11-24T10:00:00.000120Z"
                       "36:11111111-2222-4333-8444-5555555555556:\xe5\xb1\xb1\xe7\x94\xb0-:9:192.0.2.713:device.update"
                       "6:device36:99999999-8888-4777-8666-5555555555550:4:done-:14:{\"changes\":[]}";

    (void)state;
    struct slice form = audit_canonical(a, &r);
    assert_int_equal(form.n, strlen(want));
    assert_memory_equal(form.p, want, form.n);
    arena_free(&a);
}

static void test_hash(void **state)
{
    struct arena *a = arena_new(65536);
    struct audit_record r = sample();
    struct sha256 before = audit_start(7), hash = audit_hash(a, &before, &r);
    struct strbuf hex;

    (void)state;
    strbuf_init_arena(&hex, a, 64);
    strbuf_add_hex(&hex, hash.b, sizeof hash.b);
    assert_string_equal(hex.p, "ea58786f9bb54f5fdf7fd547d51ad7daaa2f4b99b12d19b3fc163f3d4e8aee5d");
    arena_free(&a);
}

/* Absent is not empty, and no boundary between fields can be moved. */
static void test_distinct(void **state)
{
    struct arena *a = arena_new(65536);
    struct audit_record x = sample(), y = sample();
    struct sha256 before = audit_start(1), hx, hy;

    (void)state;
    x.object_name = SLICE_NONE;
    hx = audit_hash(a, &before, &x);
    hy = audit_hash(a, &before, &y);
    assert_memory_not_equal(hx.b, hy.b, sizeof hx.b);
    x = y = sample();
    x.address = SLICE("12"), x.action = SLICE("3");
    y.address = SLICE("1"), y.action = SLICE("23");
    hx = audit_hash(a, &before, &x);
    hy = audit_hash(a, &before, &y);
    assert_memory_not_equal(hx.b, hy.b, sizeof hx.b);
    arena_free(&a);
}

static void test_changes(void **state)
{
    struct arena *a = arena_new(1024 * 1024);
    struct audit_change in[] = {{"name", SLICE("a\"b"), SLICE("c")}, {"group", SLICE_NONE, SLICE("")}}, *out;

    (void)state;
    struct slice text = audit_detail(a, in, 2);
    assert_string_equal(text.p, "{\"changes\":[{\"field\":\"name\",\"before\":\"a\\\"b\",\"after\":\"c\"},"
                                "{\"field\":\"group\",\"after\":\"\"}]}");
    assert_int_equal(audit_detail_read(a, text, &out), 2);
    assert_string_equal(out[0].field, "name");
    assert_true(slice_eq(out[0].before, in[0].before));
    assert_null(out[1].before.p);
    assert_non_null(out[1].after.p);
    /* Records of before the chain, and what is no JSON at all, have no changes. */
    assert_int_equal(audit_detail_read(a, SLICE("{\"targets\": [\"/srv\"]}"), &out), 0);
    assert_int_equal(audit_detail_read(a, SLICE("{}"), &out), 0);
    assert_int_equal(audit_detail_read(a, SLICE("not json"), &out), 0);
    assert_null(audit_detail(a, in, 0).p);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_form), cmocka_unit_test(test_hash),
                                       cmocka_unit_test(test_distinct), cmocka_unit_test(test_changes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
