/* SPDX-License-Identifier: Apache-2.0 */
/* modules.c - see modules.h. In the signature folder a new file is NAME.sekisho-new until it is whole, and the file
 * that it replaces is NAME.sekisho-old until the engine has proved that it works; the engine loads neither. */
#define _GNU_SOURCE
#include "agent/modules.h"
#include "agent/engine_clamd.h"
#include "common/crypto.h"
#include "common/event.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA          (4 * 1024 * 1024)
#define NEW            ".sekisho-new"
#define OLD            ".sekisho-old"
#define TRY_TIMEOUT_MS 180000

/* ---- manifest */

static bool name_ok(struct slice s)
{
    if (s.n == 0 || s.n > 100 || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return !slice_ends(s, SLICE(NEW)) && !slice_ends(s, SLICE(OLD)) && !slice_eq(s, SLICE(CLAMD_CANARY_FILE)) &&
           !slice_starts(s, SLICE("manifest."));
}

static const char *fault(const struct wire_module_manifest *m)
{
    if (m->version < 1)
        return "version";
    if (m->n_files == 0 || m->n_files > MODULES_FILES_MAX)
        return "files";
    for (size_t i = 0; i < m->n_files; i++) {
        const struct wire_module_file *f = &m->files[i];
        uint8_t raw[32];
        size_t n;
        if (!name_ok(f->name) || f->size < 0)
            return "file name or size";
        if (f->sha256.n != 64 || !slice_unhex(f->sha256, raw, sizeof(raw), &n))
            return "sha256";
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(f->name, m->files[k].name))
                return "a file name twice";
        }
    }
    return NULL;
}

enum rc modules_verify(struct arena *a, const uint8_t key[32], struct slice manifest, struct slice signature,
                       struct wire_module_manifest *ret, const char **ret_code, const char **ret_reason)
{
    uint8_t sig[64];
    size_t n;
    struct decode_error err = {0};
    struct wire_module_manifest m;
    *ret_reason = NULL;
    *ret_code = MODULES_UNSIGNED;
    if (!slice_unhex(slice_trim(signature), sig, sizeof(sig), &n) || n != sizeof(sig) ||
        !crypto_ed25519_verify(key, manifest, sig))
        return RC_INVALID;
    *ret_code = MODULES_MALFORMED;
    *ret_reason = "form";
    if (manifest.n > MODULES_MANIFEST_MAX || wire_module_manifest_parse(a, manifest, &m, &err) != RC_OK) {
        if (err.field[0])
            *ret_reason = arena_strdup(a, err.field);
        return RC_INVALID;
    }
    *ret_reason = fault(&m);
    if (*ret_reason)
        return RC_INVALID;
    *ret_code = NULL;
    *ret = m;
    return RC_OK;
}

static char *join(struct arena *a, const char *dir, struct slice name, const char *suffix)
{
    return arena_printf(a, "%s/" SLICE_FMT "%s", dir, SLICE_ARG(name), suffix);
}

static bool read_manifest(struct arena *a, const char *state_dir, struct slice *ret_text,
                          struct wire_module_manifest *ret)
{
    struct decode_error err;
    return file_read(a, join(a, state_dir, SLICE("modules.json"), ""), MODULES_MANIFEST_MAX, ret_text) == RC_OK &&
           wire_module_manifest_parse(a, *ret_text, ret, &err) == RC_OK;
}

struct modules_installed modules_read_installed(const char *state_dir)
{
    struct arena *a = arena_new(ARENA);
    struct slice text;
    struct wire_module_manifest m;
    struct modules_installed i = {0};
    if (read_manifest(a, state_dir, &text, &m))
        i = (struct modules_installed){m.version, m.issued};
    arena_free(&a);
    return i;
}

/* ---- files */

