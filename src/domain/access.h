/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - the rules of rights: what permission sets add up to, and that nobody gives what he does not have. Pure but
 * for access_check_*. Rights add up over sets and groups; a denial wins, with everything below its group. */
#ifndef SEKISHO_DOMAIN_ACCESS_H
#define SEKISHO_DOMAIN_ACCESS_H

#include "store/access.h"

/* Built-in permission sets: no rows, known by their ids, changed by nobody. */
struct built_in_set {
    struct uuid id;
    const char *name; /* a message code: permission_set.<name> */
    rights rights;
    bool on_home_group; /* else on All */
};
extern const struct built_in_set built_in_sets[];
extern const size_t built_in_sets_count;
const struct built_in_set *built_in_set_find(struct uuid id); /* NULL: it is none */
struct uuid built_in_administrator(void);

/* Of an account: the ids of its sets (built-in ones count here), its home group (nil: All), the grants of the others.
 */
struct access access_sum(const struct uuid *set_ids, size_t n_ids, bool home_is_all, const struct access_grant *grants,
                         size_t n_grants);

/* Rights per group of groups[], in its order. */
rights *access_spread(struct arena *a, const struct access_group *groups, size_t n_groups,
                      const struct access_account *account);
/* True when after is within before and mine on every group; else *ret_beyond is a right that is not. */
bool access_within(const rights *after, const rights *before, const rights *mine, size_t n_groups, rights *ret_beyond);

/* ---- checks of a change, in the caller's transaction after access_lock; each fills c->fault unless RC_OK */

struct access_change {
    struct call *call;
    struct tx *tx;
    struct access_group *groups;
    size_t n_groups;
    rights *mine; /* the caller's, per group */
};
/* Reads the tree and the caller's rights; begin also takes the lock, first. */
enum rc access_change_read(struct call *c, struct tx *tx, struct access_change *ret) MUST_CHECK;
enum rc access_change_begin(struct call *c, struct tx *tx, struct access_change *ret) MUST_CHECK;
/* An account may be changed by those who may do all that it may. *ret_before: its rights per group. */
enum rc access_check_account(struct access_change *x, struct uuid account, rights **ret_before) MUST_CHECK;
/* What an account will have with these sets and this home group; before: of access_check_account, NULL for a new one.
 */
enum rc access_check_sets(struct access_change *x, const struct uuid *set_ids, size_t n, struct uuid home,
                          const rights *before) MUST_CHECK;
/* A permission set made (id nil) or changed to what set says: neither it nor anybody who has it may gain more than the
 * caller has, and the caller is not one of those who have it. */
enum rc access_check_set(struct access_change *x, const struct permission_set_row *set,
                         const struct permission_set_row *before) MUST_CHECK;

/* Whether the caller, whose account is me, may change the set at all. */
bool access_may_edit(struct access_change *x, const struct access_account *me, const struct permission_set_row *set);

#endif
