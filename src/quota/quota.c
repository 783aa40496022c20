/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c - see quota.h. A table says which buckets a class takes from; Redis holds them, or this process while Redis
 * is away: agents and people who are signed in go on with local limits (new sign-ins are refused by their handler). The
 * answer of Redis may come within the call or later; in the latter case the stage is resumed. */
#include "quota/quota.h"
#include "cache/cache.h"
#include "call/make_permit.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "quota/lease.h"
#include "quota/quota_local.h"
#include <stdio.h>

#define TAKES_MAX   2
#define FLOOR_SHARE 0.9 /* of the plan's interval: clocks and networks are not exact */
#define ARG_SIZE    24

struct takes {
    struct slice keys[TAKES_MAX];
    struct quota_rate rates[TAKES_MAX];
    int n;
};

void quota_start(const struct params *p)
{
    (void)p; /* limits are of the plans */
    quota_local_reset();
    lease_start();
}

void quota_stop(void)
{
    lease_stop();
    quota_local_reset();
}

const struct permit *quota_permit_service(struct arena *a, const struct tenant_scope *s)
{
    return permit_make(a, s);
}

/* ---- which buckets */

static void take(struct takes *t, const char *key, double rate, double burst)
{
    must(t->n < TAKES_MAX);
    t->keys[t->n] = slice_of(key);
    t->rates[t->n++] = (struct quota_rate){rate, burst};
}

static const char *subject_key(struct call *c, const char *kind)
{
    char id[UUID_TEXT_SIZE];
    return arena_printf(c->arena, "sk:q:%s:%s", kind, uuid_text(principal_subject(c->principal), id));
}

static const char *address_key(struct call *c, const char *kind)
{
    return arena_printf(c->arena, "sk:q:%s:%s", kind, c->address);
}

/* People: per session, and ten times that for the whole tenant. */
static void take_api(struct call *c, struct takes *t)
{
    char id[UUID_TEXT_SIZE];
    double per_minute = scope_tenant(c->scope)->api_rate;
    if (per_minute < 1)
        per_minute = 60;
    double burst = per_minute / 4 > 30 ? per_minute / 4 : 30; /* a page asks many things at once */
    take(t, arena_printf(c->arena, "sk:q:session:%s", uuid_text(principal_session(c->principal), id)), per_minute / 60,
         burst);
    take(t, arena_printf(c->arena, "sk:q:tenant:%d", scope_tenant(c->scope)->no), per_minute / 6, burst * 10);
}

/* Many people and devices of one company may share an address: these limits stop floods, not crowds. */
static void takes_of(struct call *c, struct takes *t)
{
    switch (c->route->quota) {
    case QUOTA_NONE:
    case QUOTA_CHECKIN: /* quota_checkin: the reason is in the body */
        break;
    case QUOTA_SIGN_IN:
        take(t, address_key(c, "sign-in"), 0.5, 30);
        if (c->scope)
            take(t, subject_key(c, "password"), 0.1, 10);
        break;
    case QUOTA_REFRESH:
        take(t, address_key(c, "refresh"), 5, 200);
        break;
    case QUOTA_API:
        take_api(c, t);
        break;
    case QUOTA_ENROL:
        take(t, address_key(c, "enrol"), 20, 1000);
        break;
    case QUOTA_RENEW:
        take(t, address_key(c, "renew"), 20, 1000);
        break;
    case QUOTA_WAKE:
        take(t, subject_key(c, "wake"), 0.2, 10);
        break;
    case QUOTA_MODULE:
        take(t, subject_key(c, "module"), 2, 100);
        break;
    }
}

/* ---- telling */

static int seconds_up(int64_t ms)
{
    return ms <= 0 ? 1 : (int)((ms + 999) / 1000);
}

static const char *class_name(const struct call *c)
{
    static const char *const names[] = {
        [QUOTA_NONE] = "none",       [QUOTA_SIGN_IN] = "sign-in", [QUOTA_REFRESH] = "refresh",
        [QUOTA_API] = "api",         [QUOTA_ENROL] = "enrol",     [QUOTA_RENEW] = "renew",
        [QUOTA_CHECKIN] = "checkin", [QUOTA_WAKE] = "wake",       [QUOTA_MODULE] = "module"};
    return names[c->route->quota];
}

/* draft-ietf-httpapi-ratelimit-headers: quota and window of the policy, what is left and until when. */
static void tell(struct call *c, int64_t quota, int64_t window, int64_t left, int64_t reset)
{
    answer_header(
        c, "ratelimit-policy",
        slice_of(arena_printf(c->arena, "\"%s\";q=%lld;w=%lld", class_name(c), (long long)quota, (long long)window)));
    answer_header(
        c, "ratelimit",
        slice_of(arena_printf(c->arena, "\"%s\";r=%lld;t=%lld", class_name(c), (long long)left, (long long)reset)));
}

