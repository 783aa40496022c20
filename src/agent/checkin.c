/* SPDX-License-Identifier: Apache-2.0 */
/* checkin.c - the network process's loop: waits in poll for the server, the protection part, signals and the next due
 * time; then sends at most one check-in with all that has piled up. At rest it wakes for heartbeats and schedules only.
 */
#include "agent/agent.h"
#include "common/event.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define POST_SECONDS        30
#define REQUEST_CEILING     (4u << 20)
#define ANSWER_ARENA        (64u << 20)
#define SMALL_FACTS         32768
#define URGENT_EVERY_MS     10000
#define PROTECTION_EVERY_MS 5000
#define TRIM_MS             3600000
#define STOPPED_LOOK_MS     60000
#define ONCE_MS             120000
#define FOREVER_MS          3600000

uint64_t ms_now(void)
{
    return clock_mono_ns() / 1000000;
}

usec_t agent_now(const struct agent *a)
{
    bool far = a->skew_known && (a->skew > AGENT_SKEW_MAX || a->skew < -AGENT_SKEW_MAX);
    return clock_now() + (far ? a->skew : 0);
}

void agent_due(struct agent *a, enum wire_reason reason, uint64_t in_ms)
{
    uint64_t at = ms_now() + in_ms;
    if (!a->due[reason] || at < a->due[reason])
        a->due[reason] = at;
    /* Something urgent does not sit out a long pause, as long as it does not become a storm itself. */
    if (reason == WIRE_REASON_URGENT && a->trouble[0] && a->not_before > a->sent_at + URGENT_EVERY_MS)
        a->not_before = a->sent_at + URGENT_EVERY_MS;
}

/* --- one check-in */

static void add_events(struct agent *a, struct arena *m, struct wire_checkin_request *r)
{
    struct journal_record *records;
    size_t n;
    if (journal_read(a->journal, journal_tail(a->journal), a->max_events, a->max_bytes / 2, m, &records, &n) != RC_OK) {
        ev_error(AREA_AGENT, "the journal cannot be read");
        return;
    }
    r->events = ARENA_ARRAY(m, struct wire_event, n + 1);
    for (size_t i = 0; i < n; i++) {
        char *hash = arena_alloc(m, WIRE_HEX_SIZE);
        r->events[r->n_events++] = (struct wire_event){.seq = (int64_t)records[i].seq,
                                                       .id = records[i].id,
                                                       .kind = wire_event_kind_parse(records[i].kind),
                                                       .occurred = records[i].occurred,
                                                       .hash = slice_of(wire_hex(&records[i].hash, hash)),
                                                       .body = records[i].body};
    }
}

static size_t events_size(const struct wire_checkin_request *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_events; i++)
        n += r->events[i].body.n + 250;
    return n;
}

static bool quick(enum wire_reason reason)
{
    return reason == WIRE_REASON_URGENT || reason == WIRE_REASON_PROGRESS;
}

static void checked_in(void *ctx, const struct http_answer *answer);

static void checkin_start(struct agent *a, enum wire_reason reason)
{
    struct arena *m = arena_new(ANSWER_ARENA);
    struct wire_checkin_request r = {.agent_version = SLICE(SEKISHO_VERSION), .reason = reason};
    char digest[WIRE_HEX_SIZE];
    bool more = false;
    problems_refresh(a);
    if (!quick(reason))
        inventory_refresh(a->inventory, false);
    r.boot_id = slice_of(facts_boot_id(a->cfg, m));
    r.clock = clock_now();
    r.revision = tasks_revision(a->tasks);
    inventory_digest(a->inventory, digest);
    r.facts_digest = slice_of(digest);
    r.has_interval = a->cfg->interval > 0;
    r.interval = a->cfg->interval;
    r.spool.epoch = journal_epoch(a->journal);
    r.spool.head = (int64_t)journal_head(a->journal);
    r.spool.tail = (int64_t)journal_tail(a->journal);
    add_events(a, m, &r);
    inventory_failed(a->inventory);
    if (ms_now() >= a->facts_hold) {
        size_t used = events_size(&r), room = a->max_bytes > used + SMALL_FACTS ? a->max_bytes - used : SMALL_FACTS;
        if (quick(reason) && room > SMALL_FACTS)
            room = SMALL_FACTS;
        r.n_facts = inventory_build(a->inventory, m, room, &r.facts, &more);
    }
    struct strbuf b;
    struct json_writer w;
    strbuf_init(&b, REQUEST_CEILING);
    json_start(&w, &b);
    wire_checkin_request_encode(&w, &r);
    must(!b.over);
    a->errand = ERRAND_CHECKIN;
    a->sent_reason = reason;
    a->sent_at = ms_now();
    a->sent_clock = r.clock;
    /* Whatever was due until now goes along; failing, contact_failed's pause decides and START comes back. */
    for (int i = 0; i < WIRE_REASON_COUNT; i++)
        if (a->due[i] && a->due[i] <= a->sent_at + 50)
            a->due[i] = 0;
    a->request = http_post(a->http, "/agent/v1/checkin", strbuf_slice(&b), POST_SECONDS, checked_in, a);
    strbuf_done(&b);
    arena_free(&m);
}

