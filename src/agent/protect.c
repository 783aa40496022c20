/* SPDX-License-Identifier: Apache-2.0 */
/* protect.c - the network process's end of protect.h: tasks become orders to the privileged process, its packets become
 * callbacks. Runs on the network process's thread; names are looked up on threads of their own, whose results come by a
 * socket. */
#include "agent/protect.h"
#include "agent/helper.h"
#include "agent/modules.h"
#include "agent/resolve.h"
#include "agent/scan.h"
#include "common/event.h"
#include "common/must.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TASKS    16
#define PROBLEMS 4
#define DAY_USEC (INT64_C(86400) * USEC_PER_SEC)

struct running {
    bool used;
    struct uuid execution;
    enum wire_task_type type;
};

/* One update at a time. Its memory is the arena's. */
struct update {
    struct arena *a; /* NULL: none */
    struct uuid execution;
    uint64_t request;
    int fds[MODULES_FILES_MAX + 2];
    size_t n_fds; /* fetched or being fetched */
    struct wire_module_manifest manifest;
    struct slice manifest_text, signature;
};

struct look_up {
    const struct agent_config *cfg;
    struct uuid execution;
    char *allow[8];
    size_t n_allow;
    int answer; /* socket that takes the pointer */
    enum rc rc;
    char failed[256];
    struct isolation open_ends;
};

struct protect {
    const struct agent_config *cfg;
    struct protect_callbacks cb;
    void *ctx;
    int helper, epoll;
    int answers[2]; /* of look-ups */
    bool has_key;
    uint8_t key[32];
    struct running tasks[TASKS];
    struct update update;
    uint64_t requests;
    bool known; /* a status has come */
    struct sha256 last_status;
    struct helper_status status;
    usec_t since[PROBLEMS];
    struct packet in, out;
};

/* ---- life */

static void watch(struct protect *p, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    must(epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

enum rc protect_start(const struct agent_config *cfg, int helper, const struct protect_callbacks *cb, void *ctx,
                      struct protect **ret)
{
    struct protect *p = must_alloc(sizeof(*p));
    p->cfg = cfg;
    p->cb = *cb;
    p->ctx = ctx;
    p->helper = helper;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->answers) < 0) {
        if (p->epoll >= 0)
            close(p->epoll);
        close(helper);
        free(p);
        return RC_UNAVAILABLE;
    }
    watch(p, helper);
    watch(p, p->answers[0]);
    *ret = p;
    return RC_OK;
}

static void free_look_up(struct look_up *l)
{
    for (size_t i = 0; i < l->n_allow; i++)
        free(l->allow[i]);
    close(l->answer);
    free(l);
}

static void end_update(struct protect *p)
{
    struct update *u = &p->update;
    for (size_t i = 0; i < u->n_fds; i++)
        close(u->fds[i]);
    arena_free(&u->a);
    *u = (struct update){0};
}

void protect_stop(struct protect **pp)
{
    struct protect *p = *pp;
    struct look_up *l;
    if (!p)
        return;
    if (p->update.a)
        end_update(p);
    while (recv(p->answers[0], &l, sizeof(l), MSG_DONTWAIT) == (ssize_t)sizeof(l))
        free_look_up(l);
    close(p->answers[0]);
    close(p->answers[1]);
    close(p->helper);
    close(p->epoll);
    free(p);
    *pp = NULL;
}

int protect_fd(const struct protect *p)
{
    return p->epoll;
}

int protect_timeout_ms(const struct protect *p)
{
    (void)p; /* all that happens here comes by a descriptor */
    return -1;
}

void protect_module_key(struct protect *p, const uint8_t key[32])
{
    memcpy(p->key, key, 32);
    p->has_key = true;
}

/* ---- tasks */

static struct running *find(const struct protect *p, struct uuid id)
{
    for (size_t i = 0; i < TASKS; i++) {
        if (p->tasks[i].used && uuid_eq(p->tasks[i].execution, id))
            return (struct running *)(uintptr_t)&p->tasks[i];
    }
    return NULL;
}

static void tell(struct protect *p, struct uuid execution, enum wire_execution_state state, const char *code,
                 const char *arg1, const char *arg2)
{
    struct protect_progress pr = {.execution_id = execution,
                                  .state = state,
                                  .progress = state == WIRE_EXECUTION_STATE_DONE ? 100 : 0,
                                  .files_scanned = -1,
                                  .files_total = -1,
                                  .found = -1,
                                  .result_code = code,
                                  .result_args = {arg1, arg2},
                                  .n_result_args = arg1 ? arg2 ? 2 : 1 : 0};
    struct running *r = find(p, execution);
    /* Forgotten before the call: the callback may start the next one. */
    if (state >= WIRE_EXECUTION_STATE_DONE && r)
        r->used = false;
    p->cb.on_progress(p->ctx, &pr);
}

