/* SPDX-License-Identifier: Apache-2.0 */
/* audit_verbs.c - sekishoctl audit: a tenant's records, and the check of their chain. */
#include "ctl/ctl.h"
#include "provision/audit.h"
#include "provision/tenant.h"

#define LIST_MOST 10000
#define LIST_PAGE 500

static struct slice hex(struct arena *a, const struct sha256 *h)
{
    struct strbuf b;

    strbuf_init_arena(&b, a, 2 * sizeof h->b);
    strbuf_add_hex(&b, h->b, sizeof h->b);
    return strbuf_slice(&b);
}

/* "<sequence>:<hash>" */
static bool kept_read(const char *text, struct audit_kept *ret)
{
    struct slice rest = slice_of(text), number = slice_cut(&rest, ':');
    size_t n;

    return slice_i64(number, &ret->sequence) && ret->sequence > 0 &&
           slice_unhex(rest, ret->hash.b, sizeof ret->hash.b, &n) && n == sizeof ret->hash.b;
}

int verb_audit_verify(struct ctl *c)
{
    const char *head = ctl_option(c, "--head", NULL), *id = ctl_next(c);
    struct audit_kept kept = {0};
    struct audit_verdict v;
    struct tenant_info t;

    if (!ctl_complete(c, "ID", id))
        return EXIT_USAGE;
    if (head && !kept_read(head, &kept))
        return ctl_fail(c, EXIT_USAGE, "--head must be SEQUENCE:HASH of a head that was kept, the hash in hex");
    enum rc rc = tenant_show(&c->owner, c->arena, slice_of(id), &t);
    if (rc == RC_OK)
        rc = audit_verify(&c->owner, c->arena, t.id, t.no, head ? &kept : NULL, &v);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    ctl_put(c, "tenant", t.id);
    ctl_put_bool(c, "whole", !v.broken[0]);
    ctl_put_int(c, "records", v.records);
    ctl_put_int(c, "seals", v.seals);
    ctl_put_int(c, "before_the_chain", v.loose);
    ctl_put_int(c, "sequence", v.sequence);
    ctl_put(c, "hash", hex(c->arena, &v.hash));
    if (v.broken[0]) {
        ctl_put_int(c, "broken_at", v.broken_at);
        ctl_put(c, "why", slice_of(v.broken));
        ctl_say(c, "%s: broken. %s", id, v.broken);
        return ctl_flush(c, EXIT_FINDINGS);
    }
    ctl_say(c, "%s: whole. %lld records, %lld seals; newest %lld:" SLICE_FMT, id, (long long)v.records,
            (long long)v.seals, (long long)v.sequence, SLICE_ARG(hex(c->arena, &v.hash)));
    return ctl_flush(c, EXIT_DONE);
}

static void show(struct ctl *c, const struct audit_record *r)
{
    char at[CLOCK_RFC3339_SIZE];

    ctl_say(c, "%-27s %6lld %-8.*s %-28.*s " SLICE_FMT "  " SLICE_FMT " " SLICE_FMT "  " SLICE_FMT,
            clock_rfc3339(r->at, at), (long long)r->seq, SLICE_ARG(r->result), SLICE_ARG(r->action), SLICE_ARG(r->name),
            SLICE_ARG(r->object_type), SLICE_ARG(r->object_name), SLICE_ARG(slice_utf8_head(r->detail, 1000)));
    if (!c->json)
        return;
    json_object_open(&c->w);
    ctl_put_int(c, "sequence", r->seq);
    ctl_put_time(c, "at", r->at);
    ctl_put(c, "user", r->name);
    ctl_put(c, "address", r->address);
    ctl_put(c, "action", r->action);
    ctl_put(c, "domain", r->object_type);
    ctl_put(c, "object_name", r->object_name);
    ctl_put(c, "result", r->result);
    ctl_put(c, "detail", r->detail);
    ctl_put(c, "hash", hex(c->arena, &r->hash));
    json_object_close(&c->w);
}

/* Newest first. */
static enum rc list(struct ctl *c, int no, usec_t since, int most)
{
    struct audit_filter f = {.from = since};
    struct audit_record last = {0};
    enum rc rc = RC_OK;

    for (int n = LIST_PAGE; rc == RC_OK && most > 0 && n == LIST_PAGE; most -= n) {
        struct sql_args args;
        struct rows r;
        args_init(&args, c->arena);
        audit_page_args(&args, &f, last.at, last.id, most < LIST_PAGE ? most : LIST_PAGE);
        args_null(&args); /* all groups are in reach */
        rc = owner_statement(&c->owner, c->arena, "Reading the audit", sql_audit_page(last.at != 0), no, &args, &r);
        n = rc == RC_OK ? r.n : 0;
        for (int i = 0; i < n; i++) {
            audit_record_read(&r, c->arena, i, &last);
            show(c, &last);
        }
    }
    return rc;
}

int verb_audit_list(struct ctl *c)
{
    const char *since = ctl_option(c, "--since", NULL), *rows = ctl_option(c, "--rows", "100"), *id = ctl_next(c);
    struct tenant_info t;
    usec_t from = 0;
    int most;

    if (!ctl_complete(c, "ID", id) || !ctl_int(c, "--rows", rows, 1, LIST_MOST, &most))
        return EXIT_USAGE;
    if (since && !clock_parse_rfc3339(slice_of(since), &from))
        return ctl_fail(c, EXIT_USAGE, "--since must be a time such as 2026-11-24T10:00:00Z");
    enum rc rc = tenant_show(&c->owner, c->arena, slice_of(id), &t);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json) {
        json_key(&c->w, "records");
        json_array_open(&c->w);
    }
    rc = list(c, t.no, from, most);
    if (rc != RC_OK)
        return ctl_refused(c, rc);
    if (c->json)
        json_array_close(&c->w);
    return ctl_flush(c, EXIT_DONE);
}
