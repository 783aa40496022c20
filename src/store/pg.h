/* SPDX-License-Identifier: Apache-2.0 */
/* pg.h - one connection to PostgreSQL, always in pipeline mode, with its prepared statements. Inside store/ and, for
 * the owner's work, provision/ only; everybody else uses db.h and batch.h. One thread owns a connection. Every wait has
 * an end: a server that stands still for answer_timeout is treated as lost, so no caller hangs.
 *
 * Use: pg_open, send any number of statements, pg_send_sync, then pg_read for each statement and for the sync. What is
 * between two syncs is one transaction unless an explicit BEGIN is open. */
#ifndef SEKISHO_PG_H
#define SEKISHO_PG_H

#include "store/db.h"

#define PG_LISTEN_CHANNEL "sekisho_control"

struct pg;

struct pg_config { /* strings are copied */
    const char *conninfo;
    const char *user;        /* NULL: as conninfo says */
    const char *application; /* shown in pg_stat_activity */
    int statement_timeout;   /* ms; 0 none */
    int lock_timeout;        /* ms; 0 none */
    bool by_index;           /* never scan a table: a plan made while it was empty would stay when it is full */
    int answer_timeout;      /* ms without any byte from the server; 0: statement_timeout + 3 s, or none */
};

struct pg *pg_new(const struct pg_config *c); /* does not connect yet */
void pg_free(struct pg **pg);                 /* NULL allowed */
/* Connected afterwards. Between failed attempts it backs off (100 ms doubling to 1 s, with jitter) and answers
 * RC_UNAVAILABLE at once. Between transactions it forgets the statements used least, and reopens a backend that has
 * prepared so much that its caches are about 128 MB. */
enum rc pg_open(struct pg *pg) MUST_CHECK;
void pg_drop(struct pg *pg);                 /* closes at once; the next pg_open connects without back-off */
const char *pg_why(const struct pg *pg);     /* the last failure to connect or the last loss, for the operator */
unsigned pg_generation(const struct pg *pg); /* grows with each connection made; 0: none yet */
size_t pg_prepared(const struct pg *pg);     /* statements held */

/* ---- sending. "quiet" statements give no answer of their own: their failure is that of the next statement. */
void pg_send_text(struct pg *pg, const char *text, const struct sql_args *args, bool quiet); /* args NULL: none */
/* set_config of role, and of application_name when given, local to the transaction; quiet. */
void pg_send_role(struct pg *pg, const char *role, const char *application);
/* Prepared once per (statement, tenant); tenant_no 0 for control statements. */
void pg_send_statement(struct pg *pg, enum sql_id id, int tenant_no, const struct sql_args *args);
void pg_send_sync(struct pg *pg);

/* ---- reading, in the order of sending */
enum pg_kind {
    PG_ROWS,    /* done; the result is the caller's, pg_clear frees it */
    PG_ERROR,   /* this statement failed: sqlstate, message */
    PG_SKIPPED, /* an earlier statement before the same sync failed */
    PG_SYNCED,  /* the sync's answer: what came before is committed, if nothing failed and no BEGIN is open */
    PG_FAILED,  /* the sync's answer: the commit itself failed: sqlstate, message */
    PG_LOST     /* the connection is gone, or the server stands still; it was closed */
};
struct pg_answer {
    enum pg_kind kind;
    void *result;
    char sqlstate[6];
    char message[240];
    bool stale; /* a prepared statement was not usable any more (0A000, 26000); it was forgotten: run it once again */
};
enum pg_kind pg_read(struct pg *pg, struct pg_answer *ret);
void pg_clear(void *result);                                    /* fits arena_defer */
int pg_count(const void *result);                               /* rows */
struct slice pg_value(const void *result, int row, int column); /* p == NULL: NULL; must exist */
struct slice pg_tag(const void *result);                        /* "COMMIT", "INSERT 0 1" */
struct slice pg_affected(const void *result);                   /* decimal, or empty */

/* ---- the owner's plain work: one statement, one round trip. Inside pg_begin/pg_commit, or a transaction of its own.
 */
struct pg_error {
    char sqlstate[6];
    char message[240];
};
/* ret may be NULL; rows belong to the arena. err may be NULL. */
enum rc pg_run(struct pg *pg, struct arena *a, const char *text, const struct sql_args *args, struct rows *ret,
               struct pg_error *err) MUST_CHECK;
enum rc pg_run_statement(struct pg *pg, struct arena *a, enum sql_id id, int tenant_no, const struct sql_args *args,
                         struct rows *ret, struct pg_error *err) MUST_CHECK;
enum rc pg_begin(struct pg *pg, struct pg_error *err) MUST_CHECK;
enum rc pg_commit(struct pg *pg, struct pg_error *err) MUST_CHECK;
/* Ends a transaction that only read, without waiting: the next pg_open reads the answer, which nobody needs. */
void pg_leave(struct pg *pg);
void pg_rollback(struct pg *pg);
bool pg_in_transaction(const struct pg *pg);

/* Waits up to ms for a notification of a channel that was LISTENed to; true when one (or several) came. */
bool pg_wait_notify(struct pg *pg, int ms);

/* A connection of a db, for batch.c. */
struct pg *db_connection(struct db *db, int slice);

/* ---- facts about connection strings and results */
enum rc pg_rc(const char *sqlstate);         /* what an SQLSTATE means for the caller */
bool pg_sqlstate_lost(const char *sqlstate); /* the backend is of no use any more: 57P01, 25006, 08xxx, ... */
struct pg_names {
    char user[64];
    char database[64];
    char password[256]; /* "": none */
};
enum rc pg_names(const char *conninfo, struct pg_names *ret) MUST_CHECK; /* RC_INVALID: not a connection string */
/* SCRAM verifier of a password for CREATE/ALTER ROLE, so that the password itself is never sent. */
enum rc pg_verifier(struct pg *pg, struct arena *a, const char *user, const char *password,
                    const char **ret) MUST_CHECK;
/* Quoted names and literals for the few statements that take no parameters; operator's configuration only. */
const char *pg_identifier(struct pg *pg, struct arena *a, const char *name);
const char *pg_literal(struct pg *pg, struct arena *a, const char *text);

#endif
