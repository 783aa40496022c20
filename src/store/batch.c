/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - see batch.h. Per slice two lanes, each a thread with a connection and a queue: the first groups, the second
 * runs the items of poisoned tenants one by one, so that their failures cost nobody else a retry. A queue serves its
 * tenants in turn, an item each, so that one tenant's flood makes only its own items wait. */
#include "store/batch.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/map.h"
#include "common/must.h"
#include "common/params.h"
#include "store/pg.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLICES_MAX 64
#define BATCH_MAX  128
#define POISON_NS  (UINT64_C(300) * 1000000000)
#define GROUPED    0
#define SINGLE     1

struct tenant_queue { /* of one tenant in one lane; exists while it holds items */
    int no;
    size_t n;
    struct batch_item *first, *last;
    struct tenant_queue *next; /* ring */
};

struct lane {
    struct batch_pool *pool;
    int slice;
    bool single;
    bool running;
    pthread_t thread;
    pthread_cond_t wake;
    struct map *tenants;
    struct tenant_queue *last; /* of the ring; last->next is served next; NULL: empty */
    size_t n;
    struct db *db;
};

struct poison {
    int no;
    uint64_t until_ns;
};

struct slice_pool {
    pthread_mutex_t lock; /* of both lanes' queues and of the poisoned */
    struct lane lanes[2];
    struct poison *poisoned;
    size_t n_poisoned;
};

struct batch_pool {
    const struct params *params;
    int slices;
    atomic_bool stop;
    struct slice_pool slice[SLICES_MAX];
};

/* Of the process's pool, for batch_gauges. */
static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct batch_pool *current;

enum outcome { WAITING, COMMITTED, FAILED, LOST };

struct work { /* one item on its way through the ladder */
    struct batch_item *item;
    int tenant_no;
    enum outcome outcome;
    bool stale;
    char sqlstate[6];
};

static int tenant_no(const struct batch_item *item)
{
    return scope_tenant(permit_scope(item->permit))->no;
}

/* ---- queues; all under the slice's lock */

static bool poisoned(struct slice_pool *s, int no)
{
    uint64_t now = clock_mono_ns();
    bool found = false;

    for (size_t i = 0; i < s->n_poisoned;) {
        if (s->poisoned[i].until_ns <= now) {
            s->poisoned[i] = s->poisoned[--s->n_poisoned];
            continue;
        }
        found = found || s->poisoned[i].no == no;
        i++;
    }
    return found;
}

static void push(struct lane *l, int no, struct batch_item *item)
{
    struct tenant_queue *q = map_get(l->tenants, MAP_KEY(no));

    if (!q) {
        q = must_alloc(sizeof(*q));
        q->no = no;
        map_put(l->tenants, MAP_KEY(no), q);
        q->next = l->last ? l->last->next : q;
        if (l->last)
            l->last->next = q;
        l->last = q;
    }
    item->next = NULL;
    *(q->last ? &q->last->next : &q->first) = item;
    q->last = item;
    q->n++;
    l->n++;
}

/* The first item of the tenant whose turn it is. */
static struct batch_item *pop(struct lane *l)
{
    struct tenant_queue *q = l->last->next;
    struct batch_item *item = q->first;

    q->first = item->next;
    q->n--;
    l->n--;
    if (q->first) {
        l->last = q;
        return item;
    }
    map_remove(l->tenants, MAP_KEY(q->no));
    if (l->last == q && q->next == q)
        l->last = NULL;
    else
        l->last->next = q->next;
    free(q);
    return item;
}

static size_t take(struct lane *l, struct batch_item **items, size_t max)
{
    size_t n = 0;

    while (n < max && l->n)
        items[n++] = pop(l);
    return n;
}

/* ---- sending and reading one attempt */

enum grouping { TOGETHER, BY_TENANT, BY_ITEM };

static bool begins_group(const struct work *w, size_t i, enum grouping g)
{
    return i == 0 || g == BY_ITEM || (g == BY_TENANT && w[i].tenant_no != w[i - 1].tenant_no);
}

/* What the database shows while items i... of a tenant run: the one item's trace id, or the batch's id, which stands
 * with the trace ids of all its items in a debug line. */
