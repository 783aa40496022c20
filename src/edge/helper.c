/* SPDX-License-Identifier: Apache-2.0 */
/* helper.c - one thread for what a loop thread must not wait for: reading files that are not in memory, giving memory
 * back. Work is done in order. */
#include "common/must.h"
#include "edge/edge_private.h"

struct job {
    struct job *next;
    void (*fn)(void *);
    void *arg;
};

struct helper {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct job *first, *last;
    bool stop;
};

static struct job *take(struct helper *h)
{
    struct job *j;

    pthread_mutex_lock(&h->lock);
    while (!h->first && !h->stop)
        pthread_cond_wait(&h->wake, &h->lock);
    j = h->first;
    if (j) {
        h->first = j->next;
        if (!h->first)
            h->last = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return j;
}

static void *run(void *arg)
{
    struct job *j;

    pthread_setname_np(pthread_self(), "edge-helper");
    while ((j = take(arg))) {
        j->fn(j->arg);
        free(j);
    }
    return NULL;
}

struct helper *helper_new(void)
{
    struct helper *h = must_alloc(sizeof(*h));

    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    must(pthread_create(&h->thread, NULL, run, h) == 0);
    return h;
}

void helper_run(struct helper *h, void (*fn)(void *), void *arg)
{
    struct job *j = must_alloc(sizeof(*j));

    j->fn = fn;
    j->arg = arg;
    pthread_mutex_lock(&h->lock);
    if (h->last)
        h->last->next = j;
    else
        h->first = j;
    h->last = j;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
}

void helper_free(struct helper **h)
{
    if (!*h)
        return;
    pthread_mutex_lock(&(*h)->lock);
    (*h)->stop = true;
    pthread_cond_signal(&(*h)->wake);
    pthread_mutex_unlock(&(*h)->lock);
    pthread_join((*h)->thread, NULL);
    pthread_mutex_destroy(&(*h)->lock);
    pthread_cond_destroy(&(*h)->wake);
    free(*h);
    *h = NULL;
}