/* Hashes up to limit + 1 bytes of in, copying them to out unless that is -1. False: unreadable or unwritable. */
static bool copy_hash(int in, int out, int64_t limit, struct sha256 *ret, int64_t *ret_size)
{
    char b[65536];
    struct sha256_stream *s = sha256_stream_new();
    int64_t at = 0;
    ssize_t n = 0;
    bool ok = true;
    while (ok && at <= limit && (n = pread(in, b, sizeof(b), at)) > 0) {
        sha256_stream_add(s, b, (size_t)n);
        for (ssize_t w = 0, k; out >= 0 && ok && w < n; w += k) {
            k = write(out, b + w, (size_t)(n - w));
            if (k <= 0) {
                ok = false;
                break;
            }
        }
        at += n;
    }
    *ret = sha256_stream_end(&s);
    *ret_size = at;
    return ok && n >= 0;
}

static bool matches(const struct wire_module_file *f, const struct sha256 *h, int64_t size)
{
    uint8_t want[32];
    size_t n;
    return size == f->size && slice_unhex(f->sha256, want, sizeof(want), &n) && n == 32 && memcmp(want, h->b, 32) == 0;
}

static bool file_matches(const char *path, const struct wire_module_file *f)
{
    struct sha256 h;
    int64_t size;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && copy_hash(fd, -1, f->size, &h, &size) && matches(f, &h, size);
    if (fd >= 0)
        close(fd);
    return ok;
}

static enum rc stage_file(struct arena *a, const char *dir, const struct wire_module_file *f, int in, bool *ret_written)
{
    struct stat st;
    struct sha256 h;
    int64_t size = 0;
    *ret_written = true;
    if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
        return RC_INVALID;
    int out = open(join(a, dir, f->name, ""), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    *ret_written = out >= 0 && copy_hash(in, out, f->size, &h, &size) && fchmod(out, 0644) == 0 && fsync(out) == 0;
    /* The hash of what was read is the hash of the copy; the sender cannot reach the copy. */
    bool ok = *ret_written && matches(f, &h, size);
    if (out >= 0)
        close(out);
    return ok ? RC_OK : RC_INVALID;
}

static void clear_folder(struct arena *a, const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(join(a, dir, slice_of(e->d_name), ""));
    }
    if (d)
        closedir(d);
}

static bool sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- placement */

/* The old file gets a second name, then the new one takes its place: no moment without a file of that name. */
static bool place_file(struct arena *a, const char *staging, const char *dir, struct slice name)
{
    const char *from = join(a, staging, name, ""), *fresh = join(a, dir, name, NEW), *old = join(a, dir, name, OLD),
               *target = join(a, dir, name, "");
    struct sha256 h;
    int64_t size;
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    unlink(fresh);
    unlink(old);
    int out = in < 0 ? -1 : open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool ok = out >= 0 && copy_hash(in, out, INT64_MAX - 1, &h, &size) && fchmod(out, 0644) == 0 && fsync(out) == 0 &&
              (link(target, old) == 0 || errno == ENOENT) && rename(fresh, target) == 0;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return ok;
}

static void put_back(struct arena *a, const char *dir, const struct wire_module_manifest *m, size_t placed)
{
    for (size_t i = 0; i < m->n_files && i <= placed; i++) {
        unlink(join(a, dir, m->files[i].name, NEW));
        if (rename(join(a, dir, m->files[i].name, OLD), join(a, dir, m->files[i].name, "")) < 0 && i < placed)
            unlink(join(a, dir, m->files[i].name, ""));
    }
    sync_folder(dir);
}

static bool listed(const struct wire_module_manifest *m, struct slice name)
{
    for (size_t i = 0; i < m->n_files; i++) {
        if (slice_eq(m->files[i].name, name))
            return true;
    }
    return false;
}

/* Files of the former version that the new one does not have are moved aside too, so that they can come back. */
static void retire(struct arena *a, const char *dir, const struct wire_module_manifest *before,
                   const struct wire_module_manifest *now, bool back)
{
    for (size_t i = 0; i < before->n_files; i++) {
        struct slice name = before->files[i].name;
        if (listed(now, name))
            continue;
        const char *live = join(a, dir, name, ""), *old = join(a, dir, name, OLD);
        if (back ? rename(old, live) < 0 : rename(live, old) < 0)
            continue;
    }
}

