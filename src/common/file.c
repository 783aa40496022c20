/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - reading and replacing whole files. */
#include "common/file.h"
#include "common/id.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 8192

static enum rc rc_of_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return RC_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
        return RC_DENIED;
    case EEXIST:
        return RC_CONFLICT;
    default:
        return RC_UNAVAILABLE;
    }
}

static void close_quietly(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
}

/* The size may be 0 (in /proc) or change while we read, so it is a hint only. */
static enum rc read_all(int fd, struct strbuf *b, size_t hint)
{
    for (;;) {
        size_t left = b->ceiling - b->n;
        size_t step = hint > b->n ? hint - b->n : READ_STEP;
        char *at = strbuf_reserve(b, step < left ? step : left);
        ssize_t n;
        char one;

        if (left == 0) { /* full: fine if nothing follows */
            at = &one;
            n = read(fd, at, 1);
        } else {
            n = read(fd, at, step < left ? step : left);
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_of_errno();
        if (n == 0)
            return RC_OK;
        if (left == 0)
            return RC_OVER_QUOTA;
        strbuf_commit(b, (size_t)n);
    }
}

static enum rc read_open(struct arena *a, int fd, size_t ceiling, struct slice *ret)
{
    struct strbuf b;
    struct stat st;
    size_t hint;
    enum rc rc;

    if (fstat(fd, &st) < 0)
        return rc_of_errno();
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return RC_INVALID;
    }
    if (st.st_size > 0 && (uintmax_t)st.st_size > ceiling) {
        errno = EFBIG;
        return RC_OVER_QUOTA;
    }
    hint = st.st_size > 0 ? (size_t)st.st_size + 1 : 0; /* one more: to see the end without growing the buffer */
    strbuf_init_arena(&b, a, ceiling);
    rc = read_all(fd, &b, hint);
    if (rc == RC_OVER_QUOTA)
        errno = EFBIG;
    if (rc == RC_OK)
        *ret = strbuf_slice(&b);
    return rc;
}

enum rc file_read(struct arena *a, const char *path, size_t ceiling, struct slice *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a FIFO shall be refused, not waited for */
    enum rc rc;

    if (fd < 0)
        return rc_of_errno();
    rc = read_open(a, fd, ceiling, ret);
    close_quietly(fd);
    return rc;
}

bool file_write_all(int fd, struct slice data)
{
    while (data.n) {
        ssize_t n = write(fd, data.p, data.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data = slice_mem(data.p + n, data.n - (size_t)n);
    }
    return true;
}

static bool keep_owner(int fd, const char *path)
{
    struct stat st;

    if (geteuid() != 0 || stat(path, &st) < 0)
        return true;
    return fchown(fd, st.st_uid, st.st_gid) == 0;
}

static bool write_temporary(const char *temporary, const char *path, struct slice data, mode_t mode)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good;

    if (fd < 0)
        return false;
    good = keep_owner(fd, path) && fchmod(fd, mode) == 0 && file_write_all(fd, data) && fsync(fd) == 0;
    close_quietly(fd);
    return good;
}

bool file_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good;

    if (fd < 0)
        return false;
    good = fsync(fd) == 0 || errno == EINVAL; /* EINVAL: a file system without syncing of folders */
    close_quietly(fd);
    return good;
}

static bool sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];

    if (!slash)
        snprintf(folder, sizeof(folder), ".");
    else if (slash == path)
        snprintf(folder, sizeof(folder), "/");
    else
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    return file_sync_folder(folder);
}

static enum rc replace(const char *path, struct slice data, mode_t mode, bool fresh)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.%016llx.tmp", path, (unsigned long long)random_u64());
    bool good;

    if (n < 0 || (size_t)n >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return RC_UNAVAILABLE;
    }
    good = write_temporary(temporary, path, data, mode);
    if (good)
        good = (fresh ? link(temporary, path) : rename(temporary, path)) == 0;
    if (!good || fresh) {
        int saved = errno;

        unlink(temporary);
        errno = saved;
    }
    return good && sync_folder_of(path) ? RC_OK : rc_of_errno();
}

enum rc file_write(const char *path, struct slice data, mode_t mode)
{
    return replace(path, data, mode, false);
}

enum rc file_write_new(const char *path, struct slice data, mode_t mode)
{
    return replace(path, data, mode, true);
}

static enum rc make_one(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 ? RC_OK : rc_of_errno();
    if (errno == EEXIST || errno == EROFS || errno == EACCES) { /* the last two come before EEXIST on some mounts */
        int saved = errno;

        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return RC_OK;
        errno = saved;
    }
    return rc_of_errno();
}

enum rc file_mkdirs(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof(part)) {
        errno = n ? ENAMETOOLONG : ENOENT;
        return rc_of_errno();
    }
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        enum rc rc;

        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = 0;
        rc = make_one(part, mode);
        part[i] = '/';
        if (rc != RC_OK)
            return rc;
    }
    return make_one(part, mode);
}
