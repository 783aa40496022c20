/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - answers without end. One chunk at a time is with the library; what is written meanwhile waits, at most 64
 * KiB in all. Three hold a stream: its owner until on_close has run, the library's request, and each message on its way
 * from another thread; the last one frees it. An idle stream has no buffers. */
#include "common/counters.h"
#include "common/must.h"
#include "edge/edge_private.h"

struct stream {
    struct loop *home;
    struct edge_loop *el;
    struct stream *next, *prev; /* of el->streams, until ended */
    h2o_generator_t generator;
    h2o_req_t *req; /* NULL: gone */
    struct strbuf sending, pending;
    uint64_t busy_since_ns;
    bool busy;   /* sending is with the library */
    bool ended;  /* on_close has run */
    bool failed; /* too slow: reset instead of ended */
    bool final;  /* the last piece is with the library */
    atomic_bool overflown;
    atomic_size_t waiting; /* bytes accepted and not yet sent */
    atomic_int holders;
    void (*on_close)(void *);
    void *arg;
};

struct written {
    struct loop_message message;
    struct stream *stream;
    size_t n;
    char bytes[];
};

static void drop(struct stream *s)
{
    if (atomic_fetch_sub(&s->holders, 1) != 1)
        return;
    strbuf_done(&s->sending);
    strbuf_done(&s->pending);
    free(s);
}

/* For the owner it is over; the library may still have bytes to send. */
static void end(struct stream *s)
{
    if (s->ended)
        return;
    s->ended = true;
    if (s->prev)
        s->prev->next = s->next;
    else
        s->el->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->el->n_streams--;
    s->on_close(s->arg);
    drop(s);
}

static void hand_over(struct stream *s, struct slice bytes, h2o_send_state_t state)
{
    h2o_iovec_t v = h2o_iovec_init(bytes.p, bytes.n);
    struct conn *c = conn_of(s->req);

    s->busy = true;
    s->busy_since_ns = clock_mono_ns();
    s->final = state != H2O_SEND_STATE_IN_PROGRESS;
    h2o_send(s->req, &v, bytes.n ? 1 : 0, state);
    filter_keep(c);
}

static void push(struct stream *s)
{
    if (s->busy || s->final || !s->req)
        return;
    if (s->failed) {
        hand_over(s, SLICE_NONE, H2O_SEND_STATE_ERROR);
    } else if (s->pending.n) {
        struct strbuf swap = s->sending;

        s->sending = s->pending;
        s->pending = swap;
        hand_over(s, strbuf_slice(&s->sending), H2O_SEND_STATE_IN_PROGRESS);
    } else if (s->ended) {
        hand_over(s, SLICE_NONE, H2O_SEND_STATE_FINAL);
    }
}

static void proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    struct stream *s = H2O_STRUCT_FROM_MEMBER(struct stream, generator, generator);

    (void)req;
    s->busy = false;
    atomic_fetch_sub(&s->waiting, s->sending.n);
    strbuf_done(&s->sending);
    strbuf_init(&s->sending, STREAM_CEILING);
    push(s);
}

struct stream *stream_open(struct call *c, const char *content_type, void (*on_close)(void *), void *arg)
{
    struct request *r = c->edge;
    struct cell *cell = r->cell;
    struct stream *s;
    h2o_req_t *req;

