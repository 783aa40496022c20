/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - see conn.h. What thousands of idle connections cost is kept small: key and certificate are parsed for the
 * handshake only, buffers for reading and writing are shared by all, and what could not be written waits in a buffer
 * that is freed. */
#include "sim/conn.h"
#include "common/clock.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK      (16 * 1024)
#define LOCALS_MAX 256

struct conn_target {
    char name[300];
    char host[256];
    struct sockaddr_storage address;
    socklen_t address_n;
    struct in_addr locals[LOCALS_MAX];
    size_t n_locals, next_local;
    SSL_CTX *ssl;
    nghttp2_session_callbacks *h2;
    nghttp2_option *option;
};

struct stream {
    struct stream *next, *prev;
    struct conn *conn;
    int32_t id;
    int status, retry_after;
    struct strbuf body; /* of the answer */
    char *upload;       /* of the request */
    size_t upload_n, at;
    void (*data)(void *ctx, struct slice bytes);
    void (*done)(void *ctx, const struct conn_answer *);
    void *ctx;
};

struct conn {
    struct conn_target *target;
    struct poller *poller;
    struct poller_fd fd;
    SSL *ssl;
    nghttp2_session *h2;
    struct creds *creds;
    struct conn_callbacks cb;
    void *ctx;
    struct stream *streams;
    char *rest; /* written by nghttp2, not yet taken by TLS */
    size_t rest_n, rest_at;
    int busy; /* callbacks on the stack */
    bool ready, leaving, want_write;
    bool dead; /* closed by the owner inside a callback: freed when the stack is empty */
};

static uint8_t chunk[CHUNK]; /* one thread; used between two system calls only */

/* ---- target */

static const char *library_error(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(e);
    return reason ? reason : "unknown error";
}

static bool add_locals(struct conn_target *t, const char *list)
{
    struct slice rest = slice_of(list);
    while (rest.n) {
        struct slice to = slice_trim(slice_cut(&rest, ',')), from = slice_cut(&to, '-');
        char text[64];
        struct in_addr a;
        int last;
        snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(from));
        if (from.n >= sizeof(text) || inet_pton(AF_INET, text, &a) != 1)
            return false;
        uint32_t first = ntohl(a.s_addr);
        if (!to.n)
            last = (int)(first & 255);
        else if (!slice_int(to, (int)(first & 255), 254, &last))
            return false;
        for (uint32_t v = first; v <= ((first & ~255u) | (uint32_t)last) && t->n_locals < LOCALS_MAX; v++)
            t->locals[t->n_locals++].s_addr = htonl(v);
    }
    return t->n_locals > 0;
}

