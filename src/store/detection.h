/* SPDX-License-Identifier: Apache-2.0 */
/* detection.h - detections and quarantined files. All functions run in a tenant's transaction; memory is of the arena
 * given. */
#ifndef SEKISHO_STORE_DETECTION_H
#define SEKISHO_STORE_DETECTION_H

#include "store/db.h"

enum detection_sort { DETECTION_BY_OCCURRED_AT, DETECTION_BY_NAME, DETECTION_BY_SEVERITY };

struct detection_filter {
    struct uuid device; /* nil: any */
    int resolved;       /* -1: any */
    int severity;       /* -1: any; 0 info, 1 warning, 2 critical */
    struct slice type;  /* p == NULL: any */
    struct slice search;
    usec_t from, to; /* 0: open */
};

struct detection_row {
    struct uuid id, device_id;
    struct slice device_name, name, type, scanner, action, action_error, object, sha256, process, user, engine,
        engine_version, signature_version, resolved_by;
    int severity;
    bool has_size;
    int64_t size;
    usec_t occurred_at, received_at, resolved_at; /* resolved_at 0: unresolved */
    struct slice sort_key;
};

enum rc detection_page(struct tx *tx, struct arena *a, const struct detection_filter *f, enum detection_sort sort,
                       bool descending, struct slice after_key, struct uuid after_id, int limit,
                       struct detection_row **ret, size_t *ret_n) MUST_CHECK;
enum rc detection_count(struct tx *tx, struct arena *a, const struct detection_filter *f, int64_t *ret) MUST_CHECK;
enum rc detection_find(struct tx *tx, struct arena *a, struct uuid id, struct detection_row *ret) MUST_CHECK;
/* Locks the devices concerned first. *ret_ids: those that were not in that state yet. */
enum rc detection_resolve(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n, bool resolved, usec_t now,
                          struct slice by, struct uuid **ret_ids, size_t *ret_n) MUST_CHECK;
enum rc detection_unresolved(struct tx *tx, struct arena *a, int64_t *ret) MUST_CHECK;

struct day_count {
    struct slice day; /* YYYY-MM-DD in the zone */
    int64_t count;
};
enum rc detection_days(struct tx *tx, struct arena *a, struct slice zone, usec_t now, struct day_count **ret,
                       size_t *ret_n) MUST_CHECK;

struct quarantine_row {
    struct uuid id, device_id;
    struct slice device_name, name, object, sha256;
    int64_t size;
    usec_t at;
};
enum rc quarantine_page(struct tx *tx, struct arena *a, struct uuid device, usec_t after_time, struct uuid after_id,
                        int limit, struct quarantine_row **ret, size_t *ret_n) MUST_CHECK;
enum rc quarantine_count(struct tx *tx, struct arena *a, struct uuid device, int64_t *ret) MUST_CHECK;

/* Retention: each deletes at most limit rows that are older and gives how many. */
enum rc event_expire(struct tx *tx, struct arena *a, usec_t before, int limit, int64_t *ret) MUST_CHECK;
enum rc detection_expire(struct tx *tx, struct arena *a, usec_t before, int limit, int64_t *ret) MUST_CHECK;

#endif
