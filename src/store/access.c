/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - see access.h; the column numbers follow access.sql. */
#include "store/access.h"
#include "common/must.h"

/* ---- reach */

static enum rc reach_groups(struct call *c, struct tx *tx, rights wanted)
{
    const struct access *mine = principal_access(c->principal);
    struct sql_args args;
    struct rows r;

    args_init(&args, c->arena);
    args_uuid(&args, principal_subject(c->principal));
    args_int(&args, (int64_t)wanted);
    args_bool(&args, mine->root & wanted);
    args_bool(&args, mine->home & wanted);
    enum rc rc = tx_run(tx, SQL_access_reach, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct uuid *groups = ARENA_ARRAY(c->arena, struct uuid, r.n + 1);
    for (int i = 0; i < r.n; i++)
        groups[i] = rows_uuid(&r, i, 0);
    tx_reach_groups(tx, groups, (size_t)r.n);
    return RC_OK;
}

enum rc access_enter(struct call *c, struct tx *tx, const char *permission)
{
    rights wanted = rights_named(permission);

    if (principal_kind(c->principal) != PRINCIPAL_USER)
        return RC_OK;
    if (principal_access(c->principal)->everywhere & wanted) {
        tx_reach_all(tx);
        return RC_OK;
    }
    return principal_access(c->principal)->may & wanted ? reach_groups(c, tx, wanted) : RC_DENIED;
}

/* ---- what decides it */

enum rc access_sets(struct tx *tx, struct arena *a, struct uuid account, struct access_grant **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, account);
    enum rc rc = tx_run(tx, SQL_access_sets, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct access_grant, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct access_grant){rows_uuid(&r, i, 0), rows_bool(&r, i, 1), (rights)rows_int(&r, i, 2),
                                          (rights)rows_int(&r, i, 3)};
    return RC_OK;
}

enum rc access_groups(struct tx *tx, struct arena *a, struct access_group **ret, size_t *ret_n)
{
    struct rows r;
    enum rc rc = tx_run(tx, SQL_access_groups, NULL, &r);

    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct access_group, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct access_group){rows_uuid(&r, i, 0), rows_uuid(&r, i, 1)};
    return RC_OK;
}

static size_t ids_read(const struct rows *r, struct arena *a, int row, int col, struct uuid **ret)
{
    struct slice *texts;
    size_t n = rows_array(r, a, row, col, &texts);

    *ret = ARENA_ARRAY(a, struct uuid, n + 1);
    for (size_t i = 0; i < n; i++)
        must(uuid_parse(texts[i], &(*ret)[i]));
    return n;
}

enum rc access_accounts(struct tx *tx, struct arena *a, struct uuid set, struct uuid account,
                        struct access_account **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, set);
    args_uuid(&args, account);
    enum rc rc = tx_run(tx, SQL_access_accounts, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct access_account *all = ARENA_ARRAY(a, struct access_account, r.n + 1);
    struct access_set_grant *grants = ARENA_ARRAY(a, struct access_set_grant, r.n + 1);
    size_t n = 0;
    for (int i = 0; i < r.n; i++) {
        struct uuid id = rows_uuid(&r, i, 0);
        if (n == 0 || !uuid_eq(all[n - 1].id, id)) {
            all[n] = (struct access_account){.id = id, .home = rows_uuid(&r, i, 2), .grants = &grants[i]};
            all[n].n_set_ids = ids_read(&r, a, i, 1, &all[n].set_ids);
            n++;
        }
        /* Rows of an account stand together, so its grants do; those without a group are the last of nothing. */
        if (!rows_null(&r, i, 4))
            all[n - 1].grants[all[n - 1].n_grants++] = (struct access_set_grant){rows_uuid(&r, i, 3),
                                                                                 {.group = rows_uuid(&r, i, 4),
                                                                                  .allow = (rights)rows_int(&r, i, 5),
                                                                                  .deny = (rights)rows_int(&r, i, 6)}};
    }
    *ret = all;
    *ret_n = n;
    return RC_OK;
}

enum rc access_lock(struct tx *tx, struct arena *a)
{
    struct rows r;

    (void)a;
    return tx_one(tx, SQL_access_lock, NULL, &r);
}

/* ---- permission sets */

