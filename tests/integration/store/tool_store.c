/* SPDX-License-Identifier: Apache-2.0 */
/* tool_store.c - drives store/ against a real PostgreSQL for test_store.py: one command, results as JSON lines on
 * standard output. Tenants are named by number and slice ("3:1"), as no snapshot is loaded here. */
/* links: store call common */
#include "call/make_permit.h"
#include "call/make_scope.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include "store/batch.h"
#include "store/pg.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct params params;
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct permit *permit_for(struct arena *a, const char *tenant)
{
    struct tenant *t = ARENA_NEW(a, struct tenant);
    struct slice rest = slice_of(tenant);
    struct slice no = slice_cut(&rest, ':');

    must(slice_int(no, 1, 1000000, &t->no) && slice_int(rest, 0, 63, &t->slice));
    t->status = TENANT_ACTIVE;
    return permit_make(a, scope_make_named(a, t, NULL, NULL));
}

static void group_args(struct sql_args *s, struct arena *a, struct uuid id, struct uuid parent, const char *name)
{
    args_init(s, a);
    args_uuid(s, id);
    args_uuid(s, parent);
    args_str(s, name);
    args_null(s);
    args_time(s, clock_now());
}

/* ---- dump: every statement, for test_sql_prepare */

static int dump(void)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        struct strbuf b;
        struct json_writer w;

        strbuf_init(&b, 65536);
        json_start(&w, &b);
        json_object_open(&w);
        json_key(&w, "name");
        json_str(&w, slice_of(sql_statements[i].name));
        json_key(&w, "text");
        json_str(&w, slice_of(sql_statements[i].text));
        json_key(&w, "params");
        json_int(&w, sql_statements[i].n_params);
        json_key(&w, "control");
        json_bool(&w, sql_statements[i].control);
        json_object_close(&w);
        puts(b.p);
        strbuf_done(&b);
    }
    return 0;
}

/* ---- items */

struct put {
    struct batch_item item;
    struct uuid id;
    const char *tag;
};

static atomic_int open_items;

static void finished(struct batch_item *item, enum rc rc, const char *sqlstate)
{
    struct put *p = (struct put *)(void *)item;
    struct arena *a = item->arena;
    char text[UUID_TEXT_SIZE];

    pthread_mutex_lock(&out_lock);
    printf("{\"id\":\"%s\",\"tag\":\"%s\",\"rc\":\"%s\",\"sqlstate\":\"%s\",\"rows\":%d}\n", uuid_text(p->id, text),
           p->tag, rc_name(rc), sqlstate, item->calls[0].rows.result ? (int)rows_affected(&item->calls[0].rows) : -1);
    fflush(stdout);
    pthread_mutex_unlock(&out_lock);
    arena_free(&a);
    atomic_fetch_sub(&open_items, 1);
}

static struct put *put_new(const char *tenant, struct uuid device, struct uuid id, struct uuid parent, const char *tag)
{
    struct arena *a = arena_new(1024 * 1024);
    struct put *p = ARENA_NEW(a, struct put);

    p->id = id;
    p->tag = arena_strdup(a, tag);
    p->item.arena = a;
    p->item.permit = permit_for(a, tenant);
    p->item.device = device;
    p->item.done = finished;
    p->item.n_calls = 1;
    p->item.calls[0].id = SQL_group_insert;
    group_args(&p->item.calls[0].args, a, id, parent, tag);
    return p;
}

static void submit(struct batch_pool *b, struct put *p)
{
    atomic_fetch_add(&open_items, 1);
    while (batch_submit(b, &p->item) != RC_OK)
        usleep(1000);
}

/* bad TENANT OTHER: 20 good items of each, then one that breaks a foreign key, one that repeats an id, one with two
 * calls of which the second fails; with a first item that holds the worker back so that they meet in one batch. */
