/* SPDX-License-Identifier: Apache-2.0 */
/* quarantine.c - see quarantine.h. Form of a file: magic, then boxes, each behind its length (32 bit, little end
 * first). The first box is the description as JSON, the others are pieces of 256 KiB, the last of which is marked in
 * its context, so that neither order nor end can be changed unnoticed. */
#define _GNU_SOURCE
#include "agent/quarantine.h"
#include "common/file.h"
#include "common/json.h"
#include "common/must.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAGIC       "SKSQ0001"
#define MAGIC_SIZE  8
#define PIECE       (256 * 1024)
#define BOX_EXTRA   28 /* nonce and tag */
#define DESCRIPTION (128 * 1024)
#define ARENA       (4 * 1024 * 1024)
#define XATTR_TOTAL 16384

struct quarantine {
    int dir;
    uint8_t key[32];
};

/* ---- small things */

static void say(char *out, size_t size, const char *what, int e)
{
    if (size > 0)
        snprintf(out, size, e ? "%s: %s" : "%s", what, strerror(e));
}

static enum rc rc_of(int e)
{
    if (e == ENOENT || e == ENOTDIR || e == ELOOP)
        return RC_NOT_FOUND;
    if (e == EACCES || e == EPERM || e == EROFS)
        return RC_DENIED;
    return e == EEXIST ? RC_CONFLICT : RC_UNAVAILABLE;
}

/* Fills the buffer, less only at the end of the file; -1 on error. */
static ssize_t pread_full(int fd, void *b, size_t n, off_t at)
{
    size_t have = 0;
    while (have < n) {
        ssize_t r = pread(fd, (char *)b + have, n - have, at + (off_t)have);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        have += (size_t)r;
    }
    return (ssize_t)have;
}

static char *file_name(struct arena *a, struct uuid id, const char *suffix)
{
    char text[UUID_TEXT_SIZE];
    return arena_printf(a, "%s%s", uuid_text(id, text), suffix);
}

static struct slice context(struct arena *a, struct uuid id, uint64_t index, bool last)
{
    char text[UUID_TEXT_SIZE];
    return slice_of(
        arena_printf(a, "sekisho-quarantine:%s:%llu:%d", uuid_text(id, text), (unsigned long long)index, last));
}

enum rc quarantine_hash(int fd, struct sha256 *ret, int64_t *ret_size)
{
    char *b = must_alloc(PIECE);
    struct sha256_stream *s = sha256_stream_new();
    off_t at = 0;
    ssize_t n;
    while ((n = pread_full(fd, b, PIECE, at)) > 0) {
        sha256_stream_add(s, b, (size_t)n);
        at += n;
    }
    struct sha256 h = sha256_stream_end(&s);
    free(b);
    if (n < 0)
        return RC_UNAVAILABLE;
    *ret = h;
    *ret_size = at;
    return RC_OK;
}

static struct slice hex_of(struct arena *a, const void *p, size_t n)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 * n + 2);
    strbuf_add_hex(&b, p, n);
    return strbuf_slice(&b);
}

/* ---- store */

static enum rc load_key(struct quarantine *q)
{
    int fd = openat(q->dir, ".key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        random_bytes(q->key, sizeof(q->key));
        /* written under another name first: a crash must not leave half a key */
        unlinkat(q->dir, ".key.new", 0);
        fd = openat(q->dir, ".key.new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
            return rc_of(errno);
        bool ok = file_write_all(fd, slice_mem(q->key, sizeof(q->key))) && fsync(fd) == 0;
        close(fd);
        if (!ok || linkat(q->dir, ".key.new", q->dir, ".key", 0) < 0)
            ok = false;
        unlinkat(q->dir, ".key.new", 0);
        return ok && fsync(q->dir) == 0 ? RC_OK : RC_UNAVAILABLE;
    }
    if (fd < 0)
        return rc_of(errno);
    ssize_t n = pread_full(fd, q->key, sizeof(q->key), 0);
    close(fd);
    return n == (ssize_t)sizeof(q->key) ? RC_OK : RC_INVALID;
}

enum rc quarantine_open(const char *dir, struct quarantine **ret)
{
    enum rc rc = file_mkdirs(dir, 0700);
    if (rc != RC_OK)
        return rc;
    struct quarantine *q = must_alloc(sizeof(*q));
    q->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = q->dir < 0 ? rc_of(errno) : fchmod(q->dir, 0700) == 0 ? load_key(q) : RC_DENIED;
    if (rc != RC_OK)
        quarantine_close(&q);
    else
        *ret = q;
    return rc;
}

void quarantine_close(struct quarantine **q)
{
    if (!*q)
        return;
    if ((*q)->dir >= 0)
        close((*q)->dir);
    crypto_wipe((*q)->key, sizeof((*q)->key));
    free(*q);
    *q = NULL;
}

/* ---- description */

static void write_xattrs(struct json_writer *w, struct arena *a, int fd)
{
    char names[4096], value[XATTR_TOTAL];
    ssize_t n = flistxattr(fd, names, sizeof(names));
    size_t total = 0;
    json_key(w, "xattrs");
    json_array_open(w);
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1) {
        ssize_t v = fgetxattr(fd, names + i, value, sizeof(value));
        if (v < 0 || total + (size_t)v > XATTR_TOTAL)
            continue;
        total += (size_t)v;
        json_array_open(w);
        json_str(w, slice_of(names + i));
        json_str(w, hex_of(a, value, (size_t)v));
        json_array_close(w);
    }
    json_array_close(w);
}

