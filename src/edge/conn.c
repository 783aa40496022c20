/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - one record per connection: who it is, what it has open, how it behaves. The library has no limit on resets,
 * no time-out for slow bodies and none for readers that take nothing, so a sweep looks at each connection every few
 * seconds. The remedy is always shutdown(2): the library sees the end of the connection and cleans up by itself. */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge_private.h"
#include <limits.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#define RESETS_BEFORE_JUDGING 100
#define SWEEP_TICKS           16          /* a whole round takes that many ticks */
#define SLOWEST_READER        (16 * 1024) /* bytes a second */
#define TRIM_AFTER            500
#define SHORTEST_STREAM_NS    UINT64_C(500000000)

static enum counter gauge(enum listener listener)
{
    return listener == LISTENER_AGENT ? C_connections_agent : C_connections_console;
}

static void trim(void *arg)
{
    (void)arg;
    malloc_trim(0);
}

static void on_close(void *data)
{
    struct conn *c = data;
    struct edge_loop *el = c->el;

    must(c->cells == NULL);
    if (c->gone)
        *c->gone = true;
    h2o_timeout_unlink(&c->handshake_timer);
    loop_timer_cancel(&c->goodbye_timer);
    request_conn_closed(c);
    if (c->listener != LISTENER_OPS) {
        atomic_fetch_sub(&el->edge->n_conns, 1);
        count_add(gauge(c->listener), -1);
        observe(C_connection_bytes, (int64_t)c->carried);
        if (!c->handshaken)
            count(C_handshakes_failed);
    }
    if (el->sweep_at == c)
        el->sweep_at = c->next;
    if (c->prev)
        c->prev->next = c->next;
    else
        el->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    el->n_conns--;
    OPENSSL_free(c->peer.leaf_der);
    SSL_CTX_free(c->held);
    c->magic = 0;
    free(c);
}

void conn_hold(struct conn *c, SSL_CTX *ctx)
{
    c->held = ctx;
    if (ctx)
        SSL_CTX_up_ref(ctx);
}

struct conn *conn_new(struct edge_loop *el, enum listener listener, h2o_socket_t *sock)
{
    struct conn *c = must_alloc(sizeof(*c));
    struct sockaddr_storage peer;

    c->magic = CONN_MAGIC;
    c->listener = listener;
    c->el = el;
    c->sock = sock;
    c->handshaken = listener == LISTENER_OPS;
    c->opened_ns = clock_mono_ns();
    c->receiving = UINT_MAX;
    c->peer.connection_id = atomic_fetch_add(&el->edge->next_connection, 1) + 1;
    if (h2o_socket_getpeername(sock, (struct sockaddr *)&peer) != 0 &&
        address_of_sockaddr((const struct sockaddr *)&peer, &c->from))
        address_text(&c->from, c->peer.address);
    c->next = el->conns;
    if (c->next)
        c->next->prev = c;
    el->conns = c;
    el->n_conns++;
    if (el->n_conns > el->peak_conns)
        el->peak_conns = el->n_conns;
    if (listener != LISTENER_OPS) {
        atomic_fetch_add(&el->edge->n_conns, 1);
        count_add(gauge(listener), 1);
    }
    sock->on_close.cb = on_close;
    sock->on_close.data = c;
    return c;
}

struct conn *conn_of(h2o_req_t *req)
{
    struct conn *c = req->conn->callbacks->get_socket(req->conn)->on_close.data;

    must(c && c->magic == CONN_MAGIC);
    return c;
}

/* The library gets no more bytes of it: what is still in the kernel's buffer could be the rest of an attack. */
static void close_both_ways(struct conn *c)
{
    c->cut = true;
    if (c->ssl)
        SSL_set_shutdown(c->ssl, SSL_get_shutdown(c->ssl) | SSL_RECEIVED_SHUTDOWN);
    shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
}

void conn_cut(struct conn *c, const char *why)
{
    if (c->cut)
        return;
    count(C_connections_cut);
    ev_info(AREA_EDGE, "connection cut", EV_STR("why", why), EV_STR("address", c->peer.address),
            EV_INT("connection", c->peer.connection_id), EV_INT("requests", c->started), EV_INT("aborted", c->aborted));
    close_both_ways(c);
}

/* ---- the client's goodbye */

static void end_when_idle(void *arg)
{
    struct conn *c = arg;

    c->goodbye_timer = NULL;
    if (!c->cells && !c->cut)
        close_both_ways(c);
}

/* After TLS's close_notify the library would collect in memory whatever comes, and never look at it. What was asked
 * before is still answered: the requests may be in the same bytes, so they are waited for. */
void conn_goodbye(struct conn *c)
{
    c->said_goodbye = true;
    if (!c->goodbye_timer)
        c->goodbye_timer = loop_timer_start(c->el->loop, 0, end_when_idle, c);
}

/* ---- cells */