static void send_order(struct protect *p, struct uuid execution, const int *fds, size_t n_fds)
{
    enum rc rc = packet_send_fds(p->helper, &p->out, fds, n_fds);
    if (rc != RC_OK)
        tell(p, execution, WIRE_EXECUTION_STATE_FAILED, rc == RC_INVALID ? "refused_by_agent" : "interrupted", NULL,
             NULL);
}

static void order(struct protect *p, enum verb verb, struct uuid execution)
{
    packet_start(&p->out, verb);
    packet_put_uuid(&p->out, execution);
}

static void start_scan(struct protect *p, const struct wire_task *t)
{
    size_t n = t->n_targets < SCAN_TARGETS_MAX ? t->n_targets : SCAN_TARGETS_MAX;
    order(p, VERB_SCAN, t->execution_id);
    packet_put_u8(&p->out, t->clean);
    packet_put_u8(&p->out, (uint8_t)n);
    for (size_t i = 0; i < n; i++)
        packet_put_str(&p->out, t->targets[i]);
    send_order(p, t->execution_id, NULL, 0);
}

static void start_message(struct protect *p, const struct wire_task *t)
{
    order(p, VERB_MESSAGE, t->execution_id);
    packet_put_str(&p->out, t->title.p ? t->title : SLICE(""));
    packet_put_str(&p->out, t->text.p ? t->text : SLICE(""));
    send_order(p, t->execution_id, NULL, 0);
}

/* ---- isolation: names first, on a thread */

static void *look_up(void *arg)
{
    struct look_up *l = arg;
    l->rc = resolve_open_ends(l->cfg, l->allow, l->n_allow, &l->open_ends, l->failed);
    int fd = l->answer;
    if (send(fd, &l, sizeof(l), MSG_NOSIGNAL) != (ssize_t)sizeof(l))
        free_look_up(l); /* nobody waits any more */
    return NULL;
}

static void start_isolation(struct protect *p, const struct wire_task *t)
{
    struct look_up *l = must_alloc(sizeof(*l));
    pthread_t thread;
    l->cfg = p->cfg;
    l->execution = t->execution_id;
    l->answer = fcntl(p->answers[1], F_DUPFD_CLOEXEC, 3);
    for (size_t i = 0; i < t->n_allow && i < 8; i++) {
        l->allow[i] = must_alloc(t->allow[i].n + 1);
        memcpy(l->allow[i], t->allow[i].p, t->allow[i].n);
        l->n_allow++;
    }
    if (l->answer < 0 || pthread_create(&thread, NULL, look_up, l) != 0) {
        free_look_up(l);
        tell(p, t->execution_id, WIRE_EXECUTION_STATE_FAILED, "refused_by_agent", NULL, NULL);
        return;
    }
    pthread_detach(thread);
}

static void looked_up(struct protect *p, struct look_up *l)
{
    struct running *r = find(p, l->execution);
    if (!r) {
        /* cancelled meanwhile */
    } else if (l->rc != RC_OK) {
        tell(p, l->execution, WIRE_EXECUTION_STATE_FAILED, "address_unknown", l->failed, NULL);
    } else {
        order(p, VERB_ISOLATE, l->execution);
        packet_put_u8(&p->out, (uint8_t)l->open_ends.n);
        for (size_t i = 0; i < l->open_ends.n; i++) {
            packet_put_cstr(&p->out, l->open_ends.v[i].address);
            packet_put_i64(&p->out, l->open_ends.v[i].port);
            packet_put_u8(&p->out, l->open_ends.v[i].kind == ISOLATION_DNS);
        }
        send_order(p, l->execution, NULL, 0);
    }
    free_look_up(l);
}

/* ---- module update: manifest, signature, files, then the order with all of them */

