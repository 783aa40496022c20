/* SPDX-License-Identifier: Apache-2.0 */
/* pg.c - the only file that knows libpq. Non-blocking sockets and poll, so that each wait has an end; a queue of what
 * was sent tells how each answer is to be read. Prepared statements are kept in a map with a list from the newest to
 * the oldest use; one counts as prepared only after its own answer, one is forgotten only after the DEALLOCATE's
 * answer. */
#include "store/pg.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/map.h"
#include "common/must.h"
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define STATEMENTS_MAX  2000 /* held at once */
#define STATEMENTS_TRIM 200  /* forgotten together */
#define STATEMENTS_LIFE 3500 /* prepared in a backend's life: about 128 MB of plans and catalogue caches */
#define CONNECT_TIMEOUT 3000 /* ms */
#define BACKOFF_FIRST   100
#define BACKOFF_LAST    1000 /* agents find the service again a moment after the database is back */
#define ROLE_STATEMENT  "role"
#define ROLE_TEXT                                                                                             \
    "SELECT pg_catalog.set_config('role', $1, true), pg_catalog.set_config('application_name', coalesce($2, " \
    "pg_catalog.current_setting('application_name')), true)"

struct prepared {
    enum sql_id id;
    int tenant_no;
    struct prepared *newer, *older;
};

struct key {
    int32_t id;
    int32_t tenant_no;
};

enum step_kind { STEP_TEXT, STEP_QUIET, STEP_PREPARE, STEP_STATEMENT, STEP_SYNC };

struct step {
    enum step_kind kind;
    struct key key;
};

struct pg {
    char *conninfo, *user, *application;
    int statement_timeout, lock_timeout, answer_timeout;
    bool by_index;
    PGconn *conn;           /* NULL: closed */
    bool broken;            /* an answer or a send failed: everything up to the next pg_open is lost */
    bool left;              /* a COMMIT was sent whose answers are to be read by the next pg_open */
    bool reopen;            /* the prepared statement of the role is gone: a new connection between transactions */
    struct map *statements; /* struct key -> struct prepared */
    struct prepared *newest, *oldest;
    size_t prepared_in_life;
    unsigned generation;
    struct step *steps; /* a ring */
    size_t first, n_steps, cap_steps;
    struct pg_answer pending; /* failure of a quiet statement or of a preparation, waiting for the statement it is of */
    bool has_pending;
    int backoff; /* ms; 0: none */
    uint64_t not_before_ns;
    char why[240];
};

/* ---- small things */

static char *copy_or_null(const char *s)
{
    return s ? must_strdup(s) : NULL;
}

struct pg *pg_new(const struct pg_config *c)
{
    struct pg *pg = must_alloc(sizeof(*pg));

    *pg = (struct pg){.conninfo = must_strdup(c->conninfo),
                      .user = copy_or_null(c->user),
                      .application = must_strdup(c->application ? c->application : "sekisho"),
                      .statement_timeout = c->statement_timeout,
                      .by_index = c->by_index,
                      .lock_timeout = c->lock_timeout,
                      .answer_timeout = c->answer_timeout,
                      .statements = map_new(64)};
    if (pg->answer_timeout == 0 && pg->statement_timeout)
        pg->answer_timeout = pg->statement_timeout + 3000;
    return pg;
}

static void forget_all(struct pg *pg)
{
    map_free(&pg->statements, free);
    pg->statements = map_new(64);
    pg->newest = pg->oldest = NULL;
}

void pg_drop(struct pg *pg)
{
    if (pg->conn)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->broken = false;
    pg->reopen = false;
    pg->left = false;
    pg->first = pg->n_steps = 0;
    pg->has_pending = false;
    pg->prepared_in_life = 0;
    forget_all(pg);
}

void pg_free(struct pg **pg)
{
    if (!*pg)
        return;
    pg_drop(*pg);
    map_free(&(*pg)->statements, free);
    free((*pg)->steps);
    if ((*pg)->conninfo)
        explicit_bzero((*pg)->conninfo, strlen((*pg)->conninfo));
    free((*pg)->conninfo);
    free((*pg)->user);
    free((*pg)->application);
    free(*pg);
    *pg = NULL;
}

