/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - see audit.h. */
#include "provision/audit.h"
#include "identity/pki.h"
#include "identity/statement.h"
#include <stdarg.h>
#include <stdio.h>

#define PAGE       500
#define PAGE_ARENA ((size_t)64 * 1024 * 1024)

/* ---- operators */

enum rc audit_operator(struct owner *o, struct arena *a, int tenant_no, const struct audit_row *row)
{
    struct audit_row mine = *row;
    struct audit_record next;
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_int(&args, tenant_no);
    enum rc rc = owner_statement(o, a, "Writing the audit", SQL_provision_audit_ready, 0, &args, &r);
    if (rc != RC_OK || r.n == 0 || !rows_bool(&r, 0, 0))
        return rc;
    mine.name = slice_of(arena_printf(a, "operator:%s", o->actor));
    mine.result = "done";
    args_init(&args, a);
    audit_lock_args(&args, &mine);
    rc = owner_statement(o, a, "Writing the audit", SQL_audit_lock, tenant_no, &args, &r);
    if (rc == RC_OK && r.n == 0)
        return owner_fail(o, RC_INTERNAL, "The head of the audit of tenant %d is missing", tenant_no);
    if (rc != RC_OK)
        return rc;
    audit_next(a, &r, &mine, &next);
    args_init(&args, a);
    audit_insert_args(&args, &next);
    return owner_statement(o, a, "Writing the audit", SQL_audit_insert, tenant_no, &args, NULL);
}

/* ---- the check */

struct walk {
    struct owner *o;
    struct slice tenant, public_key;
    int no;
    const struct audit_kept *kept;
    struct audit_verdict *v;
};

static void broken(struct walk *w, int64_t at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void broken(struct walk *w, int64_t at, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(w->v->broken, sizeof w->v->broken, fmt, args);
    va_end(args);
    w->v->broken_at = at;
}

static struct slice said(const struct audit_change *x, size_t n, const char *field)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(x[i].field, field) == 0 && x[i].after.p)
            return x[i].after;
    return SLICE("");
}

/* A seal is signed by the platform and speaks of the record before it, with the hash that the chain has there. */
static bool seal_fits(struct walk *w, struct arena *a, const struct audit_record *r)
{
    struct audit_change *x;
    size_t n = audit_detail_read(a, r->detail, &x), n_hash;
    struct sha256 hash;
    int64_t seq;
    usec_t at;

    if (!slice_i64(said(x, n, "sequence"), &seq) || !clock_parse_rfc3339(said(x, n, "at"), &at) ||
        !slice_unhex(said(x, n, "hash"), hash.b, sizeof hash.b, &n_hash) || n_hash != sizeof hash.b)
        return false;
    return seq == w->v->sequence && crypto_equal(hash.b, w->v->hash.b, sizeof hash.b) &&
           audit_head_genuine(audit_head_text(a, w->tenant, seq, &hash, at), said(x, n, "signature"), w->public_key);
}

static bool step(struct walk *w, struct arena *a, const struct audit_record *r)
{
    struct audit_verdict *v = w->v;
    int64_t next = v->sequence + 1;

    if (r->seq != next) {
        if (r->seq == next + 1)
            broken(w, next, "Record %lld is missing; it was deleted.", (long long)next);
        else
            broken(w, next, "Records %lld to %lld are missing; they were deleted.", (long long)next,
                   (long long)r->seq - 1);
        return false;
    }
    struct sha256 hash = audit_hash(a, &v->hash, r);
    if (!crypto_equal(hash.b, r->hash.b, sizeof hash.b)) {
        char at[CLOCK_RFC3339_SIZE];
        broken(w, next,
               "Record %lld (" SLICE_FMT " at %s) does not fit its hash: it was edited, moved or put in, or the record "
               "before it is not the one that was there.",
               (long long)next, SLICE_ARG(slice_utf8_head(r->action, 64)), clock_rfc3339(r->at, at));
        return false;
    }
    if (slice_eq(r->action, SLICE("audit.seal"))) {
        if (!seal_fits(w, a, r)) {
            broken(w, next, "The seal in record %lld is not genuine: the records up to it were written anew.",
                   (long long)next);
            return false;
        }
        v->seals++;
    }
    v->records++;
    v->sequence = r->seq;
    v->hash = r->hash;
    if (w->kept && w->kept->sequence == r->seq && !crypto_equal(w->kept->hash.b, r->hash.b, sizeof r->hash.b)) {
        broken(w, next, "Record %lld has another hash than the head that was kept: the chain was written anew.",
               (long long)next);
        return false;
    }
    return true;
}

