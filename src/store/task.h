/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - tasks and executions. All functions run in a tenant's transaction on a worker; memory is of the arena given.
 */
#ifndef SEKISHO_STORE_TASK_H
#define SEKISHO_STORE_TASK_H

#include "store/db.h"

struct task_row {
    struct uuid id, detection_id;
    struct slice type, name, settings, created_by; /* settings: JSON text */
    usec_t created_at;
    int64_t total, pending, running, done, failed, cancelled, refused;
    int progress; /* percent, mean */
};

struct task_new {
    struct uuid id, detection_id;
    struct slice type, name, settings, created_by;
    usec_t created_at, expires_at;
};

struct execution_row {
    struct uuid id, task_id, device_id;
    struct slice task_type, task_name, device_name, state, result_code;
    struct slice *result_args;
    size_t n_result_args;
    int progress;
    usec_t created_at, started_at, ended_at; /* 0: not yet */
    bool has_scanned, has_total, has_found;
    int64_t files_scanned, files_total, found;
};

/* A device that must learn something, with its new revision: for wake-ups after the commit. */
struct task_target {
    struct uuid device;
    int64_t revision;
    int executions;
};

struct target_row { /* a device to choose */
    struct uuid id;
    struct slice name, group_name, os_family, sort_key;
};
/* Of group and below (nil: any), by name. */
enum rc target_page(struct tx *tx, struct arena *a, struct uuid group, struct slice search, struct slice after_key,
                    struct uuid after_id, int limit, struct target_row **ret, size_t *ret_n) MUST_CHECK;

enum rc task_page(struct tx *tx, struct arena *a, struct slice type, usec_t after_time, struct uuid after_id, int limit,
                  struct task_row **ret, size_t *ret_n) MUST_CHECK;
enum rc task_find(struct tx *tx, struct arena *a, struct uuid id, struct task_row *ret) MUST_CHECK;
/* Which of the devices exist; they stay locked until the end of the transaction, in the order that agents' writes use.
 */
enum rc task_lock_devices(struct tx *tx, struct arena *a, const struct uuid *devices, size_t n, struct uuid **ret,
                          size_t *ret_n) MUST_CHECK;
enum rc task_insert(struct tx *tx, struct arena *a, const struct task_new *t) MUST_CHECK;
enum rc task_assign(struct tx *tx, struct arena *a, struct uuid task, const struct uuid *devices, size_t n, usec_t now,
                    struct task_target **ret, size_t *ret_n) MUST_CHECK;

struct execution_filter {
    struct uuid task, device; /* nil: any */
    struct slice state;       /* p == NULL: any */
};
enum rc execution_page(struct tx *tx, struct arena *a, const struct execution_filter *f, usec_t after_time,
                       struct uuid after_id, int limit, struct execution_row **ret, size_t *ret_n) MUST_CHECK;
/* Of task, or of one execution (the other nil). RC_NOT_FOUND when there is no such execution at all. */
enum rc execution_cancel(struct tx *tx, struct arena *a, struct uuid task, struct uuid execution, usec_t now,
                         struct task_target **ret, size_t *ret_n) MUST_CHECK;
enum rc execution_running(struct tx *tx, struct arena *a, int64_t *ret) MUST_CHECK;
enum rc execution_expire(struct tx *tx, struct arena *a, usec_t now, int64_t *ret) MUST_CHECK;

#endif