static void put_str(struct json_writer *w, const char *key, struct slice s)
{
    json_key(w, key);
    json_str(w, s);
}

static void put_int(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

static struct slice describe(struct arena *a, int fd, const struct quarantine_item *i)
{
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, a, DESCRIPTION);
    json_start(&w, &b);
    json_object_open(&w);
    /* a path is bytes, JSON is not: hex keeps what no text can */
    put_str(&w, "object", hex_of(a, i->object.p, i->object.n));
    put_str(&w, "name", i->name);
    put_str(&w, "sha256", i->sha256);
    put_str(&w, "process", i->process);
    put_str(&w, "user", i->user);
    put_str(&w, "scanner", i->scanner);
    put_str(&w, "event", i->event);
    put_int(&w, "at", i->at);
    put_int(&w, "size", i->size);
    /* as text: they need more bits than a JSON number has */
    put_str(&w, "mtime_ns", slice_of(arena_printf(a, "%lld", (long long)i->mtime_ns)));
    put_str(&w, "dev", slice_of(arena_printf(a, "%llu", (unsigned long long)i->dev)));
    put_str(&w, "ino", slice_of(arena_printf(a, "%llu", (unsigned long long)i->ino)));
    put_int(&w, "uid", i->uid);
    put_int(&w, "gid", i->gid);
    put_int(&w, "mode", i->mode);
    write_xattrs(&w, a, fd);
    json_object_close(&w);
    return b.over ? SLICE_NONE : strbuf_slice(&b);
}

static struct slice text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_string(v) ? slice_mem(json_string_value(v), json_string_length(v)) : SLICE("");
}

static int64_t int_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static bool parse(struct arena *a, struct slice text, struct quarantine_item *ret, const json_t **ret_json)
{
    struct json_error err;
    const json_t *o = json_parse(a, text, (struct json_limits){DESCRIPTION, 8, 4096}, &err);
    if (!json_is_object(o))
        return false;
    struct slice hex = text_of(o, "object");
    uint8_t *path = arena_alloc(a, hex.n / 2 + 1);
    size_t n;
    if (!slice_unhex(hex, path, hex.n / 2 + 1, &n))
        return false;
    ret->object = slice_mem(path, n);
    ret->name = text_of(o, "name");
    ret->sha256 = text_of(o, "sha256");
    ret->process = text_of(o, "process");
    ret->user = text_of(o, "user");
    ret->scanner = text_of(o, "scanner");
    ret->event = text_of(o, "event");
    ret->at = int_of(o, "at");
    ret->size = int_of(o, "size");
    if (!slice_i64(text_of(o, "mtime_ns"), &ret->mtime_ns) || !slice_u64(text_of(o, "dev"), &ret->dev) ||
        !slice_u64(text_of(o, "ino"), &ret->ino))
        return false;
    ret->uid = (uint32_t)int_of(o, "uid");
    ret->gid = (uint32_t)int_of(o, "gid");
    ret->mode = (uint32_t)int_of(o, "mode");
    if (ret_json)
        *ret_json = o;
    return true;
}

/* ---- boxes */

