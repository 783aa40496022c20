/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - the thread that keeps the snapshot: LISTENs for changes of control and looks at its revision every second.
 * One failure is logged by the connection itself; here only the gauge database_up tells. */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include "store/pg.h"
#include "store/tenant.h"
#include "tenant/snapshot.h"
#include <pthread.h>
#include <stdio.h>

#define LOAD_CEILING ((size_t)64 * 1024 * 1024)
#define LOOK_EVERY   1000 /* ms */
#define STEP         100  /* ms; bounds how long stop and refresh wait */

static struct {
    const struct params *params;
    struct db *db;
    pthread_t thread;
    bool running;
    atomic_bool stop, ready, look;
    unsigned listening; /* generation of the connection that LISTENs */
    int64_t revision;   /* -1: nothing loaded yet */
    struct {
        void (*fn)(struct db *db, int64_t revision, void *arg);
        void *arg;
    } hooks[8];
    size_t n_hooks;
} loader;

void tenant_on_change(void (*fn)(struct db *db, int64_t revision, void *arg), void *arg)
{
    must(!loader.running && loader.n_hooks < 8);
    loader.hooks[loader.n_hooks].fn = fn;
    loader.hooks[loader.n_hooks++].arg = arg;
}

bool tenant_ready(void)
{
    return atomic_load(&loader.ready);
}

void tenant_refresh(void)
{
    atomic_store(&loader.look, true);
}

static enum rc load(struct tx *tx, struct arena *a, int64_t revision)
{
    struct tenant *list;
    struct tenant_host *hosts;
    struct slice *names;
    int *nos;
    size_t n, n_hosts;
    enum rc rc;

    rc = tenant_read_all(tx, a, &list, &n);
    if (rc == RC_OK)
        rc = tenant_read_hosts(tx, a, &names, &nos, &n_hosts);
    if (rc != RC_OK)
        return rc;
    hosts = ARENA_ARRAY(a, struct tenant_host, n_hosts);
    for (size_t i = 0; i < n_hosts; i++) {
        snprintf(hosts[i].host, sizeof(hosts[i].host), SLICE_FMT, SLICE_ARG(names[i]));
        hosts[i].tenant_no = nos[i];
    }
    tenants_publish(tenants_make(revision, list, n, hosts, n_hosts));
    ev_info(AREA_TENANT, "tenants loaded", EV_INT("tenants", n), EV_INT("revision", revision));
    return RC_OK;
}

/* The revision is read first: a change that comes in between is seen at the next look. */
static void look(void)
{
    struct arena *a = arena_new(LOAD_CEILING);
    struct tx *tx;
    int64_t revision = -1;
    bool changed = false;
    enum rc rc = tx_begin_control(loader.db, NULL, a, &tx);

    if (rc == RC_OK) {
        rc = tenant_read_revision(tx, &revision);
        if (rc == RC_OK && revision != loader.revision) {
            rc = load(tx, a, revision);
            changed = rc == RC_OK;
        }
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    count_set(C_database_up, rc == RC_OK);
    arena_free(&a);
    if (!changed)
        return;
    loader.revision = revision;
    for (size_t i = 0; i < loader.n_hooks; i++)
        loader.hooks[i].fn(loader.db, revision, loader.hooks[i].arg);
    atomic_store(&loader.ready, true);
}

static void listen_again(struct pg *pg)
{
    if (pg_open(pg) != RC_OK || pg_generation(pg) == loader.listening)
        return;
    if (pg_run(pg, NULL, "LISTEN " PG_LISTEN_CHANNEL, NULL, NULL, NULL) == RC_OK)
        loader.listening = pg_generation(pg);
}

static void rest(struct pg *pg)
{
    for (int waited = 0; waited < LOOK_EVERY && !atomic_load(&loader.stop); waited += STEP) {
        uint64_t from = clock_mono_ns();

        if (pg_wait_notify(pg, STEP) || atomic_exchange(&loader.look, false))
            return;
        if (clock_mono_ns() - from < (uint64_t)STEP * 500000) { /* not connected: no wait has happened */
            struct timespec t = {0, STEP * 1000000L};

            nanosleep(&t, NULL);
        }
    }
}

static void *run(void *arg)
{
    struct pg *pg = db_connection(loader.db, 0);

    (void)arg;
    while (!atomic_load(&loader.stop)) {
        listen_again(pg);
        look();
        rest(pg);
    }
    return NULL;
}

void tenant_start(const struct params *p)
{
    must(!loader.running);
    loader.params = p;
    loader.db = db_new(p, DB_BACKGROUND);
    loader.revision = -1;
    loader.listening = 0;
    atomic_store(&loader.stop, false);
    atomic_store(&loader.ready, false);
    must(pthread_create(&loader.thread, NULL, run, NULL) == 0);
    loader.running = true;
}

void tenant_stop(void)
{
    if (!loader.running)
        return;
    atomic_store(&loader.stop, true);
    pthread_join(loader.thread, NULL);
    db_free(&loader.db);
    loader.running = false;
    loader.n_hooks = 0;
    tenants_publish(NULL);
}
