/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - see sim.h. Enrolment has its own connections, each of which enrols one device after the other. */
#include "sim/sim.h"
#include "common/must.h"
#include "sim/device.h"
#include "sim/state.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SAVE_EVERY   (60 * NS_PER_S)
#define ENROL_TRIES  6
#define ENROL_ANSWER (30 * NS_PER_S)
#define NUMBERS_LIFE 1000000 /* numbers that one life of a recording fleet may use */

volatile int sim_stop;

void sim_trouble(struct sim *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->why, sizeof(s->why), fmt, args);
    va_end(args);
    uint64_t now = clock_mono_ns();
    if (s->said && now < s->said + NS_PER_S)
        return;
    s->said = now;
    fprintf(stderr, "sekisho-sim: %s\n", s->why);
}

/* ---- begin and end */

static void raise_files(unsigned devices)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < devices + 64) {
        r.rlim_cur = r.rlim_max < devices + 64 ? r.rlim_max : devices + 64;
        (void)setrlimit(RLIMIT_NOFILE, &r); /* what is missing is told when a socket cannot be made */
    }
}

/* After a kill the state file may be older than what was sent: a recording fleet takes numbers that no life before it
 * used, so that the same number twice is always a fault of the server. */
static enum rc record_open(struct sim *s, char *why, size_t why_size)
{
    s->record = open(s->o.record_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (s->record < 0) {
        snprintf(why, why_size, "the record file %s cannot be written (%s)", s->o.record_file, strerror(errno));
        return RC_UNAVAILABLE;
    }
    for (unsigned i = 0; i < s->o.devices; i++)
        if (s->devices[i].state == DEVICE_MEMBER)
            s->devices[i].numbered = (s->devices[i].numbered / NUMBERS_LIFE + 1) * NUMBERS_LIFE;
    return RC_OK;
}

void sim_record(struct sim *s)
{
    size_t at = 0;
    while (at < s->recorded.n && !s->record_failed) {
        ssize_t n = write(s->record, s->recorded.p + at, s->recorded.n - at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            sim_trouble(s, "the record file %s cannot be written", s->o.record_file);
            s->record_failed = true;
            sim_stop++;
        }
    }
    strbuf_clear(&s->recorded);
}

enum rc sim_new(const struct sim_options *o, struct sim **ret, char *ret_why, size_t why_size)
{
    struct sim *s = must_alloc(sizeof(*s));
    bool known = false;
    s->o = *o;
    s->poller = poller_new();
    s->record = -1;
    strbuf_init(&s->recorded, SIZE_MAX / 2);
    strbuf_init(&s->beyond, SIZE_MAX / 2);
    s->scratch = arena_new(64u << 20);
    raise_files(o->devices);
    enum rc rc = conn_target_new(o->server, o->ca_file, o->local_addresses, &s->target, ret_why, why_size);
    if (rc == RC_OK && o->state_file) {
        rc = state_head(o->state_file, &s->o.seed, &s->o.language, ret_why, why_size);
        known = rc == RC_OK;
        rc = rc == RC_NOT_FOUND ? RC_OK : rc;
    }
    if (rc == RC_OK) {
        s->devices = must_alloc(s->o.devices * sizeof(*s->devices));
        for (unsigned i = 0; i < s->o.devices; i++)
            device_init(&s->devices[i], s, i);
        if (known)
            rc = state_load(s, o->state_file, ret_why, why_size);
    }
    if (rc == RC_OK && o->record_file)
        rc = record_open(s, ret_why, why_size);
    if (rc != RC_OK)
        sim_free(&s);
    else
        *ret = s;
    return rc;
}

void sim_free(struct sim **sp)
{
    struct sim *s = *sp;
    if (!s)
        return;
    *sp = NULL;
    for (unsigned i = 0; s->devices && i < s->o.devices; i++)
        device_done(&s->devices[i]);
    free(s->devices);
    strbuf_done(&s->beyond);
    strbuf_done(&s->recorded);
    if (s->record >= 0)
        close(s->record);
    conn_target_free(&s->target);
    poller_free(&s->poller);
    arena_free(&s->scratch);
    free(s);
}

enum rc sim_save(struct sim *s)
{
    if (!s->o.state_file)
        return RC_OK;
    enum rc rc = state_save(s, s->o.state_file);
    if (rc != RC_OK)
        sim_trouble(s, "the state file %s cannot be written", s->o.state_file);
    return rc;
}

static unsigned count_state(const struct sim *s, enum device_state state)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->o.devices; i++)
        n += s->devices[i].state == state;
    return n;
}

