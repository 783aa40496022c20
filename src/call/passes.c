/* SPDX-License-Identifier: Apache-2.0 */
/* passes.c - bodies and makers of the typed passes. Immutable once made; memory of the call's or job's arena. */
#include "call/make_permit.h"
#include "call/make_principal.h"
#include "call/make_scope.h"
#include "common/must.h"

struct principal {
    enum principal_kind kind;
    int tenant_no;
    struct uuid subject;
    struct uuid session;
    struct slice name;
    struct access access;
    bool must_change_password;
    usec_t expires;
};

struct tenant_scope {
    const struct tenant *tenant;
};

struct permit {
    const struct tenant_scope *scope;
};

const struct principal *principal_anonymous(struct arena *a)
{
    struct principal *p = ARENA_NEW(a, struct principal);

    p->kind = PRINCIPAL_ANONYMOUS;
    return p;
}

const struct principal *principal_user(struct arena *a, int tenant_no, struct uuid account, struct uuid session,
                                       struct slice name, const struct access *access, bool must_change_password,
                                       usec_t expires)
{
    struct principal *p = ARENA_NEW(a, struct principal);

    must(tenant_no > 0);
    *p = (struct principal){.kind = PRINCIPAL_USER,
                            .tenant_no = tenant_no,
                            .subject = account,
                            .session = session,
                            .name = arena_copy(a, name),
                            .access = *access,
                            .must_change_password = must_change_password,
                            .expires = expires};
    return p;
}

const struct principal *principal_device(struct arena *a, int tenant_no, struct uuid device, usec_t certificate_expires)
{
    struct principal *p = ARENA_NEW(a, struct principal);

    must(tenant_no > 0);
    *p = (struct principal){
        .kind = PRINCIPAL_DEVICE, .tenant_no = tenant_no, .subject = device, .expires = certificate_expires};
    return p;
}

const struct principal *principal_service(struct arena *a, int tenant_no)
{
    struct principal *p = ARENA_NEW(a, struct principal);

    must(tenant_no > 0);
    *p = (struct principal){.kind = PRINCIPAL_SERVICE, .tenant_no = tenant_no};
    return p;
}

enum principal_kind principal_kind(const struct principal *p)
{
    return p->kind;
}

int principal_tenant_no(const struct principal *p)
{
    return p->tenant_no;
}

struct uuid principal_subject(const struct principal *p)
{
    return p->subject;
}

struct slice principal_name(const struct principal *p)
{
    return p->name;
}

struct uuid principal_session(const struct principal *p)
{
    return p->session;
}

usec_t principal_expires(const struct principal *p)
{
    return p->expires;
}

bool principal_must_change_password(const struct principal *p)
{
    return p->must_change_password;
}

bool principal_may(const struct principal *p, const char *permission)
{
    if (p->kind == PRINCIPAL_SERVICE)
        return true;
    return p->kind == PRINCIPAL_USER && p->access.may & rights_named(permission);
}

const struct access *principal_access(const struct principal *p)
{
    return &p->access;
}

static const struct tenant_scope *make_scope(struct arena *a, const struct tenant *t, void (*release)(void *),
                                             void *snapshot)
{
    struct tenant_scope *s = ARENA_NEW(a, struct tenant_scope);

    s->tenant = t;
    if (release)
        arena_defer(a, release, snapshot);
    return s;
}

const struct tenant_scope *scope_make(struct arena *a, const struct principal *p, const struct tenant *t,
                                      void (*release)(void *), void *snapshot)
{
    must(principal_tenant_no(p) == t->no);
    return make_scope(a, t, release, snapshot);
}

const struct tenant_scope *scope_make_named(struct arena *a, const struct tenant *t, void (*release)(void *),
                                            void *snapshot)
{
    return make_scope(a, t, release, snapshot);
}

const struct tenant *scope_tenant(const struct tenant_scope *s)
{
    return s->tenant;
}

const struct permit *permit_make(struct arena *a, const struct tenant_scope *s)
{
    struct permit *p = ARENA_NEW(a, struct permit);

    must(s != NULL);
    p->scope = s;
    return p;
}

const struct tenant_scope *permit_scope(const struct permit *p)
{
    return p->scope;
}
