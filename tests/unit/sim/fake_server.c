/* SPDX-License-Identifier: Apache-2.0 */
/* fake_server.c - see fake_server.h. One thread per connection, one lock around all that is remembered. */
#include "fake_server.h"
#include "common/gzip.h"
#include "common/map.h"
#include "common/must.h"
#include "wire/digest.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX (2u << 20)
#define KINDS    8

struct member {
    struct fake_device told;
    struct map *rows[KINDS]; /* key -> text */
    char digests[KINDS][WIRE_HEX_SIZE];
    struct uuid epoch;
    int64_t mark;
    struct map *ids, *numbers;
    struct uuid task;
};

struct fake_server {
    pthread_mutex_t lock;
    pthread_t thread;
    int fd, port;
    atomic_bool stop;
    SSL_CTX *ssl;
    X509 *ca;
    EVP_PKEY *key;
    struct member members[FAKE_DEVICES];
    int n, resumed, live;
    char complaint[300];
    struct fake_script script;
    nghttp2_session_callbacks *callbacks;
};

static void complain(struct fake_server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct fake_server *s, const char *fmt, ...)
{
    va_list args;
    if (s->complaint[0])
        return;
    va_start(args, fmt);
    vsnprintf(s->complaint, sizeof(s->complaint), fmt, args);
    va_end(args);
}

/* ---- certificates */

static X509 *certificate(struct fake_server *s, EVP_PKEY *subject_key, const char *name, const char *san, bool ca)
{
    static long serial;
    X509 *x = X509_new();
    X509V3_CTX ctx;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, s->ca ? X509_get_subject_name(s->ca) : X509_get_subject_name(x));
    X509_set_pubkey(x, subject_key);
    X509V3_set_ctx(&ctx, s->ca ? s->ca : x, x, NULL, NULL, 0);
    X509_EXTENSION *e = ca ? X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints, "critical,CA:TRUE")
                           : X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
    must(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
    must(X509_sign(x, s->key, EVP_sha256()) > 0);
    return x;
}

static int admit_any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n,
                     void *arg)
{
    (void)ssl;
    (void)arg;
    return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)out, n, in, in_n) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void make_tls(struct fake_server *s, const char *folder)
{
    char path[300];
    s->key = EVP_EC_gen("P-256");
    s->ca = certificate(s, s->key, "Test CA", NULL, true);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = certificate(s, key, "localhost", "DNS:localhost,IP:127.0.0.1", false);
    s->ssl = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate(s->ssl, x) == 1 && SSL_CTX_use_PrivateKey(s->ssl, key) == 1);
    SSL_CTX_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(s->ssl, admit_any, NULL);
    SSL_CTX_set_session_id_context(s->ssl, (const unsigned char *)"fake", 4);
    SSL_CTX_set_alpn_select_cb(s->ssl, choose_h2, NULL);
    X509_free(x);
    EVP_PKEY_free(key);
    snprintf(path, sizeof(path), "%s/ca.pem", folder);
    FILE *f = fopen(path, "w");
    must(f && PEM_write_X509(f, s->ca) == 1);
    fclose(f);
}

/* ---- what is asked; the lock is held */

struct asked {
    char method[8], path[200];
    bool gzip;
    struct strbuf body, answer;
    int status;
    size_t at;
    bool wake, woken, lose;
    int member; /* -1: no certificate */
};

static void problem(struct asked *q, int status, const char *code)
{
    q->status = status;
    strbuf_printf(&q->answer, "{\"type\":\"urn:test\",\"title\":\"No: %s\",\"status\":%d,\"code\":\"%s\"}", code,
                  status, code);
}

