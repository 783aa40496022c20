/* SPDX-License-Identifier: Apache-2.0 */
/* helper.h - the privileged process: a loop that knows a fixed list of verbs (packet.h), starts a short-lived process
 * for each order, keeps guard and judge alive, and passes events to the network process, holding each until its record
 * is on the disk. It opens no socket but the pairs that it makes, reads no file of other people, and trusts nothing
 * that the network process sends. Its entry is protect_supervise in protect.h; here is what both ends of the border
 * share. */
#ifndef SEKISHO_AGENT_HELPER_H
#define SEKISHO_AGENT_HELPER_H

#include "agent/guard.h"
#include "agent/judge.h"

struct helper_status {
    struct judge_status engine;
    enum guard_mode guard; /* what runs */
    bool isolated;
    int64_t modules; /* installed version; 0: none */
    size_t n_folders;
    char folders[CONFIG_LIST_MAX][256];
};

void helper_status_put(struct packet *out, const struct helper_status *s);
bool helper_status_get(struct packet *in, struct helper_status *ret); /* after the verb */

#endif
