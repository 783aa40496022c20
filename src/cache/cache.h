/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - what the product keeps in Redis (DESIGN laws 4 and 6): only what can be lost or rebuilt. With Redis away every
 * function still returns, soon, and says so; nothing here is truth. Commands of one loop turn go out together.
 *
 * Loop functions run on the call's home loop and call back there, later or within the call; if the client went away the
 * callback comes all the same. Any-thread functions post to loop 0 or use the thread's own connection. */
#ifndef SEKISHO_CACHE_H
#define SEKISHO_CACHE_H

#include "cache/scripts.gen.h"
#include "call/call.h"

struct params;

void cache_start(const struct params *p); /* after the loops run: one connection per loop, one for channels */
void cache_stop(void);
bool cache_up(void); /* any thread: the connection of loop 0 answers */

/* ---- revisions: what a device must be told, and the digest of what we hold of it. Key per (tenant, device), value
 * "<revision>:<digest>", 15 minutes; a tombstone (30 s, longer than any transaction) blocks refills; an older revision never
 * replaces a newer one. */
struct cache_revision {
    bool known;
    int64_t revision;
    struct slice digest; /* memory of the call's arena */
};
void cache_revision_get(struct call *c, int tenant_no, struct uuid device, void (*done)(struct call *c, const struct cache_revision *r, void *arg),
                        void *arg);
/* Any thread, after a commit or a read: not waited for. */
void cache_revision_fill(int tenant_no, struct uuid device, int64_t revision, struct slice digest);
/* On a worker, before the commit of a change that the devices must learn: waits (at most 200 ms) until the tombstones stand.
 * Redis surely away: RC_OK, and check-ins do not use the cache either for the next 30 s. In doubt: RC_UNAVAILABLE. */
enum rc cache_revision_block(int tenant_no, const struct uuid *devices, size_t n) MUST_CHECK;

/* ---- scripts for quota/: src/cache/scripts/<name>.lua, by hash (enum cache_script). On a loop. */
struct cache_reply {
    bool ok; /* false: Redis is away or too slow */
    int n;   /* values of a flat array reply */
    struct {
        bool is_int;
        int64_t num;
        struct slice str; /* memory of the call's arena */
    } value[8];
};
void cache_script(struct call *c, enum cache_script s, const struct slice *keys, int n_keys, const struct slice *args, int n_args,
                  void (*done)(struct call *c, const struct cache_reply *r, void *arg), void *arg);

/* ---- channels between replicas. Publish: any thread, not waited for. Subscriptions are made before cache_start and called on
 * loop 0. */
void cache_publish(const char *channel, struct slice message);
void cache_subscribe(const char *channel, void (*fn)(struct slice message, void *arg), void *arg);
/* Called on loop 0 when the connection is back: hints may have been missed. */
void cache_on_return(void (*fn)(void));

#endif