static int temp_file(struct protect *p)
{
    struct arena *a = arena_new(16384);
    int fd = open(config_state(p->cfg, a, "agent"), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    arena_free(&a);
    return fd >= 0 ? fd : memfd_create("module", MFD_CLOEXEC);
}

static void fail_update(struct protect *p, const char *code, const char *arg1, const char *arg2)
{
    struct uuid execution = p->update.execution;
    end_update(p);
    tell(p, execution, WIRE_EXECUTION_STATE_FAILED, code, arg1, arg2);
}

static void fetch(struct protect *p, const char *name, uint64_t limit)
{
    struct update *u = &p->update;
    int fd = temp_file(p), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        if (fd >= 0)
            close(fd);
        fail_update(p, "refused_by_agent", NULL, NULL);
        return;
    }
    u->fds[u->n_fds++] = fd;
    u->request = ++p->requests;
    p->cb.fetch(p->ctx, u->request, name, copy, limit);
}

static void fetch_next(struct protect *p)
{
    struct update *u = &p->update;
    size_t i = u->n_fds - 2;
    if (i < u->manifest.n_files) {
        fetch(p, arena_cstr(u->a, u->manifest.files[i].name), (uint64_t)u->manifest.files[i].size);
        return;
    }
    struct uuid execution = u->execution;
    order(p, VERB_MODULES, execution);
    packet_put_str(&p->out, slice_mem(p->key, 32));
    u->request = 0;
    send_order(p, execution, u->fds, u->n_fds);
    if (p->update.a && uuid_eq(p->update.execution, execution))
        end_update(p); /* the privileged process has its own copies of the descriptors */
}

static bool slurp(struct arena *a, int fd, size_t ceiling, struct slice *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size > (off_t)ceiling)
        return false;
    char *b = arena_alloc(a, (size_t)st.st_size + 1);
    ssize_t n = pread(fd, b, (size_t)st.st_size, 0);
    *ret = slice_mem(b, n < 0 ? 0 : (size_t)n);
    return n == st.st_size;
}

/* The privileged process checks all of this again; here it saves fetching what will be refused. */
static void check_manifest(struct protect *p)
{
    struct update *u = &p->update;
    const char *code, *reason;
    char offered[24], have[24];
    if (!slurp(u->a, u->fds[0], MODULES_MANIFEST_MAX, &u->manifest_text) ||
        !slurp(u->a, u->fds[1], MODULES_SIGNATURE_MAX, &u->signature)) {
        fail_update(p, MODULES_MALFORMED, "size", NULL);
        return;
    }
    if (modules_verify(u->a, p->key, u->manifest_text, u->signature, &u->manifest, &code, &reason) != RC_OK) {
        char why[200];
        snprintf(why, sizeof(why), "%s", reason ? reason : "");
        fail_update(p, code, reason ? why : NULL, NULL);
        return;
    }
    snprintf(offered, sizeof(offered), "%lld", (long long)u->manifest.version);
    snprintf(have, sizeof(have), "%lld", (long long)p->status.modules);
    if (u->manifest.version == p->status.modules) {
        struct uuid execution = u->execution;
        end_update(p);
        tell(p, execution, WIRE_EXECUTION_STATE_DONE, MODULES_CURRENT, offered, NULL);
    } else if (u->manifest.version < p->status.modules) {
        fail_update(p, MODULES_OLDER, offered, have);
    } else {
        fetch_next(p);
    }
}

void protect_fetched(struct protect *p, uint64_t request, enum rc rc, int status)
{
    struct update *u = &p->update;
    char text[16];
    if (!u->a || u->request != request)
        return; /* cancelled meanwhile */
    snprintf(text, sizeof(text), "%d", status);
    if (rc != RC_OK || status != 200)
        fail_update(p, status == 404 ? "no_modules" : "modules_unreachable", status == 404 ? NULL : text, NULL);
    else if (u->n_fds == 1)
        fetch(p, "manifest.sig", MODULES_SIGNATURE_MAX);
    else if (u->n_fds == 2)
        check_manifest(p);
    else
        fetch_next(p);
}

static void start_update(struct protect *p, struct uuid execution)
{
    if (!p->has_key) {
        tell(p, execution, WIRE_EXECUTION_STATE_FAILED, "no_module_key", NULL, NULL);
    } else if (p->update.a) {
        tell(p, execution, WIRE_EXECUTION_STATE_REFUSED, "busy", NULL, NULL);
    } else {
        p->update = (struct update){.a = arena_new(4 * 1024 * 1024), .execution = execution};
        fetch(p, "manifest.json", MODULES_MANIFEST_MAX);
    }
}

/* ---- */

