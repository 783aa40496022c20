/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.c - see tenant.h. Hashes and the CA's key are made before the transaction or cheap in it, so that the pool's
 * row is locked for some milliseconds only. */
#include "provision/tenant.h"
#include "common/event.h"
#include "domain/access.h"
#include "identity/enrolment_token.h"
#include "identity/password.h"
#include "identity/pki.h"
#include "provision/audit.h"
#include "provision/pool.h"
#include "store/account.h"
#include <stdio.h>
#include <time.h>

#define ERASE_TRIES 20

#define NAME(s)     SLICE_ARG(s)

static void detail(struct tenant_change *c, const char *text)
{
    if (c->n_details < CHANGES_MAX)
        c->details[c->n_details++] = text;
}

/* ---- plans */

static enum rc plan_unknown(struct owner *o, struct arena *a, struct slice id)
{
    struct rows r;
    struct strbuf b;
    enum rc rc = owner_statement(o, a, "Listing plans", SQL_plan_page, 0, NULL, &r);

    if (rc != RC_OK)
        return rc;
    strbuf_init_arena(&b, a, 400);
    for (int i = 0; i < r.n; i++)
        strbuf_printf(&b, "%s" SLICE_FMT, i ? ", " : "", SLICE_ARG(rows_slice(&r, i, 0)));
    return owner_fail(o, RC_NOT_FOUND,
                      "There is no plan " SLICE_FMT
                      "; there are: %s. Plans come with: sekishoctl apply -f tenants/plans",
                      NAME(id), r.n ? b.p : "none yet");
}

enum rc plan_load(struct owner *o, struct arena *a, struct slice id, struct plan_file *ret)
{
    struct provision_file f;
    struct sql_args args;
    struct rows r;
    char why[400];
    enum rc rc;

    args_init(&args, a);
    args_slice(&args, id);
    rc = owner_statement(o, a, "Reading the plan", SQL_plan_find, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        return plan_unknown(o, a, id);
    rc = file_parse(a, "control.plan", rows_slice(&r, 0, 0), &f, why, sizeof(why));
    if (rc != RC_OK || f.kind != FILE_PLAN)
        return owner_fail(o, RC_INTERNAL, "The stored plan " SLICE_FMT " is damaged: %s", NAME(id), why);
    *ret = f.u.plan;
    return RC_OK;
}

enum rc plan_store(struct owner *o, struct arena *a, const struct plan_file *p)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_slice(&args, p->id);
    args_int(&args, p->seats_min);
    if (p->seats_max)
        args_int(&args, p->seats_max);
    else
        args_null(&args);
    rc = owner_statement(o, a, "Looking for tenants of the plan", SQL_plan_misfits, 0, &args, &r);
    if (rc == RC_OK && r.n)
        return owner_fail(o, RC_CONFLICT,
                          "Plan " SLICE_FMT ": tenant " SLICE_FMT
                          " has %lld seats, which the plan would no longer allow",
                          NAME(p->id), SLICE_ARG(rows_slice(&r, 0, 0)), (long long)rows_int(&r, 0, 1));
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_slice(&args, p->id);
    args_slice(&args, p->body);
    args_time(&args, clock_now());
    rc = owner_begin(o);
    if (rc != RC_OK)
        return rc;
    rc = owner_statement(o, a, "Storing the plan", SQL_plan_upsert, 0, &args, NULL);
    if (rc == RC_OK)
        rc = owner_audit(o, a, "plan.apply", NULL, p->body);
    if (rc == RC_OK)
        return owner_commit(o);
    pg_rollback(o->pg);
    return rc;
}

/* ---- what a file asks for against what is allowed and there */

static enum rc check_host(struct owner *o, struct arena *a, struct slice host, struct slice id)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_slice(&args, host);
    rc = owner_statement(o, a, "Looking for the host name", SQL_provision_host_owner, 0, &args, &r);
    if (rc == RC_OK && r.n && !slice_eq(rows_slice(&r, 0, 0), id))
        return owner_fail(o, RC_CONFLICT, "The host name " SLICE_FMT " belongs to tenant " SLICE_FMT, NAME(host),
                          SLICE_ARG(rows_slice(&r, 0, 0)));
    return rc;
}

static enum rc check(struct owner *o, struct arena *a, const struct tenant_file *f, const struct plan_file *plan)
{
    struct sql_args args;
    enum rc rc;