const char *pg_why(const struct pg *pg)
{
    return pg->why[0] ? pg->why : "not connected yet";
}

unsigned pg_generation(const struct pg *pg)
{
    return pg->generation;
}

size_t pg_prepared(const struct pg *pg)
{
    return map_size(pg->statements);
}

void pg_clear(void *result)
{
    PQclear(result);
}

int pg_count(const void *result)
{
    return PQntuples(result);
}

struct slice pg_value(const void *result, int row, int column)
{
    must(row >= 0 && row < PQntuples(result) && column >= 0 && column < PQnfields(result));
    if (PQgetisnull(result, row, column))
        return SLICE_NONE;
    return slice_mem(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

struct slice pg_tag(const void *result)
{
    return slice_of(PQcmdStatus((PGresult *)(uintptr_t)result)); /* libpq takes no const here, but changes nothing */
}

struct slice pg_affected(const void *result)
{
    return slice_of(PQcmdTuples((PGresult *)(uintptr_t)result));
}

/* First line only; libpq's own sentences name no password. */
static void keep_why(struct pg *pg, const char *what)
{
    struct slice rest = slice_trim(slice_of(what));
    struct slice line = slice_cut(&rest, '\n');

    snprintf(pg->why, sizeof(pg->why), SLICE_FMT, SLICE_ARG(slice_utf8_head(line, sizeof(pg->why) - 1)));
}

static void lose(struct pg *pg, const char *why)
{
    if (pg->broken)
        return;
    pg->broken = true;
    keep_why(pg, why && *why ? why : "the connection was lost");
    ev_warn(AREA_STORE, "database connection lost", EV_STR("user", pg->user ? pg->user : ""), EV_STR("why", pg->why));
}

static void step_add(struct pg *pg, enum step_kind kind, struct key key)
{
    if (pg->n_steps == pg->cap_steps) {
        size_t cap = pg->cap_steps ? pg->cap_steps * 2 : 64;
        struct step *s = must_alloc(cap * sizeof(*s));

        for (size_t i = 0; i < pg->n_steps; i++)
            s[i] = pg->steps[(pg->first + i) % pg->cap_steps];
        free(pg->steps);
        pg->steps = s;
        pg->first = 0;
        pg->cap_steps = cap;
    }
    pg->steps[(pg->first + pg->n_steps++) % pg->cap_steps] = (struct step){kind, key};
}

static void sent(struct pg *pg, int fine)
{
    if (!fine)
        lose(pg, pg->conn ? PQerrorMessage(pg->conn) : NULL);
}

static int remaining_ms(uint64_t until_ns)
{
    uint64_t now = clock_mono_ns();

    if (now >= until_ns)
        return 0;
    return (int)((until_ns - now) / 1000000 + 1);
}

/* poll that goes on after signals; true when something can be read or written. */
static bool wait_fd(int fd, short events, uint64_t until_ns)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&p, 1, until_ns ? remaining_ms(until_ns) : -1);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* ---- connecting */

static bool connect_wait(PGconn *conn)
{
    uint64_t until = clock_mono_ns() + (uint64_t)CONNECT_TIMEOUT * 1000000;
    PostgresPollingStatusType st = PGRES_POLLING_WRITING;

    while (st != PGRES_POLLING_OK) {
        if (st == PGRES_POLLING_FAILED)
            return false;
        if (!wait_fd(PQsocket(conn), st == PGRES_POLLING_READING ? POLLIN : POLLOUT, until))
            return false;
        st = PQconnectPoll(conn);
    }
    return true;
}

static void notice_ignored(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static bool settings(struct pg *pg)
{
    char text[900];
    struct pg_answer a;
    bool fine;

    snprintf(
        text, sizeof(text),
        "SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false), "
        /* Starting parallel workers takes longer than a statement of ours may. */
        "pg_catalog.set_config('max_parallel_workers_per_gather', '0', false), "
        "pg_catalog.set_config('TimeZone', 'UTC', false), pg_catalog.set_config('DateStyle', 'ISO, MDY', false), "
        "pg_catalog.set_config('IntervalStyle', 'iso_8601', false), pg_catalog.set_config('bytea_output', 'hex', "
        "false), "
        "pg_catalog.set_config('search_path', 'pg_catalog', false), pg_catalog.set_config('jit', 'off', false), "
        "pg_catalog.set_config('enable_seqscan', '%s', false), "
        "pg_catalog.set_config('statement_timeout', '%d', false), pg_catalog.set_config('lock_timeout', '%d', false)",
        pg->by_index ? "off" : "on", pg->statement_timeout, pg->lock_timeout);
    pg_send_text(pg, text, NULL, true);
    step_add(pg, STEP_TEXT, (struct key){0});
    sent(pg, PQsendPrepare(pg->conn, ROLE_STATEMENT, ROLE_TEXT, 0, NULL));
    pg_send_sync(pg);
    fine = pg_read(pg, &a) == PG_ROWS;
    if (fine)
        pg_clear(a.result);
    else if (a.kind == PG_ERROR)
        keep_why(pg, a.message);
    return a.kind != PG_LOST && pg_read(pg, &a) == PG_SYNCED && fine;
}

static bool try_connect(struct pg *pg)
{
    const char *keys[] = {"dbname", "user", "client_encoding", "fallback_application_name", NULL};
    const char *values[] = {pg->conninfo, pg->user, "UTF8", pg->application, NULL};

    if (!pg->user) { /* a NULL value would end nothing, but an empty one asks for the system's user */
        keys[1] = keys[2], values[1] = values[2];
        keys[2] = keys[3], values[2] = values[3];
        keys[3] = NULL;
    }
    pg->conn = PQconnectStartParams(keys, values, 1);
    must(pg->conn != NULL);
    PQsetNoticeReceiver(pg->conn, notice_ignored, NULL);
    if (PQstatus(pg->conn) == CONNECTION_BAD || !connect_wait(pg->conn)) {
        const char *said = PQerrorMessage(pg->conn);

        keep_why(pg, said && *said ? said : "PostgreSQL did not answer in time");
        return false;
    }
    pg->generation++;
    count(C_database_connects);
    if (PQsetnonblocking(pg->conn, 1) != 0 || !PQenterPipelineMode(pg->conn)) {
        keep_why(pg, PQerrorMessage(pg->conn));
        return false;
    }
    return settings(pg);
}

/* The first attempt after a loss is made at once; the delay grows from the second on. */
static enum rc connect_paced(struct pg *pg)
{
    if (pg->not_before_ns && clock_mono_ns() < pg->not_before_ns)
        return RC_UNAVAILABLE;
    if (try_connect(pg)) {
        if (pg->backoff)
            ev_info(AREA_STORE, "database connected again", EV_STR("user", pg->user ? pg->user : ""));
        pg->backoff = 0;
        pg->not_before_ns = 0;
        return RC_OK;
    }
    pg_drop(pg);
    if (pg->backoff == 0)
        ev_warn(AREA_STORE, "database not reachable", EV_STR("user", pg->user ? pg->user : ""), EV_STR("why", pg->why));
    pg->backoff = pg->backoff == 0 ? BACKOFF_FIRST : pg->backoff * 2 > BACKOFF_LAST ? BACKOFF_LAST : pg->backoff * 2;
    pg->not_before_ns = clock_mono_ns() + ((uint64_t)pg->backoff / 2 + random_below((uint64_t)pg->backoff)) * 1000000;
    return RC_UNAVAILABLE;
}

static void unlink_statement(struct pg *pg, struct prepared *s)
{
    *(s->newer ? &s->newer->older : &pg->newest) = s->older;
    *(s->older ? &s->older->newer : &pg->oldest) = s->newer;
    s->newer = s->older = NULL;
}

static void link_newest(struct pg *pg, struct prepared *s)
{
    s->older = pg->newest;
    s->newer = NULL;
    if (pg->newest)
        pg->newest->newer = s;
    else
        pg->oldest = s;
    pg->newest = s;
}

static void forget(struct pg *pg, struct key key)
{
    struct prepared *s = map_remove(pg->statements, MAP_KEY(key));

    if (s) {
        unlink_statement(pg, s);
        free(s);
    }
}

#define NAME_SIZE 40

static const char *statement_name(struct key key, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "q%d_t%d", (int)key.id, (int)key.tenant_no);
    return out;
}

/* Between transactions only: DEALLOCATE of the statements used least. */
static void trim(struct pg *pg)
{
    struct key gone[STATEMENTS_TRIM];
    size_t n = 0;
    struct pg_answer a;

    for (struct prepared *s = pg->oldest; s && n < STATEMENTS_TRIM; s = s->newer)
        gone[n++] = (struct key){(int32_t)s->id, s->tenant_no};
    for (size_t i = 0; i < n; i++) {
        char text[NAME_SIZE + 16];
        char name[NAME_SIZE];

        snprintf(text, sizeof(text), "DEALLOCATE %s", statement_name(gone[i], name));
        pg_send_text(pg, text, NULL, false);
    }
    pg_send_sync(pg);
    for (size_t i = 0; i < n; i++) {
        pg_read(pg, &a);
        if (a.kind == PG_ROWS) {
            pg_clear(a.result);
            forget(pg, gone[i]);
        } else if (a.kind == PG_ERROR) {
            forget(pg, gone[i]);
        }
    }
    if (pg_read(pg, &a) != PG_SYNCED)
        lose(pg, "statements could not be released");
}

/* An idle connection that has something to say has, as a rule, been closed by the other side: found before a statement
 * is sent into it, so that nothing becomes uncertain. */
static void notice_loss(struct pg *pg)
{
    struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};

