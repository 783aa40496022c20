/* SPDX-License-Identifier: Apache-2.0 */
/* tenant_verbs.c - sekishoctl tenant, plan, token, password, apply: what has to do with single tenants. */
#include "ctl/ctl.h"
#include "provision/apply.h"
#include "provision/pool.h"
#include <stdio.h>

/* ---- changes */

static void put_secrets(struct ctl *c, const char *key, const char *name, const struct secret_made *s, size_t n)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    json_array_open(&c->w);
    for (size_t i = 0; i < n; i++) {
        json_object_open(&c->w);
        json_key(&c->w, "name");
        json_str(&c->w, s[i].name);
        json_key(&c->w, name);
        json_str(&c->w, s[i].secret);
        json_object_close(&c->w);
    }
    json_array_close(&c->w);
}

static void put_details(struct ctl *c, const struct tenant_change *x)
{
    if (!c->json)
        return;
    json_key(&c->w, "details");
    json_array_open(&c->w);
    for (size_t i = 0; i < x->n_details; i++)
        json_str(&c->w, slice_of(x->details[i]));
    json_array_close(&c->w);
}

/* Fields of an open object, or lines. */
static void show_change(struct ctl *c, const char *kind, const struct tenant_change *x, bool dry)
{
    ctl_put(c, "kind", slice_of(kind));
    ctl_put(c, "id", x->id);
    ctl_put(c, "action", slice_of(x->action));
    ctl_put_bool(c, "dry_run", dry);
    ctl_say(c, "%s " SLICE_FMT " %s%s", kind, SLICE_ARG(x->id),
            dry && strcmp(x->action, "unchanged") != 0 ? "would be " : "", x->action);
    if (strcmp(kind, "tenant") != 0)
        return;
    ctl_put_int(c, "no", x->no);
    ctl_put_bool(c, "from_pool", x->from_pool);
    put_details(c, x);
    put_secrets(c, "accounts", "password", x->accounts, x->n_accounts);
    put_secrets(c, "enrolment_tokens", "token", x->tokens, x->n_tokens);
    for (size_t i = 0; i < x->n_details; i++)
        ctl_say(c, "  %s", x->details[i]);
    for (size_t i = 0; i < x->n_accounts; i++)
        ctl_say(c, "  account " SLICE_FMT "/" SLICE_FMT ", first password " SLICE_FMT, SLICE_ARG(x->id),
                SLICE_ARG(x->accounts[i].name), SLICE_ARG(x->accounts[i].secret));
    for (size_t i = 0; i < x->n_tokens; i++)
        ctl_say(c, "  enrolment token " SLICE_FMT ": " SLICE_FMT, SLICE_ARG(x->tokens[i].name),
                SLICE_ARG(x->tokens[i].secret));
}

/* The file form of the arguments, so that both ways pass the same check. */
static struct slice as_file(struct ctl *c, const char *id, const char *name, const char *plan, int seats,
                            const char *account)
{
    const char *hosts[16];
    size_t n_hosts = ctl_options(c, "--host", hosts, 16);
    const char *language = ctl_option(c, "--language", "ja");
    struct strbuf b;
    struct json_writer w;

    strbuf_init_arena(&b, c->arena, 65536);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "id");
    json_str(&w, slice_of(id));
    json_key(&w, "name");
    json_str(&w, slice_of(name));
    json_key(&w, "plan");
    json_str(&w, slice_of(plan));
    json_key(&w, "seats");
    json_int(&w, seats);
    json_key(&w, "time_zone");
    json_str(&w, slice_of(ctl_option(c, "--time-zone", "Asia/Tokyo")));
    json_key(&w, "language");
    json_str(&w, slice_of(language));
    json_key(&w, "hosts");
    json_array_open(&w);
    for (size_t i = 0; i < n_hosts; i++)
        json_str(&w, slice_of(hosts[i]));
    json_array_close(&w);
    json_key(&w, "accounts");
    json_array_open(&w);
    json_object_open(&w);
    json_key(&w, "name");
    json_str(&w, slice_of(account));
    json_key(&w, "display_name");
    json_str(&w, slice_of(account));
    json_object_close(&w);
    json_array_close(&w);
    json_key(&w, "enrolment_tokens");
    json_array_open(&w);
    json_object_open(&w);
    json_key(&w, "name");
    json_str(&w, SLICE("First"));
    json_object_close(&w);
    json_array_close(&w);
    json_object_close(&w);
    return strbuf_slice(&b);
}

