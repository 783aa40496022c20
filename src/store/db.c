/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - a worker's connections and its transactions. Per slice one connection under the slice's login role, one for
 * control; opened when first needed. A transaction is BEGIN and set_config('role') sent in one go with its first
 * statement; if the connection proves dead at that point, or the statement stale, it is begun again once: nothing has
 * happened yet. */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include "store/pg.h"
#include <stdio.h>
#include <stdlib.h>

#define SLICES_MAX   64
#define CONTROL_ROLE "sekisho_service"

struct db {
    const struct params *params;
    enum db_use use;
    struct pg *slice[SLICES_MAX];
    struct pg *control;
    bool busy[SLICES_MAX + 1]; /* a transaction is open; the last one: control */
};

struct tx {
    struct db *db;
    struct pg *pg;
    struct call *call; /* may be NULL */
    struct arena *arena;
    bool *busy;
    char role[24];
    int tenant_no;     /* 0: control */
    const char *reach; /* array literal of groups; NULL: all */
    bool reach_known;
    bool begun;
    bool wrote;
    enum rc failed; /* RC_OK: fine so far */
};

static const struct {
    const char *name;
    int statement_timeout, lock_timeout; /* ms; statement 0: params.statement_timeout */
} uses[] = {
    [DB_BLOCKING] = {"sekishod blocking", 0, 2000},
    [DB_BATCH] = {"sekishod batch", 1000, 50},
    [DB_SLOW] = {"sekishod slow", 60000, 5000},
    [DB_BACKGROUND] = {"sekishod background", 30000, 2000},
};

struct db *db_new(const struct params *p, enum db_use use)
{
    struct db *db = must_alloc(sizeof(*db));

    db->params = p;
    db->use = use;
    return db;
}

void db_free(struct db **db)
{
    if (!*db)
        return;
    for (int i = 0; i < SLICES_MAX; i++)
        pg_free(&(*db)->slice[i]);
    pg_free(&(*db)->control);
    free(*db);
    *db = NULL;
}

/* Login role of a slice; the control connection uses that of slice 0. */
static struct pg *connection(struct db *db, int slice)
{
    struct pg **pg = slice < 0 ? &db->control : &db->slice[slice];

    if (!*pg) {
        char user[24];
        int timeout = uses[db->use].statement_timeout;

        snprintf(user, sizeof(user), "sekisho_s%d", slice < 0 ? 0 : slice);
        *pg = pg_new(&(struct pg_config){
            .conninfo = db->params->database,
            .user = user,
            .application = uses[db->use].name,
            .by_index = db->use == DB_BATCH,
            .statement_timeout = timeout ? timeout : (int)db->params->statement_timeout,
            .lock_timeout = uses[db->use].lock_timeout,
        });
    }
    return *pg;
}

struct pg *db_connection(struct db *db, int slice)
{
    must(slice >= 0 && slice < SLICES_MAX);
    return connection(db, slice);
}

bool db_ping(struct db *db)
{
    struct pg *pg = connection(db, -1);

    if (db->busy[SLICES_MAX])
        return true;
    return pg_run(pg, NULL, "SELECT 1", NULL, NULL, NULL) == RC_OK;
}

/* The first failure of a call is kept for the operator. Messages of class 22 quote the input, so they are left out. */
static enum rc failure(struct tx *tx, enum rc rc, const char *sqlstate, const char *message)
{
    struct fault *f = tx->call ? &tx->call->fault : NULL;

    tx->failed = rc;
    if (!f)
        return rc;
    if (!f->sqlstate[0])
        snprintf(f->sqlstate, sizeof(f->sqlstate), "%s", sqlstate);
    if (!f->op_detail[0])
        snprintf(f->op_detail, sizeof(f->op_detail), "%s",
                 strncmp(sqlstate, "22", 2) == 0 ? "a value was refused" : message);
    return rc;
}

