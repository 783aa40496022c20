/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - which groups a right reaches, and the rows of permission sets. All functions run in a tenant's transaction
 * on a worker; memory is of the arena given. */
#ifndef SEKISHO_STORE_ACCESS_H
#define SEKISHO_STORE_ACCESS_H

#include "store/db.h"

/* From here on tx sees the groups that the caller's right reaches, such as "devices.read": the one place where a
 * person's rights meet rows. Routes with x-permission on a blocking worker have it done before their handler.
 * RC_DENIED: on no group at all. */
enum rc access_enter(struct call *c, struct tx *tx, const char *permission) MUST_CHECK;

/* What a permission set gives on a group and all below it. */
struct access_grant {
    struct uuid group;
    bool root; /* group is All */
    rights allow, deny;
};
enum rc access_sets(struct tx *tx, struct arena *a, struct uuid account, struct access_grant **ret,
                    size_t *ret_n) MUST_CHECK;

struct access_group {
    struct uuid id, parent; /* parent nil: All */
};
enum rc access_groups(struct tx *tx, struct arena *a, struct access_group **ret, size_t *ret_n) MUST_CHECK;

/* An account with what decides its rights. Grants of sets that are rows; set_ids also name built-in ones. */
struct access_account {
    struct uuid id, home; /* home nil: All */
    struct uuid *set_ids;
    size_t n_set_ids;
    struct access_set_grant {
        struct uuid set;
        struct access_grant grant;
    } * grants;
    size_t n_grants;
};
/* Those that have the set (nil: any), or the one account (nil: any). */
enum rc access_accounts(struct tx *tx, struct arena *a, struct uuid set, struct uuid account,
                        struct access_account **ret, size_t *ret_n) MUST_CHECK;
/* Changes of rights go one after the other until the end of tx. */
enum rc access_lock(struct tx *tx, struct arena *a) MUST_CHECK;

#define PERMISSION_SETS_MAX 500 /* rows per tenant */
struct permission_set_row {
    struct uuid id;
    struct slice name, description;
    struct uuid *groups;
    struct slice *group_names; /* of pages */
    size_t n_groups;
    rights allow, deny;
    int64_t revision, users;
    usec_t changed_at;
};
enum rc permission_set_page(struct tx *tx, struct arena *a, struct permission_set_row **ret, size_t *ret_n) MUST_CHECK;
enum rc permission_set_find(struct tx *tx, struct arena *a, struct uuid id,
                            struct permission_set_row *ret) MUST_CHECK; /* RC_NOT_FOUND */
enum rc permission_set_lock(struct tx *tx, struct arena *a, struct uuid id, struct permission_set_row *ret) MUST_CHECK;
enum rc permission_set_count(struct tx *tx, struct arena *a, int64_t *ret) MUST_CHECK;
enum rc permission_set_users(struct tx *tx, struct arena *a, struct uuid id, int64_t *ret) MUST_CHECK;
/* id, name, description, groups, allow, deny of row. RC_CONFLICT: the name is taken. */
enum rc permission_set_insert(struct tx *tx, struct arena *a, const struct permission_set_row *row,
                              usec_t now) MUST_CHECK;
enum rc permission_set_update(struct tx *tx, struct arena *a, const struct permission_set_row *row,
                              usec_t now) MUST_CHECK;
enum rc permission_set_remove(struct tx *tx, struct arena *a, struct uuid id) MUST_CHECK;
struct permission_set_name {
    struct uuid id;
    struct slice name;
};
enum rc permission_set_names(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n,
                             struct permission_set_name **ret, size_t *ret_n) MUST_CHECK;

#endif
