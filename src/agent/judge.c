/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - see judge.h. One detection per object: an object is the file's handle (inode with its generation, so that a
 * new file in an old inode is another object) and what was found; for 60 s it is not told again. */
#define _GNU_SOURCE
#include "agent/judge.h"
#include "agent/guard.h"
#include "agent/modules.h"
#include "common/event.h"
#include "common/must.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS         4
#define QUEUE           64 /* incidents that wait; each holds a descriptor */
#define TOLD            256
#define TOLD_NS         UINT64_C(60000000000)
#define SCAN_TIMEOUT_MS 30000
#define LOOK_MS         4000
#define LOOK_TIMEOUT_MS 3000
#define TELL_NS         UINT64_C(30000000000)

struct judge {
    const struct agent_config *cfg;
    const char *state_dir;
    struct engine_settings settings;
    const struct engine_driver *driver;
    struct uplink *uplink;
    int guard;
    _Atomic int64_t set;
    _Atomic int64_t reloads;

    pthread_mutex_t lock;
    pthread_cond_t more;
    struct incident *queue[QUEUE];
    size_t first, n;
    struct told {
        uint64_t object;
        uint64_t at_ns;
    } told[TOLD];
    struct judge_status status;
    struct engine_words words;
};

/* ---- state of the engine */

void judge_status_put(struct packet *out, const struct judge_status *s)
{
    packet_start(out, VERB_STATUS);
    packet_put_u8(out, s->up);
    packet_put_u8(out, s->as_root);
    packet_put_cstr(out, s->name);
    packet_put_cstr(out, s->version);
    packet_put_cstr(out, s->signatures);
    packet_put_i64(out, s->signatures_at);
}

bool judge_status_get(struct packet *in, struct judge_status *ret)
{
    struct judge_status s = {.up = packet_u8(in) == 1};
    s.as_root = packet_u8(in) == 1;
    packet_cstr(in, s.name, sizeof(s.name));
    packet_cstr(in, s.version, sizeof(s.version));
    packet_cstr(in, s.signatures, sizeof(s.signatures));
    s.signatures_at = packet_i64(in);
    if (in->bad)
        return false;
    *ret = s;
    return true;
}

enum rc judge_look(const struct agent_config *cfg, const char *state_dir, struct engine *e, struct judge_status *ret,
                   struct engine_info *ret_info)
{
    struct engine_info info;
    enum rc rc = e->driver->info(e, LOOK_TIMEOUT_MS, &info);
    if (rc != RC_OK)
        return rc;
    struct modules_installed ours = modules_read_installed(state_dir);
    struct judge_status s = {.up = true, .as_root = info.known_uid && info.uid == 0};
    snprintf(s.name, sizeof(s.name), "%s", e->driver->name);
    snprintf(s.version, sizeof(s.version), "%s", info.version);
    if (ours.version > 0 && info.signatures[0])
        snprintf(s.signatures, sizeof(s.signatures), "%.16s+%lld", info.signatures, (long long)ours.version);
    else if (ours.version > 0)
        snprintf(s.signatures, sizeof(s.signatures), "%lld", (long long)ours.version);
    else
        snprintf(s.signatures, sizeof(s.signatures), "%s", info.signatures);
    s.signatures_at = info.signatures_at > ours.issued ? info.signatures_at : ours.issued;
    if (s.signatures_at == 0)
        s.signatures_at = modules_newest_file(cfg->signatures_dir);
    *ret = s;
    *ret_info = info;
    return RC_OK;
}

static int64_t set_of(struct judge *j, const struct engine_info *info)
{
    uint64_t h = modules_fingerprint(j->settings.signatures_dir) + (uint64_t)info->pid * UINT64_C(0x9E3779B97F4A7C15) +
                 (uint64_t)atomic_load(&j->reloads) * UINT64_C(0xC2B2AE3D27D4EB4F);
    for (const char *p = info->signatures; *p; p++)
        h = h * 31 + (unsigned char)*p;
    return (int64_t)(h | 1);
}

static void tell_guard(struct judge *j, const struct judge_status *s, const struct engine_info *info)
{
    if (j->guard < 0)
        return;
    struct packet *p = must_alloc(sizeof(*p));
    packet_start(p, VERB_ENGINE);
    packet_put_i64(p, info->pid);
    packet_put_i64(p, atomic_load(&j->set));
    packet_put_u8(p, s->up && !s->as_root && strcmp(j->cfg->prevention, "block") == 0);
    if (packet_send(j->guard, p) != RC_OK)
        _exit(0);
    free(p);
}

static bool status_eq(const struct judge_status *a, const struct judge_status *b)
{
    return a->up == b->up && a->as_root == b->as_root && strcmp(a->version, b->version) == 0 &&
           strcmp(a->signatures, b->signatures) == 0 && a->signatures_at == b->signatures_at;
}

