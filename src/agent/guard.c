/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - see guard.h. All memory of the answering thread is static. Processes of our own session (the agent) and
 * those of the engine are never held: the engine reads what it is asked about, and would wait for itself. */
#define _GNU_SOURCE
#include "agent/guard.h"
#include "agent/watch.h"
#include "common/clock.h"
#include "common/event.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PENDING      1024
#define KNOWN        512 /* processes remembered */
#define KNOWN_PATH   512
#define KEEP_ALLOW   UINT64_C(600000000000)
#define KEEP_DENY    UINT64_C(60000000000)
#define FRESH_NS     INT64_C(100000000) /* a file changed so lately may change again within one tick of its clock */
#define READS_A_TURN 32

#define HOLD_MASK    (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM | FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD)

struct pending {
    int fd; /* -1: free */
    uint64_t deadline_ns;
    uint32_t turn; /* tells an answer that comes late from one for the next user of the place */
    struct guard_file file;
    bool fresh;
};

/* Who opened what: at the time of a close-after-write the writer may be gone. */
struct known {
    pid_t pid;
    uid_t uid;
    uint64_t at_ns;
    char program[KNOWN_PATH];
};

static struct guard_cache cache;
static struct pending pending[PENDING];
static struct known known[KNOWN];
static struct packet out, in;
static size_t n_pending;
static uint64_t alive_ns;
static int64_t set;
static bool may_hold;
static pid_t own_session, engine_pid;
static uid_t engine_uid;
static bool engine_uid_known;
static int fan = -1, control_sock, judge_sock;

/* ---- memory of answers */

static size_t place_of(const struct guard_file *f)
{
    const uint64_t parts[] = {f->dev, f->ino, f->size, (uint64_t)f->mtime_ns, (uint64_t)f->ctime_ns, (uint64_t)f->set};
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        h ^= parts[i];
        h *= UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    return (size_t)(h % 1024) * 4; /* four places per bucket */
}

static bool same(const struct guard_file *a, const struct guard_file *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && a->set == b->set;
}

void guard_cache_put(struct guard_cache *c, const struct guard_file *f, enum guard_verdict v, uint64_t now_ns)
{
    struct guard_entry *bucket = &c->entries[place_of(f)], *e = bucket;
    if (v == GUARD_UNKNOWN)
        return;
    for (int i = 0; i < 4; i++) {
        if (same(&bucket[i].file, f)) {
            e = &bucket[i];
            break;
        }
        if (bucket[i].until_ns < e->until_ns)
            e = &bucket[i];
    }
    *e = (struct guard_entry){*f, now_ns + (v == GUARD_DENY ? KEEP_DENY : KEEP_ALLOW), v};
}

enum guard_verdict guard_cache_get(const struct guard_cache *c, const struct guard_file *f, uint64_t now_ns)
{
    const struct guard_entry *bucket = &c->entries[place_of(f)];
    for (int i = 0; i < 4; i++) {
        if (bucket[i].until_ns > now_ns && same(&bucket[i].file, f))
            return bucket[i].verdict;
    }
    return GUARD_UNKNOWN;
}

/* ---- processes */

static struct known *know(pid_t pid, bool look)
{
    struct known *k = &known[(unsigned)pid % KNOWN];
    uint64_t now = clock_mono_ns();
    bool have = k->pid == pid;
    if (have && !look)
        return k;
    /* Every open looks anew but for a tenth of a second: a shell's child becomes another program. */
    if (have && now - k->at_ns < UINT64_C(100000000))
        return k;
    char path[64], program[KNOWN_PATH];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d", pid);
    bool uid = stat(path, &st) == 0;
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t n = readlink(path, program, sizeof(program) - 1);
    if (!uid && n <= 0)
        return have ? k : NULL;
    k->pid = pid;
    k->at_ns = now;
    k->uid = uid ? st.st_uid : (uid_t)-1;
    n = n < 0 ? 0 : n;
    memcpy(k->program, program, (size_t)n);
    k->program[n] = '\0';
    return k;
}

static bool exempt(pid_t pid)
{
    if (pid == engine_pid || pid <= 0)
        return pid == engine_pid && pid > 0;
    if (getsid(pid) == own_session)
        return true;
    struct known *k = know(pid, true);
    return k && engine_uid_known && k->uid == engine_uid;
}

/* ---- answers */

static void answer(int fd, bool deny)
{
    struct fanotify_response r = {.fd = fd, .response = deny ? FAN_DENY : FAN_ALLOW};
    /* A failure means that the kernel no longer waits for it. */
    while (write(fan, &r, sizeof(r)) < 0 && errno == EINTR)
        continue;
}

static void release(struct pending *p, bool deny)
{
    answer(p->fd, deny);
    close(p->fd);
    p->fd = -1;
    n_pending--;
}

static bool ask(int fd, int64_t number, pid_t pid)
{
    struct known *k = pid > 0 ? know(pid, number == 0) : NULL;
    packet_start(&out, VERB_JUDGE);
    packet_put_i64(&out, number);
    packet_put_u8(&out, number != 0);
    packet_put_i64(&out, pid);
    packet_put_i64(&out, k ? (int64_t)k->uid : -1);
    packet_put_i64(&out, (int64_t)clock_mono_ns());
    packet_put_cstr(&out, k ? k->program : "");
    return packet_send_fds(judge_sock, &out, &fd, 1) == RC_OK;
}

static struct pending *place(void)
{
    for (size_t i = 0; n_pending < PENDING && i < PENDING; i++) {
        if (pending[i].fd < 0)
            return &pending[i];
    }
    return NULL;
}

