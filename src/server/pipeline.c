/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.c - the life of a call, one row per stage: each makes the pass that the next one needs. Runs on the call's
 * home loop thread. A row that waits is entered again when pipeline_resume is called; the last row gives the call away.
 */
#include "server/pipeline.h"
#include "call/call.h"
#include "call/stage.h"
#include "common/must.h"
#include "edge/edge.h"
#include "identity/identity.h"
#include "quota/quota.h"
#include "tenant/tenant.h"
#include "worker/pool.h"
#include "worker/refusals.h"

static enum stage_result serve(struct call *c);

#define STAGES(X)                                                                  \
    X(admit, edge_admit)          /* address, method, size of the body -> route */ \
    X(identify, identity_resolve) /* -> principal */                               \
    X(scope, tenant_stage)        /* -> scope */                                   \
    X(permit, quota_take)         /* -> permit */                                  \
    X(serve, serve)               /* the handler: here, on a worker, or through a batch */

static const struct {
    const char *name;
    enum stage_result (*fn)(struct call *c);
} stages[] = {
#define X(name, fn) {#name, fn},
    STAGES(X)
#undef X
};

static enum stage_result serve_here(struct call *c)
{
    enum rc rc = c->route->serve(c);

    if (rc != RC_OK)
        answer_problem(c, rc);
    else if (c->route->stream && c->answer.status == 0)
        return STAGE_WAIT; /* the stream is opened, and the call finished, when what the handler asked for has come */
    return STAGE_DONE;
}

static enum stage_result serve_on_worker(struct call *c)
{
    if (worker_submit(c) == RC_OK)
        return STAGE_WAIT;
    answer_problem(c, fault(c, RC_UNAVAILABLE, PROBLEM_busy));
    return STAGE_DONE;
}

static enum stage_result serve(struct call *c)
{
    switch (c->route->where) {
    case WHERE_LOOP:
        return serve_here(c);
    case WHERE_BLOCKING:
    case WHERE_SLOW:
        return serve_on_worker(c);
    case WHERE_BATCH:
        (void)c->route->serve(c); /* answers and finishes by itself, maybe already */
        return STAGE_WAIT;
    }
    must(!"a route runs somewhere");
    return STAGE_DONE;
}

static void end(struct call *c)
{
    if (c->answer.status == 0 && !atomic_load(&c->cancelled)) {
        answer_problem(c, RC_INTERNAL); /* of the fault, when a stage has filled it */
        refusals_note(c, RC_INTERNAL);
    }
    call_finish(c);
}

static enum stage_result run(struct call *c)
{
    enum stage_result r;

    must_context(stages[c->stage].name, c->route ? c->route->operation : NULL);
    call_context(c);
    r = stages[c->stage].fn(c); /* c may be gone afterwards */
    call_context(NULL);
    must_context(NULL, NULL);
    return r;
}

void pipeline_resume(struct call *c)
{
    must(loop_current() == c->home);
    while (!atomic_load(&c->cancelled)) {
        switch (run(c)) {
        case STAGE_NEXT:
            c->stage++;
            c->stage_state = NULL;
            must((size_t)c->stage < sizeof(stages) / sizeof(stages[0]));
            continue;
        case STAGE_WAIT:
            return; /* c is not ours any more */
        case STAGE_DONE:
            break;
        }
        break;
    }
    end(c);
}

void pipeline_begin(struct call *c)
{
    c->stage = 0;
    pipeline_resume(c);
}