static void enrol(struct fake_server *s, struct asked *q, struct arena *a)
{
    struct wire_enrol_request r;
    struct decode_error e;
    if (wire_enrol_request_parse(a, strbuf_slice(&q->body), &r, &e) != RC_OK) {
        complain(s, "enrolment: %s %s", e.code, e.field);
        return;
    }
    if (!slice_eq(r.token, SLICE(FAKE_TOKEN)) || s->n == FAKE_DEVICES) {
        problem(q, 403, "enrolment_token_unknown");
        return;
    }
    BIO *b = BIO_new_mem_buf(r.csr_pem.p, (int)r.csr_pem.n);
    X509_REQ *req = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
    EVP_PKEY *key = req ? X509_REQ_get0_pubkey(req) : NULL;
    BIO_free(b);
    if (!key || X509_REQ_verify(req, key) != 1) {
        complain(s, "the certificate request is not one");
        X509_REQ_free(req);
        return;
    }
    struct member *m = &s->members[s->n];
    char name[20], *pem;
    snprintf(name, sizeof(name), "device %d", s->n);
    X509 *x = certificate(s, key, name, "DNS:device", false);
    BIO *out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, x);
    long n = BIO_get_mem_data(out, &pem);
    m->told.id = uuid_new();
    m->ids = map_new(0);
    m->numbers = map_new(0);
    for (int i = 0; i < KINDS; i++)
        m->rows[i] = map_new(0);
    s->n++;
    struct json_writer w;
    json_start(&w, &q->answer);
    wire_enrol_response_encode(&w, &(struct wire_enrol_response){.device_id = m->told.id,
                                                                 .tenant = SLICE("test"),
                                                                 .certificate_pem = slice_mem(pem, (size_t)n),
                                                                 .expires_at = clock_now() + 86400 * USEC_PER_SEC,
                                                                 .time_key = SLICE("00"),
                                                                 .module_key = SLICE("00"),
                                                                 .interval = 60,
                                                                 .server_time = clock_now()});
    q->status = 200;
    BIO_free(out);
    X509_free(x);
    X509_REQ_free(req);
}

static void fact(struct fake_server *s, struct member *m, struct arena *a, const struct wire_fact *f)
{
    int k = f->kind - 1;
    struct slice key;
    void *value;
    size_t at = 0, n = 0;
    if (f->base.p && !slice_eq(f->base, slice_of(m->digests[k])))
        return; /* an answer was lost: all of it is asked for */
    if (f->base.p)
        m->told.deltas++;
    else
        m->told.wholes++;
    if (!f->base.p) {
        map_free(&m->rows[k], free);
        m->rows[k] = map_new(0);
    }
    for (size_t i = 0; i < f->n_remove; i++)
        free(map_remove(m->rows[k], f->remove[i]));
    for (size_t i = 0; i < f->n_set; i++) {
        char *text = must_alloc(f->set[i].value.n + 1);
        memcpy(text, f->set[i].value.p, f->set[i].value.n);
        free(map_put(m->rows[k], f->set[i].key, text));
    }
    struct wire_digest_row *rows = ARENA_ARRAY(a, struct wire_digest_row, map_size(m->rows[k]) + 1);
    while (map_next(m->rows[k], &at, &key, &value))
        rows[n++] = (struct wire_digest_row){key, slice_of(value)};
    struct sha256 h = wire_kind_digest(rows, n);
    wire_hex(&h, m->digests[k]);
    if (!slice_eq(f->digest, slice_of(m->digests[k])))
        complain(s, "the digest of %s is not that of its rows", wire_fact_kind_text(f->kind));
}

static void number(struct member *m, struct arena *a, struct slice body)
{
    struct wire_body_detection d;
    struct decode_error e;
    int64_t v;
    if (wire_body_detection_parse(a, body, &d, &e) != RC_OK || !slice_starts(d.object, SLICE("/numbered/")))
        return;
    struct slice rest = d.object;
    for (int i = 0; i < 3; i++)
        (void)slice_cut(&rest, '/');
    if (!slice_i64(rest, &v))
        return;
    m->told.doubled += map_put(m->numbers, rest, m) != NULL;
    m->told.numbers = (int64_t)map_size(m->numbers);
    if (v > m->told.highest)
        m->told.highest = v;
}

static void event(struct fake_server *s, struct member *m, struct arena *a, const struct wire_event *v)
{
    char hex[WIRE_HEX_SIZE];
    struct sha256 h = wire_event_hash(v->id, slice_of(wire_event_kind_text(v->kind)), v->occurred, v->body);
    if (!slice_eq(v->hash, slice_of(wire_hex(&h, hex))))
        complain(s, "an event's hash is wrong");
    if (v->seq > m->mark + 1)
        complain(s, "event %lld follows %lld", (long long)v->seq, (long long)m->mark);
    if (v->seq > m->mark)
        m->mark = v->seq;
    if (map_put(m->ids, MAP_KEY(v->id), m))
        return; /* known: a repetition */
    struct wire_body_execution x;
    struct decode_error e;
    if (v->kind == WIRE_EVENT_KIND_DETECTION)
        number(m, a, v->body);
    if (v->kind == WIRE_EVENT_KIND_EXECUTION && wire_body_execution_parse(a, v->body, &x, &e) == RC_OK &&
        uuid_eq(x.execution_id, m->task) &&
        (x.state == WIRE_EXECUTION_STATE_DONE || x.state == WIRE_EXECUTION_STATE_FAILED))
        m->told.task_done = true;
}