static const char *application(const struct work *w, size_t n, size_t i, enum grouping g, const char *batch)
{
    bool alone = g == BY_ITEM || i + 1 == n || w[i + 1].tenant_no != w[i].tenant_no;

    return alone && w[i].item->trace_id ? w[i].item->trace_id : batch;
}

static void send_all(struct pg *pg, struct work *w, size_t n, enum grouping g, const char *batch)
{
    for (size_t i = 0; i < n; i++) {
        if (i && begins_group(w, i, g))
            pg_send_sync(pg);
        if (begins_group(w, i, g) || w[i].tenant_no != w[i - 1].tenant_no) {
            char role[24];

            snprintf(role, sizeof(role), "t_%d", w[i].tenant_no);
            pg_send_role(pg, role, application(w, n, i, g, batch));
        }
        for (int c = 0; c < w[i].item->n_calls; c++)
            pg_send_statement(pg, w[i].item->calls[c].id, w[i].tenant_no, &w[i].item->calls[c].args);
    }
    pg_send_sync(pg);
}

/* Reads every answer of an item, whatever happens; true when all its statements went well. */
static bool read_item(struct pg *pg, struct work *w)
{
    bool fine = true;

    for (int c = 0; c < w->item->n_calls; c++) {
        struct pg_answer a;

        switch (pg_read(pg, &a)) {
        case PG_ROWS:
            w->item->calls[c].rows = (struct rows){a.result, pg_count(a.result)};
            break;
        case PG_ERROR:
            memcpy(w->sqlstate, a.sqlstate, sizeof(w->sqlstate));
            w->stale = a.stale;
            fine = false;
            break;
        default:
            fine = false;
            break;
        }
    }
    return fine;
}

static void drop_rows(struct work *w)
{
    for (int c = 0; c < w->item->n_calls; c++) {
        if (w->item->calls[c].rows.result)
            pg_clear(w->item->calls[c].rows.result);
        w->item->calls[c].rows = (struct rows){0};
    }
}

static void keep_rows(struct work *w)
{
    for (int c = 0; c < w->item->n_calls; c++)
        if (w->item->calls[c].rows.result)
            arena_defer(w->item->arena, pg_clear, w->item->calls[c].rows.result);
}

/* One group of items up to its sync: only the sync's answer says that they are committed. */
static void read_group(struct pg *pg, struct work *w, size_t n)
{
    struct pg_answer sync;
    bool fine = true;
    enum outcome all;

    for (size_t i = 0; i < n; i++) {
        w[i].sqlstate[0] = 0;
        w[i].stale = false;
        fine = read_item(pg, &w[i]) && fine;
    }
    pg_read(pg, &sync);
    all = sync.kind == PG_LOST ? LOST : fine && sync.kind == PG_SYNCED ? COMMITTED : FAILED;
    for (size_t i = 0; i < n; i++) {
        w[i].outcome = all;
        if (all == COMMITTED)
            keep_rows(&w[i]);
        else
            drop_rows(&w[i]);
        if (sync.kind == PG_FAILED)
            memcpy(w[i].sqlstate, sync.sqlstate, sizeof(w[i].sqlstate));
    }
}

/* Wall time, in equal parts; the numbers of tenants are in order. */
static void charge(const struct work *w, size_t n, enum tenant_counter t, int64_t ns)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && w[end].tenant_no == w[i].tenant_no;)
            end++;
        count_tenant(t, w[i].tenant_no, ns * (int64_t)(end - i) / (int64_t)n);
    }
}

static void tell_attempt(const struct work *w, size_t n, enum grouping g, const char *batch, int64_t ns)
{
    static const char *const groupings[] = {"together", "by tenant", "by item"};

    for (size_t i = 0; i < n; i++) {
        event_thread_context(w[i].item->trace_id, scope_tenant(permit_scope(w[i].item->permit))->id);
        ev_debug(AREA_STORE, "batch item", EV_STR("batch", batch), EV_STR("sent", groupings[g]), EV_INT("items", n),
                 EV_INT("statements", w[i].item->n_calls), EV_INT("usec", ns / 1000),
                 EV_STR("outcome", w[i].outcome == COMMITTED ? "committed"
                                   : w[i].outcome == LOST    ? "lost"
                                                             : "failed"),
                 EV_STR("sqlstate", w[i].sqlstate));
    }
    event_thread_context(NULL, NULL);
}

