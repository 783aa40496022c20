/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h - the wake-up streams of agents connected to this process. A line `{"wake":<revision>}` tells an agent to
 * check in; heartbeats keep the stream open. One stream per device: a newer one ends the older. */
#ifndef SEKISHO_WAKE_H
#define SEKISHO_WAKE_H

#include "call/call.h"

struct params;

void wake_start(const struct params *p); /* after the loops run */
void wake_stop(void);                    /* ends all streams */

/* On the home loop of a call of the route wake: opens the stream. known: the agent's revision; truth: ours, or -1 when
 * not known yet (the next sweep tells). */
enum rc wake_open(struct call *c, int64_t known, int64_t truth) MUST_CHECK;
/* From any thread, after the commit: here at once, and through Redis at every other replica. */
void wake_device(int tenant_no, struct uuid device, int64_t revision);
/* The local half alone, for the sweep and for messages of other replicas. */
void wake_local(struct uuid device, int64_t revision);
bool wake_connected(struct uuid device);
/* Ends the device's stream, here and elsewhere (revoked, removed). */
void wake_cut(int tenant_no, struct uuid device);

/* Who wants to know of streams: under the lock of the table, by any thread; must not wait nor call back. Set once,
 * before wake_start. told: also for what the agent knew when it opened the stream. closed: no stream of the device is
 * left. */
struct wake_watcher {
    void (*opened)(struct uuid device);
    void (*told)(struct uuid device, int64_t revision);
    void (*closed)(struct uuid device);
};
void wake_watch(const struct wake_watcher *w);

struct wake_entry {
    int tenant_no;
    struct uuid device;
    int64_t revision; /* last told or known */
};
/* All open streams, ordered by tenant; the caller frees *ret. For the sweep. */
size_t wake_list(struct wake_entry **ret);

#endif
