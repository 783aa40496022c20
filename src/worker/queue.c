/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - deficit round-robin over owners that have jobs waiting. The time a job takes is known only afterwards, so
 * it is charged then: an owner in debt is passed over, and each time it is passed over it gets one quantum back. Jobs
 * are also in one list by age, for shedding. */
#include "worker/queue.h"
#include "common/map.h"
#include "common/must.h"
#include <stdlib.h>

#define QUANTUM_NS   INT64_C(10000000)
#define DEEPEST_DEBT (20 * QUANTUM_NS) /* forgiven beyond; also bounds the rounds of one take */

struct owner;

struct entry {
    struct owner *owner;
    void *job;
    uint64_t put_ns;
    struct entry *next;            /* of the owner */
    struct entry *older, *younger; /* of all */
};

struct owner {
    int64_t id;
    int64_t credit_ns;
    int running;
    struct entry *first, *last;
    struct owner *next, *prev; /* the ring of those with jobs waiting */
};

struct queue {
    size_t limit, n;
    int share; /* most workers of one owner */
    struct map *owners;
    struct owner *ring; /* whose turn it is */
    struct entry *oldest, *youngest;
};

struct queue *queue_new(size_t limit, int workers)
{
    struct queue *q = must_alloc(sizeof(*q));

    q->limit = limit;
    q->share = workers / 4 > 0 ? workers / 4 : 1;
    q->owners = map_new(64);
    return q;
}

void queue_free(struct queue **q)
{
    if (!*q)
        return;
    must((*q)->n == 0 && map_size((*q)->owners) == 0);
    map_free(&(*q)->owners, NULL);
    free(*q);
    *q = NULL;
}

size_t queue_length(const struct queue *q)
{
    return q->n;
}

uint64_t queue_oldest(const struct queue *q)
{
    return q->oldest ? q->oldest->put_ns : 0;
}

static struct owner *owner_of(struct queue *q, int64_t id)
{
    struct owner *o = map_get(q->owners, MAP_KEY(id));

    if (!o) {
        o = must_alloc(sizeof(*o));
        o->id = id;
        (void)map_put(q->owners, MAP_KEY(id), o);
    }
    return o;
}

/* An owner with nothing to do is forgotten, its debt too: it has waited. */
static void forget_idle(struct queue *q, struct owner *o)
{
    if (o->first || o->running)
        return;
    (void)map_remove(q->owners, MAP_KEY(o->id));
    free(o);
}

static void ring_in(struct queue *q, struct owner *o)
{
    if (!q->ring) {
        o->next = o->prev = o;
        q->ring = o;
        return;
    }
    o->next = q->ring; /* last in the round */
    o->prev = q->ring->prev;
    o->prev->next = o;
    o->next->prev = o;
}

static void ring_out(struct queue *q, struct owner *o)
{
    if (q->ring == o)
        q->ring = o->next == o ? NULL : o->next;
    o->prev->next = o->next;
    o->next->prev = o->prev;
    o->next = o->prev = NULL;
}

bool queue_put(struct queue *q, int64_t id, void *job, uint64_t now)
{
    struct owner *o;
    struct entry *e;

    if (q->n >= q->limit)
        return false;
    o = owner_of(q, id);
    e = must_alloc(sizeof(*e));
    *e = (struct entry){.owner = o, .job = job, .put_ns = now, .older = q->youngest};
    if (o->last)
        o->last->next = e;
    else
        o->first = e;
    o->last = e;
    if (o->first == e)
        ring_in(q, o);
    if (q->youngest)
        q->youngest->younger = e;
    else
        q->oldest = e;
    q->youngest = e;
    q->n++;
    return true;
}

/* The owner's first job: takes it out of both lists. */
static void *pop(struct queue *q, struct owner *o)
{
    struct entry *e = o->first;
    void *job = e->job;

    o->first = e->next;
    if (!o->first) {
        o->last = NULL;
        ring_out(q, o);
    }
    if (e->older)
        e->older->younger = e->younger;
    else
        q->oldest = e->younger;
    if (e->younger)
        e->younger->older = e->older;
    else
        q->youngest = e->older;
    free(e);
    q->n--;
    return job;
}

void *queue_take(struct queue *q, int64_t *ret_owner)
{
    struct owner *o = q->ring, *passed_over = NULL;

    /* Ends: credits grow with every round, and a round of owners that may not run at all ends at once. */
    while (o) {
        if (o->running < q->share && o->credit_ns >= 0) {
            void *job = pop(q, o);

            if (q->ring == o)
                q->ring = o->next;
            o->running++;
            *ret_owner = o->id;
            return job;
        }
        if (o->running < q->share) {
            o->credit_ns += QUANTUM_NS;
            passed_over = o;
        }
        o = o->next;
        if (o == q->ring && !passed_over)
            return NULL;
        if (o == q->ring)
            passed_over = NULL;
    }
    return NULL;
}

void queue_done(struct queue *q, int64_t id, uint64_t took_ns)
{
    struct owner *o = map_get(q->owners, MAP_KEY(id));

    must(o && o->running > 0);
    o->running--;
    o->credit_ns -= took_ns > (uint64_t)DEEPEST_DEBT ? DEEPEST_DEBT : (int64_t)took_ns;
    if (o->credit_ns < -DEEPEST_DEBT)
        o->credit_ns = -DEEPEST_DEBT;
    if (o->credit_ns > QUANTUM_NS)
        o->credit_ns = QUANTUM_NS;
    forget_idle(q, o);
}

void *queue_shed(struct queue *q, uint64_t before)
{
    struct entry *e = q->oldest;
    struct owner *o;
    void *job;

    if (!e || e->put_ns >= before)
        return NULL;
    o = e->owner;
    must(o->first == e); /* the oldest of all is the oldest of its owner */
    job = pop(q, o);
    forget_idle(q, o);
    return job;
}
