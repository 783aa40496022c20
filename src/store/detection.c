/* SPDX-License-Identifier: Apache-2.0 */
/* detection.c - see detection.h; the column numbers follow detection.sql. */
#include "store/detection.h"

static void filter_args(struct sql_args *args, const struct detection_filter *f)
{
    args_uuid(args, f->device);
    if (f->resolved < 0)
        args_null(args);
    else
        args_bool(args, f->resolved != 0);
    if (f->severity < 0)
        args_null(args);
    else
        args_int(args, f->severity);
    args_slice(args, f->type);
    args_slice(args, f->search);
    args_time(args, f->from);
    args_time(args, f->to);
}

static void row_read(const struct rows *r, int i, struct detection_row *d)
{
    d->id = rows_uuid(r, i, 0);
    d->device_id = rows_uuid(r, i, 1);
    d->device_name = rows_slice(r, i, 2);
    d->name = rows_slice(r, i, 3);
    d->type = rows_slice(r, i, 4);
    d->severity = (int)rows_int(r, i, 5);
    d->scanner = rows_slice(r, i, 6);
    d->action = rows_slice(r, i, 7);
    d->action_error = rows_slice(r, i, 8);
    d->object = rows_slice(r, i, 9);
    d->sha256 = rows_slice(r, i, 10);
    d->has_size = !rows_null(r, i, 11);
    d->size = rows_int(r, i, 11);
    d->process = rows_slice(r, i, 12);
    d->user = rows_slice(r, i, 13);
    d->engine = rows_slice(r, i, 14);
    d->engine_version = rows_slice(r, i, 15);
    d->signature_version = rows_slice(r, i, 16);
    d->occurred_at = rows_time(r, i, 17);
    d->received_at = rows_time(r, i, 18);
    d->resolved_at = rows_null(r, i, 19) ? 0 : rows_time(r, i, 19);
    d->resolved_by = rows_slice(r, i, 20);
}

enum rc detection_page(struct tx *tx, struct arena *a, const struct detection_filter *f, enum detection_sort sort,
                       bool descending, struct slice after_key, struct uuid after_id, int limit,
                       struct detection_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    filter_args(&args, f);
    args_slice(&args, after_key);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    struct rows r;
    enum rc rc =
        tx_run(tx, sql_detection_page((unsigned)sort, descending, after_key.p != NULL, f->search.p != NULL), &args, &r);
    if (rc != RC_OK)
        return rc;
    struct detection_row *rows = ARENA_ARRAY(a, struct detection_row, r.n + 1);
    for (int i = 0; i < r.n; i++) {
        row_read(&r, i, &rows[i]);
        rows[i].sort_key = sort == DETECTION_BY_OCCURRED_AT
                               ? slice_of(clock_rfc3339(rows[i].occurred_at, arena_alloc(a, CLOCK_RFC3339_SIZE)))
                               : rows_slice(&r, i, 21);
    }
    *ret = rows;
    *ret_n = (size_t)r.n;
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

enum rc detection_count(struct tx *tx, struct arena *a, const struct detection_filter *f, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    filter_args(&args, f);
    return number(tx, sql_detection_count(f->search.p != NULL), &args, ret);
}

enum rc detection_find(struct tx *tx, struct arena *a, struct uuid id, struct detection_row *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_detection_find, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = (struct detection_row){0};
    row_read(&r, 0, ret);
    return RC_OK;
}

static void ids_arg(struct sql_args *args, const struct uuid *ids, size_t n)
{
    struct sql_array *x = args_array(args);
    for (size_t i = 0; i < n; i++)
        array_uuid(x, ids[i]);
}

enum rc detection_resolve(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n, bool resolved, usec_t now,
                          struct slice by, struct uuid **ret_ids, size_t *ret_n)
{
    struct sql_args lock, args;
    struct rows r;
    args_init(&lock, a);
    ids_arg(&lock, ids, n);
    enum rc rc = tx_run(tx, SQL_detection_lock_devices, &lock, &r);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    ids_arg(&args, ids, n);
    args_bool(&args, resolved);
    args_time(&args, now);
    args_slice(&args, by);
    rc = tx_run(tx, SQL_detection_resolve, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret_ids = ARENA_ARRAY(a, struct uuid, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret_ids)[i] = rows_uuid(&r, i, 0);
    return RC_OK;
}

enum rc detection_unresolved(struct tx *tx, struct arena *a, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    return number(tx, SQL_detection_unresolved, &args, ret);
}

enum rc detection_days(struct tx *tx, struct arena *a, struct slice zone, usec_t now, struct day_count **ret,
                       size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_slice(&args, zone);
    args_time(&args, now);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_detection_days, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct day_count *days = ARENA_ARRAY(a, struct day_count, r.n + 1);
    for (int i = 0; i < r.n; i++)
        days[i] = (struct day_count){rows_slice(&r, i, 0), rows_int(&r, i, 1)};
    *ret = days;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc quarantine_page(struct tx *tx, struct arena *a, struct uuid device, usec_t after_time, struct uuid after_id,
                        int limit, struct quarantine_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, device);
    args_time(&args, after_time);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_quarantine_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct quarantine_row *rows = ARENA_ARRAY(a, struct quarantine_row, r.n + 1);
    for (int i = 0; i < r.n; i++)
        rows[i] = (struct quarantine_row){.id = rows_uuid(&r, i, 0),
                                          .device_id = rows_uuid(&r, i, 1),
                                          .device_name = rows_slice(&r, i, 2),
                                          .name = rows_slice(&r, i, 3),
                                          .object = rows_slice(&r, i, 4),
                                          .sha256 = rows_slice(&r, i, 5),
                                          .size = rows_int(&r, i, 6),
                                          .at = rows_time(&r, i, 7)};
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc quarantine_count(struct tx *tx, struct arena *a, struct uuid device, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, device);
    return number(tx, SQL_quarantine_count, &args, ret);
}

static enum rc expire(struct tx *tx, struct arena *a, enum sql_id id, usec_t before, int limit, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_time(&args, before);
    args_int(&args, limit);
    struct rows r;
    enum rc rc = tx_run(tx, id, &args, &r);
    if (rc == RC_OK)
        *ret = rows_affected(&r);
    return rc;
}

enum rc event_expire(struct tx *tx, struct arena *a, usec_t before, int limit, int64_t *ret)
{
    return expire(tx, a, SQL_event_expire, before, limit, ret);
}

enum rc detection_expire(struct tx *tx, struct arena *a, usec_t before, int limit, int64_t *ret)
{
    return expire(tx, a, SQL_detection_expire, before, limit, ret);
}
