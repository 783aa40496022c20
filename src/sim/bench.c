/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c - see bench.h. Devices wait in a ring; so many operations as allowed are under way, each on another device,
 * so that the server's limits per device are the last to be met. */
#include "sim/bench.h"
#include "common/file.h"
#include "common/must.h"
#include "sim/device.h"
#include "sim/life.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SETUP_NS  (120 * NS_PER_S)
#define WARM_UPS  4
#define FINISH_NS (30 * NS_PER_S)

enum what { CHECKIN, CONNECT, VISIT, INVENTORY, DETECTIONS, IDLE };
const char *const bench_names[] = {"checkin", "connect", "visit", "inventory", "detections", "idle", NULL};

struct job {
    struct bench *b;
    struct device *d;
    uint64_t began;
    struct conn *conn; /* CONNECT */
    bool done;         /* CONNECT: to be closed outside its callback; VISIT: over */
};

struct bench {
    struct sim *s;
    enum what what;
    struct job *jobs; /* one per device */
    unsigned *ring;
    unsigned head, waiting, under_way;
    uint64_t issued, finished, errors, resumed, until;
    struct histogram h;
};

static uint64_t cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void ring_put(struct bench *b, unsigned i)
{
    b->ring[(b->head + b->waiting++) % b->s->o.devices] = i;
}

static unsigned ring_take(struct bench *b)
{
    unsigned i = b->ring[b->head];
    b->head = (b->head + 1) % b->s->o.devices;
    b->waiting--;
    return i;
}

/* ---- set-up: everybody connected, and nothing left to tell */

static unsigned connect_some(struct sim *s)
{
    unsigned missing = 0;
    uint64_t now = clock_mono_ns();
    for (unsigned i = 0; i < s->o.devices; i++) {
        struct device *d = &s->devices[i];
        missing += !device_online(d);
        if (d->state == DEVICE_MEMBER && !d->conn && now >= d->next_connect &&
            s->handshakes < (unsigned)s->o.concurrency)
            (void)device_connect(d);
    }
    return missing;
}

static enum rc connect_all(struct sim *s)
{
    uint64_t until = clock_mono_ns() + SETUP_NS;
    while (connect_some(s)) {
        if (clock_mono_ns() > until || sim_stop) {
            sim_trouble(s, "not all devices could connect: %.400s", s->why[0] ? s->why : "out of time");
            return RC_UNAVAILABLE;
        }
        poller_run(s->poller, NS_PER_S / 50);
    }
    return RC_OK;
}

static bool settled(const struct device *d)
{
    return d->facts_digest[0] && d->held == (1u << FLEET_KINDS) - 1 && !d->changed && !d->spool.first;
}

static enum rc warm_up(struct bench *b)
{
    struct sim *s = b->s;
    uint64_t until = clock_mono_ns() + SETUP_NS;
    uint8_t *tries = must_alloc(s->o.devices);
    unsigned left = s->o.devices, at = 0, under_way;
    enum rc rc = RC_OK;
    while (left && rc == RC_OK) {
        left = under_way = 0;
        for (unsigned n = 0; n < s->o.devices; n++, at = (at + 1) % s->o.devices) {
            struct device *d = &s->devices[at];
            bool due = tries[at] == 0 || !settled(d);
            left += due || d->flight;
            under_way += d->flight != NULL;
            if (!due || d->flight || under_way >= s->o.parallel || !device_online(d) ||
                d->hold[WIRE_REASON_START] > clock_mono_ns())
                continue;
            if (tries[at]++ == WARM_UPS) {
                sim_trouble(s, "a device's first check-ins do not settle: %.400s", s->why);
                rc = RC_UNAVAILABLE;
                break;
            }
            device_checkin(d, WIRE_REASON_START, NULL, NULL);
            under_way++;
        }
        if (clock_mono_ns() > until || sim_stop)
            rc = RC_UNAVAILABLE;
        (void)connect_some(s);
        poller_run(s->poller, NS_PER_S / 100);
    }
    free(tries);
    return rc;
}

/* ---- check-ins of all kinds */

static void prepare(struct bench *b, struct device *d)
{
    if (b->what == INVENTORY && b->s->o.changed == 0)
        d->held = 0;
    for (unsigned i = 0; b->what == INVENTORY && i < b->s->o.changed; i++)
        life_change_package(d);
    for (unsigned i = 0; b->what == DETECTIONS && i < b->s->o.batch; i++)
        life_detection(d, (struct uuid){{0}}, clock_now());
}

static void on_done(void *ctx, struct device *d, bool ok)
{
    struct job *j = ctx;
    struct bench *b = j->b;
    b->under_way--;
    if (ok) {
        b->finished++;
        histogram_add(&b->h, clock_mono_ns() - j->began);
    } else {
        b->errors++;
    }
    ring_put(b, d->index);
}

