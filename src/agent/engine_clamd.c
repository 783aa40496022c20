/* SPDX-License-Identifier: Apache-2.0 */
/* engine_clamd.c - ClamAV's daemon over its UNIX socket. Files are handed over as descriptors (FILDES), so the daemon
 * needs no right to read them. One session (IDSESSION) is kept per engine object; the daemon ends idle ones after 30 s,
 * so a session that rested is renewed instead of trusted. RELOAD's reply says nothing about success: a canary does. */
#define _GNU_SOURCE
#include "agent/engine_clamd.h"
#include "agent/run.h"
#include "common/file.h"
#include "common/id.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REST_NS    UINT64_C(5000000000)
#define REPLY_SIZE 8192

struct clamd {
    struct engine base;
    const struct engine_settings *settings;
    int fd; /* session; -1: none */
    uint64_t used_ns;
    pid_t pid;
    uid_t uid;
    bool known_uid;
};

static const char clamscan[] = "/usr/bin/clamscan";

/* ---- replies */

static void keep(char *out, size_t size, struct slice s)
{
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(out, s.p, n);
    out[n] = '\0';
}

static bool drop_tail(struct slice *s, struct slice tail)
{
    if (!slice_ends(*s, tail))
        return false;
    s->n -= tail.n;
    return true;
}

void clamd_parse_reply(struct slice reply, struct engine_result *ret)
{
    struct slice s = slice_trim(reply);
    *ret = (struct engine_result){.verdict = ENGINE_FAILED};
    /* What comes last decides; a name may hold blanks and colons, the part in front ends at the first "]: ". */
    const char *end = memmem(s.p, s.n, "]: ", 3);
    struct slice rest = s;
    if (end) {
        rest = slice_mem(end + 3, s.n - (size_t)(end + 3 - s.p));
    } else {
        const char *colon = s.n > 2 ? memmem(s.p, s.n, ": ", 2) : NULL;
        if (colon)
            rest = slice_mem(colon + 2, s.n - (size_t)(colon + 2 - s.p));
    }
    if (end && slice_eq(rest, SLICE("OK"))) {
        ret->verdict = ENGINE_CLEAN;
    } else if (end && drop_tail(&rest, SLICE(" FOUND")) && rest.n > 0) {
        ret->verdict = ENGINE_FOUND;
        keep(ret->name, sizeof(ret->name), rest);
    } else {
        drop_tail(&rest, SLICE(" ERROR"));
        drop_tail(&rest, SLICE("."));
        keep(ret->error, sizeof(ret->error), rest.n ? rest : SLICE("empty reply"));
    }
}

bool clamd_parse_version(struct slice reply, struct engine_info *ret)
{
    struct slice rest = slice_trim(reply);
    if (!slice_starts(rest, SLICE("ClamAV ")) || rest.n > 200)
        return false;
    rest = slice_mem(rest.p + 7, rest.n - 7);
    struct slice version = slice_cut(&rest, '/'), signatures = slice_cut(&rest, '/');
    if (version.n == 0)
        return false;
    keep(ret->version, sizeof(ret->version), version);
    keep(ret->signatures, sizeof(ret->signatures), signatures);
    ret->signatures_at = 0;
    char date[64];
    keep(date, sizeof(date), rest);
    struct tm tm = {0};
    /* asctime's form; the daemon writes it in its own zone, a day's error at most, and ages are counted in days */
    if (rest.n > 0 && strptime(date, "%a %b %d %H:%M:%S %Y", &tm))
        ret->signatures_at = (usec_t)timegm(&tm) * USEC_PER_SEC;
    return true;
}

static bool number_after(struct slice s, const char *word, int64_t *ret)
{
    const char *at = memmem(s.p, s.n, word, strlen(word));
    if (!at)
        return false;
    struct slice rest = slice_mem(at + strlen(word), s.n - (size_t)(at - s.p) - strlen(word));
    rest = slice_trim(rest);
    size_t n = 0;
    while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
        n++;
    return slice_i64(slice_mem(rest.p, n), ret);
}

bool clamd_parse_stats(struct slice reply, struct clamd_stats *ret)
{
    struct clamd_stats s;
    if (!number_after(reply, "THREADS: live", &s.threads) || !number_after(reply, "QUEUE:", &s.queue))
        return false;
    *ret = s;
    return true;
}

/* ---- the socket */

static int left_ms(uint64_t deadline)
{
    uint64_t now = clock_mono_ns();
    return now >= deadline ? 0 : (int)((deadline - now) / 1000000) + 1;
}

