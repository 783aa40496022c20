/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - filling a call's answer: header fields, problem+json, compression. Runs on the thread that owns the call at
 * the time; memory is the call's arena. */
#include "call/call.h"
#include "common/event.h"
#include "common/gzip.h"
#include "common/must.h"

#define PROBLEM_CEILING 8192
#define COMPRESS_FROM   1024

void call_context(const struct call *c)
{
    if (c)
        event_thread_context(c->trace_id, c->scope ? scope_tenant(c->scope)->id : NULL);
    else
        event_thread_context(NULL, NULL);
}

static bool is_lower_hex(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return true;
}

static bool all_are(struct slice s, char c)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != c)
            return false;
    return true;
}

/* version "-" trace-id "-" parent-id "-" flags; what stands behind them is of later versions than 00. */
bool traceparent_read(struct slice v, char ret_trace_id[33])
{
    struct slice version, trace, parent, flags;

    if (v.n < 55 || v.p[2] != '-' || v.p[35] != '-' || v.p[52] != '-')
        return false;
    version = slice_mem(v.p, 2);
    trace = slice_mem(v.p + 3, 32);
    parent = slice_mem(v.p + 36, 16);
    flags = slice_mem(v.p + 53, 2);
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) || !is_lower_hex(flags) ||
        slice_eq(version, SLICE("ff")) || all_are(trace, '0') || all_are(parent, '0'))
        return false;
    if (v.n > 55 && (slice_eq(version, SLICE("00")) || v.p[55] != '-'))
        return false;
    memcpy(ret_trace_id, trace.p, 32);
    ret_trace_id[32] = 0;
    return true;
}

/* The first AUDIT_CHANGE_CHARS characters, copied. */
static struct slice change_text(struct arena *a, struct slice s)
{
    size_t at = 0, chars = 0, step;

    if (!s.p)
        return s;
    while (at < s.n && chars < AUDIT_CHANGE_CHARS) {
        step = slice_utf8_at(s, at);
        at += step ? step : 1;
        chars++;
    }
    return arena_copy(a, slice_mem(s.p, at));
}

void audit_change(struct call *c, const char *field, struct slice before, struct slice after)
{
    if ((before.p != NULL) == (after.p != NULL) && slice_eq(before, after))
        return;
    if (!c->changes)
        c->changes = ARENA_ARRAY(c->arena, struct audit_change, AUDIT_CHANGES_MAX);
    if (c->n_changes < AUDIT_CHANGES_MAX)
        c->changes[c->n_changes++] =
            (struct audit_change){field, change_text(c->arena, before), change_text(c->arena, after)};
}

void call_after_commit(struct call *c, void (*fn)(void *), void *arg)
{
    must(c->n_after < sizeof(c->after) / sizeof(c->after[0]));
    c->after[c->n_after].fn = fn;
    c->after[c->n_after].arg = arg;
    c->n_after++;
}

void answer_header(struct call *c, const char *name, struct slice value)
{
    must(c->answer.n_headers < sizeof(c->answer.headers) / sizeof(c->answer.headers[0]));
    c->answer.headers[c->answer.n_headers].name = name;
    c->answer.headers[c->answer.n_headers].value = value;
    c->answer.n_headers++;
}

/* allowed is a list for people, "ja, en"; machines get it as an array. */
static void write_allowed(struct json_writer *w, const char *allowed)
{
    struct slice rest = slice_of(allowed);

    json_key(w, "allowed");
    json_array_open(w);
    for (int i = 0; i < 64 && rest.n; i++)
        json_str(w, slice_utf8_head(slice_trim(slice_cut(&rest, ',')), 100));
    json_array_close(w);
}

struct slice problem_json(struct arena *a, const struct fault *f, enum problem p, bool japanese, const char *trace_id)
{
    const struct problem_text *t = &problem_texts[p];
    struct json_writer w;
    struct strbuf b;

