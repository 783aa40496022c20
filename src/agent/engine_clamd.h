/* SPDX-License-Identifier: Apache-2.0 */
/* engine_clamd.h - the parts of the clamd driver that its tests look at: the socket protocol's replies. Pure functions.
 */
#ifndef SEKISHO_AGENT_ENGINE_CLAMD_H
#define SEKISHO_AGENT_ENGINE_CLAMD_H

#include "agent/engine.h"
#include "common/slice.h"

/* One reply of FILDES, with or without the session's number in front: "3: fd[12]: Name FOUND". */
void clamd_parse_reply(struct slice reply, struct engine_result *ret);
/* "ClamAV 1.4.6/27000/Sun Nov 22 20:41:36 2026" or "ClamAV 1.4.6". False when it is neither. */
bool clamd_parse_version(struct slice reply, struct engine_info *ret);

struct clamd_stats {
    int64_t queue;   /* jobs that wait */
    int64_t threads; /* that live */
};
bool clamd_parse_stats(struct slice reply, struct clamd_stats *ret);

/* Asks PING, and STATS. RC_UNAVAILABLE: away, too slow, or not clamd. */
enum rc clamd_ping(struct engine *e, int timeout_ms) MUST_CHECK;
enum rc clamd_stats(struct engine *e, int timeout_ms, struct clamd_stats *ret) MUST_CHECK;

#define CLAMD_CANARY_FILE "sekisho-canary.ndb"
#define CLAMD_CANARY_NAME "Sekisho.Canary"

#endif
