/* SPDX-License-Identifier: Apache-2.0 */
/* poller.c - see poller.h. Timers are a binary heap of pointers; each knows its slot, so moving one is cheap. */
#include "sim/poller.h"
#include "common/clock.h"
#include "common/must.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256

struct poller {
    int epoll;
    struct poller_timer **heap;
    size_t n, cap;
    struct epoll_event batch[BATCH];
    int n_batch, at;
};

struct poller *poller_new(void)
{
    struct poller *p = must_alloc(sizeof(*p));
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    must(p->epoll >= 0);
    return p;
}

void poller_free(struct poller **p)
{
    if (!*p)
        return;
    close((*p)->epoll);
    free((*p)->heap);
    free(*p);
    *p = NULL;
}

void poller_watch(struct poller *p, struct poller_fd *f, uint32_t events)
{
    if (events == f->events)
        return;
    int op = f->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    struct epoll_event e = {.events = events, .data.ptr = f};
    must(epoll_ctl(p->epoll, op, f->fd, &e) == 0);
    f->events = events;
    for (int i = p->at; events == 0 && i < p->n_batch; i++) /* what was reported but not yet told */
        if (p->batch[i].data.ptr == f)
            p->batch[i].data.ptr = NULL;
}

static void place(struct poller *p, size_t i, struct poller_timer *t)
{
    p->heap[i] = t;
    t->slot = i + 1;
}

static void sift(struct poller *p, size_t i, struct poller_timer *t)
{
    while (i > 0 && p->heap[(i - 1) / 2]->at > t->at) {
        place(p, i, p->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (size_t child; (child = 2 * i + 1) < p->n; i = child) {
        if (child + 1 < p->n && p->heap[child + 1]->at < p->heap[child]->at)
            child++;
        if (p->heap[child]->at >= t->at)
            break;
        place(p, i, p->heap[child]);
    }
    place(p, i, t);
}

void poller_arm(struct poller *p, struct poller_timer *t, uint64_t at_ns)
{
    if (t->slot && t->at == at_ns)
        return;
    t->at = at_ns;
    if (t->slot) {
        sift(p, t->slot - 1, t);
        return;
    }
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->heap = must_realloc(p->heap, p->cap * sizeof(struct poller_timer *));
    }
    p->n++;
    p->heap[p->n - 1] = t;
    sift(p, p->n - 1, t);
}

void poller_disarm(struct poller *p, struct poller_timer *t)
{
    if (!t->slot)
        return;
    size_t i = t->slot - 1;
    struct poller_timer *last = p->heap[--p->n];
    t->slot = 0;
    if (last != t)
        sift(p, i, last);
}

static int wait_ms(const struct poller *p, uint64_t at_most_ns)
{
    uint64_t now = clock_mono_ns(), until = now + at_most_ns;
    if (p->n && p->heap[0]->at < until)
        until = p->heap[0]->at;
    return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

void poller_run(struct poller *p, uint64_t at_most_ns)
{
    int n = epoll_wait(p->epoll, p->batch, BATCH, wait_ms(p, at_most_ns));
    must(n >= 0 || errno == EINTR);
    p->n_batch = n > 0 ? n : 0;
    for (p->at = 0; p->at < p->n_batch;) {
        struct epoll_event e = p->batch[p->at++];
        struct poller_fd *f = e.data.ptr;
        if (f)
            f->fn(f->ctx, e.events);
    }
    p->n_batch = p->at = 0;
    uint64_t now = clock_mono_ns();
    while (p->n && p->heap[0]->at <= now) {
        struct poller_timer *t = p->heap[0];
        poller_disarm(p, t);
        t->fn(t->ctx);
    }
}