static void drop_old(struct arena *a, const char *dir, const struct wire_module_manifest *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        unlink(join(a, dir, m->files[i].name, OLD));
}

static enum rc outcome(struct modules_outcome *o, enum rc rc, const char *code, const char *first, const char *second)
{
    o->code = code;
    o->n_args = first ? second ? 2 : 1 : 0;
    snprintf(o->args[0], sizeof(o->args[0]), "%s", first ? first : "");
    snprintf(o->args[1], sizeof(o->args[1]), "%s", second ? second : "");
    return rc;
}

static enum rc go_live(const struct modules_place *p, struct arena *a, const char *staging,
                       const struct wire_module_manifest *m, struct slice manifest, struct modules_outcome *ret)
{
    struct slice text;
    struct wire_module_manifest before = {0};
    read_manifest(a, p->state_dir, &text, &before);
    size_t placed = 0;
    while (placed < m->n_files && place_file(a, staging, p->signatures_dir, m->files[placed].name))
        placed++;
    if (placed < m->n_files) {
        const char *why = strerror(errno);
        put_back(a, p->signatures_dir, m, placed);
        return outcome(ret, RC_DENIED, MODULES_UNWRITTEN, why, NULL);
    }
    retire(a, p->signatures_dir, &before, m, false);
    sync_folder(p->signatures_dir);
    enum rc rc = p->driver->reload(p->engine, p->reload_timeout_ms);
    if (rc == RC_OK)
        rc = file_write(join(a, p->state_dir, SLICE("modules.json"), ""), manifest, 0600);
    if (rc != RC_OK) {
        put_back(a, p->signatures_dir, m, placed);
        retire(a, p->signatures_dir, &before, m, true);
        sync_folder(p->signatures_dir);
        if (p->driver->reload(p->engine, p->reload_timeout_ms) != RC_OK)
            ev_warn(AREA_AGENT, "former signatures not confirmed after roll-back");
        return outcome(ret, RC_INVALID, MODULES_REJECTED,
                       rc == RC_UNAVAILABLE ? "the engine does not answer" : "the new signatures did not become live",
                       NULL);
    }
    drop_old(a, p->signatures_dir, m);
    drop_old(a, p->signatures_dir, &before);
    sync_folder(p->signatures_dir);
    char version[24];
    snprintf(version, sizeof(version), "%lld", (long long)m->version);
    return outcome(ret, RC_OK, MODULES_UPDATED, version, NULL);
}

static enum rc stage_and_go(const struct modules_place *p, struct arena *a, const struct wire_module_manifest *m,
                            struct slice manifest, const int *fds, size_t n_fds, struct modules_outcome *ret)
{
    const char *staging = join(a, p->state_dir, SLICE("staging"), "");
    char why[200];
    if (file_mkdirs(staging, 0700) != RC_OK)
        return outcome(ret, RC_DENIED, MODULES_UNWRITTEN, strerror(errno), NULL);
    clear_folder(a, staging);
    enum rc rc = RC_OK;
    for (size_t i = 0; i < m->n_files && rc == RC_OK; i++) {
        bool written;
        rc = stage_file(a, staging, &m->files[i], i < n_fds ? fds[i] : -1, &written);
        if (rc != RC_OK)
            rc = written ? outcome(ret, rc, MODULES_DAMAGED, arena_cstr(a, m->files[i].name), NULL)
                         : outcome(ret, rc, MODULES_UNWRITTEN, strerror(errno), NULL);
    }
    if (rc == RC_OK) {
        rc = p->driver->try_signatures(staging, TRY_TIMEOUT_MS, why, sizeof(why));
        /* Without a program to try them, the running engine refuses a bad set itself and keeps the old one. */
        if (rc == RC_OK || rc == RC_NOT_FOUND)
            rc = go_live(p, a, staging, m, manifest, ret);
        else
            rc = outcome(ret, rc, MODULES_REJECTED, rc == RC_INVALID ? why : "the trial did not end", NULL);
    }
    clear_folder(a, staging);
    return rc;
}

