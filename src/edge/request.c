/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - the way in: what the library parsed becomes a struct call, or is refused at once. Everything is copied:
 * the library's memory ends with the client. The library is lenient where it should not be (empty paths, blanks in
 * them, fields that HTTP/2 forbids), so it is checked here. A content-length that an empty HTTP/2 request contradicts
 * is dropped inside the library and cannot be seen; nothing behind us parses it again, so nothing can be smuggled. */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge_private.h"

static const struct kept {
    const char *name; /* '_' stands for '-' */
    size_t n;
    size_t at;
} kept[] = {
#define X(name) {#name, sizeof(#name) - 1, offsetof(struct call_headers, name)},
    CALL_HEADERS(X)
#undef X
};

#define N_KEPT (sizeof(kept) / sizeof(kept[0]))

static struct slice slice_of_iovec(h2o_iovec_t v)
{
    return (struct slice){v.base, v.len};
}

/* ---- what the client understands */

static struct slice find_field(const h2o_req_t *req, const char *name)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);

    if (at < 0) /* names the library knows are found by their token only */
        for (size_t i = 0; i < req->headers.size; i++)
            if (slice_eq(slice_of_iovec(*req->headers.entries[i].name), slice_of(name)))
                at = (ssize_t)i;
    return at < 0 ? SLICE_NONE : slice_of_iovec(req->headers.entries[at].value);
}

/* 0..1000; what is garbled counts as 1000. */
static int weight(struct slice q)
{
    double d;

    q = slice_trim(q);
    if (!slice_starts(q, SLICE("q=")) || !slice_double((struct slice){q.p + 2, q.n - 2}, &d) || d < 0 || d > 1)
        return 1000;
    return (int)(d * 1000);
}

static bool wants_japanese(struct slice accept)
{
    int ja = -1, en = -1;

    while (accept.n) {
        struct slice item = slice_cut(&accept, ',');
        struct slice tag = slice_trim(slice_cut(&item, ';'));
        struct slice language = slice_cut(&tag, '-');
        int w = weight(item);

        if (slice_ieq(language, SLICE("ja")) && w > ja)
            ja = w;
        if (slice_ieq(language, SLICE("en")) && w > en)
            en = w;
    }
    return ja >= en; /* Japanese when neither is named */
}

static void refuse_with(h2o_req_t *req, struct conn *c, enum problem p, const char *reason, size_t limit)
{
    reply_problem(req, c, p, reason, limit, wants_japanese(find_field(req, "accept-language")));
}

/* ---- refusals */

static const char *path_fault(struct slice path)
{
    if (path.n == 0)
        return "the address is empty";
    if (path.p[0] != '/')
        return "the address does not begin with a slash";
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] <= 0x20 || path.p[i] == 0x7F || path.p[i] == '#')
            return "the address has characters that must be escaped";
    return NULL;
}

static const char *method_fault(struct slice method)
{
    if (method.n == 0 || method.n > 16)
        return "the method is empty or too long";
    for (size_t i = 0; i < method.n; i++)
        if (method.p[i] < 'A' || method.p[i] > 'Z')
            return "the method is not a word in capitals";
    if (slice_eq(method, SLICE("CONNECT")))
        return "this is no proxy";
    return NULL;
}

static bool only_once(struct slice name)
{
    return slice_eq(name, SLICE("authorization")) || slice_eq(name, SLICE("content-type")) ||
           slice_eq(name, SLICE("content-encoding")) || slice_eq(name, SLICE("origin"));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* HTTP/1.1: the library believes Transfer-Encoding before Content-Length, and the last of several, and a proxy in front
 * of us may not. It does not hand these fields on; the bytes are still there. */
static const char *length_fault(struct slice bytes)
{
    unsigned n = 0;

    (void)slice_cut(&bytes, '\n');
    while (bytes.n) {
        struct slice line = slice_cut(&bytes, '\n'), name = slice_cut(&line, ':');

        if (name.n == 0 || slice_eq(name, SLICE("\r")))
            break;
        n += slice_ieq(name, SLICE("content-length")) || slice_ieq(name, SLICE("transfer-encoding"));
    }
    return n > 1 ? "the length of the body is said twice" : NULL;
}

/* A host name or address, maybe with a port: no user, no path, nothing to escape. */
static const char *authority_fault(struct slice authority)
{
    for (size_t i = 0; i < authority.n; i++) {
        char c = authority.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr(".-_:[]%", c))))
            return "the host name has characters that are not allowed";
    }
    return NULL;
}

