/* SPDX-License-Identifier: Apache-2.0 */
/* rc.h - the one result type. Values of a function's outcome, not of its details: those go once into struct fault. */
#ifndef SEKISHO_RC_H
#define SEKISHO_RC_H

enum rc {
    RC_OK = 0,
    RC_NOT_FOUND,   /* the thing asked for does not exist, or not for this caller */
    RC_CONFLICT,    /* someone else changed it, or it exists already */
    RC_DENIED,      /* known who, not allowed */
    RC_OVER_QUOTA,  /* allowed, but not now or not so much */
    RC_INVALID,     /* the input is at fault */
    RC_UNAVAILABLE, /* a component we need is away or overloaded; may be tried again */
    RC_UNCERTAIN,   /* the connection was lost during COMMIT: neither yes nor no */
    RC_INTERNAL     /* our fault, or an impossible answer from a component */
};

#define MUST_CHECK __attribute__((warn_unused_result))

const char *rc_name(enum rc rc); /* "ok", "not_found", ... ; static */

#endif
