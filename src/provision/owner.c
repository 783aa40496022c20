/* SPDX-License-Identifier: Apache-2.0 */
/* owner.c - see owner.h. The owner has no statement_timeout (migrations may take long) but a short lock_timeout, so
 * that provisioning never makes agents' writes queue up behind it. */
#include "provision/owner.h"
#include "common/must.h"
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define OWNER_LOCK_TIMEOUT 1000   /* ms */
#define OWNER_ANSWER       600000 /* ms; the longest single statement of a migration */
#define LOCK_SPACE         0x5E4150
#define LOCK_WAIT          60 /* s */

struct pg *owner_connection(const struct params *p)
{
    return pg_new(&(struct pg_config){.conninfo = p->owner_database,
                                      .application = "sekisho owner",
                                      .lock_timeout = OWNER_LOCK_TIMEOUT,
                                      .answer_timeout = OWNER_ANSWER});
}

void owner_init(struct owner *o, const struct params *p, const char *actor)
{
    struct passwd *who = actor ? NULL : getpwuid(getuid());

    *o = (struct owner){.params = p, .pg = owner_connection(p)};
    snprintf(o->actor, sizeof(o->actor), "%s", actor ? actor : who ? who->pw_name : "operator");
}

void owner_done(struct owner *o)
{
    pg_free(&o->pg);
    keyring_free(&o->ring);
}

enum rc owner_fail(struct owner *o, enum rc rc, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(o->why, sizeof(o->why), fmt, args);
    va_end(args);
    return rc;
}

enum rc owner_keyring(struct owner *o)
{
    enum rc rc;

    if (o->ring)
        return RC_OK;
    rc = keyring_load(o->params->keyring, &o->ring);
    if (rc == RC_NOT_FOUND)
        return owner_fail(o, rc, "The keyring %s does not exist; make it with: sekishoctl key init",
                          o->params->keyring);
    if (rc == RC_DENIED)
        return owner_fail(
            o, rc, "The keyring %s cannot be used; it must be readable by this user and by nobody else (mode 0600)",
            o->params->keyring);
    if (rc != RC_OK)
        return owner_fail(o, rc, "The keyring %s is damaged (%s)", o->params->keyring, rc_name(rc));
    return RC_OK;
}

static enum rc failed(struct owner *o, enum rc rc, const char *what, const struct pg_error *e)
{
    return owner_fail(o, rc, "%s: %s (SQLSTATE %s)", what, e->message, e->sqlstate);
}

enum rc owner_run(struct owner *o, struct arena *a, const char *what, const char *text)
{
    struct pg_error e;
    enum rc rc = pg_run(o->pg, a, text, NULL, NULL, &e);

    return rc == RC_OK ? rc : failed(o, rc, what, &e);
}

enum rc owner_statement(struct owner *o, struct arena *a, const char *what, enum sql_id id, int tenant_no,
                        struct sql_args *args, struct rows *ret)
{
    struct pg_error e;
    enum rc rc = pg_run_statement(o->pg, a, id, tenant_no, args, ret, &e);

    return rc == RC_OK ? rc : failed(o, rc, what, &e);
}

enum rc owner_begin(struct owner *o)
{
    struct pg_error e;
    enum rc rc = pg_begin(o->pg, &e);

    return rc == RC_OK ? rc : failed(o, rc, "PostgreSQL", &e);
}

enum rc owner_commit(struct owner *o)
{
    struct pg_error e;
    enum rc rc = owner_statement(o, NULL, "Telling the servers", SQL_revision_bump, 0, NULL, NULL);

    if (rc == RC_OK)
        rc = owner_run(o, NULL, "Telling the servers", "NOTIFY " PG_LISTEN_CHANNEL);
    if (rc != RC_OK) {
        pg_rollback(o->pg);
        return rc;
    }
    rc = pg_commit(o->pg, &e);
    if (rc == RC_UNCERTAIN)
        return owner_fail(o, rc, "The connection was lost while saving; look whether it was done before you repeat it");
    return rc == RC_OK ? rc : failed(o, rc, "Saving", &e);
}

enum rc owner_audit(struct owner *o, struct arena *a, const char *action, const char *tenant, struct slice detail_json)
{
    struct sql_args args;

    args_init(&args, a);
    args_uuid(&args, uuid_new());
    args_time(&args, clock_now());
    args_str(&args, o->actor);
    args_str(&args, action);
    args_str(&args, tenant);
    args_slice(&args, detail_json.n ? detail_json : SLICE("{}"));
    return owner_statement(o, a, "Writing the operators' audit", SQL_provision_audit, 0, &args, NULL);
}

enum rc owner_lock(struct owner *o, enum owner_lock which)
{
    for (int i = 0; i < LOCK_WAIT * 5; i++) {
        struct arena *a = arena_new(64 * 1024);
        struct sql_args args;
        struct rows r;
        struct timespec pause = {0, 200000000L};
        bool got;
        enum rc rc;

        args_init(&args, a);
        args_int(&args, LOCK_SPACE);
        args_int(&args, which);
        rc = owner_statement(o, a, "PostgreSQL", SQL_provision_lock, 0, &args, &r);
        got = rc == RC_OK && rows_bool(&r, 0, 0);
        arena_free(&a);
        if (rc != RC_OK || got)
            return rc;
        nanosleep(&pause, NULL);
    }
    return owner_fail(o, RC_UNAVAILABLE, "Another %s is at work in this cell; try again when it has ended",
                      which == OWNER_LOCK_MIGRATE ? "migration" : "provisioning");
}

void owner_unlock(struct owner *o, enum owner_lock which)
{
    struct arena *a = arena_new(64 * 1024);
    struct sql_args args;
    struct rows r;

    pg_rollback(o->pg);
    args_init(&args, a);
    args_int(&args, LOCK_SPACE);
    args_int(&args, which);
    if (pg_run_statement(o->pg, a, SQL_provision_unlock, 0, &args, &r, NULL) != RC_OK)
        pg_drop(o->pg); /* ends the session, and the lock with it */
    arena_free(&a);
}
