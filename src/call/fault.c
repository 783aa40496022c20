/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - filling a call's fault and turning it into words. The first fault of a call wins: what happens while one
 * refusal is being handled does not hide its cause. Runs on the thread that owns the call. */
#include "call/call.h"
#include <stdarg.h>
#include <stdio.h>

/* What a client is told when a stage gave only its rc. */
static const enum problem defaults[] = {
    [RC_OK] = PROBLEM_internal,
    [RC_NOT_FOUND] = PROBLEM_not_found,
    [RC_CONFLICT] = PROBLEM_conflict,
    [RC_DENIED] = PROBLEM_permission_denied,
    [RC_OVER_QUOTA] = PROBLEM_rate_limited,
    [RC_INVALID] = PROBLEM_request_malformed,
    [RC_UNAVAILABLE] = PROBLEM_unavailable,
    [RC_UNCERTAIN] = PROBLEM_uncertain,
    [RC_INTERNAL] = PROBLEM_internal,
};

static void copy(char *out, size_t size, const char *s)
{
    struct slice head = slice_utf8_head(slice_of(s), size - 1);

    memcpy(out, head.p ? head.p : "", head.n);
    out[head.n] = 0;
}

static bool first(struct call *c, enum problem p)
{
    if (c->fault.problem != PROBLEM_NONE)
        return false;
    c->fault.problem = p;
    return true;
}

enum rc fault(struct call *c, enum rc rc, enum problem p)
{
    (void)first(c, p);
    return rc;
}

enum rc fault_field(struct call *c, enum problem p, const char *field, const char *allowed)
{
    if (first(c, p)) {
        copy(c->fault.field, sizeof(c->fault.field), field);
        copy(c->fault.allowed, sizeof(c->fault.allowed), allowed);
    }
    return RC_INVALID;
}

enum rc fault_reason(struct call *c, enum rc rc, enum problem p, const char *reason)
{
    if (first(c, p))
        copy(c->fault.reason, sizeof(c->fault.reason), reason);
    return rc;
}

enum rc fault_decode(struct call *c, const struct decode_error *e)
{
    enum problem p = e->code ? problem_by_code(e->code) : PROBLEM_NONE;

    if (first(c, p == PROBLEM_NONE ? PROBLEM_request_malformed : p)) {
        copy(c->fault.field, sizeof(c->fault.field), e->field);
        copy(c->fault.allowed, sizeof(c->fault.allowed), e->allowed);
        copy(c->fault.reason, sizeof(c->fault.reason), e->reason);
        c->fault.limit = e->limit;
        c->fault.has_limit = e->limit != 0;
    }
    return RC_INVALID;
}

enum rc fault_op(struct call *c, enum rc rc, const char *fmt, ...)
{
    va_list ap;

    if (c->fault.op_detail[0])
        return rc;
    va_start(ap, fmt);
    vsnprintf(c->fault.op_detail, sizeof(c->fault.op_detail), fmt, ap);
    va_end(ap);
    return rc;
}

enum problem fault_problem(const struct fault *f, enum rc rc)
{
    if (f->problem != PROBLEM_NONE)
        return f->problem;
    return (size_t)rc < sizeof(defaults) / sizeof(defaults[0]) ? defaults[rc] : PROBLEM_internal;
}

static void add_time(struct strbuf *b, usec_t t)
{
    char text[CLOCK_RFC3339_SIZE];

    strbuf_add_str(b, clock_rfc3339(t, text));
}

/* Adds the value of {name}; false: no such argument, the text then stays as it is. */
static bool add_argument(struct strbuf *b, const struct fault *f, struct slice name)
{
    if (slice_eq(name, SLICE("field")))
        strbuf_add_str(b, f->field[0] ? f->field : "-");
    else if (slice_eq(name, SLICE("allowed")))
        strbuf_add_str(b, f->allowed[0] ? f->allowed : "-");
    else if (slice_eq(name, SLICE("reason")))
        strbuf_add_str(b, f->reason[0] ? f->reason : "-");
    else if (slice_eq(name, SLICE("limit")))
        strbuf_add_u64(b, f->limit);
    else if (slice_eq(name, SLICE("used")))
        strbuf_add_u64(b, f->used);
    else if (slice_eq(name, SLICE("seconds")))
        strbuf_add_i64(b, f->retry_after);
    else if (slice_eq(name, SLICE("until")))
        add_time(b, f->until);
    else
        return false;
    return true;
}

struct slice fault_text(struct arena *a, const struct fault *f, enum problem p, bool japanese)
{
    struct slice rest = slice_of(japanese ? problem_texts[p].ja : problem_texts[p].en);
    struct strbuf b;
    size_t open, close;

    strbuf_init_arena(&b, a, 4096);
    while (slice_find(rest, '{', &open)) {
        struct slice behind = {rest.p + open + 1, rest.n - open - 1};

        strbuf_add(&b, (struct slice){rest.p, open});
        if (slice_find(behind, '}', &close) && add_argument(&b, f, (struct slice){behind.p, close})) {
            rest = (struct slice){behind.p + close + 1, behind.n - close - 1};
        } else {
            strbuf_add_char(&b, '{');
            rest = behind;
        }
    }
    strbuf_add(&b, rest);
    return strbuf_slice(&b);
}
