/* SPDX-License-Identifier: Apache-2.0 */
/* redis.h - one asynchronous connection to Redis on a loop: pipelined, reconnecting, bounded. Inside cache/ only; the
 * sole user of hiredis beside blocking.c. All functions run on the connection's loop. */
#ifndef SEKISHO_REDIS_H
#define SEKISHO_REDIS_H

#include "call/loop.h"

struct params;
struct redis;
struct redisReply;

/* on_up is called each time the connection has been made and answered. */
struct redis *redis_new(struct loop *l, const struct params *p, void (*on_up)(struct redis *r, void *arg), void *arg);
void redis_free(struct redis **r);    /* pending commands end without a reply */
bool redis_up(const struct redis *r); /* any thread */

/* Sends one command; done gets its reply, or NULL when Redis is away, too slow or too many wait. Called on the loop,
 * perhaps within this call. The reply is valid during done. done may be NULL. */
void redis_send(struct redis *r, int argc, const struct slice *argv,
                void (*done)(const struct redisReply *reply, void *arg), void *arg);
/* For a connection that does nothing else; the listener outlives it. */
struct redis_listener {
    const char *channel;
    void (*fn)(struct slice message, void *arg);
    void *arg;
};
void redis_listen(struct redis *r, const struct redis_listener *l);

#endif
