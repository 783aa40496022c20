/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.h - forward-only migrations: files control/NNNN-verb-noun.sql and tenant/NNNN-verb-noun.sql of
 * params.migrations. Each file's hash covers the hash before it, so that a file changed after it was applied is found
 * and named. One transaction per tenant and version, together with its version rows; a run that was cut off is simply
 * run again. */
#ifndef SEKISHO_MIGRATE_H
#define SEKISHO_MIGRATE_H

#include "provision/owner.h"

struct migration {
    int version;
    const char *name; /* "0001-create-tenant.sql" */
    char hash[65];    /* SHA-256 over the previous hash, the name and the text */
    char previous[65];
    struct slice *statements;
    size_t n_statements;
};
struct migrations {
    struct migration *list;
    size_t n;
};
/* kind: "control" or "tenant". */
enum rc migrations_read(struct owner *o, struct arena *a, const char *kind, struct migrations *ret) MUST_CHECK;
int migrations_latest(const struct migrations *m);

/* Runs versions after `from` for one tenant on a connection, inside the transaction that is open there, with the rows
 * in control.tenant_migration and control.tenant.schema_version. */
enum rc migrate_tenant_in(struct pg *pg, struct arena *a, const struct migrations *m, int tenant_no, int from, int to,
                          struct pg_error *err) MUST_CHECK;

struct migrate_report {
    int control_from, control_to;
    int tenant_latest;
    int64_t tenants; /* that had to be migrated */
    int64_t migrated;
    int64_t failed;
    char first_failure[400];
};
/* Everything that is behind: control, then tenants with 1-4 connections at a time. Statements are sent as written. */
enum rc migrate_run(struct owner *o, int connections, struct migrate_report *ret) MUST_CHECK;

struct migrate_status {
    int control_version, control_latest; /* version 0: nothing yet */
    int tenant_latest;
    int64_t tenants;
    int64_t behind;
    int oldest; /* least version of a tenant; tenant_latest when there is none */
};
/* RC_CONFLICT: an applied file was changed since; why names it. */
enum rc migrate_status(struct owner *o, struct migrate_status *ret) MUST_CHECK;

#endif