int verb_tenant_create(struct ctl *c)
{
    const char *name = ctl_option(c, "--name", NULL);
    const char *plan_id = ctl_option(c, "--plan", NULL);
    const char *seats_text = ctl_option(c, "--seats", NULL);
    const char *account = ctl_option(c, "--account", "admin");
    bool dry = ctl_flag(c, "--dry-run");
    struct provision_file f;
    struct plan_file plan;
    struct tenant_change change;
    struct slice text;
    const char *id;
    int seats;
    enum rc rc;

    /* Options that as_file takes are read before the next plain argument is looked for. */
    if (!name || !plan_id || !seats_text)
        return ctl_fail(c, EXIT_USAGE, "--name, --plan and --seats are needed. Try: sekishoctl --help");
    if (!ctl_int(c, "--seats", seats_text, 1, 1000000, &seats))
        return EXIT_USAGE;
    text = as_file(c, "placeholder", name, plan_id, seats, account);
    id = ctl_next(c);
    if (!ctl_complete(c, "ID", id))
        return EXIT_USAGE;
    rc = file_parse(c->arena, "arguments", text, &f, c->owner.why, sizeof(c->owner.why));
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    f.u.tenant.id = slice_of(id);
    if (!tenant_id_fits(f.u.tenant.id))
        return ctl_fail(c, EXIT_INPUT, "The id must be " TENANT_ID_FORM ".");
    rc = plan_load(&c->owner, c->arena, f.u.tenant.plan, &plan);
    if (rc == RC_OK)
        rc = tenant_create(&c->owner, c->arena, &f.u.tenant, &plan, dry, &change);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    show_change(c, "tenant", &change, dry);
    return ctl_flush(c, EXIT_DONE);
}

int verb_apply(struct ctl *c)
{
    const char *paths[64];
    size_t n = ctl_options(c, "-f", paths, 64);
    bool dry = ctl_flag(c, "--dry-run");
    struct applied *done = NULL;
    size_t n_done = 0;
    enum rc rc;

    if (!ctl_complete(c, "-f FILE", n ? paths[0] : NULL))
        return EXIT_USAGE;
    rc = apply_paths(&c->owner, c->arena, paths, n, dry, &done, &n_done);
    if (c->json) {
        json_key(&c->w, "changes");
        json_array_open(&c->w);
    }
    for (size_t i = 0; i < n_done; i++) {
        if (c->json)
            json_object_open(&c->w);
        show_change(c, done[i].kind == FILE_PLAN ? "plan" : "tenant", &done[i].change, dry);
        if (c->json)
            json_object_close(&c->w);
    }
    if (c->json)
        json_array_close(&c->w);
    if (rc == RC_OK)
        return ctl_flush(c, EXIT_DONE);
    /* What was done before the failure was printed nowhere else: first passwords and tokens. */
    if (n_done && c->json) {
        ctl_put(c, "error", slice_of(c->owner.why));
        c->json = false;
        while (c->w.depth)
            json_object_close(&c->w);
        strbuf_add_char(&c->out, '\n');
    }
    ctl_flush(c, 0);
    return ctl_refused(c, rc);
}

/* ---- looking */

int verb_tenant_list(struct ctl *c)
{
    struct tenant_info *t;
    size_t n;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = tenant_list(&c->owner, c->arena, &t, &n);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json) {
        json_key(&c->w, "tenants");
        json_array_open(&c->w);
    }
    if (n == 0)
        ctl_say(c, "No tenants yet. Make one with: sekishoctl tenant create, or: sekishoctl apply -f FOLDER");
    for (size_t i = 0; i < n; i++) {
        ctl_say(c, "%-24.*s %-10.*s %-12.*s %7d seats  no %d  slice %d  version %d  " SLICE_FMT, SLICE_ARG(t[i].id),
                SLICE_ARG(t[i].status), SLICE_ARG(t[i].plan), t[i].seats, t[i].no, t[i].slice, t[i].schema_version,
                SLICE_ARG(t[i].name));
        if (!c->json)
            continue;
        json_object_open(&c->w);
        ctl_put(c, "id", t[i].id);
        ctl_put_int(c, "no", t[i].no);
        ctl_put(c, "name", t[i].name);
        ctl_put(c, "status", t[i].status);
        ctl_put(c, "plan", t[i].plan);
        ctl_put_int(c, "seats", t[i].seats);
        ctl_put_int(c, "slice", t[i].slice);
        ctl_put_int(c, "schema_version", t[i].schema_version);
        ctl_put_time(c, "created_at", t[i].created_at);
        json_object_close(&c->w);
    }
    if (c->json)
        json_array_close(&c->w);
    return ctl_flush(c, EXIT_DONE);
}