/* ---- enrolment */

struct enroller {
    struct sim *sim;
    struct conn *conn;
    struct device *device; /* in work; NULL: the next one is to be taken */
    struct poller_timer timer;
    uint64_t asked;
    int tries;
    bool waiting; /* for an answer */
};

static void enrol_fail(struct enroller *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void enrol_fail(struct enroller *e, const char *fmt, ...)
{
    va_list args;
    if (!e->sim->enrol_failed) {
        va_start(args, fmt);
        vsnprintf(e->sim->why, sizeof(e->sim->why), fmt, args);
        va_end(args);
    }
    e->sim->enrol_failed = true;
    conn_close(&e->conn); /* sim_enrol ends now */
    poller_disarm(e->sim->poller, &e->timer);
}

static void enrol_later(struct enroller *e, uint64_t ns)
{
    e->waiting = false;
    poller_arm(e->sim->poller, &e->timer, clock_mono_ns() + ns);
}

static void enrol_refused(struct enroller *e, const struct conn_answer *answer)
{
    struct arena *a = arena_new(256 * 1024);
    struct wire_problem p;
    struct decode_error error;
    if (answer->status == 429 || answer->status == 503) {
        enrol_later(e,
                    (uint64_t)(answer->retry_after ? answer->retry_after : 1) * NS_PER_S + random_below(NS_PER_S / 4));
    } else if (wire_problem_parse(a, answer->body, &p, &error) == RC_OK) {
        enrol_fail(e, "the server refuses to enrol: " SLICE_FMT " (" SLICE_FMT ")", SLICE_ARG(p.title),
                   SLICE_ARG(p.code));
    } else {
        enrol_fail(e, "the server refuses to enrol with status %d; is %s the agents' port?", answer->status,
                   conn_target_name(e->sim->target));
    }
    arena_free(&a);
}

static void on_enrolled(void *ctx, const struct conn_answer *answer)
{
    struct enroller *e = ctx;
    e->waiting = false;
    if (answer->failed)
        return; /* closed follows */
    if (answer->status != 200 && answer->status != 201) {
        enrol_refused(e, answer);
        return;
    }
    if (device_enrolled(e->device, answer->body) != RC_OK) {
        enrol_fail(e, "the server's answer to an enrolment cannot be used");
        return;
    }
    stats_add(&e->sim->stats, STAT_ENROL, clock_mono_ns() - e->asked);
    e->device = NULL;
    e->tries = 0;
    enrol_later(e, 0);
}

static const char *token_of(const struct device *d)
{
    const struct sim_options *o = &d->sim->o;
    return o->tokens[d->index % o->n_tokens];
}

static void enrol_ask(struct enroller *e)
{
    struct arena *a = e->sim->scratch;
    e->asked = clock_mono_ns();
    e->waiting = true;
    conn_post(e->conn, "/agent/v1/enrol", device_enrol_request(e->device, a, token_of(e->device)), false, on_enrolled,
              e);
    arena_reset(a);
    poller_arm(e->sim->poller, &e->timer, e->asked + ENROL_ANSWER);
}

static void on_enrol_ready(void *ctx, bool resumed)
{
    (void)resumed;
    enrol_later(ctx, 0);
}

static void on_enrol_closed(void *ctx, const char *why)
{
    struct enroller *e = ctx;
    e->conn = NULL;
    if (++e->tries >= ENROL_TRIES || strstr(why, "not trusted"))
        enrol_fail(e, "no connection to %s: %s", conn_target_name(e->sim->target), why);
    else
        enrol_later(e, (NS_PER_S / 8 << e->tries) + random_below(NS_PER_S / 4));
}

static void enrol_next(struct enroller *e)
{
    static const struct conn_callbacks callbacks = {.ready = on_enrol_ready, .closed = on_enrol_closed};
    struct sim *s = e->sim;
    char why[300];
    if (e->waiting || (e->conn && conn_leaving(e->conn))) { /* no answer in time, or the server leaves */
        conn_close(&e->conn);
        e->waiting = false;
    }
    while (!e->device && s->next_enrol < s->o.devices) {
        struct device *d = &s->devices[s->next_enrol++];
        e->device = d->state == DEVICE_NEW ? d : NULL;
    }
    if (!e->device || s->enrol_failed || sim_stop) {
        conn_close(&e->conn);
        e->device = NULL;
        s->enrolling--;
        return;
    }
    if (!e->conn) {
        e->conn = conn_open(s->target, s->poller, NULL, &callbacks, e, why, sizeof(why));
        if (!e->conn)
            enrol_fail(e, "%s", why);
        else
            poller_arm(s->poller, &e->timer, clock_mono_ns() + ENROL_ANSWER);
    } else if (conn_ready(e->conn)) {
        enrol_ask(e);
    } else {
        enrol_fail(e, "no TLS handshake with %s within %d s", conn_target_name(s->target),
                   (int)(ENROL_ANSWER / NS_PER_S));
    }
}

static void on_enrol_timer(void *ctx)
{
    enrol_next(ctx);
}

enum rc sim_enrol(struct sim *s)
{
    unsigned missing = 0;
    for (unsigned i = 0; i < s->o.devices; i++)
        missing += s->devices[i].state == DEVICE_NEW;
    if (count_state(s, DEVICE_GONE) == s->o.devices) {
        sim_trouble(s, "the server has refused all devices of %s for good; remove the file to enrol new ones",
                    s->o.state_file);
        return RC_DENIED;
    }
    if (missing && !s->o.n_tokens) {
        sim_trouble(s, "%u of %u devices are not enrolled and there is no token (--token or --token-file)", missing,
                    s->o.devices);
        return missing == s->o.devices ? RC_DENIED : RC_OK;
    }
    unsigned n = missing < (unsigned)s->o.concurrency ? missing : (unsigned)s->o.concurrency;
    struct enroller *e = must_alloc((n + 1) * sizeof(*e));
    s->next_enrol = 0;
    s->enrol_failed = false;
    s->enrolling = n;
    for (unsigned i = 0; i < n; i++) {
        e[i] = (struct enroller){.sim = s, .timer = {.fn = on_enrol_timer, .ctx = &e[i]}};
        enrol_later(&e[i], 0);
    }
    while (s->enrolling && !s->enrol_failed && !sim_stop)
        poller_run(s->poller, NS_PER_S / 5);
    for (unsigned i = 0; i < n; i++) {
        conn_close(&e[i].conn);
        poller_disarm(s->poller, &e[i].timer);
    }
    free(e);
    if (missing)
        sim_save(s);
    return s->enrol_failed ? RC_DENIED : RC_OK;
}

/* ---- reports */

static uint64_t waiting_events(const struct sim *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < s->o.devices; i++)
        n += s->devices[i].spool.waiting;
    return n;
}

