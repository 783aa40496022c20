/* SPDX-License-Identifier: Apache-2.0 */
/* refusals.c - see refusals.h. */
#include "worker/refusals.h"
#include "call/make_principal.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "quota/quota.h"
#include "store/audit.h"
#include "tenant/tenant.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITING_MAX = 1024, SLOTS = 4096, ARENA = 4 * 1024 * 1024, AT_ONCE = 100 };

struct refusal {
    int tenant_no;
    struct uuid account, session, object;
    char address[46], action[65], object_type[41], lacks[65];
    bool plan;
    usec_t at;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct refusal *waiting; /* WAITING_MAX of them, from the first refusal on */
static size_t n_waiting;
static struct slot { /* sessions that meet in a slot share its count: tighter, never looser */
    uint32_t minute;
    uint32_t count;
} slots[SLOTS];

/* With the lock. */
static bool within_rate(struct uuid session, uint64_t now_ns)
{
    uint32_t at, minute = (uint32_t)(now_ns / UINT64_C(60000000000)) + 1;
    struct sha256 h = crypto_sha256(slice_mem(&session, sizeof session));

    memcpy(&at, h.b, sizeof at);
    struct slot *s = &slots[at % SLOTS];
    if (s->minute != minute)
        *s = (struct slot){minute, 0};
    return s->count++ < REFUSALS_PER_MINUTE;
}

/* "device.update" is about a device: the first id of the path. */
static void object_of(const struct call *c, struct refusal *r)
{
    struct slice rest = slice_of(c->route->audit), type = slice_cut(&rest, '.');

    if (!c->route->audit || !c->args[0].p || !uuid_parse(c->args[0], &r->object))
        return;
    snprintf(r->object_type, sizeof r->object_type, SLICE_FMT, SLICE_ARG(type));
}

void refusals_note(const struct call *c, enum rc rc)
{
    if (rc == RC_OK || !c->route || !c->principal || principal_kind(c->principal) != PRINCIPAL_USER)
        return;
    enum problem p = fault_problem(&c->fault, rc);
    if (p != PROBLEM_permission_denied && p != PROBLEM_rights_exceeded && p != PROBLEM_plan_lacks)
        return;
    struct refusal r = {.tenant_no = principal_tenant_no(c->principal),
                        .account = principal_subject(c->principal),
                        .session = principal_session(c->principal),
                        .plan = p == PROBLEM_plan_lacks,
                        .at = clock_now()};
    snprintf(r.address, sizeof r.address, "%s", c->address);
    snprintf(r.action, sizeof r.action, "%s", c->route->audit ? c->route->audit : c->route->operation);
    snprintf(r.lacks, sizeof r.lacks, "%.64s", c->fault.allowed);
    object_of(c, &r);
    pthread_mutex_lock(&lock);
    bool room = within_rate(r.session, clock_mono_ns()) && n_waiting < WAITING_MAX;
    if (room && !waiting)
        waiting = must_alloc(WAITING_MAX * sizeof *waiting);
    if (room)
        waiting[n_waiting++] = r;
    pthread_mutex_unlock(&lock);
    if (!room)
        count(C_audit_refusals_dropped);
}

static enum rc write_one(struct tx *tx, struct arena *a, const struct refusal *r)
{
    struct audit_change lacks = {r->plan ? "plan" : "permission", SLICE_NONE, slice_of(r->lacks)};
    struct audit_row row = {.at = r->at,
                            .account = r->account,
                            .session = r->session,
                            .address = r->address,
                            .action = r->action,
                            .object_type = r->object_type[0] ? r->object_type : NULL,
                            .object_id = r->object,
                            .result = "denied",
                            .detail_json = audit_detail(a, &lacks, r->lacks[0] ? 1 : 0)};
    return audit_insert(tx, a, &row);
}

/* Of one tenant, in one transaction. */
static enum rc write_some(struct db *db, const struct refusal *r, size_t n)
{
    struct arena *a = arena_new(ARENA);
    const struct tenant_scope *scope = tenant_scope_of(a, principal_service(a, r->tenant_no));
    struct tx *tx;
    enum rc rc = scope ? tx_begin(db, NULL, a, quota_permit_service(a, scope), &tx) : RC_NOT_FOUND;

    if (rc == RC_OK) {
        for (size_t i = 0; rc == RC_OK && i < n; i++)
            rc = write_one(tx, a, &r[i]);
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    arena_free(&a);
    return rc;
}

static int by_tenant(const void *a, const void *b)
{
    const struct refusal *x = a, *y = b;

    if (x->tenant_no != y->tenant_no)
        return x->tenant_no < y->tenant_no ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void refusals_write(struct db *db)
{
    struct refusal *taken;
    size_t n;

    pthread_mutex_lock(&lock);
    taken = waiting;
    n = n_waiting;
    waiting = NULL;
    n_waiting = 0;
    pthread_mutex_unlock(&lock);
    if (n)
        qsort(taken, n, sizeof *taken, by_tenant);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && to - from < AT_ONCE && taken[to].tenant_no == taken[from].tenant_no;)
            to++;
        enum rc rc = write_some(db, taken + from, to - from);
        if (rc == RC_OK) {
            count_add(C_audit_refusals, (int64_t)(to - from));
            continue;
        }
        count_add(C_audit_refusals_dropped, (int64_t)(to - from));
        ev_warn(AREA_WORKER, "refusals could not be written to the audit", EV_INT("tenant", taken[from].tenant_no),
                EV_INT("count", (int64_t)(to - from)), EV_RC(rc));
    }
    free(taken);
}
