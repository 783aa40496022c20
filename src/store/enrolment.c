/* SPDX-License-Identifier: Apache-2.0 */
/* enrolment.c - see enrolment.h; the column numbers follow enrolment.sql. */
#include "store/enrolment.h"

enum rc enrolment_token_page(struct tx *tx, struct arena *a, struct enrolment_token_row **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    enum rc rc = tx_run(tx, SQL_enrolment_token_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct enrolment_token_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct enrolment_token_row){.id = rows_uuid(&r, i, 0),
                                                 .name = rows_slice(&r, i, 1),
                                                 .group = rows_uuid(&r, i, 2),
                                                 .group_name = rows_slice(&r, i, 3),
                                                 .created_at = rows_time(&r, i, 4),
                                                 .expires_at = rows_time(&r, i, 5),
                                                 .uses = rows_int(&r, i, 6),
                                                 .max_uses = rows_int(&r, i, 7),
                                                 .revoked = !rows_null(&r, i, 8)};
    return RC_OK;
}

enum rc enrolment_token_insert(struct tx *tx, struct arena *a, const struct enrolment_token_row *row,
                               const struct sha256 *secret_hash, struct uuid account, const char *actor)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, row->id);
    args_slice(&args, row->name);
    args_bytes(&args, slice_mem(secret_hash->b, sizeof secret_hash->b));
    args_uuid(&args, row->group);
    args_time(&args, row->created_at);
    args_uuid(&args, account);
    args_str(&args, actor);
    args_time(&args, row->expires_at);
    if (row->max_uses > 0)
        args_int(&args, row->max_uses);
    else
        args_null(&args);
    return tx_run(tx, SQL_enrolment_token_insert, &args, &r);
}

enum rc enrolment_token_revoke(struct tx *tx, struct arena *a, struct uuid id, usec_t now, struct slice *ret_name)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    args_time(&args, now);
    enum rc rc = tx_one(tx, SQL_enrolment_token_revoke, &args, &r);
    if (rc == RC_OK)
        *ret_name = rows_slice(&r, 0, 0);
    return rc;
}

enum rc enrolment_token_lock(struct tx *tx, struct arena *a, struct uuid id, struct enrolment_token_lock *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    enum rc rc = tx_one(tx, SQL_enrolment_token_lock, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct slice hash = rows_bytes(&r, a, 0, 0);
    if (hash.n != sizeof ret->secret_hash.b)
        return RC_INTERNAL;
    *ret = (struct enrolment_token_lock){.group = rows_uuid(&r, 0, 1),
                                         .expires_at = rows_time(&r, 0, 2),
                                         .max_uses = rows_int(&r, 0, 3),
                                         .uses = rows_int(&r, 0, 4),
                                         .revoked = !rows_null(&r, 0, 5)};
    memcpy(ret->secret_hash.b, hash.p, hash.n);
    return RC_OK;
}

enum rc enrolment_token_use(struct tx *tx, struct arena *a, struct uuid id)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, id);
    return tx_run(tx, SQL_enrolment_token_use, &args, &r);
}

enum rc enrolment_gate(struct tx *tx, struct arena *a)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    return tx_one(tx, SQL_enrolment_gate, &args, &r);
}

enum rc enrolment_seats(struct tx *tx, struct arena *a, int64_t *ret_used)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    enum rc rc = tx_one(tx, SQL_enrolment_seats, &args, &r);
    if (rc == RC_OK)
        *ret_used = rows_int(&r, 0, 0);
    return rc;
}

enum rc enrolment_repeated(struct tx *tx, struct arena *a, struct uuid token, const struct sha256 *key,
                           struct slice machine, usec_t since, struct uuid *ret_device)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, token);
    args_bytes(&args, slice_mem(key->b, sizeof key->b));
    args_slice(&args, machine);
    args_time(&args, since);
    enum rc rc = tx_one(tx, SQL_enrolment_repeated, &args, &r);
    if (rc == RC_OK)
        *ret_device = rows_uuid(&r, 0, 0);
    return rc;
}

enum rc enrolment_device_insert(struct tx *tx, struct arena *a, const struct enrolment_device *d)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, d->id);
    args_slice(&args, d->name);
    args_uuid(&args, d->group);
    args_str(&args, d->os_family);
    args_slice(&args, d->agent_version);
    args_slice(&args, d->machine_id);
    args_int(&args, d->interval);
    args_time(&args, d->now);
    args_uuid(&args, d->token);
    return tx_run(tx, SQL_enrolment_device_insert, &args, &r);
}

enum rc enrolment_index_find(struct tx *control, struct arena *a, struct uuid token, int *ret_tenant_no)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, token);
    enum rc rc = tx_one(control, SQL_enrolment_index_find, &args, &r);
    if (rc == RC_OK)
        *ret_tenant_no = (int)rows_int(&r, 0, 0);
    return rc;
}

enum rc enrolment_index_insert(struct tx *control, struct arena *a, struct uuid token, int tenant_no)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, token);
    args_int(&args, tenant_no);
    return tx_run(control, SQL_enrolment_index_insert, &args, &r);
}

enum rc enrolment_grace_find(struct tx *control, struct arena *a, int tenant_no, int64_t *ret_seats, usec_t *ret_since)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_int(&args, tenant_no);
    enum rc rc = tx_one(control, SQL_enrolment_grace_find, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret_seats = rows_int(&r, 0, 0);
    *ret_since = rows_time(&r, 0, 1);
    return RC_OK;
}

enum rc enrolment_grace_set(struct tx *control, struct arena *a, int tenant_no, usec_t since, usec_t now)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_int(&args, tenant_no);
    args_time(&args, since);
    args_time(&args, now);
    return tx_run(control, SQL_enrolment_grace_set, &args, &r);
}

static enum rc settle(struct tx *tx, struct tx *control, struct arena *a, int tenant_no, usec_t now)
{
    int64_t seats, used;
    usec_t since;
    enum rc rc = enrolment_grace_find(control, a, tenant_no, &seats, &since);
    if (rc != RC_OK || !since)
        return rc;
    rc = enrolment_gate(tx, a); /* nobody enrols between the count and the change */
    if (rc == RC_OK)
        rc = enrolment_seats(tx, a, &used);
    return rc == RC_OK && used <= seats ? enrolment_grace_set(control, a, tenant_no, 0, now) : rc;
}

enum rc enrolment_grace_settle(struct db *db, struct arena *a, const struct permit *permit, usec_t now)
{
    struct tx *tx, *control;
    enum rc rc = tx_begin(db, NULL, a, permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = tx_begin_control(db, NULL, a, &control);
    if (rc == RC_OK) {
        rc = settle(tx, control, a, scope_tenant(permit_scope(permit))->no, now);
        if (rc == RC_OK)
            rc = tx_commit(&control);
        else
            tx_abort(&control);
    }
    tx_abort(&tx); /* it held the gate, and wrote nothing */
    return rc;
}
