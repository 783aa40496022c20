/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - which addresses must stay open when this computer is isolated. Names are looked up now and pinned; the
 * name servers stay open only when the way to the server is a name that they alone know. Blocks: on a thread of its
 * own. */
#ifndef SEKISHO_AGENT_RESOLVE_H
#define SEKISHO_AGENT_RESOLVE_H

#include "agent/config.h"
#include "agent/isolation.h"

/* "host:port", "[v6]:port" or "v6:port" as the last colon tells. */
bool resolve_split(struct slice s, char host[256], int *ret_port);
/* "nameserver ADDRESS" lines. */
void resolve_nameservers(struct isolation *i, struct slice resolv_conf);
bool resolve_in_hosts(struct slice hosts, const char *name);

/* Server or proxy, and what else is to stay open. RC_UNAVAILABLE: *ret_failed names what was not found. */
enum rc resolve_open_ends(const struct agent_config *cfg, char *const *allow, size_t n_allow, struct isolation *ret,
                          char ret_failed[256]) MUST_CHECK;

#endif