    if (poll(&p, 1, 0) <= 0)
        return;
    if (!PQconsumeInput(pg->conn) || PQstatus(pg->conn) == CONNECTION_BAD)
        lose(pg, PQerrorMessage(pg->conn));
}

static void finish_leaving(struct pg *pg)
{
    struct pg_answer a;

    pg->left = false;
    if (pg_read(pg, &a) == PG_ROWS)
        pg_clear(a.result);
    pg_read(pg, &a);
}

void pg_leave(struct pg *pg)
{
    pg_send_text(pg, "COMMIT", NULL, false);
    pg_send_sync(pg);
    pg->left = true;
    if (pg->conn && !pg->broken && PQflush(pg->conn) != 0) /* it does not fit: wait after all */
        finish_leaving(pg);
}

enum rc pg_open(struct pg *pg)
{
    if (pg->left)
        finish_leaving(pg);
    must(pg->n_steps == 0 || pg->broken);
    if (pg->conn && (pg->broken || PQstatus(pg->conn) == CONNECTION_BAD))
        pg_drop(pg);
    if (pg->conn && PQtransactionStatus(pg->conn) == PQTRANS_IDLE) {
        notice_loss(pg);
        if (pg->broken)
            pg_drop(pg);
        else if (pg->reopen || pg->prepared_in_life > STATEMENTS_LIFE)
            pg_drop(pg);
        else if (map_size(pg->statements) > STATEMENTS_MAX)
            trim(pg);
        if (pg->broken)
            pg_drop(pg);
    }
    return pg->conn ? RC_OK : connect_paced(pg);
}

