/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.c - see inventory.h. Three states of a kind: now (rows with their texts), acknowledged and on its way (one
 * hash a row). A change that does not fit into one request goes in steps; each step is a valid state with its own
 * digest. */
#include "agent/inventory.h"
#include "common/event.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

#define KINDS            (WIRE_FACT_KIND_COUNT - 1)
#define HASH             16
#define ROW_OVERHEAD     24
#define ROWS_PER_REQUEST 8000
#define FILE_MAX         (8u << 20)

struct mark { /* of one row at the server */
    struct slice key;
    uint8_t hash[HASH];
};

struct marks {
    struct arena *a;
    struct mark *v; /* in order of keys */
    size_t n;
    char digest[WIRE_HEX_SIZE]; /* "": nothing */
};

struct row {
    struct slice key;
    struct slice value;
    uint8_t hash[HASH];
};

struct kind {
    struct arena *a;
    struct row *v; /* in order of keys, each once */
    size_t n;
    char digest[WIRE_HEX_SIZE]; /* "": never read */
    struct marks acked;
    struct marks flight;
    bool in_flight;
};

struct inventory {
    const struct agent_config *cfg;
    char *path;
    char *version;
    struct kind kinds[KINDS];
    uint64_t read_at; /* monotonic ns of the last complete reading; 0: never */
    uint64_t software_stamp;
    uint64_t users_stamp;
};

static struct kind *kind_of(struct inventory *inv, enum wire_fact_kind kind)
{
    must(kind > WIRE_FACT_KIND_UNKNOWN && kind < WIRE_FACT_KIND_COUNT);
    return &inv->kinds[kind - 1];
}

static void hash_of(struct slice value, uint8_t ret[HASH])
{
    struct sha256 h = crypto_sha256(value);
    memcpy(ret, h.b, HASH);
}

static void marks_clear(struct marks *m)
{
    arena_free(&m->a);
    *m = (struct marks){0};
}

/* --- the file: "1", then per kind "kind <name> <digest>" and lines "<hash> <key>", then "end <crc>" */

static void save(const struct inventory *inv)
{
    struct strbuf b;
    strbuf_init(&b, FILE_MAX);
    strbuf_add_str(&b, "1\n");
    for (size_t k = 0; k < KINDS; k++) {
        const struct marks *m = &inv->kinds[k].acked;
        if (!m->digest[0])
            continue;
        strbuf_printf(&b, "kind %s %s\n", wire_fact_kind_text((enum wire_fact_kind)(k + 1)), m->digest);
        for (size_t i = 0; i < m->n; i++) {
            strbuf_add_hex(&b, m->v[i].hash, HASH);
            strbuf_add_char(&b, ' ');
            strbuf_add(&b, m->v[i].key);
            strbuf_add_char(&b, '\n');
        }
    }
    strbuf_printf(&b, "end %lu\n", crc32(crc32(0, NULL, 0), (const Bytef *)b.p, (uInt)b.n));
    /* When it cannot be written, a restart sends whole kinds again: a cost, no loss. */
    if (b.over || file_write(inv->path, strbuf_slice(&b), 0600) != RC_OK)
        ev_warn(AREA_AGENT, "acknowledged facts not saved", EV_STR("file", inv->path));
    strbuf_done(&b);
}

static bool whole(struct slice text)
{
    size_t at = text.n;
    if (at < 2 || text.p[at - 1] != '\n')
        return false;
    at--;
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    struct slice last = slice_trim((struct slice){text.p + at, text.n - at});
    uint64_t crc;
    return slice_eq(slice_cut(&last, ' '), SLICE("end")) && slice_u64(last, &crc) &&
           crc == crc32(crc32(0, NULL, 0), (const Bytef *)text.p, (uInt)at);
}