/* False: no connection, nothing was sent, the outcomes are still WAITING. */
static bool attempt(struct pg *pg, struct work *w, size_t n, enum grouping g)
{
    char batch[32];
    uint64_t began;
    int64_t took;

    if (pg_open(pg) != RC_OK)
        return false;
    snprintf(batch, sizeof(batch), "batch %016llx", (unsigned long long)random_u64());
    began = clock_mono_ns();
    send_all(pg, w, n, g, batch);
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;

        while (end < n && !begins_group(w, end, g))
            end++;
        read_group(pg, w + i, end - i);
        i = end;
    }
    took = (int64_t)(clock_mono_ns() - began);
    charge(w, n, T_tenant_database_seconds, took);
    if (event_debug_any(AREA_STORE))
        tell_attempt(w, n, g, batch, took);
    return true;
}

/* ---- the ladder */

static int by_tenant_and_device(const void *a, const void *b)
{
    const struct work *x = a, *y = b;
    int c = (x->tenant_no > y->tenant_no) - (x->tenant_no < y->tenant_no);

    if (c == 0)
        c = uuid_cmp(x->item->device, y->item->device);
    if (c == 0)
        c = (x->item->queued_ns > y->item->queued_ns) - (x->item->queued_ns < y->item->queued_ns);
    return c;
}

static bool any(const struct work *w, size_t n, enum outcome o)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].outcome == o)
            return true;
    return false;
}

static bool all_stale(const struct work *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].outcome == FAILED && w[i].sqlstate[0] && !w[i].stale)
            return false;
    return true;
}

/* Out of room, out of memory, shutting down: nobody's fault in particular, and another try would only add to it. */
static bool database_fails(const struct work *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(w[i].sqlstate, "53", 2) == 0 || strncmp(w[i].sqlstate, "58", 2) == 0 ||
            strncmp(w[i].sqlstate, "57P", 3) == 0)
            return true;
    return false;
}

/* Items that failed, moved to the front in their order; those that are settled follow. Returns how many. */
static size_t failed_first(struct work *w, size_t n)
{
    struct work settled[BATCH_MAX];
    size_t n_failed = 0, n_settled = 0;

    for (size_t i = 0; i < n; i++) {
        if (w[i].outcome == FAILED)
            w[n_failed++] = w[i];
        else
            settled[n_settled++] = w[i];
    }
    memcpy(w + n_failed, settled, n_settled * sizeof(*w));
    return n_failed;
}

static void poison(struct lane *l, int no)
{
    struct slice_pool *s = &l->pool->slice[l->slice];
    uint64_t until = clock_mono_ns() + POISON_NS;

    pthread_mutex_lock(&s->lock);
    if (!poisoned(s, no)) {
        s->poisoned = must_realloc(s->poisoned, (s->n_poisoned + 1) * sizeof(*s->poisoned));
        s->poisoned[s->n_poisoned++] = (struct poison){no, until};
        ev_warn(AREA_STORE, "tenant's writes get a lane of their own", EV_INT("tenant", no));
    } else {
        for (size_t i = 0; i < s->n_poisoned; i++)
            if (s->poisoned[i].no == no)
                s->poisoned[i].until_ns = until;
    }
    pthread_mutex_unlock(&s->lock);
}

static void poison_failed(struct lane *l, const struct work *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (w[i].outcome == FAILED && (i == 0 || w[i].tenant_no != w[i - 1].tenant_no))
            poison(l, w[i].tenant_no);
}

static bool worth_another_try(const struct work *w)
{
    return w->stale || strncmp(w->sqlstate, "40", 2) == 0 || strcmp(w->sqlstate, "55P03") == 0;
}

/* Each failed item with a sync of its own; those that met a lock or a stale statement once more. */
static void one_by_one(struct pg *pg, struct work *w, size_t n)
{
    size_t k = 0;

    if (!attempt(pg, w, n, BY_ITEM))
        return;
    for (size_t i = 0; i < n; i++) {
        if (w[i].outcome == FAILED && worth_another_try(&w[i])) {
            struct work x = w[i];

            w[i] = w[k];
            w[k++] = x;
        }
    }
    if (k)
        attempt(pg, w, k, BY_ITEM);
}