static void issue_checkins(struct bench *b, uint64_t now)
{
    struct sim *s = b->s;
    for (unsigned looked = b->waiting; looked && b->under_way < s->o.parallel; looked--) {
        if ((s->o.operations && b->issued >= s->o.operations) || now >= b->until)
            return;
        struct job *j = &b->jobs[ring_take(b)];
        if (j->d->state != DEVICE_MEMBER)
            continue;
        if (!device_online(j->d) || j->d->hold[WIRE_REASON_SPOOL] > now) {
            if (!j->d->conn && now >= j->d->next_connect)
                (void)device_connect(j->d);
            ring_put(b, j->d->index);
            continue;
        }
        prepare(b, j->d);
        b->issued++;
        b->under_way++;
        j->began = clock_mono_ns();
        device_checkin(j->d, WIRE_REASON_SPOOL, on_done, j);
    }
}

/* ---- connections */

static void on_ready(void *ctx, bool resumed)
{
    struct job *j = ctx;
    j->b->resumed += resumed;
}

static void on_ticket(void *ctx)
{
    struct job *j = ctx;
    if (j->done)
        return;
    histogram_add(&j->b->h, clock_mono_ns() - j->began);
    j->b->finished++;
    j->done = true;
}

static void on_closed(void *ctx, const char *why)
{
    struct job *j = ctx;
    sim_trouble(j->b->s, "%s", why);
    j->b->errors += !j->done;
    j->conn = NULL;
    j->done = true;
}

static void issue_connections(struct bench *b, uint64_t now)
{
    static const struct conn_callbacks callbacks = {.ready = on_ready, .ticket = on_ticket, .closed = on_closed};
    struct sim *s = b->s;
    char why[300];
    for (unsigned i = 0; i < s->o.devices; i++) {
        struct job *j = &b->jobs[i];
        if (!j->done)
            continue;
        conn_close(&j->conn);
        j->done = false;
        b->under_way--;
        ring_put(b, i);
    }
    while (b->waiting && b->under_way < s->o.parallel && now < b->until &&
           !(s->o.operations && b->issued >= s->o.operations)) {
        struct job *j = &b->jobs[ring_take(b)];
        if (!s->o.resume)
            creds_session_set(&j->d->creds, NULL, 0);
        j->began = clock_mono_ns();
        j->conn = conn_open(s->target, s->poller, &j->d->creds, &callbacks, j, why, sizeof(why));
        b->issued++;
        b->under_way++;
        if (j->conn)
            continue;
        sim_trouble(s, "%s", why);
        b->errors++;
        j->done = true;
    }
}

/* ---- visits: connect, one check-in, leave */

static void visit_over(struct job *j, bool ok)
{
    struct bench *b = j->b;
    device_disconnect(j->d);
    j->done = true;
    b->under_way--;
    b->finished += ok;
    b->errors += !ok;
    if (ok)
        histogram_add(&b->h, clock_mono_ns() - j->began);
    ring_put(b, j->d->index);
}

static void on_visited(void *ctx, struct device *d, bool ok)
{
    struct job *j = ctx;
    (void)d;
    if (!j->done)
        visit_over(j, ok);
}

/* The device's timer: something happened to its connection. */
static void on_visit(void *ctx)
{
    struct job *j = ctx;
    if (j->done)
        return;
    if (!j->d->conn) {
        visit_over(j, false);
    } else if (device_online(j->d) && !j->d->flight) {
        j->b->resumed += device_resumed(j->d);
        device_checkin(j->d, WIRE_REASON_SPOOL, on_visited, j);
    }
}

static void issue_visits(struct bench *b, uint64_t now)
{
    struct sim *s = b->s;
    for (unsigned looked = b->waiting; looked && b->under_way < s->o.parallel; looked--) {
        if ((s->o.operations && b->issued >= s->o.operations) || now >= b->until)
            return;
        struct job *j = &b->jobs[ring_take(b)];
        if (j->d->state != DEVICE_MEMBER)
            continue;
        if (j->d->hold[WIRE_REASON_SPOOL] > now || j->d->next_connect > now) {
            ring_put(b, j->d->index);
            continue;
        }
        if (!s->o.resume)
            creds_session_set(&j->d->creds, NULL, 0);
        j->d->timer.fn = on_visit;
        j->d->timer.ctx = j;
        j->began = clock_mono_ns();
        j->done = false;
        b->issued++;
        b->under_way++;
        if (!device_connect(j->d))
            visit_over(j, false);
    }
}

/* ---- idle */

static enum rc idle_start(struct bench *b)
{
    struct sim *s = b->s;
    uint64_t now = clock_mono_ns(), until = now + SETUP_NS;
    for (unsigned i = 0; i < s->o.devices; i++)
        device_start(&s->devices[i], now);
    for (unsigned awake = 0; awake < s->o.devices;) {
        poller_run(s->poller, NS_PER_S / 20);
        awake = 0;
        for (unsigned i = 0; i < s->o.devices; i++)
            awake += s->devices[i].waking && settled(&s->devices[i]);
        if (clock_mono_ns() > until || sim_stop) {
            sim_trouble(s, "only %u of %u devices have their wake-up stream: %.400s", awake, s->o.devices, s->why);
            return RC_UNAVAILABLE;
        }
    }
    return RC_OK;
}

