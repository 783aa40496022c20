/* SPDX-License-Identifier: Apache-2.0 */
/* helper.c - see helper.h. One thread around poll; nothing here waits for long. Orders run in children, which are ended
 * when they fall silent. Every child ends with us (PR_SET_PDEATHSIG, and the end of its socket). */
#include "agent/helper.h"
#include "agent/incident.h"
#include "agent/isolation.h"
#include "agent/message.h"
#include "agent/modules.h"
#include "agent/protect.h"
#include "agent/scan.h"
#include "common/event.h"
#include "common/file.h"
#include "common/must.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN          16
#define ORDERS_MAX        8 /* tasks at once */
#define EVENTS            64
#define QUEUE             512
#define SECOND_NS         UINT64_C(1000000000)
#define GUARD_SILENCE_NS  (3 * SECOND_NS)
#define ORDER_SILENCE_NS  (300 * SECOND_NS)
#define SCAN_SILENCE_NS   (180 * SECOND_NS)
#define OFFER_AGAIN_NS    (2 * SECOND_NS)
#define TERM_PATIENCE_NS  (12 * SECOND_NS)
#define RESUME_MS         15000
#define RELOAD_TIMEOUT_MS 180000
#define BACKOFF_MAX_NS    (60 * SECOND_NS)
#define STEADY_NS         (60 * SECOND_NS)
#define START_NS          (5 * SECOND_NS)

enum kind { FREE, NETWORK, GUARD, JUDGE, SCAN, ORDER };

static const char *const kinds[] = {"", "network", "guard", "judge", "scan", "order"};

struct child {
    enum kind kind;
    pid_t pid;
    int sock;
    struct uuid execution; /* nil: none */
    uint64_t heard_ns, born_ns;
    bool ended; /* its end state was passed on */
};

struct offered {
    bool used;
    struct uuid id;
    pid_t from;        /* child that waits */
    uint64_t again_ns; /* 0: is with the network process */
    struct packet *packet;
};

struct queued {
    struct queued *next;
    struct packet *packet;
};

struct helper {
    const struct agent_config *cfg;
    pid_t (*spawn)(void *, int);
    void *spawn_ctx;
    char state_dir[4096];
    char isolation_file[4200];
    struct child children[CHILDREN];
    struct offered events[EVENTS];
    struct queued *first, *last; /* to the network process, which reads slowly */
    size_t n_queued;
    struct helper_status status;
    bool status_changed;
    bool engine_known, guard_known; /* they have reported since the start */
    uint64_t started_ns;
    struct arena *left; /* what a crash left in the quarantine, read before anything new can come */
    struct quarantine *quarantine;
    struct quarantine_item *pending;
    size_t n_pending;
    uint64_t network_at_ns, guard_at_ns; /* start them then; 0: they run */
    uint64_t network_wait_ns, guard_wait_ns;
    int signals;
    bool ending;
    uint64_t kill_ns;
    int exit_status;
    bool network_gone;
};

/* What a child must not inherit is closed right behind fork, also in forks made for us by spawn. */
static struct helper *only;
static int kept_socks[2] = {-1, -1};

static void in_child(void)
{
    if (!only)
        return;
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &only->children[i];
        if (c->kind != FREE && c->sock >= 0 && c->sock != kept_socks[0] && c->sock != kept_socks[1])
            close(c->sock);
    }
    close(only->signals);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    only = NULL; /* the numbers will be other files in this process */
}

/* ---- status */

void helper_status_put(struct packet *out, const struct helper_status *s)
{
    judge_status_put(out, &s->engine);
    packet_put_u8(out, (uint8_t)s->guard);
    packet_put_u8(out, s->isolated);
    packet_put_i64(out, s->modules);
    packet_put_u8(out, (uint8_t)s->n_folders);
    for (size_t i = 0; i < s->n_folders; i++)
        packet_put_cstr(out, s->folders[i]);
}

bool helper_status_get(struct packet *in, struct helper_status *ret)
{
    struct helper_status s;
    if (!judge_status_get(in, &s.engine))
        return false;
    s.guard = (enum guard_mode)packet_u8(in);
    s.isolated = packet_u8(in) == 1;
    s.modules = packet_i64(in);
    s.n_folders = packet_u8(in);
    if (s.n_folders > CONFIG_LIST_MAX || s.guard > GUARD_WATCHES)
        return false;
    for (size_t i = 0; i < s.n_folders; i++)
        packet_cstr(in, s.folders[i], sizeof(s.folders[i]));
    if (!packet_done(in))
        return false;
    *ret = s;
    return true;
}