/* How long the longest-waiting event of this run has been waiting, in milliseconds. */
static uint64_t oldest_waiting(const struct sim *s)
{
    uint64_t oldest = UINT64_MAX, now = clock_mono_ns();
    for (unsigned i = 0; i < s->o.devices; i++) {
        const struct spool_record *r = s->devices[i].spool.first;
        uint64_t at = r ? r->added_ns ? r->added_ns : s->started : UINT64_MAX;
        oldest = at < oldest ? at : oldest;
    }
    return oldest < now ? (now - oldest) / NS_PER_MS : 0;
}

static void write_counts(struct json_writer *w, const struct sim *s)
{
    const struct sim_counts *c = &s->counts;
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"devices", s->o.devices},
               {"members", count_state(s, DEVICE_MEMBER)},
               {"gone", count_state(s, DEVICE_GONE)},
               {"connected", c->connected},
               {"enrolled", c->enrolled},
               {"connects_failed", c->connects_failed},
               {"connections_lost", c->lost},
               {"checkins", c->checkins},
               {"checkins_refused", c->refused},
               {"answers_5xx", c->failed},
               {"checkins_retried", c->retried},
               {"events_made", c->events_made},
               {"events_acknowledged", c->events_acked},
               {"events_waiting", waiting_events(s)},
               {"oldest_waiting_ms", oldest_waiting(s)},
               {"detections_made", c->detections_made},
               {"tasks_run", c->tasks_run},
               {"wakes", c->wakes},
               {"new_epochs", c->new_epochs},
               {"renewals", c->renewals}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        json_key(w, all[i].name);
        json_int(w, (int64_t)all[i].value);
    }
}

