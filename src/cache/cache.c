/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - the contract of cache.h over one connection per loop and one for channels. */
#include "cache/cache.h"
#include "cache/blocking.h"
#include "cache/redis.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOPS_MAX = 16, CHANNELS_MAX = 8, RETURNS_MAX = 8, ENTRY_LIFE_S = 15 * 60, TOMBSTONE_MS = 30000 };
#define DISTRUST_NS (UINT64_C(30) * 1000000000)
#define TOMBSTONE   "!"
#define KEY_MAX     96

static struct redis *commands[LOOPS_MAX]; /* by loop */
static struct redis *channels;            /* on loop 0 */
static struct redis_listener listeners[CHANNELS_MAX];
static size_t n_listeners;
static void (*returns[RETURNS_MAX])(void);
static size_t n_returns;
static bool channels_were_up;
/* Until then revision entries are not used: a tombstone could not be set. */
static atomic_uint_fast64_t distrusted_until;
/* And when Redis is back, its entries of the old era are no good any more. */
static atomic_bool era_over;

bool cache_up(void)
{
    return commands[0] && redis_up(commands[0]);
}

/* ---- keys and entries */

static struct slice revision_key(char out[KEY_MAX], int tenant_no, struct uuid device)
{
    char id[UUID_TEXT_SIZE];
    int n = snprintf(out, KEY_MAX, "sk:r:%d:%s", tenant_no, uuid_text(device, id));
    return slice_mem(out, (size_t)n);
}

struct slice cache_revision_key(struct arena *a, int tenant_no, struct uuid device)
{
    return revision_key(arena_alloc(a, KEY_MAX), tenant_no, device);
}

bool cache_revisions_usable(void)
{
    return clock_mono_ns() >= atomic_load_explicit(&distrusted_until, memory_order_relaxed);
}

bool cache_revision_read(const struct cache_reply *r, int at, struct cache_revision *ret)
{
    *ret = (struct cache_revision){0};
    if (!r->ok || r->n < at + 2 || !cache_revisions_usable() || !slice_i64(r->value[at].str, &ret->revision) ||
        ret->revision < 0)
        return false;
    ret->digest = r->value[at + 1].str;
    ret->known = true;
    return true;
}

/* ---- asking on a loop */

struct asking {
    void (*done)(struct call *, const struct cache_revision *, void *);
    void *arg;
};

static void revision_came(struct call *c, const struct cache_reply *reply, void *arg)
{
    const struct asking *q = arg;
    struct cache_revision r;
    (void)cache_revision_read(reply, 0, &r);
    q->done(c, &r, q->arg);
}

void cache_revision_get(struct call *c, int tenant_no, struct uuid device,
                        void (*done)(struct call *, const struct cache_revision *, void *), void *arg)
{
    struct asking *q = ARENA_NEW(c->arena, struct asking);
    *q = (struct asking){done, arg};
    const struct slice keys[] = {cache_revision_key(c->arena, tenant_no, device), SLICE(CACHE_ERA_KEY)};
    cache_script(c, SCRIPT_REVISION_GET, keys, 2, NULL, 0, revision_came, q);
}

struct scripting {
    struct call *call;
    struct loop *home;
    enum cache_script script;
    struct slice *argv; /* in the call's arena */
    int argc;
    void (*done)(struct call *, const struct cache_reply *, void *);
    void *arg;
};

static void script_came(const redisReply *reply, void *arg);

static void value_copy(struct arena *a, const redisReply *reply, struct cache_reply *ret)
{
    if (ret->n >= (int)(sizeof ret->value / sizeof ret->value[0]))
        return;
    if (reply->type == REDIS_REPLY_INTEGER) {
        ret->value[ret->n].is_int = true;
        ret->value[ret->n].num = reply->integer;
    } else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) {
        ret->value[ret->n].str = arena_copy(a, slice_mem(reply->str, (size_t)reply->len));
    }
    ret->n++;
}

/* The first time a Redis sees a script it does not know its hash: the same once more with the text. */
static bool unknown_script(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR && slice_starts(slice_of(reply->str), SLICE("NOSCRIPT"));
}

static void script_came(const redisReply *reply, void *arg)
{
    struct scripting *q = arg;
    if (unknown_script(reply) && slice_eq(q->argv[0], SLICE("EVALSHA"))) {
        q->argv[0] = SLICE("EVAL");
        q->argv[1] = slice_of(script_sources[q->script].text);
        redis_send(commands[loop_index(q->home)], q->argc, q->argv, script_came, q);
        return;
    }
    struct cache_reply r = {0};
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        r.ok = true;
        for (size_t i = 0; i < reply->elements; i++)
            value_copy(q->call->arena, reply->element[i], &r);
    } else if (reply && reply->type != REDIS_REPLY_ERROR) {
        r.ok = true;
        value_copy(q->call->arena, reply, &r);
    } else if (reply) {
        count(C_redis_errors);
        ev_warn(AREA_CACHE, "script failed", EV_STR("script", script_sources[q->script].name),
                EV_STR("why", reply->str));
    }
    ev_debug(AREA_CACHE, "script", EV_STR("name", script_sources[q->script].name), EV_STR("trace", q->call->trace_id),
             EV_STR("answered", r.ok ? "yes" : "no"));
    q->done(q->call, &r, q->arg);
}

