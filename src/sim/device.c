/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - see device.h. A check-in under way is a struct flight: it remembers what was told, so that the answer
 * settles just that, whatever has changed meanwhile. One connection per device carries the wake-up stream and the
 * check-ins. */
#include "sim/device.h"
#include "common/event.h"
#include "common/gzip.h"
#include "common/must.h"
#include "sim/life.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUEST_MAX      (1024u * 1024)
#define GZIP_ABOVE       1024
#define EVENTS_MAX       100
#define EVENTS_BYTES     (200u * 1024)
#define HANDSHAKE_NS     (15 * NS_PER_S)
#define ANSWER_NS        (30 * NS_PER_S)
#define SILENCE_NS       (150 * NS_PER_S) /* heartbeats come each 45 to 60 s */
#define REFUSED_NS       (60 * NS_PER_S)
#define BACK_OFF_NS      (2 * NS_PER_S)
#define BACK_OFF_MOST_NS (15 * NS_PER_S)
#define LINE_MAX_BYTES   512
#define ALL_KINDS        ((1u << FLEET_KINDS) - 1)

struct flight {
    enum wire_reason reason;
    uint64_t sent, woken;
    struct facts facts;
    struct sha256 digests[FLEET_KINDS];
    uint8_t kinds, whole; /* bits */
    int64_t last;         /* highest number sent; 0: no events */
    device_done_fn done;
    void *ctx;
};

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t jitter(uint64_t ns) /* half of it to one and a half of it */
{
    return ns / 2 + random_below(ns + 1);
}

void device_init(struct device *d, struct sim *s, unsigned index)
{
    *d = (struct device){.sim = s, .index = index, .boot = uuid_new()};
    spool_init(&d->spool);
    d->chance = chance_for(s->o.seed, index, 100);
    struct profile p = device_profile(d);
    facts_start(&p, clock_now(), &d->now);
}

void device_done(struct device *d)
{
    poller_disarm(d->sim->poller, &d->timer);
    conn_close(&d->conn);
    free(d->flight);
    if (d->fresh)
        creds_done(d->fresh);
    free(d->fresh);
    tasks_free(d);
    spool_done(&d->spool);
    creds_done(&d->creds);
    free(d->line);
}

struct profile device_profile(const struct device *d)
{
    struct profile p;
    profile_make(d->sim->o.seed, d->index, d->sim->o.language, &p);
    if (d->sim->o.packages)
        p.n_packages = d->sim->o.packages;
    return p;
}

bool device_quiet(const struct device *d)
{
    return d->state != DEVICE_MEMBER || (!d->flight && !d->spool.first && !d->runs);
}

bool device_resumed(const struct device *d)
{
    return d->resumed;
}

bool device_settled(const struct device *d)
{
    return d->facts_digest[0] && d->held == ALL_KINDS && !d->changed && !d->spool.first;
}

bool device_online(const struct device *d)
{
    return d->conn && conn_ready(d->conn);
}

/* ---- what the device has to tell */

void device_changed(struct device *d, enum wire_fact_kind kind)
{
    d->changed |= (uint8_t)(1u << (kind - 1));
    if (!d->due[WIRE_REASON_SPOOL])
        device_due(d, WIRE_REASON_SPOOL, 5 * NS_PER_S);
}

void device_event(struct device *d, enum wire_event_kind kind, struct uuid id, usec_t at, struct slice body)
{
    spool_add(&d->spool, id, kind, at, body)->added_ns = clock_mono_ns();
    d->sim->counts.events_made++;
    device_due(d, WIRE_REASON_SPOOL, NS_PER_S);
}

void device_due(struct device *d, enum wire_reason reason, uint64_t in_ns)
{
    uint64_t at = clock_mono_ns() + in_ns;
    if (!d->due[reason] || at < d->due[reason])
        d->due[reason] = at;
}

/* ---- enrolment */

struct slice device_enrol_request(struct device *d, struct arena *a, const char *token)
{
    struct profile p = device_profile(d);
    struct strbuf b;
    struct json_writer w;
    creds_key_new(&d->creds);
    strbuf_init_arena(&b, a, 16384);
    json_start(&w, &b);
    wire_enrol_request_encode(&w, &(struct wire_enrol_request){.token = slice_of(token),
                                                               .csr_pem = creds_request(&d->creds, a),
                                                               .hostname = slice_of(p.hostname),
                                                               .os_family = p.system->family,
                                                               .agent_version = SLICE(FLEET_AGENT_VERSION),
                                                               .machine_id = slice_of(p.machine_id)});
    return strbuf_slice(&b);
}

