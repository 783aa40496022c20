/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.c - sekishoctl doctor: looks at everything that makes a cell fail later and says what to do about each
 * finding. */
#include "ctl/ctl.h"
#include "provision/bootstrap.h"
#include "provision/pool.h"
#include <stdio.h>

struct exam {
    struct ctl *c;
    int replicas;
    int findings;
};

static void result(struct exam *x, const char *what, bool good, const char *said)
{
    struct ctl *c = x->c;

    x->findings += !good;
    ctl_say(c, "%-4s %-12s %s", good ? "ok" : "BAD", what, said);
    if (!c->json)
        return;
    json_object_open(&c->w);
    ctl_put(c, "check", slice_of(what));
    ctl_put_bool(c, "ok", good);
    ctl_put(c, "message", slice_of(said));
    json_object_close(&c->w);
}

/* A worker's connections: one per slice and one for control. The batch pool has a worker and a lane per slice; the
 * snapshot two connections; provisioning one. */
static int64_t budget(const struct params *p)
{
    int64_t per_worker = p->slices + 1;

    return (p->blocking_workers + p->slow_workers + 1) * per_worker + 2 * p->slices + 3;
}

static enum rc connections(struct exam *x)
{
    struct arena *a = x->c->arena;
    const struct params *p = &x->c->params;
    int64_t need = budget(p) * x->replicas;
    int64_t have;
    struct rows r;
    enum rc rc = owner_statement(&x->c->owner, a, "PostgreSQL", SQL_doctor_settings, 0, NULL, &r);

    if (rc != RC_OK)
        return rc;
    have = rows_int(&r, 0, 1) - rows_int(&r, 0, 2);
    result(x, "postgresql", true,
           arena_printf(a, "version " SLICE_FMT ", %lld connections open", SLICE_ARG(rows_slice(&r, 0, 0)),
                        (long long)rows_int(&r, 0, 4)));
    result(x, "connections", need <= have,
           arena_printf(a,
                        "%d replicas x (blocking %lld + slow %lld + background 1) x (%lld slices + 1) + batch and "
                        "others = at most %lld; max_connections leaves %lld%s",
                        x->replicas, (long long)p->blocking_workers, (long long)p->slow_workers, (long long)p->slices,
                        (long long)need, (long long)have,
                        need <= have ? "" : ": raise it, or lower slices or workers"));
    result(x, "locks", rows_int(&r, 0, 3) >= 128,
           arena_printf(a, "max_locks_per_transaction is %lld%s", (long long)rows_int(&r, 0, 3),
                        rows_int(&r, 0, 3) >= 128 ? ""
                                                  : ": raise it to 256, erasing a tenant locks hundreds of relations"));
    return RC_OK;
}

static enum rc login(struct exam *x, const char *name)
{
    struct arena *a = x->c->arena;
    struct sql_args args;
    struct rows r;
    const char *wrong = NULL;
    int64_t members = 0;
    enum rc rc;