    if (!plan_seats_fit(plan, f->seats, o->why, sizeof(o->why)))
        return RC_INVALID;
    if (!plan->multi_user && f->n_accounts > 1)
        return owner_fail(o, RC_INVALID, "Plan " SLICE_FMT " allows one account; %zu were asked for.", NAME(plan->id),
                          f->n_accounts);
    args_init(&args, a);
    args_slice(&args, f->time_zone);
    args_time(&args, clock_now());
    rc = owner_statement(o, a, "Looking for the time zone", SQL_provision_time_zone, 0, &args, NULL);
    if (rc == RC_INVALID)
        return owner_fail(o, rc, "There is no time zone " SLICE_FMT "; use a name such as Asia/Tokyo or Europe/Berlin.",
                          NAME(f->time_zone));
    for (size_t i = 0; rc == RC_OK && i < f->n_hosts; i++)
        rc = check_host(o, a, f->hosts[i], f->id);
    return rc;
}

static enum rc find(struct owner *o, struct arena *a, struct slice id, struct rows *ret)
{
    struct sql_args args;

    args_init(&args, a);
    args_slice(&args, id);
    return owner_statement(o, a, "Looking for the tenant", SQL_provision_tenant_find, 0, &args, ret);
}

static enum rc find_or_say(struct owner *o, struct arena *a, struct slice id, struct rows *ret)
{
    enum rc rc = find(o, a, id, ret);

    if (rc == RC_OK && ret->n == 0)
        return owner_fail(o, RC_NOT_FOUND, "There is no tenant " SLICE_FMT ".", NAME(id));
    return rc;
}

enum rc tenant_exists(struct owner *o, struct arena *a, struct slice id, bool *ret)
{
    struct rows r;
    enum rc rc = find(o, a, id, &r);

    if (rc == RC_OK)
        *ret = r.n > 0;
    return rc;
}

/* ---- the parts of a tenant */

static enum rc insert_group(struct owner *o, struct arena *a, int no, struct uuid parent, struct slice name,
                            const char *built_in, struct uuid *ret_id)
{
    struct sql_args args;

    *ret_id = uuid_new();
    args_init(&args, a);
    args_uuid(&args, *ret_id);
    args_uuid(&args, parent);
    args_slice(&args, name);
    args_str(&args, built_in);
    args_time(&args, clock_now());
    return owner_statement(o, a, "Making groups", SQL_group_insert, no, &args, NULL);
}

struct account_secret {
    struct slice password, hash;
};

static enum rc hash_accounts(struct owner *o, struct arena *a, size_t n, struct account_secret **ret)
{
    *ret = ARENA_ARRAY(a, struct account_secret, n + 1);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i].password = password_new(a);
        if (password_hash_random(a, (*ret)[i].password, &(*ret)[i].hash) != RC_OK)
            return owner_fail(o, RC_INTERNAL, "A password could not be hashed");
    }
    return RC_OK;
}

static enum rc insert_account(struct owner *o, struct arena *a, int no, const struct account_file *f,
                              const struct account_secret *n)
{
    struct uuid set = built_in_administrator();
    struct account_new row = {.id = uuid_new(),
                              .name = f->name,
                              .display_name = f->display_name,
                              .password_hash = n->hash,
                              .must_change = true,
                              .language = f->language,
                              .set_ids = &set,
                              .n_set_ids = 1};
    struct sql_args args;

    args_init(&args, a);
    account_insert_args(&args, &row, clock_now());
    return owner_statement(o, a, "Making accounts", SQL_account_insert, no, &args, NULL);
}

static enum rc insert_token(struct owner *o, struct arena *a, int no, const struct token_file *f, struct uuid group,
                            struct slice *ret_text)
{
    struct uuid id = uuid_new();
    struct sha256 hash;
    usec_t now = clock_now();
    struct sql_args args;
    enum rc rc;

    *ret_text = enrolment_token_new(a, id, &hash);
    args_init(&args, a);
    args_uuid(&args, id);
    args_slice(&args, f->name);
    args_bytes(&args, slice_mem(hash.b, sizeof(hash.b)));
    args_uuid(&args, group);
    args_time(&args, now);
    args_null(&args);
    args_str(&args, o->actor);
    args_time(&args, f->valid_days ? now + (usec_t)f->valid_days * 86400 * USEC_PER_SEC : 0);
    if (f->max_uses)
        args_int(&args, f->max_uses);
    else
        args_null(&args);
    rc = owner_statement(o, a, "Making enrolment tokens", SQL_enrolment_token_insert, no, &args, NULL);
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_uuid(&args, id);
    args_int(&args, no);
    return owner_statement(o, a, "Making enrolment tokens", SQL_enrolment_index_insert, 0, &args, NULL);
}

static enum rc set_hosts(struct owner *o, struct arena *a, int no, const struct tenant_file *f)
{
    struct sql_args args;
    enum rc rc;