static void hold(int fd, pid_t pid, const struct stat *st)
{
    uint64_t now = clock_mono_ns();
    struct guard_file f = {st->st_dev,
                           st->st_ino,
                           (uint64_t)st->st_size,
                           st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
                           st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
                           set};
    enum guard_verdict v = guard_cache_get(&cache, &f, now);
    struct pending *p = v == GUARD_UNKNOWN && may_hold ? place() : NULL;
    if (!p) {
        if (v == GUARD_UNKNOWN && !may_hold)
            ask(fd, 0, pid);
        answer(fd, may_hold && v == GUARD_DENY);
        close(fd);
        return;
    }
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    int64_t changed = f.mtime_ns > f.ctime_ns ? f.mtime_ns : f.ctime_ns;
    *p = (struct pending){fd, now + GUARD_DEADLINE_NS, p->turn + 1, f,
                          wall.tv_sec * INT64_C(1000000000) + wall.tv_nsec - changed < FRESH_NS};
    n_pending++;
    /* A full socket means a judge that cannot keep up: the computer goes on. */
    if (!ask(fd, (int64_t)p->turn << 16 | (p - pending), pid))
        release(p, false);
}

static void take_event(const struct fanotify_event_metadata *e)
{
    struct stat st;
    bool perm = e->mask & (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM);
    if (e->fd < 0)
        return; /* the queue was full */
    bool matters = !exempt(e->pid) && fstat(e->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    if (perm && matters) {
        hold(e->fd, e->pid, &st);
        return;
    }
    if (perm)
        answer(e->fd, false);
    else if (matters)
        ask(e->fd, 0, e->pid);
    close(e->fd);
}

static void read_events(void)
{
    static char b[16384] __attribute__((aligned(8)));
    for (int turn = 0; turn < READS_A_TURN; turn++) {
        ssize_t n = read(fan, b, sizeof(b));
        if (n <= 0)
            return;
        struct fanotify_event_metadata *e = (void *)b; /* not const: FAN_EVENT_NEXT casts it away */
        for (; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
            if (e->vers != FANOTIFY_METADATA_VERSION)
                _exit(1); /* the kernel's form is not ours: closing allows everything */
            take_event(e);
        }
    }
}

static void read_judge(void)
{
    enum rc rc;
    for (int turn = 0; turn < PENDING && (rc = packet_receive(judge_sock, &in, false)) != RC_NOT_FOUND; turn++) {
        if (rc != RC_OK)
            _exit(0); /* without a judge there is nothing to guard with: both are started again */
        enum verb verb = packet_verb(&in);
        if (verb == VERB_ANSWER) {
            int64_t number = packet_i64(&in);
            enum guard_verdict v = (enum guard_verdict)packet_u8(&in);
            int64_t of_set = packet_i64(&in);
            size_t i = (size_t)(number & 0xffff);
            if (!packet_done(&in) || i >= PENDING || pending[i].turn != (uint32_t)(number >> 16))
                continue;
            struct pending *p = &pending[i];
            p->file.set = of_set;
            if (!p->fresh)
                guard_cache_put(&cache, &p->file, v, clock_mono_ns());
            if (p->fd >= 0)
                release(p, v == GUARD_DENY);
        } else if (verb == VERB_ENGINE) {
            engine_pid = (pid_t)packet_i64(&in);
            set = packet_i64(&in);
            may_hold = packet_u8(&in) == 1;
        }
    }
}

static void release_late(void)
{
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; n_pending > 0 && i < PENDING; i++) {
        if (pending[i].fd >= 0 && pending[i].deadline_ns <= now)
            release(&pending[i], false);
    }
}

static void read_control(void)
{
    enum rc rc;
    while ((rc = packet_receive(control_sock, &in, false)) == RC_OK)
        packet_close_fds(&in);
    if (rc != RC_NOT_FOUND)
        _exit(0);
}

static void tell_alive(void)
{
    uint64_t now = clock_mono_ns();
    if (now - alive_ns < GUARD_ALIVE_MS * UINT64_C(1000000))
        return;
    alive_ns = now;
    packet_start(&out, VERB_ALIVE);
    if (packet_send(control_sock, &out) == RC_UNAVAILABLE)
        _exit(0);
}

_Noreturn void guard_run(const struct agent_config *cfg, int control, int judge)
{
    struct passwd *pw = getpwnam(cfg->clamd_user);
    engine_uid_known = pw && pw->pw_uid != 0;
    engine_uid = pw ? pw->pw_uid : 0;
    own_session = getsid(0);
    control_sock = control;
    judge_sock = judge;
    fcntl(control, F_SETFL, O_NONBLOCK);
    fcntl(judge, F_SETFL, O_NONBLOCK);
    for (size_t i = 0; i < PENDING; i++)
        pending[i].fd = -1;
    bool wanted = strcmp(cfg->prevention, "block") == 0;
    fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS,
                        O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NONBLOCK);
    if (fan < 0)
        ev_warn(AREA_AGENT, "accesses cannot be held, files are looked at after writing",
                EV_STR("reason", strerror(errno)));
    watch_start(&(struct watch_settings){cfg, fan, HOLD_MASK, judge, control,
                                         fan >= 0 && wanted ? GUARD_HOLDS : GUARD_WATCHES});
    for (;;) {
        struct pollfd p[] = {{judge_sock, POLLIN, 0}, {control_sock, POLLIN, 0}, {fan, POLLIN, 0}};
        poll(p, 3, n_pending > 0 ? 100 : GUARD_ALIVE_MS);
        if (p[0].revents)
            read_judge();
        if (p[2].revents)
            read_events();
        if (p[1].revents)
            read_control();
        release_late();
        tell_alive();
    }
}