static bool take(atomic_int *n)
{
    int v = atomic_load(n);
    while (v > 0 && !atomic_compare_exchange_weak(n, &v, v - 1))
        continue;
    return v > 0;
}

static void facts_digest(const struct member *m, char ret[WIRE_HEX_SIZE])
{
    struct slice list[KINDS];
    for (int i = 0; i < KINDS; i++)
        list[i] = slice_of(m->digests[i]);
    wire_facts_digest(list, KINDS, ret);
}

/* All kinds that did not come whole, when we did not mean the same facts; else what the script says. */
static void want(struct fake_server *s, struct arena *a, const struct wire_checkin_request *r, bool same,
                 struct wire_checkin_response *answer)
{
    answer->want_facts = ARENA_ARRAY(a, enum wire_fact_kind, KINDS);
    bool some = take(&s->script.want);
    for (int k = WIRE_FACT_KIND_IDENTITY; k <= WIRE_FACT_KIND_PROBLEMS; k++) {
        bool whole = false;
        for (size_t i = 0; i < r->n_facts; i++)
            whole |= (int)r->facts[i].kind == k && !r->facts[i].base.p;
        if ((!same && !whole) || (some && (k == WIRE_FACT_KIND_SOFTWARE || k == WIRE_FACT_KIND_PROTECTION)))
            answer->want_facts[answer->n_want_facts++] = (enum wire_fact_kind)k;
    }
}

static void answer_checkin(struct fake_server *s, struct asked *q, struct arena *a, struct member *m,
                           const struct wire_checkin_request *r, bool renumber, bool same)
{
    char digest[WIRE_HEX_SIZE];
    facts_digest(m, digest);
    bool task = atomic_load(&s->script.task) && !m->told.task_done;
    struct wire_task t = {
        .execution_id = m->task, .type = WIRE_TASK_TYPE_SHOW_MESSAGE, .title = SLICE("t"), .text = SLICE("x")};
    struct wire_checkin_response answer = {.ack = renumber ? 0 : m->mark,
                                           .has_new_epoch = true,
                                           .new_epoch = renumber,
                                           .facts_digest = slice_of(digest),
                                           .revision = atomic_load(&s->script.task),
                                           .next_contact = 1,
                                           .interval = 1,
                                           .server_time = clock_now()};
    want(s, a, r, same, &answer);
    if (task && r->revision != answer.revision) {
        answer.tasks = &t;
        answer.n_tasks = 1;
    }
    struct json_writer w;
    json_start(&w, &q->answer);
    wire_checkin_response_encode(&w, &answer);
    q->status = 200;
}

static void checkin(struct fake_server *s, struct asked *q, struct arena *a)
{
    struct wire_checkin_request r;
    struct decode_error e;
    struct slice text = strbuf_slice(&q->body);
    if (q->member < 0) {
        problem(q, 401, "certificate_missing");
        return;
    }
    struct member *m = &s->members[q->member];
    if (take(&s->script.too_many)) {
        problem(q, 429, "rate_limited");
        return;
    }
    if ((q->gzip && gzip_inflate(a, text, BODY_MAX, &text) != RC_OK) ||
        wire_checkin_request_parse(a, text, &r, &e) != RC_OK) {
        complain(s, "a check-in cannot be read: %s %s", e.code, e.field);
        problem(q, 422, "field_value");
        return;
    }
    m->told.checkins++;
    if (!uuid_eq(m->epoch, r.spool.epoch)) {
        m->epoch = r.spool.epoch;
        m->mark = r.spool.tail - 1;
        m->told.epochs++;
    }
    char before[WIRE_HEX_SIZE];
    facts_digest(m, before);
    bool same = slice_eq(r.facts_digest, slice_of(before));
    for (size_t i = 0; i < r.n_facts; i++)
        fact(s, m, a, &r.facts[i]);
    bool renumber = r.n_events > 0 && take(&s->script.new_epoch);
    for (size_t i = 0; i < r.n_events && !renumber; i++)
        event(s, m, a, &r.events[i]);
    answer_checkin(s, q, a, m, &r, renumber, same);
    q->lose = !renumber && take(&s->script.lose);
}

static void serve(struct fake_server *s, struct asked *q)
{
    struct arena *a = arena_new(64u << 20);
    strbuf_init(&q->answer, BODY_MAX);
    pthread_mutex_lock(&s->lock);
    if (strcmp(q->path, "/agent/v1/enrol") == 0)
        enrol(s, q, a);
    else if (strcmp(q->path, "/agent/v1/checkin") == 0)
        checkin(s, q, a);
    else if (strncmp(q->path, "/agent/v1/wake?revision=", 24) == 0 && q->member >= 0) {
        q->wake = true;
        q->status = 200;
        strbuf_add_str(&q->answer, "{\"server_time\":\"2026-11-24T10:00:00Z\"}\n");
    } else
        problem(q, 404, "path_unknown");
    if (q->status == 0)
        problem(q, 500, "internal");
    pthread_mutex_unlock(&s->lock);
    arena_free(&a);
}

