/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - principal -> scope of a tenant, on the loop thread; a look-up, no more. */
#include "call/call.h"
#include "call/make_scope.h"
#include "tenant/tenant.h"
#include <stdio.h>

static void release(void *snapshot)
{
    tenants_put(snapshot);
}

/* Takes over the reference on the snapshot. */
static const struct tenant_scope *named(struct arena *a, struct tenants *all, const struct tenant *t)
{
    if (!t) {
        tenants_put(all);
        return NULL;
    }
    return scope_make_named(a, t, release, all);
}

const struct tenant_scope *tenant_scope_of(struct arena *a, const struct principal *p)
{
    struct tenants *all = tenants_get();
    const struct tenant *t = tenants_by_no(all, principal_tenant_no(p));

    if (!t) {
        tenants_put(all);
        return NULL;
    }
    return scope_make(a, p, t, release, all);
}

const struct tenant_scope *tenant_scope_by_no(struct arena *a, int no)
{
    struct tenants *all = tenants_get();

    return named(a, all, tenants_by_no(all, no));
}

const struct tenant_scope *tenant_scope_by_id(struct arena *a, struct slice id)
{
    struct tenants *all = tenants_get();

    return named(a, all, tenants_by_id(all, id));
}

/* Before the first load nobody can say whether the tenant exists. */
static enum stage_result unknown(struct call *c)
{
    if (!tenant_ready())
        fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    else if (principal_kind(c->principal) == PRINCIPAL_DEVICE)
        fault(c, RC_DENIED, PROBLEM_certificate_unknown);
    else
        fault(c, RC_DENIED, PROBLEM_session_ended);
    return STAGE_DONE;
}

enum stage_result tenant_stage(struct call *c)
{
    const struct tenant *t;

    if (c->scope || principal_kind(c->principal) == PRINCIPAL_ANONYMOUS)
        return STAGE_NEXT;
    c->scope = tenant_scope_of(c->arena, c->principal);
    if (!c->scope)
        return unknown(c);
    t = scope_tenant(c->scope);
    if (t->status == TENANT_SUSPENDED && principal_kind(c->principal) == PRINCIPAL_USER) {
        fault_reason(c, RC_DENIED, PROBLEM_tenant_suspended, t->suspended_reason);
        return STAGE_DONE;
    }
    if (c->route->entitlement && !(t->entitlements & c->route->entitled)) {
        snprintf(c->fault.allowed, sizeof(c->fault.allowed), "%s", c->route->entitlement);
        fault(c, RC_DENIED, PROBLEM_plan_lacks);
        return STAGE_DONE;
    }
    return STAGE_NEXT;
}
