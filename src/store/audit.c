/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - see audit.h; the column numbers follow audit.sql. */
#include "store/audit.h"
#include "common/must.h"
#include <stdio.h>
#include <time.h>

#define CANONICAL_MAX ((size_t)1024 * 1024)
#define DETAIL_MAX    ((size_t)512 * 1024) /* 64 changes of 2,000 characters of 4 bytes */

/* ---- the canonical form */

static void put(struct strbuf *b, struct slice s)
{
    if (!s.p) {
        strbuf_add(b, SLICE("-:"));
        return;
    }
    strbuf_add_u64(b, s.n);
    strbuf_add_char(b, ':');
    strbuf_add(b, s);
}

static void put_uuid(struct strbuf *b, struct uuid u)
{
    char text[UUID_TEXT_SIZE];

    put(b, uuid_is_nil(u) ? SLICE_NONE : slice_of(uuid_text(u, text)));
}

static void put_int(struct strbuf *b, int64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)v);
    put(b, slice_of(text));
}

/* Six digits always, unlike clock_rfc3339. */
static void put_time(struct strbuf *b, usec_t t)
{
    time_t seconds = t / USEC_PER_SEC;
    struct tm tm;
    char text[64];

    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(t % USEC_PER_SEC));
    put(b, slice_of(text));
}

struct slice audit_canonical(struct arena *a, const struct audit_record *r)
{
    struct strbuf b;

    strbuf_init_arena(&b, a, CANONICAL_MAX);
    put(&b, SLICE("v1"));
    put_int(&b, r->seq);
    put_uuid(&b, r->id);
    put_time(&b, r->at);
    put_uuid(&b, r->account);
    put(&b, r->name);
    put_uuid(&b, r->session);
    put(&b, r->address);
    put(&b, r->action);
    put(&b, r->object_type);
    put_uuid(&b, r->object_id);
    put(&b, r->object_name);
    put(&b, r->result);
    put_uuid(&b, r->group);
    put(&b, r->detail);
    return strbuf_slice(&b);
}

struct sha256 audit_hash(struct arena *a, const struct sha256 *before, const struct audit_record *r)
{
    struct slice text = audit_canonical(a, r);
    struct sha256_stream *s = sha256_stream_new();

    sha256_stream_add(s, before->b, sizeof before->b);
    sha256_stream_add(s, text.p, text.n);
    return sha256_stream_end(&s);
}

struct sha256 audit_start(int tenant_no)
{
    char schema[24];

    snprintf(schema, sizeof schema, "t_%d", tenant_no);
    return crypto_sha256(slice_of(schema));
}

/* ---- detail */

struct slice audit_detail(struct arena *a, const struct audit_change *changes, size_t n)
{
    struct json_writer w;
    struct strbuf b;

    if (n == 0)
        return SLICE_NONE;
    strbuf_init_arena(&b, a, DETAIL_MAX);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "changes");
    json_array_open(&w);
    for (size_t i = 0; i < n; i++) {
        json_object_open(&w);
        json_key(&w, "field");
        json_str(&w, slice_of(changes[i].field));
        if (changes[i].before.p) {
            json_key(&w, "before");
            json_str(&w, changes[i].before);
        }
        if (changes[i].after.p) {
            json_key(&w, "after");
            json_str(&w, changes[i].after);
        }
        json_object_close(&w);
    }
    json_array_close(&w);
    json_object_close(&w);
    must(!b.over);
    return strbuf_slice(&b);
}