enum rc modules_install(const struct modules_place *p, const uint8_t key[32], struct slice manifest,
                        struct slice signature, const int *fds, size_t n_fds, struct modules_outcome *ret)
{
    struct arena *a = arena_new(ARENA);
    struct wire_module_manifest m;
    const char *code, *reason;
    *ret = (struct modules_outcome){0};
    enum rc rc = modules_verify(a, key, manifest, signature, &m, &code, &reason);
    struct modules_installed have = modules_read_installed(p->state_dir);
    char offered[24] = "", installed[24];
    snprintf(installed, sizeof(installed), "%lld", (long long)have.version);
    if (rc == RC_OK)
        snprintf(offered, sizeof(offered), "%lld", (long long)m.version);
    if (rc != RC_OK)
        rc = outcome(ret, rc, code, reason, NULL);
    else if (m.version == have.version)
        rc = outcome(ret, RC_OK, MODULES_CURRENT, offered, NULL);
    else if (m.version < have.version)
        rc = outcome(ret, RC_INVALID, MODULES_OLDER, offered, installed);
    else
        rc = stage_and_go(p, a, &m, manifest, fds, n_fds, ret);
    arena_free(&a);
    return rc;
}

void modules_recover(const char *state_dir, const char *signatures_dir)
{
    struct arena *a = arena_new(ARENA);
    struct slice text;
    struct wire_module_manifest m = {0};
    read_manifest(a, state_dir, &text, &m);
    DIR *d = opendir(signatures_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct slice name = slice_of(e->d_name);
        if (slice_ends(name, SLICE(NEW)))
            unlink(join(a, signatures_dir, name, ""));
        if (!slice_ends(name, SLICE(OLD)))
            continue;
        const char *old = join(a, signatures_dir, name, "");
        name.n -= sizeof(OLD) - 1;
        const char *live = join(a, signatures_dir, name, "");
        bool keep = false;
        for (size_t i = 0; i < m.n_files; i++)
            keep = keep || (slice_eq(m.files[i].name, name) && file_matches(live, &m.files[i]));
        /* The manifest is written when the engine has proved the set: files that fit it are to stay. */
        bool retired = m.n_files > 0 && !listed(&m, name) && access(live, F_OK) < 0;
        bool done = keep || retired ? unlink(old) == 0 : rename(old, live) == 0;
        if (!done)
            ev_warn(AREA_AGENT, "signature file not put back", EV_STR("file", live));
    }
    if (d)
        closedir(d);
    arena_free(&a);
}

/* ---- the folder as a whole */

static bool signature_file(const char *name)
{
    return name[0] != '.' && strchr(name, '.') && !slice_ends(slice_of(name), SLICE(NEW)) &&
           !slice_ends(slice_of(name), SLICE(OLD)) && strcmp(name, CLAMD_CANARY_FILE) != 0;
}

usec_t modules_newest_file(const char *signatures_dir)
{
    usec_t newest = 0;
    DIR *d = opendir(signatures_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (signature_file(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
            (usec_t)st.st_mtim.tv_sec * USEC_PER_SEC > newest)
            newest = (usec_t)st.st_mtim.tv_sec * USEC_PER_SEC;
    }
    if (d)
        closedir(d);
    return newest;
}

uint64_t modules_fingerprint(const char *signatures_dir)
{
    uint64_t sum = 0;
    DIR *d = opendir(signatures_dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (!strchr(e->d_name, '.') || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode))
            continue;
        uint64_t h = UINT64_C(14695981039346656037);
        const uint64_t parts[] = {st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                                  (uint64_t)st.st_mtim.tv_nsec};
        for (size_t i = 0; i < sizeof(parts); i++)
            h = (h ^ ((const unsigned char *)parts)[i]) * UINT64_C(1099511628211);
        sum += h; /* order of the folder does not matter */
    }
    if (d)
        closedir(d);
    return sum;
}