static bool write_box(int fd, struct slice box)
{
    uint32_t n = (uint32_t)box.n;
    uint8_t head[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
    return file_write_all(fd, slice_mem(head, 4)) && file_write_all(fd, slice_mem(box.p, box.n));
}

/* RC_NOT_FOUND: the file ends here. */
static enum rc read_box(int fd, struct arena *a, off_t *at, struct slice *ret)
{
    uint8_t head[4];
    ssize_t r = pread_full(fd, head, 4, *at);
    if (r == 0)
        return RC_NOT_FOUND;
    if (r != 4)
        return RC_INVALID;
    uint32_t n = head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    if (n > PIECE + BOX_EXTRA && n > DESCRIPTION + BOX_EXTRA)
        return RC_INVALID;
    char *b = arena_alloc(a, n ? n : 1);
    if (pread_full(fd, b, n, *at + 4) != (ssize_t)n)
        return RC_INVALID;
    *at += 4 + (off_t)n;
    *ret = slice_mem(b, n);
    return RC_OK;
}

/* Seals fd piece by piece into out; the hash over what was really read comes back. */
static enum rc seal_pieces(struct quarantine *q, int fd, int out, struct uuid id, struct sha256 *ret_hash)
{
    struct arena *a = arena_new(ARENA);
    struct sha256_stream *s = sha256_stream_new();
    char *b = must_alloc(2 * PIECE);
    char *now = b, *next = b + PIECE;
    enum rc rc = RC_OK;
    off_t at = 0;
    ssize_t n = pread_full(fd, now, PIECE, at);
    for (uint64_t index = 1; rc == RC_OK; index++) {
        ssize_t after = n == PIECE ? pread_full(fd, next, PIECE, at + n) : 0;
        if (n < 0 || after < 0) {
            rc = RC_UNAVAILABLE;
            break;
        }
        struct slice piece = slice_mem(now, (size_t)n);
        sha256_stream_add(s, piece.p, piece.n);
        if (!write_box(out, crypto_box_seal(a, q->key, context(a, id, index, after == 0), piece)))
            rc = rc_of(errno);
        arena_reset(a);
        if (after == 0)
            break;
        at += n;
        n = after;
        char *t = now;
        now = next;
        next = t;
    }
    *ret_hash = sha256_stream_end(&s);
    crypto_wipe(b, 2 * PIECE);
    free(b);
    arena_free(&a);
    return rc;
}

static enum rc write_copy(struct quarantine *q, struct arena *a, int fd, int out, const struct quarantine_item *item)
{
    struct slice text = describe(a, fd, item);
    struct sha256 hash;
    if (text.n == 0)
        return RC_INTERNAL;
    if (!file_write_all(out, slice_mem(MAGIC, MAGIC_SIZE)) ||
        !write_box(out, crypto_box_seal(a, q->key, context(a, item->id, 0, false), text)))
        return rc_of(errno);
    enum rc rc = seal_pieces(q, fd, out, item->id, &hash);
    if (rc != RC_OK)
        return rc;
    if (!slice_eq(hex_of(a, hash.b, sizeof(hash.b)), item->sha256))
        return RC_CONFLICT;
    return fsync(out) == 0 ? RC_OK : RC_UNAVAILABLE;
}

enum rc quarantine_add(struct quarantine *q, int fd, struct quarantine_item *item, char *ret_why, size_t why_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        say(ret_why, why_size, "not a regular file", 0);
        return RC_INVALID;
    }
    item->size = st.st_size;
    item->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
    item->dev = st.st_dev;
    item->ino = st.st_ino;
    item->uid = st.st_uid;
    item->gid = st.st_gid;
    item->mode = st.st_mode & 07777;
    item->pending = true;
    struct arena *a = arena_new(ARENA);
    char *name = file_name(a, item->id, ".part");
    int out = openat(q->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum rc rc = out < 0 ? rc_of(errno) : write_copy(q, a, fd, out, item);
    if (rc != RC_OK)
        say(ret_why, why_size, rc == RC_CONFLICT ? "the file is being changed" : "the quarantine cannot be written",
            rc == RC_CONFLICT ? 0 : errno);
    if (out >= 0)
        close(out);
    if (rc == RC_OK && (renameat(q->dir, name, q->dir, file_name(a, item->id, ".pending")) < 0 || fsync(q->dir) < 0)) {
        rc = rc_of(errno);
        say(ret_why, why_size, "the quarantine cannot be written", errno);
    }
    if (rc != RC_OK && out >= 0)
        unlinkat(q->dir, name, 0);
    arena_free(&a);
    return rc;
}

/* ---- the original */

static int open_parent(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' || slash[1] == '\0') {
        errno = ENOENT;
        return -1;
    }
    char parent[4096];
    size_t n = slash == path ? 1 : (size_t)(slash - path);
    if (n >= sizeof(parent)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, n);
    parent[n] = '\0';
    *ret_name = slash + 1;
    return open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool fixed(int fd)
{
    unsigned flags = 0;
    return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL));
}