static void put_texts(struct ctl *c, const char *key, const struct slice *s, size_t n)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    json_array_open(&c->w);
    for (size_t i = 0; i < n; i++)
        json_str(&c->w, s[i]);
    json_array_close(&c->w);
}

int verb_tenant_show(struct ctl *c)
{
    const char *id = ctl_next(c);
    char created[CLOCK_RFC3339_SIZE];
    struct tenant_info t;
    enum rc rc;

    if (!ctl_complete(c, "ID", id))
        return EXIT_USAGE;
    rc = tenant_show(&c->owner, c->arena, slice_of(id), &t);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "id", t.id);
    ctl_put_int(c, "no", t.no);
    ctl_put(c, "name", t.name);
    ctl_put(c, "status", t.status);
    ctl_put(c, "suspended_reason", t.suspended_reason);
    ctl_put(c, "plan", t.plan);
    ctl_put_int(c, "seats", t.seats);
    ctl_put_int(c, "devices", t.devices);
    ctl_put(c, "time_zone", t.time_zone);
    ctl_put(c, "language", t.language);
    ctl_put_int(c, "slice", t.slice);
    ctl_put_int(c, "schema_version", t.schema_version);
    ctl_put_time(c, "created_at", t.created_at);
    ctl_put_time(c, "over_seats_since", t.over_seats_since);
    put_texts(c, "hosts", t.hosts, t.n_hosts);
    put_texts(c, "accounts", t.accounts, t.n_accounts);
    ctl_say(c, SLICE_FMT "  " SLICE_FMT, SLICE_ARG(t.id), SLICE_ARG(t.name));
    ctl_say(c, "  status      " SLICE_FMT "%s" SLICE_FMT, SLICE_ARG(t.status), t.suspended_reason.n ? ": " : "",
            SLICE_ARG(t.suspended_reason));
    ctl_say(c, "  plan        " SLICE_FMT, SLICE_ARG(t.plan));
    ctl_say(c, "  devices     %lld of %d seats%s", (long long)t.devices, t.seats,
            t.over_seats_since ? ", over the seats" : "");
    ctl_say(c, "  time zone   " SLICE_FMT ", language " SLICE_FMT, SLICE_ARG(t.time_zone), SLICE_ARG(t.language));
    ctl_say(c, "  schema      t_%d, slice %d, version %d", t.no, t.slice, t.schema_version);
    ctl_say(c, "  created     %s", clock_rfc3339(t.created_at, created));
    for (size_t i = 0; i < t.n_hosts; i++)
        ctl_say(c, "  host        " SLICE_FMT, SLICE_ARG(t.hosts[i]));
    for (size_t i = 0; i < t.n_accounts; i++)
        ctl_say(c, "  account     " SLICE_FMT, SLICE_ARG(t.accounts[i]));
    return ctl_flush(c, EXIT_DONE);
}

int verb_plan_list(struct ctl *c)
{
    struct rows r;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    rc = owner_statement(&c->owner, c->arena, "Listing plans", SQL_plan_page, 0, NULL, &r);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json) {
        json_key(&c->w, "plans");
        json_array_open(&c->w);
    }
    if (r.n == 0)
        ctl_say(c, "No plans yet. They come with: sekishoctl apply -f tenants/plans");
    for (int i = 0; i < r.n; i++) {
        ctl_say(c, "%-16.*s %4lld tenants  " SLICE_FMT, SLICE_ARG(rows_slice(&r, i, 0)), (long long)rows_int(&r, i, 3),
                SLICE_ARG(rows_slice(&r, i, 1)));
        if (!c->json)
            continue;
        json_object_open(&c->w);
        ctl_put(c, "id", rows_slice(&r, i, 0));
        json_key(&c->w, "plan");
        json_raw(&c->w, rows_slice(&r, i, 1));
        ctl_put_time(c, "changed_at", rows_time(&r, i, 2));
        ctl_put_int(c, "tenants", rows_int(&r, i, 3));
        json_object_close(&c->w);
    }
    if (c->json)
        json_array_close(&c->w);
    return ctl_flush(c, EXIT_DONE);
}

