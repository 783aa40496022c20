/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - what the product keeps in Redis (DESIGN laws 4 and 6): only what can be lost or rebuilt. With Redis away
 * every function still returns, soon, and says so; nothing here is truth. Commands of one loop turn go out together.
 *
 * Loop functions run on the call's home loop and call back there, later or within the call; if the client went away the
 * callback comes all the same. Any-thread functions post to loop 0 or use the thread's own connection. */
#ifndef SEKISHO_CACHE_H
#define SEKISHO_CACHE_H

#include "cache/scripts.gen.h"
#include "call/call.h"

struct params;

/* After the loops run, before the ports open: one connection per loop, one for channels. Stop: while the loops still
 * run. Where there are no loops (the CLI) neither is called, and the any-thread functions do nothing or say "away". */
void cache_start(const struct params *p);
void cache_stop(void);
bool cache_up(void); /* any thread: the connection of loop 0 answers */

/* ---- revisions: what a device must be told, and the digest of what we hold of it. Key per (tenant, device), value
 * "<revision>:<digest>", 15 minutes; a tombstone (30 s, longer than any transaction) blocks refills; an older revision
 * never replaces a newer one. */
struct cache_revision {
    bool known;
    int64_t revision;
    struct slice digest; /* memory of the call's arena */
};
void cache_revision_get(struct call *c, int tenant_no, struct uuid device,
                        void (*done)(struct call *c, const struct cache_revision *r, void *arg), void *arg);
/* Any thread, after a commit or a read: not waited for. */
void cache_revision_fill(int tenant_no, struct uuid device, int64_t revision, struct slice digest);
/* On a worker, before the commit of a change that the devices must learn: waits (at most 200 ms) until the tombstones
 * stand. Redis surely away: RC_OK, and check-ins do not use the cache either for the next 30 s. In doubt:
 * RC_UNAVAILABLE. */
enum rc cache_revision_block(int tenant_no, const struct uuid *devices, size_t n) MUST_CHECK;
bool cache_revisions_usable(void); /* any thread: false in those 30 s */
/* The key of an entry, for scripts. */
struct slice cache_revision_key(struct arena *a, int tenant_no, struct uuid device);
#define CACHE_ERA_KEY "sk:era" /* counts what made all older entries doubtful; a part of each entry */

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
/* Values at, at + 1 of a reply as an entry: false for none, or while entries cannot be trusted. */
bool cache_revision_read(const struct cache_reply *r, int at, struct cache_revision *ret);
void cache_script(struct call *c, enum cache_script s, const struct slice *keys, int n_keys, const struct slice *args,
                  int n_args, void (*done)(struct call *c, const struct cache_reply *r, void *arg), void *arg);

/* On a worker, waiting at most 200 ms: token buckets as SCRIPT_RATE; args are pairs of rate and burst. RC_OVER_QUOTA
 * with *ret_wait_ms; RC_UNAVAILABLE: Redis is away or too slow. */
enum rc cache_worker_rate(const struct slice *keys, int n_keys, const struct slice *args, int *ret_refused,
                          int64_t *ret_wait_ms) MUST_CHECK;

/* Any thread, not waited for: deletes a key of quota/'s. */
void cache_forget(struct slice key);
/* Any thread, not waited for: the key exists for ms milliseconds, unless it does already. */
void cache_hold(struct slice key, int64_t ms);

/* ---- channels between replicas. Publish: any thread, not waited for. At most 8 subscriptions, made before
 * cache_start; called on loop 0. */
void cache_publish(const char *channel, struct slice message);
void cache_subscribe(const char *channel, void (*fn)(struct slice message, void *arg), void *arg);
/* Called on loop 0 when the connection is back: hints may have been missed. At most 4. */
void cache_on_return(void (*fn)(void));

#endif
