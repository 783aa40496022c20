/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - threads around two fair queues. A job is a call with what to do for it: its route's handler, or a function
 * of a stage (call_offload). Workers never touch HTTP: an answered call goes home by call_finish. */
#include "worker/pool.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include "store/access.h"
#include "store/audit.h"
#include "store/db.h"
#include "worker/queue.h"
#include "worker/refusals.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS_MAX 64

struct job {
    struct call *call;
    void (*offload)(struct call *c); /* NULL: the route's handler */
};

struct pool {
    const char *name;
    const struct params *params;
    enum db_use use;
    enum counter gauge;
    pthread_mutex_t lock; /* of queue and stop */
    pthread_cond_t wake;
    struct queue *queue;
    bool stop;
    int n;
    pthread_t threads[WORKERS_MAX];
};

/* Made by worker_start, before anyone submits. */
static struct pool blocking = {
    .name = "blocking", .use = DB_BLOCKING, .gauge = C_queue_blocking, .lock = PTHREAD_MUTEX_INITIALIZER};
static struct pool slow = {.name = "slow", .use = DB_SLOW, .gauge = C_queue_slow, .lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- one call */

static void run_after(struct call *c)
{
    for (size_t i = 0; i < c->n_after; i++)
        c->after[i].fn(c->after[i].arg);
}

/* Transaction, handler, audit row, commit. */
static enum rc in_transaction(struct call *c)
{
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &c->tx);

    if (rc != RC_OK)
        return rc;
    if (c->route->permission)
        rc = access_enter(c, c->tx, c->route->permission);
    if (rc == RC_OK)
        rc = c->route->serve(c);
    if (rc == RC_OK && c->route->audit)
        rc = audit_write(c);
    if (rc == RC_OK)
        rc = tx_commit(&c->tx);
    else
        tx_abort(&c->tx);
    c->tx = NULL;
    return rc;
}

static void serve(struct call *c)
{
    enum rc rc;

    if (c->route->where == WHERE_BLOCKING && c->permit)
        rc = in_transaction(c);
    else
        rc = c->route->serve(c);
    if (rc == RC_OK)
        run_after(c);
    else
        answer_problem(c, rc);
    refusals_note(c, rc);
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void run(struct job *j, struct db *db)
{
    struct call *c = j->call;

    if (atomic_load(&c->cancelled)) { /* nobody waits: a flood of resets must not become work */
        call_finish(c);
        return;
    }
    c->db = db;
    call_context(c);
    must_context(j->offload ? "offload" : "serve", c->route->operation);
    ev_debug(AREA_WORKER, "job begins", EV_STR("operation", c->route->operation),
             EV_STR("kind", j->offload ? "offload" : "serve"), EV_INT("waited_usec", clock_now() - c->received));
    if (j->offload) {
        j->offload(c); /* c is not ours any more, and may be gone */
    } else {
        serve(c);
        c->db = NULL;
        call_finish(c);
    }
    call_context(NULL);
    must_context(NULL, NULL);
}

/* Too late for whoever waits: said at once, so that it comes back when there is room. */
static void refuse(struct job *j)
{
    struct call *c = j->call;

    count(C_jobs_shed);
    answer_problem(c, fault(c, RC_UNAVAILABLE, PROBLEM_busy));
    call_finish(c);
    free(j);
}

/* ---- threads */

static uint64_t too_old(const struct pool *p)
{
    uint64_t now = clock_mono_ns(), age = (uint64_t)p->params->queue_age * 1000000;

    return now > age ? now - age : 0;
}

static struct job *shed_one(struct pool *p)
{
    struct job *j;

    pthread_mutex_lock(&p->lock);
    j = queue_shed(p->queue, too_old(p));
    pthread_mutex_unlock(&p->lock);
    if (j)
        count_add(p->gauge, -1);
    return j;
}

static void shed(struct pool *p)
{
    struct job *j;

    while ((j = shed_one(p)))
        refuse(j);
}

/* Waits for a job; NULL: the pool stops and nothing waits. */
static struct job *next_job(struct pool *p, int64_t *ret_owner)
{
    struct job *j;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        j = queue_take(p->queue, ret_owner);
        if (j || (p->stop && queue_length(p->queue) == 0))
            break;
        pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    if (j)
        count_add(p->gauge, -1);
    return j;
}

static void done(struct pool *p, int64_t owner, uint64_t took_ns)
{
    pthread_mutex_lock(&p->lock);
    queue_done(p->queue, owner, took_ns);
    /* A job of this owner may have waited for its share; with stop others look whether all is done. */
    if (p->stop)
        pthread_cond_broadcast(&p->wake);
    else if (queue_length(p->queue))
        pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    struct pool *p = arg;
    struct db *db = db_new(p->params, p->use);
    struct job *j;
    int64_t owner;
    char name[16];

    snprintf(name, sizeof(name), "%s", p->name);
    pthread_setname_np(pthread_self(), name);
    while ((j = next_job(p, &owner))) {
        uint64_t began = clock_mono_ns();
        int64_t cpu = cpu_ns();

        run(j, db);
        free(j);
        /* Owners below 0 are addresses of callers without a tenant. */
        count_tenant(T_tenant_cpu_seconds, owner > 0 ? (int)owner : 0, cpu_ns() - cpu);
        done(p, owner, clock_mono_ns() - began);
        shed(p);
    }
    db_free(&db);
    return NULL;
}

static void start(struct pool *p, const struct params *params, int n)
{
    p->params = params;
    p->n = n < WORKERS_MAX ? n : WORKERS_MAX;
    p->stop = false;
    pthread_cond_init(&p->wake, NULL);
    pthread_mutex_lock(&p->lock); /* a scrape may look at the queue before the start and after the end */
    p->queue = queue_new((size_t)params->queue_limit, p->n);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n; i++)
        must(pthread_create(&p->threads[i], NULL, work, p) == 0);
}

