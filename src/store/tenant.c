/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.c - reading the tenants of the control schema for the snapshot.
 */
#include "store/tenant.h"
#include <stdio.h>

enum rc tenant_read_revision(struct tx *tx, int64_t *ret)
{
    struct rows r;
    enum rc rc = tx_one(tx, SQL_tenant_revision, NULL, &r);

    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

static void copy(char *out, size_t size, struct slice s)
{
    snprintf(out, size, SLICE_FMT, SLICE_ARG(slice_utf8_head(s, size - 1)));
}

static uint32_t read_entitlements(const struct rows *r, int i, struct arena *a)
{
    static const char *const names[] = {
#define X(name) #name,
        ENTITLEMENTS(X)
#undef X
    };
    struct slice *found;
    size_t n = rows_array(r, a, i, 13, &found);
    uint32_t bits = 0;

    for (size_t k = 0; k < n; k++)
        for (unsigned e = 0; e < ENTITLEMENT_COUNT; e++)
            if (slice_eq(found[k], slice_of(names[e])))
                bits |= 1U << e;
    return bits;
}

static void read_tenant(const struct rows *r, int i, struct arena *a, struct tenant *t)
{
    t->no = (int)rows_int(r, i, 0);
    t->slice = (int)rows_int(r, i, 1);
    copy(t->id, sizeof(t->id), rows_slice(r, i, 2));
    copy(t->name, sizeof(t->name), rows_slice(r, i, 3));
    copy(t->plan, sizeof(t->plan), rows_slice(r, i, 4));
    copy(t->time_zone, sizeof(t->time_zone), rows_slice(r, i, 5));
    t->status = slice_eq(rows_slice(r, i, 6), SLICE("suspended")) ? TENANT_SUSPENDED : TENANT_ACTIVE;
    copy(t->suspended_reason, sizeof(t->suspended_reason), rows_slice(r, i, 7));
    t->seats = (int)rows_int(r, i, 8);
    t->over_seats_since = rows_time(r, i, 9);
    t->ca_pem = arena_cstr(a, rows_slice(r, i, 10));
    t->min_interval = (int)rows_int(r, i, 11);
    t->api_rate = (int)rows_int(r, i, 12);
    t->entitlements = read_entitlements(r, i, a);
}

enum rc tenant_read_all(struct tx *tx, struct arena *a, struct tenant **ret, size_t *ret_n)
{
    struct rows r;
    enum rc rc = tx_run(tx, SQL_tenant_snapshot, NULL, &r);

    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct tenant, r.n);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        read_tenant(&r, i, a, &(*ret)[i]);
    return RC_OK;
}

enum rc tenant_read_hosts(struct tx *tx, struct arena *a, struct slice **ret_hosts, int **ret_nos, size_t *ret_n)
{
    struct rows r;
    enum rc rc = tx_run(tx, SQL_tenant_hosts, NULL, &r);

    if (rc != RC_OK)
        return rc;
    *ret_hosts = ARENA_ARRAY(a, struct slice, r.n);
    *ret_nos = ARENA_ARRAY(a, int, r.n);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++) {
        (*ret_hosts)[i] = rows_slice(&r, i, 0);
        (*ret_nos)[i] = (int)rows_int(&r, i, 1);
    }
    return RC_OK;
}

enum rc trace_read(struct tx *tx, struct arena *a, usec_t now, struct event_trace **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_time(&args, now);
    rc = tx_run(tx, SQL_trace_read, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct event_trace, r.n + 1);
    *ret_n = 0;
    for (int i = 0; i < r.n; i++) {
        struct event_trace *t = &(*ret)[*ret_n];

        if (!event_area_parse(rows_slice(&r, i, 0), &t->area))
            continue;
        copy(t->tenant, sizeof(t->tenant), rows_slice(&r, i, 1));
        t->until = rows_time(&r, i, 2);
        (*ret_n)++;
    }
    return RC_OK;
}