    args_init(&args, a);
    args_int(&args, no);
    rc = owner_statement(o, a, "Setting host names", SQL_provision_host_clear, 0, &args, NULL);
    for (size_t i = 0; rc == RC_OK && i < f->n_hosts; i++) {
        args_init(&args, a);
        args_slice(&args, f->hosts[i]);
        args_int(&args, no);
        rc = owner_statement(o, a, "Setting host names", SQL_provision_host_insert, 0, &args, NULL);
    }
    return rc;
}

static enum rc make_ca(struct owner *o, struct arena *a, struct slice id, int no, struct pki_pair *ret)
{
    struct pki_pair root;
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_str(&args, PLATFORM_ROOT);
    rc = owner_statement(o, a, "Reading the platform's keys", SQL_platform_find, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    if (r.n == 0)
        return owner_fail(o, RC_NOT_FOUND, "The platform has no root CA yet; run sekishoctl bootstrap first");
    root = (struct pki_pair){rows_slice(&r, 0, 0), rows_bytes(&r, a, 0, 1)};
    rc = pki_tenant_ca_create(a, o->ring, &root, o->params->platform_domain, arena_cstr(a, id), no, ret);
    if (rc != RC_OK)
        return owner_fail(
            o, rc, "The tenant's CA could not be made: the platform's root key does not open with the keyring %s",
            o->params->keyring);
    return RC_OK;
}

static enum rc take(struct owner *o, struct arena *a, const struct tenant_file *f, int no)
{
    struct pki_pair ca;
    struct sql_args args;
    enum rc rc = make_ca(o, a, f->id, no, &ca);

    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_int(&args, no);
    args_slice(&args, f->id);
    args_slice(&args, f->name);
    args_slice(&args, f->plan);
    args_int(&args, f->seats);
    args_slice(&args, f->time_zone);
    args_slice(&args, f->language);
    args_slice(&args, ca.public);
    args_bytes(&args, ca.sealed);
    args_time(&args, clock_now());
    rc = owner_statement(o, a, "Taking a schema", SQL_pool_take, 0, &args, NULL);
    if (rc == RC_CONFLICT)
        return owner_fail(o, rc, "There is a tenant " SLICE_FMT " already.", NAME(f->id));
    return rc;
}

static enum rc furnish(struct owner *o, struct arena *a, const struct tenant_file *f,
                       const struct account_secret *accounts, int no, struct tenant_change *ret)
{
    struct uuid all, lost, *groups = ARENA_ARRAY(a, struct uuid, f->n_groups + 1);
    enum rc rc = insert_group(o, a, no, (struct uuid){0}, SLICE("group.all"), "all", &all);

    if (rc == RC_OK)
        rc = insert_group(o, a, no, all, SLICE("group.lost_and_found"), "lost_and_found", &lost);
    for (size_t i = 0; rc == RC_OK && i < f->n_groups; i++)
        rc = insert_group(o, a, no, all, f->groups[i], NULL, &groups[i]);
    for (size_t i = 0; rc == RC_OK && i < f->n_accounts; i++) {
        rc = insert_account(o, a, no, &f->accounts[i], &accounts[i]);
        ret->accounts[ret->n_accounts++] = (struct secret_made){f->accounts[i].name, accounts[i].password};
    }
    for (size_t i = 0; rc == RC_OK && i < f->n_tokens; i++) {
        struct uuid group = lost;

        for (size_t g = 0; g < f->n_groups; g++)
            if (f->tokens[i].group.p && slice_eq(f->groups[g], f->tokens[i].group))
                group = groups[g];
        rc = insert_token(o, a, no, &f->tokens[i], group, &ret->tokens[ret->n_tokens].secret);
        ret->tokens[ret->n_tokens++].name = f->tokens[i].name;
    }
    return rc == RC_OK ? set_hosts(o, a, no, f) : rc;
}

/* One attempt; RC_NOT_FOUND with an empty why: the pool has no schema. */
static enum rc create_once(struct owner *o, struct arena *a, const struct tenant_file *f, const struct migrations *m,
                           const struct account_secret *accounts, struct tenant_change *ret)
{
    int slice;
    enum rc rc;

    o->why[0] = 0;
    ret->n_accounts = ret->n_tokens = 0;
    rc = owner_begin(o);
    if (rc != RC_OK)
        return rc;
    rc = pool_pick(o, a, m, &ret->no, &slice);
    if (rc == RC_OK)
        rc = take(o, a, f, ret->no);
    if (rc == RC_OK)
        rc = furnish(o, a, f, accounts, ret->no, ret);
    if (rc == RC_OK)
        rc = owner_audit(o, a, "tenant.create", arena_cstr(a, f->id), SLICE_NONE);
    if (rc == RC_OK)
        rc = audit_operator(
            o, a, ret->no,
            &(struct audit_row){.action = "tenant.create", .object_type = "tenant", .object_name = f->id});
    if (rc == RC_OK)
        return owner_commit(o);
    pg_rollback(o->pg);
    return rc;
}

enum rc tenant_create(struct owner *o, struct arena *a, const struct tenant_file *f, const struct plan_file *plan,
                      bool dry, struct tenant_change *ret)
{
    struct migrations m;
    struct account_secret *accounts;
    bool there = false;
    int made;
    enum rc rc;

    *ret = (struct tenant_change){.action = "created", .id = f->id, .from_pool = true};
    ret->accounts = ARENA_ARRAY(a, struct secret_made, f->n_accounts + 1);
    ret->tokens = ARENA_ARRAY(a, struct secret_made, f->n_tokens + 1);
    rc = check(o, a, f, plan);
    if (rc == RC_OK)
        rc = tenant_exists(o, a, f->id, &there);
    if (rc == RC_OK && there)
        return owner_fail(o, RC_CONFLICT, "There is a tenant " SLICE_FMT " already.", NAME(f->id));
    if (rc != RC_OK || dry)
        return rc;
    rc = owner_keyring(o);
    if (rc == RC_OK)
        rc = migrations_read(o, a, "tenant", &m);
    if (rc == RC_OK)
        rc = hash_accounts(o, a, f->n_accounts, &accounts);
    if (rc != RC_OK)
        return rc;
    for (int i = 0; i < 3; i++) {
        rc = create_once(o, a, f, &m, accounts, ret);
        if (rc != RC_NOT_FOUND || o->why[0])
            break;
        ret->from_pool = false;
        rc = pool_fill(o, 1, &made);
        if (rc != RC_OK)
            break;
    }
    if (rc == RC_OK)
        ev_info(AREA_STORE, "tenant created", EV_SLICE("tenant", f->id), EV_INT("no", ret->no));
    return rc;
}

/* ---- updating */

static void say_field(struct arena *a, struct tenant_change *c, const char *name, struct slice from, struct slice to)
{
    if (!slice_eq(from, to))
        detail(c, arena_printf(a, "%s " SLICE_FMT " -> " SLICE_FMT, name, SLICE_ARG(from), SLICE_ARG(to)));
}

static bool same_hosts(struct slice *old, size_t n, const struct tenant_file *f)
{
    size_t found = 0;

    for (size_t i = 0; i < f->n_hosts; i++)
        for (size_t j = 0; j < n; j++)
            found += slice_eq(f->hosts[i], old[j]);
    return found == n && n == f->n_hosts;
}

static bool named(const struct rows *r, int column, struct slice name, int *ret_row)
{
    for (int i = 0; i < r->n; i++)
        if (slice_ieq(rows_slice(r, i, column), name)) {
            *ret_row = i;
            return true;
        }
    return false;
}

struct update {
    struct owner *o;
    struct arena *a;
    const struct tenant_file *f;
    int no;
    bool dry;
    struct tenant_change *ret;
};

static enum rc update_row(struct update *u, const struct rows *r)
{
    const struct tenant_file *f = u->f;
    struct arena *a = u->a;
    size_t before = u->ret->n_details;
    struct slice *hosts;
    size_t n = rows_array(r, a, 0, 14, &hosts);
    bool hosts_differ = !same_hosts(hosts, n, f);
    struct sql_args args;
    enum rc rc = RC_OK;

