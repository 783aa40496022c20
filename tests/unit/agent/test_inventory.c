/* SPDX-License-Identifier: Apache-2.0 */
/* test_inventory.c - changes of facts: a small server applies what inventory_build gives, and must end up with the same
 * rows and the same digests, whatever is changed, refused, cut or forgotten in between. */
#include "agent/inventory.h"
#include "common/event.h"
#include "common/strbuf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* after the headers that it needs */
#include <cmocka.h>

#define ROWS 400

struct held { /* rows of one kind at the server */
    char *key[ROWS * 2];
    char *value[ROWS * 2];
    size_t n;
    char digest[WIRE_HEX_SIZE];
};

struct server {
    struct held kind[WIRE_FACT_KIND_COUNT];
};

static void held_clear(struct held *h)
{
    for (size_t i = 0; i < h->n; i++) {
        free(h->key[i]);
        free(h->value[i]);
    }
    h->n = 0;
    h->digest[0] = '\0';
}

static void held_drop(struct held *h, struct slice key)
{
    for (size_t i = 0; i < h->n; i++)
        if (slice_eq(slice_of(h->key[i]), key)) {
            free(h->key[i]);
            free(h->value[i]);
            h->n--;
            h->key[i] = h->key[h->n];
            h->value[i] = h->value[h->n];
            return;
        }
}

static bool apply(struct server *s, const struct wire_fact *f)
{
    struct held *h = &s->kind[f->kind];
    if (f->base.p && !slice_eq(f->base, slice_of(h->digest)))
        return false;
    if (!f->base.p)
        held_clear(h);
    for (size_t i = 0; i < f->n_remove; i++)
        held_drop(h, f->remove[i]);
    for (size_t i = 0; i < f->n_set; i++) {
        held_drop(h, f->set[i].key);
        h->key[h->n] = strndup(f->set[i].key.p, f->set[i].key.n);
        h->value[h->n++] = strndup(f->set[i].value.p, f->set[i].value.n);
    }
    struct wire_digest_row rows[ROWS * 2];
    for (size_t i = 0; i < h->n; i++)
        rows[i] = (struct wire_digest_row){slice_of(h->key[i]), slice_of(h->value[i])};
    struct sha256 sum = wire_kind_digest(rows, h->n);
    wire_hex(&sum, h->digest);
    assert_true(slice_eq(f->digest, slice_of(h->digest))); /* the agent said the same */
    return true;
}

static void server_digest(const struct server *s, char ret[WIRE_HEX_SIZE])
{
    struct slice d[WIRE_FACT_KIND_COUNT - 1];
    for (size_t k = 1; k < WIRE_FACT_KIND_COUNT; k++)
        d[k - 1] = slice_of(s->kind[k].digest);
    wire_facts_digest(d, WIRE_FACT_KIND_COUNT - 1, ret);
}

/* One check-in. Returns bytes of rows that went over. */
static size_t exchange(struct inventory *inv, struct server *s, size_t max, bool *ret_more)
{
    struct arena *a = arena_new(64 << 20);
    struct wire_fact *facts;
    enum wire_fact_kind want[WIRE_FACT_KIND_COUNT];
    size_t n_want = 0, bytes = 0, n = inventory_build(inv, a, max, &facts, ret_more);
    char ours[WIRE_HEX_SIZE], theirs[WIRE_HEX_SIZE];
    inventory_digest(inv, ours);
    server_digest(s, theirs);
    bool same = strcmp(ours, theirs) == 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < facts[i].n_set; k++)
            bytes += facts[i].set[k].key.n + facts[i].set[k].value.n;
        if (!apply(s, &facts[i]))
            want[n_want++] = facts[i].kind;
    }
    for (size_t k = 1; !same && k < WIRE_FACT_KIND_COUNT; k++) {
        bool whole = false;
        for (size_t i = 0; i < n; i++)
            whole = whole || ((size_t)facts[i].kind == k && !facts[i].base.p);
        bool listed = false;
        for (size_t i = 0; i < n_want; i++)
            listed = listed || (size_t)want[i] == k;
        if (!whole && !listed)
            want[n_want++] = (enum wire_fact_kind)k;
    }
    server_digest(s, theirs);
    inventory_answered(inv, slice_of(theirs), want, n_want);
    arena_free(&a);
    return bytes;
}