void sim_report(struct sim *s, bool final)
{
    static uint64_t last;
    uint64_t now = clock_mono_ns();
    double seconds = (double)(now - (final || !last ? s->started : last)) / 1e9;
    const struct histogram *h = final ? s->stats.total : s->stats.since_report;
    last = now;
    if (s->o.json) {
        struct strbuf b;
        struct json_writer w;
        strbuf_init(&b, 65536);
        json_start(&w, &b);
        json_object_open(&w);
        json_key(&w, "final");
        json_bool(&w, final);
        json_key(&w, "seconds");
        json_num(&w, seconds);
        write_counts(&w, s);
        json_key(&w, "operations");
        stats_write(&w, h, seconds);
        json_object_close(&w);
        printf("%s\n", b.p);
        strbuf_done(&b);
    } else if (!s->o.quiet) {
        printf("%s%.0f s: %u devices, %" PRIu64 " connected, %" PRIu64 " events waiting, %" PRIu64 " refused, %" PRIu64
               " lost\n",
               final ? "In all, " : "", seconds, count_state(s, DEVICE_MEMBER), s->counts.connected, waiting_events(s),
               s->counts.refused, s->counts.lost);
        stats_print(stdout, h, seconds);
    }
    fflush(stdout);
    stats_next(&s->stats);
}

/* ---- the run */

static void start_all(struct sim *s)
{
    uint64_t now = clock_mono_ns(), ramp = (uint64_t)s->o.ramp * NS_PER_S;
    for (unsigned i = 0; i < s->o.devices; i++)
        if (s->devices[i].state == DEVICE_MEMBER)
            device_start(&s->devices[i], now + ramp * i / s->o.devices);
}

static bool all_quiet(const struct sim *s)
{
    for (unsigned i = 0; i < s->o.devices; i++)
        if (!device_quiet(&s->devices[i]))
            return false;
    return true;
}

/* Nothing new happens; what waits goes out. */
static void drain(struct sim *s)
{
    uint64_t until = clock_mono_ns() + (uint64_t)s->o.drain * NS_PER_S;
    int stops = sim_stop;
    s->calm = true;
    for (unsigned i = 0; i < s->o.devices; i++)
        if (!device_quiet(&s->devices[i])) {
            device_due(&s->devices[i], WIRE_REASON_SPOOL, 0);
            device_kick(&s->devices[i]);
        }
    while (!all_quiet(s) && clock_mono_ns() < until && sim_stop <= stops) /* a second signal ends it at once */
        poller_run(s->poller, NS_PER_S / 10);
}

enum rc sim_run(struct sim *s)
{
    s->started = clock_mono_ns();
    uint64_t end = s->o.duration ? s->started + (uint64_t)s->o.duration * NS_PER_S : UINT64_MAX;
    uint64_t every = s->o.report > 0 ? (uint64_t)(s->o.report * 1e9) : UINT64_MAX / 2;
    uint64_t report = s->started + every, save = s->started + SAVE_EVERY;
    if (s->record >= 0)
        sim_save(s); /* the numbers that this life may use */
    start_all(s);
    for (uint64_t now = s->started; now < end && !sim_stop; now = clock_mono_ns()) {
        poller_run(s->poller, NS_PER_S / 5);
        if (now >= report) {
            sim_report(s, false);
            report += every;
        }
        if (now >= save) {
            sim_save(s);
            save = clock_mono_ns() + SAVE_EVERY;
        }
    }
    drain(s);
    enum rc rc = sim_save(s);
    sim_report(s, true);
    if (rc != RC_OK)
        return rc;
    if (s->record_failed)
        return RC_INTERNAL;
    if (waiting_events(s) == 0)
        return RC_OK;
    sim_trouble(s, "%" PRIu64 " events were not acknowledged", waiting_events(s));
    return RC_UNAVAILABLE;
}
