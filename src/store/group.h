/* SPDX-License-Identifier: Apache-2.0 */
/* group.h - static groups. All functions run in a tenant's transaction on a worker; memory is of the arena given. */
#ifndef SEKISHO_STORE_GROUP_H
#define SEKISHO_STORE_GROUP_H

#include "store/db.h"

struct group_row {
    struct uuid id, parent_id; /* nil: the root */
    struct slice name;
    bool built_in;
    int64_t devices;
};

enum rc group_page(struct tx *tx, struct arena *a, struct group_row **ret,
                   size_t *ret_n) MUST_CHECK; /* at most 1,000 */
enum rc group_find(struct tx *tx, struct arena *a, struct uuid id, struct group_row *ret) MUST_CHECK;
enum rc group_built_in(struct tx *tx, struct arena *a, const char *which,
                       struct uuid *ret) MUST_CHECK; /* all, lost_and_found */
enum rc group_sibling(struct tx *tx, struct arena *a, struct uuid parent, struct slice name,
                      struct uuid *ret) MUST_CHECK;
/* built_in NULL for a group of a user. */
enum rc group_insert(struct tx *tx, struct arena *a, struct uuid id, struct uuid parent, struct slice name,
                     const char *built_in, usec_t now) MUST_CHECK;

#endif