/* A member begins with nothing acknowledged, whatever it was before. */
static void forget_membership(struct device *d)
{
    d->revision = 0;
    d->held = d->changed = 0;
    d->facts_digest[0] = '\0';
    spool_renew(&d->spool);
}

enum rc device_enrolled(struct device *d, struct slice answer)
{
    struct arena *a = arena_new(256 * 1024);
    struct wire_enrol_response r;
    struct decode_error error;
    enum rc rc = wire_enrol_response_parse(a, answer, &r, &error);
    if (rc == RC_OK)
        rc = creds_certificate_set(&d->creds, r.certificate_pem);
    if (rc == RC_OK) {
        forget_membership(d);
        d->id = r.device_id;
        d->interval = (int)r.interval;
        d->state = DEVICE_MEMBER;
        d->sim->counts.enrolled++;
        life_past(d);
    }
    arena_free(&a);
    return rc;
}

/* ---- facts */

void device_remember(struct device *d)
{
    char hex[FLEET_KINDS][WIRE_HEX_SIZE];
    struct slice list[FLEET_KINDS];
    for (int i = 0; i < FLEET_KINDS; i++)
        list[i] = d->held & 1u << i ? slice_of(wire_hex(&d->digests[i], hex[i])) : SLICE_NONE;
    wire_facts_digest(list, FLEET_KINDS, d->facts_digest);
}

uint8_t device_untold(const struct device *d)
{
    return d->changed | (d->flight ? d->flight->kinds : 0);
}

static void fact_whole(struct arena *a, struct wire_fact *f, const struct wire_digest_row *rows, size_t n)
{
    f->set = ARENA_ARRAY(a, struct wire_fact_row, n + 1);
    for (size_t i = 0; i < n; i++)
        f->set[i] = (struct wire_fact_row){rows[i].key, rows[i].value};
    f->n_set = n;
}

/* Both lists are in order of keys. False: they are the same. */
static bool fact_delta(struct arena *a, struct wire_fact *f, const struct wire_digest_row *old, size_t n_old,
                       const struct wire_digest_row *rows, size_t n)
{
    f->set = ARENA_ARRAY(a, struct wire_fact_row, n + 1);
    f->remove = ARENA_ARRAY(a, struct slice, n_old + 1);
    for (size_t i = 0, o = 0; i < n || o < n_old;) {
        int order = i == n ? 1 : o == n_old ? -1 : slice_cmp(rows[i].key, old[o].key);
        if (order > 0) {
            f->remove[f->n_remove++] = old[o++].key;
            continue;
        }
        if (order < 0 || !slice_eq(rows[i].value, old[o].value))
            f->set[f->n_set++] = (struct wire_fact_row){rows[i].key, rows[i].value};
        o += order == 0;
        i++;
    }
    return f->n_set + f->n_remove > 0;
}

static char *hex_of(struct arena *a, const struct sha256 *h)
{
    return wire_hex(h, arena_alloc(a, WIRE_HEX_SIZE));
}

static void tell_facts(struct device *d, struct arena *a, struct flight *f, struct wire_checkin_request *r)
{
    struct profile p = device_profile(d);
    unsigned kinds = (d->changed | ~(unsigned)d->held) & ALL_KINDS;
    r->facts = ARENA_ARRAY(a, struct wire_fact, FLEET_KINDS);
    for (int i = 0; i < FLEET_KINDS; i++) {
        if (!(kinds & 1u << i))
            continue;
        enum wire_fact_kind kind = (enum wire_fact_kind)(i + 1);
        struct wire_digest_row *rows, *old;
        size_t n = fleet_rows(a, &p, &d->now, kind, &rows);
        struct wire_fact *fact = &r->facts[r->n_facts];
        *fact = (struct wire_fact){.kind = kind};
        f->digests[i] = wire_kind_digest(rows, n);
        if (!(d->held & 1u << i)) {
            fact_whole(a, fact, rows, n);
            f->whole |= (uint8_t)(1u << i);
        } else {
            size_t n_old = fleet_rows(a, &p, &d->acked, kind, &old);
            if (!fact_delta(a, fact, old, n_old, rows, n))
                continue;
            fact->base = slice_of(hex_of(a, &d->digests[i]));
        }
        fact->digest = slice_of(hex_of(a, &f->digests[i]));
        f->kinds |= (uint8_t)(1u << i);
        r->n_facts++;
    }
    f->facts = d->now;
    d->changed = 0;
}

