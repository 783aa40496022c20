/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h. A folder is followed before it is listed, so that nothing slips in between; what is seen twice
 * is judged twice, which costs time but no second detection. Opening folders raises no held event (folders are not in
 * the mask); opening files does, and the answering thread lets our own session pass. */
#define _GNU_SOURCE
#include "agent/watch.h"
#include "agent/packet.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/must.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_MAX 65536
#define DEPTH_MAX   128
#define RETRY_MS    1000
#define PATH_SIZE   4096

struct watch {
    struct watch_settings s;
    int inotify;
    char **folders; /* path by watch descriptor */
    size_t cap;
    size_t n;
    bool full; /* said once */
    bool there[CONFIG_LIST_MAX];
    struct packet packet;
};

static void tell(struct watch *w)
{
    const struct config_list *l = &w->s.cfg->watched_folders;
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += w->there[i];
    packet_start(&w->packet, VERB_GUARD);
    packet_put_u8(&w->packet, (uint8_t)w->s.mode);
    packet_put_u8(&w->packet, (uint8_t)n);
    for (size_t i = 0; i < l->n; i++) {
        if (w->there[i])
            packet_put_cstr(&w->packet, l->v[i]);
    }
    while (packet_send(w->s.control, &w->packet) == RC_OVER_QUOTA)
        poll(NULL, 0, 20);
}

/* Hands a file to the judge; the descriptor stays ours. */
static void judge_fd(struct watch *w, int fd)
{
    packet_start(&w->packet, VERB_JUDGE);
    packet_put_i64(&w->packet, 0);
    packet_put_u8(&w->packet, 0);
    packet_put_i64(&w->packet, 0);
    packet_put_i64(&w->packet, -1);
    packet_put_i64(&w->packet, (int64_t)clock_mono_ns());
    packet_put_cstr(&w->packet, "");
    while (packet_send_fds(w->s.judge, &w->packet, &fd, 1) == RC_OVER_QUOTA)
        poll(NULL, 0, 20);
}

static void judge_file(struct watch *w, int dir, const char *name)
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        judge_fd(w, fd);
    close(fd);
}

static bool remember(struct watch *w, int wd, const char *path)
{
    if ((size_t)wd >= w->cap) {
        size_t cap = w->cap ? w->cap : 256;
        while (cap <= (size_t)wd)
            cap *= 2;
        w->folders = must_realloc(w->folders, cap * sizeof(*w->folders));
        memset(w->folders + w->cap, 0, (cap - w->cap) * sizeof(*w->folders));
        w->cap = cap;
    }
    bool fresh = !w->folders[wd];
    w->n += fresh;
    free(w->folders[wd]);
    w->folders[wd] = must_strdup(path);
    return fresh;
}

/* True: the folder is followed. judge: also hand its files over. Opening with O_NOFOLLOW keeps links out of the way of
 * whoever can write the folder above. */
static bool follow(struct watch *w, const char *path, bool judge, int depth)
{
    uint32_t mask =
        IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;
    if (w->s.fanotify < 0)
        mask |= IN_CLOSE_WRITE;
    if (depth > DEPTH_MAX || w->n >= FOLDERS_MAX) {
        if (!w->full)
            ev_warn(AREA_AGENT, "too many folders to watch, the rest is not watched", EV_STR("folder", path));
        w->full = true;
        return false;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return false;
    int wd = inotify_add_watch(w->inotify, path, mask);
    if (wd < 0 || (w->s.fanotify >= 0 &&
                   fanotify_mark(w->s.fanotify, FAN_MARK_ADD | FAN_MARK_ONLYDIR, w->s.mask, dir, NULL) < 0)) {
        if (errno != ENOENT)
            ev_warn(AREA_AGENT, "folder cannot be watched", EV_STR("folder", path), EV_STR("reason", strerror(errno)));
        close(dir);
        return false;
    }
    remember(w, wd, path);
    DIR *d = fdopendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        char below[PATH_SIZE];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        unsigned char type = e->d_type;
        if (type == DT_UNKNOWN && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
        if (type == DT_DIR && snprintf(below, sizeof(below), "%s/%s", path, e->d_name) < (int)sizeof(below))
            follow(w, below, judge, depth + 1);
        else if (type == DT_REG && judge)
            judge_file(w, dirfd(d), e->d_name);
    }
    if (d)
        closedir(d);
    return true;
}

static void forget(struct watch *w, int wd)
{
    const struct config_list *l = &w->s.cfg->watched_folders;
    if (wd < 0 || (size_t)wd >= w->cap || !w->folders[wd])
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (w->there[i] && strcmp(l->v[i], w->folders[wd]) == 0) {
            w->there[i] = false;
            tell(w);
        }
    }
    free(w->folders[wd]);
    w->folders[wd] = NULL;
    w->n--;
}

static void take(struct watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        for (size_t i = 0; i < w->s.cfg->watched_folders.n; i++)
            follow(w, w->s.cfg->watched_folders.v[i], true, 0);
        return;
    }
    if (e->mask & (IN_IGNORED | IN_MOVE_SELF)) {
        if (e->mask & IN_MOVE_SELF)
            inotify_rm_watch(w->inotify,
                             e->wd); /* its path is not true any more; a new one is found by its new parent */
        forget(w, e->wd);
        return;
    }
    if (e->len == 0 || e->wd < 0 || (size_t)e->wd >= w->cap || !w->folders[e->wd])
        return;
    char path[PATH_SIZE];
    if (snprintf(path, sizeof(path), "%s/%s", w->folders[e->wd], e->name) >= (int)sizeof(path))
        return;
    if (e->mask & IN_ISDIR)
        follow(w, path, true, 0);
    else if (e->mask & (IN_MOVED_TO | IN_CLOSE_WRITE))
        judge_file(w, AT_FDCWD, path);
}

/* True: all are there. */
static bool find_roots(struct watch *w)
{
    const struct config_list *l = &w->s.cfg->watched_folders;
    bool changed = false, all = true;
    for (size_t i = 0; i < l->n; i++) {
        if (w->there[i])
            continue;
        struct stat st;
        w->there[i] = lstat(l->v[i], &st) == 0 && S_ISDIR(st.st_mode) && follow(w, l->v[i], false, 0);
        changed = changed || w->there[i];
        all = all && w->there[i];
    }
    if (changed)
        tell(w);
    return all;
}

static void *run(void *arg)
{
    struct watch *w = arg;
    char b[16384] __attribute__((aligned(8)));
    tell(w);
    for (;;) {
        bool all = find_roots(w);
        struct pollfd p = {w->inotify, POLLIN, 0};
        if (poll(&p, 1, all ? -1 : RETRY_MS) <= 0)
            continue;
        ssize_t n = read(w->inotify, b, sizeof(b));
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(b + at);
            take(w, e);
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    return NULL;
}

void watch_start(const struct watch_settings *s)
{
    struct watch *w = must_alloc(sizeof(*w));
    pthread_t t;
    w->s = *s;
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (w->inotify < 0) {
        ev_error(AREA_AGENT, "folders cannot be followed", EV_STR("reason", strerror(errno)));
        _exit(1);
    }
    must(pthread_create(&t, NULL, run, w) == 0);
    pthread_detach(t);
}
