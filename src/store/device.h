/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - devices and their facts. All functions run in a tenant's transaction on a worker; memory is of tx's arena.
 */
#ifndef SEKISHO_STORE_DEVICE_H
#define SEKISHO_STORE_DEVICE_H

#include "store/db.h"

enum device_sort {
    DEVICE_BY_NAME,
    DEVICE_BY_LAST_SEEN,
    DEVICE_BY_OS_NAME,
    DEVICE_BY_PROBLEMS,
    DEVICE_BY_UNRESOLVED,
    DEVICE_BY_ENROLLED_AT
};

struct device_filter {
    struct uuid group; /* nil: any */
    int status;        /* -1: any; 0 ok, 1 attention, 2 problem */
    struct slice os;   /* p == NULL: any */
    bool problems_only;
    int isolated; /* -1: any */
    struct slice search;
};

struct device_row {
    struct uuid id, group_id;
    struct slice name, description, group_name, os_family, os_name, os_version, ip, protection, agent_version;
    int status;
    usec_t last_seen, enrolled_at;
    int interval, problems;
    int64_t unresolved;
    bool isolated;
    struct slice sort_key; /* lists only: text of the sort value */
};

struct device_more {
    struct device_row row;
    struct slice fqdn, addresses;
    int64_t lost_records;
    bool identity_question;
    usec_t certificate_expires_at; /* 0: none */
    bool certificate_revoked;
};

struct fact_row {
    struct slice kind, key, value; /* value: JSON text */
};

enum rc device_page(struct tx *tx, struct arena *a, const struct device_filter *f, enum device_sort sort,
                    bool descending, struct slice after_key, struct uuid after_id, int limit, struct device_row **ret,
                    size_t *ret_n) MUST_CHECK;
enum rc device_count(struct tx *tx, struct arena *a, const struct device_filter *f, int64_t *ret) MUST_CHECK;
enum rc device_find(struct tx *tx, struct arena *a, struct uuid id,
                    struct device_more *ret) MUST_CHECK; /* RC_NOT_FOUND */
enum rc device_facts(struct tx *tx, struct arena *a, struct uuid id, struct fact_row **ret, size_t *ret_n) MUST_CHECK;
enum rc device_software_page(struct tx *tx, struct arena *a, struct uuid id, struct slice search,
                             struct slice after_key, int limit, struct fact_row **ret, size_t *ret_n) MUST_CHECK;
enum rc device_software_count(struct tx *tx, struct arena *a, struct uuid id, struct slice search,
                              int64_t *ret) MUST_CHECK;
/* name, description: p == NULL, group: nil leave the value. RC_NOT_FOUND. */
enum rc device_update(struct tx *tx, struct arena *a, struct uuid id, struct slice name, struct slice description,
                      struct uuid group, struct slice *ret_name) MUST_CHECK;
enum rc device_remove(struct tx *tx, struct arena *a, struct uuid id, struct slice *ret_name) MUST_CHECK;

struct device_figures {
    int64_t all, ok, attention, problem, silent;
};
enum rc device_figures(struct tx *tx, struct arena *a, usec_t now, struct device_figures *ret) MUST_CHECK;

struct device_revision {
    struct uuid id;
    int64_t revision;
};
enum rc device_revisions(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n, struct device_revision **ret,
                         size_t *ret_n) MUST_CHECK;

struct seen_row {
    struct uuid device;
    usec_t at;
    char address[46];
};
enum rc seen_flush(struct tx *tx, struct arena *a, const struct seen_row *rows, size_t n) MUST_CHECK;

#endif