/* ---- children */

static struct child *find_kind(struct helper *h, enum kind kind)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (h->children[i].kind == kind)
            return &h->children[i];
    }
    return NULL;
}

static struct child *find_pid(struct helper *h, pid_t pid)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (h->children[i].kind != FREE && h->children[i].pid == pid)
            return &h->children[i];
    }
    return NULL;
}

static struct child *find_execution(struct helper *h, struct uuid id)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (h->children[i].kind >= SCAN && uuid_eq(h->children[i].execution, id))
            return &h->children[i];
    }
    return NULL;
}

static bool pair(int sv[2])
{
    int size = 1024 * 1024;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    fcntl(sv[0], F_SETFL, O_NONBLOCK);
    return true;
}

static struct child *adopt(struct helper *h, enum kind kind, pid_t pid, int sock)
{
    struct child *c = find_kind(h, FREE);
    must(c);
    *c = (struct child){.kind = kind, .pid = pid, .sock = sock, .heard_ns = clock_mono_ns()};
    c->born_ns = c->heard_ns;
    return c;
}

/* Forks a child with a socket pair to us. In the child: 0, with its end in *ret_sock. In the parent: its pid, and the
 * child is known. */
static pid_t start_child(struct helper *h, enum kind kind, int other, int *ret_sock, struct child **ret_child)
{
    int sv[2];
    if (!find_kind(h, FREE) || !pair(sv))
        return -1;
    kept_socks[0] = sv[1];
    kept_socks[1] = other;
    pid_t pid = fork();
    if (pid == 0) {
        close(sv[0]);
        char name[16];
        snprintf(name, sizeof(name), "sekisho-%s", kinds[kind]);
        prctl(PR_SET_NAME, name);
        if (getppid() == 1)
            _exit(0); /* the parent died before PR_SET_PDEATHSIG counted */
        *ret_sock = sv[1];
        return 0;
    }
    close(sv[1]);
    if (pid < 0) {
        close(sv[0]);
        return -1;
    }
    struct child *c = adopt(h, kind, pid, sv[0]);
    if (ret_child)
        *ret_child = c;
    return pid;
}

static uint64_t later(uint64_t *wait_ns)
{
    *wait_ns = *wait_ns ? *wait_ns * 2 : SECOND_NS;
    if (*wait_ns > BACKOFF_MAX_NS)
        *wait_ns = BACKOFF_MAX_NS;
    return clock_mono_ns() + *wait_ns;
}

static bool guarding(const struct helper *h)
{
    return strcmp(h->cfg->prevention, "off") != 0 && h->cfg->watched_folders.n > 0;
}

static void start_guard(struct helper *h)
{
    int sv[2] = {-1, -1}, control;
    h->guard_at_ns = 0;
    if (guarding(h) && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
        h->guard_at_ns = later(&h->guard_wait_ns);
        return;
    }
    int size = 4 * 1024 * 1024;
    for (int i = 0; i < 2 && sv[0] >= 0; i++)
        setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (start_child(h, JUDGE, sv[1], &control, NULL) == 0) {
        if (sv[0] >= 0)
            close(sv[0]);
        judge_run(h->cfg, control, sv[1]);
    }
    if (guarding(h) && start_child(h, GUARD, sv[0], &control, NULL) == 0) {
        close(sv[1]);
        guard_run(h->cfg, control, sv[0]);
    }
    for (int i = 0; i < 2; i++) {
        if (sv[i] >= 0)
            close(sv[i]);
    }
    if (!find_kind(h, JUDGE) || (guarding(h) && !find_kind(h, GUARD)))
        h->guard_at_ns = later(&h->guard_wait_ns);
}

static void start_network(struct helper *h)
{
    int sv[2];
    h->network_at_ns = 0;
    if (!pair(sv)) {
        h->network_at_ns = later(&h->network_wait_ns);
        return;
    }
    fcntl(sv[0], F_SETFL, O_NONBLOCK);
    kept_socks[0] = sv[1];
    kept_socks[1] = -1;
    fflush(NULL);
    /* until it is adopted below, in_child does not know this end */
    struct child *c = adopt(h, NETWORK, 0, sv[0]);
    pid_t pid = h->spawn(h->spawn_ctx, sv[1]);
    close(sv[1]);
    if (pid < 0) {
        close(sv[0]);
        c->kind = FREE;
        h->network_at_ns = later(&h->network_wait_ns);
        return;
    }
    c->pid = pid;
    h->status_changed = true;
}

