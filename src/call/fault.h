/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h - what went wrong with a call, said once: for the client (a problem code with its arguments) and for the
 * operator (a sentence, an SQLSTATE). The pipeline turns it into problem+json in the caller's language and one log
 * line. */
#ifndef SEKISHO_FAULT_H
#define SEKISHO_FAULT_H

#include "call/problems.gen.h"
#include "common/clock.h"
#include "common/decode.h"
#include "common/rc.h"

struct call;

struct fault {
    enum problem problem; /* PROBLEM_NONE: the default of the rc */
    char field[200];
    char allowed[240];
    char reason[200];
    bool has_limit;
    uint64_t limit;
    bool has_used;
    uint64_t used;
    usec_t until;        /* for {until}, resets_at; 0 none */
    int retry_after;     /* seconds; 0 none */
    char op_detail[240]; /* operator only */
    char sqlstate[6];
};

/* Each fills c->fault and returns the rc given, so that a refusal is one line: return fault(c, RC_INVALID, PROBLEM_x);
 * The first fault of a call wins. */
enum rc fault(struct call *c, enum rc rc, enum problem p);
enum rc fault_field(struct call *c, enum problem p, const char *field, const char *allowed); /* RC_INVALID */
enum rc fault_reason(struct call *c, enum rc rc, enum problem p, const char *reason);
enum rc fault_decode(struct call *c, const struct decode_error *e); /* RC_INVALID */
enum rc fault_op(struct call *c, enum rc rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* HTTP status and problem for a call that ended with rc (c->fault.problem if set). */
enum problem fault_problem(const struct fault *f, enum rc rc);
/* The text with its arguments filled, in the language; into the arena. */
struct slice fault_text(struct arena *a, const struct fault *f, enum problem p, bool japanese);

#endif
