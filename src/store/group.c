/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - see group.h; the column numbers follow group.sql. */
#include "store/group.h"

static void row_read(const struct rows *r, int i, struct group_row *g)
{
    g->id = rows_uuid(r, i, 0);
    g->parent_id = rows_uuid(r, i, 1);
    g->name = rows_slice(r, i, 2);
    g->built_in = rows_bool(r, i, 3);
    g->devices = rows_int(r, i, 4);
}

enum rc group_page(struct tx *tx, struct arena *a, struct group_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_group_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct group_row *rows = ARENA_ARRAY(a, struct group_row, r.n + 1);
    for (int i = 0; i < r.n; i++)
        row_read(&r, i, &rows[i]);
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc group_find(struct tx *tx, struct arena *a, struct uuid id, struct group_row *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_group_find, &args, &r);
    if (rc == RC_OK)
        row_read(&r, 0, ret);
    return rc;
}

enum rc group_built_in(struct tx *tx, struct arena *a, const char *which, struct uuid *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_str(&args, which);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_group_built_in, &args, &r);
    if (rc == RC_OK)
        *ret = rows_uuid(&r, 0, 0);
    return rc;
}

enum rc group_sibling(struct tx *tx, struct arena *a, struct uuid parent, struct slice name, struct uuid *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, parent);
    args_slice(&args, name);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_group_sibling, &args, &r);
    if (rc == RC_OK)
        *ret = rows_uuid(&r, 0, 0);
    return rc;
}

enum rc group_insert(struct tx *tx, struct arena *a, struct uuid id, struct uuid parent, struct slice name,
                     const char *built_in, usec_t now)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    args_uuid(&args, parent);
    args_slice(&args, name);
    args_str(&args, built_in);
    args_time(&args, now);
    struct rows r;
    return tx_run(tx, SQL_group_insert, &args, &r);
}
