/* SPDX-License-Identifier: Apache-2.0 */
/* reseal.c - after a new key of the keyring: seals stored secrets anew, one row a statement, only where the row still
 * holds what was read. Safe beside running servers, which can open with all keys they have loaded. */
#include "provision/bootstrap.h"
#include <stdio.h>

struct reseal {
    struct owner *o;
    struct arena *a;
    bool dry;
    int64_t n;
};

static enum rc seal_again(struct reseal *s, struct slice old, struct slice context, struct slice *ret)
{
    struct slice plain;
    enum rc rc = keyring_open(s->a, s->o->ring, context, old, &plain);

    if (rc != RC_OK)
        return owner_fail(s->o, RC_INVALID,
                          "The secret " SLICE_FMT " does not open with this keyring; is it the cell's own?",
                          SLICE_ARG(context));
    *ret = keyring_seal(s->a, s->o->ring, context, plain);
    crypto_wipe((void *)(uintptr_t)plain.p, plain.n);
    return RC_OK;
}

static enum rc one(struct reseal *s, enum sql_id id, int tenant_no, struct slice key, struct slice context,
                   struct slice old)
{
    struct sql_args args;
    struct slice sealed;
    enum rc rc;

    if (!keyring_stale(s->o->ring, old))
        return RC_OK;
    s->n++;
    if (s->dry)
        return RC_OK;
    rc = seal_again(s, old, context, &sealed);
    if (rc != RC_OK)
        return rc;
    args_init(&args, s->a);
    args_slice(&args, key);
    args_bytes(&args, old);
    args_bytes(&args, sealed);
    return owner_statement(s->o, s->a, "Storing a secret", id, tenant_no, &args, NULL);
}

static enum rc control(struct reseal *s)
{
    struct rows r;
    enum rc rc = owner_statement(s->o, s->a, "Reading secrets", SQL_provision_sealed_control, 0, NULL, &r);

    for (int i = 0; rc == RC_OK && i < r.n; i++) {
        struct slice where = rows_slice(&r, i, 0);
        enum sql_id id = slice_eq(where, SLICE("platform"))      ? SQL_provision_reseal_platform
                         : slice_eq(where, SLICE("signing_key")) ? SQL_provision_reseal_signing_key
                                                                 : SQL_provision_reseal_tenant;

        rc = one(s, id, 0, rows_slice(&r, i, 1), rows_slice(&r, i, 3), rows_bytes(&r, s->a, i, 2));
    }
    return rc;
}

/* Rows of (id, sealed) of a tenant, with context "<what>:<id>". */
static enum rc tenant_rows(struct reseal *s, int tenant_no, const char *what, enum sql_id list, enum sql_id update)
{
    struct rows r;
    enum rc rc = owner_statement(s->o, s->a, "Reading secrets", list, tenant_no, NULL, &r);

    for (int i = 0; rc == RC_OK && i < r.n; i++) {
        struct slice id = rows_slice(&r, i, 0);
        const char *context = arena_printf(s->a, "%s:" SLICE_FMT, what, SLICE_ARG(id));

        rc = one(s, update, tenant_no, id, slice_of(context), rows_bytes(&r, s->a, i, 1));
    }
    return rc;
}

static enum rc tenant(struct reseal *s, int no, int version)
{
    enum rc rc = tenant_rows(s, no, "session", SQL_provision_sessions_sealed, SQL_provision_reseal_session);

    if (rc != RC_OK || version < 2) /* there are no second factors in it yet */
        return rc;
    return tenant_rows(s, no, "two-factor", SQL_provision_factors_sealed, SQL_provision_reseal_factor);
}

enum rc keys_reseal(struct owner *o, bool dry, int64_t *ret_n)
{
    struct arena *list = arena_new((size_t)32 * 1024 * 1024);
    struct reseal s = {.o = o, .a = arena_new_wiping((size_t)64 * 1024 * 1024), .dry = dry};
    struct rows tenants;
    enum rc rc = owner_keyring(o);

    if (rc == RC_OK)
        rc = control(&s);
    if (rc == RC_OK)
        rc = owner_statement(o, list, "Listing tenants", SQL_provision_tenant_page, 0, NULL, &tenants);
    for (int i = 0; rc == RC_OK && i < tenants.n; i++) {
        if (slice_eq(rows_slice(&tenants, i, 3), SLICE("erasing")))
            continue;
        arena_reset(s.a);
        rc = tenant(&s, (int)rows_int(&tenants, i, 0), (int)rows_int(&tenants, i, 7));
    }
    *ret_n = s.n;
    arena_free(&s.a);
    arena_free(&list);
    return rc;
}