/* ---- the loop and its result */

static void gate(struct bench *b, bool ready)
{
    char line[16];
    if (!b->s->o.gate)
        return;
    if (ready) {
        printf("{\"ready\":true}\n");
        fflush(stdout);
    }
    while (read(STDIN_FILENO, line, 1) == 1 && line[0] != '\n')
        continue;
}

static int64_t resident_kib(void)
{
    struct arena *a = arena_new(65536);
    struct slice text = SLICE_NONE;
    uint64_t pages = 0;
    if (file_read(a, "/proc/self/statm", 4096, &text) == RC_OK) {
        (void)slice_cut(&text, ' ');
        (void)slice_u64(slice_cut(&text, ' '), &pages);
    }
    arena_free(&a);
    return (int64_t)pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void print_result(struct bench *b, double seconds, uint64_t cpu)
{
    struct strbuf out;
    struct json_writer w;
    strbuf_init(&out, 65536);
    json_start(&w, &out);
    json_object_open(&w);
    json_key(&w, "bench");
    json_str(&w, slice_of(bench_names[b->what]));
    json_key(&w, "operations");
    json_int(&w, (int64_t)b->finished);
    json_key(&w, "seconds");
    json_num(&w, (double)(int64_t)(seconds * 1000) / 1000);
    histogram_write(&w, &b->h, seconds);
    json_key(&w, "errors");
    json_int(&w, (int64_t)b->errors);
    json_key(&w, "refused");
    json_int(&w, (int64_t)b->s->counts.refused);
    json_key(&w, "resumed");
    json_int(&w, (int64_t)b->resumed);
    json_key(&w, "client_cpu_us");
    json_num(&w, b->finished ? (double)(int64_t)((double)cpu / (double)b->finished * 10) / 10 : 0);
    json_key(&w, "devices");
    json_int(&w, b->s->o.devices);
    json_key(&w, "parallel");
    json_int(&w, b->s->o.parallel);
    json_key(&w, "client_kib");
    json_int(&w, resident_kib());
    json_object_close(&w);
    printf("%s\n", out.p);
    fflush(stdout);
    strbuf_done(&out);
}

static void loop(struct bench *b)
{
    uint64_t now = clock_mono_ns();
    b->until = b->s->o.duration ? now + (uint64_t)b->s->o.duration * NS_PER_S : UINT64_MAX;
    uint64_t last = now;
    for (; !sim_stop; now = clock_mono_ns()) {
        if (b->what == CONNECT)
            issue_connections(b, now);
        else if (b->what == VISIT)
            issue_visits(b, now);
        else if (b->what != IDLE)
            issue_checkins(b, now);
        bool over = now >= b->until || (b->s->o.operations && b->issued >= b->s->o.operations);
        if (over && b->what == CONNECT)
            issue_connections(b, now); /* closes what is done */
        if (over && (b->under_way == 0 || now > last + FINISH_NS))
            break;
        if (!over)
            last = now;
        poller_run(b->s->poller, NS_PER_S / 100);
    }
}

static enum rc set_up(struct bench *b)
{
    struct sim *s = b->s;
    s->calm = true;
    s->o.numbered = true; /* no quarantine records beside the findings that are counted */
    for (unsigned i = 0; i < s->o.devices; i++)
        if (s->devices[i].state != DEVICE_MEMBER)
            return RC_DENIED;
    if (b->what == IDLE)
        return idle_start(b);
    enum rc rc = connect_all(s);
    if (rc == RC_OK)
        rc = warm_up(b);
    for (unsigned i = 0; (b->what == CONNECT || b->what == VISIT) && i < s->o.devices; i++)
        device_disconnect(&s->devices[i]); /* their sessions remain */
    return rc;
}

enum rc bench_run(struct sim *s, const char *name)
{
    struct bench b = {.s = s};
    while (strcmp(bench_names[b.what], name) != 0)
        b.what++;
    b.jobs = must_alloc(s->o.devices * sizeof(*b.jobs));
    b.ring = must_alloc(s->o.devices * sizeof(*b.ring));
    for (unsigned i = 0; i < s->o.devices; i++) {
        b.jobs[i] = (struct job){.b = &b, .d = &s->devices[i]};
        ring_put(&b, i);
    }
    enum rc rc = set_up(&b);
    if (rc == RC_OK) {
        s->counts.refused = 0;
        gate(&b, true);
        uint64_t began = clock_mono_ns(), cpu = cpu_us();
        loop(&b);
        print_result(&b, (double)(clock_mono_ns() - began) / 1e9, cpu_us() - cpu);
        gate(&b, false);
    }
    for (unsigned i = 0; i < s->o.devices; i++)
        conn_close(&b.jobs[i].conn);
    free(b.ring);
    free(b.jobs);
    enum rc saved = sim_save(s);
    return rc == RC_OK ? saved : rc;
}