/* ---- to the network process */

static void drop_queue(struct helper *h)
{
    while (h->first) {
        struct queued *q = h->first;
        h->first = q->next;
        free(q->packet);
        free(q);
    }
    h->last = NULL;
    h->n_queued = 0;
}

static void flush_queue(struct helper *h)
{
    struct child *c = find_kind(h, NETWORK);
    while (c && h->first) {
        struct queued *q = h->first;
        enum rc rc = packet_send(c->sock, q->packet);
        if (rc == RC_OVER_QUOTA || rc == RC_UNAVAILABLE)
            return;
        h->first = q->next;
        if (!h->first)
            h->last = NULL;
        h->n_queued--;
        free(q->packet);
        free(q);
    }
}

static struct packet *copy_packet(const struct packet *p)
{
    struct packet *c = must_alloc(sizeof(*c));
    c->n = p->n;
    c->bad = p->bad;
    memcpy(c->b, p->b, p->n);
    return c;
}

/* dispensable: may be left out when the network process does not keep up (the next one tells as much). */
static void to_network(struct helper *h, const struct packet *p, bool dispensable)
{
    if (!find_kind(h, NETWORK) || (dispensable && h->n_queued > 8) || h->n_queued >= QUEUE)
        return;
    struct queued *q = must_alloc(sizeof(*q));
    q->packet = copy_packet(p);
    if (h->last)
        h->last->next = q;
    else
        h->first = q;
    h->last = q;
    h->n_queued++;
    flush_queue(h);
}

static void tell_progress(struct helper *h, struct uuid execution, enum wire_execution_state state, const char *code,
                          const char *arg)
{
    struct packet *p = must_alloc(sizeof(*p));
    struct protect_progress pr = {.execution_id = execution,
                                  .state = state,
                                  .progress = state == WIRE_EXECUTION_STATE_DONE ? 100 : 0,
                                  .files_scanned = -1,
                                  .files_total = -1,
                                  .found = -1,
                                  .result_code = code,
                                  .result_args = {arg},
                                  .n_result_args = arg ? 1 : 0};
    progress_put(p, &pr);
    to_network(h, p, false);
    free(p);
}

static void tell_status(struct helper *h)
{
    /* In the first seconds what is not known yet must not look like what is missing. */
    bool known = h->engine_known && (h->guard_known || !guarding(h));
    if (!known && clock_mono_ns() - h->started_ns < START_NS)
        return;
    struct packet *p = must_alloc(sizeof(*p));
    h->status_changed = false;
    h->status.isolated = isolation_wished(h->isolation_file);
    h->status.modules = modules_read_installed(h->state_dir).version;
    helper_status_put(p, &h->status);
    to_network(h, p, true);
    free(p);
}

/* ---- events */

static void offer_due(struct helper *h)
{
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < EVENTS; i++) {
        struct offered *e = &h->events[i];
        if (!e->used || e->again_ns == 0 || e->again_ns > now || !find_kind(h, NETWORK))
            continue;
        e->again_ns = 0;
        to_network(h, e->packet, false);
    }
}

static void take_event(struct helper *h, struct child *c, struct packet *in)
{
    struct offered *e = NULL;
    for (size_t i = 0; i < EVENTS && !e; i++) {
        if (!h->events[i].used)
            e = &h->events[i];
    }
    must(e); /* each child has one event under way, and there are fewer children than places */
    packet_verb(in);
    *e =
        (struct offered){.used = true, .id = packet_uuid(in), .from = c->pid, .again_ns = 1, .packet = copy_packet(in)};
    offer_due(h);
}

static void take_event_verdict(struct helper *h, struct packet *in)
{
    struct uuid id = packet_uuid(in);
    bool written = packet_u8(in) == 1;
    for (size_t i = 0; packet_done(in) && i < EVENTS; i++) {
        struct offered *e = &h->events[i];
        if (!e->used || !uuid_eq(e->id, id))
            continue;
        if (!written) {
            e->again_ns = clock_mono_ns() + OFFER_AGAIN_NS;
            continue;
        }
        struct child *c = find_pid(h, e->from);
        struct packet *out = must_alloc(sizeof(*out));
        packet_start(out, VERB_VERDICT_EVENT);
        packet_put_uuid(out, id);
        packet_put_u8(out, 1);
        if (c && packet_send(c->sock, out) != RC_OK)
            kill(c->pid, SIGKILL);
        free(out);
        free(e->packet);
        *e = (struct offered){.used = false};
    }
}

