/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h - a bounded queue that is fair between owners (tenants, or addresses of callers without one). The owner whose
 * jobs took more worker time than its share waits until its deficit is paid back. No locks: the pool has one around it.
 * Times are of the caller, in ns. */
#ifndef SEKISHO_QUEUE_H
#define SEKISHO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue *queue_new(size_t limit, int workers);
void queue_free(struct queue **q); /* must be empty, with no job running */

bool queue_put(struct queue *q, int64_t owner, void *job, uint64_t now); /* false: full */
/* The next job in fairness, or NULL: none waits, or all that wait belong to owners with their share of workers. Give
 * the owner back with queue_done. */
void *queue_take(struct queue *q, int64_t *ret_owner);
void queue_done(struct queue *q, int64_t owner, uint64_t took_ns);
/* The oldest job when it was put before `before`; it is removed. */
void *queue_shed(struct queue *q, uint64_t before);
size_t queue_length(const struct queue *q);
uint64_t queue_oldest(const struct queue *q); /* when the oldest was put; 0: empty */

#endif
