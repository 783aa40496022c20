/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - the way back: a finished call comes home to its loop thread and becomes a response, unless its client has
 * gone. Only this thread touches the library's request; the call's memory stays until the library has sent the answer.
 */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge_private.h"

#define COMPRESS_ON_LOOP ((size_t)16 * 1024) /* about 0.3 ms */

const char *reply_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return status < 300 ? "OK" : status < 500 ? "Refused" : "Failed";
    }
}

static void count_status(int status)
{
    if (status >= 500)
        count(C_requests_failed);
    else if (status >= 400)
        count(C_requests_refused);
    if (status >= 200 && status < 600)
        count((enum counter)(C_answers_2xx + status / 100 - 2));
}

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

/* body must live as long as the request. */
static void send_all(h2o_req_t *req, struct cell *cell, struct slice body, bool head)
{
    static h2o_generator_t nothing_more = {NULL, NULL};
    struct conn *c = cell->conn;
    h2o_iovec_t bytes = h2o_iovec_init(body.p, body.n);

    if (has_no_body(req->res.status))
        head = true;
    else
        req->res.content_length = body.n;
    cell->answered_ns = clock_mono_ns();
    cell->answer_bytes = head ? 0 : body.n;
    h2o_start_response(req, &nothing_more);
    h2o_send(req, &bytes, head || !body.n ? 0 : 1, H2O_SEND_STATE_FINAL);
    filter_keep(c);
}

static bool is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

void reply_bytes(h2o_req_t *req, struct cell *cell, int status, const char *content_type, struct slice body)
{
    req->res.status = status;
    req->res.reason = reply_reason(status);
    if (content_type)
        headers_add(req, "content-type", slice_of(content_type));
    headers_common(req, cell->conn->listener);
    count_status(status);
    send_all(req, cell, body, is_head(req));
}

/* For refusals without a call, or when the call is in someone else's hands. */
static void send_problem(h2o_req_t *req, struct cell *cell, const struct fault *f, bool japanese, const char *trace_id)
{
    struct arena *a = arena_new((size_t)64 * 1024);
    struct slice text = problem_json(a, f, f->problem, japanese, trace_id);
    h2o_iovec_t kept = h2o_strdup(&req->pool, text.p, text.n);

    if (f->retry_after > 0) {
        h2o_iovec_t seconds = h2o_strdup(&req->pool, arena_printf(a, "%d", f->retry_after), SIZE_MAX);

        headers_add(req, "retry-after", (struct slice){seconds.base, seconds.len});
    }
    arena_free(&a);
    headers_add(req, "cache-control", SLICE("no-store"));
    reply_bytes(req, cell, problem_texts[f->problem].status, "application/problem+json",
                (struct slice){kept.base, kept.len});
}

void reply_problem(h2o_req_t *req, struct conn *c, enum problem p, const char *reason, uint64_t limit, bool japanese)
{
    struct fault f = {.problem = p, .has_limit = limit != 0, .limit = limit};

    if (reason)
        snprintf(f.reason, sizeof(f.reason), "%s", reason);
    if (problem_texts[p].status == 503)
        f.retry_after = 1 + (int)random_below(5);
    send_problem(req, cell_new(c, req), &f, japanese, NULL);
}

void reply_time_out(struct request *r)
{
    struct fault f = {.problem = PROBLEM_deadline};
    struct call *c = &r->call;

    atomic_store(&c->cancelled, true);
    if (!r->cell || r->cell->answered_ns)
        return;
    /* japanese and trace_id were written before the call set out and do not change. */
    ev_warn(AREA_EDGE, "call past its deadline", EV_STR("trace", c->trace_id),
            EV_STR("operation", c->route ? c->route->operation : NULL));
    send_problem(r->cell->req, r->cell, &f, c->japanese, c->trace_id);
}

static void log_answer(const struct call *c)
{
    const char *operation = c->route ? c->route->operation : NULL;

    if (c->answer.status >= 500)
        ev_warn(AREA_EDGE, "call failed", EV_STR("operation", operation), EV_INT("status", c->answer.status),
                EV_STR("code", problem_texts[c->fault.problem].code),
                EV_STR("detail", c->fault.op_detail[0] ? c->fault.op_detail : NULL),
                EV_STR("sqlstate", c->fault.sqlstate[0] ? c->fault.sqlstate : NULL));
    else
        ev_debug(AREA_EDGE, "call answered", EV_STR("operation", operation), EV_INT("status", c->answer.status),
                 EV_STR("code", c->answer.status >= 400 ? problem_texts[c->fault.problem].code : NULL),
                 EV_STR("address", c->address), EV_INT("bytes", c->answer.body.n),
                 EV_INT("usec", clock_now() - c->received));
}