/* The answer settles what the flight carried; kinds that are wanted whole are not held any more. */
static void facts_settled(struct device *d, const struct flight *f, const struct wire_checkin_response *r)
{
    for (int i = 0; i < FLEET_KINDS; i++) {
        if (!(f->kinds & 1u << i))
            continue;
        d->digests[i] = f->digests[i];
        d->held |= (uint8_t)(1u << i);
    }
    d->acked = f->facts;
    for (size_t i = 0; i < r->n_want_facts; i++)
        if (r->want_facts[i] != WIRE_FACT_KIND_UNKNOWN)
            d->held &= (uint8_t) ~(1u << (r->want_facts[i] - 1));
    device_remember(d);
    if (r->n_want_facts)
        device_due(d, WIRE_REASON_SPOOL, 200 * NS_PER_MS);
}

/* ---- check-in */

static void gone(struct device *d, const char *why)
{
    struct sim *s = d->sim;
    sim_trouble(s, "device %u is refused: %s", d->index, why);
    d->state = DEVICE_GONE;
}

static void refused(struct device *d, const struct conn_answer *answer, enum wire_reason reason)
{
    static const char *const for_good[] = {"device_removed", "certificate_revoked", "certificate_unknown",
                                           "certificate_foreign", "certificate_missing"};
    struct arena *a = arena_new(256 * 1024);
    struct wire_problem p = {0};
    struct decode_error error;
    uint64_t now = clock_mono_ns();
    if (wire_problem_parse(a, answer->body, &p, &error) != RC_OK)
        p = (struct wire_problem){.code = SLICE("?")};
    int seconds = answer->retry_after;
    d->sim->counts.refused++;
    d->sim->counts.failed += answer->status >= 500;
    for (size_t i = 0; i < sizeof(for_good) / sizeof(for_good[0]); i++)
        if (slice_eq(p.code, slice_of(for_good[i])))
            gone(d, for_good[i]);
    if (slice_eq(p.code, SLICE("certificate_expired")))
        d->renew = true;
    if (slice_eq(p.code, SLICE("sequence_gap")))
        spool_renew(&d->spool);
    if (answer->status != 429 && answer->status != 503 && d->state != DEVICE_GONE)
        sim_trouble(d->sim, "a check-in is refused: %d " SLICE_FMT " " SLICE_FMT, answer->status, SLICE_ARG(p.code),
                    SLICE_ARG(p.field));
    uint64_t wait = seconds                 ? (uint64_t)seconds * NS_PER_S + random_below(NS_PER_S)
                    : answer->status == 429 ? NS_PER_S
                                            : REFUSED_NS;
    if (answer->status == 429) {
        d->hold[reason] = now + wait;
    } else {
        for (int i = 0; i < WIRE_REASON_COUNT; i++)
            d->hold[i] = now + wait;
    }
    if (reason == WIRE_REASON_SCHEDULED)
        d->due[reason] = now + wait;
    else
        device_due(d, reason, wait);
    arena_free(&a);
}

static void told_commit(void *ctx, const struct spool_record *r)
{
    struct device *d = ctx;
    struct sim *s = d->sim;
    char device[UUID_TEXT_SIZE], epoch[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];
    if (r->added_ns)
        stats_add(&s->stats, STAT_COMMIT, clock_mono_ns() - r->added_ns);
    if (s->record >= 0)
        strbuf_printf(&s->recorded, "%s %s %" PRId64 " %s %s\n", uuid_text(d->id, device),
                      uuid_text(d->spool.epoch, epoch), r->seq, uuid_text(r->id, id), wire_event_kind_text(r->kind));
}

