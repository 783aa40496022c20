/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - how a stage of the pipeline (server/pipeline.c) tells what comes next. Stages run on the call's home loop
 * thread and never block. A stage that has asked Redis or a worker for something returns STAGE_WAIT and, when the
 * answer is there, calls pipeline_resume on the home thread: the same stage function is then called again for the call
 * and finds in c->stage_state what it has noted; each stage begins with it NULL. If the client has gone while a stage
 * waited, c->peer is NULL; pipeline_resume must be called all the same, it ends the call. */
#ifndef SEKISHO_STAGE_H
#define SEKISHO_STAGE_H

struct call;

enum stage_result {
    STAGE_NEXT, /* the next row of the table */
    STAGE_WAIT, /* someone else owns the call now and will resume, or finish, it */
    STAGE_DONE  /* refused or answered: c->answer is filled, or c->fault, from which the pipeline makes the answer */
};

void pipeline_resume(struct call *c);

#endif
