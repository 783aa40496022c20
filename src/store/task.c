/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - see task.h; the column numbers follow task.sql. */
#include "store/task.h"

static usec_t time_or_zero(const struct rows *r, int i, int col)
{
    return rows_null(r, i, col) ? 0 : rows_time(r, i, col);
}

static void task_read(const struct rows *r, int i, struct task_row *t)
{
    *t = (struct task_row){.id = rows_uuid(r, i, 0),
                           .type = rows_slice(r, i, 1),
                           .name = rows_slice(r, i, 2),
                           .settings = rows_slice(r, i, 3),
                           .created_at = rows_time(r, i, 5),
                           .created_by = rows_slice(r, i, 6),
                           .total = rows_int(r, i, 7),
                           .pending = rows_int(r, i, 8),
                           .running = rows_int(r, i, 9),
                           .done = rows_int(r, i, 10),
                           .failed = rows_int(r, i, 11),
                           .cancelled = rows_int(r, i, 12),
                           .refused = rows_int(r, i, 13),
                           .progress = (int)rows_int(r, i, 14)};
    if (!rows_null(r, i, 4))
        t->detection_id = rows_uuid(r, i, 4);
}

enum rc task_page(struct tx *tx, struct arena *a, struct slice type, usec_t after_time, struct uuid after_id, int limit,
                  struct task_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_slice(&args, type);
    args_time(&args, after_time);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_task_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct task_row *rows = ARENA_ARRAY(a, struct task_row, r.n + 1);
    for (int i = 0; i < r.n; i++)
        task_read(&r, i, &rows[i]);
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc task_find(struct tx *tx, struct arena *a, struct uuid id, struct task_row *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_task_find, &args, &r);
    if (rc == RC_OK)
        task_read(&r, 0, ret);
    return rc;
}

static void ids_arg(struct sql_args *args, const struct uuid *ids, size_t n)
{
    struct sql_array *x = args_array(args);
    for (size_t i = 0; i < n; i++)
        array_uuid(x, ids[i]);
}

enum rc task_lock_devices(struct tx *tx, struct arena *a, const struct uuid *devices, size_t n, struct uuid **ret,
                          size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    ids_arg(&args, devices, n);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_task_lock_devices, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct uuid *ids = ARENA_ARRAY(a, struct uuid, r.n + 1);
    for (int i = 0; i < r.n; i++)
        ids[i] = rows_uuid(&r, i, 0);
    *ret = ids;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc task_insert(struct tx *tx, struct arena *a, const struct task_new *t)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, t->id);
    args_slice(&args, t->type);
    args_slice(&args, t->name);
    args_slice(&args, t->settings);
    args_uuid(&args, t->detection_id);
    args_time(&args, t->created_at);
    args_slice(&args, t->created_by);
    args_time(&args, t->expires_at);
    struct rows r;
    return tx_run(tx, SQL_task_insert, &args, &r);
}

static enum rc targets_run(struct tx *tx, struct arena *a, enum sql_id id, struct sql_args *args, bool counts,
                           struct task_target **ret, size_t *ret_n)
{
    struct rows r;
    enum rc rc = tx_run(tx, id, args, &r);
    if (rc != RC_OK)
        return rc;
    struct task_target *targets = ARENA_ARRAY(a, struct task_target, r.n + 1);
    for (int i = 0; i < r.n; i++)
        targets[i] =
            (struct task_target){rows_uuid(&r, i, 0), rows_int(&r, i, 1), counts ? (int)rows_int(&r, i, 2) : 1};
    *ret = targets;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc task_assign(struct tx *tx, struct arena *a, struct uuid task, const struct uuid *devices, size_t n, usec_t now,
                    struct task_target **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    struct sql_array *executions = args_array(&args);
    for (size_t i = 0; i < n; i++)
        array_uuid(executions, uuid_new());
    ids_arg(&args, devices, n);
    args_uuid(&args, task);
    args_time(&args, now);
    return targets_run(tx, a, SQL_task_assign, &args, false, ret, ret_n);
}

enum rc execution_page(struct tx *tx, struct arena *a, const struct execution_filter *f, usec_t after_time,
                       struct uuid after_id, int limit, struct execution_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, f->task);
    args_uuid(&args, f->device);
    args_slice(&args, f->state);
    args_time(&args, after_time);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_execution_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct execution_row *rows = ARENA_ARRAY(a, struct execution_row, r.n + 1);
    for (int i = 0; i < r.n; i++) {
        rows[i] = (struct execution_row){.id = rows_uuid(&r, i, 0),
                                         .task_id = rows_uuid(&r, i, 1),
                                         .task_type = rows_slice(&r, i, 2),
                                         .task_name = rows_slice(&r, i, 3),
                                         .device_id = rows_uuid(&r, i, 4),
                                         .device_name = rows_slice(&r, i, 5),
                                         .state = rows_slice(&r, i, 6),
                                         .progress = (int)rows_int(&r, i, 7),
                                         .created_at = rows_time(&r, i, 8),
                                         .started_at = time_or_zero(&r, i, 9),
                                         .ended_at = time_or_zero(&r, i, 10),
                                         .result_code = rows_slice(&r, i, 11),
                                         .has_scanned = !rows_null(&r, i, 13),
                                         .files_scanned = rows_int(&r, i, 13),
                                         .has_total = !rows_null(&r, i, 14),
                                         .files_total = rows_int(&r, i, 14),
                                         .has_found = !rows_null(&r, i, 15),
                                         .found = rows_int(&r, i, 15)};
        rows[i].n_result_args = rows_array(&r, a, i, 12, &rows[i].result_args);
    }
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc execution_cancel(struct tx *tx, struct arena *a, struct uuid task, struct uuid execution, usec_t now,
                         struct task_target **ret, size_t *ret_n)
{
    struct sql_args which, lock, args;
    struct rows r;
    args_init(&which, a);
    args_uuid(&which, task);
    args_uuid(&which, execution);
    enum rc rc = tx_one(tx, SQL_execution_exists, &which, &r);
    if (rc != RC_OK)
        return rc;
    args_init(&lock, a);
    args_uuid(&lock, task);
    args_uuid(&lock, execution);
    rc = tx_run(tx, SQL_execution_lock_devices, &lock, &r);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_uuid(&args, task);
    args_uuid(&args, execution);
    args_time(&args, now);
    return targets_run(tx, a, SQL_execution_cancel, &args, true, ret, ret_n);
}

static enum rc number(struct tx *tx, enum sql_id id, struct sql_args *args, int64_t *ret)
{
    struct rows r;
    enum rc rc = tx_one(tx, id, args, &r);
    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

enum rc execution_running(struct tx *tx, struct arena *a, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    return number(tx, SQL_execution_running, &args, ret);
}

enum rc execution_expire(struct tx *tx, struct arena *a, usec_t now, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_time(&args, now);
    return number(tx, SQL_execution_expire, &args, ret);
}

enum rc target_page(struct tx *tx, struct arena *a, struct uuid group, struct slice search, struct slice after_key,
                    struct uuid after_id, int limit, struct target_row **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, group);
    args_slice(&args, search);
    args_slice(&args, after_key);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    enum rc rc = tx_run(tx, SQL_target_page, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct target_row, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct target_row){rows_uuid(&r, i, 0), rows_slice(&r, i, 1), rows_slice(&r, i, 2),
                                        rows_slice(&r, i, 3), rows_slice(&r, i, 4)};
    return RC_OK;
}