    say_field(a, u->ret, "name", rows_slice(r, 0, 2), f->name);
    say_field(a, u->ret, "plan", rows_slice(r, 0, 4), f->plan);
    say_field(a, u->ret, "seats", rows_slice(r, 0, 5), slice_of(arena_printf(a, "%d", f->seats)));
    say_field(a, u->ret, "time zone", rows_slice(r, 0, 6), f->time_zone);
    say_field(a, u->ret, "language", rows_slice(r, 0, 7), f->language);
    if (u->ret->n_details > before && !u->dry) {
        args_init(&args, a);
        args_int(&args, u->no);
        args_slice(&args, f->name);
        args_slice(&args, f->plan);
        args_int(&args, f->seats);
        args_slice(&args, f->time_zone);
        args_slice(&args, f->language);
        args_time(&args, clock_now());
        rc = owner_statement(u->o, a, "Changing the tenant", SQL_provision_tenant_update, 0, &args, NULL);
    }
    if (hosts_differ)
        detail(u->ret, "host names");
    if (hosts_differ && !u->dry && rc == RC_OK)
        rc = set_hosts(u->o, a, u->no, f);
    return rc;
}

static enum rc update_groups(struct update *u, struct rows *ret)
{
    struct uuid all = {0};
    struct uuid made;
    int row;
    enum rc rc = owner_statement(u->o, u->a, "Reading groups", SQL_provision_groups, u->no, NULL, ret);

