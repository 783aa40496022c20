/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - the blocking and the slow workers. Each worker has its own connections and works in straight lines:
 * transaction, handler, audit row, commit, what follows the commit, answer. Queues are bounded by length and by age,
 * and fair: tenants take turns by the time their work took (deficit round-robin), and one tenant holds at most a
 * quarter of the workers. */
#ifndef SEKISHO_WORKER_POOL_H
#define SEKISHO_WORKER_POOL_H

#include "call/call.h"

struct params;

void worker_start(const struct params *p); /* before the listeners open */
/* After the edge has drained: what still waits is skipped. Calls that workers have are finished first. */
void worker_stop(void);

/* Sets the gauges of the queues' age; any thread. */
void worker_gauges(void);

/* Takes c over for its route's handler, by route->where. RC_UNAVAILABLE: the queue is full, c stays the caller's. Any
 * thread. A blocking handler with a permit finds c->tx open; one without (sign-in by cookie) opens transactions itself
 * by c->db. call_offload is in call/call.h. */
enum rc worker_submit(struct call *c) MUST_CHECK;

#endif
