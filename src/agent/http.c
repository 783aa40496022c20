/* SPDX-License-Identifier: Apache-2.0 */
/* http.c - see http.h. The only user of libcurl. */
#include "agent/http.h"
#include "common/event.h"
#include "common/file.h"
#include "common/gzip.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX      (4u << 20)
#define PROBLEM_MAX     65536
#define CONNECT_SECONDS 15
#define GZIP_ABOVE      1024
#define EXTRA_MAX       8

struct http {
    const struct agent_config *cfg;
    struct tls_client *tls;
    CURLM *multi;
    struct http_request *requests;
    char *pin;
};

struct http_request {
    struct http_request *next;
    struct http *h;
    CURL *easy;
    struct arena *a;
    struct curl_slist *headers;
    struct curl_slist *resolve;
    struct strbuf body;
    struct slice upload;
    http_done done;
    bool (*data)(void *ctx, struct slice bytes);
    void *ctx;
    int fd; /* -1: not to a file */
    uint64_t limit;
    uint64_t written;
    enum http_trouble own; /* why we ended it ourselves */
    char trace[33];        /* the request's id in our log, the server's and the database's */
    const char *path;
    char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
    struct http_request *r = ctx;
    long status = 0;
    (void)one;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200 && r->data) {
        if (r->data(r->ctx, slice_mem(p, n)))
            return n;
        r->own = HTTP_LOCAL;
        return 0;
    }
    if (status == 200 && r->fd >= 0) {
        r->written += n;
        if (r->written > r->limit)
            r->own = HTTP_TOO_LARGE;
        else if (!file_write_all(r->fd, slice_mem(p, n)))
            r->own = HTTP_LOCAL;
        return r->own == HTTP_FINE ? n : 0;
    }
    strbuf_add(&r->body, slice_mem(p, n));
    if (r->body.over || (status != 200 && r->body.n > PROBLEM_MAX)) {
        r->own = HTTP_TOO_LARGE;
        return 0;
    }
    return n;
}

static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *ctx)
{
    (void)easy;
    struct http *h = ctx;
    tls_client_trouble_clear(h->tls);
    return tls_client_setup(h->tls, ssl_ctx) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

static void open_multi(struct http *h)
{
    h->multi = curl_multi_init();
    must(h->multi);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 4L);
}

struct http *http_new(const struct agent_config *cfg, struct tls_client *tls)
{
    static bool started;
    if (!started)
        must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    started = true;
    struct http *h = must_alloc(sizeof(*h));
    h->cfg = cfg;
    h->tls = tls;
    open_multi(h);
    return h;
}

static void request_free(struct http_request *r)
{
    struct http *h = r->h;
    for (struct http_request **at = &h->requests; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    curl_multi_remove_handle(h->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    curl_slist_free_all(r->resolve);
    strbuf_done(&r->body);
    arena_free(&r->a);
    free(r);
}

void http_free(struct http **hp)
{
    struct http *h = *hp;
    if (!h)
        return;
    *hp = NULL;
    while (h->requests)
        request_free(h->requests);
    curl_multi_cleanup(h->multi);
    free(h->pin);
    free(h);
}

void http_pin(struct http *h, const char *address)
{
    free(h->pin);
    h->pin = address && address[0] ? must_strdup(address) : NULL;
}

void http_reset(struct http *h)
{
    while (h->requests)
        request_free(h->requests);
    curl_multi_cleanup(h->multi);
    open_multi(h);
}

/* Host and port that are connected to: the proxy's when there is one. */
static const char *target(const struct agent_config *cfg, struct arena *a)
{
    struct slice proxy = slice_of(cfg->proxy);
    if (proxy.n == 0)
        return arena_printf(a, "%s:%d", cfg->server_host, (int)cfg->server_port);
    struct slice rest = {proxy.p + 7, proxy.n - 7}; /* behind http:// */
    rest = slice_cut(&rest, '/');
    size_t at;
    return slice_find(rest, ':', &at) ? arena_cstr(a, rest) : arena_printf(a, SLICE_FMT ":1080", SLICE_ARG(rest));
}

static void header(struct http_request *r, const char *text)
{
    r->headers = curl_slist_append(r->headers, text);
    must(r->headers);
}

/* W3C trace context: the server goes on with the trace id that we give. */
static void trace(struct http_request *r)
{
    uint8_t id[24]; /* trace and parent */
    char hex[49];
    do
        random_bytes(id, sizeof(id));
    while (id[0] == 0 || id[16] == 0); /* neither may be all zeros */
    for (size_t i = 0; i < sizeof(id); i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    snprintf(r->trace, sizeof(r->trace), "%.32s", hex);
    header(r, arena_printf(r->a, "traceparent: 00-%.32s-%.16s-01", hex, hex + 32));
}

static struct http_request *request_new(struct http *h, const char *path, http_done done, void *ctx)
{
    struct http_request *r = must_alloc(sizeof(*r));
    r->h = h;
    r->a = arena_new(8u << 20);
    r->easy = curl_easy_init();
    must(r->easy);
    r->done = done;
    r->ctx = ctx;
    r->fd = -1;
    strbuf_init(&r->body, ANSWER_MAX);
    CURL *e = r->easy;
    size_t colon;
    const char *host = h->cfg->server_host;
    bool v6 = slice_find(slice_of(host), ':', &colon) && host[0] != '[';
    curl_easy_setopt(
        e, CURLOPT_URL,
        arena_printf(r->a, "https://%s%s%s:%d%s", v6 ? "[" : "", host, v6 ? "]" : "", (int)h->cfg->server_port, path));
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* tls.c keeps sessions itself */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 60L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 20L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 7200L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 16384L);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "sekisho-agent/" SEKISHO_VERSION);
    header(r, "Accept-Language: en"); /* for the sentences in problems, which go into log and status */
    trace(r);
    r->path = arena_strdup(r->a, path);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    /* The authority is put in by the hook; files of the system's authorities are never looked at. */
    curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_PROXY, h->cfg->proxy); /* "" also keeps the environment's proxies out */
    curl_easy_setopt(e, CURLOPT_NOPROXY, "");
    curl_easy_setopt(e, CURLOPT_HTTPPROXYTUNNEL, h->cfg->proxy[0] ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (h->pin) {
        r->resolve = curl_slist_append(NULL, arena_printf(r->a, "%s:%s", target(h->cfg, r->a), h->pin));
        curl_easy_setopt(e, CURLOPT_RESOLVE, r->resolve);
    }
    r->next = h->requests;
    h->requests = r;
    return r;
}

static struct http_request *begin(struct http_request *r)
{
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    must(curl_multi_add_handle(r->h->multi, r->easy) == CURLM_OK);
    return r;
}

struct http_request *http_post(struct http *h, const char *path, struct slice body, int seconds, http_done done,
                               void *ctx)
{
    struct http_request *r = request_new(h, path, done, ctx);
    header(r, "Content-Type: application/json");
    header(r, "Expect:");
    r->upload = body.n > GZIP_ABOVE ? gzip_deflate(r->a, body) : arena_copy(r->a, body);
    if (body.n > GZIP_ABOVE)
        header(r, "Content-Encoding: gzip");
    curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->upload.p);
    curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->upload.n);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT, (long)seconds);
    return begin(r);
}