static void events_settled(struct device *d, const struct flight *f, const struct wire_checkin_response *r)
{
    if (r->new_epoch) {
        d->sim->counts.new_epochs++;
        spool_renew(&d->spool);
        device_due(d, WIRE_REASON_SPOOL, 100 * NS_PER_MS);
        return;
    }
    d->sim->counts.events_acked += spool_ack(&d->spool, r->ack, told_commit, d);
    sim_record(d->sim);
    if (d->spool.first) /* more than one request takes, or not taken */
        device_due(d, WIRE_REASON_SPOOL, r->ack >= f->last ? 0 : NS_PER_S);
    else
        d->due[WIRE_REASON_SPOOL] = d->due[WIRE_REASON_URGENT] = d->due[WIRE_REASON_PROGRESS] = 0;
    if (!d->spool.first && (d->changed || d->held != ALL_KINDS))
        device_due(d, WIRE_REASON_SPOOL, r->n_want_facts ? 200 * NS_PER_MS : 5 * NS_PER_S);
}

static void measure(struct device *d, const struct flight *f, uint64_t now)
{
    enum stat_kind kind = f->last ? STAT_EVENTS : f->whole ? STAT_INVENTORY : f->kinds ? STAT_FACTS : STAT_CHECKIN;
    stats_add(&d->sim->stats, kind, now - f->sent);
    if (f->woken)
        stats_add(&d->sim->stats, STAT_WAKE, now - f->woken);
    d->sim->counts.checkins++;
}

static bool accepted(struct device *d, const struct flight *f, struct slice body)
{
    struct arena *a = arena_new(8 * CONN_ANSWER_MAX);
    struct wire_checkin_response r;
    struct decode_error error;
    uint64_t now = clock_mono_ns();
    bool ok = wire_checkin_response_parse(a, body, &r, &error) == RC_OK;
    if (!ok) {
        sim_trouble(d->sim, "the answer to a check-in cannot be read: %s %s", error.code, error.field);
        device_due(d, f->reason, REFUSED_NS);
    } else {
        measure(d, f, now);
        facts_settled(d, f, &r);
        events_settled(d, f, &r);
        if (r.revision != d->revision)
            tasks_take(d, r.tasks, r.n_tasks, now);
        d->revision = r.revision;
        d->interval = (int)r.interval;
        d->renew |= r.renew;
        d->due[WIRE_REASON_SCHEDULED] = now + (uint64_t)r.next_contact * NS_PER_S;
        d->failures = 0;
    }
    arena_free(&a);
    return ok;
}

static void on_answer(void *ctx, const struct conn_answer *answer)
{
    struct device *d = ctx;
    struct flight *f = d->flight;
    bool ok = false;
    d->flight = NULL;
    if (!answer->failed && answer->status == 200)
        ok = accepted(d, f, answer->body);
    if (!ok)
        d->changed |= f->kinds;
    if (answer->failed) {
        d->sim->counts.retried++;
        device_due(d, f->reason, 0);
    } else if (answer->status != 200) {
        refused(d, answer, f->reason);
    }
    if (f->done)
        f->done(f->ctx, d, ok);
    free(f);
    device_kick(d);
}

static void write_request(struct device *d, struct arena *a, struct flight *f, struct strbuf *b)
{
    char boot[UUID_TEXT_SIZE];
    struct json_writer w;
    struct wire_checkin_request r = {
        .agent_version = SLICE(FLEET_AGENT_VERSION),
        .reason = f->reason,
        .boot_id = slice_of(uuid_text(d->boot, boot)),
        .clock = clock_now(),
        .revision = d->revision,
        .facts_digest = slice_of(d->facts_digest),
        .has_interval = d->sim->o.interval > 0,
        .interval = d->sim->o.interval,
        .spool = {.epoch = d->spool.epoch, .head = d->spool.head, .tail = spool_tail(&d->spool)}};
    if (d->changed || d->held != ALL_KINDS)
        tell_facts(d, a, f, &r);
    else
        f->facts = d->acked;
    if (d->spool.first) {
        r.n_events = spool_batch(&d->spool, a, EVENTS_MAX, EVENTS_BYTES, &r.events);
        f->last = r.events[r.n_events - 1].seq;
    }
    json_start(&w, b);
    wire_checkin_request_encode(&w, &r);
}