static enum rc head(struct walk *w, struct arena *a, int64_t *ret_seq, struct sha256 *ret_hash)
{
    struct rows r;
    enum rc rc = owner_statement(w->o, a, "Reading the audit", SQL_audit_head, w->no, NULL, &r);

    if (rc != RC_OK)
        return rc;
    *ret_seq = -1;
    if (r.n == 0)
        return RC_OK;
    *ret_seq = rows_int(&r, 0, 0);
    struct slice bytes = rows_bytes(&r, a, 0, 1);
    *ret_hash = (struct sha256){{0}};
    if (bytes.n == sizeof ret_hash->b)
        memcpy(ret_hash->b, bytes.p, bytes.n);
    return RC_OK;
}

/* Records of the chain up to and with end. *ret_more: there may be more. */
static enum rc page(struct walk *w, struct arena *a, int64_t end, bool *ret_more)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_int(&args, w->v->sequence);
    args_int(&args, PAGE);
    enum rc rc = owner_statement(w->o, a, "Reading the audit", SQL_audit_chain, w->no, &args, &r);
    *ret_more = rc == RC_OK && r.n == PAGE;
    for (int i = 0; rc == RC_OK && i < r.n; i++) {
        struct audit_record x;
        audit_record_read(&r, a, i, &x);
        if (x.seq > end || !step(w, a, &x)) {
            *ret_more = false;
            break;
        }
    }
    return rc;
}

/* What stands outside of the chain or behind its head now. */
static enum rc strays(struct walk *w, struct arena *a)
{
    struct rows r;
    enum rc rc = owner_statement(w->o, a, "Reading the audit", SQL_audit_loose, w->no, NULL, &r);

    if (rc != RC_OK)
        return rc;
    w->v->loose = rows_int(&r, 0, 0);
    if (rows_int(&r, 0, 2))
        broken(w, 0, "%lld records stand outside of the chain although it had begun when they came; they were put in.",
               (long long)rows_int(&r, 0, 2));
    else if (rows_int(&r, 0, 3))
        broken(w, w->v->sequence + 1, "%lld records stand behind the head of the chain; they were put in.",
               (long long)rows_int(&r, 0, 3));
    return RC_OK;
}

static void compare(struct walk *w, int64_t seq, const struct sha256 *hash)
{
    struct audit_verdict *v = w->v;

    if (v->sequence < seq)
        broken(w, v->sequence + 1, "The records from %lld on are missing: the newest one was %lld.",
               (long long)v->sequence + 1, (long long)seq);
    else if (!crypto_equal(v->hash.b, hash->b, sizeof hash->b))
        broken(w, seq, "Record %lld has another hash than the head of the chain.", (long long)seq);
    else if (w->kept && w->kept->sequence > seq)
        broken(w, seq + 1, "The records from %lld on are missing: the head that was kept is of record %lld.",
               (long long)seq + 1, (long long)w->kept->sequence);
}

static enum rc walk(struct walk *w, struct arena *a)
{
    struct sha256 hash;
    int64_t seq;
    bool more = true;
    enum rc rc = head(w, a, &seq, &hash);

    if (rc != RC_OK)
        return rc;
    if (seq < 0) {
        broken(w, 0, "The head of the chain is missing.");
        return RC_OK;
    }
    while (rc == RC_OK && more && w->v->sequence < seq) {
        arena_reset(a);
        rc = page(w, a, seq, &more);
    }
    if (rc == RC_OK && !w->v->broken[0])
        compare(w, seq, &hash);
    return rc == RC_OK && !w->v->broken[0] ? strays(w, a) : rc;
}

enum rc audit_verify(struct owner *o, struct arena *a, struct slice tenant, int tenant_no,
                     const struct audit_kept *kept, struct audit_verdict *ret)
{
    struct walk w = {.o = o, .tenant = tenant, .no = tenant_no, .kept = kept, .v = ret};
    struct sql_args args;
    struct rows r;

    *ret = (struct audit_verdict){.hash = audit_start(tenant_no)};
    args_init(&args, a);
    args_str(&args, PLATFORM_TIME);
    enum rc rc = owner_statement(o, a, "Reading the platform's keys", SQL_platform_find, 0, &args, &r);
    if (rc != RC_OK)
        return rc;
    w.public_key = r.n ? rows_slice(&r, 0, 0) : SLICE("");
    struct arena *pages = arena_new(PAGE_ARENA);
    rc = walk(&w, pages);
    arena_free(&pages);
    return rc;
}
