/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the agent knows of itself and must know after a restart: who it is, its certificate and key, the
 * server's keys, the last good address, and why contact has ended. Files in <state_dir>/agent, replaced atomically. */
#ifndef SEKISHO_AGENT_STATE_H
#define SEKISHO_AGENT_STATE_H

#include "agent/config.h"
#include "agent/tls.h"
#include "wire/agent.gen.h"

struct agent_state {
    struct arena *memory;  /* wiping; holds the texts */
    struct uuid device_id; /* nil: not enrolled */
    const char *tenant;
    struct slice certificate_pem;
    struct slice key_pem;
    usec_t not_before;
    usec_t not_after;
    uint8_t time_key[32];
    uint8_t module_key[32];
    int64_t interval; /* seconds, as the server said last */
    char address[64]; /* that was connected to last, "" when never */
    char stopped[65]; /* problem code that ended contact, "" while it goes on */
    usec_t stopped_at;
};

/* RC_OK also when nothing is there yet (device_id nil). RC_DENIED, RC_UNAVAILABLE: the folder cannot be read. Files
 * that are damaged or do not fit together count as not there; *ret_why then says so, otherwise it is empty. */
enum rc state_load(const struct agent_config *cfg, struct agent_state *ret, char *ret_why, size_t why_size) MUST_CHECK;
void state_done(struct agent_state *s);
bool state_enrolled(const struct agent_state *s);

/* Writes a new identity and forgets what belonged to an older one (acknowledged facts, executions). RC_INVALID: the
 * answer does not fit the key. */
enum rc state_enrol(const struct agent_config *cfg, struct slice key_pem,
                    const struct wire_enrol_response *answer) MUST_CHECK;
/* Replaces certificate and key in one file, so they always fit together. RC_INVALID: they do not, or of another device.
 */
enum rc state_renew(const struct agent_config *cfg, const struct agent_state *s, struct slice key_pem,
                    struct slice certificate_pem) MUST_CHECK;
/* Saves interval, address and stopped. */
enum rc state_save_contact(const struct agent_config *cfg, const struct agent_state *s) MUST_CHECK;

/* Times of the identity's file, to notice that another process has enrolled anew. 0: none. */
uint64_t state_stamp(const struct agent_config *cfg);

#endif
