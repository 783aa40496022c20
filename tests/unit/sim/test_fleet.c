/* SPDX-License-Identifier: Apache-2.0 */
/* links: sim wire common */
/* test_fleet.c - the generator: one seed is one fleet, all that it tells has the form of the protocol, and what changes
 * shows in the rows of its kind alone. */
#include "common/map.h"
#include "sim/fleet.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SOME 300
#define AT   (INT64_C(1795514400) * USEC_PER_SEC)

static struct slice all_rows(struct arena *a, uint64_t seed, unsigned index, enum fleet_language language)
{
    struct profile p;
    struct facts f;
    struct strbuf b;
    profile_make(seed, index, language, &p);
    facts_start(&p, AT, &f);
    strbuf_init_arena(&b, a, 4 << 20);
    for (int k = WIRE_FACT_KIND_IDENTITY; k <= WIRE_FACT_KIND_PROBLEMS; k++) {
        struct wire_digest_row *rows;
        size_t n = fleet_rows(a, &p, &f, (enum wire_fact_kind)k, &rows);
        for (size_t i = 0; i < n; i++)
            strbuf_printf(&b, "%d " SLICE_FMT "=" SLICE_FMT "\n", k, SLICE_ARG(rows[i].key), SLICE_ARG(rows[i].value));
    }
    assert_false(b.over);
    return strbuf_slice(&b);
}

static void test_same_seed_same_fleet(void **state)
{
    (void)state;
    struct arena *a = arena_new(256u << 20);
    for (unsigned i = 0; i < 40; i++) {
        struct slice one = all_rows(a, 7, i, FLEET_MIX), two = all_rows(a, 7, i, FLEET_MIX),
                     other = all_rows(a, 8, i, FLEET_MIX);
        assert_true(slice_eq(one, two));
        assert_false(slice_eq(one, other));
        assert_false(slice_eq(one, all_rows(a, 7, i + 1, FLEET_MIX)));
    }
    arena_free(&a);
}

static enum rc decode(struct arena *a, enum wire_fact_kind kind, struct slice key, struct slice v,
                      struct decode_error *e)
{
    switch (kind) {
    case WIRE_FACT_KIND_IDENTITY:
        return wire_value_identity_parse(a, v, ARENA_NEW(a, struct wire_value_identity), e);
    case WIRE_FACT_KIND_OS:
        return wire_value_os_parse(a, v, ARENA_NEW(a, struct wire_value_os), e);
    case WIRE_FACT_KIND_HARDWARE:
        if (slice_starts(key, SLICE("disk:")))
            return wire_value_disk_parse(a, v, ARENA_NEW(a, struct wire_value_disk), e);
        if (slice_starts(key, SLICE("fs:")))
            return wire_value_filesystem_parse(a, v, ARENA_NEW(a, struct wire_value_filesystem), e);
        return wire_value_machine_parse(a, v, ARENA_NEW(a, struct wire_value_machine), e);
    case WIRE_FACT_KIND_NETWORK:
        return wire_value_adapter_parse(a, v, ARENA_NEW(a, struct wire_value_adapter), e);
    case WIRE_FACT_KIND_SOFTWARE:
        return wire_value_software_parse(a, v, ARENA_NEW(a, struct wire_value_software), e);
    case WIRE_FACT_KIND_USERS:
        return wire_value_user_parse(a, v, ARENA_NEW(a, struct wire_value_user), e);
    case WIRE_FACT_KIND_PROTECTION:
        return wire_value_protection_parse(a, v, ARENA_NEW(a, struct wire_value_protection), e);
    case WIRE_FACT_KIND_PROBLEMS:
        return wire_value_problem_parse(a, v, ARENA_NEW(a, struct wire_value_problem), e);
    case WIRE_FACT_KIND_UNKNOWN:
        break;
    }
    return RC_INVALID;
}

/* What a server checks: the form of each value, keys once and in order, and the text as a parser writes it again
 * (hashes are made over that). */
static void test_rows_have_their_form(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOME; i++) {
        struct arena *a = arena_new(64u << 20);
        struct profile p;
        struct facts f;
        profile_make(3, i, FLEET_MIX, &p);
        facts_start(&p, AT, &f);
        for (int k = WIRE_FACT_KIND_IDENTITY; k <= WIRE_FACT_KIND_PROBLEMS; k++) {
            struct wire_digest_row *rows;
            size_t n = fleet_rows(a, &p, &f, (enum wire_fact_kind)k, &rows);
            for (size_t r = 0; r < n; r++) {
                struct decode_error e = {0};
                struct json_error je;
                if (decode(a, (enum wire_fact_kind)k, rows[r].key, rows[r].value, &e) != RC_OK)
                    fail_msg("%.*s %.*s: %s %s", SLICE_ARG(rows[r].key), SLICE_ARG(rows[r].value), e.code, e.field);
                struct slice again = json_text(a, json_parse(a, rows[r].value, JSON_LIMITS_DEFAULT, &je));
                assert_true(slice_eq(again, rows[r].value));
                assert_true(r == 0 || slice_cmp(rows[r - 1].key, rows[r].key) < 0);
            }
            if (k == WIRE_FACT_KIND_SOFTWARE) {
                assert_int_equal(n, p.n_packages);
                assert_in_range(n, 120, 400);
            }
        }
        arena_free(&a);
    }
}