/* ---- sending */

void pg_send_text(struct pg *pg, const char *text, const struct sql_args *args, bool quiet)
{
    step_add(pg, quiet ? STEP_QUIET : STEP_TEXT, (struct key){0});
    if (!pg->conn || pg->broken)
        return;
    sent(pg, PQsendQueryParams(pg->conn, text, args ? args->n : 0, NULL, args ? args->value : NULL, NULL, NULL, 0));
    count(C_sql_statements);
}

void pg_send_role(struct pg *pg, const char *role, const char *application)
{
    const char *values[2] = {role, application};

    step_add(pg, STEP_QUIET, (struct key){0});
    if (pg->conn && !pg->broken)
        sent(pg, PQsendQueryPrepared(pg->conn, ROLE_STATEMENT, 2, values, NULL, NULL, 0));
}

/* "{t}" -> "t_<no>" in a statement of the generated table. */
static char *statement_text(enum sql_id id, int tenant_no)
{
    const char *text = sql_statements[id].text;
    size_t n = strlen(text);
    char *out = must_alloc(n * 4 + 1);
    char name[16];
    size_t name_n = (size_t)snprintf(name, sizeof(name), "t_%d", tenant_no);
    size_t at = 0;

    for (size_t i = 0; i < n;) {
        if (n - i >= 3 && memcmp(text + i, "{t}", 3) == 0) {
            must(tenant_no > 0);
            memcpy(out + at, name, name_n);
            at += name_n;
            i += 3;
        } else {
            out[at++] = text[i++];
        }
    }
    return out;
}