static int converge(struct inventory *inv, struct server *s, size_t max)
{
    int turns = 0;
    bool more;
    while (inventory_waits(inv)) {
        size_t bytes = exchange(inv, s, max, &more);
        assert_true(bytes <= max);
        assert_true(++turns < 2000);
    }
    return turns;
}

struct fixture {
    struct agent_config cfg;
    struct inventory *inv;
    struct server s;
    int values[ROWS]; /* 0: absent */
    char path[64];
};

static void set_rows(struct fixture *f)
{
    struct fact_rows rows = {.a = arena_new(16 << 20)};
    for (size_t i = 0; i < ROWS; i++) {
        if (!f->values[i])
            continue;
        struct strbuf v;
        strbuf_init_arena(&v, rows.a, 4096);
        strbuf_printf(&v, "{\"version\":\"%d\"}", f->values[i]);
        fact_add(&rows, slice_of(arena_printf(rows.a, "package %03zu", i * 7 % ROWS)), &v);
    }
    inventory_set(f->inv, WIRE_FACT_KIND_SOFTWARE, &rows);
    arena_free(&rows.a);
}

static void assert_same(struct fixture *f)
{
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        n += f->values[i] != 0;
    struct held *h = &f->s.kind[WIRE_FACT_KIND_SOFTWARE];
    assert_int_equal(h->n, n);
    for (size_t i = 0; i < ROWS; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "package %03zu", i * 7 % ROWS);
        snprintf(value, sizeof(value), "{\"version\":\"%d\"}", f->values[i]);
        bool found = false;
        for (size_t k = 0; k < h->n; k++)
            found = found || (strcmp(h->key[k], key) == 0 && strcmp(h->value[k], value) == 0);
        assert_int_equal(found, f->values[i] != 0);
    }
    char ours[WIRE_HEX_SIZE], theirs[WIRE_HEX_SIZE];
    inventory_digest(f->inv, ours);
    server_digest(&f->s, theirs);
    assert_string_equal(ours, theirs);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char why[300];
    snprintf(f->path, sizeof(f->path), "/tmp/sekisho-facts-XXXXXX");
    close(mkstemp(f->path));
    assert_int_equal(config_load(&f->cfg, NULL, true, NULL, 0, why, sizeof(why)), RC_OK);
    f->inv = inventory_new(&f->cfg, f->path, "1");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    inventory_free(&f->inv);
    for (size_t k = 0; k < WIRE_FACT_KIND_COUNT; k++)
        held_clear(&f->s.kind[k]);
    config_done(&f->cfg);
    unlink(f->path);
    free(f);
    return 0;
}

static void test_changes(void **state)
{
    struct fixture *f = *state;
    bool more;
    for (size_t i = 0; i < ROWS; i++)
        f->values[i] = 1;
    set_rows(f);
    assert_int_equal(converge(f->inv, &f->s, 1 << 20), 1);
    assert_same(f);
    f->values[5] = 2; /* changed */
    f->values[9] = 0; /* removed */
    set_rows(f);
    assert_true(inventory_kind_waits(f->inv, WIRE_FACT_KIND_SOFTWARE));
    assert_true(exchange(f->inv, &f->s, 1 << 20, &more) < 60); /* one row goes, not 400 */
    assert_same(f);
    f->values[9] = 3; /* new */
    set_rows(f);
    assert_true(exchange(f->inv, &f->s, 1 << 20, &more) < 60);
    assert_same(f);
    assert_false(inventory_waits(f->inv));
    set_rows(f); /* the same again is no change */
    assert_false(inventory_waits(f->inv));
    memset(f->values, 0, sizeof(f->values));
    set_rows(f); /* no rows at all is a state too */
    converge(f->inv, &f->s, 1 << 20);
    assert_same(f);
}

