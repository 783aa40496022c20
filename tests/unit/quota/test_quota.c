/* SPDX-License-Identifier: Apache-2.0 */
/* test_quota.c - the stage and the decision on check-ins, with a Redis of the test's own: away, answering within the
 * call, or later. What Redis' scripts decide is tested with a real one (tests/integration/identity). */
/* links: quota call common wire */
#include "cache/cache.h"
#include "call/make_principal.h"
#include "call/make_scope.h"
#include "quota/quota.h"
#include "quota/quota_local.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum { AWAY, AT_ONCE, LATER } redis;
static struct cache_reply reply;
static struct {
    enum cache_script script;
    char key[3][160];
    char arg[4][32];
    int n_keys, n_args;
    struct call *call;
    void (*done)(struct call *, const struct cache_reply *, void *);
    void *arg_of_done;
} asked;
static int resumed;

void cache_script(struct call *c, enum cache_script s, const struct slice *keys, int n_keys, const struct slice *args,
                  int n_args, void (*done)(struct call *, const struct cache_reply *, void *), void *arg)
{
    asked.script = s;
    asked.n_keys = n_keys;
    asked.n_args = n_args;
    for (int i = 0; i < n_keys; i++)
        snprintf(asked.key[i], sizeof asked.key[i], SLICE_FMT, SLICE_ARG(keys[i]));
    for (int i = 0; i < n_args; i++)
        snprintf(asked.arg[i], sizeof asked.arg[i], SLICE_FMT, SLICE_ARG(args[i]));
    asked.call = c;
    asked.done = done;
    asked.arg_of_done = arg;
    if (redis == AWAY)
        done(c, &(struct cache_reply){0}, arg);
    else if (redis == AT_ONCE)
        done(c, &reply, arg);
}

bool cache_revision_read(const struct cache_reply *r, int at, struct cache_revision *ret)
{
    *ret = (struct cache_revision){.known = true, .digest = r->value[at + 1].str};
    return slice_i64(r->value[at].str, &ret->revision);
}

struct slice cache_revision_key(struct arena *a, int tenant_no, struct uuid device)
{
    char id[UUID_TEXT_SIZE];
    return slice_of(arena_printf(a, "rev:%d:%s", tenant_no, uuid_text(device, id)));
}

static char held[96];
static int64_t held_ms;

void cache_hold(struct slice key, int64_t ms)
{
    snprintf(held, sizeof held, SLICE_FMT, SLICE_ARG(key));
    held_ms = ms;
}

bool cache_revisions_usable(void)
{
    return true;
}

static char forgotten[96];

void cache_forget(struct slice key)
{
    snprintf(forgotten, sizeof forgotten, SLICE_FMT, SLICE_ARG(key));
}

void pipeline_resume(struct call *c)
{
    (void)c;
    resumed++;
}

static const struct tenant lite = {
    .no = 7, .id = "kaede", .min_interval = 1200, .api_rate = 600, .status = TENANT_ACTIVE};
static struct route route;
static struct call call;

static void release(void *snapshot)
{
    (void)snapshot;
}

static struct call *fresh(enum quota_class q, bool user)
{
    static const struct access all = {RIGHTS_ALL, RIGHTS_ALL, RIGHTS_ALL, 0};
    memset(&call, 0, sizeof call);
    memset(&asked, 0, sizeof asked);
    resumed = 0;
    call.arena = arena_new((size_t)1 << 20);
    route = (struct route){.operation = "x", .quota = q};
    call.route = &route;
    snprintf(call.address, sizeof call.address, "192.0.2.9");
    call.principal = user ? principal_user(call.arena, 7, uuid_new(), uuid_new(), SLICE("admin"), &all, false, 0)
                          : principal_device(call.arena, 7, uuid_new(), 0);
    call.scope = scope_make(call.arena, call.principal, &lite, release, NULL);
    return &call;
}

static void done_with(struct call *c)
{
    arena_free(&c->arena);
}

static int setup(void **state)
{
    (void)state;
    quota_start(NULL);
    reply = (struct cache_reply){.ok = true, .n = 4};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    quota_stop();
    return 0;
}

static const char *header(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->answer.n_headers; i++)
        if (strcmp(c->answer.headers[i].name, name) == 0)
            return c->answer.headers[i].value.p;
    return NULL;
}

static void no_class_needs_no_redis(void **state)
{
    (void)state;
    redis = LATER;
    struct call *c = fresh(QUOTA_NONE, true);
    assert_int_equal(quota_take(c), STAGE_NEXT);
    assert_non_null(c->permit);
    assert_null(asked.done);
    done_with(c);
    c = fresh(QUOTA_CHECKIN, false);
    assert_int_equal(quota_take(c), STAGE_NEXT);
    assert_non_null(c->permit);
    done_with(c);
}

static void anonymous_calls_get_no_permit(void **state)
{
    (void)state;
    redis = AT_ONCE;
    reply.value[0].num = 1;
    reply.value[1].num = 12;
    struct call *c = fresh(QUOTA_SIGN_IN, true);
    c->scope = NULL;
    c->principal = principal_anonymous(c->arena);
    assert_int_equal(quota_take(c), STAGE_NEXT);
    assert_null(c->permit);
    assert_string_equal(asked.key[0], "sk:q:sign-in:192.0.2.9");
    assert_string_equal(header(c, "ratelimit-policy"), "\"sign-in\";q=30;w=60");
    assert_string_equal(header(c, "ratelimit"), "\"sign-in\";r=12;t=37");
    done_with(c);
}

