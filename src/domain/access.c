/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - see access.h. */
#include "domain/access.h"
#include <stdio.h>

/* ---- built-in permission sets */

#define BUILT_IN_ID(n)                                              \
    {                                                               \
        {                                                           \
            0x5e, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, n \
        }                                                           \
    }
#define FIELD(f, l) (((UINT64_C(1) << ACCESS_##l) - 1) << (3 * FUNCTIONALITY_##f))

const struct built_in_set built_in_sets[] = {
    {BUILT_IN_ID(1), "permission_set.administrator", RIGHTS_ALL, false},
    {BUILT_IN_ID(2), "permission_set.reviewer",
     FIELD(devices, READ) | FIELD(detections, READ) | FIELD(tasks, READ) | FIELD(enrolment, READ) | FIELD(users, READ) |
         FIELD(permission_sets, READ) | FIELD(audit, READ),
     false},
    {BUILT_IN_ID(3), "permission_set.operator",
     FIELD(devices, READ) | FIELD(detections, WRITE) | FIELD(tasks, WRITE) | FIELD(enrolment, READ), false},
    {BUILT_IN_ID(4), "permission_set.branch_administrator",
     FIELD(devices, WRITE) | FIELD(detections, WRITE) | FIELD(tasks, WRITE) | FIELD(enrolment, WRITE) |
         FIELD(users, READ),
     true},
    {BUILT_IN_ID(5), "permission_set.installer", FIELD(enrolment, WRITE), false},
    {BUILT_IN_ID(6), "permission_set.auditor", FIELD(audit, READ), false},
};
const size_t built_in_sets_count = sizeof(built_in_sets) / sizeof(built_in_sets[0]);

const struct built_in_set *built_in_set_find(struct uuid id)
{
    for (size_t i = 0; i < built_in_sets_count; i++)
        if (uuid_eq(built_in_sets[i].id, id))
            return &built_in_sets[i];
    return NULL;
}

struct uuid built_in_administrator(void)
{
    return built_in_sets[0].id;
}

/* ---- sums */

struct access access_sum(const struct uuid *set_ids, size_t n_ids, bool home_is_all, const struct access_grant *grants,
                         size_t n_grants)
{
    struct access x = {0};
    rights denied_on_all = 0, denied = 0;

    for (size_t i = 0; i < n_ids; i++) {
        const struct built_in_set *s = built_in_set_find(set_ids[i]);
        if (s && s->on_home_group)
            x.home |= s->rights;
        else if (s)
            x.root |= s->rights;
    }
    x.may = x.root | x.home;
    x.everywhere = x.root | (home_is_all ? x.home : 0);
    for (size_t i = 0; i < n_grants; i++) {
        x.may |= grants[i].allow;
        denied |= grants[i].deny;
        if (grants[i].root) {
            x.everywhere |= grants[i].allow;
            denied_on_all |= grants[i].deny;
        }
    }
    x.may &= ~denied_on_all;
    x.everywhere &= ~denied;
    return x;
}

struct spread { /* of one account, per group */
    rights allow, deny;
    bool done;
};

static size_t place_of(const struct access_group *groups, size_t n, struct uuid id)
{
    for (size_t i = 0; i < n; i++)
        if (uuid_eq(groups[i].id, id))
            return i;
    return n;
}

static void here(struct spread *s, const struct access_group *g, const struct access_account *account)
{
    bool root = uuid_is_nil(g->parent), home = uuid_is_nil(account->home) ? root : uuid_eq(g->id, account->home);

    for (size_t i = 0; i < account->n_set_ids; i++) {
        const struct built_in_set *b = built_in_set_find(account->set_ids[i]);
        if (b && (b->on_home_group ? home : root))
            s->allow |= b->rights;
    }
    for (size_t i = 0; i < account->n_grants; i++) {
        const struct access_grant *x = &account->grants[i].grant;
        if (uuid_eq(x->group, g->id)) {
            s->allow |= x->allow;
            s->deny |= x->deny;
        }
    }
}

