/* SPDX-License-Identifier: Apache-2.0 */
/* platform.c - see platform.h; the column numbers follow platform.sql. */
#include "store/platform.h"

enum rc platform_find(struct tx *control, struct arena *a, const char *name, struct slice *ret_public,
                      struct slice *ret_sealed)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_str(&args, name);
    enum rc rc = tx_one(control, SQL_platform_find, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret_public = rows_slice(&r, 0, 0);
    *ret_sealed = rows_bytes(&r, a, 0, 1);
    return RC_OK;
}

enum rc platform_tenant_ca(struct tx *control, struct arena *a, int tenant_no, struct slice *ret_pem,
                           struct slice *ret_key_sealed)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_int(&args, tenant_no);
    enum rc rc = tx_one(control, SQL_platform_tenant_ca, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (rows_null(&r, 0, 0) || rows_null(&r, 0, 1))
        return RC_NOT_FOUND;
    *ret_pem = rows_slice(&r, 0, 0);
    *ret_key_sealed = rows_bytes(&r, a, 0, 1);
    return RC_OK;
}

enum rc platform_signing_keys(struct tx *control, struct arena *a, usec_t now, struct signing_key_row **ret,
                              size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_time(&args, now);
    enum rc rc = tx_run(control, SQL_platform_signing_keys, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct signing_key_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct signing_key_row){rows_slice(&r, i, 0), rows_bytes(&r, a, i, 1), rows_time(&r, i, 2),
                                             rows_time(&r, i, 3)};
    return RC_OK;
}

enum rc platform_signing_key_insert(struct tx *control, struct arena *a, const struct signing_key_row *row,
                                    usec_t newest_before, bool *ret_made)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_slice(&args, row->kid);
    args_bytes(&args, row->secret_sealed);
    args_time(&args, row->created_at);
    args_time(&args, row->retires_at);
    args_time(&args, newest_before);
    enum rc rc = tx_run(control, SQL_platform_signing_key_insert, &args, &r);
    if (rc == RC_OK)
        *ret_made = rows_affected(&r) == 1;
    return rc;
}

enum rc platform_signing_keys_forget(struct tx *control, struct arena *a, usec_t now)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_time(&args, now);
    return tx_run(control, SQL_platform_signing_keys_forget, &args, &r);
}