/* A statement is in the map from the sending of its PREPARE on, and taken out again when that fails or is skipped. If
 * it was used again behind a later sync of the same pipeline meanwhile, that use fails with 26000 and is told as stale.
 */
static void prepare(struct pg *pg, struct key key)
{
    struct prepared *s = must_alloc(sizeof(*s));
    char name[NAME_SIZE];
    char *text;

    *s = (struct prepared){.id = (enum sql_id)key.id, .tenant_no = key.tenant_no};
    must(map_put(pg->statements, MAP_KEY(key), s) == NULL);
    link_newest(pg, s);
    step_add(pg, STEP_PREPARE, key);
    if (!pg->conn || pg->broken)
        return;
    text = statement_text((enum sql_id)key.id, key.tenant_no);
    sent(pg, PQsendPrepare(pg->conn, statement_name(key, name), text, 0, NULL));
    free(text);
    pg->prepared_in_life++;
}

void pg_send_statement(struct pg *pg, enum sql_id id, int tenant_no, const struct sql_args *args)
{
    struct key key = {(int32_t)id, sql_statements[id].control ? 0 : tenant_no};
    struct prepared *s;
    char name[NAME_SIZE];

    must((unsigned)id < SQL_COUNT);
    must(args == NULL ? sql_statements[id].n_params == 0 : args->n == sql_statements[id].n_params);
    s = map_get(pg->statements, MAP_KEY(key));
    if (!s) {
        prepare(pg, key);
    } else {
        unlink_statement(pg, s);
        link_newest(pg, s);
    }
    step_add(pg, STEP_STATEMENT, key);
    if (!pg->conn || pg->broken)
        return;
    sent(pg, PQsendQueryPrepared(pg->conn, statement_name(key, name), args ? args->n : 0, args ? args->value : NULL,
                                 NULL, NULL, 0));
    count(C_sql_statements);
}

void pg_send_sync(struct pg *pg)
{
    step_add(pg, STEP_SYNC, (struct key){0});
    if (pg->conn && !pg->broken)
        sent(pg, PQpipelineSync(pg->conn));
}

/* ---- reading */

/* True when PQgetResult will not block. */
static bool ready(struct pg *pg)
{
    for (;;) {
        uint64_t until = pg->answer_timeout ? clock_mono_ns() + (uint64_t)pg->answer_timeout * 1000000 : 0;
        int unsent = PQflush(pg->conn);

        if (unsent < 0) {
            lose(pg, PQerrorMessage(pg->conn));
            return false;
        }
        if (!PQisBusy(pg->conn))
            return true;
        if (!wait_fd(PQsocket(pg->conn), (short)(unsent ? POLLIN | POLLOUT : POLLIN), until)) {
            lose(pg, "PostgreSQL stands still: no answer in time");
            return false;
        }
        if (!PQconsumeInput(pg->conn)) {
            lose(pg, PQerrorMessage(pg->conn));
            return false;
        }
    }
}

static PGresult *next_result(struct pg *pg)
{
    if (!pg->conn || pg->broken || !ready(pg))
        return NULL;
    return PQgetResult(pg->conn);
}