static void forget_events_of(struct helper *h, pid_t pid)
{
    for (size_t i = 0; i < EVENTS; i++) {
        struct offered *e = &h->events[i];
        if (e->used && e->from == pid) {
            free(e->packet);
            *e = (struct offered){.used = false};
        }
    }
}

/* ---- orders */

static struct isolation_place isolation_of(const struct helper *h)
{
    return (struct isolation_place){h->cfg->nft, h->cfg->isolation_netns, h->isolation_file};
}

static void report(struct uplink *u, struct uuid execution, bool ok, const char *code, const char *const *args,
                   size_t n)
{
    struct protect_progress p = {.execution_id = execution,
                                 .state = ok ? WIRE_EXECUTION_STATE_DONE : WIRE_EXECUTION_STATE_FAILED,
                                 .progress = ok ? 100 : 0,
                                 .files_scanned = -1,
                                 .files_total = -1,
                                 .found = -1,
                                 .result_code = code,
                                 .n_result_args = n};
    for (size_t i = 0; i < n; i++)
        p.result_args[i] = args[i];
    uplink_progress(u, &p);
}

static void run_isolate(struct helper *h, struct uplink *u, struct uuid execution, struct packet *in)
{
    struct isolation i = {.n = 0};
    char address[64], why[200] = "";
    const char *args[1] = {why};
    size_t n = packet_u8(in);
    bool ok = n <= ISOLATION_MAX;
    for (size_t k = 0; ok && k < n; k++) {
        packet_cstr(in, address, sizeof(address));
        int64_t port = packet_i64(in);
        enum isolation_kind kind = packet_u8(in) == 1 ? ISOLATION_DNS : ISOLATION_TCP;
        ok = !in->bad && isolation_add(&i, address, port, kind);
    }
    struct isolation_place place = isolation_of(h);
    /* Nothing to leave open would be a way without return. */
    if (!ok || !packet_done(in) || i.n == 0)
        report(u, execution, false, "isolation_failed", (const char *[]){"no address of the server"}, 1);
    else if (isolation_begin(&place, &i, why, sizeof(why)) == RC_OK)
        report(u, execution, true, "isolated", NULL, 0);
    else
        report(u, execution, false, "isolation_failed", args, 1);
}

static void run_end_isolation(struct helper *h, struct uplink *u, struct uuid execution)
{
    char why[200] = "";
    const char *args[1] = {why};
    struct isolation_place place = isolation_of(h);
    if (isolation_end(&place, why, sizeof(why)) == RC_OK)
        report(u, execution, true, "isolation_ended", NULL, 0);
    else
        report(u, execution, false, "isolation_failed", args, 1);
}

static void run_message(struct helper *h, struct uplink *u, struct uuid execution, struct packet *in)
{
    struct slice title = packet_str(in), text = packet_str(in);
    char count[16];
    const char *args[1] = {count};
    int n = packet_done(in) ? message_show(h->cfg->root, h->cfg->notify_send, title, text) : 0;
    snprintf(count, sizeof(count), "%d", n);
    if (n > 0)
        report(u, execution, true, "message_shown", args, 1);
    else
        report(u, execution, false, "no_session", NULL, 0);
}

/* The module key is pinned by the first update; another one later must be allowed by whoever can remove the file. */
static bool key_pinned(const struct helper *h, struct arena *a, const uint8_t key[32])
{
    struct slice have;
    const char *path = arena_printf(a, "%s/module.key", h->state_dir);
    enum rc rc = file_read(a, path, 64, &have);
    if (rc == RC_NOT_FOUND)
        return file_write(path, slice_mem(key, 32), 0600) == RC_OK;
    return rc == RC_OK && have.n == 32 && memcmp(have.p, key, 32) == 0;
}

static bool read_fd(struct arena *a, int fd, size_t ceiling, struct slice *ret)
{
    char *b = arena_alloc(a, ceiling + 1);
    size_t n = 0;
    ssize_t r = -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    while (n <= ceiling && (r = pread(fd, b + n, ceiling + 1 - n, (off_t)n)) > 0)
        n += (size_t)r;
    *ret = slice_mem(b, n);
    return r == 0 && n <= ceiling;
}