enum rc quarantine_removable(int fd, const char *path, char *ret_why, size_t why_size)
{
    const char *name;
    struct statvfs vfs;
    if (fstatvfs(fd, &vfs) == 0 && (vfs.f_flag & ST_RDONLY)) {
        say(ret_why, why_size, "the filesystem is read-only", 0);
        return RC_DENIED;
    }
    int dir = open_parent(path, &name);
    if (dir < 0) {
        say(ret_why, why_size, "the folder cannot be opened", errno);
        return rc_of(errno);
    }
    enum rc rc = RC_OK;
    if (fixed(fd) || fixed(dir)) {
        say(ret_why, why_size, "the file or its folder is immutable", 0);
        rc = RC_DENIED;
    } else if (faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0) {
        say(ret_why, why_size, "the folder cannot be changed", errno);
        rc = RC_DENIED;
    }
    close(dir);
    return rc;
}

enum rc quarantine_unlink(const char *path, uint64_t dev, uint64_t ino, char *ret_why, size_t why_size)
{
    const char *name;
    struct stat st;
    int dir = open_parent(path, &name);
    if (dir < 0) {
        say(ret_why, why_size, "the folder cannot be opened", errno);
        return rc_of(errno);
    }
    enum rc rc = RC_OK;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        rc = rc_of(errno);
        say(ret_why, why_size, "the file is gone", 0);
    } else if (st.st_dev != dev || st.st_ino != ino) {
        rc = RC_NOT_FOUND;
        say(ret_why, why_size, "another file has its name now", 0);
    } else if (unlinkat(dir, name, 0) < 0) {
        rc = rc_of(errno);
        say(ret_why, why_size, "the file cannot be removed", errno);
    } else {
        fsync(dir); /* a filesystem that cannot do it loses nothing: the next start tries again */
    }
    close(dir);
    return rc;
}

enum rc quarantine_commit(struct quarantine *q, struct uuid id)
{
    struct arena *a = arena_new(4096);
    enum rc rc = RC_OK;
    if (renameat(q->dir, file_name(a, id, ".pending"), q->dir, file_name(a, id, ".q")) < 0)
        rc = rc_of(errno);
    else if (fsync(q->dir) < 0)
        rc = RC_UNAVAILABLE;
    arena_free(&a);
    return rc;
}

void quarantine_abort(struct quarantine *q, struct uuid id)
{
    struct arena *a = arena_new(4096);
    unlinkat(q->dir, file_name(a, id, ".pending"), 0);
    fsync(q->dir);
    arena_free(&a);
}

static void sweep(struct quarantine *q)
{
    int copy = openat(q->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (slice_ends(slice_of(e->d_name), SLICE(".part")))
            unlinkat(q->dir, e->d_name, 0);
    }
    if (d)
        closedir(d);
}

/* ---- reading back */