static void take_error(struct pg_answer *a, enum pg_kind kind, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

    a->kind = kind;
    snprintf(a->sqlstate, sizeof(a->sqlstate), "%s", state ? state : "");
    if (!text)
        text = PQresultErrorMessage(r);
    snprintf(a->message, sizeof(a->message), SLICE_FMT, SLICE_ARG(slice_utf8_head(slice_of(text), 230)));
    count(C_sql_errors);
}

/* One statement's answer and the NULL that ends it. */
static void read_statement(struct pg *pg, struct pg_answer *a)
{
    PGresult *r = next_result(pg);
    PGresult *end;

    *a = (struct pg_answer){.kind = PG_LOST};
    if (!r) {
        lose(pg, NULL);
        return;
    }
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        a->kind = PG_ROWS;
        a->result = r;
        break;
    case PGRES_PIPELINE_ABORTED:
        a->kind = PG_SKIPPED;
        break;
    default:
        take_error(a, PG_ERROR, r);
        if (pg_sqlstate_lost(a->sqlstate) || PQstatus(pg->conn) == CONNECTION_BAD)
            lose(pg, a->message);
        break;
    }
    if (a->kind != PG_ROWS)
        PQclear(r);
    end = pg->broken ? NULL : next_result(pg);
    if (end) { /* COPY or several results: no statement of ours does that */
        PQclear(end);
        lose(pg, "an answer that does not fit the protocol");
    }
    if (pg->broken) {
        if (a->kind == PG_ROWS)
            pg_clear(a->result);
        a->result = NULL;
        a->kind = PG_LOST;
    }
}

static void read_sync(struct pg *pg, struct pg_answer *a)
{
    *a = (struct pg_answer){.kind = PG_SYNCED};
    for (int quiet = 0; quiet < 4;) {
        PGresult *r = next_result(pg);
        ExecStatusType st;

        if (!r) {
            if (pg->broken)
                break;
            quiet++;
            continue;
        }
        st = PQresultStatus(r);
        if (st == PGRES_PIPELINE_SYNC) {
            PQclear(r);
            return;
        }
        if (st == PGRES_FATAL_ERROR) { /* the commit failed */
            take_error(a, PG_FAILED, r);
            if (pg_sqlstate_lost(a->sqlstate) || PQstatus(pg->conn) == CONNECTION_BAD)
                lose(pg, a->message);
        }
        PQclear(r);
    }
    lose(pg, NULL);
    *a = (struct pg_answer){.kind = PG_LOST};
}

static bool stale(const char *sqlstate)
{
    return strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0;
}

static void answered_prepare(struct pg *pg, struct key key, struct pg_answer *a)
{
    bool fine = a->kind == PG_ROWS;

    if (fine)
        pg_clear(a->result);
    else
        forget(pg, key);
}

static void keep_pending(struct pg *pg, const struct pg_answer *a)
{
    if (a->kind == PG_ERROR && !pg->has_pending) {
        pg->pending = *a;
        pg->has_pending = true;
    }
}

enum pg_kind pg_read(struct pg *pg, struct pg_answer *ret)
{
    for (;;) {
        struct step step;

        must(pg->n_steps > 0);
        step = pg->steps[pg->first];
        pg->first = (pg->first + 1) % pg->cap_steps;
        pg->n_steps--;
        if (step.kind == STEP_SYNC)
            read_sync(pg, ret);
        else
            read_statement(pg, ret);
        if (ret->kind == PG_LOST) {
            if (step.kind == STEP_QUIET || step.kind == STEP_PREPARE)
                continue; /* the statement it belongs to tells */
            return PG_LOST;
        }
        switch (step.kind) {
        case STEP_QUIET:
            if (ret->kind == PG_ROWS)
                pg_clear(ret->result);
            keep_pending(pg, ret);
            pg->reopen = pg->reopen || (ret->kind == PG_ERROR && stale(ret->sqlstate));
            continue;
        case STEP_PREPARE:
            keep_pending(pg, ret);
            answered_prepare(pg, step.key, ret);
            continue;
        case STEP_SYNC:
            pg->has_pending = false;
            return ret->kind;
        case STEP_STATEMENT:
        case STEP_TEXT:
            break;
        }
        if (ret->kind == PG_SKIPPED && pg->has_pending) {
            *ret = pg->pending;
            pg->has_pending = false;
        }
        if (ret->kind == PG_ERROR && step.kind == STEP_STATEMENT && stale(ret->sqlstate)) {
            ret->stale = true;
            forget(pg, step.key);
        }
        return ret->kind;
    }
}