static void take_acknowledgement(struct agent *a, const struct wire_checkin_response *r)
{
    enum rc rc = RC_INVALID;
    if (!r->new_epoch)
        rc = journal_ack(a->journal, (uint64_t)r->ack);
    if (rc == RC_OK) {
        tasks_acked(a->tasks, (uint64_t)r->ack);
        return;
    }
    if (rc != RC_INVALID) { /* the disk: what is acknowledged will be sent and acknowledged again */
        ev_error(AREA_AGENT, "an acknowledgement cannot be recorded");
        return;
    }
    /* Told so, or acknowledged above our head: this journal is older than what the server has seen of it. */
    if (journal_new_epoch(a->journal) == RC_OK) {
        ev_warn(AREA_AGENT, "new journal epoch");
        tasks_acked(a->tasks, UINT64_MAX);
    } else {
        ev_error(AREA_AGENT, "a new journal epoch cannot be begun");
        a->not_before = ms_now() + 60000;
    }
}

static void schedule(struct agent *a, const struct wire_checkin_response *r)
{
    /* up to a twentieth later, so that those who came together do not stay together; never earlier than told */
    uint64_t wait = (uint64_t)r->next_contact * 1000;
    a->due[WIRE_REASON_SCHEDULED] = ms_now() + wait + random_below(wait / 20 + 1);
    if (r->interval != a->state.interval) {
        a->state.interval = r->interval;
        if (state_save_contact(a->cfg, &a->state) != RC_OK)
            ev_warn(AREA_AGENT, "the interval is not saved");
    }
}

static void take_answer(struct agent *a, const struct wire_checkin_response *r)
{
    contact_server_time(a, r->server_time);
    take_acknowledgement(a, r);
    inventory_answered(a->inventory, r->facts_digest, r->want_facts, r->n_want_facts);
    bool settled = journal_tail(a->journal) > journal_head(a->journal);
    if (r->revision != tasks_revision(a->tasks) &&
        tasks_list(a->tasks, r->revision, r->tasks, r->n_tasks, settled) != RC_OK)
        agent_due(a, WIRE_REASON_WAKE, 60000);
    schedule(a, r);
    if (r->renew || renew_due(a))
        if (!a->renew_at)
            a->renew_at = ms_now() + random_below(r->renew ? 2000 : 600000);
    bool waits = journal_tail(a->journal) <= journal_head(a->journal);
    bool facts = inventory_waits(a->inventory) && ms_now() >= a->facts_hold;
    if (waits || (facts && !quick(a->sent_reason)))
        agent_due(a, WIRE_REASON_SPOOL, 50);
    else if (facts)
        agent_due(a, WIRE_REASON_SPOOL, 2000);
    if (a->max_events < AGENT_REQUEST_EVENTS)
        a->max_events = a->max_events * 2 < AGENT_REQUEST_EVENTS ? a->max_events * 2 : AGENT_REQUEST_EVENTS;
    size_t ceiling = ms_now() < a->ceiling_until ? a->bytes_ceiling : AGENT_REQUEST_BYTES;
    if (a->max_bytes < ceiling)
        a->max_bytes = a->max_bytes * 2 < ceiling ? a->max_bytes * 2 : ceiling;
    a->checkins++;
}