static void run_modules(struct helper *h, struct uplink *u, struct uuid execution, struct packet *in)
{
    struct arena *a = arena_new(4 * 1024 * 1024);
    struct slice key = packet_str(in), manifest = SLICE(""), signature = SLICE("");
    struct engine_settings settings = {h->cfg->clamd_socket, h->cfg->signatures_dir};
    struct modules_outcome o = {.code = MODULES_MALFORMED};
    struct engine *e = engine_clamd.open(&settings);
    struct engine_info info;
    enum rc rc = RC_INVALID;
    if (!packet_done(in) || key.n != 32 || in->n_fds < 2 || !read_fd(a, in->fds[0], MODULES_MANIFEST_MAX, &manifest) ||
        !read_fd(a, in->fds[1], MODULES_SIGNATURE_MAX, &signature)) {
        o.code = MODULES_MALFORMED;
    } else if (!key_pinned(h, a, (const uint8_t *)key.p)) {
        o.code = "module_key_changed";
    } else if (e->driver->info(e, 5000, &info) != RC_OK) {
        o.code = "engine_unavailable";
    } else {
        const struct modules_place place = {h->state_dir, h->cfg->signatures_dir, &engine_clamd, e, RELOAD_TIMEOUT_MS};
        rc = modules_install(&place, (const uint8_t *)key.p, manifest, signature, in->fds + 2, in->n_fds - 2, &o);
    }
    const char *args[2] = {o.args[0], o.args[1]};
    report(u, execution, rc == RC_OK, o.code, args, o.n_args);
    engine_clamd.close(&e);
    arena_free(&a);
}

static void run_recover(struct helper *h, struct uplink *u)
{
    const struct incidents s = {.uplink = u, .quarantine = h->quarantine};
    modules_recover(h->state_dir, h->cfg->signatures_dir);
    incident_recover(&s, h->pending, h->n_pending);
}

static bool read_scan_order(struct packet *in, struct scan_order *o)
{
    o->clean = packet_u8(in) == 1;
    o->n_targets = packet_u8(in);
    if (o->n_targets > SCAN_TARGETS_MAX)
        return false;
    for (size_t i = 0; i < o->n_targets; i++) {
        struct slice s = packet_str(in);
        o->targets[i] = must_alloc(s.n + 1);
        memcpy(o->targets[i], s.p, s.n);
    }
    return packet_done(in);
}

/* The fixed list: what an order does, in its own process. */
static void run_order(struct helper *h, int sock, enum verb verb, struct uuid execution, struct packet *in)
{
    static struct scan_order order;
    if (verb == VERB_SCAN) {
        order.execution = execution;
        if (!read_scan_order(in, &order))
            _exit(1);
        _exit(scan_run(h->cfg, sock, &order));
    }
    struct uplink *u = uplink_open(sock, NULL, NULL);
    if (verb == VERB_ISOLATE)
        run_isolate(h, u, execution, in);
    else if (verb == VERB_END_ISOLATION)
        run_end_isolation(h, u, execution);
    else if (verb == VERB_MESSAGE)
        run_message(h, u, execution, in);
    else if (verb == VERB_MODULES)
        run_modules(h, u, execution, in);
    else
        run_recover(h, u);
    _exit(0);
}

static size_t orders_running(const struct helper *h)
{
    size_t n = 0;
    for (size_t i = 0; i < CHILDREN; i++)
        n += h->children[i].kind >= SCAN && !uuid_is_nil(h->children[i].execution);
    return n;
}

static void start_order(struct helper *h, enum verb verb, struct uuid execution, struct packet *in)
{
    int sock;
    struct child *c = NULL;
    if (!uuid_is_nil(execution) && find_execution(h, execution))
        return; /* the same order twice */
    if (orders_running(h) >= ORDERS_MAX) {
        tell_progress(h, execution, WIRE_EXECUTION_STATE_REFUSED, "busy", NULL);
        return;
    }
    pid_t pid = start_child(h, verb == VERB_SCAN ? SCAN : ORDER, -1, &sock, &c);
    if (pid == 0)
        run_order(h, sock, verb, execution, in);
    if (pid < 0)
        tell_progress(h, execution, WIRE_EXECUTION_STATE_FAILED, "refused_by_agent", NULL);
    else
        c->execution = execution;
}

