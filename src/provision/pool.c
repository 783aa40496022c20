/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h. A number is noted as 'preparing' first; role, schema, tables and grant are then one transaction,
 * so a preparation that was cut off has left nothing but its number, and is done again under it. */
#include "provision/pool.h"
#include "common/event.h"
#include <stdio.h>

#define POOL_ARENA ((size_t)32 * 1024 * 1024)

static enum rc members(struct owner *o, struct arena *a, int slice, int64_t *ret)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_str(&args, arena_printf(a, "sekisho_s%d", slice));
    rc = owner_statement(o, a, "Counting roles", SQL_pool_members, 0, &args, &r);
    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

/* The number's own slice, or the emptiest one when that is full. */
static enum rc choose_slice(struct owner *o, struct arena *a, int no, int *ret)
{
    int slices = (int)o->params->slices;
    int64_t least = POOL_ROLES_PER_LOGIN;
    int64_t n;
    enum rc rc = members(o, a, no % slices, &n);

    if (rc != RC_OK)
        return rc;
    if (n < POOL_ROLES_PER_LOGIN) {
        *ret = no % slices;
        return RC_OK;
    }
    for (int s = 0; s < slices; s++) {
        rc = members(o, a, s, &n);
        if (rc != RC_OK)
            return rc;
        if (n < least) {
            least = n;
            *ret = s;
        }
    }
    if (least < POOL_ROLES_PER_LOGIN)
        return RC_OK;
    return owner_fail(o, RC_OVER_QUOTA,
                      "All %d slices have %d tenants, the most that a login role serves well; raise the parameter "
                      "slices and run sekishoctl bootstrap",
                      slices, POOL_ROLES_PER_LOGIN);
}

static enum rc note_number(struct owner *o, struct arena *a, int *ret_no, int *ret_slice)
{
    struct sql_args args;
    struct rows r;
    enum rc rc = owner_statement(o, a, "Looking for a number", SQL_pool_preparing, 0, NULL, &r);

    if (rc != RC_OK)
        return rc;
    if (r.n) {
        *ret_no = (int)rows_int(&r, 0, 0);
        *ret_slice = (int)rows_int(&r, 0, 1);
        return RC_OK;
    }
    rc = owner_statement(o, a, "Looking for a number", SQL_pool_next, 0, NULL, &r);
    if (rc != RC_OK)
        return rc;
    *ret_no = (int)rows_int(&r, 0, 0);
    rc = choose_slice(o, a, *ret_no, ret_slice);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_int(&args, *ret_no);
    args_int(&args, *ret_slice);
    args_time(&args, clock_now());
    return owner_statement(o, a, "Noting a number", SQL_pool_insert, 0, &args, NULL);
}

static enum rc build(struct owner *o, struct arena *a, const struct migrations *m, int no, int slice)
{
    struct pg_error err;
    struct sql_args args;
    enum rc rc;

    rc = owner_run(o, a, "Making the tenant's role", arena_printf(a, "CREATE ROLE t_%d NOLOGIN", no));
    if (rc == RC_OK)
        rc = owner_run(o, a, "Making the tenant's schema", arena_printf(a, "CREATE SCHEMA t_%d", no));
    if (rc != RC_OK)
        return rc;
    rc = migrate_tenant_in(o->pg, a, m, no, 0, migrations_latest(m), &err);
    if (rc != RC_OK)
        return owner_fail(o, rc, "Making the tenant's tables: %s (SQLSTATE %s)", err.message, err.sqlstate);
    rc = owner_run(o, a, "Granting the tenant's role", arena_printf(a, "GRANT t_%d TO sekisho_s%d", no, slice));
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_int(&args, no);
    args_time(&args, clock_now());
    return owner_statement(o, a, "Noting the schema", SQL_pool_ready, 0, &args, NULL);
}

static enum rc make_one(struct owner *o, const struct migrations *m)
{
    struct arena *a = arena_new(POOL_ARENA);
    struct pg_error err;
    int no = 0, slice = 0;
    enum rc rc = note_number(o, a, &no, &slice);

    if (rc == RC_OK)
        rc = owner_begin(o);
    if (rc == RC_OK) {
        rc = build(o, a, m, no, slice);
        if (rc == RC_OK) {
            rc = pg_commit(o->pg, &err);
            if (rc != RC_OK)
                owner_fail(o, rc, "Saving: %s", err.message);
        } else {
            pg_rollback(o->pg);
        }
    }
    if (rc == RC_OK)
        ev_info(AREA_STORE, "schema prepared", EV_INT("tenant", no), EV_INT("slice", slice));
    arena_free(&a);
    return rc;
}

static enum rc count_ready(struct owner *o, struct arena *a, int version, int *ret)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, version);
    rc = owner_statement(o, a, "Counting schemas", SQL_pool_count, 0, &args, &r);
    if (rc == RC_OK)
        *ret = (int)rows_int(&r, 0, 0);
    return rc;
}

enum rc pool_fill(struct owner *o, int target, int *ret_made)
{
    struct arena *a = arena_new(POOL_ARENA);
    struct migrations m;
    int ready = 0;
    enum rc rc;

    *ret_made = 0;
    rc = migrations_read(o, a, "tenant", &m);
    if (rc == RC_OK)
        rc = count_ready(o, a, migrations_latest(&m), &ready);
    if (rc == RC_OK && ready < target)
        rc = owner_lock(o, OWNER_LOCK_PROVISION);
    if (rc != RC_OK || ready >= target) {
        arena_free(&a);
        return rc;
    }
    rc = count_ready(o, a, migrations_latest(&m), &ready);
    for (; rc == RC_OK && ready < target; ready++) {
        rc = make_one(o, &m);
        *ret_made += rc == RC_OK;
    }
    owner_unlock(o, OWNER_LOCK_PROVISION);
    arena_free(&a);
    return rc;
}

enum rc pool_pick(struct owner *o, struct arena *a, const struct migrations *m, int *ret_no, int *ret_slice)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, migrations_latest(m));
    rc = owner_statement(o, a, "Taking a schema", SQL_pool_pick, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        return RC_NOT_FOUND;
    *ret_no = (int)rows_int(&r, 0, 0);
    *ret_slice = (int)rows_int(&r, 0, 1);
    return RC_OK;
}
