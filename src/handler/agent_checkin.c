/* SPDX-License-Identifier: Apache-2.0 */
/* agent_checkin.c - the hot path. On the home loop: decode (small bodies), ask Redis once for permission and the cached
 * revision, and when nothing changed answer there, without SQL. Otherwise the check-in becomes an item of a batch, and
 * the answer is made on the batch worker, after the commit. Larger and compressed bodies are inflated and decoded on a
 * blocking worker first. One struct checkin per call, in its arena; exactly one of the ways below ends in call_finish.
 */
#include "cache/cache.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/params.h"
#include "domain/checkin.h"
#include "handler/agent.h"
#include "handler/api.gen.h"
#include "handler/glue.h"
#include "push/live.h"
#include "push/presence.h"
#include "quota/quota.h"
#include <stdio.h>

enum { LOOP_BODY_MAX = 4096, BYPASS_ONE_IN = 50 };

static const struct params *params;
static struct batch_pool *batches;

struct checkin {
    struct batch_item item; /* first: done() gets it */
    struct call *call;
    struct wire_checkin_request request;
    struct wire_checkin_response answer;
    struct checkin_plan plan;
    int interval;
    usec_t now;
};

void agent_handlers_start(const struct params *p, struct batch_pool *b)
{
    params = p;
    batches = b;
    agent_module_start(p);
}

static void refuse(struct call *c, enum rc rc)
{
    answer_problem(c, rc);
    call_finish(c);
}

/* The same after quota/ had let it in: what failed on our side does not count as the device's check-in of this time. */
static void refuse_later(struct checkin *k, enum rc rc)
{
    struct call *c = k->call;
    answer_problem(c, rc);
    if (c->answer.status >= 500)
        quota_checkin_return(c, k->request.reason);
    call_finish(c);
}

/* ---- the answer, on whichever thread has it */

static void answer_write(struct checkin *k)
{
    struct call *c = k->call;
    struct wire_checkin_response *r = &k->answer;
    r->interval = k->interval;
    r->next_contact = checkin_next_contact(k->interval);
    r->server_time = k->now;
    r->has_renew = r->renew = checkin_renew(principal_expires(c->principal), k->now, (int)params->certificate_days);
    struct json_writer w;
    json_start(&w, &c->answer.body);
    wire_checkin_response_encode(&w, r);
    c->answer.status = 200;
    c->answer.content_type = "application/json";
    count(C_checkins);
    call_finish(c);
}

/* ---- with SQL: after the commit, on a batch worker */

static void tell_consoles(int tenant_no, const struct checkin *k, const struct checkin_outcome *o)
{
    if (o->news.detections)
        live_hint(tenant_no, LIVE_detections);
    if (o->news.executions)
        live_hint(tenant_no, LIVE_tasks);
    if (o->news.quarantine)
        live_hint(tenant_no, LIVE_quarantine);
    if (o->facts_changed || o->news.detections || k->answer.new_epoch)
        live_hint(tenant_no, LIVE_devices);
}

static void committed(struct batch_item *item, enum rc rc, const char *sqlstate)
{
    struct checkin *k = (struct checkin *)item;
    struct call *c = k->call;
    call_context(c);
    if (rc != RC_OK) {
        if (sqlstate)
            memccpy(c->fault.sqlstate, sqlstate, 0, sizeof c->fault.sqlstate - 1);
        refuse_later(k, rc);
        return;
    }
    struct checkin_outcome o;
    checkin_answer(item, &k->plan, &k->request, &k->answer, &o);
    if (!o.exists) {
        (void)fault(c, RC_DENIED, PROBLEM_device_removed);
        refuse(c, RC_DENIED);
        return;
    }
    if (clock_mono_ns() >= c->deadline_ns) /* it was told that the time was over and will come again */
        quota_checkin_return(c, k->request.reason);
    int tenant_no = principal_tenant_no(c->principal);
    cache_revision_fill(tenant_no, item->device, o.revision, o.digest);
    quota_checkin_fill(item->device, o.revision, o.digest);
    tell_consoles(tenant_no, k, &o);
    answer_write(k);
}