static int bad(char **argv)
{
    struct batch_pool *b = batch_pool_new(&params);
    struct uuid none = {0}, same = uuid_new();
    struct put *p;

    for (int i = 0; i < 20; i++) {
        submit(b, put_new(argv[0], uuid_new(), uuid_new(), none, "good"));
        submit(b, put_new(argv[1], uuid_new(), uuid_new(), none, "other"));
    }
    submit(b, put_new(argv[0], uuid_new(), uuid_new(), uuid_new(), "orphan"));
    submit(b, put_new(argv[0], uuid_new(), same, none, "first"));
    submit(b, put_new(argv[0], uuid_new(), same, none, "second"));
    p = put_new(argv[0], uuid_new(), uuid_new(), none, "half");
    p->item.n_calls = 2;
    p->item.calls[1].id = SQL_group_insert;
    group_args(&p->item.calls[1].args, p->item.arena, uuid_new(), uuid_new(), "half");
    submit(b, p);
    p = put_new(argv[0], uuid_new(), uuid_new(), none, "nul");
    args_init(&p->item.calls[0].args, p->item.arena);
    args_slice(&p->item.calls[0].args, SLICE("a\0b"));
    submit(b, p);
    batch_pool_free(&b);
    /* Poisoned now: a failure there must not cost the other tenant a retry. */
    printf("{\"retries\":%lld}\n", (long long)counter_read(C_batch_retries));
    return 0;
}

/* lanes TENANT OTHER: poisons TENANT, then counts the retries that its further failures cost. */
static int lanes(char **argv)
{
    struct batch_pool *b = batch_pool_new(&params);
    struct uuid none = {0};
    long long before;

    submit(b, put_new(argv[0], uuid_new(), uuid_new(), uuid_new(), "poison"));
    usleep(500000);
    before = counter_read(C_batch_retries);
    for (int i = 0; i < 50; i++) {
        submit(b, put_new(argv[0], uuid_new(), uuid_new(), uuid_new(), "poison"));
        submit(b, put_new(argv[0], uuid_new(), uuid_new(), none, "good"));
        submit(b, put_new(argv[1], uuid_new(), uuid_new(), none, "other"));
    }
    batch_pool_free(&b);
    printf("{\"retries\":%lld,\"more\":%lld}\n", before, (long long)counter_read(C_batch_retries) - before);
    return 0;
}

/* stream TENANT OTHER MS: submits without pause until standard input closes; a device's items are sent one after the
 * other in the same order of columns. */
