/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - the wake-up stream: a request that stays open and brings a line when the server has something for us, and a
 * heartbeat else. Opened again with jitter when it ends; given up when silent for too long. Not thread-safe. */
#ifndef SEKISHO_AGENT_WAKE_H
#define SEKISHO_AGENT_WAKE_H

#include "agent/http.h"
#include "wire/agent.gen.h"

/* --- lines out of a stream of bytes; a line that is too long or not JSON is skipped */

#define WAKE_LINE_MAX 4096

struct wake_lines {
    char line[WAKE_LINE_MAX];
    size_t n;
    bool skip;
};

void wake_feed(struct wake_lines *l, struct slice bytes, void (*fn)(void *ctx, const struct wire_wake_line *line),
               void *ctx);

/* --- the stream */

struct wake;

struct wake_callbacks {
    void (*woken)(void *ctx, int64_t revision); /* check in with reason wake; not from here: only note it */
    void (*refused)(void *ctx, const struct http_answer *answer); /* an answer that is not 200 */
    void (*silent)(void *ctx);                                    /* no heartbeat: the connection is dead, close it */
};

struct wake *wake_new(struct http *h, const struct wake_callbacks *cb, void *ctx);
void wake_free(struct wake **w);
/* Opens the stream when it is closed and due; revision is what the agent holds. Returns ms until the next call. */
int wake_tick(struct wake *w, int64_t revision);
bool wake_is_open(const struct wake *w);         /* a line has come over it */
void wake_close(struct wake *w);                 /* ends it without a callback; the next tick may open it again */
void wake_dropped(struct wake *w);               /* the HTTP layer was reset: the request is gone already */
void wake_hold(struct wake *w, int64_t seconds); /* not again before */

#endif
