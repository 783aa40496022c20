/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - the process that decides for the guard: a few threads, each with its own conversation with the engine, take
 * files from the guard's socket and answer; one thread handles what was found (an incident may wait for the journal, a
 * decision may not); one thread asks after the engine and reports its state. */
#ifndef SEKISHO_AGENT_JUDGE_H
#define SEKISHO_AGENT_JUDGE_H

#include "agent/config.h"
#include "agent/incident.h"
#include "agent/packet.h"

/* The state of the engine as the judge reports it (VERB_STATUS). */
struct judge_status {
    bool up;
    bool as_root; /* the engine runs as root: nothing may be held, its own accesses would be */
    char name[40];
    char version[40];
    char signatures[40];
    usec_t signatures_at;
};

void judge_status_put(struct packet *out, const struct judge_status *s);
bool judge_status_get(struct packet *in, struct judge_status *ret); /* after the verb */

/* What is known of the engine and its signatures, official and ours. RC_UNAVAILABLE: it does not answer. */
enum rc judge_look(const struct agent_config *cfg, const char *state_dir, struct engine *e, struct judge_status *ret,
                   struct engine_info *ret_info) MUST_CHECK;

/* Whether path lies in one of the folders that are never scanned, or in the agent's own. */
bool judge_excluded(const struct agent_config *cfg, const char *path);

/* control: socket to the privileged process; guard: socket to the guard, -1 when none runs. Never returns. */
_Noreturn void judge_run(const struct agent_config *cfg, int control, int guard);

#endif
