/* SPDX-License-Identifier: Apache-2.0 */
/* migrate.c - see migrate.h. The runner's own two tables are made before the first migration, which grants on them.
 * Tenants are migrated by up to four threads, each with a connection and an arena of its own; a lock that cannot be had
 * in a second is tried again later, so that a migration never stops a tenant's agents for long. */
#include "provision/migrate.h"
#include "common/event.h"
#include "common/file.h"
#include "common/must.h"
#include "provision/split.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILE_CEILING ((size_t)1024 * 1024)
#define WORK_ARENA   ((size_t)16 * 1024 * 1024)
#define TRIES        8 /* of one transaction that meets a lock */

static const char *const own_tables[] = {
    "CREATE SCHEMA IF NOT EXISTS control",
    ("CREATE TABLE IF NOT EXISTS control.migration (version integer PRIMARY KEY, name text NOT NULL, "
     "hash text NOT NULL, previous_hash text NOT NULL, applied_at timestamptz NOT NULL)"),
    ("CREATE TABLE IF NOT EXISTS control.tenant_migration (tenant_no integer NOT NULL, version integer NOT NULL, "
     "hash text NOT NULL, applied_at timestamptz NOT NULL, PRIMARY KEY (tenant_no, version))"),
};

/* ---- files */

/* "0001-create-tenant.sql": four digits, lower-case words between hyphens. */
static bool name_fits(const char *name, int *ret_version)
{
    struct slice s = slice_of(name);

    if (s.n < 10 || s.p[4] != '-' || !slice_ends(s, SLICE(".sql")))
        return false;
    for (size_t i = 5; i < s.n - 4; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
            return false;
    return slice_int(slice_mem(s.p, 4), 1, 9999, ret_version);
}

static int by_version(const void *a, const void *b)
{
    const struct migration *x = a, *y = b;

    return (x->version > y->version) - (x->version < y->version);
}

static enum rc list_folder(struct owner *o, struct arena *a, const char *folder, struct migrations *ret)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    if (!d)
        return owner_fail(o, RC_NOT_FOUND, "The folder %s of the parameter migrations cannot be read", folder);
    while ((e = readdir(d)) != NULL) {
        struct migration m = {0};

        if (e->d_name[0] == '.' || !slice_ends(slice_of(e->d_name), SLICE(".sql")) ||
            slice_ends(slice_of(e->d_name), SLICE(".verify.sql")))
            continue;
        if (!name_fits(e->d_name, &m.version)) {
            owner_fail(o, RC_INVALID, "%s/%s: a migration is called NNNN-verb-noun.sql", folder, e->d_name);
            closedir(d);
            return RC_INVALID;
        }
        m.name = arena_strdup(a, e->d_name);
        ret->list = arena_realloc(a, ret->list, ret->n * sizeof(m), (ret->n + 1) * sizeof(m));
        ret->list[ret->n++] = m;
    }
    closedir(d);
    if (ret->n)
        qsort(ret->list, ret->n, sizeof(*ret->list), by_version);
    return RC_OK;
}

static void hex(const struct sha256 *h, char out[65])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + (size_t)i * 2, 3, "%02x", h->b[i]);
}

static enum rc read_one(struct owner *o, struct arena *a, const char *folder, const char *previous, struct migration *m)
{
    const char *path = arena_printf(a, "%s/%s", folder, m->name);
    struct sha256_stream *s;
    struct sha256 h;
    struct slice text;
    int line;

    if (file_read(a, path, FILE_CEILING, &text) != RC_OK)
        return owner_fail(o, RC_NOT_FOUND, "%s cannot be read", path);
    if (!slice_utf8(text))
        return owner_fail(o, RC_INVALID, "%s is not UTF-8", path);
    if (split_statements(a, text, &m->statements, &m->n_statements, &line) != RC_OK)
        return owner_fail(o, RC_INVALID, "%s line %d: a statement, quote or comment does not end", path, line);
    snprintf(m->previous, sizeof(m->previous), "%s", previous);
    s = sha256_stream_new();
    sha256_stream_add(s, previous, strlen(previous));
    sha256_stream_add(s, "\n", 1);
    sha256_stream_add(s, m->name, strlen(m->name) + 1);
    sha256_stream_add(s, text.p, text.n);
    h = sha256_stream_end(&s);
    hex(&h, m->hash);
    return RC_OK;
}

enum rc migrations_read(struct owner *o, struct arena *a, const char *kind, struct migrations *ret)
{
    const char *folder = arena_printf(a, "%s/%s", o->params->migrations, kind);
    enum rc rc;

