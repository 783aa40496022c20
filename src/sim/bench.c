/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c - see bench.h. Devices wait in a ring; so many operations as allowed are under way, each on another device
 * (with --streams so many on each), so that the server's limits per device are the last to be met. */
#include "sim/bench.h"
#include "common/file.h"
#include "common/must.h"
#include "sim/device.h"
#include "sim/life.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define SETUP_NS  (120 * NS_PER_S)
#define WARM_UPS  4
#define FINISH_NS (30 * NS_PER_S)
#define LATE_NS   (2 * NS_PER_MS) /* the poller counts whole milliseconds */

enum what { CHECKIN, CONNECT, VISIT, INVENTORY, DETECTIONS, IDLE, WAVES };
const char *const bench_names[] = {"checkin", "connect", "visit", "inventory", "detections", "idle", "waves", NULL};

struct job {
    struct bench *b;
    struct device *d;
    uint64_t began;
    unsigned asked;    /* CHECKIN with --streams: not yet answered */
    struct conn *conn; /* CONNECT */
    bool done;         /* CONNECT: to be closed outside its callback; VISIT: over */
};

struct bench {
    struct sim *s;
    enum what what;
    struct job *jobs; /* one per device */
    unsigned *ring;
    unsigned head, waiting, under_way;
    uint64_t issued, finished, errors, resumed, started, until;
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

/* One check-in of each, and more until nothing is left to tell. */
static enum rc warm_up(struct bench *b, enum wire_reason reason)
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
            bool due = tries[at] == 0 || !device_settled(d);
            left += due || d->flight;
            under_way += d->flight != NULL;
            if (!due || d->flight || under_way >= s->o.parallel || !device_online(d) ||
                d->hold[reason] > clock_mono_ns())
                continue;
            if (tries[at]++ == WARM_UPS) {
                sim_trouble(s, "a device's first check-ins do not settle: %.400s", s->why);
                rc = RC_UNAVAILABLE;
                break;
            }
            device_checkin(d, reason, NULL, NULL);
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

/* As agents do it: the stream stays open beside the check-ins. */
static enum rc open_streams(struct bench *b)
{
    struct sim *s = b->s;
    uint64_t now = clock_mono_ns(), until = now + SETUP_NS;
    for (unsigned i = 0; i < s->o.devices; i++)
        if (device_online(&s->devices[i]) && !s->devices[i].waking)
            device_open_wake(&s->devices[i], now);
    for (unsigned heard = 0; heard < s->o.devices;) {
        poller_run(s->poller, NS_PER_S / 20);
        heard = 0;
        for (unsigned i = 0; i < s->o.devices; i++)
            heard += s->devices[i].waking && s->devices[i].heard > now;
        if (clock_mono_ns() > until || sim_stop) {
            sim_trouble(s, "only %u of %u devices have their wake-up stream: %.400s", heard, s->o.devices, s->why);
            return RC_UNAVAILABLE;
        }
    }
    return RC_OK;
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

/* With --streams: all of a connection's at once. */
static void on_asked(void *ctx, const struct conn_answer *answer)
{
    struct job *j = ctx;
    struct bench *b = j->b;
    bool ok = !answer->failed && answer->status == 200 && answer->body.n;
    b->under_way--;
    b->finished += ok;
    b->errors += !ok;
    b->s->counts.refused += answer->status >= 400;
    b->s->counts.failed += answer->status >= 500;
    if (ok)
        histogram_add(&b->h, clock_mono_ns() - j->began);
    else
        j->d->hold[WIRE_REASON_SPOOL] = clock_mono_ns() + (uint64_t)(answer->retry_after + 1) * NS_PER_S;
    if (--j->asked == 0)
        ring_put(b, j->d->index);
}

static void ask_all(struct bench *b, struct job *j)
{
    struct conn *c = j->d->conn;
    unsigned n = b->s->o.streams;
    b->issued += n;
    b->under_way += n;
    j->asked = n;
    conn_cork(c);
    for (unsigned i = 0; i < n; i++)
        device_ask(j->d, WIRE_REASON_SPOOL, on_asked, j);
    conn_uncork(c);
}

/* When the next operation is to begin; 0: at once. */
static uint64_t due(const struct bench *b)
{
    return b->s->o.rate ? b->started + b->issued * NS_PER_S / (uint64_t)b->s->o.rate : 0;
}

static bool enough(const struct bench *b, uint64_t now)
{
    return (b->s->o.operations && b->issued >= b->s->o.operations) || now >= b->until;
}

static void issue_checkins(struct bench *b, uint64_t now)
{
    struct sim *s = b->s;
    unsigned streams = b->what == CHECKIN ? s->o.streams : 1;
    for (unsigned looked = b->waiting; looked && b->under_way + streams <= s->o.parallel; looked--) {
        uint64_t at = due(b);
        if (enough(b, now) || at > now)
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
        j->began = at && now > at + LATE_NS ? at : clock_mono_ns();
        if (streams > 1) {
            ask_all(b, j);
            continue;
        }
        prepare(b, j->d);
        b->issued++;
        b->under_way++;
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
    while (b->waiting && b->under_way < s->o.parallel && !enough(b, now)) {
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
    for (unsigned looked = b->waiting; looked && b->under_way < s->o.parallel && !enough(b, now); looked--) {
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
        for (unsigned i = 0; i < s->o.devices; i++) {
            const struct device *d = &s->devices[i];
            awake += device_online(d) && (d->waking || s->o.no_wake) && device_settled(d);
        }
        if (clock_mono_ns() > until || sim_stop) {
            sim_trouble(s, "only %u of %u devices are connected and at rest: %.400s", awake, s->o.devices, s->why);
            return RC_UNAVAILABLE;
        }
    }
    return RC_OK;
}

/* ---- waves: all connect, all leave */

static void disconnect_all(struct sim *s)
{
    for (unsigned i = 0; i < s->o.devices; i++)
        device_disconnect(&s->devices[i]); /* their sessions remain */
}

static void wave(struct bench *b)
{
    struct sim *s = b->s;
    uint64_t began = clock_mono_ns(), resumed = 0;
    b->issued++;
    for (unsigned i = 0; i < s->o.devices && !s->o.resume; i++)
        creds_session_set(&s->devices[i].creds, NULL, 0);
    bool ok = connect_all(s) == RC_OK;
    for (unsigned i = 0; i < s->o.devices; i++)
        resumed += device_resumed(&s->devices[i]);
    disconnect_all(s);
    b->finished += ok;
    b->errors += !ok;
    b->resumed += resumed;
    histogram_add(&b->h, clock_mono_ns() - began);
}

/* ---- the loop and its result */

/* True: a line has come. Meanwhile the connections are looked after. */
static bool gate(struct bench *b)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    bool keep = b->what != CONNECT && b->what != VISIT && b->what != WAVES && b->what != IDLE;
    char c = 0;
    while (!sim_stop) {
        if (poll(&in, 1, 0) <= 0) {
            if (keep)
                (void)connect_some(b->s);
            poller_run(b->s->poller, NS_PER_S / 50);
        } else if (read(STDIN_FILENO, &c, 1) != 1) {
            return false;
        } else if (c == '\n') {
            return true;
        }
    }
    return false;
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
    json_key(&w, "answers_5xx");
    json_int(&w, (int64_t)b->s->counts.failed);
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

static uint64_t rest(const struct bench *b)
{
    uint64_t at = due(b), now = clock_mono_ns(), most = NS_PER_S / 100;
    if (!at || at > now + most)
        return most;
    return at > now ? at - now : NS_PER_MS;
}

static void loop(struct bench *b)
{
    uint64_t now = clock_mono_ns(), last = now;
    b->started = now;
    b->until = b->s->o.duration ? now + (uint64_t)b->s->o.duration * NS_PER_S : UINT64_MAX;
    for (; !sim_stop; now = clock_mono_ns()) {
        if (b->what == CONNECT)
            issue_connections(b, now);
        else if (b->what == VISIT)
            issue_visits(b, now);
        else if (b->what == WAVES && !enough(b, now))
            wave(b);
        else if (b->what != IDLE && b->what != WAVES)
            issue_checkins(b, now);
        bool over = enough(b, now);
        if (over && b->what == CONNECT)
            issue_connections(b, now); /* closes what is done */
        if (over && (b->under_way == 0 || now > last + FINISH_NS))
            break;
        if (!over)
            last = now;
        poller_run(b->s->poller, rest(b));
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
        rc = warm_up(b, WIRE_REASON_START);
    if (rc == RC_OK && b->what != CONNECT && b->what != VISIT && b->what != WAVES && !s->o.no_wake) {
        rc = open_streams(b);
        if (rc == RC_OK) /* a device's allowance begins with the first one on the new connection */
            rc = warm_up(b, WIRE_REASON_SPOOL);
    }
    if (b->what == CONNECT || b->what == VISIT || b->what == WAVES)
        disconnect_all(s);
    return rc;
}

static void round_run(struct bench *b)
{
    uint64_t began = clock_mono_ns(), cpu = cpu_us();
    b->issued = b->finished = b->errors = b->resumed = 0;
    b->s->counts.refused = b->s->counts.failed = 0;
    b->h = (struct histogram){0};
    loop(b);
    print_result(b, (double)(clock_mono_ns() - began) / 1e9, cpu_us() - cpu);
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
    if (rc == RC_OK && !s->o.gate) {
        round_run(&b);
    } else if (rc == RC_OK) {
        printf("{\"ready\":true}\n");
        fflush(stdout);
        while (gate(&b))
            round_run(&b);
    }
    for (unsigned i = 0; i < s->o.devices; i++)
        conn_close(&b.jobs[i].conn);
    free(b.ring);
    free(b.jobs);
    enum rc saved = sim_save(s);
    return rc == RC_OK ? saved : rc;
}