static bool wait_for(int fd, short what, uint64_t deadline)
{
    for (;;) {
        struct pollfd p = {fd, what, 0};
        int ms = left_ms(deadline);
        if (ms == 0)
            return false;
        int n = poll(&p, 1, ms);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

static int dial(struct clamd *c, uint64_t deadline)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(c->settings->socket);
    if (n == 0 || n >= sizeof(a.sun_path))
        return -1;
    memcpy(a.sun_path, c->settings->socket, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* A full backlog answers EAGAIN on UNIX sockets, there is nothing to poll for. */
    while (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        if (errno != EAGAIN || left_ms(deadline) == 0) {
            close(fd);
            return -1;
        }
        poll(NULL, 0, 10);
    }
    struct ucred peer;
    socklen_t size = sizeof(peer);
    c->known_uid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (c->known_uid) {
        c->pid = peer.pid;
        c->uid = peer.uid;
    }
    return fd;
}

static bool send_all(int fd, const char *p, size_t n, uint64_t deadline)
{
    while (n > 0) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w > 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool send_fd(int sock, int fd, uint64_t deadline)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int))];
    } control = {.b = {0}};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.b, .msg_controllen = sizeof(control.b)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    for (;;) {
        if (sendmsg(sock, &m, MSG_NOSIGNAL) == 1)
            return true;
        if (errno == EAGAIN && wait_for(sock, POLLOUT, deadline))
            continue;
        if (errno != EINTR)
            return false;
    }
}

/* Reads up to a NUL, or to the end when whole is set (replies outside a session end with the connection). */
static bool receive(int fd, bool whole, uint64_t deadline, char *out, size_t size, size_t *ret_n)
{
    size_t n = 0;
    while (n < size) {
        ssize_t r = recv(fd, out + n, size - n, 0);
        if (r > 0) {
            char *end = memchr(out + n, '\0', (size_t)r);
            n += (size_t)r;
            if (end) {
                *ret_n = (size_t)(end - out);
                return true;
            }
        } else if (r == 0) {
            *ret_n = n;
            return whole && n > 0;
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLIN, deadline))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return false;
}

static enum rc ask(struct clamd *c, struct slice command, int timeout_ms, char *out, size_t size, size_t *ret_n)
{
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
    int fd = dial(c, deadline);
    if (fd < 0)
        return RC_UNAVAILABLE;
    bool ok = send_all(fd, command.p, command.n, deadline) && receive(fd, true, deadline, out, size, ret_n);
    close(fd);
    return ok ? RC_OK : RC_UNAVAILABLE;
}