    if (rc != RC_OK)
        return rc;
    for (int i = 0; i < ret->n; i++)
        if (slice_eq(rows_slice(ret, i, 2), SLICE("all")))
            all = rows_uuid(ret, i, 0);
    for (size_t i = 0; rc == RC_OK && i < u->f->n_groups; i++) {
        if (named(ret, 1, u->f->groups[i], &row))
            continue;
        detail(u->ret, arena_printf(u->a, "group " SLICE_FMT " added", NAME(u->f->groups[i])));
        if (!u->dry)
            rc = insert_group(u->o, u->a, u->no, all, u->f->groups[i], NULL, &made);
    }
    return rc == RC_OK && !u->dry
               ? owner_statement(u->o, u->a, "Reading groups", SQL_provision_groups, u->no, NULL, ret)
               : rc;
}

static enum rc add_account(struct update *u, const struct account_file *f)
{
    struct account_secret *n;
    enum rc rc;

    detail(u->ret, arena_printf(u->a, "account " SLICE_FMT " added", NAME(f->name)));
    if (u->dry)
        return RC_OK;
    rc = hash_accounts(u->o, u->a, 1, &n);
    if (rc == RC_OK)
        rc = insert_account(u->o, u->a, u->no, f, n);
    u->ret->accounts[u->ret->n_accounts++] = (struct secret_made){f->name, n->password};
    return rc;
}

static enum rc update_accounts(struct update *u)
{
    struct sql_args args;
    struct rows r;
    enum rc rc = owner_statement(u->o, u->a, "Reading accounts", SQL_provision_accounts, u->no, NULL, &r);

    for (size_t i = 0; rc == RC_OK && i < u->f->n_accounts; i++) {
        const struct account_file *f = &u->f->accounts[i];
        int row;

        if (!named(&r, 1, f->name, &row)) {
            rc = add_account(u, f);
        } else if (!slice_eq(rows_slice(&r, row, 2), f->display_name)) {
            detail(u->ret, arena_printf(u->a, "account " SLICE_FMT ": display name", NAME(f->name)));
            args_init(&args, u->a);
            args_uuid(&args, rows_uuid(&r, row, 0));
            args_slice(&args, f->display_name);
            if (!u->dry)
                rc = owner_statement(u->o, u->a, "Changing accounts", SQL_provision_account_update, u->no, &args, NULL);
        }
    }
    return rc;
}

static enum rc group_by_name(struct owner *o, const struct rows *groups, struct slice name, struct uuid *ret)
{
    int row;

    if (!name.p) {
        for (int i = 0; i < groups->n; i++)
            if (slice_eq(rows_slice(groups, i, 2), SLICE("lost_and_found")))
                *ret = rows_uuid(groups, i, 0);
        return RC_OK;
    }
    if (!named(groups, 1, name, &row))
        return owner_fail(o, RC_NOT_FOUND, "There is no group " SLICE_FMT ".", NAME(name));
    *ret = rows_uuid(groups, row, 0);
    return RC_OK;
}

static enum rc update_tokens(struct update *u, const struct rows *groups)
{
    struct rows r;
    enum rc rc = owner_statement(u->o, u->a, "Reading enrolment tokens", SQL_provision_tokens, u->no, NULL, &r);

    for (size_t i = 0; rc == RC_OK && i < u->f->n_tokens; i++) {
        const struct token_file *f = &u->f->tokens[i];
        struct uuid group;
        int row;

        if (named(&r, 1, f->name, &row))
            continue;
        detail(u->ret, arena_printf(u->a, "enrolment token " SLICE_FMT " added", NAME(f->name)));
        if (u->dry)
            continue;
        rc = group_by_name(u->o, groups, f->group, &group);
        if (rc == RC_OK)
            rc = insert_token(u->o, u->a, u->no, f, group, &u->ret->tokens[u->ret->n_tokens].secret);
        u->ret->tokens[u->ret->n_tokens++].name = f->name;
    }
    return rc;
}

static enum rc note_update(const struct update *u)
{
    struct audit_change said[CHANGES_MAX];