static void send_answer(struct request *r)
{
    struct call *c = &r->call;
    h2o_req_t *req = r->cell->req;
    bool cached = false;

    req->res.status = c->answer.status;
    req->res.reason = reply_reason(c->answer.status);
    if (c->answer.content_type && !has_no_body(c->answer.status))
        headers_add(req, "content-type", slice_of(c->answer.content_type));
    for (size_t i = 0; i < c->answer.n_headers; i++) {
        headers_add(req, c->answer.headers[i].name, c->answer.headers[i].value);
        cached |= strcmp(c->answer.headers[i].name, "cache-control") == 0;
    }
    if (!cached)
        headers_add(req, "cache-control", SLICE("no-store"));
    headers_add(req, "x-trace-id", slice_of(c->trace_id));
    headers_common(req, c->listener);
    count_status(c->answer.status);
    call_context(c);
    log_answer(c);
    call_context(NULL);
    meter_answer(r, r->fd >= 0 ? (size_t)r->file_size : c->answer.body.n);
    if (r->fd >= 0 && !has_no_body(c->answer.status) && !r->head)
        file_send(r);
    else
        send_all(req, r->cell, strbuf_slice(&c->answer.body), r->head);
}

static void unlink_unfinished(struct request *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        r->el->oldest = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        r->el->newest = r->prev;
    if (!r->conn)
        return;
    if (r->conn_prev)
        r->conn_prev->conn_next = r->conn_next;
    else
        r->conn->requests = r->conn_next;
    if (r->conn_next)
        r->conn_next->conn_prev = r->conn_prev;
    r->conn->inflight--;
    r->conn = NULL;
}

void reply_release(struct request *r)
{
    struct arena *a = r->call.arena;

    if (!r->finished || r->cell || r->reading)
        return;
    free(r->chunk);
    arena_free(&a); /* r is part of it */
}

static void come_home(struct loop_message *m)
{
    struct request *r = H2O_STRUCT_FROM_MEMBER(struct request, message, m);
    struct cell *cell = r->cell;

    must(!r->finished);
    r->finished = true;
    unlink_unfinished(r);
    if (!cell) {
        reply_release(r);
        return;
    }
    if (cell->conn->peer.pin && cell->conn->peer.leaf_der) {
        OPENSSL_free(cell->conn->peer.leaf_der);
        cell->conn->peer.leaf_der = NULL;
        cell->conn->peer.leaf_der_n = 0;
    }
    if (cell->stream) {
        /* The stream lives in the library's request from now on; thousands of them must not each keep a call. */
        cell->request = NULL;
        r->cell = NULL;
        reply_release(r);
        return;
    }
    if (cell->answered_ns)
        return; /* timed out before; freed when the library is done */
    if (r->call.answer.body.over || arena_over(r->call.arena)) {
        r->call.fault.problem = PROBLEM_NONE;
        fault_op(&r->call, RC_INTERNAL, "the answer passed its ceiling");
        answer_problem(&r->call, RC_INTERNAL);
    }
    if (r->call.answer.status == 0)
        answer_problem(&r->call, RC_INTERNAL);
    send_answer(r);
}

void reply_finish(struct call *c)
{
    struct request *r = H2O_STRUCT_FROM_MEMBER(struct request, call, c);
    bool home = loop_current() == c->home;

    if (!atomic_load(&c->cancelled) && (!loop_current() || c->answer.body.n <= COMPRESS_ON_LOOP))
        answer_compress(c);
    if (home)
        come_home(&r->message);
    else
        loop_send(c->home, &r->message, come_home);
}

void reply_gone(struct cell *cell)
{
    struct request *r = cell->request;

    if (cell->stream) {
        stream_gone(cell->stream);
        cell->stream = NULL;
    }
    if (!r)
        return;
    r->cell = NULL;
    r->call.peer = NULL;
    if (!r->finished) {
        count(C_requests_cancelled);
        atomic_store(&r->call.cancelled, true);
    }
    reply_release(r);
}