static void hang_up(struct clamd *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static bool session(struct clamd *c, uint64_t deadline, bool *ret_fresh)
{
    *ret_fresh = false;
    if (c->fd >= 0 && clock_mono_ns() - c->used_ns > REST_NS)
        hang_up(c);
    if (c->fd >= 0)
        return true;
    *ret_fresh = true;
    c->fd = dial(c, deadline);
    if (c->fd < 0)
        return false;
    if (send_all(c->fd, "zIDSESSION", sizeof("zIDSESSION"), deadline))
        return true;
    hang_up(c);
    return false;
}

static bool scan_once(struct clamd *c, int fd, uint64_t deadline, struct engine_result *ret)
{
    char reply[REPLY_SIZE];
    size_t n;
    if (!send_all(c->fd, "zFILDES", sizeof("zFILDES"), deadline) || !send_fd(c->fd, fd, deadline) ||
        !receive(c->fd, false, deadline, reply, sizeof(reply), &n))
        return false;
    clamd_parse_reply(slice_mem(reply, n), ret);
    c->used_ns = clock_mono_ns();
    /* A message about the conversation, not about the file: the daemon is about to hang up. */
    return ret->verdict != ENGINE_FAILED || !memmem(reply, n, "TIMED OUT", 9);
}

static enum rc clamd_scan_fd(struct engine *e, int fd, int timeout_ms, struct engine_result *ret)
{
    struct clamd *c = (struct clamd *)e;
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
    *ret = (struct engine_result){.verdict = ENGINE_FAILED, .error = "engine does not answer"};
    for (int attempt = 0; attempt < 2; attempt++) {
        bool fresh;
        if (!session(c, deadline, &fresh))
            return RC_UNAVAILABLE;
        if (scan_once(c, fd, deadline, ret))
            return RC_OK;
        hang_up(c); /* an answer that comes late must not be taken for the next file's */
        if (fresh || left_ms(deadline) == 0)
            break;
    }
    ret->verdict = ENGINE_FAILED;
    return RC_UNAVAILABLE;
}

/* ---- driver */

static struct engine *clamd_open(const struct engine_settings *s)
{
    struct clamd *c = must_alloc(sizeof(*c));
    c->base.driver = &engine_clamd;
    c->settings = s;
    c->fd = -1;
    return &c->base;
}

static void clamd_close(struct engine **e)
{
    if (!*e)
        return;
    hang_up((struct clamd *)*e);
    free(*e);
    *e = NULL;
}

enum rc clamd_ping(struct engine *e, int timeout_ms)
{
    char reply[64];
    size_t n;
    enum rc rc = ask((struct clamd *)e, slice_mem("zPING", 6), timeout_ms, reply, sizeof(reply), &n);
    if (rc != RC_OK)
        return rc;
    return slice_eq(slice_trim(slice_mem(reply, n)), SLICE("PONG")) ? RC_OK : RC_UNAVAILABLE;
}

enum rc clamd_stats(struct engine *e, int timeout_ms, struct clamd_stats *ret)
{
    char reply[REPLY_SIZE];
    size_t n;
    enum rc rc = ask((struct clamd *)e, slice_mem("zSTATS", 7), timeout_ms, reply, sizeof(reply), &n);
    if (rc != RC_OK)
        return rc;
    return clamd_parse_stats(slice_mem(reply, n), ret) ? RC_OK : RC_UNAVAILABLE;
}

static enum rc clamd_info(struct engine *e, int timeout_ms, struct engine_info *ret)
{
    struct clamd *c = (struct clamd *)e;
    struct engine_info info = {0};
    char reply[512];
    size_t n;
    enum rc rc = ask(c, slice_mem("zVERSION", 9), timeout_ms, reply, sizeof(reply), &n);
    if (rc != RC_OK)
        return rc;
    if (!clamd_parse_version(slice_mem(reply, n), &info))
        return RC_UNAVAILABLE;
    info.pid = c->known_uid ? c->pid : 0;
    info.uid = c->uid;
    info.known_uid = c->known_uid;
    *ret = info;
    return RC_OK;
}

static enum rc write_canary(const char *dir, const char *text)
{
    struct arena *a = arena_new(4096);
    struct strbuf line;
    strbuf_init_arena(&line, a, 1024);
    strbuf_add_str(&line, CLAMD_CANARY_NAME ":0:*:");
    strbuf_add_hex(&line, text, strlen(text));
    strbuf_add_char(&line, '\n');
    enum rc rc = file_write(arena_printf(a, "%s/%s", dir, CLAMD_CANARY_FILE), strbuf_slice(&line), 0644);
    arena_free(&a);
    return rc;
}

static void canary_text(char out[64])
{
    uint8_t r[16];
    random_bytes(r, sizeof(r));
    memcpy(out, "sekisho-canary-", 15);
    for (size_t i = 0; i < sizeof(r); i++)
        snprintf(out + 15 + 2 * i, 3, "%02x", r[i]);
}

static bool is_canary(const char *name)
{
    return strncmp(name, CLAMD_CANARY_NAME, sizeof(CLAMD_CANARY_NAME) - 1) == 0;
}

static int text_fd(const char *text)
{
    int fd = memfd_create("canary", MFD_CLOEXEC);
    size_t n = strlen(text);
    if (fd >= 0 && write(fd, text, n) != (ssize_t)n) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static enum rc clamd_reload(struct engine *e, int timeout_ms)
{
    struct clamd *c = (struct clamd *)e;
    uint64_t deadline = clock_mono_ns() + (uint64_t)timeout_ms * 1000000;
    char text[64], reply[64];
    size_t n;
    canary_text(text);
    enum rc rc = write_canary(c->settings->signatures_dir, text);
    if (rc == RC_OK)
        rc = ask(c, slice_mem("zRELOAD", 8), 5000, reply, sizeof(reply), &n);
    if (rc != RC_OK)
        return rc == RC_UNAVAILABLE ? rc : RC_DENIED;
    int fd = text_fd(text);
    if (fd < 0)
        return RC_INTERNAL;
    rc = RC_INVALID;
    while (rc == RC_INVALID && left_ms(deadline) > 0) {
        struct engine_result r;
        if (clamd_scan_fd(e, fd, 5000, &r) == RC_OK && r.verdict == ENGINE_FOUND && is_canary(r.name))
            rc = RC_OK;
        else
            poll(NULL, 0, 100);
    }
    close(fd);
    return rc;
}

static enum rc clamd_try(const char *dir, int timeout_ms, char *ret_why, size_t why_size)
{
    char text[64], said[2048], database[4200], canary[4200];
    int status;
    canary_text(text);
    snprintf(database, sizeof(database), "--database=%s", dir);
    snprintf(canary, sizeof(canary), "%s/canary.txt", dir);
    keep(ret_why, why_size, SLICE("the folder cannot be written"));
    if (write_canary(dir, text) != RC_OK || file_write(canary, slice_of(text), 0644) != RC_OK)
        return RC_INTERNAL;
    const char *argv[] = {clamscan, "--no-summary", "--stdout", database, canary, NULL};
    enum rc rc = run_program(argv, NULL, SLICE(""), timeout_ms, &status, said, sizeof(said));
    if (rc != RC_OK)
        return rc;
    if (status == 1 && strstr(said, CLAMD_CANARY_NAME))
        return RC_OK;
    struct slice words = slice_trim(slice_of(said)), line;
    keep(ret_why, why_size, SLICE("the signatures do not load"));
    while (words.n > 0) {
        line = slice_cut(&words, '\n');
        if (slice_starts(line, SLICE("LibClamAV Error")) || slice_starts(line, SLICE("ERROR"))) {
            keep(ret_why, why_size, slice_trim(line));
            break;
        }
    }
    return RC_INVALID;
}

const struct engine_driver engine_clamd = {
    .name = "clamav",
    .open = clamd_open,
    .close = clamd_close,
    .scan_fd = clamd_scan_fd,
    .info = clamd_info,
    .reload = clamd_reload,
    .try_signatures = clamd_try,
};