static void checked_in(void *ctx, const struct http_answer *answer)
{
    struct agent *a = ctx;
    struct arena *m = arena_new(ANSWER_ARENA);
    struct wire_checkin_response r;
    struct decode_error err;
    a->request = NULL;
    a->errand = ERRAND_NONE;
    if (answer->trouble == HTTP_FINE && answer->status == 200 &&
        wire_checkin_response_parse(m, answer->body, &r, &err) == RC_OK) {
        contact_fine(a, answer);
        take_answer(a, &r);
    } else {
        if (answer->trouble == HTTP_FINE && answer->status == 200)
            ev_error(AREA_AGENT, "a check-in's answer cannot be read", EV_STR("field", err.field),
                     EV_STR("code", err.code));
        inventory_failed(a->inventory);
        /* nothing was given up: the same reason is due again when the pause is over */
        if (!a->due[a->sent_reason])
            a->due[a->sent_reason] = ms_now();
        contact_failed(a, ERRAND_CHECKIN, answer);
        if (answer->trouble == HTTP_FINE && answer->status == 200)
            a->not_before = ms_now() + 60000;
    }
    arena_free(&m);
    malloc_trim(0);
}

/* --- identity, connections */

static const struct wake_callbacks wake_callbacks;

static void open_tasks(struct agent *a)
{
    struct arena *m = arena_new(65536);
    a->tasks = tasks_new(config_state(a->cfg, m, "agent/tasks.json"), &agent_tasks_callbacks, a);
    arena_free(&m);
}

static bool load_identity(struct agent *a, char *why, size_t size)
{
    struct agent_state fresh;
    if (state_load(a->cfg, &fresh, why, size) != RC_OK)
        return false;
    if (why[0])
        ev_error(AREA_AGENT, "identity", EV_STR("detail", why));
    struct tls_client *tls;
    bool known = state_enrolled(&fresh);
    if (tls_client_new(a->cfg->ca_file, known ? fresh.certificate_pem : SLICE_NONE, known ? fresh.key_pem : SLICE_NONE,
                       &tls, why, size) != RC_OK) {
        state_done(&fresh);
        return false;
    }
    bool another = known && a->http && !uuid_eq(fresh.device_id, a->state.device_id);
    wake_free(&a->wake);
    http_free(&a->http);
    events_abort_downloads(a);
    tls_client_free(&a->tls);
    state_done(&a->state);
    a->state = fresh;
    a->tls = tls;
    a->http = http_new(a->cfg, tls);
    a->wake = wake_new(a->http, &wake_callbacks, a);
    a->request = NULL;
    a->errand = ERRAND_NONE;
    a->stamp = state_stamp(a->cfg);
    if (!known) {
        a->phase = PHASE_ENROLLING;
        return true;
    }
    a->phase = fresh.stopped[0] ? PHASE_STOPPED : PHASE_ONLINE;
    protect_module_key(a->protect, fresh.module_key);
    if (another) { /* what belonged to the older identity is gone from the disk already */
        inventory_forget(a->inventory);
        tasks_free(&a->tasks);
        open_tasks(a);
        agent_due(a, WIRE_REASON_START, 0);
    }
    return true;
}

static void woken(void *ctx, int64_t revision)
{
    struct agent *a = ctx;
    if (revision != tasks_revision(a->tasks))
        agent_due(a, WIRE_REASON_WAKE, 0);
}

static void wake_refused(void *ctx, const struct http_answer *answer)
{
    struct agent *a = ctx;
    struct problem_answer p;
    contact_problem(answer, &p);
    /* Whether contact has ended is for the check-in to find out: it is asked soon. */
    wake_hold(a->wake, 30);
    if (strncmp(p.code, "certificate_", 12) == 0 || strcmp(p.code, "device_removed") == 0)
        agent_due(a, WIRE_REASON_WAKE, 1000 + random_below(4000));
}

static void wake_silent(void *ctx)
{
    struct agent *a = ctx;
    a->want_reset = true;
}

static const struct wake_callbacks wake_callbacks = {.woken = woken, .refused = wake_refused, .silent = wake_silent};

static void reset_connections(struct agent *a)
{
    bool lost = a->request != NULL;
    a->want_reset = false;
    http_reset(a->http);
    wake_dropped(a->wake);
    events_abort_downloads(a);
    if (!lost)
        return;
    a->request = NULL;
    if (a->errand == ERRAND_CHECKIN && !a->due[a->sent_reason])
        a->due[a->sent_reason] = ms_now();
    a->errand = ERRAND_NONE;
    inventory_failed(a->inventory);
}

/* --- what is next */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The most important reason that is due, or 0 and when the next one will be. */
static enum wire_reason due_reason(const struct agent *a, uint64_t now, uint64_t *ret_next)
{
    static const enum wire_reason order[] = {WIRE_REASON_URGENT, WIRE_REASON_WAKE,  WIRE_REASON_PROGRESS,
                                             WIRE_REASON_START,  WIRE_REASON_SPOOL, WIRE_REASON_SCHEDULED};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        uint64_t at = a->due[order[i]];
        if (!at)
            continue;
        if (a->hold[order[i]] > at)
            at = a->hold[order[i]];
        if (at <= now)
            return order[i];
        *ret_next = sooner(*ret_next, at);
    }
    return WIRE_REASON_UNKNOWN;
}