static void gauge_age(struct pool *p, enum counter gauge)
{
    uint64_t oldest, now = clock_mono_ns();

    pthread_mutex_lock(&p->lock);
    oldest = p->queue ? queue_oldest(p->queue) : 0;
    pthread_mutex_unlock(&p->lock);
    count_set(gauge, oldest && now > oldest ? (int64_t)(now - oldest) : 0);
}

void worker_gauges(void)
{
    gauge_age(&blocking, C_queue_age_seconds_blocking);
    gauge_age(&slow, C_queue_age_seconds_slow);
}

void worker_start(const struct params *p)
{
    start(&blocking, p, (int)p->blocking_workers);
    start(&slow, p, (int)p->slow_workers);
}

static void stop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_lock(&p->lock);
    queue_free(&p->queue);
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&p->wake);
}

void worker_stop(void)
{
    stop(&blocking);
    stop(&slow);
}

/* ---- submitting */

/* Callers without a tenant share by address, so that one of them cannot take the place of all others. */
static int64_t owner_of(const struct call *c)
{
    uint64_t h = UINT64_C(14695981039346656037);

    if (c->scope)
        return scope_tenant(c->scope)->no;
    for (const char *s = c->address; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return -1 - (int64_t)(h % 65536);
}

static enum rc submit(struct pool *p, struct call *c, void (*offload)(struct call *c))
{
    struct job *j = must_alloc(sizeof(*j));
    bool taken;

    j->call = c;
    j->offload = offload;
    shed(p);
    pthread_mutex_lock(&p->lock);
    taken = !p->stop && queue_put(p->queue, owner_of(c), j, clock_mono_ns());
    if (taken) {
        count_add(p->gauge, 1);
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    if (taken)
        return RC_OK;
    count(C_jobs_shed);
    free(j);
    return RC_UNAVAILABLE;
}

enum rc worker_submit(struct call *c)
{
    must(c->route->where == WHERE_BLOCKING || c->route->where == WHERE_SLOW);
    return submit(c->route->where == WHERE_SLOW ? &slow : &blocking, c, NULL);
}

enum rc call_offload(struct call *c, void (*fn)(struct call *c))
{
    return submit(&blocking, c, fn);
}
