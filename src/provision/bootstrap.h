/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.h - what a cell needs before its first tenant: roles, database, control schema, the platform's keys. Each
 * step looks first, so it may be run at any time, and after the parameter slices was raised. */
#ifndef SEKISHO_BOOTSTRAP_H
#define SEKISHO_BOOTSTRAP_H

#include "provision/migrate.h"

struct bootstrap_report {
    const char *done[100]; /* sentences, of the arena */
    size_t n_done;
    struct migrate_report migrated;
};

/* admin: connection string of a superuser (or one that may create roles and databases), which makes the owner's role
 * and the database; NULL: both exist, and the owner may create roles. Passwords of the owner and of the login roles are
 * those in the parameters owner_database and database; without one, the server's pg_hba.conf must let them in
 * otherwise. */
enum rc bootstrap_run(struct owner *o, struct arena *a, const char *admin, struct bootstrap_report *ret) MUST_CHECK;

/* Seals every stored secret anew that is not sealed with the keyring's newest key. *ret_n were; dry only counts. */
enum rc keys_reseal(struct owner *o, bool dry, int64_t *ret_n) MUST_CHECK;

#endif
