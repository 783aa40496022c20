/* SPDX-License-Identifier: Apache-2.0 */
/* packet.c - see packet.h. Numbers are in the machine's order: both ends are the same program. */
#define _GNU_SOURCE
#include "agent/packet.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void put(struct packet *p, const void *b, size_t n)
{
    if (p->bad || n > sizeof(p->b) - p->n) {
        p->bad = true;
        return;
    }
    memcpy(p->b + p->n, b, n);
    p->n += n;
}

static bool get(struct packet *p, void *b, size_t n)
{
    if (p->bad || n > p->n - p->at) {
        p->bad = true;
        memset(b, 0, n);
        return false;
    }
    memcpy(b, p->b + p->at, n);
    p->at += n;
    return true;
}

void packet_start(struct packet *p, enum verb verb)
{
    p->n = p->at = p->n_fds = 0;
    p->bad = false;
    packet_put_u8(p, (uint8_t)verb);
}

void packet_put_u8(struct packet *p, uint8_t v)
{
    put(p, &v, 1);
}

void packet_put_i64(struct packet *p, int64_t v)
{
    put(p, &v, sizeof(v));
}

void packet_put_uuid(struct packet *p, struct uuid u)
{
    put(p, u.b, sizeof(u.b));
}

void packet_put_str(struct packet *p, struct slice s)
{
    uint32_t n = (uint32_t)s.n;
    if (s.n > PACKET_SIZE) {
        p->bad = true;
        return;
    }
    put(p, &n, sizeof(n));
    put(p, s.p, s.n);
}

void packet_put_cstr(struct packet *p, const char *s)
{
    packet_put_str(p, slice_of(s ? s : ""));
}

enum verb packet_verb(struct packet *p)
{
    return (enum verb)packet_u8(p);
}

uint8_t packet_u8(struct packet *p)
{
    uint8_t v;
    get(p, &v, 1);
    return v;
}

int64_t packet_i64(struct packet *p)
{
    int64_t v;
    get(p, &v, sizeof(v));
    return v;
}

struct uuid packet_uuid(struct packet *p)
{
    struct uuid u;
    get(p, u.b, sizeof(u.b));
    return u;
}

struct slice packet_str(struct packet *p)
{
    uint32_t n;
    if (!get(p, &n, sizeof(n)) || n > p->n - p->at) {
        p->bad = true;
        return SLICE("");
    }
    struct slice s = slice_mem(p->b + p->at, n);
    p->at += n;
    return s;
}

void packet_cstr(struct packet *p, char *out, size_t size)
{
    struct slice s = packet_str(p);
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(out, s.p, n);
    out[n] = '\0';
}

bool packet_done(const struct packet *p)
{
    return !p->bad && p->at == p->n;
}

int packet_take_fd(struct packet *p, size_t i)
{
    if (i >= p->n_fds)
        return -1;
    int fd = p->fds[i];
    p->fds[i] = -1;
    return fd;
}

void packet_close_fds(struct packet *p)
{
    for (size_t i = 0; i < p->n_fds; i++) {
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    }
    p->n_fds = 0;
}

enum rc packet_send(int sock, const struct packet *p)
{
    return packet_send_fds(sock, p, NULL, 0);
}

enum rc packet_send_fds(int sock, const struct packet *p, const int *fds, size_t n_fds)
{
    if (p->bad || n_fds > PACKET_FDS)
        return RC_INVALID;
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int) * PACKET_FDS)];
    } control;
    uint8_t *bytes = (uint8_t *)(uintptr_t)p->b; /* sendmsg does not write to it, its type does not say so */
    struct iovec part = {bytes, p->n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds > 0) {
        m.msg_control = control.b;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        memset(control.b, 0, m.msg_controllen);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    for (;;) {
        if (sendmsg(sock, &m, MSG_NOSIGNAL) >= 0)
            return RC_OK;
        if (errno == EINTR)
            continue;
        return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? RC_OVER_QUOTA : RC_UNAVAILABLE;
    }
}

static void take_fds(struct packet *p, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && p->n_fds < PACKET_FDS; i++)
            memcpy(&p->fds[p->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

enum rc packet_receive(int sock, struct packet *p, bool wait)
{
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int) * PACKET_FDS)];
    } control;
    struct iovec part = {p->b, sizeof(p->b)};
    p->n = p->at = p->n_fds = 0;
    p->bad = false;
    for (;;) {
        struct msghdr m = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.b, .msg_controllen = sizeof(control.b)};
        ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? RC_NOT_FOUND : RC_UNAVAILABLE;
        take_fds(p, &m);
        if (n == 0 && p->n_fds == 0)
            return RC_UNAVAILABLE;
        p->n = (size_t)n;
        p->bad = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
        return RC_OK;
    }
}