/* ---- HTTP/2 */

struct link {
    struct fake_server *server;
    SSL *ssl;
    nghttp2_session *h2;
    int fd, member;
    struct asked *wake;
    int32_t wake_id;
    bool lost;
};

static ssize_t on_send(nghttp2_session *h2, const uint8_t *p, size_t n, int flags, void *ctx)
{
    struct link *l = ctx;
    (void)h2;
    (void)flags;
    int did = SSL_write(l->ssl, p, (int)n);
    return did > 0 ? did : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t on_read(nghttp2_session *h2, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                       nghttp2_data_source *source, void *ctx)
{
    struct asked *q = source->ptr;
    size_t n = q->answer.n - q->at < cap ? q->answer.n - q->at : cap;
    (void)h2;
    (void)id;
    (void)ctx;
    if (n == 0 && q->wake)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(buf, q->answer.p + q->at, n);
    q->at += n;
    if (q->at == q->answer.n && !q->wake)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct link *l = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct asked *q = must_alloc(sizeof(*q));
    q->member = l->member;
    strbuf_init(&q->body, BODY_MAX);
    return nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, q);
}

static int on_field(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                    const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
    struct asked *q = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    (void)flags;
    (void)ctx;
    if (q && slice_eq(slice_mem(name, name_n), SLICE(":path")))
        snprintf(q->path, sizeof(q->path), "%.*s", (int)value_n, (const char *)value);
    if (q && slice_eq(slice_mem(name, name_n), SLICE("content-encoding")))
        q->gzip = slice_eq(slice_mem(value, value_n), SLICE("gzip"));
    return 0;
}

static int on_body(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
    struct asked *q = nghttp2_session_get_stream_user_data(h2, id);
    (void)flags;
    (void)ctx;
    if (q)
        strbuf_add(&q->body, slice_mem(p, n));
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
    struct link *l = ctx;
    struct asked *q = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    char status[4];
    if (!q || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS))
        return 0;
    serve(l->server, q);
    if (q->lose) {
        l->lost = true;
        return 0;
    }
    if (q->wake) {
        l->wake = q;
        l->wake_id = frame->hd.stream_id;
    }
    snprintf(status, sizeof(status), "%d", q->status);
    nghttp2_nv fields[] = {{(uint8_t *)(uintptr_t) ":status", (uint8_t *)status, 7, 3, 0},
                           {(uint8_t *)(uintptr_t) "retry-after", (uint8_t *)(uintptr_t) "1", 11, 1, 0}};
    nghttp2_data_provider body = {.source.ptr = q, .read_callback = on_read};
    return nghttp2_submit_response(h2, frame->hd.stream_id, fields, q->status == 429 ? 2 : 1, &body);
}

static int on_close(nghttp2_session *h2, int32_t id, uint32_t error, void *ctx)
{
    struct link *l = ctx;
    struct asked *q = nghttp2_session_get_stream_user_data(h2, id);
    (void)error;
    if (!q)
        return 0;
    if (l->wake == q)
        l->wake = NULL;
    strbuf_done(&q->body);
    strbuf_done(&q->answer);
    free(q);
    nghttp2_session_set_stream_user_data(h2, id, NULL);
    return 0;
}

/* A task that was made after the stream was opened. */
static void tell_wake(struct link *l)
{
    int revision = atomic_load(&l->server->script.task);
    if (!l->wake || l->wake->woken || !revision)
        return;
    l->wake->woken = true;
    strbuf_printf(&l->wake->answer, "{\"wake\":%d}\n", revision);
    nghttp2_session_resume_data(l->h2, l->wake_id);
}

static int member_of(struct fake_server *s, SSL *ssl)
{
    X509 *x = SSL_get0_peer_certificate(ssl);
    char name[40] = "";
    int i = -1;
    if (x && X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name)) > 7)
        (void)slice_int(slice_of(name + 7), 0, s->n - 1, &i);
    return i;
}