static void *until_closed(void *arg)
{
    char c;

    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static int stream(char **argv)
{
    struct batch_pool *b = batch_pool_new(&params);
    struct uuid none = {0};
    atomic_bool stop = false;
    pthread_t reader;

    pthread_create(&reader, NULL, until_closed, &stop);
    for (int i = 0; !atomic_load(&stop); i++) {
        struct put *p = put_new(argv[i % 2], uuid_new(), uuid_new(), none, i % 2 ? "other" : "good");

        struct arena *a = p->item.arena; /* p is gone once it is submitted */
        bool taken;

        atomic_fetch_add(&open_items, 1);
        while (!(taken = batch_submit(b, &p->item) == RC_OK) && !atomic_load(&stop))
            usleep(1000);
        if (!taken)
            arena_free(&a);
        while (atomic_load(&open_items) > 100)
            usleep(200);
    }
    batch_pool_free(&b);
    pthread_join(reader, NULL);
    printf("{\"end\":true,\"batches\":%lld,\"items\":%lld}\n", (long long)counter_read(C_batches),
           (long long)counter_read(C_batch_items));
    return 0;
}

/* bench TENANT N: N items as fast as they go, for the figures. */
static atomic_int bench_open;
static atomic_llong bench_good;

static void bench_done(struct batch_item *item, enum rc rc, const char *sqlstate)
{
    struct arena *a = item->arena;

    (void)sqlstate;
    if (rc == RC_OK)
        atomic_fetch_add(&bench_good, 1);
    arena_free(&a);
    atomic_fetch_sub(&bench_open, 1);
}

static int bench(char **argv)
{
    struct batch_pool *b = batch_pool_new(&params);
    struct uuid none = {0};
    uint64_t from = clock_mono_ns();
    int n;

    must(slice_int(slice_of(argv[1]), 1, 10000000, &n));
    for (int i = 0; i < n; i++) {
        struct put *p = put_new(argv[0], uuid_new(), uuid_new(), none, "bench");

        while (atomic_load(&bench_open) >= 512)
            usleep(200);
        p->item.done = bench_done;
        atomic_fetch_add(&bench_open, 1);
        submit(b, p);
    }
    batch_pool_free(&b);
    printf("{\"committed\":%lld,\"seconds\":%.3f,\"batches\":%lld}\n", (long long)atomic_load(&bench_good),
           (double)(clock_mono_ns() - from) / 1e9, (long long)counter_read(C_batches));
    return 0;
}

/* ---- transactions */

static void say(const char *what, enum rc rc)
{
    printf("{\"step\":\"%s\",\"rc\":\"%s\"}\n", what, rc_name(rc));
    fflush(stdout);
}

/* One group in a transaction of its own. */
static enum rc put_one(struct db *db, struct arena *a, const struct permit *permit, struct uuid id, const char *name)
{
    struct sql_args args;
    struct rows r;
    struct tx *tx;
    enum rc rc = tx_begin(db, NULL, a, permit, &tx);

    if (rc != RC_OK)
        return rc;
    group_args(&args, a, id, (struct uuid){0}, name);
    rc = tx_run(tx, SQL_group_insert, &args, &r);
    if (rc == RC_OK)
        return tx_commit(&tx);
    tx_abort(&tx);
    return rc;
}

static void wait_line(void)
{
    char line[16];

    must(fgets(line, sizeof(line), stdin) != NULL);
}

/* tx TENANT: pauses for a line of standard input where the test must do something. */
static int transactions(char **argv)
{
    struct arena *a = arena_new(64 * 1024 * 1024);
    const struct permit *permit = permit_for(a, argv[0]);
    struct db *db = db_new(&params, DB_BLOCKING);
    struct uuid id = uuid_new();
    int slice = scope_tenant(permit_scope(permit))->slice;
    struct sql_args args;
    struct rows r;
    struct tx *tx;

    say("insert", put_one(db, a, permit, id, "tx"));
    say("duplicate", put_one(db, a, permit, id, "tx"));
    must(tx_begin(db, NULL, a, permit, &tx) == RC_OK);
    group_args(&args, a, uuid_new(), (struct uuid){0}, "aborted");
    must(tx_run(tx, SQL_group_insert, &args, &r) == RC_OK);
    tx_abort(&tx);
    must(tx_begin(db, NULL, a, permit, &tx) == RC_OK);
    args_init(&args, a);
    say("empty", tx_run(tx, SQL_group_page, &args, &r));
    printf("{\"groups\":%d}\n", r.n);
    say("commit", tx_commit(&tx));
    /* The backend has forgotten all its statements. */
    must(pg_run(db_connection(db, slice), a, "DEALLOCATE ALL", NULL, NULL, NULL) == RC_OK);
    say("deallocated", put_one(db, a, permit, uuid_new(), "deallocated"));
    say("control", db_ping(db) ? RC_OK : RC_UNAVAILABLE);
    say("kill backend", RC_OK);
    wait_line();
    say("after loss", put_one(db, a, permit, uuid_new(), "after loss"));
    /* Lost between the statement and COMMIT: nobody can tell. */
    must(tx_begin(db, NULL, a, permit, &tx) == RC_OK);
    group_args(&args, a, uuid_new(), (struct uuid){0}, "uncertain");
    must(tx_run(tx, SQL_group_insert, &args, &r) == RC_OK);
    say("kill backend", RC_OK);
    wait_line();
    say("lost commit", tx_commit(&tx));
    /* Lost inside: surely not done. */
    must(tx_begin(db, NULL, a, permit, &tx) == RC_OK);
    group_args(&args, a, uuid_new(), (struct uuid){0}, "lost");
    must(tx_run(tx, SQL_group_insert, &args, &r) == RC_OK);
    say("kill backend", RC_OK);
    wait_line();
    group_args(&args, a, uuid_new(), (struct uuid){0}, "lost");
    say("lost inside", tx_run(tx, SQL_group_insert, &args, &r));
    tx_abort(&tx);
    say("freeze", RC_OK);
    wait_line();
    say("frozen", put_one(db, a, permit, uuid_new(), "frozen"));
    say("thaw", RC_OK);
    wait_line();
    for (int i = 0; i < 100; i++) {
        if (put_one(db, a, permit, uuid_new(), "thawed") == RC_OK) {
            say("thawed", RC_OK);
            break;
        }
        usleep(100000);
    }
    say("timeout", RC_OK);
    db_free(&db);
    arena_free(&a);
    return 0;
}

/* wide FIRST LAST SLICES: reads with many statements in tenants FIRST to LAST from one connection per slice, so that it
 * has to forget some and to reopen. */
static int wide(char **argv)
{
    static const enum sql_id reads[] = {SQL_group_page,   SQL_group_built_in,  SQL_device_find,
                                        SQL_device_facts, SQL_group_find,      SQL_enrolment_seats,
                                        SQL_account_find, SQL_account_by_name, SQL_detection_find,
                                        SQL_checkin_rest, SQL_task_find,       SQL_execution_exists};
    struct db *db = db_new(&params, DB_BLOCKING);
    int first, last;
    size_t most = 0;
    enum rc worst = RC_OK;

    must(slice_int(slice_of(argv[0]), 1, 100000, &first) && slice_int(slice_of(argv[1]), 1, 100000, &last));
    for (int round = 0; round < 2; round++) {
        for (int no = first; no <= last; no++) {
            struct arena *a = arena_new(4 * 1024 * 1024);
            char name[32];

            snprintf(name, sizeof(name), "%d:%d", no, no % (int)params.slices);
            for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
                struct sql_args args;
                struct rows r;
                struct tx *tx;
                enum rc rc = tx_begin(db, NULL, a, permit_for(a, name), &tx);

                must(rc == RC_OK);
                args_init(&args, a);
                for (int k = 0; k < sql_statements[reads[i]].n_params - sql_statements[reads[i]].reach; k++)
                    args_null(&args);
                rc = tx_run(tx, reads[i], &args, &r);
                worst = rc == RC_OK ? worst : rc;
                if (tx_commit(&tx) != RC_OK)
                    worst = RC_INTERNAL;
                if (pg_prepared(db_connection(db, no % (int)params.slices)) > most)
                    most = pg_prepared(db_connection(db, no % (int)params.slices));
            }
            arena_free(&a);
        }
    }
    printf("{\"rc\":\"%s\",\"most\":%zu,\"connects\":%lld}\n", rc_name(worst), most,
           (long long)counter_read(C_database_connects));
    db_free(&db);
    return 0;
}

static const struct {
    const char *name;
    int args;
    int (*run)(char **argv);
} commands[] = {{"bad", 2, bad},     {"lanes", 2, lanes},     {"stream", 2, stream},
                {"bench", 2, bench}, {"tx", 1, transactions}, {"wide", 2, wide}};

int main(int argc, char **argv)
{
    char why[400];

    event_setup(EVENT_ERROR, NULL);
    if (argc >= 2 && strcmp(argv[1], "dump") == 0)
        return dump();
    if (argc < 3 || params_load(&params, argv[1], NULL, 0, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "%s\n", argc < 3 ? "usage: tool_store CONFIG COMMAND ..." : why);
        return 2;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, argv[2]) == 0 && argc == 3 + commands[i].args)
            return commands[i].run(argv + 3);
    fprintf(stderr, "unknown command\n");
    return 2;
}
