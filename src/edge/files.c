/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - the console's static files, all read into memory at start, and large files from disk. A request for a
 * static file only ever looks a name up in the prepared map, so no trick in a path reaches the disk. Names with a hash
 * in them are cached for ever, others are asked for again; an address that is no file is one of the console's own pages
 * and gets index.html. */
#include "common/event.h"
#include "common/file.h"
#include "common/gzip.h"
#include "common/map.h"
#include "common/must.h"
#include "edge/edge_private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define FILE_CEILING  ((size_t)32 * 1024 * 1024)
#define FILES_MAX     10000
#define DEPTH_MAX     16
#define COMPRESS_FROM 512

struct variant {
    struct slice body; /* p NULL: none */
    char etag[24];
};

struct file {
    const char *content_type;
    bool compressible, immutable;
    struct variant plain, br, gzip;
};

struct files {
    struct arena *arena;
    struct map *map; /* "/assets/x.js" -> struct file */
    struct file *index;
    size_t n;
};

static const struct {
    const char *ending, *type;
    bool compressible;
} types[] = {
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".json", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".map", "application/json", true},
    {".woff2", "font/woff2", false},
    {".woff", "font/woff", false},
    {".ttf", "font/ttf", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".ico", "image/x-icon", true},
    {".wasm", "application/wasm", true},
};

/* "name-3Fq9_a1B.js": at least eight letters, digits, '_' or '-' behind the last '-', or a '.' before, an ending. */
static bool has_hash(struct slice path)
{
    size_t end = path.n, at;

    while (end && path.p[end - 1] != '.' && path.p[end - 1] != '/')
        end--;
    if (end < 2 || path.p[end - 1] != '.')
        return false;
    for (at = --end; at && path.p[at - 1] != '-' && path.p[at - 1] != '.' && path.p[at - 1] != '/'; at--)
        ;
    return at && path.p[at - 1] != '/' && end - at >= 8;
}

static void fill(struct variant *v, struct slice body)
{
    struct sha256 hash = crypto_sha256(body);
    size_t at = 0;

    v->body = body;
    v->etag[at++] = '"';
    for (int i = 0; i < 10; i++) {
        v->etag[at++] = "0123456789abcdef"[hash.b[i] >> 4];
        v->etag[at++] = "0123456789abcdef"[hash.b[i] & 15];
    }
    v->etag[at++] = '"';
    v->etag[at] = 0;
}

static void describe(struct file *f, struct slice path)
{
    f->content_type = "application/octet-stream";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (slice_ends(path, slice_of(types[i].ending))) {
            f->content_type = types[i].type;
            f->compressible = types[i].compressible;
        }
    f->immutable = has_hash(path);
}

static struct file *file_at(struct files *fs, struct slice path)
{
    struct file *f = map_get(fs->map, path);

    if (!f) {
        f = ARENA_NEW(fs->arena, struct file);
        describe(f, path);
        map_put(fs->map, path, f);
    }
    return f;
}

static bool add(struct files *fs, const char *disk, struct slice path, char *why, size_t why_size)
{
    struct slice body;
    enum rc rc = file_read(fs->arena, disk, FILE_CEILING, &body);

    if (rc != RC_OK || ++fs->n > FILES_MAX || arena_over(fs->arena)) {
        snprintf(why, why_size, "cannot load %s: %s", disk, rc == RC_OK ? "too many or too large files" : rc_name(rc));
        return false;
    }
    if (!body.p)
        body = SLICE("");
    if (slice_ends(path, SLICE(".br")))
        fill(&file_at(fs, (struct slice){path.p, path.n - 3})->br, body);
    else if (slice_ends(path, SLICE(".gz")))
        fill(&file_at(fs, (struct slice){path.p, path.n - 3})->gzip, body);
    else
        fill(&file_at(fs, path)->plain, body);
    return true;
}

