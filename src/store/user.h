/* SPDX-License-Identifier: Apache-2.0 */
/* user.h - accounts as those see them who manage users. All functions run in a tenant's transaction on a worker, within
 * the groups that the caller's right reaches (an account belongs to its home group); memory is of the arena given. */
#ifndef SEKISHO_STORE_USER_H
#define SEKISHO_STORE_USER_H

#include "store/db.h"

struct user_row {
    struct uuid id, home;
    struct slice name, display_name, email, language, home_name; /* home_name p == NULL: All */
    bool home_built_in;
    bool must_change, disabled, factor, factor_required;
    usec_t locked_until, last_sign_in_at, created_at; /* 0: not, never */
    int64_t revision;
    struct uuid *set_ids; /* built-in ones too */
    size_t n_set_ids;
    struct user_set { /* those that are rows */
        struct uuid id;
        struct slice name;
    } * sets;
    size_t n_sets;
    struct slice sort_key;
};

struct user_filter {
    struct slice search; /* p == NULL: any */
    struct uuid set;     /* nil: any */
    int enabled;         /* -1: any */
};

enum rc user_page(struct tx *tx, struct arena *a, const struct user_filter *f, struct slice after_key,
                  struct uuid after_id, int limit, struct user_row **ret, size_t *ret_n) MUST_CHECK;
enum rc user_count(struct tx *tx, struct arena *a, const struct user_filter *f, int64_t *ret) MUST_CHECK;
enum rc user_find(struct tx *tx, struct arena *a, struct uuid id, struct user_row *ret) MUST_CHECK; /* RC_NOT_FOUND */
/* Stays locked until the end of tx. */
enum rc user_lock(struct tx *tx, struct arena *a, struct uuid id, struct slice *ret_name,
                  int64_t *ret_revision) MUST_CHECK;
/* display_name, email, language, home, set_ids, disabled, factor_required of row. */
enum rc user_update(struct tx *tx, struct arena *a, const struct user_row *row, usec_t now) MUST_CHECK;
enum rc user_remove(struct tx *tx, struct arena *a, struct uuid id) MUST_CHECK;
enum rc user_two_factor_clear(struct tx *tx, struct arena *a, struct uuid id) MUST_CHECK;

#endif