    args_init(&args, a);
    args_str(&args, name);
    rc = owner_statement(&x->c->owner, a, "Reading roles", SQL_doctor_role, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        wrong = "does not exist: run sekishoctl bootstrap";
    else if (!rows_bool(&r, 0, 0))
        wrong = "may not log in: run sekishoctl bootstrap";
    else if (rows_bool(&r, 0, 1))
        wrong = "inherits its tenants' rights, so a forgotten tenant would not be refused: run sekishoctl bootstrap";
    else if (rows_bool(&r, 0, 2))
        wrong = "is a superuser, which passes every check: ALTER ROLE ... NOSUPERUSER";
    else if (!rows_bool(&r, 0, 4))
        wrong = "is no member of sekisho_service: run sekishoctl bootstrap";
    args_init(&args, a);
    args_str(&args, name);
    rc = owner_statement(&x->c->owner, a, "Counting roles", SQL_pool_members, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    members = rows_int(&r, 0, 0);
    if (!wrong && members > POOL_ROLES_PER_LOGIN)
        wrong = "is a member of more than 500 tenants' roles: raise slices";
    result(x, "role", !wrong,
           arena_printf(a, "%s %s (%lld tenants)", name, wrong ? wrong : "is as it should be", (long long)members));
    return RC_OK;
}

static enum rc roles(struct exam *x)
{
    enum rc rc = RC_OK;

    for (int s = 0; rc == RC_OK && s < x->c->params.slices; s++)
        rc = login(x, arena_printf(x->c->arena, "sekisho_s%d", s));
    return rc;
}

/* As the service itself: what its pg_hba.conf and password allow shows only here. */
static void service(struct exam *x)
{
    struct pg *pg = pg_new(
        &(struct pg_config){.conninfo = x->c->params.database, .user = "sekisho_s0", .application = "sekisho doctor"});
    bool good = pg_open(pg) == RC_OK;

    result(x, "service", good,
           good ? "sekisho_s0 can connect" : arena_printf(x->c->arena, "sekisho_s0: %s", pg_why(pg)));
    pg_free(&pg);
}

static enum rc versions(struct exam *x)
{
    struct arena *a = x->c->arena;
    struct migrate_status s;
    enum rc rc = migrate_status(&x->c->owner, &s);

    if (rc == RC_CONFLICT || rc == RC_INVALID) {
        result(x, "migrations", false, x->c->owner.why);
        return RC_OK;
    }
    if (rc != RC_OK)
        return rc;
    result(x, "migrations", s.control_version == s.control_latest && s.behind == 0,
           arena_printf(a, "control %d of %d; %lld of %lld tenants are behind version %d%s", s.control_version,
                        s.control_latest, (long long)s.behind, (long long)s.tenants, s.tenant_latest,
                        s.control_version == s.control_latest && s.behind == 0 ? "" : ": run sekishoctl migrate run"));
    return RC_OK;
}

static enum rc tenants(struct exam *x)
{
    struct arena *a = x->c->arena;
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, x->c->params.slices);
    rc = owner_statement(&x->c->owner, a, "Counting tenants", SQL_doctor_tenants, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    result(x, "tenants", rows_int(&r, 0, 2) == 0,
           arena_printf(a, "%lld, and %lld schemas prepared%s", (long long)rows_int(&r, 0, 0),
                        (long long)rows_int(&r, 0, 1),
                        rows_int(&r, 0, 2) ? "; an erasing was cut off: run sekishoctl tenant erase again" : ""));
    if (rows_int(&r, 0, 3))
        result(x, "slices", false,
               arena_printf(a,
                            "%lld tenants have a slice beyond the parameter slices and are not served: raise it again",
                            (long long)rows_int(&r, 0, 3)));
    return RC_OK;
}

static void keys(struct exam *x)
{
    struct arena *a = x->c->arena;
    int64_t stale = 0;
    enum rc rc = keys_reseal(&x->c->owner, true, &stale);

    if (rc != RC_OK)
        result(x, "keyring", false, arena_strdup(a, x->c->owner.why));
    else
        result(x, "keyring", stale == 0,
               stale ? arena_printf(a, "%lld secrets are sealed with an older key: run sekishoctl key reseal",
                                    (long long)stale)
                     : "all secrets are sealed with the newest key");
}

int verb_doctor(struct ctl *c)
{
    const char *replicas = ctl_option(c, "--replicas", "1");
    struct exam x = {.c = c};
    const char *why;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL) || !ctl_int(c, "--replicas", replicas, 1, 1000, &x.replicas))
        return EXIT_USAGE;
    if (c->json) {
        json_key(&c->w, "checks");
        json_array_open(&c->w);
    }
    rc = connections(&x);
    if (rc == RC_OK)
        rc = roles(&x);
    if (rc == RC_OK)
        rc = versions(&x);
    if (rc == RC_OK)
        rc = tenants(&x);
    if (rc == RC_OK)
        keys(&x);
    else
        result(&x, "postgresql", false, c->owner.why);
    service(&x);
    why = ctl_redis_ping(&c->params);
    result(&x, "redis", !why, why ? why : "answers");
    if (c->json) {
        json_array_close(&c->w);
        ctl_put_int(c, "findings", x.findings);
    }
    return ctl_flush(c, x.findings ? EXIT_FINDINGS : EXIT_DONE);
}