static void climb(struct lane *l, struct pg *pg, struct work *w, size_t n)
{
    bool several = w[0].tenant_no != w[n - 1].tenant_no;

    if (l->single) {
        one_by_one(pg, w, n);
        if (any(w, n, FAILED))
            poison_failed(l, w, n);
        return;
    }
    if (!attempt(pg, w, n, TOGETHER) || !any(w, n, FAILED) || database_fails(w, n))
        return;
    if (all_stale(w, n) && (!attempt(pg, w, n, TOGETHER) || !any(w, n, FAILED)))
        return;
    count(C_batch_retries);
    if (several && (!attempt(pg, w, n, BY_TENANT) || !any(w, n, FAILED)))
        return;
    n = failed_first(w, n);
    poison_failed(l, w, n);
    one_by_one(pg, w, n);
}

static enum rc verdict(const struct work *w)
{
    switch (w->outcome) {
    case COMMITTED:
        return RC_OK;
    case LOST:
        return RC_UNCERTAIN;
    case WAITING:
        return RC_UNAVAILABLE;
    case FAILED:
        break;
    }
    /* A statement that could not be prepared for want of a lock shows as stale in the items behind it. */
    return w->sqlstate[0] && !w->stale ? pg_rc(w->sqlstate) : RC_UNAVAILABLE;
}

static void settle(struct work *w, size_t n)
{
    size_t committed = 0;

    for (size_t i = 0; i < n; i++) {
        committed += w[i].outcome == COMMITTED;
        w[i].item->done(w[i].item, verdict(&w[i]), w[i].sqlstate);
    }
    if (committed) {
        count(C_batches);
        count_add(C_batch_items, (int64_t)committed);
    }
}

/* ---- the lane's thread */

/* Items whose client is gone, that waited too long, or whose values cannot be sent end here. */
static size_t sift(struct lane *l, struct batch_item **items, size_t n, struct work *w)
{
    uint64_t oldest = (uint64_t)l->pool->params->queue_age * 1000000;
    uint64_t now = clock_mono_ns();
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        struct batch_item *x = items[i];
        bool spoilt = false;

        for (int c = 0; c < x->n_calls; c++) {
            spoilt = spoilt || x->calls[c].args.n > SQL_PARAMS_MAX;
            x->calls[c].rows = (struct rows){0};
        }
        if ((x->cancelled && atomic_load(x->cancelled)) || now - x->queued_ns > oldest) {
            count(C_jobs_shed);
            x->done(x, RC_UNAVAILABLE, "");
        } else if (spoilt) {
            x->done(x, RC_INVALID, "22021");
        } else {
            w[kept++] = (struct work){.item = x, .tenant_no = tenant_no(x)};
        }
    }
    return kept;
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void serve(struct lane *l, struct batch_item **items, size_t n)
{
    struct work w[BATCH_MAX];
    int64_t cpu = cpu_ns();

    count_add(C_queue_batch, -(int64_t)n);
    n = sift(l, items, n, w);
    if (n == 0)
        return;
    observe(C_batch_size, (int64_t)n);
    qsort(w, n, sizeof(*w), by_tenant_and_device);
    climb(l, db_connection(l->db, l->slice), w, n);
    settle(w, n); /* the items may be gone */
    charge(w, n, T_tenant_cpu_seconds, cpu_ns() - cpu);
}

static void *run(void *arg)
{
    struct lane *l = arg;
    struct slice_pool *s = &l->pool->slice[l->slice];
    size_t max = (size_t)l->pool->params->batch_size;
    struct batch_item *items[BATCH_MAX];

    if (max > BATCH_MAX)
        max = BATCH_MAX;
    for (;;) {
        size_t n;

        pthread_mutex_lock(&s->lock);
        while (l->n == 0 && !atomic_load(&l->pool->stop))
            pthread_cond_wait(&l->wake, &s->lock);
        n = take(l, items, max);
        pthread_mutex_unlock(&s->lock);
        if (n == 0)
            return NULL;
        serve(l, items, n);
    }
}

/* ---- the pool */

struct batch_pool *batch_pool_new(const struct params *p)
{
    struct batch_pool *b = must_alloc(sizeof(*b));