void device_checkin(struct device *d, enum wire_reason reason, device_done_fn done, void *ctx)
{
    must(!d->flight && device_online(d));
    struct arena *a = d->sim->scratch;
    struct flight *f = must_alloc(sizeof(*f));
    struct strbuf b;
    *f = (struct flight){.reason = reason, .done = done, .ctx = ctx};
    strbuf_init_arena(&b, a, REQUEST_MAX);
    write_request(d, a, f, &b);
    must(!b.over);
    bool gzip = b.n > GZIP_ABOVE;
    struct slice body = gzip ? gzip_deflate(a, strbuf_slice(&b)) : strbuf_slice(&b);
    f->woken = reason == WIRE_REASON_WAKE ? d->woken : 0;
    d->woken = 0;
    f->sent = clock_mono_ns();
    d->flight = f;
    conn_post(d->conn, "/agent/v1/checkin", body, gzip, on_answer, d);
    arena_reset(a);
}

void device_ask(struct device *d, enum wire_reason reason, void (*done)(void *ctx, const struct conn_answer *),
                void *ctx)
{
    must(device_settled(d) && device_online(d));
    struct arena *a = d->sim->scratch;
    struct flight f = {.reason = reason};
    struct strbuf b;
    strbuf_init_arena(&b, a, REQUEST_MAX);
    write_request(d, a, &f, &b);
    conn_post(d->conn, "/agent/v1/checkin", strbuf_slice(&b), false, done, ctx);
    arena_reset(a);
}

/* ---- wake-up stream */

static void on_line(struct device *d)
{
    struct arena *a = arena_new(16384);
    struct wire_wake_line line;
    struct decode_error error;
    if (wire_wake_line_parse(a, slice_mem(d->line, d->line_n), &line, &error) == RC_OK && line.has_wake &&
        line.wake > d->revision) {
        d->sim->counts.wakes++;
        d->woken = clock_mono_ns();
        device_due(d, WIRE_REASON_WAKE, 0);
    }
    arena_free(&a);
}

static void on_wake_data(void *ctx, struct slice bytes)
{
    struct device *d = ctx;
    d->heard = clock_mono_ns();
    if (!d->line)
        d->line = must_alloc(LINE_MAX_BYTES);
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] != '\n') {
            if (d->line_n < LINE_MAX_BYTES)
                d->line[d->line_n++] = bytes.p[i];
            continue;
        }
        on_line(d);
        d->line_n = 0;
    }
    if (d->line_n == 0) { /* nothing to keep until the next heartbeat */
        free(d->line);
        d->line = NULL;
    }
    device_kick(d);
}

static void on_wake_done(void *ctx, const struct conn_answer *answer)
{
    struct device *d = ctx;
    d->waking = false;
    d->line_n = 0;
    d->sim->counts.failed += answer->status >= 500;
    uint64_t wait = answer->retry_after > 0 ? (uint64_t)answer->retry_after * NS_PER_S
                    : answer->status == 200 ? NS_PER_S
                                            : 10 * NS_PER_S;
    d->next_wake = clock_mono_ns() + jitter(wait);
    device_kick(d);
}

void device_open_wake(struct device *d, uint64_t now)
{
    char path[64];
    snprintf(path, sizeof(path), "/agent/v1/wake?revision=%" PRId64, d->revision);
    d->waking = true;
    d->heard = now;
    conn_get(d->conn, path, on_wake_data, on_wake_done, d);
}

/* ---- renewal */

static void renewal_end(struct device *d)
{
    creds_done(d->fresh);
    free(d->fresh);
    d->fresh = NULL;
}

static void on_renewed(void *ctx, const struct conn_answer *answer)
{
    struct device *d = ctx;
    struct arena *a = arena_new(256 * 1024);
    struct wire_renew_response r;
    struct decode_error error;
    if (!answer->failed && answer->status == 200 && wire_renew_response_parse(a, answer->body, &r, &error) == RC_OK &&
        creds_certificate_set(d->fresh, r.certificate_pem) == RC_OK) {
        creds_done(&d->creds);
        d->creds = *d->fresh;
        *d->fresh = (struct creds){0};
        d->renew = false;
        d->sim->counts.renewals++;
        d->next_connect = clock_mono_ns();
        memset(d->hold, 0, sizeof(d->hold)); /* what was refused was refused to the old one */
        device_due(d, WIRE_REASON_SPOOL, 0);
        renewal_end(d);
        device_disconnect(d); /* as the new one */
    } else {
        if (!answer->failed && answer->status != 429 && answer->status != 503)
            sim_trouble(d->sim, "a renewal is refused: %d", answer->status);
        d->next_renew = clock_mono_ns() + (answer->retry_after ? (uint64_t)answer->retry_after * NS_PER_S : REFUSED_NS);
        renewal_end(d);
    }
    arena_free(&a);
    device_kick(d);
}

