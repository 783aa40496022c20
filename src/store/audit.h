/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - who did what, as a chain of hashes per tenant: a record that is edited, deleted, inserted or moved
 * afterwards does not fit any more. In the transaction of the deed itself, on a worker; memory is of the arena given.
 *
 * Record n has hash SHA-256(hash of record n-1, as 32 bytes, followed by the record in its canonical form). The hash
 * before record 1 is SHA-256 of the schema's name ("t_7"). The canonical form is these fields in this order: "v1", seq,
 * id, at, account_id, account, session_id, address, action, object_type, object_id, object_name, result, group_id,
 * detail each written as its length in bytes (decimal), ':' and its bytes; a field that is absent (NULL) is "-:".
 * Numbers are decimal, ids in their lower-case form with hyphens, at is UTC as 2026-11-24T10:00:00.123456Z with six
 * digits always, detail is the text as stored. The column is text, not jsonb: what jsonb gives back is not what went
 * in, and nothing promises that two versions of PostgreSQL give back the same bytes.
 *
 * Whoever adds a record locks the row of audit_head until its COMMIT. So the record comes last in a transaction: then
 * nobody who holds that lock waits for another one, and no deadlock can arise. */
#ifndef SEKISHO_STORE_AUDIT_H
#define SEKISHO_STORE_AUDIT_H

#include "store/db.h"

/* The row of c's route from c->audit, c->changes and c->principal, result "done", in c->tx. Nothing when the route has
 * no audit name. */
enum rc audit_write(struct call *c) MUST_CHECK;

struct audit_row {
    usec_t at;           /* 0: now */
    struct uuid account; /* nil: none */
    struct slice name;   /* as typed, where there is no account */
    struct uuid session; /* nil: none */
    const char *address;
    const char *action;
    const char *object_type; /* NULL: none */
    struct uuid object_id;   /* nil: none */
    struct slice object_name;
    struct uuid group;        /* where the object belongs; nil: looked up */
    const char *result;       /* done, denied, failed */
    struct slice detail_json; /* p == NULL: {} */
};
/* The last statement before the COMMIT. */
enum rc audit_insert(struct tx *tx, struct arena *a, const struct audit_row *row) MUST_CHECK;

/* {"changes":[...]}, for detail_json; p == NULL for none. */
struct slice audit_detail(struct arena *a, const struct audit_change *changes, size_t n);
/* Of a record's detail; those of records of before have none. At most AUDIT_CHANGES_MAX. */
size_t audit_detail_read(struct arena *a, struct slice detail, struct audit_change **ret);

/* A record as it is stored. */
struct audit_record {
    struct uuid id;
    usec_t at;
    struct uuid account;
    struct slice name;
    struct uuid session;
    struct slice address, action, object_type;
    struct uuid object_id;
    struct slice object_name, result, detail;
    struct uuid group;
    int64_t seq; /* 0: of before the chain */
    struct sha256 hash;
};
struct sha256 audit_start(int tenant_no);
struct slice audit_canonical(struct arena *a, const struct audit_record *r);
struct sha256 audit_hash(struct arena *a, const struct sha256 *before, const struct audit_record *r);

struct audit_filter {
    struct uuid account, object;                      /* nil: any */
    struct slice object_type, action, result, search; /* p == NULL: any */
    usec_t from, to;                                  /* 0: open */
};
enum rc audit_page(struct tx *tx, struct arena *a, const struct audit_filter *f, usec_t after_time,
                   struct uuid after_id, int limit, struct audit_record **ret, size_t *ret_n) MUST_CHECK;
enum rc audit_head(struct tx *tx, struct arena *a, int64_t *ret_seq, struct sha256 *ret_hash) MUST_CHECK;
/* Locks the head until the end of tx. */
enum rc audit_head_lock(struct tx *tx, struct arena *a, int64_t *ret_seq, struct sha256 *ret_hash) MUST_CHECK;
/* Something was added since the newest seal, and that, or without one the first record, is not younger than before. */
enum rc audit_seal_due(struct tx *tx, struct arena *a, usec_t before, bool *ret) MUST_CHECK;

/* For whoever runs the statements without a transaction of a worker (provision/): audit_lock, then audit_insert;
 * audit_page (all groups in reach); rows of audit_page and audit_chain. */
void audit_lock_args(struct sql_args *args, const struct audit_row *row);
void audit_next(struct arena *a, const struct rows *locked, const struct audit_row *row, struct audit_record *ret);
void audit_insert_args(struct sql_args *args, const struct audit_record *r);
void audit_page_args(struct sql_args *args, const struct audit_filter *f, usec_t after_time, struct uuid after_id,
                     int limit);
void audit_record_read(const struct rows *r, struct arena *a, int row, struct audit_record *ret);

#endif