static void load(struct inventory *inv)
{
    struct arena *a = arena_new(FILE_MAX + 4096);
    struct slice text;
    if (file_read(a, inv->path, FILE_MAX, &text) != RC_OK || !whole(text) ||
        !slice_eq(slice_cut(&text, '\n'), SLICE("1"))) {
        arena_free(&a);
        return;
    }
    struct marks *m = NULL;
    size_t cap = 0;
    while (text.n) {
        struct slice line = slice_cut(&text, '\n'), first = slice_cut(&line, ' ');
        uint8_t hash[HASH];
        size_t n;
        if (slice_eq(first, SLICE("kind"))) {
            enum wire_fact_kind kind = wire_fact_kind_parse(slice_cut(&line, ' '));
            m = NULL;
            if (kind == WIRE_FACT_KIND_UNKNOWN || line.n != WIRE_HEX_SIZE - 1)
                continue;
            m = &kind_of(inv, kind)->acked;
            marks_clear(m);
            m->a = arena_new(FILE_MAX * 2);
            memcpy(m->digest, line.p, line.n);
            cap = 0;
        } else if (m && slice_unhex(first, hash, HASH, &n) && n == HASH) {
            if (m->n == cap) {
                cap = cap ? cap * 2 : 16;
                struct mark *v = ARENA_ARRAY(m->a, struct mark, cap);
                if (m->n)
                    memcpy(v, m->v, m->n * sizeof(*v));
                m->v = v;
            }
            struct mark *r = &m->v[m->n++];
            r->key = arena_copy(m->a, line);
            memcpy(r->hash, hash, HASH);
        }
    }
    arena_free(&a);
}

struct inventory *inventory_new(const struct agent_config *cfg, const char *path, const char *agent_version)
{
    struct inventory *inv = must_alloc(sizeof(*inv));
    inv->cfg = cfg;
    inv->path = must_strdup(path);
    inv->version = must_strdup(agent_version);
    load(inv);
    return inv;
}

void inventory_free(struct inventory **invp)
{
    struct inventory *inv = *invp;
    if (!inv)
        return;
    *invp = NULL;
    for (size_t k = 0; k < KINDS; k++) {
        arena_free(&inv->kinds[k].a);
        marks_clear(&inv->kinds[k].acked);
        marks_clear(&inv->kinds[k].flight);
    }
    free(inv->path);
    free(inv->version);
    free(inv);
}

/* --- reading */

void inventory_set(struct inventory *inv, enum wire_fact_kind kind, const struct fact_rows *rows)
{
    struct kind *k = kind_of(inv, kind);
    struct sha256 sum = wire_kind_digest(rows->v, rows->n); /* sorts */
    char digest[WIRE_HEX_SIZE];
    size_t n = 0;
    bool twice = false;
    for (size_t i = 1; i < rows->n; i++)
        twice = twice || slice_eq(rows->v[i].key, rows->v[i - 1].key);
    if (!twice && strcmp(wire_hex(&sum, digest), k->digest) == 0)
        return;
    arena_free(&k->a);
    k->a = arena_new(64u << 20);
    k->v = ARENA_ARRAY(k->a, struct row, rows->n ? rows->n : 1);
    for (size_t i = 0; i < rows->n; i++) {
        if (i && slice_eq(rows->v[i].key, rows->v[i - 1].key))
            continue;
        struct row *r = &k->v[n++];
        r->key = arena_copy(k->a, rows->v[i].key);
        r->value = arena_copy(k->a, rows->v[i].value);
        hash_of(r->value, r->hash);
    }
    k->n = n;
    if (twice) {
        struct wire_digest_row *once = must_alloc(n * sizeof(*once));
        for (size_t i = 0; i < n; i++)
            once[i] = (struct wire_digest_row){k->v[i].key, k->v[i].value};
        sum = wire_kind_digest(once, n);
        free(once);
    }
    wire_hex(&sum, k->digest);
}

static void read_kind(struct inventory *inv, enum wire_fact_kind kind)
{
    struct fact_rows rows = {.a = arena_new(64u << 20)};
    switch (kind) {
    case WIRE_FACT_KIND_IDENTITY:
        facts_identity(inv->cfg, inv->version, &rows);
        break;
    case WIRE_FACT_KIND_OS:
        facts_os(inv->cfg, &rows);
        break;
    case WIRE_FACT_KIND_HARDWARE:
        facts_hardware(inv->cfg, &rows);
        break;
    case WIRE_FACT_KIND_NETWORK:
        facts_network(inv->cfg, &rows);
        break;
    case WIRE_FACT_KIND_SOFTWARE:
        facts_software(inv->cfg, &rows);
        break;
    case WIRE_FACT_KIND_USERS:
        facts_users(inv->cfg, &rows);
        break;
    default:
        break;
    }
    inventory_set(inv, kind, &rows);
    arena_free(&rows.a);
}