static void publish(struct judge *j, const struct judge_status *s)
{
    struct packet *p = must_alloc(sizeof(*p));
    pthread_mutex_lock(&j->lock);
    j->status = *s;
    snprintf(j->words.name, sizeof(j->words.name), "%s", s->name);
    snprintf(j->words.version, sizeof(j->words.version), "%s", s->version);
    snprintf(j->words.signatures, sizeof(j->words.signatures), "%s", s->signatures);
    pthread_mutex_unlock(&j->lock);
    judge_status_put(p, s);
    uplink_send(j->uplink, p);
    free(p);
}

static void *look_after_engine(void *arg)
{
    struct judge *j = arg;
    struct engine *e = j->driver->open(&j->settings);
    struct judge_status last = {.signatures_at = -1};
    uint64_t told_ns = 0;
    pid_t last_pid = -1;
    for (;;) {
        struct judge_status s = {.up = false};
        struct engine_info info = {0};
        bool up = judge_look(j->cfg, j->state_dir, e, &s, &info) == RC_OK;
        if (!up)
            s = (struct judge_status){.up = false};
        int64_t set = up ? set_of(j, &info) : 0;
        if (set != atomic_load(&j->set) || s.up != last.up || info.pid != last_pid) {
            atomic_store(&j->set, set);
            last_pid = info.pid;
            tell_guard(j, &s, &info);
        }
        if (!status_eq(&s, &last) || clock_mono_ns() - told_ns > TELL_NS) {
            publish(j, &s);
            last = s;
            told_ns = clock_mono_ns();
        }
        poll(NULL, 0, up ? LOOK_MS : LOOK_MS / 8);
    }
    return NULL;
}

static void on_reloaded(void *ctx)
{
    struct judge *j = ctx;
    atomic_fetch_add(&j->reloads, 1);
}

/* ---- incidents */

static uint64_t object_of(int fd, const struct stat *st, const char *name)
{
    struct {
        struct file_handle head;
        unsigned char space[MAX_HANDLE_SZ];
    } handle = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount;
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)st->st_dev;
    const unsigned char *p = handle.head.f_handle;
    size_t n = 0;
    if (name_to_handle_at(fd, "", &handle.head, &mount, AT_EMPTY_PATH) == 0) {
        n = handle.head.handle_bytes;
        for (size_t i = 0; i < n; i++)
            h = (h ^ p[i]) * UINT64_C(1099511628211);
    } else {
        const uint64_t parts[] = {st->st_ino, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec};
        for (size_t i = 0; i < 3; i++)
            h = (h ^ parts[i]) * UINT64_C(1099511628211);
    }
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return h;
}

/* Claims the right to tell about this object. */
static bool claim(struct judge *j, uint64_t object)
{
    uint64_t now = clock_mono_ns();
    struct told *t = &j->told[0];
    for (size_t i = 0; i < TOLD; i++) {
        if (j->told[i].object == object && j->told[i].at_ns && now - j->told[i].at_ns < TOLD_NS)
            return false;
        if (j->told[i].at_ns < t->at_ns)
            t = &j->told[i];
    }
    *t = (struct told){object, now};
    return true;
}

/* Takes fd. */
static void enqueue(struct judge *j, struct incident *i, const struct stat *st)
{
    uint64_t object = object_of(i->fd, st, i->name);
    pthread_mutex_lock(&j->lock);
    /* A full queue drops the incident unclaimed: the file stays refused and is found again at its next opening. */
    bool take = j->n < QUEUE && claim(j, object);
    if (take) {
        i->engine = j->words;
        j->queue[(j->first + j->n++) % QUEUE] = i;
        pthread_cond_signal(&j->more);
    }
    pthread_mutex_unlock(&j->lock);
    if (!take) {
        close(i->fd);
        free(i);
    }
}

static void *handle_incidents(void *arg)
{
    struct judge *j = arg;
    struct incidents s = {.uplink = j->uplink};
    char dir[4096];
    snprintf(dir, sizeof(dir), "%s/quarantine", j->state_dir);
    for (;;) {
        pthread_mutex_lock(&j->lock);
        while (j->n == 0)
            pthread_cond_wait(&j->more, &j->lock);
        struct incident *i = j->queue[j->first];
        j->first = (j->first + 1) % QUEUE;
        j->n--;
        pthread_mutex_unlock(&j->lock);
        if (!s.quarantine && quarantine_open(dir, &s.quarantine) != RC_OK)
            ev_error(AREA_AGENT, "quarantine cannot be opened", EV_STR("folder", dir),
                     EV_STR("reason", strerror(errno)));
        bool kept = incident_handle(&s, i);
        ev_info(AREA_AGENT, "detection", EV_STR("name", i->name), EV_STR("object", i->path),
                EV_INT("quarantined", kept), EV_INT("refused", i->refused));
        close(i->fd);
        free(i);
    }
    return NULL;
}

