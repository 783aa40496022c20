/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h - whether a call may go on now: plan + usage -> struct permit. Rates live in Redis; with Redis away local
 * limits of this process stand in. Refusals fill the fault (rate_limited, too_early) with limit, used, Retry-After and
 * the RateLimit and RateLimit-Policy fields. */
#ifndef SEKISHO_QUOTA_H
#define SEKISHO_QUOTA_H

#include "call/call.h"
#include "call/stage.h"
#include "wire/agent.gen.h"

struct params;

void quota_start(const struct params *p);
void quota_stop(void);

/* The stage: by route->quota. QUOTA_CHECKIN makes the permit and leaves the decision to quota_checkin, as the reason is
 * in the body. */
enum stage_result quota_take(struct call *c);

/* One Redis round trip: may this check-in happen (scheduled ones not before 90 % of the plan's floor; urgent, wake,
 * progress, spool and start have buckets of their own), and what is the cached revision? On the home loop; done comes
 * there. */
struct checkin_gate {
    bool allowed; /* false: c->fault is filled */
    bool known;   /* the cache had an entry that may be used */
    int64_t revision;
    struct slice digest;
};
void quota_checkin(struct call *c, enum wire_reason reason,
                   void (*done)(struct call *c, const struct checkin_gate *gate, void *arg), void *arg);

/* After a commit: what the device has to hold, for check-ins that are decided without Redis. Any thread. */
void quota_checkin_fill(struct uuid device, int64_t revision, struct slice digest);

/* Any thread: a check-in that quota_checkin had allowed was answered with an error of ours. A scheduled one may come
 * again at once then, as Retry-After says, instead of being told that it is too early. */
void quota_checkin_return(struct call *c, enum wire_reason reason);

/* For our own work on behalf of one tenant. */
const struct permit *quota_permit_service(struct arena *a, const struct tenant_scope *s);

#endif