    *ret = (struct migrations){0};
    rc = list_folder(o, a, folder, ret);
    for (size_t i = 0; rc == RC_OK && i < ret->n; i++) {
        if (ret->list[i].version != (int)i + 1)
            return owner_fail(o, RC_INVALID, "%s: number %04d is %s", folder, (int)i + 1,
                              i && ret->list[i].version == ret->list[i - 1].version
                                  ? "followed by a second file of a number"
                                  : "missing");
        rc = read_one(o, a, folder, i ? ret->list[i - 1].hash : "", &ret->list[i]);
    }
    return rc;
}

int migrations_latest(const struct migrations *m)
{
    return (int)m->n;
}

/* ---- control */

static enum rc tables_exist(struct owner *o, struct arena *a, bool *ret)
{
    struct pg_error e;
    struct rows r;
    enum rc rc = pg_run(o->pg, a, "SELECT to_regclass('control.tenant_migration') IS NOT NULL", NULL, &r, &e);

    if (rc != RC_OK)
        return owner_fail(o, rc, "PostgreSQL: %s (SQLSTATE %s)", e.message, e.sqlstate);
    *ret = rows_bool(&r, 0, 0);
    return RC_OK;
}

static enum rc own(struct owner *o, struct arena *a)
{
    bool there;
    enum rc rc;

