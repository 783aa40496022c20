/* SPDX-License-Identifier: Apache-2.0 */
/* uplink.h - how a protection process (judge, scan, order) talks to the privileged process: it offers events and waits
 * until they are in the journal, reports progress, and hears orders. One reader thread per uplink; all functions may be
 * called from any thread. When the privileged process is gone the calling process ends. */
#ifndef SEKISHO_AGENT_UPLINK_H
#define SEKISHO_AGENT_UPLINK_H

#include "agent/packet.h"
#include "agent/protect.h"

struct uplink;

/* sock is owned by the uplink. on_reloaded (may be NULL) is called on the reader thread. */
struct uplink *uplink_open(int sock, void (*on_reloaded)(void *ctx), void *ctx);
/* Returns when the event's record is on the disk; waits as long as that takes. RC_INVALID: too large. */
enum rc uplink_event(struct uplink *u, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t occurred,
                     bool urgent) MUST_CHECK;
void uplink_progress(struct uplink *u, const struct protect_progress *p);
void uplink_send(struct uplink *u, const struct packet *p);
bool uplink_cancelled(struct uplink *u); /* a cancel order has come */

void progress_put(struct packet *out, const struct protect_progress *p); /* a whole VERB_PROGRESS */
/* Reads what progress_put wrote, after the verb; strings point into memory of the arena. */
bool progress_get(struct packet *in, struct arena *a, struct protect_progress *ret);

#endif