    for (size_t i = 0; i < u->ret->n_details; i++)
        said[i] = (struct audit_change){"detail", SLICE_NONE, slice_of(u->ret->details[i])};
    return audit_operator(u->o, u->a, u->no,
                          &(struct audit_row){.action = "tenant.update",
                                              .object_type = "tenant",
                                              .object_name = u->f->id,
                                              .detail_json = audit_detail(u->a, said, u->ret->n_details)});
}

/* Runs the parts in one transaction, which is rolled back when nothing differs or it is only a trial. */
static enum rc update_in(struct update *u)
{
    struct rows r, groups;
    struct sql_args args;
    enum rc rc;

    args_init(&args, u->a);
    args_int(&args, u->no);
    rc = owner_statement(u->o, u->a, "Locking the tenant", SQL_provision_tenant_lock, 0, &args, NULL);
    if (rc == RC_OK)
        rc = find_or_say(u->o, u->a, u->f->id, &r);
    if (rc == RC_OK)
        rc = update_row(u, &r);
    if (rc == RC_OK)
        rc = update_groups(u, &groups);
    if (rc == RC_OK)
        rc = update_accounts(u);
    if (rc == RC_OK)
        rc = update_tokens(u, &groups);
    if (rc == RC_OK && u->ret->n_details && !u->dry) {
        rc = owner_audit(u->o, u->a, "tenant.update", arena_cstr(u->a, u->f->id), SLICE_NONE);
        if (rc == RC_OK)
            rc = note_update(u);
        if (rc == RC_OK)
            return owner_commit(u->o);
    }
    pg_rollback(u->o->pg);
    return rc;
}

enum rc tenant_update(struct owner *o, struct arena *a, const struct tenant_file *f, const struct plan_file *plan,
                      bool dry, struct tenant_change *ret)
{
    struct update u = {.o = o, .a = a, .f = f, .dry = dry, .ret = ret};
    struct rows r;
    enum rc rc;

    *ret = (struct tenant_change){.id = f->id};
    ret->accounts = ARENA_ARRAY(a, struct secret_made, f->n_accounts + 1);
    ret->tokens = ARENA_ARRAY(a, struct secret_made, f->n_tokens + 1);
    rc = check(o, a, f, plan);
    if (rc == RC_OK)
        rc = find_or_say(o, a, f->id, &r);
    if (rc != RC_OK)
        return rc;
    if (slice_eq(rows_slice(&r, 0, 3), SLICE("erasing")))
        return owner_fail(o, RC_CONFLICT, "Tenant " SLICE_FMT " is being erased.", NAME(f->id));
    u.no = ret->no = (int)rows_int(&r, 0, 0);
    rc = owner_begin(o);
    if (rc == RC_OK)
        rc = update_in(&u);
    ret->action = ret->n_details ? "updated" : "unchanged";
    return rc;
}

/* ---- looking */

static void read_info(const struct rows *r, struct arena *a, struct tenant_info *t)
{
    *t = (struct tenant_info){
        .no = (int)rows_int(r, 0, 0),
        .id = rows_slice(r, 0, 1),
        .name = rows_slice(r, 0, 2),
        .status = rows_slice(r, 0, 3),
        .plan = rows_slice(r, 0, 4),
        .seats = (int)rows_int(r, 0, 5),
        .time_zone = rows_slice(r, 0, 6),
        .language = rows_slice(r, 0, 7),
        .slice = (int)rows_int(r, 0, 8),
        .suspended_reason = rows_slice(r, 0, 9),
        .schema_version = (int)rows_int(r, 0, 10),
        .created_at = rows_time(r, 0, 11),
        .changed_at = rows_time(r, 0, 12),
        .over_seats_since = rows_time(r, 0, 13),
    };
    t->n_hosts = rows_array(r, a, 0, 14, &t->hosts);
}

enum rc tenant_list(struct owner *o, struct arena *a, struct tenant_info **ret, size_t *ret_n)
{
    struct rows r;
    enum rc rc = owner_statement(o, a, "Listing tenants", SQL_provision_tenant_page, 0, NULL, &r);

    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct tenant_info, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        (*ret)[i] = (struct tenant_info){
            .no = (int)rows_int(&r, i, 0),
            .id = rows_slice(&r, i, 1),
            .name = rows_slice(&r, i, 2),
            .status = rows_slice(&r, i, 3),
            .plan = rows_slice(&r, i, 4),
            .seats = (int)rows_int(&r, i, 5),
            .slice = (int)rows_int(&r, i, 6),
            .schema_version = (int)rows_int(&r, i, 7),
            .created_at = rows_time(&r, i, 8),
        };
    return RC_OK;
}

enum rc tenant_show(struct owner *o, struct arena *a, struct slice id, struct tenant_info *ret)
{
    struct rows r;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc != RC_OK)
        return rc;
    read_info(&r, a, ret);
    if (slice_eq(ret->status, SLICE("erasing")))
        return RC_OK; /* its schema may be gone already */
    rc = owner_statement(o, a, "Counting devices", SQL_enrolment_seats, ret->no, NULL, &r);
    if (rc != RC_OK)
        return rc;
    ret->devices = rows_int(&r, 0, 0);
    rc = owner_statement(o, a, "Listing accounts", SQL_provision_accounts, ret->no, NULL, &r);
    if (rc != RC_OK)
        return rc;
    ret->accounts = ARENA_ARRAY(a, struct slice, r.n + 1);
    ret->n_accounts = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        ret->accounts[i] = rows_slice(&r, i, 1);
    return RC_OK;
}