    must(loop_current() == c->home);
    if (!cell || cell->answered_ns)
        return NULL;
    s = must_alloc(sizeof(*s));
    s->home = c->home;
    s->el = r->el;
    s->req = req = cell->req;
    s->generator.proceed = proceed;
    s->on_close = on_close;
    s->arg = arg;
    atomic_init(&s->holders, 2);
    strbuf_init(&s->sending, STREAM_CEILING);
    strbuf_init(&s->pending, STREAM_CEILING);
    s->next = s->el->streams;
    if (s->next)
        s->next->prev = s;
    s->el->streams = s;
    s->el->n_streams++;
    cell->stream = s;
    cell->answered_ns = clock_mono_ns();
    c->answer.status = 200;
    req->res.status = 200;
    req->res.reason = reply_reason(200);
    headers_add(req, "content-type", slice_of(content_type));
    headers_add(req, "cache-control", SLICE("no-store"));
    for (size_t i = 0; i < c->answer.n_headers; i++) {
        h2o_iovec_t value = h2o_strdup(&req->pool, c->answer.headers[i].value.p, c->answer.headers[i].value.n);

        headers_add(req, c->answer.headers[i].name, (struct slice){value.base, value.len});
    }
    headers_common(req, c->listener);
    h2o_start_response(req, &s->generator);
    /* A comment gets the header out over HTTP/1.1 too, where the library sends it with the first bytes. */
    if (strcmp(content_type, "text/event-stream") == 0) {
        strbuf_add_str(&s->sending, ":\n\n");
        atomic_fetch_add(&s->waiting, s->sending.n);
    }
    hand_over(s, strbuf_slice(&s->sending), H2O_SEND_STATE_IN_PROGRESS);
    return s;
}

static void fail(struct stream *s)
{
    if (s->ended)
        return;
    s->failed = true;
    count(C_connections_cut);
    end(s);
    push(s);
}

static void take_bytes(struct stream *s, struct slice bytes)
{
    if (s->ended)
        return;
    strbuf_add(&s->pending, bytes);
    if (s->pending.over)
        fail(s);
    else
        push(s);
}

static void take_written(struct loop_message *m)
{
    struct written *w = H2O_STRUCT_FROM_MEMBER(struct written, message, m);

    take_bytes(w->stream, (struct slice){w->bytes, w->n});
    drop(w->stream);
    free(w);
}

static void take_overflow(struct loop_message *m)
{
    struct written *w = H2O_STRUCT_FROM_MEMBER(struct written, message, m);

    fail(w->stream);
    drop(w->stream);
    free(w);
}

static void take_close(struct loop_message *m)
{
    struct written *w = H2O_STRUCT_FROM_MEMBER(struct written, message, m);

    end(w->stream);
    push(w->stream);
    drop(w->stream);
    free(w);
}

static void send_home(struct stream *s, struct slice bytes, void (*fn)(struct loop_message *))
{
    struct written *w = must_alloc(sizeof(*w) + bytes.n);

    w->stream = s;
    w->n = bytes.n;
    memcpy(w->bytes, bytes.p ? bytes.p : "", bytes.n);
    atomic_fetch_add(&s->holders, 1);
    loop_send(s->home, &w->message, fn);
}

void stream_write(struct stream *s, struct slice bytes)
{
    bool home = loop_current() == s->home;

    if (!bytes.n || atomic_load(&s->overflown))
        return;
    if (atomic_fetch_add(&s->waiting, bytes.n) + bytes.n > STREAM_CEILING) {
        /* Never at once: the caller may hold a lock that on_close wants. */
        if (!atomic_exchange(&s->overflown, true))
            send_home(s, SLICE_NONE, take_overflow);
    } else if (home) {
        take_bytes(s, bytes);
    } else {
        send_home(s, bytes, take_written);
    }
}

void stream_close(struct stream *s)
{
    send_home(s, SLICE_NONE, take_close);
}

void stream_gone(struct stream *s)
{
    s->req = NULL;
    end(s);
    drop(s);
}

bool stream_stuck(const struct stream *s, uint64_t now, uint64_t patience_ns)
{
    return s->busy && now > s->busy_since_ns + patience_ns;
}

void stream_drain(struct edge_loop *el, uint64_t now)
{
    uint64_t ticks_left = el->drain_end_ns > now ? (el->drain_end_ns - now) / EDGE_TICK_NS + 1 : 1;
    uint64_t n = (el->n_streams + ticks_left - 1) / ticks_left;

    for (; n && el->streams; n--) {
        struct stream *s = el->streams;

        end(s);
        push(s);
    }
}
