/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - the traveller: one request on its way through identity -> tenant -> quota -> handler and back. Made by
 * edge/, owned by exactly one thread at a time; handed over with its arena. The edge frees it after the answer. */
#ifndef SEKISHO_CALL_H
#define SEKISHO_CALL_H

#include "call/fault.h"
#include "call/loop.h"
#include "call/passes.h"
#include "call/route.h"
#include "call/stage.h"
#include "common/crypto.h"
#include "common/json.h"
#include <stdatomic.h>

#define CALL_ARENA_CEILING ((size_t)8 * 1024 * 1024)

/* What the TLS layer knows of the client's certificate. Filled once per connection. */
enum peer_verdict {
    PEER_NONE,    /* no certificate */
    PEER_PRESENT, /* a certificate came; identity/ decides (pin by hash) */
    PEER_GARBLED  /* a certificate came that cannot be read or has no SAN of ours */
};
struct peer { /* lives with the connection; the identity fields are written by identity/ on the loop thread only */
    enum peer_verdict verdict;
    struct sha256 leaf_hash; /* SHA-256 of the leaf's DER */
    char tenant[41];         /* from the SAN, not verified yet */
    struct uuid device;
    usec_t not_after;
    bool resumed;
    uint8_t *leaf_der; /* only until identity/ has pinned it; freed with the connection */
    size_t leaf_der_n;
    char address[46]; /* client's IP */
    uint64_t connection_id;
    void *pin; /* identity/'s cached verdict for this connection */
    uint64_t pin_generation;
};

/* Request header fields that are kept, lower-case names; others are not available beyond edge/. */
#define CALL_HEADERS(X) \
    X(authorization)    \
    X(cookie)           \
    X(content_type)     \
    X(content_encoding) \
    X(accept_language) X(accept_encoding) X(origin) X(user_agent) X(if_none_match) X(sec_fetch_site) X(host)

struct call_headers {
#define X(name) struct slice name;
    CALL_HEADERS(X)
#undef X
};

struct answer_header {
    const char *name; /* lower case, static */
    struct slice value;
};

struct answer {
    int status; /* 0: not answered yet */
    const char *content_type;
    struct strbuf body; /* of the call's arena, ceiling 4 MiB */
    struct answer_header headers[12];
    size_t n_headers;
};

struct db; /* a worker's connections: store/db.h */
struct tx;

struct call {
    struct arena *arena;
    char trace_id[33]; /* hex; in logs, problem+json and the database's application_name */
    struct loop *home; /* the thread that owns the connection */
    enum listener listener;
    struct peer *peer; /* home thread only; NULL once the client has gone; identity copies what it needs */
    char address[46];
    struct slice method, path, query; /* path as sent, without query; query without '?' */
    struct call_headers headers;
    struct slice body; /* as sent, maybe gzip */
    bool japanese;     /* language of texts: from Accept-Language, else Japanese */
    usec_t received;
    uint64_t received_ns, deadline_ns; /* clock_mono_ns */
    int latency;                       /* the histogram of its time (enum counter), when it is not that of its port */

    const struct route *route;
    struct slice args[ROUTE_ARGS];
    const struct principal *principal;
    const struct tenant_scope *scope;
    const struct permit *permit;
    /* Routes with AUTH_AGENT_ANY: identity/'s copy of peer in the arena, with leaf_der, for workers; NULL elsewhere. */
    const struct peer *presented;

    struct db *db; /* while on a worker */
    struct tx *tx; /* WHERE_BLOCKING: open during the handler; committed by the worker afterwards */
    /* Work to do after the commit has succeeded (wake-ups, live hints); in order; at most 8. */
    struct call_after {
        void (*fn)(void *arg);
        void *arg;
    } after[8];
    size_t n_after;
    struct audit_note { /* filled by handlers of routes with x-audit; written in the same transaction */
        const char *object_type;
        struct uuid object_id;
        struct slice object_name;
        struct uuid group; /* where the object belongs; nil: store/audit.sql finds it by type and id, if it can */
    } audit;
    struct audit_change { /* see audit_change() */
        const char *field;
        struct slice before, after;
    } * changes;
    size_t n_changes;

    struct fault fault;
    struct answer answer;

    atomic_bool cancelled; /* the client has gone: workers skip it */
    /* State of stages and of the edge; not for handlers. */
    int stage;
    void *stage_state;              /* of the stage that waits, NULL when a stage begins; see stage.h */
    void (*finish)(struct call *c); /* hand the answered call back: any thread */
    void *edge;
};

void call_after_commit(struct call *c, void (*fn)(void *), void *arg);
/* Says for the audit what a handler changes: a field of the contract and its texts before and after (p == NULL: there
 * was none, there is none any more). Nothing when both are the same; texts are cut at 1,000 characters; at most 64,
 * those beyond are left out. field is static, the texts are copied. Never a secret. */
#define AUDIT_CHANGES_MAX  64
#define AUDIT_CHANGE_CHARS 1000
void audit_change(struct call *c, const char *field, struct slice before, struct slice after);
void answer_header(struct call *c, const char *name, struct slice value);
/* Turns rc and c->fault into problem+json with status, Retry-After and RateLimit fields. */
void answer_problem(struct call *c, enum rc rc);
/* The problem+json text for a fault, where there is no call to answer any more. */
struct slice problem_json(struct arena *a, const struct fault *f, enum problem p, bool japanese, const char *trace_id);
/* Packs a body of more than 1 KB with gzip when the client accepts it. CPU time: not on loop threads for large bodies.
 */
void answer_compress(struct call *c);
bool accepts_encoding(struct slice accept_encoding, struct slice coding); /* of an Accept-Encoding field */
/* Lines of this thread carry the call's trace id and tenant from now on; until call_finish, or call_context(NULL). */
void call_context(const struct call *c);
/* W3C trace context, strictly: its trace id, 32 digits and NUL, or false. */
bool traceparent_read(struct slice value, char ret_trace_id[33]);
/* The home of a call after its last stage, from any thread; never touch c afterwards. */
static inline void call_finish(struct call *c)
{
    call_context(NULL);
    c->finish(c);
}

/* Runs fn(c) on a blocking worker, without a transaction: for work that is too long for a loop, such as inflating a
 * large body. fn owns the call from then on. RC_UNAVAILABLE: the queue is full, fn is not called. Implemented by
 * worker/pool.c. */
enum rc call_offload(struct call *c, void (*fn)(struct call *c)) MUST_CHECK;

/* ---- streams: an answer without end. Opened on the home thread by a WHERE_LOOP handler; writes and close from any
 * thread; at most 64 KiB wait, beyond that the stream is closed (a slow reader). on_close runs once, on the home
 * thread, when client, deadline or stream_close end it. Afterwards the handle is dead: the owner must have dropped it
 * in on_close. */
struct stream;
/* NULL: the client has gone already, on_close will not run. The call itself is answered by this; the handler returns
 * RC_OK. */
struct stream *stream_open(struct call *c, const char *content_type, void (*on_close)(void *), void *arg);
void stream_write(struct stream *s, struct slice bytes);
void stream_close(struct stream *s);
/* Serves a file that does not change (static console, module mirror) from memory or disk with back-pressure. */
enum rc answer_file(struct call *c, const char *path, const char *content_type) MUST_CHECK;

#endif