/* Starts the errand that is due; returns when to look again. */
static uint64_t errands(struct agent *a, uint64_t now)
{
    uint64_t next = now + FOREVER_MS;
    if (a->request)
        return next;
    if (a->phase == PHASE_STOPPED) {
        uint64_t stamp = state_stamp(a->cfg);
        if (stamp != a->stamp)
            a->want_reload = true; /* enrolled anew by the verb */
        if (!contact_may_return(a) || now < a->ask_again)
            return now + STOPPED_LOOK_MS;
        a->phase = PHASE_ONLINE;
        agent_due(a, WIRE_REASON_START, 0);
    }
    if (now < a->not_before)
        return a->not_before;
    if (a->want_time) {
        time_start(a);
    } else if (a->phase == PHASE_ENROLLING) {
        enrol_start(a);
    } else if (a->renew_at && now >= a->renew_at) {
        renew_start(a);
    } else {
        enum wire_reason reason = due_reason(a, now, &next);
        if (a->renew_at)
            next = sooner(next, a->renew_at);
        if (reason != WIRE_REASON_UNKNOWN)
            checkin_start(a, reason);
    }
    return a->request ? now + FOREVER_MS : next;
}

static uint64_t wake_next(struct agent *a, uint64_t now)
{
    if (a->phase != PHASE_ONLINE || a->errand == ERRAND_TIME || a->want_time || a->checkins == 0 || a->trouble[0])
        return now + FOREVER_MS;
    return now + (uint64_t)wake_tick(a->wake, tasks_revision(a->tasks));
}

static void protection_next(struct agent *a, uint64_t now)
{
    if (!a->protection_changed || now < a->protection_told + PROTECTION_EVERY_MS)
        return;
    a->protection_changed = false;
    problems_refresh(a);
    if (inventory_kind_waits(a->inventory, WIRE_FACT_KIND_PROTECTION) ||
        inventory_kind_waits(a->inventory, WIRE_FACT_KIND_PROBLEMS)) {
        a->protection_told = now;
        agent_due(a, WIRE_REASON_URGENT, 100);
        a->status_at = a->status_at ? a->status_at : now + 500;
    }
}

/* Everything that time brings; returns ms to wait at most. */
static int turn(struct agent *a)
{
    uint64_t now = ms_now(), next = now + FOREVER_MS;
    char why[300];
    if (a->want_reset)
        reset_connections(a);
    if (a->want_reload) {
        a->want_reload = false;
        if (!load_identity(a, why, sizeof(why)))
            ev_error(AREA_AGENT, "identity cannot be loaded", EV_STR("detail", why));
    }
    protection_next(a, now);
    if (a->protection_changed)
        next = sooner(next, a->protection_told + PROTECTION_EVERY_MS);
    int wait = tasks_tick(a->tasks, agent_now(a));
    if (wait >= 0)
        next = sooner(next, now + (uint64_t)wait);
    next = sooner(next, errands(a, now));
    next = sooner(next, wake_next(a, now));
    if (now >= a->trim_at) {
        a->trim_at = now + TRIM_MS;
        if (journal_trim(a->journal, agent_now(a)) != RC_OK)
            ev_warn(AREA_AGENT, "the journal cannot be trimmed");
    }
    next = sooner(next, a->trim_at);
    if (a->status_at && now >= a->status_at) {
        a->status_at = 0;
        status_write(a);
    }
    if (a->status_at)
        next = sooner(next, a->status_at);
    wait = protect_timeout_ms(a->protect);
    if (wait >= 0)
        next = sooner(next, now + (uint64_t)wait);
    if (a->want_reset || a->want_reload)
        return 0;
    now = ms_now();
    return next > now ? (int)(next - now) : 0;
}

/* --- start and end */

static int signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signal(struct agent *a, int fd)
{
    struct signalfd_siginfo s;
    while (read(fd, &s, sizeof(s)) == sizeof(s)) {
        if (s.ssi_signo == SIGHUP) { /* check in now; also after an enrolment by the verb */
            if (state_stamp(a->cfg) != a->stamp)
                a->want_reload = true;
            agent_due(a, WIRE_REASON_START, 0);
        } else {
            a->quit = true;
        }
    }
}