/* What a crash left half done is finished in a process of its own, for it waits for the journal. */
static void recover(struct helper *h)
{
    char dir[4200];
    h->left = arena_new(64 * 1024 * 1024);
    snprintf(dir, sizeof(dir), "%s/quarantine", h->state_dir);
    if (quarantine_open(dir, &h->quarantine) != RC_OK ||
        quarantine_pending(h->quarantine, h->left, &h->pending, &h->n_pending) != RC_OK)
        ev_error(AREA_AGENT, "quarantine cannot be read", EV_STR("folder", dir), EV_STR("reason", strerror(errno)));
    start_order(h, 0, (struct uuid){0}, NULL);
    quarantine_close(&h->quarantine);
    arena_free(&h->left);
    h->n_pending = 0;
}

static void cancel(struct helper *h, struct uuid execution)
{
    struct child *c = find_execution(h, execution);
    struct packet *p = must_alloc(sizeof(*p));
    packet_start(p, VERB_CANCEL);
    if (c && packet_send(c->sock, p) != RC_OK)
        kill(c->pid, SIGKILL);
    free(p);
}

/* ---- reading */

static void from_network(struct helper *h, struct packet *in)
{
    enum verb verb = packet_verb(in);
    if (verb == VERB_VERDICT_EVENT) {
        take_event_verdict(h, in);
        return;
    }
    struct uuid execution = packet_uuid(in);
    if (in->bad || uuid_is_nil(execution))
        return;
    switch (verb) {
    case VERB_SCAN:
    case VERB_ISOLATE:
    case VERB_END_ISOLATION:
    case VERB_MESSAGE:
    case VERB_MODULES:
        start_order(h, verb, execution, in);
        break;
    case VERB_CANCEL:
        cancel(h, execution);
        break;
    default:
        ev_warn(AREA_AGENT, "unknown verb from the network process", EV_INT("verb", verb));
    }
}

static void take_progress(struct helper *h, struct child *c, struct packet *in)
{
    struct arena *a = arena_new(PACKET_SIZE * 2);
    struct protect_progress p;
    struct packet *again = copy_packet(in);
    if (progress_get(in, a, &p) && uuid_eq(p.execution_id, c->execution)) {
        c->ended = c->ended || p.state >= WIRE_EXECUTION_STATE_DONE;
        to_network(h, again, p.state == WIRE_EXECUTION_STATE_RUNNING);
        if (c->ended)
            h->status_changed = true;
    }
    free(again);
    arena_free(&a);
}

static void take_guard(struct helper *h, struct packet *in)
{
    h->status.guard = (enum guard_mode)packet_u8(in);
    size_t n = packet_u8(in);
    h->status.n_folders = n < CONFIG_LIST_MAX ? n : CONFIG_LIST_MAX;
    for (size_t i = 0; i < h->status.n_folders; i++)
        packet_cstr(in, h->status.folders[i], sizeof(h->status.folders[i]));
    h->status_changed = h->guard_known = true;
}

static void from_child(struct helper *h, struct child *c, struct packet *in)
{
    c->heard_ns = clock_mono_ns();
    switch (packet_verb(in)) {
    case VERB_EVENT:
        in->at = 0;
        take_event(h, c, in);
        break;
    case VERB_PROGRESS:
        take_progress(h, c, in);
        break;
    case VERB_STATUS:
        if (c->kind == JUDGE && judge_status_get(in, &h->status.engine))
            h->status_changed = h->engine_known = true;
        break;
    case VERB_GUARD:
        if (c->kind == GUARD)
            take_guard(h, in);
        break;
    default:
        break;
    }
}

static void read_child(struct helper *h, struct child *c)
{
    static struct packet in;
    for (int turn = 0; turn < 64 && c->kind != FREE && c->sock >= 0; turn++) {
        enum rc rc = packet_receive(c->sock, &in, false);
        if (rc == RC_NOT_FOUND)
            return;
        if (rc != RC_OK) {
            /* its end comes by SIGCHLD */
            close(c->sock);
            c->sock = -1;
            return;
        }
        if (c->kind == NETWORK)
            from_network(h, &in);
        else
            from_child(h, c, &in);
        packet_close_fds(&in);
    }
}

/* ---- ends */