void protect_task(struct protect *p, const struct wire_task *t)
{
    struct running *r = NULL;
    if (find(p, t->execution_id))
        return;
    for (size_t i = 0; i < TASKS && !r; i++) {
        if (!p->tasks[i].used)
            r = &p->tasks[i];
    }
    if (!r) {
        tell(p, t->execution_id, WIRE_EXECUTION_STATE_REFUSED, "busy", NULL, NULL);
        return;
    }
    *r = (struct running){true, t->execution_id, t->type};
    tell(p, t->execution_id, WIRE_EXECUTION_STATE_RUNNING, NULL, NULL, NULL);
    switch (t->type) {
    case WIRE_TASK_TYPE_SCAN:
        start_scan(p, t);
        break;
    case WIRE_TASK_TYPE_UPDATE_MODULES:
        start_update(p, t->execution_id);
        break;
    case WIRE_TASK_TYPE_SHOW_MESSAGE:
        start_message(p, t);
        break;
    case WIRE_TASK_TYPE_ISOLATE:
        start_isolation(p, t);
        break;
    case WIRE_TASK_TYPE_END_ISOLATION:
        order(p, VERB_END_ISOLATION, t->execution_id);
        send_order(p, t->execution_id, NULL, 0);
        break;
    default:
        tell(p, t->execution_id, WIRE_EXECUTION_STATE_REFUSED, "unsupported", NULL, NULL);
    }
}

void protect_cancel(struct protect *p, struct uuid execution_id)
{
    struct running *r = find(p, execution_id);
    if (!r)
        return;
    if (p->update.a && uuid_eq(p->update.execution, execution_id)) {
        end_update(p);
        tell(p, execution_id, WIRE_EXECUTION_STATE_CANCELLED, "cancelled", NULL, NULL);
    } else if (r->type == WIRE_TASK_TYPE_SCAN) {
        order(p, VERB_CANCEL, execution_id);
        if (packet_send(p->helper, &p->out) != RC_OK)
            ev_warn(AREA_AGENT, "cancel order not sent");
    }
    /* the others are a matter of a moment and are not torn in the middle */
}

bool protect_runs(const struct protect *p, struct uuid execution_id)
{
    return find(p, execution_id) != NULL;
}

bool protect_busy(const struct protect *p)
{
    for (size_t i = 0; i < TASKS; i++) {
        if (p->tasks[i].used)
            return true;
    }
    return false;
}

/* ---- from the privileged process */

static void take_event(struct protect *p)
{
    struct uuid id = packet_uuid(&p->in);
    enum wire_event_kind kind = (enum wire_event_kind)packet_u8(&p->in);
    usec_t occurred = packet_i64(&p->in);
    bool urgent = packet_u8(&p->in) == 1;
    struct slice body = packet_str(&p->in);
    if (!packet_done(&p->in))
        return;
    enum rc rc = p->cb.on_event(p->ctx, id, kind, body, occurred, urgent);
    packet_start(&p->out, VERB_VERDICT_EVENT);
    packet_put_uuid(&p->out, id);
    /* one that can never be written must not stop all that come after it */
    packet_put_u8(&p->out, rc == RC_OK || rc == RC_INVALID);
    if (packet_send(p->helper, &p->out) != RC_OK)
        ev_warn(AREA_AGENT, "answer to an event not sent");
}

static void take_progress(struct protect *p)
{
    struct arena *a = arena_new(PACKET_SIZE * 2);
    struct protect_progress pr;
    if (progress_get(&p->in, a, &pr)) {
        struct running *r = find(p, pr.execution_id);
        if (r && pr.state >= WIRE_EXECUTION_STATE_DONE)
            r->used = false;
        if (r)
            p->cb.on_progress(p->ctx, &pr);
    }
    arena_free(&a);
}

static bool problem_now(const struct protect *p, size_t which, const char **ret_arg, int64_t *ret_number);

static void take_status(struct protect *p)
{
    struct sha256 now = crypto_sha256(slice_mem(p->in.b, p->in.n));
    bool changed = !p->known || !crypto_equal(&now, &p->last_status, sizeof(now));
    const char *arg;
    int64_t number;
    if (!helper_status_get(&p->in, &p->status))
        return;
    p->known = true;
    p->last_status = now;
    for (size_t i = 0; i < PROBLEMS; i++) {
        /* time alone makes signatures old, so this is looked at even when nothing else is new */
        bool stands = problem_now(p, i, &arg, &number);
        changed = changed || stands != (p->since[i] != 0);
        if (!stands)
            p->since[i] = 0;
        else if (p->since[i] == 0)
            p->since[i] = clock_now();
    }
    if (changed)
        p->cb.on_change(p->ctx);
}