struct http_request *http_get(struct http *h, const char *path, int seconds, http_done done, void *ctx)
{
    struct http_request *r = request_new(h, path, done, ctx);
    curl_easy_setopt(r->easy, CURLOPT_TIMEOUT, (long)seconds);
    return begin(r);
}

struct http_request *http_stream(struct http *h, const char *path, bool (*data)(void *ctx, struct slice bytes),
                                 http_done done, void *ctx)
{
    struct http_request *r = request_new(h, path, done, ctx);
    r->data = data;
    return begin(r);
}

struct http_request *http_download(struct http *h, const char *path, int fd, uint64_t limit, http_done done, void *ctx)
{
    struct http_request *r = request_new(h, path, done, ctx);
    r->fd = fd;
    r->limit = limit;
    curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(r->easy, CURLOPT_LOW_SPEED_TIME, 60L);
    return begin(r);
}

void http_cancel(struct http_request *r)
{
    if (r)
        request_free(r);
}

void http_wait(struct http *h, struct pollfd *extra, unsigned n_extra, int timeout_ms)
{
    struct curl_waitfd w[EXTRA_MAX];
    must(n_extra <= EXTRA_MAX);
    for (unsigned i = 0; i < n_extra; i++)
        w[i] = (struct curl_waitfd){.fd = extra[i].fd, .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(h->multi, w, n_extra, timeout_ms, NULL) != CURLM_OK)
        usleep(10000);
    for (unsigned i = 0; i < n_extra; i++)
        extra[i].revents = w[i].revents & CURL_WAIT_POLLIN ? POLLIN : 0;
}

static enum http_trouble trouble_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_FINE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return HTTP_NO_NAME;
    case CURLE_COULDNT_CONNECT:
        return HTTP_NO_WAY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return HTTP_TLS;
    default:
        return HTTP_BROKEN;
    }
}

static void finish(struct http_request *r, CURLcode code)
{
    struct http *h = r->h;
    long status = 0, connect_code = 0;
    curl_off_t retry = 0;
    const char *address = NULL;
    double connected = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(r->easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
    curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry);
    curl_easy_getinfo(r->easy, CURLINFO_PRIMARY_IP, &address);
    curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME, &connected);
    struct http_answer answer = {.trouble = trouble_of(code),
                                 .status = (int)status,
                                 .body = strbuf_slice(&r->body),
                                 .retry_after = retry > 0 ? (int64_t)retry : -1,
                                 .error = r->error[0] ? r->error : curl_easy_strerror(code),
                                 .address = address ? address : ""};
    if (r->own != HTTP_FINE)
        answer.trouble = r->own;
    else if (code != CURLE_OK && connect_code && connect_code / 100 != 2)
        answer.trouble = HTTP_PROXY;
    else if (code == CURLE_OPERATION_TIMEDOUT && status == 0 && connected == 0)
        answer.trouble = HTTP_NO_WAY;
    if (answer.trouble == HTTP_TLS) {
        answer.tls = tls_client_trouble(h->tls, &answer.signer);
        /* curl compares the name itself, after the chain was found good */
        if (code == CURLE_PEER_FAILED_VERIFICATION && answer.tls == TLS_FINE)
            answer.tls = TLS_NAME;
    }
    http_done done = r->done;
    void *ctx = r->ctx;
    curl_multi_remove_handle(h->multi, r->easy);
    event_thread_context(r->trace, NULL); /* what is logged about the answer carries it */
    ev_debug(AREA_AGENT, "request", EV_STR("path", r->path), EV_INT("status", status),
             EV_STR("error", answer.trouble == HTTP_FINE ? NULL : answer.error));
    done(ctx, &answer);
    event_thread_context(NULL, NULL);
    request_free(r);
}

void http_dispatch(struct http *h)
{
    int running, left;
    curl_multi_perform(h->multi, &running);
    CURLMsg *m;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct http_request *r = NULL;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        finish(r, m->data.result);
    }
}