static enum rc begin(struct db *db, struct call *c, struct arena *a, int slice, int tenant_no, struct tx **ret)
{
    struct tx *tx = ARENA_NEW(a, struct tx);
    enum rc rc;

    *tx = (struct tx){.db = db, .pg = connection(db, slice), .call = c, .arena = a, .tenant_no = tenant_no};
    tx->reach_known = !c || !c->principal || principal_kind(c->principal) != PRINCIPAL_USER;
    tx->busy = &db->busy[slice < 0 ? SLICES_MAX : slice];
    must(!*tx->busy);
    if (tenant_no)
        snprintf(tx->role, sizeof(tx->role), "t_%d", tenant_no);
    else
        snprintf(tx->role, sizeof(tx->role), "%s", CONTROL_ROLE);
    rc = pg_open(tx->pg);
    if (rc != RC_OK)
        return failure(tx, rc, "08001", pg_why(tx->pg));
    *tx->busy = true;
    *ret = tx;
    return RC_OK;
}

enum rc tx_begin(struct db *db, struct call *c, struct arena *a, const struct permit *permit, struct tx **ret)
{
    const struct tenant *t = scope_tenant(permit_scope(permit));

    must(t->no > 0 && t->slice >= 0);
    if (t->slice >= db->params->slices || t->slice >= SLICES_MAX) {
        ev_error(AREA_STORE, "the tenant's slice is beyond the parameter slices", EV_INT("tenant", t->no),
                 EV_INT("slice", t->slice));
        return RC_UNAVAILABLE;
    }
    return begin(db, c, a, t->slice, t->no, ret);
}

enum rc tx_begin_control(struct db *db, struct call *c, struct arena *a, struct tx **ret)
{
    return begin(db, c, a, -1, 0, ret);
}

void tx_reach_all(struct tx *tx)
{
    tx->reach = NULL;
    tx->reach_known = true;
}

void tx_reach_groups(struct tx *tx, const struct uuid *groups, size_t n)
{
    struct sql_args args;
    struct sql_array *list;

    args_init(&args, tx->arena);
    list = args_array(&args);
    for (size_t i = 0; i < n; i++)
        array_uuid(list, groups[i]);
    tx->reach = args.value[0];
    tx->reach_known = true;
}

/* The groups in reach as the last parameter. */
static enum rc add_reach(struct tx *tx, enum sql_id id, const struct sql_args *args, struct sql_args *ret)
{
    if (!tx->reach_known)
        return fault_op(tx->call, failure(tx, RC_INTERNAL, "", ""), "%s ran before access_enter",
                        sql_statements[id].name);
    if (args)
        *ret = *args;
    else
        args_init(ret, tx->arena);
    ret->value[ret->n++] = tx->reach;
    return RC_OK;
}

static void send_one(struct tx *tx, enum sql_id id, struct sql_args *args)
{
    if (!tx->begun) {
        pg_send_text(tx->pg, "BEGIN", NULL, true);
        pg_send_role(tx->pg, tx->role, tx->call && tx->call->trace_id[0] ? tx->call->trace_id : NULL);
    }
    pg_send_statement(tx->pg, id, tx->tenant_no, args);
    pg_send_sync(tx->pg);
}

static void read_one(struct tx *tx, struct pg_answer *st)
{
    struct pg_answer end;

    pg_read(tx->pg, st);
    if (pg_read(tx->pg, &end) == PG_SYNCED)
        return;
    if (st->kind == PG_ROWS)
        pg_clear(st->result);
    *st = end;
}

/* True when the first statement may be tried once more from BEGIN. */
static bool begin_again(struct tx *tx, const struct pg_answer *st)
{
    if (tx->begun || (st->kind != PG_LOST && !st->stale))
        return false;
    if (st->stale)
        pg_rollback(tx->pg);
    return pg_open(tx->pg) == RC_OK;
}

/* Until now, for the tenant. */
static int64_t charge(const struct tx *tx, uint64_t began)
{
    int64_t took = (int64_t)(clock_mono_ns() - began);

    count_tenant(T_tenant_database_seconds, tx->tenant_no, took);
    return took;
}

