/* SPDX-License-Identifier: Apache-2.0 */
/* redis.c - hiredis on our loop. hiredis owns its context and frees it by itself when the connection ends; we hold the
 * pointer until its disconnect callback. Requests wait in order; when the oldest has waited too long the connection is
 * given up as a whole: an answer that late helps nobody, and the ones behind it are later still. */
#include "cache/redis.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/id.h"
#include "common/must.h"
#include "common/params.h"
#include <errno.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 400, TICK_MS = 50, PENDING_MAX = 20000, BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 2000, ARGS_MAX = 24 };

struct request {
    struct redis *redis;
    void (*done)(const struct redisReply *, void *);
    void *arg;
    uint64_t sent_ns;
    struct request *next;
};

struct redis {
    struct loop *loop;
    const struct params *params;
    redisAsyncContext *context; /* NULL between connections */
    struct loop_watch *watch;
    struct loop_timer *tick;
    struct request *oldest, **newest; /* waiting for replies, in order */
    int pending;
    int backoff_ms;
    uint64_t retry_ns;
    atomic_bool up;
    const struct request *late; /* the oldest, when the last tick found it late */
    bool listening;
    bool closing;
    void (*on_up)(struct redis *, void *);
    void *on_up_arg;
};

/* ---- hiredis' events on our loop */

static void readable(void *arg)
{
    struct redis *r = arg;
    if (r->context)
        redisAsyncHandleRead(r->context);
}

static void writable(void *arg)
{
    struct redis *r = arg;
    if (r->context)
        redisAsyncHandleWrite(r->context);
}

static void watch_write(void *arg)
{
    loop_watch_write(((struct redis *)arg)->watch);
}

static void no_change(void *arg)
{
    (void)arg; /* we always read, and ask for writing once per wish */
}

static void unwatch(void *arg)
{
    struct redis *r = arg;
    loop_watch_stop(&r->watch);
}

/* ---- connecting */

static void set_up(struct redis *r, bool up)
{
    if (atomic_exchange(&r->up, up) == up)
        return;
    if (!r->listening && loop_index(r->loop) == 0)
        count_set(C_redis_up, up);
    if (up)
        ev_info(AREA_CACHE, "redis answers", EV_STR("role", r->listening ? "channels" : "commands"));
    else
        ev_warn(AREA_CACHE, "redis is away", EV_STR("role", r->listening ? "channels" : "commands"));
}

/* Before hiredis ends the waiting requests: what they begin anew must not go to this connection. */
static void lost(struct redis *r)
{
    r->context = NULL;
    set_up(r, false);
    r->backoff_ms = r->backoff_ms ? r->backoff_ms * 2 : BACKOFF_MIN_MS;
    if (r->backoff_ms > BACKOFF_MAX_MS)
        r->backoff_ms = BACKOFF_MAX_MS;
    r->retry_ns = clock_mono_ns() + ((uint64_t)r->backoff_ms + random_below((uint64_t)r->backoff_ms)) * 1000000;
}

static void greeted(redisAsyncContext *context, void *reply_of_hiredis, void *arg)
{
    const redisReply *reply = reply_of_hiredis;
    struct redis *r = arg;
    (void)context;
    if (!reply || r->closing)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        ev_error(AREA_CACHE, "redis refused the password or the command", EV_STR("why", reply->str));
        return;
    }
    r->backoff_ms = 0;
    set_up(r, true);
    if (r->on_up)
        r->on_up(r, r->on_up_arg);
}

static void connected(const redisAsyncContext *context, int status)
{
    if (status != REDIS_OK)
        lost(context->data); /* hiredis frees the context after this */
}

static void disconnected(const redisAsyncContext *context, int status)
{
    struct redis *r = context->data;
    (void)status;
    if (r->context == context)
        lost(r);
}

static redisAsyncContext *context_make(const char *where)
{
    struct slice host = slice_of(where), port = SLICE_NONE;
    int number;
    if (where[0] == '/')
        return redisAsyncConnectUnix(where);
    port = host;
    host = slice_cut(&port, ':');
    char name[256];
    if (!slice_int(port, 1, 65535, &number) || host.n >= sizeof name)
        return NULL;
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    return redisAsyncConnect(name, number);
}

static void connect_now(struct redis *r)
{
    redisAsyncContext *context = context_make(r->params->redis);
    if (!context || context->err) {
        if (context)
            redisAsyncFree(context);
        lost(r);
        return;
    }
    r->context = context;
    context->data = r;
    r->watch = loop_watch_start(r->loop, context->c.fd, readable, writable, r);
    context->ev.data = r;
    context->ev.addRead = no_change;
    context->ev.delRead = no_change;
    context->ev.addWrite = watch_write;
    context->ev.delWrite = no_change;
    context->ev.cleanup = unwatch;
    redisAsyncSetConnectCallback(context, connected);
    redisAsyncSetDisconnectCallback(context, disconnected);
    if (r->params->redis_password[0])
        redisAsyncCommand(context, NULL, NULL, "AUTH %s", r->params->redis_password);
    redisAsyncCommand(context, greeted, r, "PING");
}