static void set_read(const struct rows *r, struct arena *a, int i, struct permission_set_row *ret)
{
    *ret = (struct permission_set_row){.id = rows_uuid(r, i, 0),
                                       .name = rows_slice(r, i, 1),
                                       .description = rows_slice(r, i, 2),
                                       .allow = (rights)rows_int(r, i, 3),
                                       .deny = (rights)rows_int(r, i, 4),
                                       .revision = rows_int(r, i, 5),
                                       .changed_at = rows_time(r, i, 6),
                                       .users = rows_int(r, i, 7)};
    ret->n_groups = ids_read(r, a, i, 8, &ret->groups);
    (void)rows_array(r, a, i, 9, &ret->group_names);
}

static enum rc sets(struct tx *tx, struct arena *a, struct uuid id, struct rows *ret)
{
    struct sql_args args;

    args_init(&args, a);
    args_uuid(&args, id);
    return tx_run(tx, SQL_permission_set_page, &args, ret);
}

enum rc permission_set_page(struct tx *tx, struct arena *a, struct permission_set_row **ret, size_t *ret_n)
{
    struct rows r;
    enum rc rc = sets(tx, a, (struct uuid){{0}}, &r);

    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct permission_set_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        set_read(&r, a, i, &(*ret)[i]);
    return RC_OK;
}

enum rc permission_set_find(struct tx *tx, struct arena *a, struct uuid id, struct permission_set_row *ret)
{
    struct rows r;
    enum rc rc = sets(tx, a, id, &r);

    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        return RC_NOT_FOUND;
    set_read(&r, a, 0, ret);
    return RC_OK;
}

enum rc permission_set_lock(struct tx *tx, struct arena *a, struct uuid id, struct permission_set_row *ret)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_one(tx, SQL_permission_set_lock, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = (struct permission_set_row){.id = id,
                                       .name = rows_slice(&r, 0, 0),
                                       .description = rows_slice(&r, 0, 1),
                                       .allow = (rights)rows_int(&r, 0, 3),
                                       .deny = (rights)rows_int(&r, 0, 4),
                                       .revision = rows_int(&r, 0, 5)};
    ret->n_groups = ids_read(&r, a, 0, 2, &ret->groups);
    return RC_OK;
}

static enum rc number(struct tx *tx, enum sql_id id, struct sql_args *args, int64_t *ret)
{
    struct rows r;
    enum rc rc = tx_one(tx, id, args, &r);

    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

enum rc permission_set_count(struct tx *tx, struct arena *a, int64_t *ret)
{
    (void)a;
    return number(tx, SQL_permission_set_count, NULL, ret);
}

enum rc permission_set_users(struct tx *tx, struct arena *a, struct uuid id, int64_t *ret)
{
    struct sql_args args;

    args_init(&args, a);
    args_uuid(&args, id);
    return number(tx, SQL_permission_set_users, &args, ret);
}

static enum rc write(struct tx *tx, struct arena *a, enum sql_id id, const struct permission_set_row *row, usec_t now)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, row->id);
    args_slice(&args, row->name);
    args_slice(&args, row->description);
    struct sql_array *groups = args_array(&args);
    for (size_t i = 0; i < row->n_groups; i++)
        array_uuid(groups, row->groups[i]);
    args_int(&args, (int64_t)row->allow);
    args_int(&args, (int64_t)row->deny);
    args_time(&args, now);
    return tx_run(tx, id, &args, &r);
}

enum rc permission_set_insert(struct tx *tx, struct arena *a, const struct permission_set_row *row, usec_t now)
{
    return write(tx, a, SQL_permission_set_insert, row, now);
}

enum rc permission_set_update(struct tx *tx, struct arena *a, const struct permission_set_row *row, usec_t now)
{
    return write(tx, a, SQL_permission_set_update, row, now);
}

enum rc permission_set_remove(struct tx *tx, struct arena *a, struct uuid id)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, id);
    return tx_run(tx, SQL_permission_set_remove, &args, &r);
}

enum rc permission_set_names(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n,
                             struct permission_set_name **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    struct sql_array *list = args_array(&args);
    for (size_t i = 0; i < n; i++)
        array_uuid(list, ids[i]);
    enum rc rc = tx_run(tx, SQL_permission_set_names, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct permission_set_name, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct permission_set_name){rows_uuid(&r, i, 0), rows_slice(&r, i, 1)};
    return RC_OK;
}