static bool resolve(struct conn_target *t, const char *server, char *why, size_t why_size)
{
    const char *colon = strrchr(server, ':');
    int port;
    if (!colon || colon == server || (size_t)(colon - server) >= sizeof(t->host) ||
        !slice_int(slice_of(colon + 1), 1, 65535, &port) || strlen(server) >= sizeof(t->name)) {
        snprintf(why, why_size, "the server must be given as host:port, not %.200s", server);
        return false;
    }
    memcpy(t->name, server, strlen(server) + 1);
    snprintf(t->host, sizeof(t->host), "%.*s", (int)(colon - server), server);
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int e = getaddrinfo(t->host, colon + 1, &hints, &found);
    if (e || !found) {
        snprintf(why, why_size, "the host name %s cannot be resolved (%s)", t->host, gai_strerror(e));
        return false;
    }
    memcpy(&t->address, found->ai_addr, found->ai_addrlen);
    t->address_n = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static int on_session(SSL *ssl, SSL_SESSION *session);

static bool make_context(struct conn_target *t, const char *ca_file, char *why, size_t why_size)
{
    t->ssl = SSL_CTX_new(TLS_client_method());
    must(t->ssl && SSL_CTX_set_min_proto_version(t->ssl, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set1_groups_list(t->ssl, "X25519") == 1 &&
         SSL_CTX_set_alpn_protos(t->ssl, (const unsigned char *)"\x02h2", 3) == 0);
    SSL_CTX_set_mode(t->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(t->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ssl, on_session);
    SSL_CTX_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
    X509_STORE_set_flags(SSL_CTX_get_cert_store(t->ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_load_verify_file(t->ssl, ca_file) == 1)
        return true;
    snprintf(why, why_size, "the file of the certificate authority, %s, cannot be used (%s)", ca_file, library_error());
    ERR_clear_error();
    return false;
}

static void h2_callbacks(struct conn_target *t);

enum rc conn_target_new(const char *server, const char *ca_file, const char *locals, struct conn_target **ret,
                        char *ret_why, size_t why_size)
{
    struct conn_target *t = must_alloc(sizeof(*t));
    bool ok = resolve(t, server, ret_why, why_size);
    if (ok && locals && !add_locals(t, locals)) {
        snprintf(ret_why, why_size, "the local addresses %.200s are not a list of IPv4 addresses", locals);
        ok = false;
    }
    ok = ok && make_context(t, ca_file, ret_why, why_size);
    if (!ok) {
        conn_target_free(&t);
        return RC_INVALID;
    }
    h2_callbacks(t);
    *ret = t;
    return RC_OK;
}

void conn_target_free(struct conn_target **tp)
{
    struct conn_target *t = *tp;
    if (!t)
        return;
    *tp = NULL;
    SSL_CTX_free(t->ssl);
    nghttp2_session_callbacks_del(t->h2);
    nghttp2_option_del(t->option);
    free(t);
}

const char *conn_target_name(const struct conn_target *t)
{
    return t->name;
}

/* ---- streams */

static void stream_free(struct stream *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->conn->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    strbuf_done(&s->body);
    free(s->upload);
    free(s);
}

static void stream_end(struct stream *s, bool failed)
{
    struct conn_answer answer = {.failed = failed || s->status == 0 || s->body.over,
                                 .status = failed ? 0 : s->status,
                                 .retry_after = s->retry_after,
                                 .body = strbuf_slice(&s->body)};
    void (*done)(void *, const struct conn_answer *) = s->done;
    void *ctx = s->ctx;
    if (done && !s->conn->dead)
        done(ctx, &answer);
    stream_free(s);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
    struct stream *s = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    (void)flags;
    (void)ctx;
    if (s && name_n == 7 && memcmp(name, ":status", 7) == 0)
        (void)slice_int(slice_mem(value, value_n), 100, 999, &s->status);
    else if (s && name_n == 11 && memcmp(name, "retry-after", 11) == 0)
        (void)slice_int(slice_mem(value, value_n), 0, 604800, &s->retry_after);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
    struct stream *s = nghttp2_session_get_stream_user_data(h2, id);
    const struct conn *c = ctx;
    (void)flags;
    if (!s || c->dead)
        return 0;
    if (s->data && s->status == 200)
        s->data(s->ctx, slice_mem(p, n));
    else
        strbuf_add(&s->body, slice_mem(p, n));
    return 0;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *ctx)
{
    struct stream *s = nghttp2_session_get_stream_user_data(h2, id);
    (void)ctx;
    if (s)
        stream_end(s, error != NGHTTP2_NO_ERROR);
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct conn *c = ctx;
    (void)h2;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        c->leaving = true;
    return 0;
}

static ssize_t on_upload(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *ctx)
{
    struct stream *s = source->ptr;
    size_t n = s->upload_n - s->at < cap ? s->upload_n - s->at : cap;
    (void)h2;
    (void)id;
    (void)ctx;
    memcpy(buf, s->upload + s->at, n);
    s->at += n;
    if (s->at == s->upload_n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void h2_callbacks(struct conn_target *t)
{
    must(nghttp2_session_callbacks_new(&t->h2) == 0 && nghttp2_option_new(&t->option) == 0);
    nghttp2_session_callbacks_set_on_header_callback(t->h2, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(t->h2, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(t->h2, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(t->h2, on_frame);
    nghttp2_option_set_no_closed_streams(t->option, 1);
}

/* ---- life of a connection */

static void destroy(struct conn *c)
{
    c->dead = true;
    while (c->streams)
        stream_free(c->streams);
    if (c->fd.fd >= 0) {
        poller_watch(c->poller, &c->fd, 0);
        close(c->fd.fd);
    }
    nghttp2_session_del(c->h2);
    SSL_free(c->ssl);
    free(c->rest);
    free(c);
}

/* By the other side or for an error: whoever waits is told, streams first. */
static void fail(struct conn *c, const char *why)
{
    void (*closed)(void *, const char *) = c->cb.closed;
    void *ctx = c->ctx;
    c->busy++;
    c->leaving = true;
    while (c->streams && !c->dead)
        stream_end(c->streams, true);
    bool told = c->dead;
    destroy(c);
    if (!told)
        closed(ctx, why);
}

static void want(struct conn *c, uint32_t events)
{
    poller_watch(c->poller, &c->fd, events);
}

/* Returns 1: all written; 0: later; -1: broken. */
static int tls_write(struct conn *c, const uint8_t *p, size_t n, size_t *ret_did)
{
    *ret_did = 0;
    while (*ret_did < n) {
        ERR_clear_error();
        int did = SSL_write(c->ssl, p + *ret_did, (int)(n - *ret_did));
        if (did > 0) {
            *ret_did += (size_t)did;
            continue;
        }
        int e = SSL_get_error(c->ssl, did);
        return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    return 1;
}

/* Frames are gathered, so that a request is one record. */
static bool flush(struct conn *c)
{
    size_t did;
    for (;;) {
        if (c->rest) {
            int r = tls_write(c, (uint8_t *)c->rest + c->rest_at, c->rest_n - c->rest_at, &did);
            c->rest_at += did;
            if (r <= 0) {
                c->want_write = true;
                return r == 0;
            }
            free(c->rest);
            c->rest = NULL;
        }
        size_t n = 0;
        const uint8_t *p = NULL;
        ssize_t got = 0;
        while (n < sizeof(chunk) / 2 && (got = nghttp2_session_mem_send(c->h2, &p)) > 0) {
            if (n + (size_t)got > sizeof(chunk)) {
                c->rest = must_alloc((size_t)got);
                memcpy(c->rest, p, (size_t)got);
                c->rest_n = (size_t)got;
                c->rest_at = 0;
                break;
            }
            memcpy(chunk + n, p, (size_t)got);
            n += (size_t)got;
        }
        if (got < 0)
            return false;
        if (n == 0 && !c->rest)
            break;
        int r = tls_write(c, chunk, n, &did);
        if (r < 0)
            return false;
        if (r == 0) {
            char *both = must_alloc(n - did + (c->rest ? c->rest_n : 0) + 1);
            memcpy(both, chunk + did, n - did);
            if (c->rest)
                memcpy(both + n - did, c->rest, c->rest_n);
            c->rest_n = n - did + (c->rest ? c->rest_n : 0);
            free(c->rest);
            c->rest = both;
            c->rest_at = 0;
            c->want_write = true;
            return true;
        }
    }
    c->want_write = false;
    return true;
}

/* After work on the connection: sends what is ready, frees it if its owner has left. False: it is gone. */
static bool settle(struct conn *c)
{
    if (c->busy)
        return true;
    if (c->dead) {
        destroy(c);
        return false;
    }
    if (c->ready && !flush(c)) {
        fail(c, "the connection broke while sending");
        return false;
    }
    want(c, EPOLLIN | (c->want_write ? EPOLLOUT : 0u));
    return true;
}

static bool receive(struct conn *c)
{
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(c->ssl, chunk, sizeof(chunk));
        if (n <= 0) {
            int e = SSL_get_error(c->ssl, n);
            if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
                return true;
            fail(c, e == SSL_ERROR_ZERO_RETURN || e == SSL_ERROR_SYSCALL ? "the server closed the connection"
                                                                         : library_error());
            return false;
        }
        c->busy++;
        ssize_t took = nghttp2_session_mem_recv(c->h2, chunk, (size_t)n);
        c->busy--;
        if (c->dead) {
            destroy(c);
            return false;
        }
        if (took < 0) {
            fail(c, nghttp2_strerror((int)took));
            return false;
        }
        if (n < (int)sizeof(chunk) && SSL_pending(c->ssl) == 0)
            return true;
    }
}

static void describe_handshake(struct conn *c, char *why, size_t why_size)
{
    long v = SSL_get_verify_result(c->ssl);
    if (v != X509_V_OK)
        snprintf(why, why_size, "the server's certificate is not trusted (%s)", X509_verify_cert_error_string(v));
    else if (ERR_peek_last_error())
        snprintf(why, why_size, "the TLS handshake failed (%s)", library_error());
    else
        snprintf(why, why_size, "the server closed the connection during the TLS handshake");
}

static bool start_h2(struct conn *c)
{
    const unsigned char *alpn;
    unsigned n;
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CONN_ANSWER_MAX}};
    SSL_get0_alpn_selected(c->ssl, &alpn, &n);
    if (n != 2 || memcmp(alpn, "h2", 2) != 0)
        return false;
    must(nghttp2_session_client_new2(&c->h2, c->target->h2, c, c->target->option) == 0);
    must(nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, 2) == 0);
    return true;
}

/* False: the connection is gone, or waits. */
static bool handshake(struct conn *c)
{
    char why[300];
    ERR_clear_error();
    int r = SSL_connect(c->ssl);
    if (r == 1) {
        SSL_certs_clear(c->ssl); /* key and certificate have served */
        if (!start_h2(c)) {
            fail(c, "the server does not speak HTTP/2");
            return false;
        }
        c->ready = true;
        c->busy++;
        c->cb.ready(c->ctx, SSL_session_reused(c->ssl));
        c->busy--;
        return settle(c);
    }
    int e = SSL_get_error(c->ssl, r);
    if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
        want(c, e == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT);
        return false;
    }
    int error = 0;
    socklen_t n = sizeof(error);
    if (getsockopt(c->fd.fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error)
        snprintf(why, sizeof(why), "cannot connect (%s)", strerror(error));
    else
        describe_handshake(c, why, sizeof(why));
    ERR_clear_error();
    fail(c, why);
    return false;
}

static void on_event(void *ctx, uint32_t events)
{
    struct conn *c = ctx;
    (void)events;
    if (!c->ready && !handshake(c))
        return;
    if (receive(c))
        (void)settle(c);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct conn *c = SSL_get_app_data(ssl);
    uint8_t *der = NULL;
    int n;
    if (!c || c->dead || !c->creds)
        return 0;
    n = i2d_SSL_SESSION(session, &der);
    if (n > 0)
        creds_session_set(c->creds, der, (size_t)n);
    OPENSSL_free(der);
    if (n > 0 && c->cb.ticket) {
        c->busy++;
        c->cb.ticket(c->ctx);
        c->busy--;
    }
    return 0;
}

static bool show_creds(struct conn *c)
{
    const unsigned char *p = c->creds->certificate;
    X509 *x = d2i_X509(NULL, &p, (long)c->creds->certificate_n);
    p = c->creds->key;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)c->creds->key_n);
    bool ok = x && key && SSL_use_certificate(c->ssl, x) == 1 && SSL_use_PrivateKey(c->ssl, key) == 1;
    X509_free(x);
    EVP_PKEY_free(key);
    p = c->creds->session;
    SSL_SESSION *s = ok && p ? d2i_SSL_SESSION(NULL, &p, (long)c->creds->session_n) : NULL;
    if (s)
        SSL_set_session(c->ssl, s);
    SSL_SESSION_free(s);
    ERR_clear_error();
    return ok;
}

static int open_socket(struct conn_target *t, char *why, size_t why_size)
{
    int one = 1;
    int fd = socket(t->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        snprintf(why, why_size, "no more sockets (%s); raise the limit of open files", strerror(errno));
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (t->n_locals) {
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = t->locals[t->next_local++ % t->n_locals]};
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0) {
            snprintf(why, why_size, "cannot use a local address (%s)", strerror(errno));
            close(fd);
            return -1;
        }
    }
    if (connect(fd, (struct sockaddr *)&t->address, t->address_n) < 0 && errno != EINPROGRESS) {
        snprintf(why, why_size, "cannot connect to %s (%s)", t->name, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

struct conn *conn_open(struct conn_target *t, struct poller *p, struct creds *creds, const struct conn_callbacks *cb,
                       void *ctx, char *ret_why, size_t why_size)
{
    int fd = open_socket(t, ret_why, why_size);
    if (fd < 0)
        return NULL;
    struct conn *c = must_alloc(sizeof(*c));
    *c = (struct conn){.target = t, .poller = p, .creds = creds, .cb = *cb, .ctx = ctx};
    c->fd = (struct poller_fd){.fd = fd, .fn = on_event, .ctx = c};
    c->ssl = SSL_new(t->ssl);
    must(c->ssl && SSL_set_fd(c->ssl, fd) == 1);
    SSL_set_app_data(c->ssl, c);
    SSL_set_connect_state(c->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), t->host) != 1) {
        ERR_clear_error();
        must(SSL_set1_host(c->ssl, t->host) == 1 && SSL_set_tlsext_host_name(c->ssl, t->host) == 1);
    }
    if (creds && creds->certificate && !show_creds(c)) {
        snprintf(ret_why, why_size, "a device's key and certificate in the state file are damaged");
        destroy(c);
        return NULL;
    }
    want(c, EPOLLOUT);
    return c;
}

void conn_close(struct conn **cp)
{
    struct conn *c = *cp;
    if (!c)
        return;
    *cp = NULL;
    c->dead = true;
    if (c->busy)
        return;
    if (c->ready)
        SSL_shutdown(c->ssl);
    ERR_clear_error();
    destroy(c);
}

void conn_cork(struct conn *c)
{
    c->busy++;
}

void conn_uncork(struct conn *c)
{
    c->busy--;
    (void)settle(c);
}

bool conn_ready(const struct conn *c)
{
    return c->ready && !c->dead;
}

bool conn_leaving(const struct conn *c)
{
    return c->leaving;
}

/* ---- requests */

#define FIELD(n, v, vn)                                                                      \
    ((nghttp2_nv){(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, (vn), \
                  NGHTTP2_NV_FLAG_NO_COPY_NAME})

static void submit(struct conn *c, const char *method, const char *path, struct slice body, bool gzip, struct stream *s)
{
    size_t n = 0;
    nghttp2_nv fields[8];
    char length[24];
    nghttp2_data_provider provider = {.source.ptr = s, .read_callback = on_upload};
    fields[n++] = FIELD(":method", method, strlen(method));
    fields[n++] = FIELD(":scheme", "https", 5);
    fields[n++] = FIELD(":authority", c->target->name, strlen(c->target->name));
    fields[n++] = FIELD(":path", path, strlen(path));
    if (body.p) {
        snprintf(length, sizeof(length), "%zu", body.n);
        fields[n++] = FIELD("content-type", "application/json", 16);
        fields[n++] = FIELD("content-length", length, strlen(length));
        if (gzip)
            fields[n++] = FIELD("content-encoding", "gzip", 4);
        s->upload = must_alloc(body.n + 1);
        memcpy(s->upload, body.p, body.n);
        s->upload_n = body.n;
    }
    s->conn = c;
    s->next = c->streams;
    if (s->next)
        s->next->prev = s;
    c->streams = s;
    strbuf_init(&s->body, CONN_ANSWER_MAX);
    s->id = nghttp2_submit_request(c->h2, NULL, fields, n, body.p ? &provider : NULL, s);
    must(s->id > 0); /* numbers of streams last for years of check-ins */
    (void)settle(c);
}

void conn_post(struct conn *c, const char *path, struct slice body, bool gzip,
               void (*done)(void *, const struct conn_answer *), void *ctx)
{
    struct stream *s = must_alloc(sizeof(*s));
    s->done = done;
    s->ctx = ctx;
    submit(c, "POST", path, body, gzip, s);
}

void conn_get(struct conn *c, const char *path, void (*data)(void *, struct slice),
              void (*done)(void *, const struct conn_answer *), void *ctx)
{
    struct stream *s = must_alloc(sizeof(*s));
    s->data = data;
    s->done = done;
    s->ctx = ctx;
    submit(c, "GET", path, SLICE_NONE, false, s);
}