static void *serve_link(void *arg)
{
    struct link *l = arg;
    struct fake_server *s = l->server;
    uint8_t chunk[16384];
    l->ssl = SSL_new(s->ssl);
    SSL_set_fd(l->ssl, l->fd);
    if (SSL_accept(l->ssl) == 1) {
        pthread_mutex_lock(&s->lock);
        l->member = member_of(s, l->ssl);
        s->resumed += SSL_session_reused(l->ssl);
        pthread_mutex_unlock(&s->lock);
        must(nghttp2_session_server_new(&l->h2, s->callbacks, l) == 0);
        nghttp2_submit_settings(l->h2, NGHTTP2_FLAG_NONE, NULL, 0);
        while (!l->lost && !atomic_load(&s->stop) && nghttp2_session_send(l->h2) == 0) {
            struct pollfd p = {l->fd, POLLIN, 0};
            if (SSL_pending(l->ssl) == 0 && poll(&p, 1, 20) == 0) {
                tell_wake(l);
                continue;
            }
            int n = SSL_read(l->ssl, chunk, sizeof(chunk));
            if (n <= 0 || nghttp2_session_mem_recv(l->h2, chunk, (size_t)n) < 0)
                break;
        }
        /* streams that are still open: their memory goes with them */
        for (int32_t id = 1; id <= nghttp2_session_get_last_proc_stream_id(l->h2); id += 2)
            (void)on_close(l->h2, id, 0, l);
        nghttp2_session_del(l->h2);
    }
    ERR_clear_error();
    SSL_free(l->ssl);
    close(l->fd);
    free(l);
    pthread_mutex_lock(&s->lock);
    s->live--;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *accept_links(void *arg)
{
    struct fake_server *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {s->fd, POLLIN, 0};
        if (poll(&p, 1, 50) <= 0)
            continue;
        pthread_t t;
        struct link *l = must_alloc(sizeof(*l));
        l->server = s;
        l->fd = accept(s->fd, NULL, NULL);
        l->member = -1;
        pthread_mutex_lock(&s->lock);
        s->live++;
        pthread_mutex_unlock(&s->lock);
        must(l->fd >= 0 && pthread_create(&t, NULL, serve_link, l) == 0 && pthread_detach(t) == 0);
    }
    return NULL;
}

struct fake_server *fake_server_new(const char *folder)
{
    struct fake_server *s = must_alloc(sizeof(*s));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    pthread_mutex_init(&s->lock, NULL);
    make_tls(s, folder);
    nghttp2_session_callbacks_new(&s->callbacks);
    nghttp2_session_callbacks_set_send_callback(s->callbacks, on_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(s->callbacks, on_headers);
    nghttp2_session_callbacks_set_on_header_callback(s->callbacks, on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(s->callbacks, on_body);
    nghttp2_session_callbacks_set_on_frame_recv_callback(s->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(s->callbacks, on_close);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(s->fd, (struct sockaddr *)&at, n) == 0 && listen(s->fd, 64) == 0 &&
         getsockname(s->fd, (struct sockaddr *)&at, &n) == 0);
    s->port = ntohs(at.sin_port);
    for (int i = 0; i < FAKE_DEVICES; i++)
        s->members[i].task = uuid_new();
    must(pthread_create(&s->thread, NULL, accept_links, s) == 0);
    return s;
}

void fake_server_free(struct fake_server **sp)
{
    struct fake_server *s = *sp;
    *sp = NULL;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    for (int live = 1; live;) {
        usleep(10000);
        pthread_mutex_lock(&s->lock);
        live = s->live;
        pthread_mutex_unlock(&s->lock);
    }
    for (int i = 0; i < s->n; i++) {
        for (int k = 0; k < KINDS; k++)
            map_free(&s->members[i].rows[k], free);
        map_free(&s->members[i].ids, NULL);
        map_free(&s->members[i].numbers, NULL);
    }
    close(s->fd);
    SSL_CTX_free(s->ssl);
    X509_free(s->ca);
    EVP_PKEY_free(s->key);
    nghttp2_session_callbacks_del(s->callbacks);
    free(s);
}

int fake_server_port(const struct fake_server *s)
{
    return s->port;
}

struct fake_script *fake_server_script(struct fake_server *s)
{
    return &s->script;
}

int fake_server_enrolled(struct fake_server *s)
{
    pthread_mutex_lock(&s->lock);
    int n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int fake_server_resumed(struct fake_server *s)
{
    pthread_mutex_lock(&s->lock);
    int n = s->resumed;
    pthread_mutex_unlock(&s->lock);
    return n;
}

struct fake_device fake_server_device(struct fake_server *s, int i)
{
    pthread_mutex_lock(&s->lock);
    struct fake_device d = s->members[i].told;
    pthread_mutex_unlock(&s->lock);
    return d;
}

const char *fake_server_complaint(struct fake_server *s)
{
    return s->complaint;
}