void inventory_refresh(struct inventory *inv, bool all)
{
    uint64_t now = clock_mono_ns();
    if (inv->read_at == 0 || now - inv->read_at >= (uint64_t)inv->cfg->facts_period * UINT64_C(1000000000))
        all = true;
    if (all) {
        inv->read_at = now ? now : 1;
        read_kind(inv, WIRE_FACT_KIND_IDENTITY);
        read_kind(inv, WIRE_FACT_KIND_OS);
        read_kind(inv, WIRE_FACT_KIND_HARDWARE);
        read_kind(inv, WIRE_FACT_KIND_NETWORK);
    }
    uint64_t stamp = facts_software_stamp(inv->cfg);
    if (!kind_of(inv, WIRE_FACT_KIND_SOFTWARE)->digest[0] || stamp != inv->software_stamp) {
        inv->software_stamp = stamp;
        read_kind(inv, WIRE_FACT_KIND_SOFTWARE);
    }
    stamp = facts_users_stamp(inv->cfg);
    if (!kind_of(inv, WIRE_FACT_KIND_USERS)->digest[0] || stamp != inv->users_stamp) {
        inv->users_stamp = stamp;
        read_kind(inv, WIRE_FACT_KIND_USERS);
    }
}

static bool waits(const struct kind *k)
{
    return k->digest[0] && strcmp(k->digest, k->acked.digest) != 0;
}

bool inventory_kind_waits(const struct inventory *inv, enum wire_fact_kind kind)
{
    return waits(&inv->kinds[kind - 1]);
}

bool inventory_waits(const struct inventory *inv)
{
    for (size_t k = 0; k < KINDS; k++)
        if (waits(&inv->kinds[k]))
            return true;
    return false;
}

void inventory_digest(const struct inventory *inv, char ret[WIRE_HEX_SIZE])
{
    struct slice digests[KINDS];
    for (size_t k = 0; k < KINDS; k++)
        digests[k] = slice_of(inv->kinds[k].acked.digest);
    wire_facts_digest(digests, KINDS, ret);
}

/* --- building a change */

struct budget {
    size_t bytes;
    size_t rows;
};

static bool afford(struct budget *b, size_t bytes)
{
    if (b->rows == 0 || b->bytes < bytes)
        return false;
    b->bytes -= bytes;
    b->rows--;
    return true;
}

static size_t cost(const struct row *r)
{
    /* quotes and backslashes of a key are few; its escapes cost no more than this */
    return r->key.n * 2 + r->value.n + ROW_OVERHEAD;
}

/* How the rows of now stand to those at the server. */
struct change {
    bool *take; /* per row of now: part of the state after this step */
    bool *send;
    struct slice *remove;
    size_t n_send;
    size_t n_remove;
    bool partial;
};

static void take_first(const struct kind *k, struct budget *b, struct change *c)
{
    for (size_t i = 0; i < k->n && !c->partial; i++) {
        c->partial = !afford(b, cost(&k->v[i]));
        c->take[i] = c->send[i] = !c->partial;
        c->n_send += c->send[i];
    }
}

/* False when what must go in one step does not fit. */
static bool take_difference(const struct kind *k, struct budget *b, struct arena *a, struct change *c)
{
    const struct marks *m = &k->acked;
    c->remove = ARENA_ARRAY(a, struct slice, m->n ? m->n : 1);
    bool *fresh = ARENA_ARRAY(a, bool, k->n ? k->n : 1);
    size_t i = 0, j = 0;
    while (i < k->n || j < m->n) {
        int order = i == k->n ? 1 : j == m->n ? -1 : slice_cmp(k->v[i].key, m->v[j].key);
        if (order < 0) {
            fresh[i++] = true;
        } else if (order > 0) {
            if (!afford(b, m->v[j].key.n * 2 + ROW_OVERHEAD))
                return false;
            c->remove[c->n_remove++] = arena_copy(a, m->v[j++].key);
        } else {
            c->take[i] = true;
            if (memcmp(k->v[i].hash, m->v[j].hash, HASH) != 0) {
                if (!afford(b, cost(&k->v[i])))
                    return false;
                c->send[i] = true;
                c->n_send++;
            }
            i++;
            j++;
        }
    }
    for (i = 0; i < k->n; i++) {
        if (!fresh[i])
            continue;
        if (!afford(b, cost(&k->v[i]))) {
            c->partial = true;
            break;
        }
        c->take[i] = c->send[i] = true;
        c->n_send++;
    }
    return true;
}

/* Remembers the state after the step as on its way, and gives its digest. */
static void fly(struct kind *k, const struct change *c)
{
    marks_clear(&k->flight);
    struct marks *m = &k->flight;
    m->a = arena_new(64u << 20);
    m->v = ARENA_ARRAY(m->a, struct mark, k->n ? k->n : 1);
    struct wire_digest_row *rows = must_alloc((k->n ? k->n : 1) * sizeof(*rows));
    for (size_t i = 0; i < k->n; i++) {
        if (!c->take[i])
            continue;
        rows[m->n] = (struct wire_digest_row){k->v[i].key, k->v[i].value};
        m->v[m->n].key = arena_copy(m->a, k->v[i].key);
        memcpy(m->v[m->n].hash, k->v[i].hash, HASH);
        m->n++;
    }
    struct sha256 sum = wire_kind_digest(rows, m->n);
    wire_hex(&sum, m->digest);
    free(rows);
    k->in_flight = true;
}

