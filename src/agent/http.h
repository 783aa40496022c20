/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the agent's HTTP: libcurl multi, HTTP/2 over one long-lived connection (HTTP/1.1 when the server has no
 * more), CONNECT through a proxy, pinned authority. All on the caller's one thread; callbacks come from http_dispatch.
 */
#ifndef SEKISHO_AGENT_HTTP_H
#define SEKISHO_AGENT_HTTP_H

#include "agent/config.h"
#include "agent/tls.h"
#include <poll.h>

struct http;
struct http_request;

enum http_trouble {
    HTTP_FINE,      /* an answer came: look at status */
    HTTP_NO_NAME,   /* the server's or the proxy's name has no address */
    HTTP_NO_WAY,    /* refused, unreachable, connecting timed out */
    HTTP_PROXY,     /* the proxy refused CONNECT */
    HTTP_TLS,       /* handshake failed: see tls */
    HTTP_BROKEN,    /* the connection broke or timed out in the middle: whether the server acted is not known */
    HTTP_TOO_LARGE, /* the answer is longer than allowed */
    HTTP_LOCAL      /* the file could not be written, or the request was cut by its reader */
};

struct http_answer {
    enum http_trouble trouble;
    int status;
    struct slice body;   /* good until the callback returns; empty for streams and files with status 200 */
    int64_t retry_after; /* seconds; -1: not given */
    enum tls_trouble tls;
    const char *signer;  /* who signed a certificate that was not accepted */
    const char *error;   /* a sentence of libcurl for the log; never NULL */
    const char *address; /* that was connected to (the proxy's, when there is one); "" when none */
};

typedef void (*http_done)(void *ctx, const struct http_answer *answer);

/* tls is borrowed and must outlive h. */
struct http *http_new(const struct agent_config *cfg, struct tls_client *tls);
void http_free(struct http **h); /* open requests end without a callback */

/* Connects to this address while the name cannot be resolved (under isolation there is no DNS); "" or NULL: none. */
void http_pin(struct http *h, const char *address);
/* Closes all connections; open requests end without a callback. Not from within a callback. */
void http_reset(struct http *h);

/* POST of a JSON text, gzip'ed above 1 KB; body is copied. seconds: for the whole transfer. */
struct http_request *http_post(struct http *h, const char *path, struct slice body, int seconds, http_done done,
                               void *ctx);
struct http_request *http_get(struct http *h, const char *path, int seconds, http_done done, void *ctx);
/* Bytes of a 200 answer go to data as they come; false ends the transfer. No time-out but that of connecting. */
struct http_request *http_stream(struct http *h, const char *path, bool (*data)(void *ctx, struct slice bytes),
                                 http_done done, void *ctx);
/* The body of a 200 answer goes to fd (borrowed until done), at most limit bytes. */
struct http_request *http_download(struct http *h, const char *path, int fd, uint64_t limit, http_done done, void *ctx);
/* Ends a request without its callback; not from within data. NULL is allowed. */
void http_cancel(struct http_request *r);

/* Waits for sockets, the extra descriptors or the time, and fills their revents. */
void http_wait(struct http *h, struct pollfd *extra, unsigned n_extra, int timeout_ms);
void http_dispatch(struct http *h); /* moves transfers on and calls back those that ended */

#endif
