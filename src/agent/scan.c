/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c - see scan.h. Files are opened without following links, without blocking on pipes and, where the system lets
 * us, without touching the time of access. */
#define _GNU_SOURCE
#include "agent/scan.h"
#include "agent/incident.h"
#include "agent/judge.h"
#include "common/event.h"
#include "common/file.h"
#include "common/json.h"
#include "common/must.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DEPTH_MAX       200 /* folders open at once */
#define PATH_SIZE       4096
#define FILE_TIMEOUT_MS 60000
#define TELL_NS         UINT64_C(1000000000)

/* ---- walk */

struct level {
    const struct scan_walk *w;
    dev_t dev;
    int depth;
    char path[PATH_SIZE];
    size_t n;
};

static bool not_a_disk(int fd)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    switch ((unsigned long)fs.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case DEVPTS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

static bool walk_folder(struct level *l, int dir);

static bool walk_entry(struct level *l, int dir, const struct dirent *e)
{
    struct stat st;
    size_t n = strlen(e->d_name), before = l->n;
    unsigned char type = e->d_type;
    if (l->n + n + 2 > sizeof(l->path)) {
        l->w->unreadable(l->w->ctx, l->path, ENAMETOOLONG);
        return true;
    }
    if (type == DT_UNKNOWN) {
        if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return true;
        type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
    }
    if (type != DT_DIR && type != DT_REG)
        return true;
    if (l->n == 0 || l->path[l->n - 1] != '/')
        l->path[l->n++] = '/';
    memcpy(l->path + l->n, e->d_name, n + 1);
    l->n += n;
    bool go = true;
    if (!l->w->excluded(l->w->ctx, l->path)) {
        if (type == DT_REG) {
            go = l->w->file(l->w->ctx, dir, e->d_name, l->path);
        } else {
            int below = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
            if (below < 0 && errno != ENOENT)
                l->w->unreadable(l->w->ctx, l->path, errno);
            else if (below >= 0)
                go = walk_folder(l, below);
        }
    }
    l->n = before;
    l->path[l->n] = '\0';
    return go;
}

/* Takes dir. */
static bool walk_folder(struct level *l, int dir)
{
    struct stat st;
    if (fstat(dir, &st) < 0 || st.st_dev != l->dev || not_a_disk(dir)) {
        close(dir);
        return true;
    }
    DIR *d = l->depth < DEPTH_MAX ? fdopendir(dir) : NULL;
    if (!d) {
        l->w->unreadable(l->w->ctx, l->path, l->depth < DEPTH_MAX ? errno : ELOOP);
        close(dir);
        return true;
    }
    l->depth++;
    bool go = true;
    for (struct dirent *e; go && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            go = walk_entry(l, dir, e);
    }
    l->depth--;
    closedir(d);
    return go;
}

enum rc scan_walk(const struct scan_walk *w, const char *target, bool *ret_whole)
{
    struct stat st;
    struct level l = {.w = w, .n = strlen(target)};
    if (target[0] != '/' || l.n >= sizeof(l.path) || lstat(target, &st) < 0 ||
        !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
        return RC_NOT_FOUND;
    memcpy(l.path, target, l.n + 1);
    while (l.n > 1 && l.path[l.n - 1] == '/')
        l.path[--l.n] = '\0';
    l.dev = st.st_dev;
    *ret_whole = true;
    if (w->excluded(w->ctx, l.path))
        return RC_OK;
    if (S_ISREG(st.st_mode)) {
        *ret_whole = w->file(w->ctx, AT_FDCWD, l.path, l.path);
        return RC_OK;
    }
    int dir = open(l.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        w->unreadable(w->ctx, l.path, errno);
    else
        *ret_whole = walk_folder(&l, dir);
    return RC_OK;
}

static bool local_type(struct slice type)
{
    static const char *const types[] = {"ext2", "ext3",  "ext4", "xfs", "btrfs", "f2fs",    "vfat",     "exfat",
                                        "ntfs", "ntfs3", "jfs",  "zfs", "tmpfs", "overlay", "bcachefs", "reiserfs"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_eq(type, slice_of(types[i])))
            return true;
    }
    return false;
}

/* mountinfo writes blanks and the like as \040. */
static char *unescape(struct slice s)
{
    char *out = must_alloc(s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 3 < s.n) {
            out[n++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
            i += 3;
        } else {
            out[n++] = s.p[i];
        }
    }
    return out;
}

size_t scan_mounts(const char *mountinfo, char **ret, size_t cap)
{
    struct arena *a = arena_new(4 * 1024 * 1024);
    struct slice text, seen[SCAN_TARGETS_MAX];
    size_t n = 0;
    if (file_read(a, mountinfo, 1024 * 1024, &text) != RC_OK)
        text = SLICE("");
    while (text.n > 0 && n < cap && n < SCAN_TARGETS_MAX) {
        struct slice line = slice_cut(&text, '\n'), field[6];
        for (int i = 0; i < 6; i++)
            field[i] = slice_cut(&line, ' '); /* id, parent, device, root, place, options */
        const char *sep = line.n >= 3 ? memmem(line.p, line.n, "- ", 2) : NULL;
        if (!sep)
            continue;
        struct slice rest = slice_mem(sep + 2, line.n - (size_t)(sep + 2 - line.p)), type = slice_cut(&rest, ' ');
        bool known = !local_type(type);
        for (size_t i = 0; i < n; i++)
            known = known || slice_eq(seen[i], field[2]);
        if (known)
            continue;
        seen[n] = field[2];
        ret[n++] = unescape(field[4]);
    }
    arena_free(&a);
    return n;
}

/* ---- scan */

struct scan {
    const struct agent_config *cfg;
    const struct scan_order *order;
    struct uplink *uplink;
    struct engine *engine;
    struct incidents incidents;
    struct engine_words words;
    int64_t total, scanned, found, errors;
    uint64_t told_ns;
    bool engine_away, cancelled;
};

static void tell(struct scan *s, enum wire_execution_state state, const char *code, const char *arg)
{
    char scanned[24], found[24];
    struct protect_progress p = {.execution_id = s->order->execution,
                                 .state = state,
                                 .files_scanned = s->scanned,
                                 .files_total = s->total,
                                 .found = s->found,
                                 .result_code = code};
    p.progress = state == WIRE_EXECUTION_STATE_DONE ? 100 : s->total > 0 ? (int)(s->scanned * 99 / s->total) : 0;
    if (p.progress > 99 && state != WIRE_EXECUTION_STATE_DONE)
        p.progress = 99;
    if (arg) {
        p.result_args[0] = arg;
        p.n_result_args = 1;
    } else if (state == WIRE_EXECUTION_STATE_DONE) {
        snprintf(scanned, sizeof(scanned), "%lld", (long long)s->scanned);
        snprintf(found, sizeof(found), "%lld", (long long)s->found);
        p.result_args[0] = scanned;
        p.result_args[1] = found;
        p.n_result_args = 2;
    }
    uplink_progress(s->uplink, &p);
    s->told_ns = clock_mono_ns();
}

static bool go_on(struct scan *s)
{
    s->cancelled = s->cancelled || uplink_cancelled(s->uplink);
    if (clock_mono_ns() - s->told_ns > TELL_NS)
        tell(s, WIRE_EXECUTION_STATE_RUNNING, NULL, NULL);
    return !s->cancelled;
}

static bool excluded(void *ctx, const char *path)
{
    struct scan *s = ctx;
    return judge_excluded(s->cfg, path);
}

static void unreadable_quiet(void *ctx, const char *path, int error)
{
    (void)ctx;
    (void)path;
    (void)error;
}

static void unreadable(void *ctx, const char *path, int error)
{
    struct scan *s = ctx;
    s->errors++;
    ev_debug(AREA_AGENT, "not scanned", EV_STR("object", path), EV_STR("reason", strerror(error)));
}

static bool count_file(void *ctx, int dir, const char *name, const char *path)
{
    struct scan *s = ctx;
    (void)dir;
    (void)name;
    (void)path;
    s->total++;
    return (s->total & 255) || go_on(s);
}

static int open_file(int dir, const char *name)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(dir, name, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

static void report(struct scan *s, int fd, const struct stat *st, const char *path, const char *name)
{
    struct incident *i = must_alloc(sizeof(*i));
    i->fd = fd;
    snprintf(i->path, sizeof(i->path), "%s", path);
    snprintf(i->name, sizeof(i->name), "%s", name);
    i->scanner = WIRE_SCANNER_ON_DEMAND;
    i->occurred = clock_now();
    incident_user(st->st_uid, i->user);
    i->clean = s->order->clean;
    i->execution = s->order->execution;
    i->engine = s->words;
    incident_handle(&s->incidents, i);
    free(i);
}

static bool scan_file(void *ctx, int dir, const char *name, const char *path)
{
    struct scan *s = ctx;
    struct stat st;
    struct engine_result r;
    int fd = open_file(dir, name);
    if (fd < 0) {
        if (errno != ENOENT)
            unreadable(s, path, errno);
    } else if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        enum rc rc = s->engine->driver->scan_fd(s->engine, fd, FILE_TIMEOUT_MS, &r);
        /* Away, or only slow with this file? */
        if (rc != RC_OK) {
            struct engine_info info;
            s->engine_away = s->engine->driver->info(s->engine, 10000, &info) != RC_OK;
        }
        if (rc != RC_OK || r.verdict == ENGINE_FAILED) {
            s->errors++;
        } else if (r.verdict == ENGINE_FOUND) {
            s->found++;
            report(s, fd, &st, path, r.name);
        }
    }
    if (fd >= 0)
        close(fd);
    s->scanned++;
    return go_on(s) && !s->engine_away;
}

static bool walk_all(struct scan *s, const struct scan_walk *w, char *const *targets, size_t n, size_t *ret_missing)
{
    bool whole = true;
    *ret_missing = 0;
    for (size_t i = 0; i < n && whole; i++) {
        if (scan_walk(w, targets[i], &whole) != RC_OK)
            ++*ret_missing;
    }
    (void)s;
    return whole;
}

static size_t expand(const struct scan_order *o, const struct agent_config *cfg, char **ret)
{
    size_t n = 0, given = o->n_targets ? o->n_targets : cfg->scan_targets.n;
    for (size_t i = 0; i < given; i++) {
        const char *t = o->n_targets ? o->targets[i] : cfg->scan_targets.v[i];
        if (strcmp(t, "/") == 0)
            n += scan_mounts("/proc/self/mountinfo", ret + n, SCAN_TARGETS_MAX);
        else
            ret[n++] = must_strdup(t);
    }
    return n;
}

static void tell_end(struct scan *s, usec_t started, char *const *targets, size_t n)
{
    struct arena *a = arena_new(256 * 1024);
    struct wire_body_scan b = {.execution_id = s->order->execution,
                               .started = started,
                               .ended = clock_now(),
                               .files_scanned = s->scanned,
                               .found = s->found,
                               .errors = s->errors};
    b.n_targets = n < 32 ? n : 32;
    b.targets = ARENA_ARRAY(a, struct slice, b.n_targets + 1);
    for (size_t i = 0; i < b.n_targets; i++) {
        b.targets[i] = incident_text(a, slice_of(targets[i]), 1024);
    }
    struct strbuf text;
    struct json_writer w;
    strbuf_init_arena(&text, a, 32768);
    json_start(&w, &text);
    wire_body_scan_encode(&w, &b);
    if (text.over ||
        uplink_event(s->uplink, uuid_new(), WIRE_EVENT_KIND_SCAN, strbuf_slice(&text), b.ended, false) != RC_OK)
        ev_warn(AREA_AGENT, "scan record too large");
    arena_free(&a);
}

int scan_run(const struct agent_config *cfg, int control, const struct scan_order *order)
{
    static char state_dir[PATH_SIZE], quarantine[PATH_SIZE + 16];
    static struct engine_settings settings;
    struct scan s = {.cfg = cfg, .order = order, .uplink = uplink_open(control, NULL, NULL)};
    char *targets[SCAN_TARGETS_MAX * SCAN_TARGETS_MAX];
    usec_t started = clock_now();
    size_t n = expand(order, cfg, targets), missing;
    struct judge_status status;
    struct engine_info info;
    snprintf(state_dir, sizeof(state_dir), "%s/protect", cfg->state_dir);
    snprintf(quarantine, sizeof(quarantine), "%s/quarantine", state_dir);
    settings = (struct engine_settings){cfg->clamd_socket, cfg->signatures_dir};
    s.engine = engine_clamd.open(&settings);
    s.incidents.uplink = s.uplink;
    tell(&s, WIRE_EXECUTION_STATE_RUNNING, NULL, NULL);
    if (judge_look(cfg, state_dir, s.engine, &status, &info) != RC_OK) {
        tell(&s, WIRE_EXECUTION_STATE_FAILED, "engine_unavailable", NULL);
        return 0;
    }
    snprintf(s.words.name, sizeof(s.words.name), "%s", status.name);
    snprintf(s.words.version, sizeof(s.words.version), "%s", status.version);
    snprintf(s.words.signatures, sizeof(s.words.signatures), "%s", status.signatures);
    if (order->clean && quarantine_open(quarantine, &s.incidents.quarantine) != RC_OK)
        ev_error(AREA_AGENT, "quarantine cannot be opened", EV_STR("folder", quarantine),
                 EV_STR("reason", strerror(errno)));

    const struct scan_walk count = {count_file, excluded, unreadable_quiet, &s};
    const struct scan_walk scan = {scan_file, excluded, unreadable, &s};
    bool whole = walk_all(&s, &count, targets, n, &missing);
    if (whole && missing == n) {
        tell(&s, WIRE_EXECUTION_STATE_FAILED, "target_missing", n ? targets[0] : "");
        return 0;
    }
    if (whole)
        whole = walk_all(&s, &scan, targets, n, &missing);
    if (s.scanned > s.total)
        s.total = s.scanned;
    tell_end(&s, started, targets, n);
    if (s.engine_away)
        tell(&s, WIRE_EXECUTION_STATE_FAILED, "engine_unavailable", NULL);
    else if (!whole)
        tell(&s, WIRE_EXECUTION_STATE_CANCELLED, "scan_cancelled", NULL);
    else
        tell(&s, WIRE_EXECUTION_STATE_DONE, "scan_done", NULL);
    return 0;
}
