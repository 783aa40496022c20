/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - group commit for agents' writes (DESIGN law 2). Items of many tenants of one slice share an implicit
 * transaction: pipeline mode, one Sync per batch, set_config of the role per tenant, sorted by (tenant, device). When a
 * batch fails it is run again with one Sync per tenant, then per item for the failing tenant, whose items then have a
 * lane of their own for 5 minutes. done() is called only after the Sync's result: committed, or the item's own failure.
 */
#ifndef SEKISHO_BATCH_H
#define SEKISHO_BATCH_H

#include "store/db.h"

struct batch_pool;

#define BATCH_CALLS_MAX 24

struct batch_call {
    enum sql_id id;
    struct sql_args args;
    struct rows rows; /* filled before done() */
};

struct batch_item { /* embedded in the owner's struct; memory of arena */
    struct arena *arena;
    const struct permit *permit;
    struct uuid device; /* sort key within the tenant */
    struct batch_call calls[BATCH_CALLS_MAX];
    int n_calls;
    const char *trace_id;         /* of whoever sent it, for logs and the database; may be NULL */
    const atomic_bool *cancelled; /* may be NULL: skip it when set before it has begun */
    uint64_t queued_ns;
    void (*done)(struct batch_item *item, enum rc rc, const char *sqlstate); /* on a batch worker's thread */
    struct batch_item *next;
};

struct batch_pool *batch_pool_new(const struct params *p);
void batch_pool_free(struct batch_pool **b); /* finishes what is queued */
void batch_gauges(void);                     /* sets the gauge of the queues' age; any thread */
/* From any thread. RC_UNAVAILABLE: the queue is full, done() is not called. */
enum rc batch_submit(struct batch_pool *b, struct batch_item *item) MUST_CHECK;

#endif
