/* SPDX-License-Identifier: Apache-2.0 */
/* edge_private.h - the structs shared by the files of edge/. All but struct edge belong to one loop thread.
 *
 * A request has two lives: the library's (h2o_req_t, ends when the answer is out or the client has gone) and ours
 * (struct request around struct call, ends when the pipeline has finished it). A struct cell in the library's pool
 * joins them: its destructor tells that the first has ended. Whichever ends last frees the call. */
#ifndef SEKISHO_EDGE_PRIVATE_H
#define SEKISHO_EDGE_PRIVATE_H

#include "common/network.h"
#include "edge/edge.h"
#include "edge/frames.h"
#include "edge/loop_private.h"
#include <h2o.h>

#define CONN_MAGIC         0x736b636eU

#define HEADER_FIELD_LIMIT ((size_t)8 * 1024)  /* one field, or the path */
#define HEADER_TOTAL_LIMIT ((size_t)32 * 1024) /* all fields */
#define BODY_SLACK         ((size_t)64 * 1024) /* beyond a route's limit a body is still read, to be answered with 413 */
#define STREAM_CEILING     ((size_t)64 * 1024)
#define FILE_CHUNK         ((size_t)64 * 1024)
#define BALANCERS_MAX      32 /* networks */
#define EDGE_TICK_MS       250
#define EDGE_TICK_NS       (EDGE_TICK_MS * UINT64_C(1000000))

struct edge_loop;
struct cell;

/* A client's connection; sock->on_close.data. */
struct conn {
    uint32_t magic;
    enum listener listener;
    struct peer peer;
    struct address from; /* as in peer.address */
    struct edge_loop *el;
    h2o_socket_t *sock;
    SSL *ssl;      /* the socket's; NULL before the handshake and on the ops port */
    SSL_CTX *held; /* the library takes no reference until the first bytes come; a reload must not free it before */
    struct conn *next, *prev;
    struct cell *cells;       /* what the library still has */
    struct request *requests; /* what the pipeline still has, also for clients that have gone */
    unsigned inflight;        /* length of requests */
    unsigned started, aborted;
    bool handshaken, http2, cut;
    bool prefaced, said_goodbye; /* HTTP/2's first bytes have come; TLS close_notify has come */
    bool *gone;                  /* set when it ends inside a call into the library */
    struct frames frames;
    h2o_socket_cb library_read; /* HTTP/2: what the library wants called with new bytes; filter.c comes first */
    h2o_timeout_entry_t handshake_timer;
    struct loop_timer *goodbye_timer;
    unsigned receiving; /* the round of the sweep that last saw a request on its way in */
    size_t received;    /* bytes since the last whole request, roughly: what a body may hold in memory */
    size_t seen_written;
    size_t carried; /* bytes both ways, when the last request ended */
    uint64_t opened_ns, stuck_since_ns;
};

/* Lives in the library's pool of one request. */
struct cell {
    struct conn *conn;
    struct cell *next, *prev; /* of conn->cells */
    h2o_req_t *req;
    struct request *request; /* NULL: freed, or never made */
    struct stream *stream;
    uint64_t answered_ns; /* the answer was handed to the library; 0: not yet */
    size_t answer_bytes;
};

struct request {
    struct loop_message message; /* for the way home */
    struct call call;
    struct conn *conn; /* NULL: closed */
    struct cell *cell; /* NULL: the client has gone */
    struct request *conn_next, *conn_prev;
    struct request *next, *prev; /* of the loop's list in order of arrival, until finished */
    struct edge_loop *el;
    bool finished;
    bool head;
    /* answer_file */
    int fd; /* -1: none */
    uint64_t file_at, file_size;
    char *chunk;
    bool reading; /* the helper thread has fd and chunk */
    h2o_generator_t generator;
};

enum { SITE_CONSOLE = LISTENER_CONSOLE, SITE_AGENT = LISTENER_AGENT, SITE_OPS = LISTENER_OPS, SITES };

struct site { /* one listener of one loop */
    struct edge_loop *el;
    enum listener listener;
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    h2o_socket_t *socket; /* NULL: closed */
    bool paused;
};

#define METER_REQUESTS 1024

