/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.h - the life of a tenant: created from the pool in one transaction with its CA, groups, accounts and enrolment
 * tokens; suspended and resumed; erased schema, role and key. See owner.h for errors. */
#ifndef SEKISHO_PROVISION_TENANT_H
#define SEKISHO_PROVISION_TENANT_H

#include "provision/file.h"
#include "provision/owner.h"

#define CHANGES_MAX 64

/* What was done, or would be. Passwords and tokens are shown here once and are stored as hashes only. */
struct secret_made {
    struct slice name, secret;
};
struct tenant_change {
    const char *action; /* "created", "updated", "unchanged" */
    struct slice id;
    int no; /* 0 while dry */
    bool from_pool;
    const char *details[CHANGES_MAX]; /* sentences: "seats 100 -> 200", "group Tokyo added" */
    size_t n_details;
    struct secret_made *accounts;
    size_t n_accounts;
    struct secret_made *tokens;
    size_t n_tokens;
};

struct tenant_info {
    int no, seats, slice, schema_version;
    struct slice id, name, status, plan, time_zone, language, suspended_reason;
    usec_t created_at, changed_at, over_seats_since;
    struct slice *hosts;
    size_t n_hosts;
    int64_t devices;
    struct slice *accounts; /* sign-in names */
    size_t n_accounts;
};

/* Plan of the database; RC_NOT_FOUND with a sentence that names those there are. */
enum rc plan_load(struct owner *o, struct arena *a, struct slice id, struct plan_file *ret) MUST_CHECK;
enum rc plan_store(struct owner *o, struct arena *a, const struct plan_file *p) MUST_CHECK;

/* Makes the tenant as the file says it; RC_CONFLICT when there is one of that id. plan: the tenant's. */
enum rc tenant_create(struct owner *o, struct arena *a, const struct tenant_file *f, const struct plan_file *plan,
                      bool dry, struct tenant_change *ret) MUST_CHECK;
/* Makes an existing tenant as the file says: its fields and hosts are set; groups, accounts and tokens that are missing
 * are added, none is removed. */
enum rc tenant_update(struct owner *o, struct arena *a, const struct tenant_file *f, const struct plan_file *plan,
                      bool dry, struct tenant_change *ret) MUST_CHECK;
enum rc tenant_exists(struct owner *o, struct arena *a, struct slice id, bool *ret) MUST_CHECK;

enum rc tenant_list(struct owner *o, struct arena *a, struct tenant_info **ret, size_t *ret_n) MUST_CHECK;
enum rc tenant_show(struct owner *o, struct arena *a, struct slice id, struct tenant_info *ret) MUST_CHECK;
enum rc tenant_suspend(struct owner *o, struct arena *a, struct slice id, struct slice reason) MUST_CHECK;
enum rc tenant_resume(struct owner *o, struct arena *a, struct slice id) MUST_CHECK;
/* For good. Servers stop serving the tenant first; an erasing that was cut off is finished by calling it again. */
enum rc tenant_erase(struct owner *o, struct arena *a, struct slice id) MUST_CHECK;

/* A further enrolment token; group p == NULL: Lost & found. */
enum rc tenant_token_create(struct owner *o, struct arena *a, struct slice id, const struct token_file *t,
                            struct slice *ret_token) MUST_CHECK;
/* A new first password; the account's sessions end. */
enum rc tenant_password_reset(struct owner *o, struct arena *a, struct slice id, struct slice account,
                              struct slice *ret_password) MUST_CHECK;

#endif