/* For --once: everything told, nothing under way. */
static bool settled(const struct agent *a)
{
    return a->phase == PHASE_ONLINE && a->checkins > 0 && !a->request && !a->renew_at &&
           !inventory_waits(a->inventory) && journal_tail(a->journal) > journal_head(a->journal) &&
           tasks_unfinished(a->tasks) == 0 && !protect_busy(a->protect) && !a->protection_changed;
}

static int once_status(const struct agent *a, uint64_t began)
{
    if (settled(a))
        return EXIT_SUCCESS;
    if (a->phase == PHASE_STOPPED)
        return 77; /* EX_NOPERM */
    return a->failures >= 3 || ms_now() - began > ONCE_MS ? 75 /* EX_TEMPFAIL */ : -1;
}

static int loop(struct agent *a, bool once)
{
    uint64_t began = ms_now();
    int signal_fd = signals();
    must(signal_fd >= 0);
    int status = -1;
    while (status < 0) {
        int wait = turn(a);
        if (once && (status = once_status(a, began)) >= 0)
            break;
        if (once && wait > 200)
            wait = 200;
        struct pollfd fds[2] = {{.fd = protect_fd(a->protect), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
        http_wait(a->http, fds, 2, wait);
        http_dispatch(a->http);
        if (protect_dispatch(a->protect) != RC_OK) {
            ev_error(AREA_AGENT, "the privileged process is gone");
            status = EXIT_FAILURE;
        }
        if (fds[1].revents)
            on_signal(a, signal_fd);
        if (a->quit)
            status = EXIT_SUCCESS;
    }
    close(signal_fd);
    return status;
}

static bool prepare(struct agent *a, char *why, size_t size)
{
    struct arena *m = arena_new(65536);
    const struct agent_config *cfg = a->cfg;
    struct journal_limits limits = {.size = (uint64_t)cfg->spool_size, .age = cfg->spool_age * 86400};
    const char *spool = config_state(cfg, m, "agent/spool");
    bool ok = false;
    enum rc rc = file_mkdirs(config_state(cfg, m, "agent"), 0700);
    if (rc == RC_OK)
        rc = file_mkdirs(config_state(cfg, m, "status"), 0755);
    if (rc == RC_OK)
        rc = journal_open(spool, limits, &a->journal);
    if (rc == RC_CONFLICT)
        snprintf(why, size, "another sekisho-agent uses %s", cfg->state_dir);
    else if (rc != RC_OK)
        snprintf(why, size, "%s cannot be opened (%s)", spool, rc_name(rc));
    else
        ok = true;
    if (ok) {
        a->inventory = inventory_new(cfg, config_state(cfg, m, "agent/facts"), SEKISHO_VERSION);
        open_tasks(a);
    }
    arena_free(&m);
    return ok;
}

int checkin_run(const struct agent_config *cfg, int helper, bool once)
{
    struct agent a = {.cfg = cfg, .max_bytes = AGENT_REQUEST_BYTES, .max_events = AGENT_REQUEST_EVENTS};
    char why[300] = "";
    int status = 78; /* EX_CONFIG */
    /* Freed memory goes back to the system: a large inventory once a day should not be paid for all day. */
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_ARENA_MAX, 1);
    if (!prepare(&a, why, sizeof(why)) ||
        protect_start(cfg, helper, &agent_protect_callbacks, &a, &a.protect) != RC_OK ||
        !load_identity(&a, why, sizeof(why))) {
        ev_error(AREA_AGENT, "cannot start", EV_STR("detail", why[0] ? why : "the privileged process does not answer"));
        goto done;
    }
    a.trim_at = ms_now() + 60000;
    a.status_at = ms_now();
    a.protection_changed = true;
    a.protection_told = ms_now();
    agent_due(&a, WIRE_REASON_START, 0);
    tasks_resume(a.tasks);
    ev_info(AREA_AGENT, "agent started", EV_STR("version", SEKISHO_VERSION), EV_STR("server", cfg->server_host));
    status = loop(&a, once);
    status_write(&a);
done:
    arena_free(&a.errand_memory);
    wake_free(&a.wake);
    http_free(&a.http);
    if (a.protect)
        events_abort_downloads(&a);
    tls_client_free(&a.tls);
    protect_stop(&a.protect);
    tasks_free(&a.tasks);
    inventory_free(&a.inventory);
    journal_close(&a.journal);
    state_done(&a.state);
    return status;
}
