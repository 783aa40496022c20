/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.c - see bootstrap.h. Login roles are NOINHERIT: without SET ROLE they have no right but to connect, so that
 * a forgotten tenant is "permission denied" and not another tenant's data. */
#include "provision/bootstrap.h"
#include "identity/pki.h"
#include <stdio.h>

static void done(struct bootstrap_report *r, const char *sentence)
{
    if (r->n_done < sizeof(r->done) / sizeof(r->done[0]))
        r->done[r->n_done++] = sentence;
}

struct admin {
    struct owner *o;
    struct pg *pg;
    struct arena *a;
};

static enum rc run(const struct admin *d, const char *what, const char *text, struct rows *ret)
{
    struct pg_error e;
    enum rc rc = pg_run(d->pg, d->a, text, NULL, ret, &e);

    return rc == RC_OK ? rc : owner_fail(d->o, rc, "%s: %s (SQLSTATE %s)", what, e.message, e.sqlstate);
}

/* ", PASSWORD '<verifier>'" or nothing. */
static enum rc password_clause(const struct admin *d, const char *user, const char *password, const char **ret)
{
    const char *verifier;
    enum rc rc;

    *ret = "";
    if (!password[0])
        return RC_OK;
    rc = pg_verifier(d->pg, d->a, user, password, &verifier);
    if (rc != RC_OK)
        return owner_fail(d->o, rc, "The password of %s cannot be used", user);
    *ret = arena_printf(d->a, " PASSWORD %s", pg_literal(d->pg, d->a, verifier));
    return RC_OK;
}

static enum rc exists(const struct admin *d, const char *query, const char *name, bool *ret)
{
    struct rows r;
    enum rc rc = run(d, "PostgreSQL", arena_printf(d->a, query, pg_literal(d->pg, d->a, name)), &r);

    if (rc == RC_OK)
        *ret = r.n > 0;
    return rc;
}

/* CREATE ROLE or, when it is there, ALTER ROLE with the same attributes. */
static enum rc role(const struct admin *d, const char *name, const char *attributes, const char *password,
                    struct bootstrap_report *report)
{
    const char *clause;
    bool there;
    enum rc rc = exists(d, "SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = %s", name, &there);

    if (rc == RC_OK)
        rc = password_clause(d, name, password, &clause);
    if (rc != RC_OK)
        return rc;
    if (!there)
        done(report, arena_printf(d->a, "role %s made", name));
    return run(d, arena_printf(d->a, "Making the role %s", name),
               arena_printf(d->a, "%s ROLE %s WITH %s%s", there ? "ALTER" : "CREATE", pg_identifier(d->pg, d->a, name),
                            attributes, clause),
               NULL);
}

static enum rc database(const struct admin *d, const struct pg_names *n, struct bootstrap_report *report)
{
    bool there;
    enum rc rc = exists(d, "SELECT 1 FROM pg_catalog.pg_database b WHERE b.datname = %s", n->database, &there);

    if (rc != RC_OK || there)
        return rc;
    done(report, arena_printf(d->a, "database %s made", n->database));
    return run(d, "Making the database",
               arena_printf(d->a, "CREATE DATABASE %s OWNER %s ENCODING 'UTF8' TEMPLATE template0",
                            pg_identifier(d->pg, d->a, n->database), pg_identifier(d->pg, d->a, n->user)),
               NULL);
}

static enum rc as_admin(struct owner *o, struct arena *a, const char *admin, const struct pg_names *n,
                        struct bootstrap_report *report)
{
    struct admin d = {.o = o, .a = a};
    enum rc rc;

    d.pg = pg_new(&(struct pg_config){.conninfo = admin, .application = "sekisho bootstrap"});
    rc = pg_open(d.pg);
    if (rc != RC_OK)
        owner_fail(o, rc, "PostgreSQL as administrator: %s", pg_why(d.pg));
    if (rc == RC_OK)
        rc = role(&d, n->user, "LOGIN NOSUPERUSER CREATEROLE NOCREATEDB", n->password, report);
    if (rc == RC_OK)
        rc = database(&d, n, report);
    pg_free(&d.pg);
    return rc;
}

