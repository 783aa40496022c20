/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one client connection: TCP, TLS (leaf alone, X25519, resumption, ALPN h2) and HTTP/2 by nghttp2. Callbacks
 * run inside poller_run on its thread; in each of them conn_close is allowed. */
#ifndef SEKISHO_SIM_CONN_H
#define SEKISHO_SIM_CONN_H

#include "common/rc.h"
#include "sim/creds.h"
#include "sim/poller.h"
#include <netinet/in.h>
#include <sys/socket.h>

/* Where to, as whom; shared by all connections, outlives them. */
struct conn_target;
/* server: host:port; locals: addresses to connect from, in turn (separated by commas, a last number as a range
 * a.b.c.1-20; NULL: the kernel chooses). On error a sentence. */
enum rc conn_target_new(const char *server, const char *ca_file, const char *locals, struct conn_target **ret,
                        char *ret_why, size_t why_size) MUST_CHECK;
void conn_target_free(struct conn_target **t);
const char *conn_target_name(const struct conn_target *t); /* host:port as given */

struct conn_callbacks {
    void (*ready)(void *ctx, bool resumed);     /* handshake done; requests may be sent */
    void (*ticket)(void *ctx);                  /* a session to resume from is in creds now; NULL allowed */
    void (*closed)(void *ctx, const char *why); /* by the other side or an error; the connection is gone afterwards */
};

struct conn;
/* creds: shown if it has a certificate, its session is tried and replaced; NULL: none. It outlives the connection.
 * NULL: no socket, with a sentence. */
struct conn *conn_open(struct conn_target *t, struct poller *p, struct creds *creds, const struct conn_callbacks *cb,
                       void *ctx, char *ret_why, size_t why_size);
void conn_close(struct conn **c); /* open requests end without a callback; NULL allowed */
bool conn_ready(const struct conn *c);
/* Requests made between the two go out together: one write for all. */
void conn_cork(struct conn *c);
void conn_uncork(struct conn *c);        /* it may be gone afterwards, after its callback closed */
bool conn_leaving(const struct conn *c); /* the server said that it goes away: send nothing new */

struct conn_answer {
    bool failed; /* no answer: connection lost or stream reset; status 0 */
    int status;
    int retry_after; /* seconds; 0: none */
    struct slice body;
};

#define CONN_ANSWER_MAX (1024u * 1024)

/* body is copied; gzip says that it is compressed. done comes once. */
void conn_post(struct conn *c, const char *path, struct slice body, bool gzip,
               void (*done)(void *ctx, const struct conn_answer *), void *ctx);
/* GET; with data not NULL, bytes of a 200 answer go there as they come, and done gets an empty body. */
void conn_get(struct conn *c, const char *path, void (*data)(void *ctx, struct slice bytes),
              void (*done)(void *ctx, const struct conn_answer *), void *ctx);

#endif
