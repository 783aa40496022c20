/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - what other rooms may ask of a loop thread without knowing the HTTP library. Implemented by edge/loop.c.
 * Everything but loop_post runs on the loop's own thread. */
#ifndef SEKISHO_LOOP_H
#define SEKISHO_LOOP_H

#include "common/rc.h"
#include "common/slice.h"

struct loop;

int loop_index(const struct loop *l); /* 0 .. params.loops - 1 */
int loop_count(void);
struct loop *loop_at(int index);
struct loop *loop_current(void); /* NULL on other threads */

/* Runs fn(arg) on the loop's thread, soon; from any thread. Messages of one turn are handled together. */
void loop_post(struct loop *l, void (*fn)(void *), void *arg);

/* One-shot timer. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *l, int ms, void (*fn)(void *), void *arg);
void loop_timer_cancel(struct loop_timer **t); /* NULL allowed; not after it has fired */

/* Watches a descriptor (the loop takes a dup of its own): on_readable whenever bytes wait; on_writable once per
 * loop_watch_write. */
struct loop_watch;
struct loop_watch *loop_watch_start(struct loop *l, int fd, void (*on_readable)(void *), void (*on_writable)(void *),
                                    void *arg);
void loop_watch_write(struct loop_watch *w);
void loop_watch_stop(struct loop_watch **w);

#endif
