/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c - a GET by hand at a server's ops port: plain HTTP/1.1, one answer, the connection's end is its end. Each step
 * waits five seconds at most. */
#include "ctl/ctl.h"
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)32 * 1024 * 1024)

static int dial(const char *where)
{
    const char *colon = strrchr(where, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    struct timeval limit = {5, 0};
    char host[256];
    size_t n = colon ? (size_t)(colon - where) : 0;
    int fd = -1;

    if (!colon || n == 0 || n >= sizeof(host))
        return -1;
    snprintf(host, sizeof(host), "%.*s", (int)n, where);
    if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = 0;
    }
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* bounds connect too */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static bool receive(int fd, struct strbuf *b)
{
    for (;;) {
        char *room = strbuf_reserve(b, 65536);
        ssize_t n = room ? recv(fd, room, 65536, 0) : -1;

        if (n <= 0)
            return n == 0;
        strbuf_commit(b, (size_t)n);
    }
}

bool ctl_ops_get(struct arena *a, const char *where, const char *path, struct slice *ret_body)
{
    const char *ask = arena_printf(a, "GET %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n", path, where);
    int fd = dial(where);
    struct strbuf b;
    const char *end;
    bool fine;

    if (fd < 0)
        return false;
    strbuf_init_arena(&b, a, ANSWER_MAX);
    fine = send(fd, ask, strlen(ask), MSG_NOSIGNAL) == (ssize_t)strlen(ask) && receive(fd, &b);
    close(fd);
    if (!fine || !slice_starts(strbuf_slice(&b), SLICE("HTTP/1.1 200 ")))
        return false;
    end = strstr(b.p, "\r\n\r\n");
    if (!end)
        return false;
    *ret_body = slice_mem(end + 4, b.n - (size_t)(end + 4 - b.p));
    return true;
}
