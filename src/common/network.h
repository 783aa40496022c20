/* SPDX-License-Identifier: Apache-2.0 */
/* network.h - IP addresses and networks (CIDR) as values. IPv4 is kept as IPv4-mapped IPv6, so both compare alike.
 * Thread-safe: pure functions. */
#ifndef SEKISHO_NETWORK_H
#define SEKISHO_NETWORK_H

#include "common/rc.h"
#include "common/slice.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_SIZE 46

struct address {
    uint8_t b[16]; /* network order */
};

struct network {
    struct address base;
    int bits; /* 0-128; of the 16 bytes */
};

bool address_of_sockaddr(const struct sockaddr *sa, struct address *ret); /* false: not IP */
bool address_parse(struct slice text, struct address *ret);
char *address_text(const struct address *a, char ret[ADDRESS_TEXT_SIZE]); /* IPv4 in dotted form; returns ret */

/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix must be 0, so that a slip is seen. */
bool network_parse(struct slice text, struct network *ret);
/* Comma-separated, blanks allowed; empty: none. RC_INVALID: *ret_bad is the entry; RC_OVER_QUOTA: more than max. */
enum rc network_list_parse(struct slice text, struct network *ret, size_t max, size_t *ret_n,
                           struct slice *ret_bad) MUST_CHECK;
bool network_has(const struct network *n, const struct address *a);
bool network_list_has(const struct network *list, size_t n, const struct address *a);

#endif
