/* SPDX-License-Identifier: Apache-2.0 */
/* enrolment.h - enrolment tokens and the devices that join with them. On workers; the functions with _index_ and
 * _grace_ run in a control transaction, the others in a tenant's. Memory is of the arena given. */
#ifndef SEKISHO_STORE_ENROLMENT_H
#define SEKISHO_STORE_ENROLMENT_H

#include "store/db.h"

struct enrolment_token_row {
    struct uuid id, group;
    struct slice name, group_name;
    usec_t created_at, expires_at; /* expires_at 0: never */
    int64_t uses, max_uses;        /* max_uses 0: any number */
    bool revoked;
};

struct enrolment_token_lock { /* locked */
    struct sha256 secret_hash;
    struct uuid group;
    usec_t expires_at;
    int64_t uses, max_uses;
    bool revoked;
};

enum rc enrolment_token_page(struct tx *tx, struct arena *a, struct enrolment_token_row **ret,
                             size_t *ret_n) MUST_CHECK;
/* created_by: the account, or nil and a word. */
enum rc enrolment_token_insert(struct tx *tx, struct arena *a, const struct enrolment_token_row *row,
                               const struct sha256 *secret_hash, struct uuid account, const char *actor) MUST_CHECK;
enum rc enrolment_token_revoke(struct tx *tx, struct arena *a, struct uuid id, usec_t now,
                               struct slice *ret_name) MUST_CHECK;
enum rc enrolment_token_lock(struct tx *tx, struct arena *a, struct uuid id,
                             struct enrolment_token_lock *ret) MUST_CHECK;
enum rc enrolment_token_use(struct tx *tx, struct arena *a, struct uuid id) MUST_CHECK;

enum rc enrolment_gate(struct tx *tx, struct arena *a) MUST_CHECK;
enum rc enrolment_seats(struct tx *tx, struct arena *a, int64_t *ret_used) MUST_CHECK;
enum rc enrolment_repeated(struct tx *tx, struct arena *a, struct uuid token, const struct sha256 *key,
                           struct slice machine, usec_t since,
                           struct uuid *ret_device) MUST_CHECK; /* RC_NOT_FOUND: it is a new one */

struct enrolment_device {
    struct uuid id, group, token;
    struct slice name, agent_version, machine_id;
    const char *os_family;
    int interval; /* seconds */
    usec_t now;
};
enum rc enrolment_device_insert(struct tx *tx, struct arena *a, const struct enrolment_device *d) MUST_CHECK;

enum rc enrolment_index_find(struct tx *control, struct arena *a, struct uuid token, int *ret_tenant_no) MUST_CHECK;
enum rc enrolment_index_insert(struct tx *control, struct arena *a, struct uuid token, int tenant_no) MUST_CHECK;
enum rc enrolment_grace_find(struct tx *control, struct arena *a, int tenant_no, int64_t *ret_seats,
                             usec_t *ret_since) MUST_CHECK;
enum rc enrolment_grace_set(struct tx *control, struct arena *a, int tenant_no, usec_t since, usec_t now) MUST_CHECK;
/* Ends the grace of a tenant that is within its seats again, by exact count; in transactions of its own. For after a
 * removal of devices, and for whoever raises seats. */
enum rc enrolment_grace_settle(struct db *db, struct arena *a, const struct permit *permit,
                               usec_t now) MUST_CHECK; /* 0: within */

#endif
