/* SPDX-License-Identifier: Apache-2.0 */
/* loop_private.h - what edge/ itself needs of loop threads beyond call/loop.h. */
#ifndef SEKISHO_LOOP_PRIVATE_H
#define SEKISHO_LOOP_PRIVATE_H

#include "call/loop.h"

/* A message whose memory is its sender's, until fn runs on the loop's thread. First member of the sender's struct. */
struct loop_message {
    void *library[2]; /* the library's list */
    void (*fn)(struct loop_message *m);
};

void loops_start(int n); /* once per process; returns when all run */
void loops_stop(void);   /* ends and joins the threads; timers that have not fired are dropped */
/* Runs fn on each loop's thread and waits for all of them; not from a loop thread. */
void loops_visit(void (*fn)(struct loop *l, void *arg), void *arg);
void loop_send(struct loop *l, struct loop_message *m, void (*fn)(struct loop_message *m));
void *loop_library(struct loop *l); /* its h2o_evloop_t */

#endif
