/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - PostgreSQL for workers: connections per slice, transactions under a tenant's role, rows. One struct db belongs
 * to one worker thread. No function here is called on a loop thread. */
#ifndef SEKISHO_DB_H
#define SEKISHO_DB_H

#include "call/call.h"
#include "store/sql.gen.h"

struct params;
struct db; /* a worker's connections, opened when first needed, one per slice and one for control */
struct tx; /* an open transaction */

enum db_use { DB_BLOCKING, DB_BATCH, DB_SLOW, DB_BACKGROUND };

struct db *db_new(const struct params *p, enum db_use use);
void db_free(struct db **db);
bool db_ping(struct db *db); /* control connection answers */

/* Begins a transaction as the permit's tenant: BEGIN; set_config('role', 't_<no>', true), in one round trip with the
 * first statement. c may be NULL (background work); with c its trace id goes into application_name and faults into
 * c->fault. RC_UNAVAILABLE: no connection. */
enum rc tx_begin(struct db *db, struct call *c, struct arena *a, const struct permit *permit,
                 struct tx **ret) MUST_CHECK;
/* A transaction on the control schema: the service's own role, no tenant. */
enum rc tx_begin_control(struct db *db, struct call *c, struct arena *a, struct tx **ret) MUST_CHECK;
/* Which groups statements with {reach:...} see from now on. A transaction of a user sees none until this was said (it
 * is an error of ours to run such a statement), every other one all. */
void tx_reach_all(struct tx *tx);
void tx_reach_groups(struct tx *tx, const struct uuid *groups, size_t n);
enum rc tx_commit(struct tx **tx) MUST_CHECK; /* RC_UNCERTAIN: the connection broke during COMMIT */
void tx_abort(struct tx **tx);                /* NULL allowed */

/* Parameters: text values, in order. Memory is the caller's until tx_run returns. */
#define SQL_PARAMS_MAX 40
struct sql_args {
    const char *value[SQL_PARAMS_MAX]; /* NULL: SQL NULL */
    int n;
    struct arena *arena;
};
void args_init(struct sql_args *s, struct arena *a);
void args_slice(struct sql_args *s, struct slice v); /* p == NULL: NULL */
void args_str(struct sql_args *s, const char *v);
void args_uuid(struct sql_args *s, struct uuid v); /* nil: NULL */
void args_int(struct sql_args *s, int64_t v);
void args_bool(struct sql_args *s, bool v);
void args_time(struct sql_args *s, usec_t v);        /* 0: NULL; for ::timestamptz */
void args_bytes(struct sql_args *s, struct slice v); /* for ::bytea; p == NULL: NULL */
void args_null(struct sql_args *s);
/* Arrays as PostgreSQL array literals, escaped here: ::text[], ::uuid[], ::bigint[], ::jsonb[], ::timestamptz[]. */
struct sql_array;
struct sql_array *args_array(struct sql_args *s); /* adds a parameter; fill it before tx_run */
void array_slice(struct sql_array *x, struct slice v);
void array_uuid(struct sql_array *x, struct uuid v);
void array_int(struct sql_array *x, int64_t v);
void array_bool(struct sql_array *x, bool v);
void array_time(struct sql_array *x, usec_t v);
void array_null(struct sql_array *x);

/* Rows of a result; memory belongs to the transaction's arena. Columns count from 0 in the order of the statement. */
struct rows {
    void *result;
    int n;
};
enum rc tx_run(struct tx *tx, enum sql_id id, struct sql_args *args, struct rows *ret) MUST_CHECK;
/* As tx_run for statements of which at most one row is wanted: RC_NOT_FOUND when there is none. */
enum rc tx_one(struct tx *tx, enum sql_id id, struct sql_args *args, struct rows *ret) MUST_CHECK;
int64_t rows_affected(const struct rows *r);
bool rows_null(const struct rows *r, int row, int col);
struct slice rows_slice(const struct rows *r, int row, int col); /* p == NULL for NULL; points into the result */
int64_t rows_int(const struct rows *r, int row, int col);        /* 0 for NULL */
bool rows_bool(const struct rows *r, int row, int col);
struct uuid rows_uuid(const struct rows *r, int row, int col);
usec_t rows_time(const struct rows *r, int row, int col); /* connections run in UTC, ISO style */
struct slice rows_bytes(const struct rows *r, struct arena *a, int row, int col);
/* One-dimensional text arrays. */
size_t rows_array(const struct rows *r, struct arena *a, int row, int col, struct slice **ret_items);

#endif
