/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.h - book-keeping of what the server asked for. The server sends the whole list of executions that have not
 * ended; each is accepted once, whatever restarts come in between, and ends with exactly one of done, failed, cancelled
 * or refused, which is reported through the journal. Not thread-safe. */
#ifndef SEKISHO_AGENT_TASKS_H
#define SEKISHO_AGENT_TASKS_H

#include "agent/protect.h"

struct tasks;

struct tasks_callbacks {
    void (*start)(void *ctx, const struct wire_task *task);
    void (*cancel)(void *ctx, struct uuid execution_id);
    /* Puts a record into the journal; id is the same when a final state is reported again after a crash. *ret_seq is
     * its number. On failure the report is offered again by tasks_tick. */
    enum rc (*report)(void *ctx, struct uuid id, const struct wire_body_execution *body, bool final, uint64_t *ret_seq);
};

/* path: the file of executions; missing or damaged means none (the server's next list brings them again). */
struct tasks *tasks_new(const char *path, const struct tasks_callbacks *cb, void *ctx);
void tasks_free(struct tasks **t);

/* After a start: what ran when the agent ended is started again, or reported as interrupted when that is not right. */
void tasks_resume(struct tasks *t);

/* The server's list as of that revision. settled: no report waits in the journal, so an execution that has ended here
 * but is still in the list was lost on the way and is reported again. RC_UNAVAILABLE: not saved, nothing was changed.
 */
enum rc tasks_list(struct tasks *t, int64_t revision, const struct wire_task *list, size_t n, bool settled) MUST_CHECK;
int64_t tasks_revision(const struct tasks *t);

void tasks_progress(struct tasks *t, const struct protect_progress *p);
/* All records up to seq are acknowledged; UINT64_MAX after a new epoch. */
void tasks_acked(struct tasks *t, uint64_t seq);
/* Sends progress that is due (one record per 2 s and execution, and none while the last one is not acknowledged),
 * retries reports, ends what has expired, starts what can start. Returns ms until it must be called again, -1: never.
 */
int tasks_tick(struct tasks *t, usec_t now);
size_t tasks_unfinished(const struct tasks *t);

void tasks_write(const struct tasks *t, struct json_writer *w); /* an array, for the status */

#endif