static enum counter cause(const struct call *c, enum problem p)
{
    switch (c->route->quota) {
    case QUOTA_SIGN_IN:
        return C_permits_refused_sign_in;
    case QUOTA_REFRESH:
        return C_permits_refused_refresh;
    case QUOTA_ENROL:
        return C_permits_refused_enrol;
    case QUOTA_RENEW:
        return C_permits_refused_renew;
    case QUOTA_CHECKIN:
        return p == PROBLEM_too_early ? C_permits_refused_checkin_too_early : C_permits_refused_checkin_rate;
    case QUOTA_WAKE:
        return C_permits_refused_wake;
    case QUOTA_MODULE:
        return C_permits_refused_module;
    case QUOTA_NONE:
    case QUOTA_API:
        break;
    }
    return C_permits_refused_api;
}

static enum rc refuse(struct call *c, enum problem p, int64_t quota, int64_t window, int64_t wait_ms)
{
    int seconds = seconds_up(wait_ms);
    count(cause(c, p));
    ev_debug(AREA_QUOTA, "refused", EV_STR("class", class_name(c)), EV_INT("quota", quota), EV_INT("window", window),
             EV_INT("wait_ms", wait_ms));
    c->fault.retry_after = seconds;
    c->fault.has_limit = c->fault.has_used = true;
    c->fault.limit = c->fault.used = (uint64_t)quota;
    c->fault.until = clock_now() + seconds * USEC_PER_SEC;
    answer_header(c, "retry-after", slice_of(arena_printf(c->arena, "%d", seconds)));
    tell(c, quota, window, 0, seconds);
    return fault(c, RC_OVER_QUOTA, p);
}

static int64_t window_of(const struct quota_rate *r)
{
    return (int64_t)(r->burst / r->rate + 0.5);
}

/* ---- the stage */

struct waiting {
    struct takes takes;
    struct quota_outcome outcome;
    bool answered;
    bool left_stage; /* STAGE_WAIT was returned: the answer has to resume */
};

static enum stage_result conclude(struct call *c, const struct waiting *w)
{
    const struct quota_outcome *o = &w->outcome;
    if (!o->allowed) {
        const struct quota_rate *r = &w->takes.rates[o->refused];
        (void)refuse(c, PROBLEM_rate_limited, (int64_t)r->burst, window_of(r), o->wait_ms);
        return STAGE_DONE;
    }
    if (w->takes.n) {
        const struct quota_rate *r = &w->takes.rates[0];
        int64_t missing = (int64_t)r->burst - o->left;
        tell(c, (int64_t)r->burst, window_of(r), o->left, missing > 0 ? (int64_t)((double)missing / r->rate) + 1 : 0);
    }
    if (c->scope)
        c->permit = permit_make(c->arena, c->scope);
    return STAGE_NEXT;
}

static void rated(struct call *c, const struct cache_reply *r, void *arg)
{
    struct waiting *w = arg;
    if (r->ok && r->n == 4)
        w->outcome = (struct quota_outcome){.allowed = r->value[0].num == 1,
                                            .left = r->value[1].num,
                                            .refused = r->value[2].num > 0 ? (int)r->value[2].num - 1 : 0,
                                            .wait_ms = r->value[3].num};
    else
        w->outcome = quota_local_take(w->takes.keys, w->takes.rates, w->takes.n, clock_mono_ns());
    if (w->outcome.refused >= w->takes.n)
        w->outcome.refused = 0;
    w->answered = true;
    if (w->left_stage)
        pipeline_resume(c);
}

static struct slice number(struct call *c, double v)
{
    char *text = arena_alloc(c->arena, ARG_SIZE);
    int n = snprintf(text, ARG_SIZE, "%.6f", v);
    return slice_mem(text, (size_t)n);
}

enum stage_result quota_take(struct call *c)
{
    struct waiting *w = c->stage_state;
    if (w)
        return conclude(c, w);
    w = ARENA_NEW(c->arena, struct waiting);
    takes_of(c, &w->takes);
    if (w->takes.n == 0) {
        w->outcome.allowed = true;
        return conclude(c, w);
    }
    struct slice args[2 * TAKES_MAX];
    for (int i = 0; i < w->takes.n; i++) {
        args[2 * i] = number(c, w->takes.rates[i].rate);
        args[2 * i + 1] = number(c, w->takes.rates[i].burst);
    }
    cache_script(c, SCRIPT_RATE, w->takes.keys, w->takes.n, args, 2 * w->takes.n, rated, w);
    if (w->answered)
        return conclude(c, w);
    c->stage_state = w;
    w->left_stage = true;
    return STAGE_WAIT;
}

/* ---- check-ins */

struct checkin_ask {
    enum wire_reason reason;
    struct slice keys[3];
    struct quota_rate rate; /* scheduled: one per floor */
    int64_t floor_s;        /* scheduled; else 0 */
    void (*done)(struct call *c, const struct checkin_gate *gate, void *arg);
    void *arg;
};