static void network_ended(struct helper *h, const struct child *c, int status)
{
    bool by_itself = WIFEXITED(status);
    int code = by_itself ? WEXITSTATUS(status) : 0;
    drop_queue(h);
    for (size_t i = 0; i < EVENTS; i++)
        h->events[i].again_ns = h->events[i].used ? 1 : 0; /* to be offered to the next one */
    for (size_t i = 0; i < CHILDREN; i++) {
        /* Nobody would hear of their end; the next network process reports them as interrupted. */
        if (h->children[i].kind == SCAN)
            kill(h->children[i].pid, SIGKILL);
    }
    if (h->ending || (by_itself && (code == 0 || (code >= 64 && code <= 78)))) {
        h->exit_status = by_itself ? code : 0;
        h->ending = h->network_gone = true;
        return;
    }
    if (clock_mono_ns() - c->born_ns > STEADY_NS)
        h->network_wait_ns = 0;
    h->network_at_ns = later(&h->network_wait_ns);
    ev_warn(AREA_AGENT, "network process ended", EV_INT("status", by_itself ? code : -WTERMSIG(status)),
            EV_INT("again_in_s", h->network_wait_ns / SECOND_NS));
}

static void guard_ended(struct helper *h, const struct child *c)
{
    struct child *other = find_kind(h, c->kind == GUARD ? JUDGE : GUARD);
    if (c->kind == GUARD) {
        h->status.guard = GUARD_OFF;
        h->status.n_folders = 0;
    } else {
        h->status.engine.up = false;
    }
    h->status_changed = true;
    if (other && guarding(h))
        kill(other->pid, SIGKILL);
    if (clock_mono_ns() - c->born_ns > STEADY_NS)
        h->guard_wait_ns = 0;
    if (!h->guard_at_ns)
        h->guard_at_ns = later(&h->guard_wait_ns);
}

static void child_ended(struct helper *h, struct child *c, int status)
{
    read_child(h, c); /* what it said last */
    struct child gone = *c;
    if (c->sock >= 0)
        close(c->sock);
    *c = (struct child){.kind = FREE, .sock = -1};
    if (gone.kind == NETWORK) {
        network_ended(h, &gone, status);
        return;
    }
    forget_events_of(h, gone.pid);
    if (gone.kind == GUARD || gone.kind == JUDGE)
        guard_ended(h, &gone);
    if (gone.kind >= SCAN && !uuid_is_nil(gone.execution) && !gone.ended)
        tell_progress(h, gone.execution, WIRE_EXECUTION_STATE_FAILED, "interrupted", NULL);
    if (gone.kind == ORDER) {
        struct child *judge = find_kind(h, JUDGE);
        struct packet *p = must_alloc(sizeof(*p));
        packet_start(p, VERB_RELOADED);
        if (judge && packet_send(judge->sock, p) != RC_OK)
            ev_debug(AREA_AGENT, "judge not told of the end of an order");
        free(p);
        h->status_changed = true;
    }
}

static void reap(struct helper *h)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct child *c = find_pid(h, pid);
        if (c)
            child_ended(h, c, status);
    }
}

static void end_silent(struct helper *h)
{
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &h->children[i];
        bool silent = (c->kind == GUARD && now - c->heard_ns > GUARD_SILENCE_NS) ||
                      (c->kind == SCAN && now - c->heard_ns > SCAN_SILENCE_NS && !c->ended) ||
                      (c->kind == ORDER && !uuid_is_nil(c->execution) && now - c->heard_ns > ORDER_SILENCE_NS);
        if (!silent)
            continue;
        ev_warn(AREA_AGENT, "process fell silent and is ended", EV_STR("process", kinds[c->kind]),
                EV_INT("pid", c->pid));
        /* A scan that waits for the journal is silent with reason. */
        bool waits = false;
        for (size_t k = 0; k < EVENTS; k++)
            waits = waits || (h->events[k].used && h->events[k].from == c->pid);
        c->heard_ns = now;
        if (!waits)
            kill(c->pid, SIGKILL);
    }
}

static void on_signal(struct helper *h)
{
    struct signalfd_siginfo s;
    while (read(h->signals, &s, sizeof(s)) == (ssize_t)sizeof(s)) {
        struct child *n = find_kind(h, NETWORK);
        if (s.ssi_signo == SIGCHLD) {
            continue; /* reaped in every turn */
        } else if (s.ssi_signo == SIGHUP) {
            if (n)
                kill(n->pid, SIGHUP);
        } else {
            h->ending = true;
            h->kill_ns = clock_mono_ns() + TERM_PATIENCE_NS;
            if (n)
                kill(n->pid, (int)s.ssi_signo);
            else
                h->network_gone = true;
        }
    }
}