/* Adds what comes from above, the topmost group first. */
static void inherit(struct spread *s, const size_t *parents, size_t n, size_t i)
{
    if (s[i].done)
        return;
    s[i].done = true; /* also ends a loop, which the tree cannot have */
    if (parents[i] == n)
        return;
    inherit(s, parents, n, parents[i]);
    s[i].allow |= s[parents[i]].allow;
    s[i].deny |= s[parents[i]].deny;
}

rights *access_spread(struct arena *a, const struct access_group *groups, size_t n_groups,
                      const struct access_account *account)
{
    struct spread *s = ARENA_ARRAY(a, struct spread, n_groups + 1);
    size_t *parents = ARENA_ARRAY(a, size_t, n_groups + 1);
    rights *out = ARENA_ARRAY(a, rights, n_groups + 1);

    for (size_t i = 0; i < n_groups; i++) {
        here(&s[i], &groups[i], account);
        parents[i] = uuid_is_nil(groups[i].parent) ? n_groups : place_of(groups, n_groups, groups[i].parent);
    }
    for (size_t i = 0; i < n_groups; i++) {
        inherit(s, parents, n_groups, i);
        out[i] = s[i].allow & ~s[i].deny;
    }
    return out;
}

bool access_within(const rights *after, const rights *before, const rights *mine, size_t n_groups, rights *ret_beyond)
{
    for (size_t i = 0; i < n_groups; i++) {
        rights beyond = after[i] & ~((before ? before[i] : 0) | mine[i]);
        if (beyond) {
            *ret_beyond = beyond;
            return false;
        }
    }
    return true;
}

/* ---- checks */

static enum rc beyond(struct call *c, rights r)
{
    const char *names[FUNCTIONALITY_COUNT * 3];

    /* The greatest one says it best: who lacks "read" lacks "write" as well. */
    size_t n = rights_names(r, names);
    snprintf(c->fault.allowed, sizeof c->fault.allowed, "%s", names[n - 1]);
    return fault(c, RC_DENIED, PROBLEM_rights_exceeded);
}

static enum rc account_of(struct access_change *x, struct uuid id, struct access_account *ret)
{
    struct access_account *all;
    size_t n;
    enum rc rc = access_accounts(x->tx, x->call->arena, (struct uuid){{0}}, id, &all, &n);

    if (rc != RC_OK)
        return rc;
    if (n == 0)
        return RC_NOT_FOUND;
    *ret = all[0];
    return RC_OK;
}

enum rc access_change_begin(struct call *c, struct tx *tx, struct access_change *ret)
{
    enum rc rc = access_lock(tx, c->arena);

    return rc == RC_OK ? access_change_read(c, tx, ret) : rc;
}

enum rc access_change_read(struct call *c, struct tx *tx, struct access_change *ret)
{
    struct access_account me;

    *ret = (struct access_change){.call = c, .tx = tx};
    enum rc rc = access_groups(tx, c->arena, &ret->groups, &ret->n_groups);
    if (rc == RC_OK)
        rc = account_of(ret, principal_subject(c->principal), &me);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_session_ended);
    if (rc == RC_OK)
        ret->mine = access_spread(c->arena, ret->groups, ret->n_groups, &me);
    return rc;
}

enum rc access_check_account(struct access_change *x, struct uuid account, rights **ret_before)
{
    struct access_account row;
    rights more;
    enum rc rc = account_of(x, account, &row);

    if (rc != RC_OK)
        return rc;
    *ret_before = access_spread(x->call->arena, x->groups, x->n_groups, &row);
    return access_within(*ret_before, NULL, x->mine, x->n_groups, &more) ? RC_OK : beyond(x->call, more);
}

/* The grants of sets by their ids, as an account that has them. */
static enum rc account_with(struct access_change *x, const struct uuid *set_ids, size_t n, struct uuid home,
                            struct access_account *ret)
{
    struct arena *a = x->call->arena;

