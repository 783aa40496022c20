/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - change hints to open consoles: (topic, revision) as server-sent events, at most one a second per topic and
 * tenant. Carries no data: the reader asks the permission-checked API again. */
#ifndef SEKISHO_LIVE_H
#define SEKISHO_LIVE_H

#include "call/call.h"

#define LIVE_TOPICS(X) X(devices) X(detections) X(tasks) X(quarantine) X(enrolment) X(users)
enum live_topic {
#define X(name) LIVE_##name,
    LIVE_TOPICS(X)
#undef X
        LIVE_TOPIC_COUNT
};

void live_start(void); /* after the loops run */
void live_stop(void);

/* On the home loop; ends at the principal's expiry or when its session ends. */
enum rc live_open(struct call *c) MUST_CHECK;
/* From any thread, after the commit: here and at every other replica. */
void live_hint(int tenant_no, enum live_topic topic);
void live_hint_local(int tenant_no, enum live_topic topic);
void live_end_session(struct uuid session); /* local half; identity/ tells all replicas */

#endif