static void tell(const struct checkin *k, const char *how)
{
    char id[UUID_TEXT_SIZE];
    ev_debug(AREA_HANDLER, "check-in", EV_STR("device", uuid_text(principal_subject(k->call->principal), id)),
             EV_STR("reason", wire_reason_text(k->request.reason)), EV_STR("how", how),
             EV_INT("events", k->request.n_events), EV_INT("facts", k->request.n_facts),
             EV_INT("revision", k->request.revision), EV_INT("bytes", k->call->body.n));
}

static void with_sql(struct checkin *k)
{
    struct call *c = k->call;
    k->item.arena = c->arena;
    k->item.permit = c->permit;
    k->item.device = principal_subject(c->principal);
    k->item.trace_id = c->trace_id;
    k->item.cancelled = NULL; /* what was reported is written even if the agent did not wait for the answer */
    k->item.done = committed;
    checkin_plan(&k->item, &k->request, k->interval, k->now, &k->plan);
    c->latency = C_checkin_written_seconds;
    observe(C_checkin_statements, k->item.n_calls);
    tell(k, "written");
    call_context(NULL); /* the item may be done, and c gone, before batch_submit returns */
    enum rc rc = batch_submit(batches, &k->item);
    if (rc != RC_OK) {
        (void)fault(c, rc, PROBLEM_busy);
        refuse_later(k, rc);
    }
}

/* ---- on the home loop, with Redis' answer (or without Redis) */

static void gated(struct call *c, const struct checkin_gate *gate, void *arg)
{
    struct checkin *k = arg;
    call_context(c);
    if (!gate->allowed) { /* quota/ has filled the fault and the RateLimit fields */
        refuse(c, RC_OVER_QUOTA);
        return;
    }
    struct uuid device = principal_subject(c->principal);
    presence_note(principal_tenant_no(c->principal), device, k->now, c->address);
    bool bypass = random_below(BYPASS_ONE_IN) == 0;
    if (checkin_unchanged(&k->request, gate->known, gate->revision, gate->digest)) {
        if (!bypass) {
            k->answer.revision = gate->revision;
            k->answer.facts_digest = gate->digest;
            k->answer.ack = k->request.spool.tail - 1;
            count(C_checkins_unchanged);
            observe(C_checkin_statements, 0);
            c->latency = C_checkin_unchanged_seconds;
            tell(k, "unchanged");
            answer_write(k);
            return;
        }
        count(C_checkins_bypassed);
    }
    with_sql(k);
}

static void ask(void *arg)
{
    struct checkin *k = arg;
    quota_checkin(k->call, k->request.reason, gated, k);
}

/* ---- decoding */

static enum rc decode(struct call *c, struct checkin *k)
{
    struct slice text;
    struct decode_error error = {0};
    enum rc rc = glue_body(c, &text);
    if (rc != RC_OK)
        return rc;
    rc = wire_checkin_request_parse(c->arena, text, &k->request, &error);
    if (rc != RC_OK)
        return fault_decode(c, &error);
    return checkin_check(c, &k->request);
}

static struct checkin *begin(struct call *c)
{
    struct checkin *k = ARENA_NEW(c->arena, struct checkin);
    k->call = c;
    k->now = clock_now();
    enum rc rc = decode(c, k);
    if (rc != RC_OK) {
        refuse(c, rc);
        return NULL;
    }
    k->interval = checkin_interval(scope_tenant(c->scope), &k->request, (int)params->default_interval);
    return k;
}

static void begin_on_worker(struct call *c)
{
    struct checkin *k = begin(c);
    if (k)
        loop_post(c->home, ask, k);
}

void agent_checkin(struct call *c)
{
    if (c->headers.content_encoding.n || c->body.n > LOOP_BODY_MAX) {
        enum rc rc = call_offload(c, begin_on_worker);
        if (rc != RC_OK) {
            (void)fault(c, rc, PROBLEM_busy);
            refuse(c, rc);
        }
        return;
    }
    struct checkin *k = begin(c);
    if (k)
        ask(k);
}