    b->params = p;
    b->slices = (int)p->slices;
    must(b->slices >= 1 && b->slices <= SLICES_MAX);
    for (int i = 0; i < b->slices; i++) {
        pthread_mutex_init(&b->slice[i].lock, NULL);
        for (int k = 0; k < 2; k++) {
            struct lane *l = &b->slice[i].lanes[k];

            *l = (struct lane){
                .pool = b, .slice = i, .single = k == SINGLE, .tenants = map_new(0), .db = db_new(p, DB_BATCH)};
            pthread_cond_init(&l->wake, NULL);
        }
    }
    pthread_mutex_lock(&current_lock);
    current = b;
    pthread_mutex_unlock(&current_lock);
    return b;
}

static uint64_t oldest(const struct lane *l)
{
    uint64_t found = 0;

    for (const struct tenant_queue *q = l->last; q; q = q->next == l->last ? NULL : q->next)
        if (!found || q->first->queued_ns < found)
            found = q->first->queued_ns;
    return found;
}

void batch_gauges(void)
{
    uint64_t now = clock_mono_ns(), least = now;

    pthread_mutex_lock(&current_lock);
    for (int i = 0; current && i < current->slices; i++) {
        pthread_mutex_lock(&current->slice[i].lock);
        for (int k = 0; k < 2; k++) {
            uint64_t at = oldest(&current->slice[i].lanes[k]);

            least = at && at < least ? at : least;
        }
        pthread_mutex_unlock(&current->slice[i].lock);
    }
    pthread_mutex_unlock(&current_lock);
    count_set(C_queue_age_seconds_batch, (int64_t)(now - least));
}

/* Under the slice's lock; the second lane's thread exists only where it was ever needed. */
static void start(struct lane *l)
{
    if (l->running)
        return;
    must(pthread_create(&l->thread, NULL, run, l) == 0);
    l->running = true;
}

void batch_pool_free(struct batch_pool **b)
{
    struct batch_pool *p = *b;

    if (!p)
        return;
    pthread_mutex_lock(&current_lock);
    if (current == p)
        current = NULL;
    pthread_mutex_unlock(&current_lock);
    atomic_store(&p->stop, true);
    for (int i = 0; i < p->slices; i++) {
        struct slice_pool *s = &p->slice[i];

        for (int k = 0; k < 2; k++) {
            struct lane *l = &s->lanes[k];

            pthread_mutex_lock(&s->lock);
            pthread_cond_broadcast(&l->wake);
            pthread_mutex_unlock(&s->lock);
            if (l->running)
                pthread_join(l->thread, NULL);
            must(l->n == 0);
            map_free(&l->tenants, free);
            db_free(&l->db);
            pthread_cond_destroy(&l->wake);
        }
        pthread_mutex_destroy(&s->lock);
        free(s->poisoned);
    }
    free(p);
    *b = NULL;
}

/* A queue that is half full takes no more from a tenant that has a quarter of it. */
static bool room(const struct lane *l, int no)
{
    size_t limit = (size_t)l->pool->params->queue_limit;
    const struct tenant_queue *q = map_get(l->tenants, MAP_KEY(no));

    return l->n < limit && !(l->n >= limit / 2 && q && q->n >= limit / 4);
}

enum rc batch_submit(struct batch_pool *b, struct batch_item *item)
{
    const struct tenant *t = scope_tenant(permit_scope(item->permit));
    struct slice_pool *s;
    struct lane *l;
    bool taken;

    must(item->n_calls > 0 && item->n_calls <= BATCH_CALLS_MAX);
    if (t->slice < 0 || t->slice >= b->slices || atomic_load(&b->stop))
        return RC_UNAVAILABLE;
    s = &b->slice[t->slice];
    item->queued_ns = clock_mono_ns();
    pthread_mutex_lock(&s->lock);
    l = &s->lanes[poisoned(s, t->no) ? SINGLE : GROUPED];
    taken = room(l, t->no) && !atomic_load(&b->stop);
    if (taken) {
        start(l);
        push(l, t->no, item);
        count(C_queue_batch);
        pthread_cond_signal(&l->wake);
    } else {
        count(C_jobs_shed);
    }
    pthread_mutex_unlock(&s->lock);
    return taken ? RC_OK : RC_UNAVAILABLE;
}