static void give_up(struct redis *r)
{
    redisAsyncContext *context = r->context;
    if (!context)
        return;
    lost(r);
    redisAsyncFree(context); /* ends all requests with NULL replies */
}

/* Late is what was late at the last tick too: when the loop itself was held up, the reply may be waiting to be read. */
static bool too_slow(struct redis *r)
{
    const struct request *before = r->late;
    r->late = NULL;
    if (!r->context || !r->oldest || clock_mono_ns() - r->oldest->sent_ns < (uint64_t)TIMEOUT_MS * 1000000)
        return false;
    r->late = r->oldest;
    return r->late == before;
}

static void tick(void *arg)
{
    struct redis *r = arg;
    if (too_slow(r)) {
        ev_warn(AREA_CACHE, "redis is too slow", EV_INT("waiting", r->pending));
        count(C_redis_errors);
        give_up(r);
    }
    if (!r->context && clock_mono_ns() >= r->retry_ns)
        connect_now(r);
    r->tick = loop_timer_start(r->loop, TICK_MS, tick, r);
}

/* ---- commands */

static void replied(redisAsyncContext *context, void *reply, void *arg)
{
    struct request *q = arg;
    struct redis *r = q->redis;
    (void)context;
    must(r->oldest == q);
    r->oldest = q->next;
    if (!r->oldest)
        r->newest = &r->oldest;
    r->pending--;
    if (!reply)
        count(C_redis_errors);
    if (q->done)
        q->done(reply, q->arg);
    free(q);
}

static void refused(struct request *q)
{
    struct redis *r = q->redis;
    struct request **at = &r->oldest;
    while (*at != q)
        at = &(*at)->next;
    *at = NULL; /* it was the newest */
    r->newest = at;
    r->pending--;
    count(C_redis_errors);
    if (q->done)
        q->done(NULL, q->arg);
    free(q);
}

void redis_send(struct redis *r, int argc, const struct slice *argv, void (*done)(const struct redisReply *, void *),
                void *arg)
{
    const char *text[ARGS_MAX];
    size_t length[ARGS_MAX];
    must(argc <= ARGS_MAX);
    if (!redis_up(r) || !r->context || r->pending >= PENDING_MAX) {
        count(C_redis_errors);
        if (done)
            done(NULL, arg);
        return;
    }
    for (int i = 0; i < argc; i++) {
        text[i] = argv[i].p ? argv[i].p : "";
        length[i] = argv[i].n;
    }
    struct request *q = must_alloc(sizeof *q);
    *q = (struct request){.redis = r, .done = done, .arg = arg, .sent_ns = clock_mono_ns()};
    *r->newest = q;
    r->newest = &q->next;
    r->pending++;
    count(C_redis_commands);
    if (redisAsyncCommandArgv(r->context, replied, q, argc, text, length) != REDIS_OK)
        refused(q); /* the connection is ending */
}

static void heard(redisAsyncContext *context, void *reply_of_hiredis, void *arg)
{
    const redisReply *reply = reply_of_hiredis;
    const struct redis_listener *l = arg;
    (void)context;
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        reply->element[0]->type == REDIS_REPLY_STRING && slice_eq(slice_of(reply->element[0]->str), SLICE("message")) &&
        reply->element[2]->type == REDIS_REPLY_STRING)
        l->fn(slice_mem(reply->element[2]->str, (size_t)reply->element[2]->len), l->arg);
}

void redis_listen(struct redis *r, const struct redis_listener *l)
{
    union {
        const struct redis_listener *in;
        void *out;
    } listener = {.in = l}; /* hiredis wants a plain pointer; heard() reads only */
    r->listening = true;
    redisAsyncCommand(r->context, heard, listener.out, "SUBSCRIBE %s", l->channel);
}

/* ---- life */

bool redis_up(const struct redis *r)
{
    return atomic_load_explicit(&r->up, memory_order_relaxed);
}

struct redis *redis_new(struct loop *l, const struct params *p, void (*on_up)(struct redis *, void *), void *arg)
{
    struct redis *r = must_alloc(sizeof *r);
    *r = (struct redis){.loop = l, .params = p, .on_up = on_up, .on_up_arg = arg};
    r->newest = &r->oldest;
    tick(r);
    return r;
}

void redis_free(struct redis **r)
{
    if (!*r)
        return;
    (*r)->closing = true;
    loop_timer_cancel(&(*r)->tick);
    give_up(*r);
    free(*r);
    *r = NULL;
}