struct meter { /* CPU time of a loop among its requests */
    int64_t cpu_seen;
    int n;
    int tenants[METER_REQUESTS]; /* of the requests since then; 0: of nobody's */
};

struct edge_loop {
    struct edge *edge;
    struct loop *loop;
    struct site sites[SITES];
    struct conn *conns, *sweep_at;
    unsigned n_conns, peak_conns;
    struct request *oldest, *newest; /* unfinished requests */
    struct stream *streams;
    unsigned n_streams;
    unsigned ticks;
    struct meter meter;
    struct loop_timer *tick;
    uint64_t drain_end_ns; /* streams have ended by then; 0: not draining */
};

struct edge {
    struct edge_config config;
    struct edge_loop *loops;
    int n_loops;
    h2o_globalconf_t global[SITES];
    struct tls *tls;
    struct files *files;
    struct helper *helper;
    struct network balancers[BALANCERS_MAX]; /* send a PROXY header first */
    size_t n_balancers;
    size_t body_hard_limit[SITES];
    atomic_uint n_conns; /* of clients: not the ops port */
    unsigned max_conns;
    atomic_uint_fast64_t next_connection;
    atomic_bool draining;
};

/* conn.c */
struct conn *conn_new(struct edge_loop *el, enum listener listener, h2o_socket_t *sock);
void conn_hold(struct conn *c, SSL_CTX *ctx); /* NULL: none */
struct conn *conn_of(h2o_req_t *req);
struct conn *conn_of_ssl(const SSL *ssl);
void conn_cut(struct conn *c,
              const char *why);    /* ends it as if the client had; safe in any of the library's callbacks */
void conn_goodbye(struct conn *c); /* the client will send nothing more */
struct cell *cell_new(struct conn *c, h2o_req_t *req);
void conn_sweep(struct edge_loop *el);

/* filter.c */
void filter_accept(struct conn *c, struct site *s); /* c may be gone when it returns */
void filter_keep(struct conn *c);                   /* after anything that makes the library write */

/* request.c */
int request_take(h2o_handler_t *self, h2o_req_t *req);
void request_check_deadlines(struct edge_loop *el);
void request_conn_closed(struct conn *c);

/* reply.c */
void reply_finish(struct call *c); /* call->finish */
void reply_gone(struct cell *cell);
void reply_problem(h2o_req_t *req, struct conn *c, enum problem p, const char *reason, uint64_t limit, bool japanese);
void reply_time_out(struct request *r);
void reply_bytes(h2o_req_t *req, struct cell *cell, int status, const char *content_type, struct slice body);
void reply_release(struct request *r); /* frees it when both lives have ended */
const char *reply_reason(int status);

/* meter.c */
void meter_tick(struct edge_loop *el);
void meter_answer(struct request *r, size_t bytes); /* of a call whose answer goes out now */

/* headers.c */
void headers_add(h2o_req_t *req, const char *name, struct slice value); /* value outlives the request */
void headers_common(h2o_req_t *req, enum listener listener);

/* stream.c */
void stream_gone(struct stream *s);
bool stream_stuck(const struct stream *s, uint64_t now, uint64_t patience_ns);
void stream_drain(struct edge_loop *el, uint64_t now);

/* files.c */
struct files *files_load(const char *root, char *ret_why, size_t why_size); /* root "": none */
void files_free(struct files **f);
/* False: the console is not built in; nothing was sent. */
bool files_serve(const struct files *f, h2o_req_t *req, struct conn *c, struct slice path, struct slice accept_encoding,
                 struct slice if_none_match);
void file_send(struct request *r);

/* tls.c */
struct tls *tls_new(const struct params *p, char *ret_why, size_t why_size);
enum rc tls_load(struct tls *t, const struct params *p, char *ret_why, size_t why_size) MUST_CHECK;
SSL_CTX *tls_context(struct tls *t, enum listener listener); /* a reference of the caller's */
void tls_free(struct tls **t);

/* listener.c */
void listener_close(struct site *s);

/* helper.c */
struct helper *helper_new(void);
void helper_run(struct helper *h, void (*fn)(void *), void *arg); /* any thread; in order, on the helper's thread */
void helper_free(struct helper **h);

/* sink.c */
void sink_install(void);

#endif
