/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h - the header of the PROXY protocol, version 2, by which a load balancer tells who called it. Only bytes from
 * trusted networks are read as such. Pure; thread-safe. */
#ifndef SEKISHO_PROXY_H
#define SEKISHO_PROXY_H

#include "common/network.h"

#define PROXY_HEADER_MAX 1024 /* bytes: addresses and type-length-values; a longer one is refused */

enum proxy_header {
    PROXY_MORE,  /* a good beginning: more bytes have to come */
    PROXY_KNOWN, /* *ret_from is the client's address */
    PROXY_LOCAL, /* the balancer itself calls (health check), or a family that is not IP: the peer is the client */
    PROXY_BAD,
};

/* ret_n: bytes that the header takes, with PROXY_KNOWN and PROXY_LOCAL. */
enum proxy_header proxy_header_parse(const uint8_t *p, size_t n, struct address *ret_from, size_t *ret_n);

#endif
