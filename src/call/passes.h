/* SPDX-License-Identifier: Apache-2.0 */
/* passes.h - the typed passes a call collects. Opaque: only a stage's own maker (call/make_*.h, included by that stage
 * alone; ops/lint checks) can make one, and the next stage cannot begin without it:
 *   identity/ -> struct principal -> tenant/ -> struct tenant_scope -> quota/ -> struct permit -> store/ -> struct tx.
 * Passes live in the call's arena, or, for background work, in the job's. */
#ifndef SEKISHO_PASSES_H
#define SEKISHO_PASSES_H

#include "call/permission.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/id.h"

/* ---- who */
enum principal_kind {
    PRINCIPAL_ANONYMOUS, /* routes without authentication; names no tenant */
    PRINCIPAL_USER,
    PRINCIPAL_DEVICE,
    PRINCIPAL_SERVICE /* our own background work on behalf of one tenant */
};
struct principal;
enum principal_kind principal_kind(const struct principal *p);
int principal_tenant_no(const struct principal *p);       /* 0 for anonymous */
struct uuid principal_subject(const struct principal *p); /* account or device */
struct uuid principal_session(const struct principal *p); /* users */
struct slice principal_name(const struct principal *p);   /* sign-in name of users; empty for others */
usec_t principal_expires(const struct principal *p);      /* of the token or certificate */
bool principal_must_change_password(const struct principal *p);
bool principal_may(const struct principal *p, const char *permission); /* on at least one group */
const struct access *principal_access(const struct principal *p);      /* of users */

/* ---- what a plan may include: names as in plan files and in the contract's x-entitlement */
#define ENTITLEMENTS(X) \
    X(android) X(ios) X(notifications) X(scheduled_reports) X(multi_user) X(audit_screen) X(tenant_backup)
enum entitlement {
#define X(name) ENTITLEMENT_##name,
    ENTITLEMENTS(X)
#undef X
        ENTITLEMENT_COUNT
};
#define ENTITLED(name) (1U << ENTITLEMENT_##name)

/* ---- for whom: a tenant of the immutable snapshot */
enum tenant_status { TENANT_POOLED, TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_ERASING };
struct tenant { /* read-only; lives as long as its snapshot, which a scope keeps */
    int no;     /* also in the schema's and role's name: t_<no> */
    int slice;
    char id[41]; /* "acme" */
    char name[201];
    char plan[41];
    char time_zone[65];
    char suspended_reason[201];
    enum tenant_status status;
    int seats;
    int min_interval;        /* seconds; floor of scheduled check-ins */
    int api_rate;            /* requests a minute and session */
    uint32_t entitlements;   /* ENTITLED() bits */
    usec_t over_seats_since; /* 0: within */
    char *ca_pem;            /* the tenant's intermediate */
    uint8_t *ca_der;
    size_t ca_der_n;
};
struct tenant_scope;
const struct tenant *scope_tenant(const struct tenant_scope *s);

/* ---- how much */
struct permit;
const struct tenant_scope *permit_scope(const struct permit *p);

#endif
