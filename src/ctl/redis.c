/* SPDX-License-Identifier: Apache-2.0 */
/* redis.c - a PING by hand: the command needs no more of Redis than to know whether it answers, and waits two seconds.
 */
#include "ctl/ctl.h"
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int open_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_tcp(const char *where)
{
    char host[256];
    const char *colon = strrchr(where, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    struct timeval limit = {2, 0};
    int fd = -1;

    if (!colon || colon == where || (size_t)(colon - where) >= sizeof(host))
        return -1;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
    if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* bounds connect too */
        if (connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

const char *ctl_redis_ping(const struct params *p)
{
    static char why[300];
    struct timeval limit = {2, 0};
    char ask[600], answer[256];
    size_t got = 0;
    bool password = p->redis_password[0] != 0;
    int fd = p->redis[0] == '/' ? open_unix(p->redis) : open_tcp(p->redis);
    int n;

    if (fd < 0) {
        snprintf(why, sizeof(why), "%s does not answer", p->redis);
        return why;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (password)
        n = snprintf(ask, sizeof(ask), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n*1\r\n$4\r\nPING\r\n",
                     strlen(p->redis_password), p->redis_password);
    else
        n = snprintf(ask, sizeof(ask), "*1\r\n$4\r\nPING\r\n");
    if (n > 0 && (size_t)n < sizeof(ask) && send(fd, ask, (size_t)n, MSG_NOSIGNAL) == n) {
        ssize_t m;

        while (got < sizeof(answer) - 1 && (m = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0) {
            got += (size_t)m;
            answer[got] = 0;
            if (strstr(answer, "+PONG\r\n")) {
                close(fd);
                return NULL;
            }
            if (answer[0] == '-')
                break;
        }
    }
    close(fd);
    answer[got] = 0;
    snprintf(why, sizeof(why), "%s answers: %.*s", p->redis, (int)strcspn(answer, "\r\n"), got ? answer : "nothing");
    return why;
}