    *ret = (struct access_account){.home = home, .n_set_ids = n};
    ret->set_ids = ARENA_ARRAY(a, struct uuid, n + 1);
    if (n)
        memcpy(ret->set_ids, set_ids, n * sizeof *set_ids);
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        struct permission_set_row set;
        if (built_in_set_find(set_ids[i]))
            continue;
        enum rc rc = permission_set_find(x->tx, a, set_ids[i], &set);
        if (rc == RC_NOT_FOUND) {
            char field[40];
            snprintf(field, sizeof field, "set_ids[%zu]", i);
            return fault_field(x->call, PROBLEM_set_unknown, field, "");
        }
        if (rc != RC_OK)
            return rc;
        struct access_set_grant *grants = ARENA_ARRAY(a, struct access_set_grant, most + set.n_groups + 1);
        if (ret->n_grants)
            memcpy(grants, ret->grants, ret->n_grants * sizeof *grants);
        ret->grants = grants;
        for (size_t k = 0; k < set.n_groups; k++)
            ret->grants[ret->n_grants++] =
                (struct access_set_grant){set.id, {.group = set.groups[k], .allow = set.allow, .deny = set.deny}};
        most = ret->n_grants;
    }
    return RC_OK;
}

enum rc access_check_sets(struct access_change *x, const struct uuid *set_ids, size_t n, struct uuid home,
                          const rights *before)
{
    struct access_account then;
    rights more;
    enum rc rc = account_with(x, set_ids, n, home, &then);

    if (rc != RC_OK)
        return rc;
    const rights *after = access_spread(x->call->arena, x->groups, x->n_groups, &then);
    return access_within(after, before, x->mine, x->n_groups, &more) ? RC_OK : beyond(x->call, more);
}

/* The account as it will be when its grants of this set are those of the changed one. */
static struct access_account changed(struct arena *a, const struct access_account *old,
                                     const struct permission_set_row *set)
{
    struct access_account x = *old;

    x.grants = ARENA_ARRAY(a, struct access_set_grant, old->n_grants + set->n_groups + 1);
    x.n_grants = 0;
    for (size_t i = 0; i < old->n_grants; i++)
        if (!uuid_eq(old->grants[i].set, set->id))
            x.grants[x.n_grants++] = old->grants[i];
    for (size_t i = 0; i < set->n_groups; i++)
        x.grants[x.n_grants++] =
            (struct access_set_grant){set->id, {.group = set->groups[i], .allow = set->allow, .deny = set->deny}};
    return x;
}

static const rights *set_alone(struct access_change *x, const struct permission_set_row *set)
{
    struct access_account nobody = {.home = set->id}; /* a home that is no group */
    struct access_account with = changed(x->call->arena, &nobody, set);

    return access_spread(x->call->arena, x->groups, x->n_groups, &with);
}

static enum rc check_holders(struct access_change *x, const struct permission_set_row *set)
{
    struct access_account *all;
    size_t n;
    rights more;
    enum rc rc = access_accounts(x->tx, x->call->arena, set->id, (struct uuid){{0}}, &all, &n);

    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        if (uuid_eq(all[i].id, principal_subject(x->call->principal)))
            return fault(x->call, RC_DENIED, PROBLEM_own_rights);
        struct access_account then = changed(x->call->arena, &all[i], set);
        const rights *before = access_spread(x->call->arena, x->groups, x->n_groups, &all[i]);
        const rights *after = access_spread(x->call->arena, x->groups, x->n_groups, &then);
        if (!access_within(after, before, x->mine, x->n_groups, &more))
            return beyond(x->call, more);
    }
    return rc;
}

enum rc access_check_set(struct access_change *x, const struct permission_set_row *set,
                         const struct permission_set_row *before)
{
    rights more;
    const rights *then = set_alone(x, set), *was = before ? set_alone(x, before) : NULL;

    if (!access_within(then, was, x->mine, x->n_groups, &more))
        return beyond(x->call, more);
    return before ? check_holders(x, set) : RC_OK;
}

bool access_may_edit(struct access_change *x, const struct access_account *me, const struct permission_set_row *set)
{
    rights more;

    for (size_t i = 0; i < me->n_set_ids; i++)
        if (uuid_eq(me->set_ids[i], set->id))
            return false;
    return access_within(set_alone(x, set), NULL, x->mine, x->n_groups, &more);
}