/* ---- the owner's plain work */

static void say(struct pg_error *err, const char *sqlstate, const char *message)
{
    if (!err)
        return;
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", sqlstate);
    snprintf(err->message, sizeof(err->message), "%s", message);
}

/* saves: the statement commits by itself, so that a lost answer leaves it open whether it was done. */
static enum rc finish_one(struct pg *pg, struct arena *a, bool saves, struct rows *ret, struct pg_error *err)
{
    struct pg_answer st, end;
    enum rc rc;

    pg_read(pg, &st);
    pg_read(pg, &end);
    if (st.kind == PG_ROWS && end.kind == PG_SYNCED) {
        if (ret) {
            arena_defer(a, pg_clear, st.result);
            *ret = (struct rows){st.result, pg_count(st.result)};
        } else {
            pg_clear(st.result);
        }
        return RC_OK;
    }
    if (st.kind == PG_ROWS)
        pg_clear(st.result);
    if (st.kind == PG_LOST || end.kind == PG_LOST) {
        say(err, "08006", pg_why(pg));
        return saves ? RC_UNCERTAIN : RC_UNAVAILABLE;
    }
    if (st.kind == PG_ROWS)
        st = end; /* the commit failed */
    say(err, st.sqlstate, st.message);
    rc = pg_rc(st.sqlstate);
    return rc == RC_OK ? RC_INTERNAL : rc;
}

static enum rc open_or_say(struct pg *pg, struct pg_error *err)
{
    enum rc rc;

    /* Inside a transaction a lost connection must not be replaced: what was done is gone with it. */
    if (pg->conn && !pg->broken && PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
        return RC_OK;
    rc = pg_open(pg);
    if (rc != RC_OK)
        say(err, "08001", pg_why(pg));
    return rc;
}

enum rc pg_run(struct pg *pg, struct arena *a, const char *text, const struct sql_args *args, struct rows *ret,
               struct pg_error *err)
{
    enum rc rc = open_or_say(pg, err);
    bool saves;

    if (rc != RC_OK)
        return rc;
    saves = strcmp(text, "BEGIN") != 0 && (!pg_in_transaction(pg) || strcmp(text, "COMMIT") == 0);
    pg_send_text(pg, text, args, false);
    pg_send_sync(pg);
    return finish_one(pg, a, saves, ret, err);
}

enum rc pg_run_statement(struct pg *pg, struct arena *a, enum sql_id id, int tenant_no, const struct sql_args *args,
                         struct rows *ret, struct pg_error *err)
{
    enum rc rc = open_or_say(pg, err);
    bool saves;

    if (rc != RC_OK)
        return rc;
    if (args && args->n != sql_statements[id].n_params) {
        say(err, "22023", "a parameter is too long or holds a NUL");
        return RC_INVALID;
    }
    saves = !pg_in_transaction(pg);
    pg_send_statement(pg, id, tenant_no, args);
    pg_send_sync(pg);
    return finish_one(pg, a, saves, ret, err);
}

enum rc pg_begin(struct pg *pg, struct pg_error *err)
{
    must(!pg_in_transaction(pg));
    return pg_run(pg, NULL, "BEGIN", NULL, NULL, err);
}

enum rc pg_commit(struct pg *pg, struct pg_error *err)
{
    bool failed = !pg->conn || pg->broken || PQtransactionStatus(pg->conn) == PQTRANS_INERROR;