enum rc tx_run(struct tx *tx, enum sql_id id, struct sql_args *args, struct rows *ret)
{
    struct pg_answer st;
    struct sql_args with_reach;
    uint64_t began;
    int64_t took;

    *ret = (struct rows){0};
    if (tx->failed != RC_OK)
        return tx->failed;
    must(sql_statements[id].control == (tx->tenant_no == 0));
    if (args && args->n > SQL_PARAMS_MAX)
        return failure(tx, RC_INVALID, "22021", "");
    if (sql_statements[id].reach) {
        if (add_reach(tx, id, args, &with_reach) != RC_OK)
            return tx->failed;
        args = &with_reach;
    }
    began = clock_mono_ns();
    send_one(tx, id, args);
    read_one(tx, &st);
    if (begin_again(tx, &st)) {
        send_one(tx, id, args);
        read_one(tx, &st);
    }
    took = charge(tx, began);
    ev_debug(AREA_STORE, "statement", EV_STR("name", sql_statements[id].name), EV_INT("usec", took / 1000),
             EV_INT("rows", st.kind == PG_ROWS ? pg_count(st.result) : -1),
             EV_STR("sqlstate", st.kind == PG_ROWS ? NULL : st.sqlstate));
    if (st.kind == PG_ROWS) {
        tx->begun = true;
        tx->wrote = tx->wrote || sql_statements[id].writes;
        arena_defer(tx->arena, pg_clear, st.result);
        *ret = (struct rows){st.result, pg_count(st.result)};
        return RC_OK;
    }
    tx->begun = pg_in_transaction(tx->pg);
    if (st.kind == PG_LOST)
        return failure(tx, RC_UNAVAILABLE, "08006", pg_why(tx->pg));
    if (st.stale)
        return failure(tx, RC_CONFLICT, st.sqlstate, st.message);
    return failure(tx, pg_rc(st.sqlstate), st.sqlstate, st.message);
}

enum rc tx_one(struct tx *tx, enum sql_id id, struct sql_args *args, struct rows *ret)
{
    enum rc rc = tx_run(tx, id, args, ret);

    if (rc == RC_OK && ret->n == 0)
        return RC_NOT_FOUND;
    return rc;
}

static void end(struct tx **tx)
{
    *(*tx)->busy = false;
    *tx = NULL;
}

/* The answer to COMMIT; it says ROLLBACK when the transaction had failed. */
static enum rc commit(struct tx *tx)
{
    struct pg_answer st, sync;
    uint64_t began = clock_mono_ns();
    bool committed;

    if (!tx->wrote) {
        pg_leave(tx->pg);
        return RC_OK;
    }
    pg_send_text(tx->pg, "COMMIT", NULL, false);
    pg_send_sync(tx->pg);
    pg_read(tx->pg, &st);
    pg_read(tx->pg, &sync);
    (void)charge(tx, began);
    if (st.kind == PG_LOST || sync.kind == PG_LOST) {
        if (st.kind == PG_ROWS)
            pg_clear(st.result);
        return failure(tx, RC_UNCERTAIN, "08006", pg_why(tx->pg));
    }
    if (st.kind != PG_ROWS)
        return failure(tx, pg_rc(st.sqlstate), st.sqlstate, st.message);
    committed = slice_eq(pg_tag(st.result), SLICE("COMMIT"));
    pg_clear(st.result);
    return committed ? RC_OK : failure(tx, RC_INTERNAL, "25P02", "COMMIT answered ROLLBACK");
}

enum rc tx_commit(struct tx **tx)
{
    enum rc rc = (*tx)->failed;

    if (rc != RC_OK)
        pg_rollback((*tx)->pg);
    else if ((*tx)->begun)
        rc = commit(*tx);
    end(tx);
    return rc;
}

void tx_abort(struct tx **tx)
{
    if (!*tx)
        return;
    pg_rollback((*tx)->pg);
    end(tx);
}