static void renew(struct device *d)
{
    struct arena *a = arena_new(64 * 1024);
    struct strbuf b;
    struct json_writer w;
    d->fresh = must_alloc(sizeof(*d->fresh));
    creds_key_new(d->fresh);
    strbuf_init_arena(&b, a, 16384);
    json_start(&w, &b);
    wire_renew_request_encode(&w, &(struct wire_renew_request){.csr_pem = creds_request(d->fresh, a),
                                                               .agent_version = SLICE(FLEET_AGENT_VERSION)});
    d->next_renew = clock_mono_ns() + ANSWER_NS;
    conn_post(d->conn, "/agent/v1/renew", strbuf_slice(&b), false, on_renewed, d);
    arena_free(&a);
}

/* ---- connection */

static void shook(struct device *d)
{
    if (d->handshaking)
        d->sim->handshakes--;
    d->handshaking = false;
}

static void on_ready(void *ctx, bool resumed)
{
    struct device *d = ctx;
    shook(d);
    d->resumed = resumed;
    d->sim->counts.connected++;
    stats_add(&d->sim->stats, resumed ? STAT_CONNECT_RESUMED : STAT_CONNECT_FULL, clock_mono_ns() - d->opened);
    device_kick(d);
}

/* As the agent does it. */
static void back_off(struct device *d, uint64_t now)
{
    uint64_t wait = BACK_OFF_NS << (d->failures < 6 ? d->failures : 6);
    wait = sooner(wait, BACK_OFF_MOST_NS);
    d->failures++;
    d->next_connect = now + wait / 2 + random_below(wait / 2 + 1);
}

static void on_closed(void *ctx, const char *why)
{
    struct device *d = ctx;
    bool was_ready = !d->handshaking;
    shook(d);
    d->conn = NULL;
    d->waking = false;
    if (was_ready) {
        d->sim->counts.connected--;
        d->sim->counts.lost++;
    } else {
        d->sim->counts.connects_failed++;
        creds_session_set(&d->creds, NULL, 0);
        sim_trouble(d->sim, "no connection to %s: %s", conn_target_name(d->sim->target), why);
    }
    back_off(d, clock_mono_ns());
    device_kick(d);
}

bool device_connect(struct device *d)
{
    static const struct conn_callbacks callbacks = {.ready = on_ready, .closed = on_closed};
    char why[300];
    d->opened = clock_mono_ns();
    d->conn = conn_open(d->sim->target, d->sim->poller, &d->creds, &callbacks, d, why, sizeof(why));
    if (!d->conn) {
        d->sim->counts.connects_failed++;
        sim_trouble(d->sim, "%s", why);
        back_off(d, d->opened);
        return false;
    }
    d->handshaking = true;
    d->sim->handshakes++;
    return true;
}

void device_disconnect(struct device *d)
{
    if (!d->conn)
        return;
    if (!d->handshaking)
        d->sim->counts.connected--;
    shook(d);
    conn_close(&d->conn);
    d->waking = false;
    d->line_n = 0;
    if (d->flight) { /* its answer will not come */
        struct flight *f = d->flight;
        d->flight = NULL;
        d->changed |= f->kinds;
        device_due(d, f->reason, 0);
        if (f->done)
            f->done(f->ctx, d, false);
        free(f);
    }
    if (d->fresh)
        renewal_end(d);
}

/* ---- what to do next */

