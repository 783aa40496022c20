/* SPDX-License-Identifier: Apache-2.0 */
/* listener.c - the ports: each loop thread has a socket of its own on each (SO_REUSEPORT), so the kernel spreads
 * clients. That option lets a second process of ours share a port in silence, so the port is tried without it first. */
#include "edge/listener.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/proxy.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>

#define ACCEPT_AT_ONCE 16 /* each may cost a handshake before the others get their turn */
#define BACKLOG        4096
#define PAUSE_MS       100

static enum rc resolve(const char *address, struct addrinfo **ret, char *why, size_t why_size)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    char host[256];
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;
    int r;

    if (!colon || n >= sizeof(host)) {
        snprintf(why, why_size, "\"%s\" is not address:port", address);
        return RC_INVALID;
    }
    memcpy(host, address, n);
    host[n] = 0;
    if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = 0;
    }
    r = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, ret);
    if (r != 0) {
        snprintf(why, why_size, "\"%s\" is not address:port: %s", address, gai_strerror(r));
        return RC_INVALID;
    }
    return RC_OK;
}

static int open_socket(const struct addrinfo *a, bool share)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    on = errno;
    close(fd);
    errno = on;
    return -1;
}

static enum rc failed(const char *address, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot listen on %s: %s", address,
             errno == EADDRINUSE ? "the port is in use" : strerror(errno));
    return errno == EADDRINUSE ? RC_CONFLICT : RC_UNAVAILABLE;
}

enum rc listener_open(const char *address, int n, int *ret_fds, char *why, size_t why_size)
{
    struct addrinfo *a;
    enum rc rc = resolve(address, &a, why, why_size);
    int i = 0, probe;

    if (rc != RC_OK)
        return rc;
    probe = open_socket(a, false);
    if (probe < 0)
        rc = failed(address, why, why_size);
    else
        close(probe);
    for (; rc == RC_OK && i < n; i++) {
        ret_fds[i] = open_socket(a, true);
        if (ret_fds[i] < 0 || listen(ret_fds[i], BACKLOG) != 0) {
            rc = failed(address, why, why_size);
            if (ret_fds[i] >= 0)
                close(ret_fds[i]);
            break;
        }
    }
    while (rc != RC_OK && i-- > 0)
        close(ret_fds[i]);
    freeaddrinfo(a);
    return rc;
}

static void enter(struct conn *c)
{
    struct site *s = &c->el->sites[c->listener];

    conn_hold(c, s->accept.ssl_ctx);
    filter_accept(c, s);
}

/* What a load balancer says before the client's own first byte. Bytes behind it stay in the socket's buffer, which the
 * library takes over. */
static void on_proxy_header(h2o_socket_t *sock, const char *err)
{
    struct conn *c = sock->on_close.data;
    struct address from;
    size_t n;

    if (err) {
        h2o_socket_close(sock);
        return;
    }
    switch (proxy_header_parse((const uint8_t *)sock->input->bytes, sock->input->size, &from, &n)) {
    case PROXY_MORE:
        return;
    case PROXY_KNOWN:
        c->from = from;
        address_text(&c->from, c->peer.address);
        break;
    case PROXY_LOCAL:
        break;
    case PROXY_BAD:
        count(C_connections_cut);
        ev_info(AREA_EDGE, "no PROXY header from a load balancer", EV_STR("address", c->peer.address));
        h2o_socket_close(sock);
        return;
    }
    h2o_buffer_consume(&sock->input, n);
    h2o_socket_read_stop(sock);
    enter(c);
}

static void on_accept(h2o_socket_t *socket, const char *err);

static void resume(void *arg)
{
    struct site *s = arg;

    s->paused = false;
    if (s->socket)
        h2o_socket_read_start(s->socket, on_accept);
}

/* Out of descriptors: the backlog would wake us without end. */
static void pause_accepting(struct site *s)
{
    ev_warn(AREA_EDGE, "cannot accept connections", EV_INT("errno", errno));
    if (s->paused)
        return;
    s->paused = true;
    h2o_socket_read_stop(s->socket);
    loop_timer_start(s->el->loop, PAUSE_MS, resume, s);
}

static void on_accept(h2o_socket_t *socket, const char *err)
{
    struct site *s = socket->data;
    struct edge *e = s->el->edge;

    if (err)
        return;
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(socket);
        struct conn *c;

        if (!sock) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(s);
            return;
        }
        if (atomic_load(&e->n_conns) >= e->max_conns && s->listener != LISTENER_OPS) {
            h2o_socket_close(sock);
            continue;
        }
        c = conn_new(s->el, s->listener, sock);
        if (s->listener != LISTENER_OPS && network_list_has(e->balancers, e->n_balancers, &c->from))
            h2o_socket_read_start(sock, on_proxy_header);
        else
            enter(c);
    }
}

void listener_start(struct site *s, int fd)
{
    s->socket = h2o_evloop_socket_create(loop_library(s->el->loop), fd, H2O_SOCKET_FLAG_DONT_READ);
    s->socket->data = s;
    h2o_socket_read_start(s->socket, on_accept);
}

void listener_close(struct site *s)
{
    if (!s->socket)
        return;
    h2o_socket_read_stop(s->socket);
    h2o_socket_close(s->socket);
    s->socket = NULL;
}
