/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h; the column numbers follow session.sql. */
#include "store/session.h"
#include "common/must.h"

enum rc session_insert(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, struct slice family_sealed,
                       usec_t now, struct slice address, struct slice user_agent, usec_t expires)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_uuid(&args, account);
    args_bytes(&args, family_sealed);
    args_time(&args, now);
    args_slice(&args, address);
    args_slice(&args, user_agent);
    args_time(&args, expires);
    return tx_run(tx, SQL_session_insert, &args, &r);
}

enum rc session_check(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, usec_t now,
                      struct session_holder *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_uuid(&args, account);
    args_time(&args, now);
    enum rc rc = tx_one(tx, SQL_session_check, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct slice *sets;
    *ret = (struct session_holder){.account_name = rows_slice(&r, 0, 3),
                                   .n_set_ids = rows_array(&r, a, 0, 0, &sets),
                                   .home_is_all = rows_bool(&r, 0, 4),
                                   .must_change = rows_bool(&r, 0, 1),
                                   .must_have_factor = rows_bool(&r, 0, 5),
                                   .expires_at = rows_time(&r, 0, 2)};
    ret->set_ids = ARENA_ARRAY(a, struct uuid, ret->n_set_ids + 1);
    for (size_t i = 0; i < ret->n_set_ids; i++)
        must(uuid_parse(sets[i], &ret->set_ids[i]));
    return RC_OK;
}

enum rc session_lock(struct tx *tx, struct arena *a, struct uuid id, struct session_family *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_one(tx, SQL_session_lock, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = (struct session_family){.account = rows_uuid(&r, 0, 0),
                                   .family_sealed = rows_bytes(&r, a, 0, 1),
                                   .counter = rows_int(&r, 0, 2),
                                   .rotated_at = rows_time(&r, 0, 3),
                                   .expires_at = rows_time(&r, 0, 4),
                                   .ended = !rows_null(&r, 0, 5),
                                   .must_change = rows_bool(&r, 0, 6),
                                   .disabled = !rows_null(&r, 0, 7),
                                   .account_name = rows_slice(&r, 0, 8)};
    return RC_OK;
}

enum rc session_rotate(struct tx *tx, struct arena *a, struct uuid id, int64_t counter, usec_t now, usec_t expires,
                       struct slice address, struct slice user_agent)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_int(&args, counter);
    args_time(&args, now);
    args_time(&args, expires);
    args_slice(&args, address);
    args_slice(&args, user_agent);
    return tx_run(tx, SQL_session_rotate, &args, &r);
}

enum rc session_end(struct tx *tx, struct arena *a, struct uuid id, struct uuid account, usec_t now)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_uuid(&args, account);
    args_time(&args, now);
    return tx_one(tx, SQL_session_end, &args, &r);
}

enum rc session_end_others(struct tx *tx, struct arena *a, struct uuid account, struct uuid keep, usec_t now,
                           struct uuid **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, account);
    args_uuid(&args, keep);
    args_time(&args, now);
    enum rc rc = tx_run(tx, SQL_session_end_others, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct uuid, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = rows_uuid(&r, i, 0);
    return RC_OK;
}

enum rc session_page(struct tx *tx, struct arena *a, struct uuid account, usec_t now, struct session_row **ret,
                     size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, account);
    args_time(&args, now);
    enum rc rc = tx_run(tx, SQL_session_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct session_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct session_row){rows_uuid(&r, i, 0), rows_time(&r, i, 1), rows_time(&r, i, 2),
                                         rows_slice(&r, i, 3), rows_slice(&r, i, 4)};
    return RC_OK;
}

enum rc session_forget(struct tx *tx, struct arena *a, usec_t before)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_time(&args, before);
    return tx_run(tx, SQL_session_forget, &args, &r);
}
