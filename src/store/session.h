/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - sessions of people. All functions run in a tenant's transaction on a worker; memory is of the arena
 * given. */
#ifndef SEKISHO_STORE_SESSION_H
#define SEKISHO_STORE_SESSION_H

#include "store/db.h"

struct session_row { /* of a list */
    struct uuid id;
    usec_t created_at, last_used_at;
    struct slice address, user_agent;
};

struct session_family { /* locked for a rotation */
    struct uuid account;
    struct slice family_sealed;
    int64_t counter;
    usec_t rotated_at, expires_at;
    bool ended;
    bool must_change;
    bool disabled; /* the account */
    struct slice account_name;
};

struct session_holder { /* what an access token stands on */
    struct slice account_name;
    struct uuid *set_ids; /* permission sets, built-in ones too */
    size_t n_set_ids;
    bool home_is_all;
    bool must_change;      /* the password */
    bool must_have_factor; /* a second factor is required and not there yet */
    usec_t expires_at;
};

enum rc session_insert(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, struct slice family_sealed,
                       usec_t now, struct slice address, struct slice user_agent, usec_t expires) MUST_CHECK;
/* RC_NOT_FOUND: ended, expired, of another account, or the account is disabled. */
enum rc session_check(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, usec_t now,
                      struct session_holder *ret) MUST_CHECK;
enum rc session_lock(struct tx *tx, struct arena *a, struct uuid id, struct session_family *ret) MUST_CHECK;
enum rc session_rotate(struct tx *tx, struct arena *a, struct uuid id, int64_t counter, usec_t now, usec_t expires,
                       struct slice address, struct slice user_agent) MUST_CHECK;
/* account nil: any. RC_NOT_FOUND: there is no open one. */
enum rc session_end(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, usec_t now) MUST_CHECK;
/* keep nil: none is kept. */
enum rc session_end_others(struct tx *tx, struct arena *a, struct uuid account, struct uuid keep, usec_t now,
                           struct uuid **ret, size_t *ret_n) MUST_CHECK;
enum rc session_page(struct tx *tx, struct arena *a, struct uuid account, usec_t now, struct session_row **ret,
                     size_t *ret_n) MUST_CHECK;
enum rc session_forget(struct tx *tx, struct arena *a, usec_t before) MUST_CHECK; /* of those long over */

#endif
