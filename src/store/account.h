/* SPDX-License-Identifier: Apache-2.0 */
/* account.h - people who sign in. All functions run in a tenant's transaction on a worker; memory is of the arena
 * given. */
#ifndef SEKISHO_STORE_ACCOUNT_H
#define SEKISHO_STORE_ACCOUNT_H

#include "store/db.h"

struct account_row {
    struct uuid id;
    struct slice name, display_name, password_hash, language;
    bool must_change;
    int failures;
    usec_t locked_until; /* 0: never */
    bool disabled;
    bool factor_required;
    struct slice factor_sealed; /* the TOTP secret; p == NULL: none */
    bool factor;                /* it was confirmed and is asked for */
    int64_t factor_step;        /* of the last code used; 0: none */
};

struct account_new {
    struct uuid id, home; /* home nil: All */
    struct slice name, display_name, password_hash, language, email;
    bool must_change, factor_required;
    const struct uuid *set_ids;
    size_t n_set_ids;
};

enum rc account_by_name(struct tx *tx, struct arena *a, struct slice name,
                        struct account_row *ret) MUST_CHECK; /* case ignored; RC_NOT_FOUND */
enum rc account_find(struct tx *tx, struct arena *a, struct uuid id, struct account_row *ret) MUST_CHECK;
/* RC_CONFLICT: the name is taken. */
enum rc account_insert(struct tx *tx, struct arena *a, const struct account_new *row, usec_t now) MUST_CHECK;
/* Fills args for the statement account_insert, for whoever runs it without a transaction of a worker (provision/). */
void account_insert_args(struct sql_args *args, const struct account_new *row, usec_t now);

/* Lock-out: from the LOCK_FROM-th failure in a row on, LOCK_SECONDS, doubled with each further one, at most LOCK_MOST.
 */
#define ACCOUNT_LOCK_FROM    5
#define ACCOUNT_LOCK_SECONDS 30
#define ACCOUNT_LOCK_MOST    900
enum rc account_failed(struct tx *tx, struct arena *a, struct uuid id, usec_t now, int *ret_failures,
                       usec_t *ret_locked_until) MUST_CHECK;
enum rc account_succeeded(struct tx *tx, struct arena *a, struct uuid id, usec_t now) MUST_CHECK;
enum rc account_set_password(struct tx *tx, struct arena *a, struct uuid id, struct slice hash,
                             bool must_change) MUST_CHECK;
enum rc account_set_language(struct tx *tx, struct arena *a, struct uuid id, const char *language) MUST_CHECK;

#endif