/* False: nothing of this kind fits any more. */
static bool build_kind(struct kind *k, enum wire_fact_kind kind, struct budget *b, bool alone, struct arena *a,
                       struct wire_fact *ret, bool *ret_more)
{
    struct change c = {.take = ARENA_ARRAY(a, bool, k->n ? k->n : 1), .send = ARENA_ARRAY(a, bool, k->n ? k->n : 1)};
    struct budget mine = *b;
    bool from_nothing = k->acked.digest[0] == '\0';
    if (!from_nothing && !take_difference(k, &mine, a, &c)) {
        if (!alone)
            return false;
        from_nothing = true; /* too much for one step: begin anew, row by row */
        memset(c.take, 0, k->n * sizeof(*c.take));
        memset(c.send, 0, k->n * sizeof(*c.send));
        c.n_send = c.n_remove = 0;
        c.partial = false;
        mine = *b;
    }
    if (from_nothing)
        take_first(k, &mine, &c);
    if (c.partial && c.n_send == 0 && c.n_remove == 0)
        return false;
    *b = mine;
    fly(k, &c);
    *ret = (struct wire_fact){.kind = kind, .remove = c.remove, .n_remove = c.n_remove};
    ret->digest = slice_of(arena_strdup(a, k->flight.digest));
    if (!from_nothing)
        ret->base = slice_of(arena_strdup(a, k->acked.digest));
    ret->set = ARENA_ARRAY(a, struct wire_fact_row, c.n_send ? c.n_send : 1);
    for (size_t i = 0; i < k->n; i++)
        if (c.send[i])
            ret->set[ret->n_set++] = (struct wire_fact_row){arena_copy(a, k->v[i].key), arena_copy(a, k->v[i].value)};
    *ret_more = *ret_more || c.partial;
    return true;
}

size_t inventory_build(struct inventory *inv, struct arena *a, size_t max_bytes, struct wire_fact **ret, bool *ret_more)
{
    struct wire_fact *list = ARENA_ARRAY(a, struct wire_fact, KINDS);
    struct budget b = {.bytes = max_bytes, .rows = ROWS_PER_REQUEST};
    size_t n = 0;
    bool more = false;
    inventory_failed(inv); /* an older attempt is over */
    for (size_t i = 0; i < KINDS; i++) {
        if (!waits(&inv->kinds[i]))
            continue;
        if (build_kind(&inv->kinds[i], (enum wire_fact_kind)(i + 1), &b, n == 0, a, &list[n], &more))
            n++;
        else
            more = true;
    }
    *ret = list;
    *ret_more = more;
    return n;
}

void inventory_failed(struct inventory *inv)
{
    for (size_t i = 0; i < KINDS; i++) {
        marks_clear(&inv->kinds[i].flight);
        inv->kinds[i].in_flight = false;
    }
}

void inventory_answered(struct inventory *inv, struct slice facts_digest, const enum wire_fact_kind *want,
                        size_t n_want)
{
    bool changed = false;
    for (size_t i = 0; i < KINDS; i++) {
        struct kind *k = &inv->kinds[i];
        if (!k->in_flight)
            continue;
        marks_clear(&k->acked);
        k->acked = k->flight;
        k->flight = (struct marks){0};
        k->in_flight = false;
        changed = true;
    }
    for (size_t i = 0; i < n_want; i++) {
        if (want[i] == WIRE_FACT_KIND_UNKNOWN)
            continue;
        changed = changed || kind_of(inv, want[i])->acked.digest[0];
        marks_clear(&kind_of(inv, want[i])->acked);
    }
    char ours[WIRE_HEX_SIZE];
    inventory_digest(inv, ours);
    if (n_want == 0 && !slice_eq(facts_digest, slice_of(ours))) {
        ev_warn(AREA_AGENT, "the server holds other facts; all are sent again");
        inventory_forget(inv);
        return;
    }
    if (changed)
        save(inv);
}

void inventory_forget(struct inventory *inv)
{
    inventory_failed(inv);
    for (size_t i = 0; i < KINDS; i++)
        marks_clear(&inv->kinds[i].acked);
    save(inv);
}