    strbuf_init_arena(&b, a, PROBLEM_CEILING);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "type");
    json_str(&w, slice_of(arena_printf(a, "urn:sekisho:problem:%s", t->code)));
    json_key(&w, "title");
    json_str(&w, slice_utf8_head(fault_text(a, f, p, japanese), 500));
    json_key(&w, "status");
    json_int(&w, t->status);
    json_key(&w, "code");
    json_str(&w, slice_of(t->code));
    if (f->field[0]) {
        json_key(&w, "field");
        json_str(&w, slice_of(f->field));
    }
    if (f->allowed[0])
        write_allowed(&w, f->allowed);
    if (f->has_limit) {
        json_key(&w, "limit");
        json_int(&w, (int64_t)(f->limit & ((UINT64_C(1) << 53) - 1)));
    }
    if (f->has_used) {
        json_key(&w, "used");
        json_int(&w, (int64_t)(f->used & ((UINT64_C(1) << 53) - 1)));
    }
    if (f->until) {
        json_key(&w, "resets_at");
        json_time(&w, f->until);
    }
    if (trace_id && trace_id[0]) {
        json_key(&w, "trace_id");
        json_str(&w, slice_of(trace_id));
    }
    json_object_close(&w);
    return strbuf_slice(&b);
}

static bool has_header(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->answer.n_headers; i++)
        if (strcmp(c->answer.headers[i].name, name) == 0)
            return true;
    return false;
}

/* Rate refusals tell how to behave: draft-ietf-httpapi-ratelimit-headers. */
static void add_rate_fields(struct call *c)
{
    if (c->fault.retry_after > 0)
        answer_header(c, "retry-after", slice_of(arena_printf(c->arena, "%d", c->fault.retry_after)));
    if (problem_texts[c->fault.problem].status != 429 || !c->fault.has_limit || has_header(c, "ratelimit"))
        return;
    answer_header(c, "ratelimit-policy",
                  slice_of(arena_printf(c->arena, "\"default\";q=%llu", (unsigned long long)c->fault.limit)));
    answer_header(c, "ratelimit", slice_of(arena_printf(c->arena, "\"default\";r=0;t=%d", c->fault.retry_after)));
}

void answer_problem(struct call *c, enum rc rc)
{
    c->fault.problem = fault_problem(&c->fault, rc);
    /* Whoever is turned away for want of room comes back at a time of its own. */
    if (problem_texts[c->fault.problem].status == 503 && c->fault.retry_after <= 0)
        c->fault.retry_after = 1 + (int)random_below(5);
    c->answer.status = problem_texts[c->fault.problem].status;
    c->answer.content_type = "application/problem+json";
    strbuf_clear(&c->answer.body);
    strbuf_add(&c->answer.body, problem_json(c->arena, &c->fault, c->fault.problem, c->japanese, c->trace_id));
    if (!has_header(c, "retry-after") &&
        c->answer.n_headers + 3 <= sizeof(c->answer.headers) / sizeof(c->answer.headers[0]))
        add_rate_fields(c);
    if (c->fault.problem == PROBLEM_method_not_allowed && c->fault.allowed[0] &&
        c->answer.n_headers < sizeof(c->answer.headers) / sizeof(c->answer.headers[0]))
        answer_header(c, "allow", arena_copy(c->arena, slice_of(c->fault.allowed)));
}

/* "gzip", "gzip;q=0.5", "*"; not "gzip;q=0". */
bool accepts_encoding(struct slice accept, struct slice coding)
{
    bool any = false;

    while (accept.n) {
        struct slice item = slice_cut(&accept, ',');
        struct slice name = slice_trim(slice_cut(&item, ';'));
        struct slice q = slice_trim(item);
        double weight = 1;

        if (slice_starts(q, SLICE("q=")) && !slice_double((struct slice){q.p + 2, q.n - 2}, &weight))
            weight = 0;
        if (slice_ieq(name, coding))
            return weight > 0;
        if (slice_eq(name, SLICE("*")))
            any = weight > 0;
    }
    return any;
}

void answer_compress(struct call *c)
{
    struct slice packed;

    if (c->answer.body.n < COMPRESS_FROM || c->answer.body.over || !c->answer.content_type ||
        has_header(c, "content-encoding") || !accepts_encoding(c->headers.accept_encoding, SLICE("gzip")) ||
        c->answer.n_headers + 2 > sizeof(c->answer.headers) / sizeof(c->answer.headers[0]))
        return;
    if (!slice_starts(slice_of(c->answer.content_type), SLICE("application/json")) &&
        !slice_starts(slice_of(c->answer.content_type), SLICE("application/problem+json")) &&
        !slice_starts(slice_of(c->answer.content_type), SLICE("text/")))
        return;
    packed = gzip_deflate(c->arena, strbuf_slice(&c->answer.body));
    if (!packed.p || packed.n >= c->answer.body.n)
        return;
    strbuf_clear(&c->answer.body);
    strbuf_add(&c->answer.body, packed);
    answer_header(c, "content-encoding", SLICE("gzip"));
    answer_header(c, "vary", SLICE("accept-encoding"));
}
