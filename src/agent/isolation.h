/* SPDX-License-Identifier: Apache-2.0 */
/* isolation.h - cutting the computer off the network but for the server (or the proxy to it): one nftables table that
 * is replaced as a whole, saved as a file and loaded again at start. What stays open: the addresses given, loopback,
 * DHCP, neighbour discovery and, only when the server is known by name, the name servers of this computer. Needs
 * CAP_NET_ADMIN; blocks; for the privileged side's short-lived processes. */
#ifndef SEKISHO_AGENT_ISOLATION_H
#define SEKISHO_AGENT_ISOLATION_H

#include "common/rc.h"
#include "common/strbuf.h"

#define ISOLATION_MAX 64

enum isolation_kind { ISOLATION_TCP, ISOLATION_DNS };

struct isolation_peer {
    char address[46]; /* as inet_ntop writes it */
    uint16_t port;
    enum isolation_kind kind;
};

struct isolation {
    struct isolation_peer v[ISOLATION_MAX];
    size_t n;
};

struct isolation_place {
    const char *nft;   /* program */
    const char *netns; /* name of a network namespace, "" = that of the process */
    const char *file;  /* where the wish is kept */
};

/* false: not an address, port 0, or full. Equal ones are kept once. */
bool isolation_add(struct isolation *i, const char *address, int64_t port, enum isolation_kind kind);
void isolation_rules(struct strbuf *out, const struct isolation *i); /* the text for nft -f */

/* Saves the wish, then loads the rules; when they cannot be loaded the wish is withdrawn and nothing has changed. */
enum rc isolation_begin(const struct isolation_place *p, const struct isolation *i, char *ret_why,
                        size_t why_size) MUST_CHECK;
enum rc isolation_end(const struct isolation_place *p, char *ret_why, size_t why_size) MUST_CHECK;
/* At start: loads the rules again when there is a saved wish. RC_NOT_FOUND: there is none. */
enum rc isolation_resume(const struct isolation_place *p, char *ret_why, size_t why_size) MUST_CHECK;
bool isolation_wished(const char *file);

#endif