/* ---- decisions */

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    return n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1);
}

bool judge_excluded(const struct agent_config *cfg, const char *path)
{
    static const char *const never[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < 3; i++) {
        if (below(path, never[i]))
            return true;
    }
    for (size_t i = 0; i < cfg->exclusions.n; i++) {
        if (below(path, cfg->exclusions.v[i]))
            return true;
    }
    return below(path, cfg->state_dir);
}

struct question {
    int64_t number;
    bool held;
    pid_t pid;
    int64_t uid;
    uint64_t at_ns;
    char program[4096];
};

static void reply(struct judge *j, struct packet *p, const struct question *q, enum guard_verdict v, int64_t set)
{
    if (!q->held)
        return;
    packet_start(p, VERB_ANSWER);
    packet_put_i64(p, q->number);
    packet_put_u8(p, (uint8_t)v);
    packet_put_i64(p, set);
    if (packet_send(j->guard, p) == RC_UNAVAILABLE)
        _exit(0);
}

static void found(struct judge *j, const struct question *q, int fd, const char *path, const char *name)
{
    struct stat st;
    struct incident *i = must_alloc(sizeof(*i));
    i->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (i->fd < 0 || fstat(fd, &st) < 0) {
        free(i);
        return;
    }
    snprintf(i->path, sizeof(i->path), "%s", path);
    snprintf(i->name, sizeof(i->name), "%s", name);
    snprintf(i->process, sizeof(i->process), "%s", q->program);
    i->scanner = WIRE_SCANNER_ON_ACCESS;
    i->occurred = clock_now();
    incident_user(q->uid >= 0 ? (uid_t)q->uid : st.st_uid, i->user);
    i->refused = q->held && clock_mono_ns() - q->at_ns < GUARD_DEADLINE_NS;
    i->clean = strcmp(j->cfg->cleaning, "quarantine") == 0;
    enqueue(j, i, &st);
}

static void decide(struct judge *j, struct engine *e, struct packet *p, struct question *q, int fd)
{
    char path[4096];
    struct engine_result r;
    int64_t set = atomic_load(&j->set);
    if (!incident_path(fd, path))
        snprintf(path, sizeof(path), "?");
    if (judge_excluded(j->cfg, path)) {
        reply(j, p, q, GUARD_ALLOW, set);
        return;
    }
    enum rc rc = e->driver->scan_fd(e, fd, SCAN_TIMEOUT_MS, &r);
    if (rc != RC_OK || r.verdict == ENGINE_FAILED) {
        reply(j, p, q, GUARD_UNKNOWN, set);
        return;
    }
    /* The answer first: the incident's work must not eat the deadline. */
    reply(j, p, q, r.verdict == ENGINE_FOUND ? GUARD_DENY : GUARD_ALLOW, set);
    if (r.verdict == ENGINE_FOUND && strncmp(r.name, "Sekisho.Canary", 14) != 0)
        found(j, q, fd, path, r.name);
}

static void *decide_all(void *arg)
{
    struct judge *j = arg;
    struct engine *e = j->driver->open(&j->settings);
    struct packet *p = must_alloc(sizeof(*p));
    struct question *q = must_alloc(sizeof(*q));
    while (packet_receive(j->guard, p, true) == RC_OK) {
        int fd = packet_take_fd(p, 0);
        bool ok = packet_verb(p) == VERB_JUDGE && fd >= 0;
        q->number = packet_i64(p);
        q->held = packet_u8(p) == 1;
        q->pid = (pid_t)packet_i64(p);
        q->uid = packet_i64(p);
        q->at_ns = (uint64_t)packet_i64(p);
        packet_cstr(p, q->program, sizeof(q->program));
        ok = ok && packet_done(p);
        packet_close_fds(p);
        if (ok)
            decide(j, e, p, q, fd);
        if (fd >= 0)
            close(fd);
    }
    _exit(0);
}

static void start(void *(*run)(void *), struct judge *j)
{
    pthread_t t;
    must(pthread_create(&t, NULL, run, j) == 0);
    pthread_detach(t);
}

_Noreturn void judge_run(const struct agent_config *cfg, int control, int guard)
{
    struct judge *j = must_alloc(sizeof(*j));
    char *dir = must_alloc(strlen(cfg->state_dir) + 16);
    snprintf(dir, strlen(cfg->state_dir) + 16, "%s/protect", cfg->state_dir);
    j->cfg = cfg;
    j->state_dir = dir;
    j->settings = (struct engine_settings){cfg->clamd_socket, cfg->signatures_dir};
    j->driver = &engine_clamd;
    j->guard = guard;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    j->uplink = uplink_open(control, on_reloaded, j);
    start(handle_incidents, j);
    for (int i = 0; guard >= 0 && i < THREADS; i++)
        start(decide_all, j);
    look_after_engine(j);
    _exit(1);
}