static const char *field_fault(const h2o_req_t *req)
{
    for (size_t i = 0; i < req->headers.size; i++) {
        struct slice name = slice_of_iovec(*req->headers.entries[i].name);
        struct slice value = slice_of_iovec(req->headers.entries[i].value);

        if (name.n == 0)
            return "a header field has no name";
        if (req->version >= 0x200 && value.n && (is_blank(value.p[0]) || is_blank(value.p[value.n - 1])))
            return "a header field begins or ends with a blank";
        if (req->version >= 0x200 && (slice_eq(name, SLICE("keep-alive")) || slice_eq(name, SLICE("proxy-connection"))))
            return "a header field does not exist in HTTP/2";
        if (only_once(name))
            for (size_t j = 0; j < i; j++)
                if (slice_eq(slice_of_iovec(*req->headers.entries[j].name), name))
                    return "a header field is repeated";
    }
    return NULL;
}

static size_t header_bytes(const h2o_req_t *req, size_t *ret_greatest)
{
    size_t total = 0;

    *ret_greatest = req->input.authority.len;
    for (size_t i = 0; i < req->headers.size; i++) {
        size_t n = req->headers.entries[i].name->len + req->headers.entries[i].value.len;

        total += n + 4;
        if (n > *ret_greatest)
            *ret_greatest = n;
    }
    return total;
}

static bool refuse(h2o_req_t *req, struct conn *c, size_t total, size_t greatest)
{
    struct slice path = slice_of_iovec(req->input.path);
    const char *why = method_fault(slice_of_iovec(req->input.method));

    if (!why)
        why = path_fault(path);
    if (!why)
        why = authority_fault(slice_of_iovec(req->input.authority));
    if (!why)
        why = field_fault(req);
    if (!why && req->version < 0x200) {
        why = length_fault((struct slice){c->sock->input->bytes, c->sock->input->size});
        if (why)
            req->http1_is_persistent = 0;
    }
    if (why)
        refuse_with(req, c, PROBLEM_request_malformed, why, 0);
    else if (path.n > HEADER_FIELD_LIMIT || greatest > HEADER_FIELD_LIMIT)
        refuse_with(req, c, PROBLEM_header_too_large, NULL, HEADER_FIELD_LIMIT);
    else if (total > HEADER_TOTAL_LIMIT)
        refuse_with(req, c, PROBLEM_header_too_large, NULL, HEADER_TOTAL_LIMIT);
    else
        return false;
    return true;
}

/* ---- the ops port */

static void ops_answer(h2o_req_t *req, struct conn *c, struct slice path)
{
    struct edge *e = c->el->edge;
    struct cell *cell = cell_new(c, req);
    struct strbuf b;
    h2o_iovec_t body;
    const char *type = "text/plain; charset=utf-8";
    char why[200] = "";
    int status = 200;

    strbuf_init(&b, (size_t)16 * 1024 * 1024);
    if (slice_eq(path, SLICE("/healthz"))) {
        strbuf_add_str(&b, "ok\n");
    } else if (slice_eq(path, SLICE("/readyz"))) {
        if (atomic_load(&e->draining)) {
            status = 503;
            strbuf_add_str(&b, "shutting down\n");
        } else if (!e->config.ready(why, sizeof(why))) {
            status = 503;
            strbuf_printf(&b, "%s\n", why);
        } else {
            strbuf_add_str(&b, "ready\n");
        }
    } else if (e->config.ops && e->config.ops(path, e->config.params, &b, &type)) {
        /* answered */
    } else if (slice_eq(path, SLICE("/metrics"))) {
        counters_write(&b, NULL);
    } else {
        status = 404;
        strbuf_add_str(&b, "there are /healthz, /readyz, /metrics and /ops/top\n");
    }
    body = h2o_strdup(&req->pool, b.p, b.n);
    strbuf_done(&b);
    headers_add(req, "cache-control", SLICE("no-store"));
    reply_bytes(req, cell, status, type, slice_of_iovec(body));
}