static enum rc read_description(struct quarantine *q, struct arena *a, int fd, struct uuid id, off_t *at,
                                struct quarantine_item *ret, const json_t **ret_json)
{
    char magic[MAGIC_SIZE];
    struct slice box, text;
    if (pread_full(fd, magic, MAGIC_SIZE, 0) != MAGIC_SIZE || memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
        return RC_INVALID;
    *at = MAGIC_SIZE;
    if (read_box(fd, a, at, &box) != RC_OK || crypto_box_open(a, q->key, context(a, id, 0, false), box, &text) != RC_OK)
        return RC_INVALID;
    struct quarantine_item item = {.id = id};
    if (!parse(a, text, &item, ret_json))
        return RC_INVALID;
    *ret = item;
    return RC_OK;
}

static int open_item(struct quarantine *q, struct arena *a, struct uuid id, bool *ret_pending)
{
    *ret_pending = false;
    int fd = openat(q->dir, file_name(a, id, ".q"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_pending = true;
        fd = openat(q->dir, file_name(a, id, ".pending"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd;
}

enum rc quarantine_find(struct quarantine *q, struct arena *a, struct uuid id, struct quarantine_item *ret)
{
    bool pending;
    off_t at;
    int fd = open_item(q, a, id, &pending);
    if (fd < 0)
        return rc_of(errno);
    enum rc rc = read_description(q, a, fd, id, &at, ret, NULL);
    if (rc == RC_OK)
        ret->pending = pending;
    close(fd);
    return rc;
}

static bool id_of_name(const char *name, struct uuid *ret)
{
    struct slice s = slice_of(name);
    if (!slice_ends(s, SLICE(".q")) && !slice_ends(s, SLICE(".pending")))
        return false;
    return s.n > UUID_TEXT_SIZE - 1 && uuid_parse(slice_mem(s.p, UUID_TEXT_SIZE - 1), ret);
}

static int by_id(const void *a, const void *b)
{
    const struct quarantine_item *x = a, *y = b;
    return uuid_cmp(x->id, y->id);
}

static enum rc list(struct quarantine *q, struct arena *a, bool pending_only, struct quarantine_item **ret,
                    size_t *ret_n, size_t *ret_damaged)
{
    int copy = openat(q->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        if (copy >= 0)
            close(copy);
        return RC_UNAVAILABLE;
    }
    struct quarantine_item *items = NULL;
    size_t n = 0, cap = 0, damaged = 0;
    for (struct dirent *e; (e = readdir(d));) {
        struct uuid id;
        if (!id_of_name(e->d_name, &id) || (pending_only && !slice_ends(slice_of(e->d_name), SLICE(".pending"))))
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            struct quarantine_item *more = ARENA_ARRAY(a, struct quarantine_item, cap);
            if (n > 0)
                memcpy(more, items, n * sizeof(*items));
            items = more;
        }
        if (quarantine_find(q, a, id, &items[n]) == RC_OK)
            n++;
        else
            damaged++;
    }
    closedir(d);
    if (n > 0)
        qsort(items, n, sizeof(*items), by_id);
    *ret = items;
    *ret_n = n;
    *ret_damaged = damaged;
    return RC_OK;
}

enum rc quarantine_list(struct quarantine *q, struct arena *a, struct quarantine_item **ret, size_t *ret_n,
                        size_t *ret_damaged)
{
    return list(q, a, false, ret, ret_n, ret_damaged);
}

enum rc quarantine_pending(struct quarantine *q, struct arena *a, struct quarantine_item **ret, size_t *ret_n)
{
    size_t damaged;
    sweep(q);
    return list(q, a, true, ret, ret_n, &damaged);
}

static enum rc open_pieces(struct quarantine *q, int fd, off_t at, struct uuid id, int out, struct sha256 *ret_hash)
{
    struct arena *a = arena_new(ARENA);
    struct sha256_stream *s = sha256_stream_new();
    enum rc rc = RC_INVALID;
    for (uint64_t index = 1;; index++) {
        struct slice box, plain;
        if (read_box(fd, a, &at, &box) != RC_OK)
            break; /* the end without a last piece is a cut file */
        bool last = false;
        if (crypto_box_open(a, q->key, context(a, id, index, false), box, &plain) != RC_OK) {
            last = true;
            if (crypto_box_open(a, q->key, context(a, id, index, true), box, &plain) != RC_OK)
                break;
        }
        sha256_stream_add(s, plain.p, plain.n);
        if (!file_write_all(out, slice_mem(plain.p, plain.n))) {
            rc = rc_of(errno);
            break;
        }
        arena_reset(a);
        if (last) {
            rc = RC_OK;
            break;
        }
    }
    *ret_hash = sha256_stream_end(&s);
    arena_free(&a);
    return rc;
}

static void put_back_attributes(int out, const struct quarantine_item *item, const json_t *json)
{
    /* Owner first: it clears set-id bits. Failures are no reason to withhold a file. */
    if (fchown(out, item->uid, item->gid) < 0)
        errno = 0;
    fchmod(out, item->mode);
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(json, "xattrs"), i, pair)
    {
        uint8_t value[XATTR_TOTAL];
        size_t n;
        const char *name = json_string_value(json_array_get(pair, 0)),
                   *hex = json_string_value(json_array_get(pair, 1));
        if (name && hex && slice_unhex(slice_of(hex), value, sizeof(value), &n))
            fsetxattr(out, name, value, n, 0);
    }
    struct timespec times[2] = {{0, UTIME_OMIT},
                                {(time_t)(item->mtime_ns / 1000000000), (long)(item->mtime_ns % 1000000000)}};
    futimens(out, times);
}

enum rc quarantine_restore(struct quarantine *q, struct uuid id, const char *target, char *ret_why, size_t why_size)
{
    struct arena *a = arena_new(ARENA);
    struct quarantine_item item;
    const json_t *json = NULL;
    struct sha256 hash;
    const char *name = NULL;
    off_t at = 0;
    int dir = -1, out = -1;
    int fd = openat(q->dir, file_name(a, id, ".q"), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    enum rc rc = fd < 0 ? rc_of(errno) : read_description(q, a, fd, id, &at, &item, &json);
    char *temp = file_name(a, id, ".sekisho-restore");
    if (rc != RC_OK) {
        say(ret_why, why_size, rc == RC_NOT_FOUND ? "there is no such file in the quarantine" : "the copy is damaged",
            0);
        goto out;
    }
    dir = open_parent(target ? target : arena_cstr(a, item.object), &name);
    if (dir >= 0)
        out = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0) {
        rc = rc_of(errno);
        say(ret_why, why_size, "the folder cannot be written", errno);
        goto out;
    }
    rc = open_pieces(q, fd, at, id, out, &hash);
    if (rc == RC_OK && !slice_eq(hex_of(a, hash.b, sizeof(hash.b)), item.sha256))
        rc = RC_INVALID;
    if (rc == RC_OK) {
        put_back_attributes(out, &item, json);
        if (fsync(out) < 0 || renameat2(dir, temp, dir, name, RENAME_NOREPLACE) < 0 || fsync(dir) < 0)
            rc = rc_of(errno);
    }
    if (rc != RC_OK) {
        say(ret_why, why_size, rc == RC_INVALID ? "the copy is damaged" : "the file cannot be put back",
            rc == RC_INVALID ? 0 : errno);
        unlinkat(dir, temp, 0);
        goto out;
    }
    rc = quarantine_delete(q, id);
out:
    if (out >= 0)
        close(out);
    if (dir >= 0)
        close(dir);
    if (fd >= 0)
        close(fd);
    arena_free(&a);
    return rc;
}

enum rc quarantine_delete(struct quarantine *q, struct uuid id)
{
    struct arena *a = arena_new(4096);
    enum rc rc = RC_OK;
    if (unlinkat(q->dir, file_name(a, id, ".q"), 0) < 0)
        rc = rc_of(errno);
    fsync(q->dir);
    arena_free(&a);
    return rc;
}

/* ---- command line */

static int list_command(struct quarantine *q, FILE *out, FILE *err)
{
    struct arena *a = arena_new(64 * 1024 * 1024);
    struct quarantine_item *items;
    size_t n, damaged;
    char id[UUID_TEXT_SIZE], at[CLOCK_RFC3339_SIZE];
    enum rc rc = quarantine_list(q, a, &items, &n, &damaged);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        fprintf(out, "%s  %s  %lld  " SLICE_FMT "  " SLICE_FMT "%s\n", uuid_text(items[i].id, id),
                clock_rfc3339(items[i].at, at), (long long)items[i].size, SLICE_ARG(items[i].name),
                SLICE_ARG(items[i].object), items[i].pending ? "  (pending)" : "");
    if (rc == RC_OK && damaged > 0)
        fprintf(err, "%zu damaged files were left out\n", damaged);
    arena_free(&a);
    return rc == RC_OK ? 0 : 1;
}

int quarantine_command(const char *dir, int argc, char *const *argv, FILE *out, FILE *err)
{
    const char *verb = argc > 0 ? argv[0] : "";
    bool list = argc == 1 && strcmp(verb, "list") == 0;
    bool restore = (argc == 2 || argc == 3) && strcmp(verb, "restore") == 0;
    bool drop = argc == 2 && strcmp(verb, "delete") == 0;
    struct uuid id = {0};
    char why[200] = "";
    if (!(list || restore || drop) || (!list && !uuid_parse(slice_of(argv[1]), &id))) {
        fprintf(err, "usage: sekisho-agent quarantine list | restore ID [TARGET] | delete ID\n");
        return 64;
    }
    struct quarantine *q;
    enum rc rc = quarantine_open(dir, &q);
    if (rc != RC_OK) {
        fprintf(err, "the quarantine %s cannot be opened: %s\n", dir, strerror(errno));
        return 1;
    }
    int status = 0;
    if (list) {
        status = list_command(q, out, err);
    } else {
        rc = restore ? quarantine_restore(q, id, argc == 3 ? argv[2] : NULL, why, sizeof(why))
                     : quarantine_delete(q, id);
        if (rc != RC_OK)
            fprintf(err, "not done: %s\n", why[0] ? why : rc_name(rc));
        status = rc == RC_OK ? 0 : 1;
    }
    quarantine_close(&q);
    return status;
}