/* ---- status */

static enum rc set_status(struct owner *o, struct arena *a, struct slice id, int no, const char *status,
                          struct slice reason, const char *action)
{
    struct sql_args args;
    struct strbuf b;
    struct json_writer w;
    enum rc rc = owner_begin(o);

    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_int(&args, no);
    args_str(&args, status);
    args_slice(&args, reason);
    args_time(&args, clock_now());
    rc = owner_statement(o, a, "Changing the status", SQL_provision_tenant_status, 0, &args, NULL);
    strbuf_init_arena(&b, a, 2048);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "reason");
    json_str(&w, reason);
    json_object_close(&w);
    if (rc == RC_OK)
        rc = owner_audit(o, a, action, arena_cstr(a, id), strbuf_slice(&b));
    struct audit_change why = {"reason", SLICE_NONE, reason};
    if (rc == RC_OK)
        rc = audit_operator(o, a, no,
                            &(struct audit_row){.action = action,
                                                .object_type = "tenant",
                                                .object_name = id,
                                                .detail_json = audit_detail(a, &why, reason.n ? 1 : 0)});
    if (rc == RC_OK)
        return owner_commit(o);
    pg_rollback(o->pg);
    return rc;
}

enum rc tenant_suspend(struct owner *o, struct arena *a, struct slice id, struct slice reason)
{
    struct rows r;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc != RC_OK)
        return rc;
    if (slice_eq(rows_slice(&r, 0, 3), SLICE("erasing")))
        return owner_fail(o, RC_CONFLICT, "Tenant " SLICE_FMT " is being erased.", NAME(id));
    if (reason.n == 0 || reason.n > 200 || !slice_utf8(reason))
        return owner_fail(o, RC_INVALID,
                          "The reason must have 1 to 200 bytes; people of the tenant read it at sign-in.");
    return set_status(o, a, id, (int)rows_int(&r, 0, 0), "suspended", reason, "tenant.suspend");
}

enum rc tenant_resume(struct owner *o, struct arena *a, struct slice id)
{
    struct rows r;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc != RC_OK)
        return rc;
    if (slice_eq(rows_slice(&r, 0, 3), SLICE("erasing")))
        return owner_fail(o, RC_CONFLICT, "Tenant " SLICE_FMT " is being erased; that cannot be undone.", NAME(id));
    if (slice_eq(rows_slice(&r, 0, 3), SLICE("active")))
        return RC_OK;
    return set_status(o, a, id, (int)rows_int(&r, 0, 0), "active", SLICE(""), "tenant.resume");
}

/* ---- erasing */

/* In a transaction of its own: a schema has some hundred locks. Open transactions of the tenant are waited for, not
 * cut. */
static enum rc drop(struct owner *o, struct arena *a, int no)
{
    enum rc rc = RC_UNAVAILABLE;

    for (int i = 0; i < ERASE_TRIES && rc == RC_UNAVAILABLE; i++) {
        struct timespec pause = {0, 250000000L};

        if (i)
            nanosleep(&pause, NULL);
        rc = owner_run(o, a, "Dropping the schema", arena_printf(a, "DROP SCHEMA IF EXISTS t_%d CASCADE", no));
    }
    if (rc == RC_OK)
        rc = owner_run(o, a, "Dropping the role", arena_printf(a, "DROP ROLE IF EXISTS t_%d", no));
    return rc;
}

static enum rc note_erased(struct owner *o, struct arena *a, struct slice id, int no)
{
    static const enum sql_id clear[] = {SQL_provision_host_clear, SQL_provision_tenant_erase_index,
                                        SQL_provision_tenant_erase_versions};
    struct sql_args args;
    enum rc rc = owner_begin(o);