static void test_restart(void **state)
{
    struct fixture *f = *state;
    bool more;
    for (size_t i = 0; i < ROWS; i++)
        f->values[i] = 1;
    set_rows(f);
    converge(f->inv, &f->s, 1 << 20);
    inventory_free(&f->inv);
    f->inv = inventory_new(&f->cfg, f->path, "1");
    f->values[1] = 2;
    set_rows(f);
    assert_true(exchange(f->inv, &f->s, 1 << 20, &more) < 60); /* what was acknowledged is still known */
    assert_same(f);
    /* the file is damaged: everything goes again */
    inventory_free(&f->inv);
    assert_int_equal(truncate(f->path, 200), 0);
    f->inv = inventory_new(&f->cfg, f->path, "1");
    set_rows(f);
    converge(f->inv, &f->s, 1 << 20);
    assert_same(f);
}

static void test_lost_answer_and_lost_server(void **state)
{
    struct fixture *f = *state;
    bool more;
    struct wire_fact *facts;
    for (size_t i = 0; i < ROWS; i++)
        f->values[i] = 1;
    set_rows(f);
    converge(f->inv, &f->s, 1 << 20);
    f->values[3] = 4;
    set_rows(f);
    struct arena *a = arena_new(8 << 20);
    assert_int_equal(inventory_build(f->inv, a, 1 << 20, &facts, &more), 1);
    assert_true(apply(&f->s, &facts[0])); /* the server has it, but its answer is lost */
    inventory_failed(f->inv);
    f->values[4] = 5;
    set_rows(f);
    converge(f->inv, &f->s, 1 << 20);
    assert_same(f);
    for (size_t k = 0; k < WIRE_FACT_KIND_COUNT; k++) /* a server that knows nothing any more */
        held_clear(&f->s.kind[k]);
    f->values[8] = 9;
    set_rows(f);
    converge(f->inv, &f->s, 1 << 20);
    assert_same(f);
    arena_free(&a);
}

static void test_in_steps(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ROWS; i++)
        f->values[i] = (int)i + 1;
    set_rows(f);
    assert_true(converge(f->inv, &f->s, 1500) > 5);
    assert_same(f);
    for (size_t i = 0; i < ROWS; i++) /* more changes than one request takes: row by row anew */
        f->values[i] = (int)i + 1000;
    set_rows(f);
    converge(f->inv, &f->s, 1500);
    assert_same(f);
}

static void test_random(void **state)
{
    struct fixture *f = *state;
    bool more;
    random_seed(7);
    for (int turn = 0; turn < 300; turn++) {
        for (uint64_t n = random_below(20); n > 0; n--)
            f->values[random_below(ROWS)] = (int)random_below(4);
        if (random_below(30) == 0)
            for (size_t i = 0; i < ROWS; i++)
                f->values[i] = (int)random_below(3);
        set_rows(f);
        exchange(f->inv, &f->s, 600 + random_below(3000), &more);
        if (random_below(20) == 0)
            held_clear(&f->s.kind[WIRE_FACT_KIND_SOFTWARE]);
        if (random_below(20) == 0) {
            inventory_free(&f->inv);
            f->inv = inventory_new(&f->cfg, f->path, "1");
            set_rows(f);
        }
    }
    converge(f->inv, &f->s, 4000);
    assert_same(f);
    random_seed(0);
}

static void test_this_machine(void **state)
{
    struct fixture *f = *state;
    bool more;
    struct arena *a = arena_new(64 << 20);
    struct wire_fact *facts;
    inventory_refresh(f->inv, true);
    assert_true(inventory_build(f->inv, a, 8 << 20, &facts, &more) >= 5);
    assert_false(more);
    inventory_failed(f->inv);
    inventory_refresh(f->inv, false);
    arena_free(&a);
}

int main(void)
{
    event_setup(EVENT_ERROR, "/dev/null");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_answer_and_lost_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_this_machine, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