static void kill_all(struct helper *h)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (h->children[i].kind != FREE)
            kill(h->children[i].pid, SIGKILL);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        if (h->children[i].kind == FREE)
            continue;
        while (waitpid(h->children[i].pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        if (h->children[i].sock >= 0)
            close(h->children[i].sock);
        h->children[i].kind = FREE;
    }
}

/* ---- start */

/* A session of our own tells our processes from others (the guard lets them pass). A leader of a process group, such as
 * a shell's job, cannot make one: then a child does, and this process only passes signals on and waits. */
static bool own_session(int *ret_status)
{
    if (getsid(0) == getpid() || setsid() >= 0)
        return true;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(0);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        setsid();
        return true;
    }
    int status = 0, got;
    while (pid > 0 && waitpid(pid, &status, WNOHANG) == 0) {
        if (sigwait(&set, &got) == 0 && got != SIGCHLD)
            kill(pid, got);
    }
    *ret_status = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 71;
    return false;
}

/* Before anything may use the network. In a child, for it may enter a namespace, and it may not take for ever. */
static void resume_isolation(struct helper *h)
{
    char why[200] = "";
    if (!isolation_wished(h->isolation_file))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        struct isolation_place place = isolation_of(h);
        enum rc rc = isolation_resume(&place, why, sizeof(why));
        if (rc != RC_OK || why[0])
            ev_error(AREA_AGENT, "isolation not wholly resumed", EV_RC(rc), EV_STR("reason", why));
        _exit(rc == RC_OK ? 0 : 1);
    }
    for (int ms = 0; pid > 0 && ms < RESUME_MS; ms += 20) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        poll(NULL, 0, 20);
    }
}

static void loop(struct helper *h)
{
    while (!(h->ending && (h->network_gone || (h->kill_ns && clock_mono_ns() > h->kill_ns)))) {
        struct pollfd p[CHILDREN + 1] = {{h->signals, POLLIN, 0}};
        for (size_t i = 0; i < CHILDREN; i++) {
            struct child *c = &h->children[i];
            p[i + 1] = (struct pollfd){c->kind == FREE ? -1 : c->sock, POLLIN, 0};
            if (c->kind == NETWORK && h->first)
                p[i + 1].events |= POLLOUT;
        }
        poll(p, CHILDREN + 1, 1000);
        for (size_t i = 0; i < CHILDREN; i++) {
            if (p[i + 1].revents && h->children[i].kind != FREE && h->children[i].sock == p[i + 1].fd)
                read_child(h, &h->children[i]);
        }
        on_signal(h);
        reap(h);
        end_silent(h);
        uint64_t now = clock_mono_ns();
        if (!h->ending && h->network_at_ns && now >= h->network_at_ns)
            start_network(h);
        if (!h->ending && h->guard_at_ns && now >= h->guard_at_ns && !find_kind(h, GUARD) && !find_kind(h, JUDGE))
            start_guard(h);
        if (h->status_changed)
            tell_status(h);
        offer_due(h);
        flush_queue(h);
    }
}

int protect_supervise(const struct agent_config *cfg, pid_t (*spawn)(void *ctx, int helper), void *ctx)
{
    int status;
    if (!own_session(&status))
        return status;
    struct helper *h = must_alloc(sizeof(*h));
    sigset_t set;
    h->cfg = cfg;
    h->started_ns = clock_mono_ns();
    h->spawn = spawn;
    h->spawn_ctx = ctx;
    snprintf(h->state_dir, sizeof(h->state_dir), "%s/protect", cfg->state_dir);
    snprintf(h->isolation_file, sizeof(h->isolation_file), "%s/isolation", h->state_dir);
    for (size_t i = 0; i < CHILDREN; i++)
        h->children[i].sock = -1;
    if (file_mkdirs(h->state_dir, 0700) != RC_OK) {
        ev_error(AREA_AGENT, "state folder cannot be made", EV_STR("folder", h->state_dir),
                 EV_STR("reason", strerror(errno)));
        free(h);
        return 73;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    must(h->signals >= 0);
    only = h;
    must(pthread_atfork(NULL, NULL, in_child) == 0);
    resume_isolation(h);
    start_network(h);
    recover(h);
    start_guard(h);
    loop(h);
    kill_all(h);
    drop_queue(h);
    status = h->exit_status;
    only = NULL;
    close(h->signals);
    free(h);
    return status;
}