/* ---- from the library's request to a call */

static bool name_is(const struct kept *k, struct slice name)
{
    if (k->n != name.n)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (k->name[i] != (name.p[i] == '-' ? '_' : name.p[i]))
            return false;
    return true;
}

static void keep_field(struct call *c, struct slice name, struct slice value)
{
    for (size_t i = 0; i < N_KEPT; i++)
        if (name_is(&kept[i], name)) {
            struct slice *at = (struct slice *)(void *)((char *)&c->headers + kept[i].at);

            if (!at->p)
                *at = arena_copy(c->arena, value);
            else if (slice_eq(name, SLICE("cookie"))) /* HTTP/2 sends crumbs */
                *at = slice_of(arena_printf(c->arena, SLICE_FMT "; " SLICE_FMT, SLICE_ARG(*at), SLICE_ARG(value)));
            return;
        }
}

/* The client's trace id goes on when its traceparent is good; else a new one. */
static void choose_trace(struct call *c, struct slice traceparent)
{
    uint8_t id[16];

    if (traceparent_read(traceparent, c->trace_id))
        return;
    random_bytes(id, sizeof(id));
    for (size_t i = 0; i < sizeof(id); i++) {
        c->trace_id[2 * i] = "0123456789abcdef"[id[i] >> 4];
        c->trace_id[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
    }
}

static void keep_fields(struct call *c, const h2o_req_t *req)
{
    struct slice traceparent = SLICE_NONE;

    for (size_t i = 0; i < req->headers.size; i++) {
        struct slice name = slice_of_iovec(*req->headers.entries[i].name);
        struct slice value = slice_of_iovec(req->headers.entries[i].value);

        if (slice_eq(name, SLICE("traceparent")))
            traceparent = traceparent.p ? SLICE("twice") : value;
        else
            keep_field(c, name, value);
    }
    if (!c->headers.host.p)
        c->headers.host = arena_copy(c->arena, slice_of_iovec(req->input.authority));
    c->japanese = wants_japanese(c->headers.accept_language);
    choose_trace(c, traceparent);
}

static void enter(struct request *r, struct conn *c)
{
    struct edge_loop *el = r->el;

    r->prev = el->newest;
    if (r->prev)
        r->prev->next = r;
    else
        el->oldest = r;
    el->newest = r;
    r->conn_next = c->requests;
    if (r->conn_next)
        r->conn_next->conn_prev = r;
    c->requests = r;
    c->inflight++;
}

static struct request *make(h2o_req_t *req, struct conn *conn, struct slice path, struct slice query)
{
    struct arena *a = arena_new(CALL_ARENA_CEILING);
    struct request *r = ARENA_NEW(a, struct request);
    struct call *c = &r->call;

    r->conn = conn;
    r->el = conn->el;
    r->fd = -1;
    r->cell = cell_new(conn, req);
    r->cell->request = r;
    c->arena = a;
    c->home = conn->el->loop;
    c->listener = conn->listener;
    c->peer = &conn->peer;
    memcpy(c->address, conn->peer.address, sizeof(c->address));
    c->method = arena_copy(a, slice_of_iovec(req->input.method));
    c->path = arena_copy(a, path);
    c->query = arena_copy(a, query);
    keep_fields(c, req);
    if (req->entity.base)
        c->body = arena_copy(a, slice_of_iovec(req->entity));
    c->received = clock_now();
    c->received_ns = clock_mono_ns();
    c->deadline_ns = c->received_ns + (uint64_t)conn->el->edge->config.params->request_deadline * 1000000000;
    strbuf_init_arena(&c->answer.body, a, (size_t)4 * 1024 * 1024);
    c->finish = reply_finish;
    c->edge = r;
    r->head = slice_eq(c->method, SLICE("HEAD"));
    enter(r, conn);
    return r;
}

static bool serve_static(h2o_req_t *req, struct conn *c, struct slice path)
{
    struct edge *e = c->el->edge;

    if (c->listener != LISTENER_CONSOLE || !e->files || slice_starts(path, SLICE("/api/")) ||
        slice_eq(path, SLICE("/api")) || slice_starts(path, SLICE("/agent/")))
        return false;
    if (!h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("GET")) &&
        !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD")))
        return false;
    return files_serve(e->files, req, c, path, find_field(req, "accept-encoding"), find_field(req, "if-none-match"));
}

int request_take(h2o_handler_t *self, h2o_req_t *req)
{
    struct conn *c = conn_of(req);
    struct slice query = slice_of_iovec(req->input.path), path;
    size_t greatest, total = header_bytes(req, &greatest), spent;

    (void)self;
    c->started++;
    spent = req->entity.len + req->entity.len / 50 + total + 1024;
    c->received -= spent < c->received ? spent : c->received;
    if (c->cut) { /* what was in the buffer when it was cut */
        refuse_with(req, c, PROBLEM_busy, NULL, 0);
        return 0;
    }
    if (refuse(req, c, total, greatest))
        return 0;
    path = slice_cut(&query, '?');
    if (c->listener == LISTENER_OPS) {
        ops_answer(req, c, path);
        return 0;
    }
    count(C_requests);
    if (serve_static(req, c, path))
        return 0;
    if (c->inflight >= (unsigned)c->el->edge->config.params->inflight_per_connection) {
        refuse_with(req, c, PROBLEM_busy, NULL, 0);
        return 0;
    }
    c->el->edge->config.dispatch(&make(req, c, path, query)->call);
    return 0;
}

/* ---- deadlines and ends */

void request_check_deadlines(struct edge_loop *el)
{
    uint64_t now = clock_mono_ns();

    /* In order of arrival, so in order of their deadlines too, but for a reload between. */
    for (struct request *r = el->oldest; r && r->call.deadline_ns <= now; r = r->next)
        if (!atomic_load(&r->call.cancelled) && !(r->cell && r->cell->stream))
            reply_time_out(r);
}

void request_conn_closed(struct conn *c)
{
    for (struct request *r = c->requests; r; r = r->conn_next)
        r->conn = NULL;
    c->requests = NULL;
}

/* ---- the pipeline's first stage */

static enum stage_result refuse_method(struct call *c, const char *allowed)
{
    (void)fault(c, RC_INVALID, PROBLEM_method_not_allowed);
    snprintf(c->fault.allowed, sizeof(c->fault.allowed), "%s", allowed);
    answer_problem(c, RC_INVALID);
    return STAGE_DONE;
}

enum stage_result edge_admit(struct call *c)
{
    const char *allowed = NULL;

    c->route = route_find(c->listener, c->method, c->path, c->args, &allowed);
    if (!c->route) {
        if (allowed)
            return refuse_method(c, allowed);
        answer_problem(c, fault(c, RC_NOT_FOUND, PROBLEM_path_unknown));
        return STAGE_DONE;
    }
    if (c->body.n > c->route->body_limit) {
        c->fault.has_limit = true;
        c->fault.limit = c->route->body_limit;
        answer_problem(c, fault(c, RC_INVALID, PROBLEM_body_too_large));
        return STAGE_DONE;
    }
    if (c->headers.content_encoding.n && !slice_ieq(c->headers.content_encoding, SLICE("gzip")) &&
        !slice_ieq(c->headers.content_encoding, SLICE("identity"))) {
        (void)fault(c, RC_INVALID, PROBLEM_encoding_unsupported);
        snprintf(c->fault.allowed, sizeof(c->fault.allowed), "gzip");
        answer_problem(c, RC_INVALID);
        return STAGE_DONE;
    }
    return STAGE_NEXT;
}
