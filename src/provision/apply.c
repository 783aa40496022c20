/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - see apply.h. A plan that comes with the same call counts already when tenants are checked, so that a trial
 * of a whole folder tells the truth. */
#include "provision/apply.h"
#include <stdio.h>
#include <stdlib.h>

struct set {
    struct provision_file *files;
    size_t n;
};

static int by_kind(const void *a, const void *b)
{
    const struct provision_file *x = a, *y = b;

    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->path, y->path);
}

static struct slice id_of(const struct provision_file *f)
{
    return f->kind == FILE_PLAN ? f->u.plan.id : f->u.tenant.id;
}

static enum rc collect(struct owner *o, struct arena *a, const char *const *paths, size_t n_paths, struct set *s)
{
    for (size_t i = 0; i < n_paths; i++) {
        struct provision_file *some;
        size_t n;
        enum rc rc = file_collect(a, paths[i], &some, &n, o->why, sizeof(o->why));

        if (rc != RC_OK)
            return rc;
        s->files = arena_realloc(a, s->files, s->n * sizeof(*some), (s->n + n) * sizeof(*some));
        memcpy(s->files + s->n, some, n * sizeof(*some));
        s->n += n;
    }
    qsort(s->files, s->n, sizeof(*s->files), by_kind);
    for (size_t i = 1; i < s->n; i++)
        for (size_t j = 0; j < i; j++)
            if (s->files[i].kind == s->files[j].kind && slice_eq(id_of(&s->files[i]), id_of(&s->files[j])))
                return owner_fail(o, RC_INVALID, "%s: id: " SLICE_FMT " is also in %s.", s->files[i].path,
                                  SLICE_ARG(id_of(&s->files[i])), s->files[j].path);
    return RC_OK;
}

static enum rc find_plan(struct owner *o, struct arena *a, const struct set *s, struct slice id, struct plan_file *ret)
{
    for (size_t i = 0; i < s->n && s->files[i].kind == FILE_PLAN; i++)
        if (slice_eq(s->files[i].u.plan.id, id)) {
            *ret = s->files[i].u.plan;
            return RC_OK;
        }
    return plan_load(o, a, id, ret);
}

/* jsonb has no order of keys; both sides are compared in one canonical form. */
static bool same_json(struct arena *a, struct slice x, struct slice y)
{
    struct json_error e;
    json_t *v = json_parse(a, x, JSON_LIMITS_DEFAULT, &e);
    json_t *w = json_parse(a, y, JSON_LIMITS_DEFAULT, &e);

    return v && w && json_equal(v, w);
}

static enum rc apply_plan(struct owner *o, struct arena *a, const struct plan_file *p, bool dry,
                          struct tenant_change *ret)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    *ret = (struct tenant_change){.id = p->id};
    args_init(&args, a);
    args_slice(&args, p->id);
    rc = owner_statement(o, a, "Reading the plan", SQL_plan_find, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    ret->action = r.n == 0 ? "created" : same_json(a, rows_slice(&r, 0, 0), p->body) ? "unchanged" : "updated";
    return dry || strcmp(ret->action, "unchanged") == 0 ? RC_OK : plan_store(o, a, p);
}

static enum rc apply_one(struct owner *o, struct arena *a, const struct set *s, const struct provision_file *f,
                         bool dry, struct tenant_change *ret)
{
    struct plan_file plan;
    bool there;
    enum rc rc;

    if (f->kind == FILE_PLAN)
        return apply_plan(o, a, &f->u.plan, dry, ret);
    rc = find_plan(o, a, s, f->u.tenant.plan, &plan);
    if (rc == RC_OK)
        rc = tenant_exists(o, a, f->u.tenant.id, &there);
    if (rc != RC_OK)
        return rc;
    return there ? tenant_update(o, a, &f->u.tenant, &plan, dry, ret)
                 : tenant_create(o, a, &f->u.tenant, &plan, dry, ret);
}

enum rc apply_paths(struct owner *o, struct arena *a, const char *const *paths, size_t n_paths, bool dry,
                    struct applied **ret, size_t *ret_n)
{
    struct set s = {0};
    enum rc rc = collect(o, a, paths, n_paths, &s);

    *ret_n = 0;
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct applied, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        struct applied *x = &(*ret)[i];
        char why[sizeof(o->why)];

        x->kind = s.files[i].kind;
        x->path = s.files[i].path;
        rc = apply_one(o, a, &s, &s.files[i], dry, &x->change);
        if (rc != RC_OK) {
            snprintf(why, sizeof(why), "%s", o->why);
            return owner_fail(o, rc, "%s: %s", x->path, why);
        }
        (*ret_n)++;
    }
    return RC_OK;
}
