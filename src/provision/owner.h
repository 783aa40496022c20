/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h - the owner's connection and what goes with it: the room's functions take it first. One thread at a time.
 * Each failure leaves one whole sentence for the operator in why, and the rc says of what kind it is: RC_INVALID the
 * input, RC_NOT_FOUND and RC_CONFLICT the state, RC_UNAVAILABLE PostgreSQL away or locked (may be tried again). */
#ifndef SEKISHO_OWNER_H
#define SEKISHO_OWNER_H

#include "common/crypto.h"
#include "common/params.h"
#include "store/pg.h"

struct owner {
    const struct params *params;
    struct pg *pg;
    struct keyring *ring; /* NULL until owner_keyring */
    char actor[64];       /* for operator_audit */
    char why[600];
};

/* Does not connect. actor: NULL takes the name of the system's user. */
void owner_init(struct owner *o, const struct params *p, const char *actor);
void owner_done(struct owner *o);
enum rc owner_keyring(struct owner *o) MUST_CHECK;   /* loads params.keyring once */
struct pg *owner_connection(const struct params *p); /* another connection of the owner, for parallel work */

enum rc owner_fail(struct owner *o, enum rc rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As pg_run and pg_run_statement; a failure makes "<what>: <PostgreSQL's words>". */
enum rc owner_run(struct owner *o, struct arena *a, const char *what, const char *text) MUST_CHECK;
enum rc owner_statement(struct owner *o, struct arena *a, const char *what, enum sql_id id, int tenant_no,
                        struct sql_args *args, struct rows *ret) MUST_CHECK; /* ret may be NULL */
enum rc owner_begin(struct owner *o) MUST_CHECK;
/* Makes all servers look at control again, then commits. */
enum rc owner_commit(struct owner *o) MUST_CHECK;
enum rc owner_audit(struct owner *o, struct arena *a, const char *action, const char *tenant,
                    struct slice detail_json) MUST_CHECK;

/* One provisioner at a time in the whole cell; waits up to a minute. Unlock is also done by a lost connection. */
enum owner_lock { OWNER_LOCK_MIGRATE = 1, OWNER_LOCK_PROVISION = 2 };
enum rc owner_lock(struct owner *o, enum owner_lock which) MUST_CHECK;
void owner_unlock(struct owner *o, enum owner_lock which);

#endif
