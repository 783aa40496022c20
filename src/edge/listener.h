/* SPDX-License-Identifier: Apache-2.0 */
/* listener.h - opening the ports. */
#ifndef SEKISHO_LISTENER_H
#define SEKISHO_LISTENER_H

#include "edge/edge_private.h"

/* n sockets on "address:port" that share it; RC_CONFLICT: someone else has it. Any thread. */
enum rc listener_open(const char *address, int n, int *ret_fds, char *why, size_t why_size) MUST_CHECK;
void listener_start(struct site *s, int fd); /* takes fd over; on the loop's thread */

#endif