void cache_script(struct call *c, enum cache_script s, const struct slice *keys, int n_keys, const struct slice *args,
                  int n_args, void (*done)(struct call *, const struct cache_reply *, void *), void *arg)
{
    struct scripting *q = ARENA_NEW(c->arena, struct scripting);
    *q = (struct scripting){
        .call = c, .home = c->home, .script = s, .argc = 3 + n_keys + n_args, .done = done, .arg = arg};
    q->argv = ARENA_ARRAY(c->arena, struct slice, q->argc);
    q->argv[0] = SLICE("EVALSHA");
    q->argv[1] = slice_of(script_sources[s].sha1);
    q->argv[2] = slice_of(arena_printf(c->arena, "%d", n_keys));
    for (int i = 0; i < n_keys; i++)
        q->argv[3 + i] = arena_copy(c->arena, keys[i]);
    for (int i = 0; i < n_args; i++)
        q->argv[3 + n_keys + i] = arena_copy(c->arena, args[i]);
    redis_send(commands[loop_index(c->home)], q->argc, q->argv, script_came, q);
}

/* ---- telling, from any thread: a message of our own to a loop's connection */

struct telling {
    enum cache_script script; /* SCRIPT_COUNT: a plain command */
    int argc;
    struct slice argv[8]; /* into text */
    char text[];
};

static void tell_on(struct loop *l, struct telling *t);

static void told(const redisReply *reply, void *arg)
{
    struct telling *t = arg;
    if (unknown_script(reply) && slice_eq(t->argv[0], SLICE("EVALSHA"))) {
        t->argv[0] = SLICE("EVAL");
        t->argv[1] = slice_of(script_sources[t->script].text);
        tell_on(loop_current(), t);
        return;
    }
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        count(C_redis_errors);
        ev_warn(AREA_CACHE, "command failed", EV_SLICE("command", t->argv[0]), EV_STR("why", reply->str));
    }
    free(t);
}

static void tell_on(struct loop *l, struct telling *t)
{
    redis_send(commands[loop_index(l)], t->argc, t->argv, told, t);
}

static void tell_here(void *arg)
{
    if (commands[loop_index(loop_current())])
        tell_on(loop_current(), arg);
    else
        free(arg);
}

static void tell(enum cache_script script, const struct slice *argv, int argc)
{
    size_t n = 0, at = 0;
    must(argc <= (int)(sizeof((struct telling *)0)->argv / sizeof(struct slice)));
    for (int i = 0; i < argc; i++)
        n += argv[i].n;
    struct telling *t = must_alloc(sizeof *t + n);
    t->script = script;
    t->argc = argc;
    for (int i = 0; i < argc; i++) {
        if (argv[i].n)
            memcpy(t->text + at, argv[i].p, argv[i].n);
        t->argv[i] = slice_mem(t->text + at, argv[i].n);
        at += argv[i].n;
    }
    if (loop_current())
        tell_here(t);
    else
        loop_post(loop_at(0), tell_here, t);
}

void cache_revision_fill(int tenant_no, struct uuid device, int64_t revision, struct slice digest)
{
    char key[KEY_MAX], number[24], life[16];
    if (!cache_up())
        return;
    snprintf(number, sizeof number, "%" PRId64, revision);
    snprintf(life, sizeof life, "%d", ENTRY_LIFE_S);
    const struct slice argv[] = {SLICE("EVALSHA"),
                                 slice_of(script_sources[SCRIPT_REVISION_FILL].sha1),
                                 SLICE("2"),
                                 revision_key(key, tenant_no, device),
                                 SLICE(CACHE_ERA_KEY),
                                 slice_of(number),
                                 digest,
                                 slice_of(life)};
    tell(SCRIPT_REVISION_FILL, argv, (int)(sizeof argv / sizeof argv[0]));
}

