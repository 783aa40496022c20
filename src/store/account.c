/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - see account.h; the column numbers follow account.sql. */
#include "store/account.h"

static void row_read(const struct rows *r, struct arena *a, struct account_row *ret)
{
    *ret = (struct account_row){.id = rows_uuid(r, 0, 0),
                                .name = rows_slice(r, 0, 1),
                                .display_name = rows_slice(r, 0, 2),
                                .password_hash = rows_slice(r, 0, 3),
                                .must_change = rows_bool(r, 0, 4),
                                .language = rows_slice(r, 0, 5),
                                .failures = (int)rows_int(r, 0, 6),
                                .locked_until = rows_time(r, 0, 7),
                                .disabled = !rows_null(r, 0, 8),
                                .factor_required = rows_bool(r, 0, 9),
                                .factor_sealed = rows_null(r, 0, 10) ? SLICE_NONE : rows_bytes(r, a, 0, 10),
                                .factor = !rows_null(r, 0, 11),
                                .factor_step = rows_int(r, 0, 12)};
}

enum rc account_by_name(struct tx *tx, struct arena *a, struct slice name, struct account_row *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_slice(&args, name);
    enum rc rc = tx_one(tx, SQL_account_by_name, &args, &r);
    if (rc == RC_OK)
        row_read(&r, a, ret);
    return rc;
}

enum rc account_find(struct tx *tx, struct arena *a, struct uuid id, struct account_row *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_one(tx, SQL_account_find, &args, &r);
    if (rc == RC_OK)
        row_read(&r, a, ret);
    return rc;
}

void account_insert_args(struct sql_args *args, const struct account_new *row, usec_t now)
{
    args_uuid(args, row->id);
    args_slice(args, row->name);
    args_slice(args, row->display_name);
    args_slice(args, row->password_hash);
    args_bool(args, row->must_change);
    args_slice(args, row->language);
    struct sql_array *sets = args_array(args);
    for (size_t i = 0; i < row->n_set_ids; i++)
        array_uuid(sets, row->set_ids[i]);
    args_uuid(args, row->home);
    args_slice(args, row->email.p ? row->email : SLICE(""));
    args_bool(args, row->factor_required);
    args_time(args, now);
}

enum rc account_insert(struct tx *tx, struct arena *a, const struct account_new *row, usec_t now)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    account_insert_args(&args, row, now);
    return tx_run(tx, SQL_account_insert, &args, &r);
}

enum rc account_failed(struct tx *tx, struct arena *a, struct uuid id, usec_t now, int *ret_failures,
                       usec_t *ret_locked_until)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_time(&args, now);
    args_int(&args, ACCOUNT_LOCK_FROM);
    args_int(&args, ACCOUNT_LOCK_SECONDS);
    args_int(&args, ACCOUNT_LOCK_MOST);
    enum rc rc = tx_one(tx, SQL_account_failed, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret_failures = (int)rows_int(&r, 0, 0);
    *ret_locked_until = rows_time(&r, 0, 1);
    return RC_OK;
}

enum rc account_succeeded(struct tx *tx, struct arena *a, struct uuid id, usec_t now)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_time(&args, now);
    return tx_run(tx, SQL_account_succeeded, &args, &r);
}

enum rc account_set_password(struct tx *tx, struct arena *a, struct uuid id, struct slice hash, bool must_change)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_slice(&args, hash);
    args_bool(&args, must_change);
    enum rc rc = tx_run(tx, SQL_account_set_password, &args, &r);
    return rc != RC_OK ? rc : rows_affected(&r) == 1 ? RC_OK : RC_NOT_FOUND;
}

enum rc account_set_language(struct tx *tx, struct arena *a, struct uuid id, const char *language)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_str(&args, language);
    enum rc rc = tx_run(tx, SQL_account_set_language, &args, &r);
    return rc != RC_OK ? rc : rows_affected(&r) == 1 ? RC_OK : RC_NOT_FOUND;
}