static struct slice text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_string(v) ? slice_mem(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

size_t audit_detail_read(struct arena *a, struct slice detail, struct audit_change **ret)
{
    struct json_error e;
    json_t *root = json_parse(a, detail, (struct json_limits){DETAIL_MAX, 8, 1000}, &e);
    const json_t *list = root ? json_object_get(root, "changes") : NULL, *v;
    size_t n = 0, i;

    *ret = ARENA_ARRAY(a, struct audit_change, AUDIT_CHANGES_MAX);
    json_array_foreach((json_t *)(uintptr_t)list, i, v)
    {
        struct audit_change x = {text_of(v, "field").p, text_of(v, "before"), text_of(v, "after")};
        if (x.field && n < AUDIT_CHANGES_MAX)
            (*ret)[n++] = x;
    }
    return n;
}

/* ---- adding */

void audit_lock_args(struct sql_args *args, const struct audit_row *row)
{
    args_uuid(args, row->account);
    args_slice(args, row->name.p ? row->name : SLICE(""));
    args_str(args, row->object_type);
    args_uuid(args, row->object_id);
    args_uuid(args, row->group);
}

static struct slice or_empty(struct slice s)
{
    return s.p ? s : SLICE("");
}

static struct sha256 hash_read(const struct rows *r, struct arena *a, int row, int col)
{
    struct slice bytes = rows_bytes(r, a, row, col);
    struct sha256 h = {{0}};

    if (bytes.n == sizeof h.b)
        memcpy(h.b, bytes.p, sizeof h.b);
    return h;
}

void audit_next(struct arena *a, const struct rows *locked, const struct audit_row *row, struct audit_record *ret)
{
    struct sha256 before = hash_read(locked, a, 0, 1);

    *ret = (struct audit_record){.id = uuid_new(),
                                 .at = row->at ? row->at : clock_now(),
                                 .account = row->account,
                                 .name = or_empty(rows_slice(locked, 0, 2)),
                                 .session = row->session,
                                 .address = or_empty(slice_of(row->address)),
                                 .action = or_empty(slice_of(row->action)),
                                 .object_type = or_empty(slice_of(row->object_type)),
                                 .object_id = row->object_id,
                                 .object_name = or_empty(row->object_name),
                                 .result = slice_of(row->result),
                                 .detail = row->detail_json.p ? row->detail_json : SLICE("{}"),
                                 .group = rows_uuid(locked, 0, 3),
                                 .seq = rows_int(locked, 0, 0) + 1};
    ret->hash = audit_hash(a, &before, ret);
}

void audit_insert_args(struct sql_args *args, const struct audit_record *r)
{
    args_uuid(args, r->id);
    args_time(args, r->at);
    args_uuid(args, r->account);
    args_slice(args, r->name);
    args_uuid(args, r->session);
    args_slice(args, r->address);
    args_slice(args, r->action);
    args_slice(args, r->object_type);
    args_uuid(args, r->object_id);
    args_slice(args, r->object_name);
    args_slice(args, r->result);
    args_slice(args, r->detail);
    args_uuid(args, r->group);
    args_int(args, r->seq);
    args_bytes(args, slice_mem(r->hash.b, sizeof r->hash.b));
}

enum rc audit_insert(struct tx *tx, struct arena *a, const struct audit_row *row)
{
    struct audit_record next;
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    audit_lock_args(&args, row);
    enum rc rc = tx_one(tx, SQL_audit_lock, &args, &r);
    if (rc != RC_OK)
        return rc;
    audit_next(a, &r, row, &next);
    args_init(&args, a);
    audit_insert_args(&args, &next);
    return tx_run(tx, SQL_audit_insert, &args, &r);
}

enum rc audit_write(struct call *c)
{
    if (!c->route->audit)
        return RC_OK;
    must(c->tx && c->principal); /* handlers without c->tx write their row themselves */
    bool user = principal_kind(c->principal) == PRINCIPAL_USER;
    struct audit_row row = {.account = user ? principal_subject(c->principal) : (struct uuid){{0}},
                            .session = user ? principal_session(c->principal) : (struct uuid){{0}},
                            .address = c->address,
                            .action = c->route->audit,
                            .object_type = c->audit.object_type,
                            .object_id = c->audit.object_id,
                            .object_name = c->audit.object_name,
                            .group = c->audit.group,
                            .result = "done",
                            .detail_json = audit_detail(c->arena, c->changes, c->n_changes)};
    return audit_insert(c->tx, c->arena, &row);
}

/* ---- reading */

void audit_record_read(const struct rows *r, struct arena *a, int row, struct audit_record *ret)
{
    *ret = (struct audit_record){.id = rows_uuid(r, row, 0),
                                 .at = rows_time(r, row, 1),
                                 .account = rows_uuid(r, row, 2),
                                 .name = rows_slice(r, row, 3),
                                 .session = rows_uuid(r, row, 4),
                                 .address = rows_slice(r, row, 5),
                                 .action = rows_slice(r, row, 6),
                                 .object_type = rows_slice(r, row, 7),
                                 .object_id = rows_uuid(r, row, 8),
                                 .object_name = rows_slice(r, row, 9),
                                 .result = rows_slice(r, row, 10),
                                 .detail = rows_slice(r, row, 11),
                                 .group = rows_uuid(r, row, 12),
                                 .seq = rows_int(r, row, 13),
                                 .hash = hash_read(r, a, row, 14)};
}

void audit_page_args(struct sql_args *args, const struct audit_filter *f, usec_t after_time, struct uuid after_id,
                     int limit)
{
    args_uuid(args, f->account);
    args_uuid(args, f->object);
    args_slice(args, f->object_type);
    args_slice(args, f->action);
    args_slice(args, f->result);
    args_slice(args, f->search);
    args_time(args, f->from);
    args_time(args, f->to);
    args_time(args, after_time);
    args_uuid(args, after_id);
    args_int(args, limit);
}

enum rc audit_page(struct tx *tx, struct arena *a, const struct audit_filter *f, usec_t after_time,
                   struct uuid after_id, int limit, struct audit_record **ret, size_t *ret_n)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    audit_page_args(&args, f, after_time, after_id, limit);
    enum rc rc = tx_run(tx, sql_audit_page(after_time != 0), &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct audit_record, r.n + 1);
    *ret_n = (size_t)r.n;
    for (int i = 0; i < r.n; i++)
        audit_record_read(&r, a, i, &(*ret)[i]);
    return RC_OK;
}

static enum rc head(struct tx *tx, struct arena *a, enum sql_id id, struct sql_args *args, int64_t *ret_seq,
                    struct sha256 *ret_hash)
{
    struct rows r;
    enum rc rc = tx_one(tx, id, args, &r);

    if (rc != RC_OK)
        return rc;
    *ret_seq = rows_int(&r, 0, 0);
    *ret_hash = hash_read(&r, a, 0, 1);
    return RC_OK;
}

enum rc audit_head(struct tx *tx, struct arena *a, int64_t *ret_seq, struct sha256 *ret_hash)
{
    return head(tx, a, SQL_audit_head, NULL, ret_seq, ret_hash);
}

enum rc audit_head_lock(struct tx *tx, struct arena *a, int64_t *ret_seq, struct sha256 *ret_hash)
{
    struct sql_args args;

    args_init(&args, a);
    audit_lock_args(&args, &(struct audit_row){0});
    return head(tx, a, SQL_audit_lock, &args, ret_seq, ret_hash);
}

enum rc audit_seal_due(struct tx *tx, struct arena *a, usec_t before, bool *ret)
{
    struct sql_args args;
    struct rows r;

    args_init(&args, a);
    args_time(&args, before);
    enum rc rc = tx_one(tx, SQL_audit_seal_due, &args, &r);
    if (rc == RC_OK)
        *ret = rows_bool(&r, 0, 0);
    return rc;
}