static enum wire_reason pick(struct device *d, uint64_t now, uint64_t *ret_next)
{
    static const enum wire_reason order[] = {WIRE_REASON_URGENT, WIRE_REASON_WAKE,  WIRE_REASON_PROGRESS,
                                             WIRE_REASON_START,  WIRE_REASON_SPOOL, WIRE_REASON_SCHEDULED};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        enum wire_reason r = order[i];
        if (!d->due[r])
            continue;
        uint64_t at = d->due[r] > d->hold[r] ? d->due[r] : d->hold[r];
        if (at <= now)
            return r;
        *ret_next = sooner(*ret_next, at);
    }
    return WIRE_REASON_UNKNOWN;
}

static const char *overdue(const struct device *d, uint64_t now)
{
    if (d->flight && now >= d->flight->sent + ANSWER_NS)
        return "a check-in was not answered in time";
    if (d->fresh && now >= d->next_renew)
        return "a renewal was not answered in time";
    return d->waking && now >= d->heard + SILENCE_NS ? "a wake-up stream is silent" : NULL;
}

static uint64_t online(struct device *d, uint64_t now, uint64_t next)
{
    const char *why = overdue(d, now);
    if (why) {
        sim_trouble(d->sim, "%s", why);
        device_disconnect(d);
        back_off(d, now);
        return d->next_connect;
    }
    if (conn_leaving(d->conn)) {
        if (d->flight || d->fresh)
            return sooner(next, d->flight ? d->flight->sent + ANSWER_NS : d->next_renew);
        device_disconnect(d);
        d->next_connect = now + random_below(3 * NS_PER_S);
        return d->next_connect;
    }
    if (!d->flight && !d->fresh) {
        enum wire_reason reason = pick(d, now, &next);
        if (d->renew && now >= d->next_renew) {
            renew(d);
        } else if (reason != WIRE_REASON_UNKNOWN) {
            for (int i = 0; i < WIRE_REASON_COUNT; i++) /* one check-in tells all */
                if (d->due[i] && d->due[i] <= now && d->hold[i] <= now)
                    d->due[i] = 0;
            device_checkin(d, reason, NULL, NULL);
        }
    }
    if (d->conn && !d->sim->o.no_wake && !d->waking && !d->flight) { /* with the revision that the check-in brought */
        if (now >= d->next_wake)
            device_open_wake(d, now);
        else
            next = sooner(next, d->next_wake);
    }
    if (d->flight)
        next = sooner(next, d->flight->sent + ANSWER_NS);
    if (d->fresh)
        next = sooner(next, d->next_renew);
    return d->waking ? sooner(next, d->heard + SILENCE_NS) : next;
}

static uint64_t offline(struct device *d, uint64_t now, uint64_t next)
{
    if (now < d->next_connect)
        return sooner(next, d->next_connect);
    if (d->sim->handshakes >= (unsigned)d->sim->o.concurrency)
        return sooner(next, now + 20 * NS_PER_MS);
    return device_connect(d) ? sooner(next, now + HANDSHAKE_NS) : sooner(next, d->next_connect);
}

static void step(void *ctx)
{
    struct device *d = ctx;
    uint64_t now = clock_mono_ns();
    if (d->state != DEVICE_MEMBER) {
        device_disconnect(d);
        return;
    }
    uint64_t next = life_step(d, now);
    if (!d->conn) {
        next = offline(d, now, next);
    } else if (!conn_ready(d->conn)) {
        if (now >= d->opened + HANDSHAKE_NS) {
            sim_trouble(d->sim, "no TLS handshake within %d s", (int)(HANDSHAKE_NS / NS_PER_S));
            d->sim->counts.connects_failed++;
            device_disconnect(d);
            back_off(d, now);
            next = sooner(next, d->next_connect);
        } else {
            next = sooner(next, d->opened + HANDSHAKE_NS);
        }
    } else {
        next = online(d, now, next);
    }
    if (next != UINT64_MAX)
        poller_arm(d->sim->poller, &d->timer, next);
}

/* Not at once: kicks come from inside callbacks of the connection. */
void device_kick(struct device *d)
{
    if (d->timer.fn)
        poller_arm(d->sim->poller, &d->timer, 1);
}

void device_start(struct device *d, uint64_t at_ns)
{
    d->timer.fn = step;
    d->timer.ctx = d;
    d->next_connect = at_ns;
    d->due[WIRE_REASON_START] = at_ns;
    life_plan(d, clock_mono_ns());
    poller_arm(d->sim->poller, &d->timer, at_ns);
}