    for (size_t i = 0; rc == RC_OK && i < sizeof(clear) / sizeof(clear[0]); i++) {
        args_init(&args, a);
        args_int(&args, no);
        rc = owner_statement(o, a, "Clearing control", clear[i], 0, &args, NULL);
    }
    if (rc == RC_OK) {
        args_init(&args, a);
        args_int(&args, no);
        args_time(&args, clock_now());
        rc = owner_statement(o, a, "Destroying the key", SQL_provision_tenant_erased, 0, &args, NULL);
    }
    if (rc == RC_OK)
        rc = owner_audit(o, a, "tenant.erase", arena_cstr(a, id), SLICE_NONE);
    if (rc == RC_OK)
        return owner_commit(o);
    pg_rollback(o->pg);
    return rc;
}

enum rc tenant_erase(struct owner *o, struct arena *a, struct slice id)
{
    struct rows r;
    int no;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc != RC_OK)
        return rc;
    no = (int)rows_int(&r, 0, 0);
    rc = owner_lock(o, OWNER_LOCK_PROVISION);
    if (rc != RC_OK)
        return rc;
    if (!slice_eq(rows_slice(&r, 0, 3), SLICE("erasing")))
        rc = set_status(o, a, id, no, "erasing", SLICE(""), "tenant.erase_begin");
    if (rc == RC_OK)
        rc = drop(o, a, no);
    if (rc == RC_OK)
        rc = note_erased(o, a, id, no);
    owner_unlock(o, OWNER_LOCK_PROVISION);
    if (rc == RC_OK)
        ev_info(AREA_STORE, "tenant erased", EV_SLICE("tenant", id), EV_INT("no", no));
    return rc;
}

/* ---- tokens and passwords */

enum rc tenant_token_create(struct owner *o, struct arena *a, struct slice id, const struct token_file *t,
                            struct slice *ret_token)
{
    struct rows r, groups;
    struct uuid group = {0};
    int no;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc != RC_OK)
        return rc;
    no = (int)rows_int(&r, 0, 0);
    rc = owner_statement(o, a, "Reading groups", SQL_provision_groups, no, NULL, &groups);
    if (rc == RC_OK)
        rc = group_by_name(o, &groups, t->group, &group);
    if (rc == RC_OK)
        rc = owner_begin(o);
    if (rc != RC_OK)
        return rc;
    rc = insert_token(o, a, no, t, group, ret_token);
    if (rc == RC_OK)
        rc = owner_audit(o, a, "token.create", arena_cstr(a, id), SLICE_NONE);
    if (rc == RC_OK)
        rc = audit_operator(o, a, no,
                            &(struct audit_row){.action = "enrolment_token.create",
                                                .object_type = "enrolment_token",
                                                .object_name = t->name,
                                                .group = group});
    if (rc == RC_OK)
        return owner_commit(o);
    pg_rollback(o->pg);
    return rc;
}

static enum rc set_password(struct owner *o, struct arena *a, int no, struct slice account, struct slice hash)
{
    struct sql_args args;
    struct rows r;
    enum rc rc;

    args_init(&args, a);
    args_slice(&args, account);
    args_slice(&args, hash);
    rc = owner_statement(o, a, "Setting the password", SQL_provision_account_password, no, &args, &r);
    if (rc == RC_OK && rows_affected(&r) == 0)
        return owner_fail(o, RC_NOT_FOUND, "There is no account " SLICE_FMT ".", NAME(account));
    if (rc != RC_OK)
        return rc;
    args_init(&args, a);
    args_slice(&args, account);
    args_time(&args, clock_now());
    return owner_statement(o, a, "Ending sessions", SQL_provision_account_sessions_end, no, &args, NULL);
}

enum rc tenant_password_reset(struct owner *o, struct arena *a, struct slice id, struct slice account,
                              struct slice *ret_password)
{
    struct account_secret *n;
    struct rows r;
    enum rc rc = find_or_say(o, a, id, &r);

    if (rc == RC_OK)
        rc = hash_accounts(o, a, 1, &n);
    if (rc == RC_OK)
        rc = owner_begin(o);
    if (rc != RC_OK)
        return rc;
    rc = set_password(o, a, (int)rows_int(&r, 0, 0), account, n->hash);
    if (rc == RC_OK)
        rc = owner_audit(o, a, "password.reset", arena_cstr(a, id), SLICE_NONE);
    if (rc == RC_OK)
        rc = audit_operator(
            o, a, (int)rows_int(&r, 0, 0),
            &(struct audit_row){.action = "user.password_reset", .object_type = "user", .object_name = account});
    if (rc == RC_OK)
        rc = owner_commit(o);
    else
        pg_rollback(o->pg);
    if (rc == RC_OK)
        *ret_password = n->password;
    return rc;
}