static void test_packages_differ(void **state)
{
    (void)state;
    for (int style = STYLE_WINDOWS; style <= STYLE_RPM; style++) {
        struct map *seen = map_new(0);
        for (unsigned i = 0; i < CATALOGUE_PACKAGES; i++) {
            struct catalogue_package p;
            catalogue_package((enum package_style)style, i, &p);
            assert_null(map_put(seen, slice_of(p.name), seen));
        }
        map_free(&seen, NULL);
    }
}

static void test_fleet_is_mixed(void **state)
{
    (void)state;
    unsigned families[WIRE_OS_FAMILY_COUNT] = {0}, servers = 0, japanese = 0, kanji = 0, outdated = 0, off = 0;
    struct map *hosts = map_new(0), *addresses = map_new(0);
    for (unsigned i = 0; i < 1000; i++) {
        struct profile p;
        struct facts f;
        profile_make(1, i, FLEET_MIX, &p);
        facts_start(&p, AT, &f);
        families[p.system->family]++;
        servers += p.system->server;
        japanese += p.japanese;
        kanji += (unsigned char)p.hostname[0] >= 0x80;
        outdated += f.since[PROBLEM_MODULES_OUTDATED] != 0;
        off += !f.protection_on;
        assert_null(map_put(hosts, slice_of(p.hostname), hosts));
        assert_null(map_put(addresses, slice_of(p.ip), addresses));
        assert_true(f.boot_at < AT && p.n_users > 0);
    }
    assert_in_range(families[WIRE_OS_FAMILY_WINDOWS], 550, 800);
    assert_in_range(families[WIRE_OS_FAMILY_MACOS], 80, 220);
    assert_in_range(families[WIRE_OS_FAMILY_LINUX], 80, 260);
    assert_in_range(servers, 150, 350);
    assert_in_range(japanese, 400, 600);
    assert_in_range(kanji, 80, 300);
    assert_in_range(outdated, 20, 90);
    assert_in_range(off, 5, 45);
    map_free(&hosts, NULL);
    map_free(&addresses, NULL);
    for (unsigned i = 0; i < 100; i++) {
        struct profile p;
        profile_make(1, i, FLEET_EN, &p);
        for (const char *s = p.hostname; *s; s++)
            assert_true((unsigned char)*s < 0x80);
    }
}

static void test_an_update_changes_one_row(void **state)
{
    (void)state;
    struct arena *a = arena_new(64u << 20);
    struct profile p;
    struct facts f, g;
    struct wire_digest_row *before, *after;
    profile_make(5, 11, FLEET_EN, &p);
    facts_start(&p, AT, &f);
    g = f;
    g.n_updates = 1;
    g.updated[0] = 17;
    g.times[0] = 2;
    size_t n = fleet_rows(a, &p, &f, WIRE_FACT_KIND_SOFTWARE, &before),
           m = fleet_rows(a, &p, &g, WIRE_FACT_KIND_SOFTWARE, &after);
    unsigned differ = 0;
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        assert_true(slice_eq(before[i].key, after[i].key));
        differ += !slice_eq(before[i].value, after[i].value);
    }
    assert_int_equal(differ, 1);
    struct sha256 x = wire_kind_digest(before, n), y = wire_kind_digest(after, m);
    assert_memory_not_equal(x.b, y.b, sizeof(x.b));
    arena_free(&a);
}

static void test_chance(void **state)
{
    (void)state;
    struct chance c = chance_for(1, 2, 3), same = chance_for(1, 2, 3);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        assert_true(chance_below(&c, 7) < 7);
        sum += chance_exponential(&same, 10);
    }
    assert_true(sum / 10000 > 9.5 && sum / 10000 < 10.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_fleet),      cmocka_unit_test(test_rows_have_their_form),
        cmocka_unit_test(test_packages_differ),           cmocka_unit_test(test_fleet_is_mixed),
        cmocka_unit_test(test_an_update_changes_one_row), cmocka_unit_test(test_chance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