/* ---- status */

static int finish(struct ctl *c, enum rc rc, const char *id, const char *status)
{
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "id", slice_of(id));
    ctl_put(c, "status", slice_of(status));
    ctl_say(c, "tenant %s is %s", id, status);
    return ctl_flush(c, EXIT_DONE);
}

int verb_tenant_suspend(struct ctl *c)
{
    const char *reason = ctl_option(c, "--reason", NULL);
    const char *id = ctl_next(c);

    if (!ctl_complete(c, id ? "--reason" : "ID", id ? reason : NULL))
        return EXIT_USAGE;
    return finish(c, tenant_suspend(&c->owner, c->arena, slice_of(id), slice_of(reason)), id, "suspended");
}

int verb_tenant_resume(struct ctl *c)
{
    const char *id = ctl_next(c);

    if (!ctl_complete(c, "ID", id))
        return EXIT_USAGE;
    return finish(c, tenant_resume(&c->owner, c->arena, slice_of(id)), id, "active");
}

int verb_tenant_erase(struct ctl *c)
{
    const char *confirm = ctl_option(c, "--confirm", NULL);
    const char *id = ctl_next(c);

    if (!ctl_complete(c, id ? "--confirm" : "ID", id ? confirm : NULL))
        return EXIT_USAGE;
    if (strcmp(id, confirm) != 0)
        return ctl_fail(c, EXIT_USAGE, "--confirm must repeat the id %s: this cannot be undone", id);
    return finish(c, tenant_erase(&c->owner, c->arena, slice_of(id)), id, "erased");
}

/* ---- tokens, passwords, pool */

int verb_token_create(struct ctl *c)
{
    const char *tenant = ctl_option(c, "--tenant", NULL);
    const char *name = ctl_option(c, "--name", NULL);
    const char *group = ctl_option(c, "--group", NULL);
    const char *days = ctl_option(c, "--days", "0");
    const char *uses = ctl_option(c, "--uses", "0");
    struct token_file t = {.name = slice_of(name), .group = slice_of(group)};
    struct slice token;
    enum rc rc;

    if (!ctl_complete(c, tenant ? "--name" : "--tenant", tenant ? name : NULL))
        return EXIT_USAGE;
    if (!ctl_int(c, "--days", days, 0, 3650, &t.valid_days) || !ctl_int(c, "--uses", uses, 0, 100000, &t.max_uses))
        return EXIT_USAGE;
    if (t.name.n == 0 || t.name.n > 100 || !slice_utf8(t.name))
        return ctl_fail(c, EXIT_INPUT, "--name must have 1 to 100 bytes of UTF-8");
    rc = tenant_token_create(&c->owner, c->arena, slice_of(tenant), &t, &token);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "tenant", slice_of(tenant));
    ctl_put(c, "name", t.name);
    ctl_put(c, "token", token);
    ctl_say(c, SLICE_FMT, SLICE_ARG(token));
    return ctl_flush(c, EXIT_DONE);
}

int verb_password_reset(struct ctl *c)
{
    const char *tenant = ctl_option(c, "--tenant", NULL);
    const char *account = ctl_option(c, "--account", NULL);
    struct slice password;
    enum rc rc;

    if (!ctl_complete(c, tenant ? "--account" : "--tenant", tenant ? account : NULL))
        return EXIT_USAGE;
    rc = tenant_password_reset(&c->owner, c->arena, slice_of(tenant), slice_of(account), &password);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "tenant", slice_of(tenant));
    ctl_put(c, "account", slice_of(account));
    ctl_put(c, "password", password);
    ctl_say(c, SLICE_FMT, SLICE_ARG(password));
    return ctl_flush(c, EXIT_DONE);
}

int verb_pool_fill(struct ctl *c)
{
    const char *to = ctl_option(c, "--to", NULL);
    int target = (int)c->params.schema_pool;
    int made;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL) || (to && !ctl_int(c, "--to", to, 0, 1000, &target)))
        return EXIT_USAGE;
    rc = pool_fill(&c->owner, target, &made);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put_int(c, "made", made);
    ctl_say(c, "%d schemas prepared", made);
    return ctl_flush(c, EXIT_DONE);
}