enum rc cache_revision_block(int tenant_no, const struct uuid *devices, size_t n)
{
    char(*text)[KEY_MAX] = must_alloc((n + 1) * sizeof *text);
    struct slice *keys = must_alloc((n + 1) * sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = revision_key(text[i], tenant_no, devices[i]);
    enum rc rc = blocking_set(keys, n, TOMBSTONE, TOMBSTONE_MS);
    free(keys);
    free(text);
    if (rc == RC_NOT_FOUND) {
        atomic_store_explicit(&distrusted_until, clock_mono_ns() + DISTRUST_NS, memory_order_relaxed);
        atomic_store(&era_over, true);
        return RC_OK;
    }
    return rc;
}

enum rc cache_worker_rate(const struct slice *keys, int n_keys, const struct slice *args, int *ret_refused,
                          int64_t *ret_wait_ms)
{
    struct slice argv[3 + 3 * 4];
    char count_text[12];
    redisReply *reply;
    must(n_keys <= 4);
    snprintf(count_text, sizeof count_text, "%d", n_keys);
    argv[0] = SLICE("EVAL");
    argv[1] = slice_of(script_sources[SCRIPT_RATE].text);
    argv[2] = slice_of(count_text);
    for (int i = 0; i < n_keys; i++)
        argv[3 + i] = keys[i];
    for (int i = 0; i < 2 * n_keys; i++)
        argv[3 + n_keys + i] = args[i];
    if (blocking_run(3 + 3 * n_keys, argv, &reply) != RC_OK)
        return RC_UNAVAILABLE;
    enum rc rc = RC_UNAVAILABLE;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 && reply->element[0]->type == REDIS_REPLY_INTEGER) {
        rc = reply->element[0]->integer ? RC_OK : RC_OVER_QUOTA;
        *ret_refused = (int)reply->element[2]->integer;
        *ret_wait_ms = reply->element[3]->integer;
    }
    freeReplyObject(reply);
    return rc;
}

void cache_hold(struct slice key, int64_t ms)
{
    char life[24];
    if (!cache_up())
        return;
    snprintf(life, sizeof life, "%" PRId64, ms);
    const struct slice argv[] = {SLICE("SET"), key, SLICE("1"), SLICE("NX"), SLICE("PX"), slice_of(life)};
    tell(SCRIPT_COUNT, argv, 6);
}

void cache_forget(struct slice key)
{
    const struct slice argv[] = {SLICE("DEL"), key};
    if (cache_up())
        tell(SCRIPT_COUNT, argv, 2);
}

void cache_publish(const char *channel, struct slice message)
{
    if (!cache_up())
        return;
    const struct slice argv[] = {SLICE("PUBLISH"), slice_of(channel), message};
    tell(SCRIPT_COUNT, argv, 3);
}

/* ---- channels */

void cache_subscribe(const char *channel, void (*fn)(struct slice, void *), void *arg)
{
    must(n_listeners < CHANNELS_MAX && !channels);
    listeners[n_listeners++] = (struct redis_listener){channel, fn, arg};
}

void cache_on_return(void (*fn)(void))
{
    must(n_returns < RETURNS_MAX);
    returns[n_returns++] = fn;
}

static void channels_up(struct redis *r, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n_listeners; i++)
        redis_listen(r, &listeners[i]);
    for (size_t i = 0; channels_were_up && i < n_returns; i++)
        returns[i]();
    channels_were_up = true;
}

static void era_counted(const redisReply *reply, void *arg)
{
    (void)arg;
    if (!reply)
        atomic_store(&era_over, true); /* next time */
}

static void commands_up(struct redis *r, void *arg)
{
    (void)arg;
    if (!atomic_exchange(&era_over, false))
        return;
    const struct slice argv[] = {SLICE("INCR"), SLICE(CACHE_ERA_KEY)};
    redis_send(r, 2, argv, era_counted, NULL);
}

/* ---- life */

static const struct params *params;
static sem_t done_on_loop;

static void start_here(void *arg)
{
    (void)arg;
    struct loop *l = loop_current();
    commands[loop_index(l)] = redis_new(l, params, commands_up, NULL);
    if (loop_index(l) == 0)
        channels = redis_new(l, params, channels_up, NULL);
    sem_post(&done_on_loop);
}

static void stop_here(void *arg)
{
    (void)arg;
    struct loop *l = loop_current();
    redis_free(&commands[loop_index(l)]);
    if (loop_index(l) == 0)
        redis_free(&channels);
    sem_post(&done_on_loop);
}

static void on_all_loops(void (*fn)(void *))
{
    must(loop_count() <= LOOPS_MAX);
    for (int i = 0; i < loop_count(); i++)
        loop_post(loop_at(i), fn, NULL);
    for (int i = 0; i < loop_count(); i++)
        sem_wait(&done_on_loop);
}

void cache_start(const struct params *p)
{
    params = p;
    blocking_start(p);
    must(sem_init(&done_on_loop, 0, 0) == 0);
    on_all_loops(start_here);
}

void cache_stop(void)
{
    on_all_loops(stop_here);
    sem_destroy(&done_on_loop);
    n_listeners = n_returns = 0;
    channels_were_up = false;
}
