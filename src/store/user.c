/* SPDX-License-Identifier: Apache-2.0 */
/* user.c - see user.h; the column numbers follow user.sql. */
#include "store/user.h"
#include "common/must.h"

static void filter_args(struct sql_args *args, const struct user_filter *f)
{
    args_slice(args, f->search);
    args_uuid(args, f->set);
    if (f->enabled < 0)
        args_null(args);
    else
        args_bool(args, f->enabled != 0);
}

static void sets_read(const struct rows *r, struct arena *a, int i, struct user_row *u)
{
    struct slice *ids, *names;

    u->n_set_ids = rows_array(r, a, i, 16, &ids);
    u->set_ids = ARENA_ARRAY(a, struct uuid, u->n_set_ids + 1);
    for (size_t k = 0; k < u->n_set_ids; k++)
        must(uuid_parse(ids[k], &u->set_ids[k]));
    u->n_sets = rows_array(r, a, i, 17, &ids);
    must(rows_array(r, a, i, 18, &names) == u->n_sets);
    u->sets = ARENA_ARRAY(a, struct user_set, u->n_sets + 1);
    for (size_t k = 0; k < u->n_sets; k++) {
        must(uuid_parse(ids[k], &u->sets[k].id));
        u->sets[k].name = names[k];
    }
}

static void row_read(const struct rows *r, struct arena *a, int i, struct user_row *u)
{
    *u = (struct user_row){.id = rows_uuid(r, i, 0),
                           .name = rows_slice(r, i, 1),
                           .display_name = rows_slice(r, i, 2),
                           .email = rows_slice(r, i, 3),
                           .language = rows_slice(r, i, 4),
                           .must_change = rows_bool(r, i, 5),
                           .locked_until = rows_time(r, i, 6),
                           .disabled = !rows_null(r, i, 7),
                           .factor = !rows_null(r, i, 8),
                           .factor_required = rows_bool(r, i, 9),
                           .last_sign_in_at = rows_time(r, i, 10),
                           .created_at = rows_time(r, i, 11),
                           .revision = rows_int(r, i, 12),
                           .home = rows_uuid(r, i, 13),
                           .home_name = rows_slice(r, i, 14),
                           .home_built_in = rows_bool(r, i, 15),
                           .sort_key = rows_slice(r, i, 19)};
    sets_read(r, a, i, u);
}

static enum rc page(struct tx *tx, struct arena *a, const struct user_filter *f, struct slice after_key,
                    struct uuid after_id, struct uuid one, int limit, struct user_row **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    filter_args(&args, f);
    args_slice(&args, after_key);
    args_uuid(&args, after_id);
    args_uuid(&args, one);
    args_int(&args, limit);
    enum rc rc = tx_run(tx, SQL_user_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct user_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        row_read(&r, a, i, &(*ret)[i]);
    return RC_OK;
}

enum rc user_page(struct tx *tx, struct arena *a, const struct user_filter *f, struct slice after_key,
                  struct uuid after_id, int limit, struct user_row **ret, size_t *ret_n)
{
    return page(tx, a, f, after_key, after_id, (struct uuid){{0}}, limit, ret, ret_n);
}

enum rc user_count(struct tx *tx, struct arena *a, const struct user_filter *f, int64_t *ret)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    filter_args(&args, f);
    enum rc rc = tx_one(tx, SQL_user_count, &args, &r);
    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

enum rc user_find(struct tx *tx, struct arena *a, struct uuid id, struct user_row *ret)
{
    struct user_filter any = {.enabled = -1};
    struct user_row *rows;
    size_t n;
    enum rc rc = page(tx, a, &any, SLICE_NONE, (struct uuid){{0}}, id, 1, &rows, &n);

    if (rc != RC_OK)
        return rc;
    if (n == 0)
        return RC_NOT_FOUND;
    *ret = rows[0];
    return RC_OK;
}

enum rc user_lock(struct tx *tx, struct arena *a, struct uuid id, struct slice *ret_name, int64_t *ret_revision)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_one(tx, SQL_user_lock, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret_name = rows_slice(&r, 0, 0);
    *ret_revision = rows_int(&r, 0, 1);
    return RC_OK;
}

enum rc user_update(struct tx *tx, struct arena *a, const struct user_row *row, usec_t now)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, row->id);
    args_slice(&args, row->display_name);
    args_slice(&args, row->email.p ? row->email : SLICE(""));
    args_slice(&args, row->language);
    args_uuid(&args, row->home);
    struct sql_array *sets = args_array(&args);
    for (size_t i = 0; i < row->n_set_ids; i++)
        array_uuid(sets, row->set_ids[i]);
    args_bool(&args, !row->disabled);
    args_bool(&args, row->factor_required);
    args_time(&args, now);
    return tx_run(tx, SQL_user_update, &args, &r);
}

static enum rc on_one(struct tx *tx, struct arena *a, enum sql_id statement, struct uuid id)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_run(tx, statement, &args, &r);
    return rc != RC_OK ? rc : rows_affected(&r) == 1 ? RC_OK : RC_NOT_FOUND;
}

enum rc user_remove(struct tx *tx, struct arena *a, struct uuid id)
{
    return on_one(tx, a, SQL_user_remove, id);
}

enum rc user_two_factor_clear(struct tx *tx, struct arena *a, struct uuid id)
{
    return on_one(tx, a, SQL_user_two_factor_clear, id);
}