static bool walk(struct files *fs, const char *folder, const char *path, int depth, char *why, size_t why_size)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    bool good = true;

    if (!d || depth > DEPTH_MAX) {
        snprintf(why, why_size, "cannot read the folder %s: %s", folder, d ? "too deep" : strerror(errno));
        if (d)
            closedir(d);
        return false;
    }
    while (good && (e = readdir(d))) {
        const char *disk = arena_printf(fs->arena, "%s/%s", folder, e->d_name);
        const char *name = arena_printf(fs->arena, "%s/%s", path, e->d_name);
        struct stat st;

        if (e->d_name[0] == '.')
            continue;
        if (lstat(disk, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            good = walk(fs, disk, name, depth + 1, why, why_size);
        else if (S_ISREG(st.st_mode))
            good = add(fs, disk, slice_of(name), why, why_size);
    }
    closedir(d);
    return good;
}

/* Drops variants without an original and packs what the build left unpacked. */
static void finish(struct files *fs)
{
    size_t at = 0;
    void *value;

    while (map_next(fs->map, &at, NULL, &value)) {
        struct file *f = value;

        if (!f->plain.body.p || !f->compressible || f->gzip.body.p || f->plain.body.n < COMPRESS_FROM)
            continue;
        struct slice packed = gzip_deflate(fs->arena, f->plain.body);

        if (packed.p && packed.n < f->plain.body.n)
            fill(&f->gzip, packed);
    }
}

struct files *files_load(const char *root, char *ret_why, size_t why_size)
{
    struct files *fs = must_alloc(sizeof(*fs));

    fs->arena = arena_new((size_t)256 * 1024 * 1024);
    fs->map = map_new(256);
    if (!walk(fs, root, "", 0, ret_why, why_size)) {
        files_free(&fs);
        return NULL;
    }
    finish(fs);
    fs->index = map_get(fs->map, SLICE("/index.html"));
    if (!fs->index || !fs->index->plain.body.p) {
        snprintf(ret_why, why_size, "%s has no index.html", root);
        files_free(&fs);
        return NULL;
    }
    ev_info(AREA_EDGE, "console loaded", EV_STR("folder", root), EV_INT("files", fs->n));
    return fs;
}

void files_free(struct files **f)
{
    if (!*f)
        return;
    map_free(&(*f)->map, NULL);
    arena_free(&(*f)->arena);
    free(*f);
    *f = NULL;
}

static bool etag_matches(struct slice if_none_match, const char *etag)
{
    while (if_none_match.n) {
        struct slice one = slice_trim(slice_cut(&if_none_match, ','));

        if (slice_starts(one, SLICE("W/")))
            one = (struct slice){one.p + 2, one.n - 2};
        if (slice_eq(one, slice_of(etag)) || slice_eq(one, SLICE("*")))
            return true;
    }
    return false;
}

bool files_serve(const struct files *fs, h2o_req_t *req, struct conn *c, struct slice path,
                 struct slice accept_encoding, struct slice if_none_match)
{
    const struct file *f = map_get(fs->map, path);
    const struct variant *v;
    const char *encoding = NULL;

    if (!f || !f->plain.body.p)
        f = fs->index;
    v = &f->plain;
    if (f->br.body.p && accepts_encoding(accept_encoding, SLICE("br"))) {
        v = &f->br;
        encoding = "br";
    } else if (f->gzip.body.p && accepts_encoding(accept_encoding, SLICE("gzip"))) {
        v = &f->gzip;
        encoding = "gzip";
    }
    headers_add(req, "etag", slice_of(v->etag));
    headers_add(req, "cache-control", f->immutable ? SLICE("public, max-age=31536000, immutable") : SLICE("no-cache"));
    if (f->compressible)
        headers_add(req, "vary", SLICE("accept-encoding"));
    if (etag_matches(if_none_match, v->etag)) {
        reply_bytes(req, cell_new(c, req), 304, NULL, SLICE_NONE);
        return true;
    }
    if (encoding)
        headers_add(req, "content-encoding", slice_of(encoding));
    reply_bytes(req, cell_new(c, req), 200, f->content_type, v->body);
    return true;
}

/* ---- from disk */

static void close_fd(void *arg)
{
    close((int)(intptr_t)arg);
}

enum rc answer_file(struct call *c, const char *path, const char *content_type)
{
    struct request *r = c->edge;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const char *etag;
    struct stat st;

    must(r->fd < 0);
    if (fd < 0)
        return fault_op(c, errno == ENOENT || errno == ELOOP ? RC_NOT_FOUND : RC_UNAVAILABLE, "open: %s",
                        strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return RC_NOT_FOUND;
    }
    arena_defer(c->arena, close_fd, (void *)(intptr_t)fd);
    etag = arena_printf(c->arena, "\"%llx-%llx-%llx\"", (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
                        (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL + (unsigned long long)st.st_mtim.tv_nsec);
    answer_header(c, "etag", slice_of(etag));
    answer_header(c, "cache-control", SLICE("no-cache"));
    c->answer.content_type = content_type;
    c->answer.status = 200;
    if (etag_matches(c->headers.if_none_match, etag)) {
        c->answer.status = 304;
        return RC_OK;
    }
    r->fd = fd;
    r->file_size = (uint64_t)st.st_size;
    return RC_OK;
}

static void send_chunk(struct request *r, ssize_t n)
{
    h2o_iovec_t v = h2o_iovec_init(r->chunk, n > 0 ? (size_t)n : 0);
    struct conn *c = r->cell->conn;
    bool last;

    if (n <= 0) { /* shorter than it was: the length has been promised already */
        ev_warn(AREA_EDGE, "file cut short", EV_STR("trace", r->call.trace_id), EV_INT("errno", n < 0 ? errno : 0));
        h2o_send(r->cell->req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    r->file_at += (uint64_t)n;
    last = r->file_at >= r->file_size;
    r->cell->answered_ns = clock_mono_ns(); /* progress: patience begins anew with each chunk */
    h2o_send(r->cell->req, &v, 1, last ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
    filter_keep(c);
}

static size_t next_size(const struct request *r)
{
    uint64_t left = r->file_size - r->file_at;

    return left < FILE_CHUNK ? (size_t)left : FILE_CHUNK;
}

struct disk_read {
    struct loop_message message;
    struct request *request;
    ssize_t n;
};

static void read_done(struct loop_message *m)
{
    struct disk_read *d = H2O_STRUCT_FROM_MEMBER(struct disk_read, message, m);
    struct request *r = d->request;
    ssize_t n = d->n;

    free(d);
    r->reading = false;
    if (r->cell)
        send_chunk(r, n);
    else
        reply_release(r);
}

static void read_now(void *arg)
{
    struct disk_read *d = arg;
    struct request *r = d->request;

    d->n = pread(r->fd, r->chunk, next_size(r), (off_t)r->file_at);
    loop_send(r->call.home, &d->message, read_done);
}

/* From memory at once; what must come from the disk is read by the helper thread. */
static void next_chunk(struct request *r)
{
    struct iovec v = {.iov_base = r->chunk, .iov_len = next_size(r)};
    ssize_t n = preadv2(r->fd, &v, 1, (off_t)r->file_at, RWF_NOWAIT);
    struct disk_read *d;

    if (n > 0) {
        send_chunk(r, n);
        return;
    }
    d = must_alloc(sizeof(*d));
    d->request = r;
    r->reading = true;
    helper_run(r->el->edge->helper, read_now, d);
}

static void proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)req;
    next_chunk(H2O_STRUCT_FROM_MEMBER(struct request, generator, generator));
}

void file_send(struct request *r)
{
    h2o_req_t *req = r->cell->req;

    r->chunk = must_alloc(FILE_CHUNK);
    r->generator = (h2o_generator_t){proceed, NULL};
    req->res.content_length = r->file_size;
    r->cell->answered_ns = clock_mono_ns();
    r->cell->answer_bytes = (size_t)r->file_size;
    h2o_start_response(req, &r->generator);
    if (r->file_size == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        next_chunk(r);
}