/* Tokens a second and burst of check-ins that are not scheduled, per device. */
static struct quota_rate rate_of(enum wire_reason reason)
{
    switch (reason) {
    case WIRE_REASON_URGENT:
        return (struct quota_rate){1, 20};
    case WIRE_REASON_WAKE:
        return (struct quota_rate){1, 20};
    case WIRE_REASON_PROGRESS: /* one per 2 s and execution; several may run */
        return (struct quota_rate){1, 10};
    case WIRE_REASON_SPOOL:
        return (struct quota_rate){5, 50};
    case WIRE_REASON_START:
        return (struct quota_rate){1.0 / 30, 10};
    case WIRE_REASON_SCHEDULED:
    case WIRE_REASON_UNKNOWN:
        break;
    }
    return (struct quota_rate){1.0 / 60, 5};
}

static void gate_open(struct call *c, const struct checkin_ask *k, const struct quota_outcome *o,
                      const struct cache_revision *r)
{
    struct checkin_gate gate = {.allowed = o->allowed, .known = r->known, .revision = r->revision, .digest = r->digest};
    if (!o->allowed && k->floor_s)
        (void)refuse(c, PROBLEM_too_early, 1, k->floor_s, o->wait_ms);
    else if (!o->allowed)
        (void)refuse(c, PROBLEM_rate_limited, (int64_t)k->rate.burst, window_of(&k->rate), o->wait_ms);
    k->done(c, &gate, k->arg);
}

static void leased(struct call *c, const struct checkin_ask *k, const struct quota_outcome *o,
                   const struct cache_revision *r)
{
    struct uuid device = principal_subject(c->principal);
    uint64_t now = clock_mono_ns();
    if (o->allowed)
        lease_begin(device, k->reason, &k->rate, now);
    if (r->known)
        lease_fill(device, r->revision, r->digest, now);
}

static void checkin_rated(struct call *c, const struct cache_reply *r, void *arg)
{
    struct checkin_ask *k = arg;
    struct cache_revision revision = {0};
    struct quota_outcome o;
    if (r->ok && r->n == 4) {
        o = (struct quota_outcome){.allowed = r->value[0].num == 1, .wait_ms = r->value[1].num};
        if (!cache_revision_read(r, 2, &revision))
            revision = (struct cache_revision){0};
        leased(c, k, &o, &revision);
    } else {
        o = quota_local_take(&k->keys[1], &k->rate, 1, clock_mono_ns());
    }
    gate_open(c, k, &o, &revision);
}

/* The lease decides alone, or does not. */
static bool by_lease(struct call *c, const struct checkin_ask *k)
{
    struct lease_view v;
    if (!lease_take(principal_subject(c->principal), k->reason, &k->rate, clock_mono_ns(), &v))
        return false;
    struct quota_outcome o = {.allowed = v.allowed, .wait_ms = v.wait_ms};
    struct cache_revision r = {.known = v.known, .revision = v.revision, .digest = slice_mem(v.digest, v.digest_n)};
    r.digest = arena_copy(c->arena, r.digest);
    gate_open(c, k, &o, &r);
    return true;
}

void quota_checkin(struct call *c, enum wire_reason reason,
                   void (*done)(struct call *c, const struct checkin_gate *gate, void *arg), void *arg)
{
    const struct tenant *t = scope_tenant(c->scope);
    struct uuid device = principal_subject(c->principal);
    struct checkin_ask *k = ARENA_NEW(c->arena, struct checkin_ask);
    *k = (struct checkin_ask){.reason = reason, .rate = rate_of(reason), .done = done, .arg = arg};
    if (reason == WIRE_REASON_SCHEDULED) {
        k->floor_s = t->min_interval > 0 ? t->min_interval : 1;
        k->rate = (struct quota_rate){1 / ((double)k->floor_s * FLOOR_SHARE), 1};
    }
    if (by_lease(c, k))
        return;
    k->keys[0] = cache_revision_key(c->arena, t->no, device);
    k->keys[1] = slice_of(quota_checkin_key(arena_alloc(c->arena, QUOTA_KEY_MAX), reason, device));
    k->keys[2] = SLICE(CACHE_ERA_KEY);
    struct slice args[3];
    int n = 3;
    if (k->floor_s) {
        args[0] = SLICE("floor");
        args[1] = slice_of(arena_printf(c->arena, "%lld", (long long)(1000 / k->rate.rate + 0.5)));
        n = 2;
    } else {
        args[0] = SLICE("bucket");
        args[1] = number(c, k->rate.rate);
        args[2] = number(c, k->rate.burst);
    }
    cache_script(c, SCRIPT_CHECKIN, k->keys, 3, args, n, checkin_rated, k);
}

void quota_checkin_return(struct call *c, enum wire_reason reason)
{
    if (reason != WIRE_REASON_SCHEDULED)
        return; /* buckets have room for another try */
    struct uuid device = principal_subject(c->principal);
    char key[QUOTA_KEY_MAX];
    count(C_checkins_given_back);
    lease_give_back(device, reason);
    cache_forget(slice_of(quota_checkin_key(key, reason, device)));
    quota_local_give(slice_of(key));
}

void quota_checkin_fill(struct uuid device, int64_t revision, struct slice digest)
{
    lease_fill(device, revision, digest, clock_mono_ns());
}
