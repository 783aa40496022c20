/* SPDX-License-Identifier: Apache-2.0 */
/* blocking.c - synchronous hiredis, one context per worker thread, freed when the thread ends. After a failure the
 * thread does not try again for a second: callers must not wait for a Redis that is away. */
#include "cache/blocking.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/must.h"
#include "common/params.h"
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>

enum { RETRY_NS = 1000000000 };

struct blocking {
    redisContext *context;
    uint64_t retry_ns;
    enum rc last; /* of the failed attempt */
};

static const struct params *params;
static pthread_key_t key;

static void thread_ends(void *arg)
{
    struct blocking *b = arg;
    if (b->context)
        redisFree(b->context);
    free(b);
}

static void key_make(void)
{
    must(pthread_key_create(&key, thread_ends) == 0);
}

void blocking_start(const struct params *p)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    params = p;
    must(pthread_once(&once, key_make) == 0);
}

static struct blocking *mine(void)
{
    struct blocking *b = pthread_getspecific(key);
    if (!b) {
        b = must_alloc(sizeof *b);
        must(pthread_setspecific(key, b) == 0);
    }
    return b;
}

static enum rc failed(struct blocking *b, enum rc rc)
{
    if (b->context)
        redisFree(b->context);
    b->context = NULL;
    b->last = rc;
    b->retry_ns = clock_mono_ns() + RETRY_NS;
    count(C_redis_errors);
    return rc;
}

static redisContext *context_make(void)
{
    const struct timeval patience = {0, 200000};
    struct slice port = slice_of(params->redis), host;
    int number;
    char name[256];
    if (params->redis[0] == '/')
        return redisConnectUnixWithTimeout(params->redis, patience);
    host = slice_cut(&port, ':');
    if (!slice_int(port, 1, 65535, &number) || host.n >= sizeof name)
        return NULL;
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    return redisConnectWithTimeout(name, number, patience);
}

static enum rc ready(struct blocking *b)
{
    const struct timeval patience = {0, 200000};
    if (b->context)
        return RC_OK;
    if (clock_mono_ns() < b->retry_ns)
        return b->last;
    b->context = context_make();
    if (!b->context || b->context->err)
        return failed(b, RC_NOT_FOUND);
    redisSetTimeout(b->context, patience);
    if (!params->redis_password[0])
        return RC_OK;
    redisReply *reply = redisCommand(b->context, "AUTH %s", params->redis_password);
    bool fine = reply && reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return fine ? RC_OK : failed(b, RC_UNAVAILABLE);
}

static enum rc set_all(struct blocking *b, const struct slice *keys, size_t n, const char *value, int ms)
{
    enum rc rc = ready(b);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        redisAppendCommand(b->context, "SET %b %s PX %d", keys[i].p, keys[i].n, value, ms);
    for (size_t i = 0; i < n; i++) {
        void *reply;
        if (redisGetReply(b->context, &reply) != REDIS_OK)
            return failed(b, RC_UNAVAILABLE);
        bool fine = ((redisReply *)reply)->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
        if (!fine)
            return failed(b, RC_UNAVAILABLE);
    }
    count_add(C_redis_commands, (int64_t)n);
    return RC_OK;
}

enum rc blocking_set(const struct slice *keys, size_t n, const char *value, int ms)
{
    struct blocking *b = mine();
    bool old = b->context != NULL;
    enum rc rc = set_all(b, keys, n, value, ms);
    if (rc != RC_UNAVAILABLE || !old)
        return rc;
    b->retry_ns = 0; /* an old connection only says that Redis has gone; a new one, whether it is there */
    return set_all(b, keys, n, value, ms);
}

enum rc blocking_run(int argc, const struct slice *argv, struct redisReply **ret)
{
    struct blocking *b = mine();
    const char *text[24];
    size_t length[24];
    void *reply;
    enum rc rc = ready(b);
    if (rc != RC_OK)
        return rc;
    must(argc <= 24);
    for (int i = 0; i < argc; i++) {
        text[i] = argv[i].p ? argv[i].p : "";
        length[i] = argv[i].n;
    }
    redisAppendCommandArgv(b->context, argc, text, length);
    if (redisGetReply(b->context, &reply) != REDIS_OK)
        return failed(b, RC_UNAVAILABLE);
    count(C_redis_commands);
    *ret = reply;
    return RC_OK;
}
