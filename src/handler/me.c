/* SPDX-License-Identifier: Apache-2.0 */
/* me.c - who is signed in, for which tenant, and what the plan includes. On a blocking worker. */
#include "handler/api.gen.h"
#include "store/account.h"
#include "store/enrolment.h"

static void permissions(struct call *c, struct api_me *ret)
{
    const char *names[FUNCTIONALITY_COUNT * 3];
    ret->n_permissions = rights_names(principal_access(c->principal)->may, names);
    ret->permissions = ARENA_ARRAY(c->arena, struct slice, ret->n_permissions + 1);
    for (size_t i = 0; i < ret->n_permissions; i++)
        ret->permissions[i] = slice_of(names[i]);
}

static void entitlements(struct call *c, const struct tenant *t, struct api_me *ret)
{
    static const char *const names[] = {
#define X(name) #name,
        ENTITLEMENTS(X)
#undef X
    };
    ret->entitlements = ARENA_ARRAY(c->arena, struct slice, ENTITLEMENT_COUNT);
    for (unsigned e = 0; e < ENTITLEMENT_COUNT; e++)
        if (t->entitlements >> e & 1)
            ret->entitlements[ret->n_entitlements++] = slice_of(names[e]);
}

static enum rc me(struct call *c, struct api_me *ret)
{
    const struct tenant *t = scope_tenant(c->scope);
    struct account_row a;
    enum rc rc = account_find(c->tx, c->arena, principal_subject(c->principal), &a);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_session_ended);
    if (rc != RC_OK)
        return rc;
    rc = enrolment_seats(c->tx, c->arena, &ret->seats_used);
    if (rc != RC_OK)
        return rc;
    ret->user_id = a.id;
    ret->name = a.name;
    ret->display_name = a.display_name;
    if (!api_language_parse(a.language, &ret->language))
        ret->language = API_LANGUAGE_JA;
    ret->tenant = slice_of(t->id);
    ret->tenant_name = slice_of(t->name);
    ret->plan = slice_of(t->plan);
    ret->seats = t->seats;
    ret->time_zone = slice_of(t->time_zone);
    ret->min_interval = t->min_interval;
    ret->two_factor = a.factor;
    ret->two_factor_required = a.factor_required;
    permissions(c, ret);
    entitlements(c, t, ret);
    return RC_OK;
}

enum rc api_me_show(struct call *c, struct api_me *ret)
{
    return me(c, ret);
}

enum rc api_me_update(struct call *c, const struct api_me_update_request *req, struct api_me *ret)
{
    struct account_row before;
    enum rc rc = account_find(c->tx, c->arena, principal_subject(c->principal), &before);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_session_ended);
    if (rc != RC_OK)
        return rc;
    audit_change(c, "language", before.language, slice_of(api_language_text(req->body.language)));
    c->audit = (struct audit_note){.object_type = "user", .object_id = before.id, .object_name = before.name};
    rc = account_set_language(c->tx, c->arena, principal_subject(c->principal), api_language_text(req->body.language));
    return rc == RC_OK ? me(c, ret) : rc;
}