    /* Looked at first: CREATE ... IF NOT EXISTS would write a notice each time. */
    rc = tables_exist(o, a, &there);
    if (rc != RC_OK || there)
        return rc;
    for (size_t i = 0; i < sizeof(own_tables) / sizeof(own_tables[0]); i++) {
        rc = owner_run(o, a, "Making the tables of migrations", own_tables[i]);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* Compares what was applied with the files; *ret_version is the last one applied. */
static enum rc check_control(struct owner *o, struct arena *a, const struct migrations *m, int *ret_version)
{
    struct rows r;
    enum rc rc = owner_statement(o, a, "Reading control.migration", SQL_migration_applied, 0, NULL, &r);

    if (rc != RC_OK)
        return rc;
    for (int i = 0; i < r.n; i++) {
        if (i >= (int)m->n)
            return owner_fail(o, RC_CONFLICT,
                              "The database has control migration %lld (" SLICE_FMT
                              "), which this program does not know; it is older than the database",
                              (long long)rows_int(&r, i, 0), SLICE_ARG(rows_slice(&r, i, 1)));
        if (rows_int(&r, i, 0) != m->list[i].version || !slice_eq(rows_slice(&r, i, 2), slice_of(m->list[i].hash)))
            return owner_fail(
                o, RC_CONFLICT,
                "%s/control/%s was changed after it was applied; put it back and write a new migration instead",
                o->params->migrations, m->list[i].name);
    }
    *ret_version = r.n;
    return RC_OK;
}

static enum rc note_control(struct owner *o, struct arena *a, const struct migration *m)
{
    struct sql_args args;

    args_init(&args, a);
    args_int(&args, m->version);
    args_str(&args, m->name);
    args_str(&args, m->hash);
    args_str(&args, m->previous);
    args_time(&args, clock_now());
    return owner_statement(o, a, m->name, SQL_migration_note, 0, &args, NULL);
}

static enum rc apply_control(struct owner *o, const struct migration *m)
{
    struct arena *a = arena_new(WORK_ARENA);
    enum rc rc = owner_begin(o);

    for (size_t i = 0; rc == RC_OK && i < m->n_statements; i++) {
        const char *text;

        if (split_place(a, m->statements[i], 0, &text) != RC_OK)
            rc = owner_fail(o, RC_INVALID, "control/%s: {t} and {r} belong to tenant migrations", m->name);
        else
            rc = owner_run(o, a, m->name, text);
    }
    if (rc == RC_OK)
        rc = note_control(o, a, m);
    if (rc == RC_OK)
        rc = owner_commit(o);
    else
        pg_rollback(o->pg);
    arena_free(&a);
    return rc;
}

static void pause_before(int attempt)
{
    long ms = 50L * (1L << (attempt < 6 ? attempt : 6)) + (long)random_below(50);
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static enum rc run_control(struct owner *o, const struct migrations *m, int from)
{
    enum rc rc = RC_OK;

    for (int v = from; rc == RC_OK && v < (int)m->n; v++) {
        for (int i = 0; i < TRIES; i++) {
            rc = apply_control(o, &m->list[v]);
            if (rc != RC_UNAVAILABLE && rc != RC_CONFLICT)
                break;
            pause_before(i);
        }
        if (rc == RC_OK)
            ev_info(AREA_STORE, "control migrated", EV_STR("migration", m->list[v].name));
    }
    return rc;
}

/* ---- tenants */

static enum rc check_tenants(struct owner *o, struct arena *a, const struct migrations *m)
{
    struct rows r;
    enum rc rc = owner_statement(o, a, "Reading control.tenant_migration", SQL_tenant_migration_hashes, 0, NULL, &r);

    for (int i = 0; rc == RC_OK && i < r.n; i++) {
        int64_t v = rows_int(&r, i, 0);

        if (v < 1 || v > (int64_t)m->n)
            return owner_fail(
                o, RC_CONFLICT,
                "Tenant %lld has version %lld, which this program does not know; it is older than the database",
                (long long)rows_int(&r, i, 2), (long long)v);
        if (!slice_eq(rows_slice(&r, i, 1), slice_of(m->list[v - 1].hash)))
            return owner_fail(o, RC_CONFLICT,
                              "%s/tenant/%s was changed after it was applied (to tenant %lld); put it back and write a "
                              "new migration instead",
                              o->params->migrations, m->list[v - 1].name, (long long)rows_int(&r, i, 2));
    }
    return rc;
}

static enum rc note_tenant(struct pg *pg, struct arena *a, const struct migration *m, int no, struct pg_error *err)
{
    struct sql_args args;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, no);
    args_int(&args, m->version);
    args_str(&args, m->hash);
    args_time(&args, clock_now());
    rc = pg_run_statement(pg, a, SQL_tenant_migration_note, 0, &args, NULL, err);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_int(&args, no);
    args_int(&args, m->version);
    args_time(&args, clock_now());
    return pg_run_statement(pg, a, SQL_tenant_migration_version, 0, &args, NULL, err);
}

enum rc migrate_tenant_in(struct pg *pg, struct arena *a, const struct migrations *m, int tenant_no, int from, int to,
                          struct pg_error *err)
{
    enum rc rc = RC_OK;

    for (int v = from; rc == RC_OK && v < to; v++) {
        for (size_t i = 0; rc == RC_OK && i < m->list[v].n_statements; i++) {
            const char *text;

            must(split_place(a, m->list[v].statements[i], tenant_no, &text) == RC_OK);
            rc = pg_run(pg, a, text, NULL, NULL, err);
        }
        if (rc == RC_OK)
            rc = note_tenant(pg, a, &m->list[v], tenant_no, err);
    }
    return rc;
}

struct work {
    const struct migrations *m;
    const struct params *params;
    const int *nos, *versions;
    size_t n;
    atomic_size_t next;
    atomic_size_t done, failed;
    atomic_bool give_up;  /* PostgreSQL is away */
    pthread_mutex_t lock; /* of the first failure's text */
    char first_failure[400];
};

/* One version of one tenant in one transaction. */
static enum rc one_version(struct pg *pg, const struct work *w, int no, int v, struct pg_error *err)
{
    struct arena *a = arena_new(WORK_ARENA);
    enum rc rc = pg_begin(pg, err);

    if (rc == RC_OK)
        rc = migrate_tenant_in(pg, a, w->m, no, v, v + 1, err);
    if (rc == RC_OK)
        rc = pg_commit(pg, err);
    else
        pg_rollback(pg);
    arena_free(&a);
    return rc;
}

static enum rc one_tenant(struct pg *pg, const struct work *w, size_t at, struct pg_error *err)
{
    enum rc rc = RC_OK;

    for (int v = w->versions[at]; rc == RC_OK && v < (int)w->m->n; v++) {
        for (int i = 0; i < TRIES; i++) {
            rc = one_version(pg, w, w->nos[at], v, err);
            if (rc != RC_UNAVAILABLE && rc != RC_CONFLICT)
                break;
            pause_before(i);
        }
    }
    return rc;
}

static void *migrate_some(void *arg)
{
    struct work *w = arg;
    struct pg *pg = owner_connection(w->params);

    for (;;) {
        size_t at = atomic_fetch_add(&w->next, 1);
        struct pg_error err = {0};
        enum rc rc;

        if (at >= w->n || atomic_load(&w->give_up))
            break;
        rc = one_tenant(pg, w, at, &err);
        if (rc == RC_OK) {
            atomic_fetch_add(&w->done, 1);
            continue;
        }
        atomic_fetch_add(&w->failed, 1);
        if (strncmp(err.sqlstate, "08", 2) == 0)
            atomic_store(&w->give_up, true);
        ev_error(AREA_STORE, "tenant not migrated", EV_INT("tenant", w->nos[at]), EV_STR("why", err.message));
        pthread_mutex_lock(&w->lock);
        if (!w->first_failure[0])
            snprintf(w->first_failure, sizeof(w->first_failure), "Tenant %d: %s (SQLSTATE %s)", w->nos[at], err.message,
                     err.sqlstate);
        pthread_mutex_unlock(&w->lock);
    }
    pg_free(&pg);
    return NULL;
}

static enum rc list_behind(struct owner *o, struct arena *a, struct work *w)
{
    struct sql_args args;
    struct rows r;
    int *nos, *versions;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, (int)w->m->n);
    rc = owner_statement(o, a, "Listing tenants", SQL_tenant_migration_behind, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    nos = ARENA_ARRAY(a, int, r.n);
    versions = ARENA_ARRAY(a, int, r.n);
    for (int i = 0; i < r.n; i++) {
        nos[i] = (int)rows_int(&r, i, 0);
        versions[i] = (int)rows_int(&r, i, 1);
    }
    w->nos = nos;
    w->versions = versions;
    w->n = (size_t)r.n;
    return RC_OK;
}

static void run_threads(struct work *w, int connections)
{
    pthread_t threads[4];
    int n = connections < 1 ? 1 : connections > 4 ? 4 : connections;

    if ((size_t)n > w->n)
        n = (int)w->n;
    for (int i = 0; i < n; i++)
        must(pthread_create(&threads[i], NULL, migrate_some, w) == 0);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static enum rc run_tenants(struct owner *o, struct arena *a, const struct migrations *m, int connections,
                           struct migrate_report *ret)
{
    struct work w = {.m = m, .params = o->params, .lock = PTHREAD_MUTEX_INITIALIZER};
    enum rc rc = check_tenants(o, a, m);

    ret->tenant_latest = migrations_latest(m);
    if (rc == RC_OK)
        rc = list_behind(o, a, &w);
    if (rc != RC_OK)
        return rc;
    run_threads(&w, connections);
    ret->tenants = (int64_t)w.n;
    ret->migrated = (int64_t)atomic_load(&w.done);
    ret->failed = (int64_t)w.n - ret->migrated;
    if (ret->failed == 0)
        return RC_OK;
    snprintf(ret->first_failure, sizeof(ret->first_failure), "%s", w.first_failure);
    return owner_fail(o, atomic_load(&w.give_up) ? RC_UNAVAILABLE : RC_CONFLICT,
                      "%lld of %lld tenants were not migrated; run it again after the cause is removed. The first: %s",
                      (long long)ret->failed, (long long)w.n, w.first_failure);
}

enum rc migrate_run(struct owner *o, int connections, struct migrate_report *ret)
{
    struct arena *a = arena_new(WORK_ARENA * 4);
    struct migrations control, tenant;
    enum rc rc;

    *ret = (struct migrate_report){0};
    rc = migrations_read(o, a, "control", &control);
    if (rc == RC_OK)
        rc = migrations_read(o, a, "tenant", &tenant);
    if (rc == RC_OK)
        rc = owner_lock(o, OWNER_LOCK_MIGRATE);
    if (rc != RC_OK) {
        arena_free(&a);
        return rc;
    }
    rc = own(o, a);
    if (rc == RC_OK)
        rc = check_control(o, a, &control, &ret->control_from);
    if (rc == RC_OK)
        rc = run_control(o, &control, ret->control_from);
    if (rc == RC_OK) {
        ret->control_to = migrations_latest(&control);
        rc = run_tenants(o, a, &tenant, connections, ret);
    }
    owner_unlock(o, OWNER_LOCK_MIGRATE);
    arena_free(&a);
    return rc;
}

static enum rc figures(struct owner *o, struct arena *a, struct migrate_status *s)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, s->tenant_latest);
    rc = owner_statement(o, a, "Counting tenants", SQL_tenant_migration_figures, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    s->tenants = rows_int(&r, 0, 0);
    s->behind = rows_int(&r, 0, 1);
    s->oldest = (int)rows_int(&r, 0, 2);
    return RC_OK;
}

enum rc migrate_status(struct owner *o, struct migrate_status *ret)
{
    struct arena *a = arena_new(WORK_ARENA * 4);
    struct migrations control, tenant;
    bool there;
    enum rc rc;

    *ret = (struct migrate_status){0};
    rc = migrations_read(o, a, "control", &control);
    if (rc == RC_OK)
        rc = migrations_read(o, a, "tenant", &tenant);
    if (rc == RC_OK) {
        ret->control_latest = migrations_latest(&control);
        ret->tenant_latest = ret->oldest = migrations_latest(&tenant);
        rc = tables_exist(o, a, &there);
        if (rc == RC_OK && !there) { /* nothing was ever run */
            arena_free(&a);
            return RC_OK;
        }
    }
    if (rc == RC_OK)
        rc = check_control(o, a, &control, &ret->control_version);
    if (rc == RC_OK)
        rc = check_tenants(o, a, &tenant);
    if (rc == RC_OK && ret->control_version)
        rc = figures(o, a, ret);
    arena_free(&a);
    return rc;
}
