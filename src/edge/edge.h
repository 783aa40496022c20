/* SPDX-License-Identifier: Apache-2.0 */
/* edge.h - the service's outside: TLS, HTTP, limits, static files, drain. Everything that knows the HTTP library is in
 * this folder, so that it can be replaced here. Functions are for the main thread unless they say otherwise. */
#ifndef SEKISHO_EDGE_H
#define SEKISHO_EDGE_H

#include "call/call.h"
#include "call/stage.h"
#include "common/params.h"

/* How patient the edge is; 0 means the default. Milliseconds. Tests make them short. */
struct edge_patience {
    int handshake; /* TLS handshake: 10 s */
    int receive;   /* first byte of a request to its last: 60 s */
    int stall;     /* a reader that takes nothing: 30 s */
    int idle;      /* a console connection without requests: 90 s; agents get ten times that */
};

struct edge_config {
    const struct params *params; /* outlives the edge; reloadable values are read anew each time */
    struct edge_patience patience;
    void (*dispatch)(struct call *c); /* takes over a new call; on its home loop thread; ends with call_finish */
    /* What else the ops port has, NULL: only /metrics without tenants' names. Any loop thread, must not block; false:
     * no such path. *ret_type is static. */
    bool (*ops)(struct slice path, const struct params *p, struct strbuf *out, const char **ret_type);
    bool (*ready)(char *why, size_t n); /* for /readyz: any loop thread, must not block; fills why when not ready */
};

struct edge;

/* Reads certificate and static files, starts the loop threads and the ops listener. NULL: *ret_why says why. */
struct edge *edge_new(const struct edge_config *config, char *ret_why, size_t why_size);
/* Opens the console's and the agents' ports. RC_CONFLICT: a port is in use. */
enum rc edge_listen(struct edge *e, char *ret_why, size_t why_size) MUST_CHECK;
/* Reads certificate and key anew, for new connections. On error the old ones stay. */
enum rc edge_reload(struct edge *e, char *ret_why, size_t why_size) MUST_CHECK;
/* Closes the ports, says goodbye to clients, waits up to ms for open requests, ends streams bit by bit, then cuts what
 * is left. True: everything had ended by itself. */
bool edge_drain(struct edge *e, int ms);
unsigned edge_connections(const struct edge *e); /* of clients, open; any thread */
bool edge_draining(const struct edge *e);        /* any thread */
/* After edge_drain. Ends the loop threads; blocks for ever if one hangs: the caller keeps a watchdog. */
void edge_free(struct edge **e);

/* The pipeline's first stage: address, method, size and encoding of the body. */
enum stage_result edge_admit(struct call *c);

#endif
