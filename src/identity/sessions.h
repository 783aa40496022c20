/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.h - sessions of people that were found open in the database less than a second ago, so that a page that asks
 * ten things at once costs one statement, and a session that ends is refused within a second everywhere. Thread-safe.
 */
#ifndef SEKISHO_SESSIONS_H
#define SEKISHO_SESSIONS_H

#include "call/permission.h"
#include "common/clock.h"
#include "common/id.h"

#define SESSIONS_VALID_NS UINT64_C(900000000)

struct session_known {
    int tenant_no;
    struct uuid account;
    char account_name[101];
    struct access access;
    bool must_change, must_have_factor;
    usec_t expires;    /* of the session */
    uint64_t asked_ns; /* clock_mono_ns before the database was asked */
};

void sessions_start(void);
void sessions_stop(void);
bool sessions_find(struct uuid session, struct session_known *ret);
void sessions_put(struct uuid session, const struct session_known *s);
void sessions_drop(struct uuid session);

/* Any thread, after the commit: the session has ended. Forgotten here and at every replica; its live stream ends. */
void sessions_end(struct uuid session);

#endif