enum rc protect_dispatch(struct protect *p)
{
    struct look_up *l;
    while (recv(p->answers[0], &l, sizeof(l), MSG_DONTWAIT) == (ssize_t)sizeof(l))
        looked_up(p, l);
    for (int turn = 0; turn < 64; turn++) {
        enum rc rc = packet_receive(p->helper, &p->in, false);
        if (rc == RC_NOT_FOUND)
            return RC_OK;
        if (rc != RC_OK)
            return RC_UNAVAILABLE;
        switch (packet_verb(&p->in)) {
        case VERB_EVENT:
            take_event(p);
            break;
        case VERB_PROGRESS:
            take_progress(p);
            break;
        case VERB_STATUS:
            take_status(p);
            break;
        default:
            break;
        }
        packet_close_fds(&p->in);
    }
    return RC_OK;
}

/* ---- facts and problems */

static enum wire_protection_state state_of(const struct protect *p)
{
    const struct helper_status *s = &p->status;
    if (!p->known || !s->engine.up || s->guard == GUARD_OFF)
        return WIRE_PROTECTION_STATE_OFF;
    return s->guard == GUARD_HOLDS && !s->engine.as_root ? WIRE_PROTECTION_STATE_ON : WIRE_PROTECTION_STATE_DETECT_ONLY;
}

void protect_facts(struct protect *p, struct arena *a, struct wire_value_protection *ret)
{
    const struct helper_status *s = &p->status;
    struct wire_value_protection v = {.engine = SLICE("clamav"), .state = state_of(p)};
    if (s->engine.up) {
        v.version = slice_of(arena_strdup(a, s->engine.version));
        if (s->engine.signatures[0])
            v.signature_version = slice_of(arena_strdup(a, s->engine.signatures));
        v.signature_at = s->engine.signatures_at;
    }
    v.on_access = s->engine.up && s->guard != GUARD_OFF;
    v.isolated = s->isolated;
    v.watched_folders = ARENA_ARRAY(a, struct slice, s->n_folders + 1);
    for (size_t i = 0; i < s->n_folders; i++)
        v.watched_folders[v.n_watched_folders++] = slice_of(arena_strdup(a, s->folders[i]));
    *ret = v;
}

static const struct {
    const char *code;
    enum wire_severity severity;
} problems[PROBLEMS] = {
    {"engine_missing", WIRE_SEVERITY_CRITICAL},
    {"protection_off", WIRE_SEVERITY_CRITICAL},
    {"prevention_off", WIRE_SEVERITY_WARNING},
    {"modules_outdated", WIRE_SEVERITY_WARNING},
};

/* Whether it stands, with a word or a number that says more. */
static bool problem_now(const struct protect *p, size_t which, const char **ret_arg, int64_t *ret_number)
{
    const struct helper_status *s = &p->status;
    *ret_arg = NULL;
    *ret_number = -1;
    if (!p->known)
        return false;
    switch (which) {
    case 0:
        return !s->engine.up;
    case 1:
        if (s->guard == GUARD_OFF)
            *ret_arg = strcmp(p->cfg->prevention, "off") == 0 ? "switched_off"
                       : p->cfg->watched_folders.n == 0       ? "no_folders"
                                                              : "guard_stopped";
        else if (s->n_folders == 0)
            *ret_arg = "folders_missing";
        return *ret_arg != NULL;
    case 2:
        if (s->guard == GUARD_WATCHES)
            *ret_arg = strcmp(p->cfg->prevention, "detect") == 0 ? "detect" : "no_right";
        else if (s->guard == GUARD_HOLDS && s->engine.as_root)
            *ret_arg = "engine_as_root";
        return *ret_arg != NULL;
    default:
        if (!s->engine.up || s->engine.signatures_at == 0)
            return false;
        *ret_number = (clock_now() - s->engine.signatures_at) / DAY_USEC;
        return *ret_number > p->cfg->modules_age;
    }
}

size_t protect_problems(struct protect *p, struct arena *a, struct protect_problem *ret, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < PROBLEMS && n < cap; i++) {
        const char *arg;
        int64_t number;
        if (!problem_now(p, i, &arg, &number))
            continue;
        if (p->since[i] == 0)
            p->since[i] = clock_now();
        ret[n] =
            (struct protect_problem){.code = problems[i].code, .severity = problems[i].severity, .since = p->since[i]};
        if (number >= 0)
            arg = arena_printf(a, "%lld", (long long)number);
        if (arg) {
            ret[n].args[0] = arg;
            ret[n].n_args = 1;
        }
        n++;
    }
    return n;
}