    if (failed) {
        pg_rollback(pg);
        say(err, "25P02", "the transaction had failed before");
        return RC_UNAVAILABLE;
    }
    return pg_run(pg, NULL, "COMMIT", NULL, NULL, err);
}

void pg_rollback(struct pg *pg)
{
    if (!pg_in_transaction(pg))
        return;
    if (pg_run(pg, NULL, "ROLLBACK", NULL, NULL, NULL) != RC_OK)
        pg_drop(pg);
}

bool pg_in_transaction(const struct pg *pg)
{
    PGTransactionStatusType st;

    if (!pg->conn || pg->broken)
        return false;
    st = PQtransactionStatus(pg->conn);
    return st == PQTRANS_INTRANS || st == PQTRANS_INERROR;
}

bool pg_wait_notify(struct pg *pg, int ms)
{
    uint64_t until = clock_mono_ns() + (uint64_t)ms * 1000000;
    bool came = false;

    if (!pg->conn || pg->broken)
        return false;
    do {
        PGnotify *n;

        if (!PQconsumeInput(pg->conn)) {
            lose(pg, PQerrorMessage(pg->conn));
            return came;
        }
        while ((n = PQnotifies(pg->conn)) != NULL) {
            came = true;
            PQfreemem(n);
        }
    } while (!came && wait_fd(PQsocket(pg->conn), POLLIN, until));
    return came;
}

/* ---- facts */

enum rc pg_rc(const char *s)
{
    static const struct {
        const char *prefix;
        enum rc rc;
    } table[] = {
        {"40", RC_CONFLICT},    {"23505", RC_CONFLICT}, {"23503", RC_CONFLICT},    {"23P01", RC_CONFLICT},
        {"23", RC_INVALID},     {"22", RC_INVALID},     {"55P03", RC_UNAVAILABLE}, {"57", RC_UNAVAILABLE},
        {"53", RC_UNAVAILABLE}, {"08", RC_UNAVAILABLE}, {"25006", RC_UNAVAILABLE}, {"25P03", RC_UNAVAILABLE},
        {"58", RC_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strncmp(s, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].rc;
    return RC_INTERNAL;
}

bool pg_sqlstate_lost(const char *s)
{
    return strncmp(s, "57P0", 4) == 0 || strncmp(s, "08", 2) == 0 || strcmp(s, "25006") == 0 || strcmp(s, "25P03") == 0;
}

enum rc pg_names(const char *conninfo, struct pg_names *ret)
{
    PQconninfoOption *o = PQconninfoParse(conninfo, NULL);

    if (!o)
        return RC_INVALID;
    *ret = (struct pg_names){0};
    for (PQconninfoOption *i = o; i->keyword; i++) {
        if (!i->val)
            continue;
        if (strcmp(i->keyword, "user") == 0)
            snprintf(ret->user, sizeof(ret->user), "%s", i->val);
        else if (strcmp(i->keyword, "dbname") == 0)
            snprintf(ret->database, sizeof(ret->database), "%s", i->val);
        else if (strcmp(i->keyword, "password") == 0)
            snprintf(ret->password, sizeof(ret->password), "%s", i->val);
    }
    PQconninfoFree(o);
    return RC_OK;
}

enum rc pg_verifier(struct pg *pg, struct arena *a, const char *user, const char *password, const char **ret)
{
    char *v;

    if (!pg->conn)
        return RC_UNAVAILABLE;
    v = PQencryptPasswordConn(pg->conn, password, user, "scram-sha-256");
    if (!v)
        return RC_INTERNAL;
    *ret = arena_strdup(a, v);
    PQfreemem(v);
    return RC_OK;
}

const char *pg_identifier(struct pg *pg, struct arena *a, const char *name)
{
    char *q = pg->conn ? PQescapeIdentifier(pg->conn, name, strlen(name)) : NULL;
    const char *out;

    must(q != NULL);
    out = arena_strdup(a, q);
    PQfreemem(q);
    return out;
}

const char *pg_literal(struct pg *pg, struct arena *a, const char *text)
{
    char *q = pg->conn ? PQescapeLiteral(pg->conn, text, strlen(text)) : NULL;
    const char *out;

    must(q != NULL);
    out = arena_strdup(a, q);
    PQfreemem(q);
    return out;
}
