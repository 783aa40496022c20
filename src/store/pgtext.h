/* SPDX-License-Identifier: Apache-2.0 */
/* pgtext.h - readers of PostgreSQL's text forms, apart from libpq so that they can be tested alone. Pure functions. */
#ifndef SEKISHO_PGTEXT_H
#define SEKISHO_PGTEXT_H

#include "common/arena.h"
#include "common/clock.h"

/* "2026-11-24 10:00:00.123456+00" (ISO style, UTC); 0 for infinity and anything else. */
usec_t pgtext_time(struct slice s);
/* "\x0a0b" of a bytea; p == NULL when it is not of that form. */
struct slice pgtext_bytes(struct arena *a, struct slice s);
/* "{a,\"b c\",NULL}": items, NULL ones with p == NULL; one dimension. 0 items when it is not of that form. */
size_t pgtext_array(struct arena *a, struct slice s, struct slice **ret_items);

#endif