static void api_takes_of_session_and_tenant(void **state)
{
    (void)state;
    redis = LATER;
    struct call *c = fresh(QUOTA_API, true);
    assert_int_equal(quota_take(c), STAGE_WAIT);
    assert_int_equal(asked.script, SCRIPT_RATE);
    assert_int_equal(asked.n_keys, 2);
    assert_string_equal(asked.arg[0], "10.000000");
    assert_string_equal(asked.arg[1], "150.000000");
    assert_string_equal(asked.key[1], "sk:q:tenant:7");
    reply.value[0].num = 1;
    reply.value[1].num = 149;
    asked.done(c, &reply, asked.arg_of_done);
    assert_int_equal(resumed, 1);
    assert_int_equal(quota_take(c), STAGE_NEXT);
    assert_non_null(c->permit);
    done_with(c);
}

static void refusal_tells_when(void **state)
{
    (void)state;
    redis = AT_ONCE;
    reply.value[0].num = 0;
    reply.value[2].num = 1;
    reply.value[3].num = 1400;
    struct call *c = fresh(QUOTA_API, true);
    assert_int_equal(quota_take(c), STAGE_DONE);
    assert_null(c->permit);
    assert_int_equal(c->fault.problem, PROBLEM_rate_limited);
    assert_int_equal(c->fault.retry_after, 2);
    assert_string_equal(header(c, "retry-after"), "2");
    assert_string_equal(header(c, "ratelimit"), "\"api\";r=0;t=2");
    done_with(c);
}

static void local_limits_while_redis_is_away(void **state)
{
    (void)state;
    redis = AWAY;
    int allowed = 0;
    for (int i = 0; i < 60; i++) {
        struct call *c = fresh(QUOTA_SIGN_IN, true);
        c->scope = NULL;
        allowed += quota_take(c) == STAGE_NEXT;
        done_with(c);
    }
    assert_in_range(allowed, 30, 31);
}

/* ---- check-ins */

static struct checkin_gate gate;
static int gated;

static void take_gate(struct call *c, const struct checkin_gate *g, void *arg)
{
    (void)c;
    (void)arg;
    gate = *g;
    gated++;
}

static void scheduled_has_a_floor(void **state)
{
    (void)state;
    redis = AT_ONCE;
    gated = 0;
    reply.value[0].num = 1;
    reply.value[2].str = SLICE("41");
    reply.value[3].str = SLICE("abc");
    struct call *c = fresh(QUOTA_CHECKIN, false);
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_int_equal(gated, 1);
    assert_string_equal(asked.arg[0], "floor");
    assert_string_equal(asked.arg[1], "1080000");
    assert_true(gate.allowed && gate.known);
    assert_int_equal(gate.revision, 41);
    assert_true(slice_eq(gate.digest, SLICE("abc")));
    done_with(c);

    reply.value[0].num = 0;
    reply.value[1].num = 1079001;
    c = fresh(QUOTA_CHECKIN, false);
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_false(gate.allowed);
    assert_int_equal(c->fault.problem, PROBLEM_too_early);
    assert_int_equal(c->fault.retry_after, 1080);
    assert_string_equal(header(c, "retry-after"), "1080");
    assert_string_equal(header(c, "ratelimit-policy"), "\"checkin\";q=1;w=1200");
    done_with(c);
}

static void other_reasons_have_buckets(void **state)
{
    (void)state;
    redis = AT_ONCE;
    reply.value[0].num = 1;
    static const enum wire_reason reasons[] = {WIRE_REASON_UNKNOWN,  WIRE_REASON_URGENT, WIRE_REASON_WAKE,
                                               WIRE_REASON_PROGRESS, WIRE_REASON_SPOOL,  WIRE_REASON_START};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct call *c = fresh(QUOTA_CHECKIN, false);
        quota_checkin(c, reasons[i], take_gate, NULL);
        assert_string_equal(asked.arg[0], "bucket");
        assert_non_null(strstr(asked.key[1], wire_reason_text(reasons[i])));
        done_with(c);
    }
}

static void floor_without_redis(void **state)
{
    (void)state;
    redis = AWAY;
    struct call *c = fresh(QUOTA_CHECKIN, false);
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_true(gate.allowed);
    assert_false(gate.known);
    c->answer.n_headers = 0;
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_false(gate.allowed);
    assert_int_equal(c->fault.problem, PROBLEM_too_early);
    quota_checkin(c, WIRE_REASON_URGENT, take_gate, NULL);
    assert_true(gate.allowed);
    done_with(c);
}

static void what_failed_is_given_back(void **state)
{
    (void)state;
    redis = AWAY;
    struct call *c = fresh(QUOTA_CHECKIN, false);
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_true(gate.allowed);
    quota_checkin_return(c, WIRE_REASON_SCHEDULED);
    assert_string_equal(forgotten, asked.key[1]);
    quota_checkin_return(c, WIRE_REASON_SCHEDULED); /* no more than one comes back */
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_true(gate.allowed);
    quota_checkin(c, WIRE_REASON_SCHEDULED, take_gate, NULL);
    assert_false(gate.allowed);
    forgotten[0] = 0;
    quota_checkin_return(c, WIRE_REASON_URGENT);
    assert_string_equal(forgotten, "");
    done_with(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(no_class_needs_no_redis),          T(anonymous_calls_get_no_permit),
        T(api_takes_of_session_and_tenant),  T(refusal_tells_when),
        T(local_limits_while_redis_is_away), T(scheduled_has_a_floor),
        T(other_reasons_have_buckets),       T(floor_without_redis),
        T(what_failed_is_given_back),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