/* The library's request is ending. The answer counts as received when all its bytes went into the connection. */
static void on_gone(void *data)
{
    struct cell *cell = data;
    struct conn *c = cell->conn;
    bool aborted = !cell->answered_ns || cell->req->bytes_sent < cell->answer_bytes;

    c->carried = c->sock->bytes_read + c->sock->bytes_written;
    if (cell->stream) /* a stream ends when its reader leaves, but is not opened for a moment */
        aborted = clock_mono_ns() - cell->answered_ns < SHORTEST_STREAM_NS;
    if (cell->prev)
        cell->prev->next = cell->next;
    else
        c->cells = cell->next;
    if (cell->next)
        cell->next->prev = cell->prev;
    reply_gone(cell);
    if (c->said_goodbye && !c->cells && !c->goodbye_timer)
        c->goodbye_timer = loop_timer_start(c->el->loop, 0, end_when_idle, c);
    if (!aborted)
        return;
    c->aborted++;
    if (c->aborted > RESETS_BEFORE_JUDGING && c->aborted > c->started / 2)
        conn_cut(c, "resets most of its requests");
}

struct cell *cell_new(struct conn *c, h2o_req_t *req)
{
    struct cell *cell = h2o_mem_alloc_shared(&req->pool, sizeof(*cell), on_gone);

    *cell = (struct cell){.conn = c, .req = req, .next = c->cells};
    if (cell->next)
        cell->next->prev = cell;
    c->cells = cell;
    return cell;
}

/* ---- sweep */

static bool reader_stuck(const struct cell *cell, uint64_t now, uint64_t patience_ns)
{
    uint64_t allowed;

    if (cell->stream)
        return stream_stuck(cell->stream, now, patience_ns);
    if (!cell->answered_ns)
        return false;
    allowed = patience_ns + (uint64_t)cell->answer_bytes * 1000000000 / SLOWEST_READER;
    return now > cell->answered_ns + allowed;
}

static void inspect(struct conn *c, uint64_t now, uint64_t patience_ns)
{
    bool stuck = false;

    if (c->cut)
        return;
    filter_keep(c);
    for (const struct cell *cell = c->cells; cell && !stuck; cell = cell->next)
        stuck = reader_stuck(cell, now, patience_ns);
    /* Bytes that the kernel does not take, or a connection that lingers with nothing open. */
    if (c->handshaken && (h2o_socket_is_writing(c->sock) || (!h2o_socket_is_reading(c->sock) && !c->cells))) {
        if (c->sock->bytes_written != c->seen_written || !c->stuck_since_ns) {
            c->seen_written = c->sock->bytes_written;
            c->stuck_since_ns = now;
        } else if (now > c->stuck_since_ns + patience_ns) {
            stuck = true;
        }
    } else {
        c->stuck_since_ns = 0;
    }
    if (stuck)
        conn_cut(c, "reads nothing");
    else if (c->started == 0 && now > c->opened_ns + (uint64_t)c->el->edge->config.patience.receive * 1000000)
        conn_cut(c, "asks for nothing");
    else if (c->el->drain_end_ns && !c->http2 && c->handshaken && !c->cells)
        conn_cut(c, "idle while draining");
}

struct slow {
    int64_t now_ms;
    int patience;
    struct conn *found[64]; /* more wait for the next round */
    size_t n;
};

static int find_slow(h2o_req_t *req, void *arg)
{
    struct slow *s = arg;
    const struct timeval *at = &req->timestamps.request_begin_at;
    struct conn *c;

    /* Begun, and not handed to us yet: its headers or its body are still coming. */
    if (req->pathconf != NULL || at->tv_sec == 0)
        return 0;
    c = conn_of(req);
    c->receiving = c->el->ticks;
    if (s->now_ms - ((int64_t)at->tv_sec * 1000 + at->tv_usec / 1000) < s->patience)
        return 0;
    if (s->n < sizeof(s->found) / sizeof(s->found[0]) && !c->cut)
        s->found[s->n++] = c;
    return 0;
}

static void cut_slow_senders(struct edge_loop *el)
{
    struct slow s = {.patience = el->edge->config.patience.receive};
    struct timeval now;

    gettimeofday(&now, NULL);
    s.now_ms = (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
    for (int i = 0; i < SITES; i++)
        el->edge->global[i].http2.callbacks.foreach_request(&el->sites[i].context, find_slow, &s);
    for (size_t i = 0; i < s.n; i++)
        conn_cut(s.found[i], "sends a request too slowly");
}

static void forget_received(struct edge_loop *el)
{
    for (struct conn *c = el->conns; c; c = c->next)
        if (c->receiving != el->ticks)
            c->received = 0; /* what came was no part of a body that is still in memory */
}

void conn_sweep(struct edge_loop *el)
{
    uint64_t now = clock_mono_ns(), patience_ns = (uint64_t)el->edge->config.patience.stall * 1000000;
    unsigned n = el->n_conns / SWEEP_TICKS + 1;

    for (; n && el->n_conns; n--) {
        struct conn *c = el->sweep_at ? el->sweep_at : el->conns;

        el->sweep_at = c->next;
        inspect(c, now, patience_ns);
    }
    if (el->ticks % SWEEP_TICKS == 0) {
        cut_slow_senders(el);
        forget_received(el);
        if (el->peak_conns > el->n_conns + TRIM_AFTER && el->n_conns < el->peak_conns / 2) {
            helper_run(el->edge->helper, trim, NULL); /* else the library's heap keeps what thousands of clients used */
            el->peak_conns = el->n_conns;
        }
    }
}
