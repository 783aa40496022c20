/* SPDX-License-Identifier: Apache-2.0 */
/* trace_verbs.c - sekishoctl trace: debug lines of one area in running servers, for a time. A row of control.trace, of
 * which the servers hear as of every change there: who may write it is the owner, and no port has to take orders. */
#include "common/event.h"
#include "ctl/ctl.h"
#include "provision/tenant.h"
#include <stdio.h>

#define LONGEST_S 86400

/* Areas of the programs that are no servers. */
static bool of_server(enum event_area a)
{
    return a != AREA_AGENT && a != AREA_CTL && a != AREA_SIM;
}

static int refuse_area(struct ctl *c, const char *more)
{
    struct strbuf b;

    strbuf_init_arena(&b, c->arena, 1024);
    for (int a = 0; a < AREA_COUNT; a++)
        if (of_server((enum event_area)a))
            strbuf_printf(&b, "%s%s", b.n ? ", " : "", event_area_name((enum event_area)a));
    return ctl_fail(c, EXIT_USAGE, "The area must be one of %s%s", b.p, more);
}

static bool known_area(const char *name)
{
    enum event_area a;

    return event_area_parse(slice_of(name), &a) && of_server(a);
}

/* "90", "90s", "10m", "2h": seconds; 0: none of these. */
static int64_t seconds_of(const char *text)
{
    struct slice s = slice_of(text);
    int64_t n, unit = 1;

    if (s.n == 0)
        return 0;
    switch (s.p[s.n - 1]) {
    case 'h':
        unit = 3600;
        s.n--;
        break;
    case 'm':
        unit = 60;
        s.n--;
        break;
    case 's':
        s.n--;
        break;
    default:
        break;
    }
    if (!slice_i64(s, &n) || n < 1 || n > LONGEST_S / unit)
        return 0;
    return n * unit;
}

static enum rc change(struct ctl *c, enum sql_id id, struct sql_args *args, const char *action, const char *area,
                      const char *tenant, usec_t until)
{
    struct arena *a = c->arena;
    struct json_writer w;
    struct strbuf b;
    enum rc rc = owner_begin(&c->owner);

    if (rc != RC_OK)
        return rc;
    strbuf_init_arena(&b, a, 1024);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "area");
    json_str(&w, slice_of(area));
    json_key(&w, "until");
    json_time(&w, until);
    json_object_close(&w);
    rc = owner_statement(&c->owner, a, "Changing what is traced", id, 0, args, NULL);
    if (rc == RC_OK)
        rc = owner_audit(&c->owner, a, action, tenant[0] ? tenant : NULL, strbuf_slice(&b));
    if (rc == RC_OK)
        return owner_commit(&c->owner);
    pg_rollback(c->owner.pg);
    return rc;
}

static enum rc expire(struct ctl *c, usec_t now)
{
    struct sql_args args;

    args_init(&args, c->arena);
    args_time(&args, now);
    return owner_statement(&c->owner, c->arena, "Changing what is traced", SQL_trace_expire, 0, &args, NULL);
}

int verb_trace_on(struct ctl *c)
{
    const char *tenant = ctl_option(c, "--tenant", ""), *text = ctl_option(c, "--for", "10m"), *area = ctl_next(c);
    usec_t now = clock_now(), until;
    struct sql_args args;
    char shown[CLOCK_RFC3339_SIZE];
    bool exists = true;
    enum rc rc;

    if (!ctl_complete(c, "AREA", area))
        return EXIT_USAGE;
    if (!known_area(area))
        return refuse_area(c, "");
    if (!seconds_of(text))
        return ctl_fail(c, EXIT_USAGE, "--for must be a time of up to 24 hours, such as 90s, 10m or 2h");
    until = now + seconds_of(text) * USEC_PER_SEC;
    rc = tenant[0] ? tenant_exists(&c->owner, c->arena, slice_of(tenant), &exists) : RC_OK;
    if (rc == RC_OK && !exists)
        return ctl_fail(c, EXIT_REFUSED, "There is no tenant %s", tenant);
    args_init(&args, c->arena);
    args_str(&args, area);
    args_str(&args, tenant);
    args_time(&args, until);
    if (rc == RC_OK)
        rc = expire(c, now);
    if (rc == RC_OK)
        rc = change(c, SQL_trace_set, &args, "trace.on", area, tenant, until);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "area", slice_of(area));
    ctl_put(c, "tenant", slice_of(tenant));
    ctl_put_time(c, "until", until);
    ctl_say(c, "debug lines of %s, %s%s, until %s", area, tenant[0] ? "tenant " : "all tenants", tenant,
            clock_rfc3339(until, shown));
    return ctl_flush(c, EXIT_DONE);
}

int verb_trace_off(struct ctl *c)
{
    const char *tenant = ctl_option(c, "--tenant", ""), *area = ctl_next(c);
    struct sql_args args;
    bool all;
    enum rc rc;

    if (!ctl_complete(c, "AREA", area))
        return EXIT_USAGE;
    all = strcmp(area, "all") == 0;
    if (!all && !known_area(area))
        return refuse_area(c, ", or all");
    args_init(&args, c->arena);
    args_str(&args, all ? "" : area);
    args_str(&args, tenant);
    args_time(&args, clock_now());
    rc = change(c, SQL_trace_clear, &args, "trace.off", area, tenant, 0);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "area", slice_of(area));
    ctl_put(c, "tenant", slice_of(tenant));
    ctl_say(c, "no debug lines of %s any more%s%s", all ? "any area" : area, tenant[0] ? ", tenant " : "", tenant);
    return ctl_flush(c, EXIT_DONE);
}

int verb_trace_list(struct ctl *c)
{
    char until[CLOCK_RFC3339_SIZE];
    struct sql_args args;
    struct rows r;
    enum rc rc;

    if (!ctl_complete(c, NULL, NULL))
        return EXIT_USAGE;
    args_init(&args, c->arena);
    args_time(&args, clock_now());
    rc = owner_statement(&c->owner, c->arena, "Reading what is traced", SQL_trace_read, 0, &args, &r);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json) {
        json_key(&c->w, "traces");
        json_array_open(&c->w);
    }
    for (int i = 0; i < r.n; i++) {
        struct slice tenant = rows_slice(&r, i, 1);

        if (c->json)
            json_object_open(&c->w);
        ctl_put(c, "area", rows_slice(&r, i, 0));
        ctl_put(c, "tenant", tenant);
        ctl_put_time(c, "until", rows_time(&r, i, 2));
        if (c->json)
            json_object_close(&c->w);
        ctl_say(c, SLICE_FMT ", " SLICE_FMT ", until %s", SLICE_ARG(rows_slice(&r, i, 0)),
                SLICE_ARG(tenant.n ? tenant : SLICE("all tenants")), clock_rfc3339(rows_time(&r, i, 2), until));
    }
    if (c->json)
        json_array_close(&c->w);
    if (r.n == 0)
        ctl_say(c, "no area is traced");
    return ctl_flush(c, EXIT_DONE);
}