static enum rc login_role(const struct admin *d, int slice, const struct pg_names *own, const struct pg_names *service,
                          struct bootstrap_report *report)
{
    const char *name = arena_printf(d->a, "sekisho_s%d", slice);
    enum rc rc = role(d, name, "LOGIN NOINHERIT", service->password, report);

    if (rc == RC_OK)
        rc = run(d, "Granting sekisho_service", arena_printf(d->a, "GRANT sekisho_service TO %s", name), NULL);
    if (rc == RC_OK)
        rc = run(
            d, "Granting the database",
            arena_printf(d->a, "GRANT CONNECT ON DATABASE %s TO %s", pg_identifier(d->pg, d->a, own->database), name),
            NULL);
    return rc;
}

static enum rc roles(const struct admin *d, const struct pg_names *own, const struct pg_names *service,
                     struct bootstrap_report *report)
{
    enum rc rc = role(d, "sekisho_service", "NOLOGIN", "", report);

    for (int s = 0; rc == RC_OK && s < d->o->params->slices; s++)
        rc = login_role(d, s, own, service, report);
    if (rc == RC_OK)
        rc = run(d, "Closing the database to others",
                 arena_printf(d->a, "REVOKE ALL ON DATABASE %s FROM PUBLIC", pg_identifier(d->pg, d->a, own->database)),
                 NULL);
    return rc;
}

/* ---- keys of the platform */

static enum rc make_key(struct owner *o, struct arena *a, const char *name, struct pki_pair *ret)
{
    enum rc rc = strcmp(name, PLATFORM_ROOT) == 0 ? pki_root_create(a, o->ring, o->params->platform_domain, ret)
                                                  : pki_signing_key_create(a, o->ring, name, ret);

    return rc == RC_OK ? rc : owner_fail(o, rc, "The platform's key %s could not be made", name);
}

static enum rc platform_key(struct owner *o, struct arena *a, const char *name, struct bootstrap_report *report)
{
    struct pki_pair pair;
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_str(&args, name);
    rc = owner_statement(o, a, "Reading the platform's keys", SQL_platform_find, 0, &args, &r);
    if (rc != RC_OK || r.n)
        return rc;
    rc = make_key(o, a, name, &pair);
    if (rc == RC_OK)
        rc = owner_begin(o);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_str(&args, name);
    args_slice(&args, pair.public);
    args_bytes(&args, pair.sealed);
    rc = owner_statement(o, a, "Storing the platform's keys", SQL_provision_platform_insert, 0, &args, NULL);
    if (rc == RC_OK)
        rc = owner_audit(o, a, "platform.key", NULL, SLICE_NONE);
    if (rc != RC_OK) {
        pg_rollback(o->pg);
        return rc;
    }
    done(report, arena_printf(a, "platform key %s made", name));
    return owner_commit(o);
}

enum rc bootstrap_run(struct owner *o, struct arena *a, const char *admin, struct bootstrap_report *ret)
{
    static const char *const keys[] = {PLATFORM_ROOT, PLATFORM_TIME, PLATFORM_MODULE};
    struct pg_names own, service;
    struct admin d = {.o = o, .pg = o->pg, .a = a};
    enum rc rc = RC_OK;

    *ret = (struct bootstrap_report){0};
    if (pg_names(o->params->owner_database, &own) != RC_OK || !own.user[0] || !own.database[0])
        return owner_fail(o, RC_INVALID,
                          "The parameter owner_database must be a connection string with user and dbname");
    if (pg_names(o->params->database, &service) != RC_OK)
        return owner_fail(o, RC_INVALID, "The parameter database must be a connection string");
    rc = owner_keyring(o);
    if (rc == RC_OK && admin)
        rc = as_admin(o, a, admin, &own, ret);
    if (rc == RC_OK && pg_open(o->pg) != RC_OK)
        rc = owner_fail(o, RC_UNAVAILABLE, "PostgreSQL as owner: %s", pg_why(o->pg));
    if (rc == RC_OK)
        rc = roles(&d, &own, &service, ret);
    if (rc == RC_OK)
        rc = migrate_run(o, 2, &ret->migrated);
    for (size_t i = 0; rc == RC_OK && i < sizeof(keys) / sizeof(keys[0]); i++)
        rc = platform_key(o, a, keys[i], ret);
    crypto_wipe(&own, sizeof(own));
    crypto_wipe(&service, sizeof(service));
    return rc;
}
