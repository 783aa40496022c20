/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - loop threads over the library's event loop: messages, timers, watched descriptors. The library knows only
 * lists of equal time-outs, so timers are a heap of our own. They fire from inside one of its callbacks: only there
 * does it look at sockets that became ready meanwhile before it sleeps again. */
#include "common/clock.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/loop_private.h"
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LOOPS_MAX   16
#define LONGEST_NAP 1000 /* ms */

struct loop_timer {
    uint64_t at_ns;
    size_t place; /* in the heap */
    struct loop *loop;
    void (*fn)(void *);
    void *arg;
};

struct loop {
    int index;
    pthread_t thread;
    h2o_evloop_t *h2o;
    h2o_multithread_queue_t *queue;
    h2o_multithread_receiver_t receiver;
    struct loop_timer **heap;
    size_t n_heap, cap_heap;
    h2o_timeout_t due;
    h2o_timeout_entry_t due_entry;
    atomic_bool stop;
    sem_t ready;
};

struct loop_watch {
    h2o_socket_t *sock;
    bool writing;
    void (*on_readable)(void *);
    void (*on_writable)(void *);
    void *arg;
};

/* Written before the threads start, read-only afterwards. */
static struct loop loops[LOOPS_MAX];
static int n_loops;
static _Thread_local struct loop *current;

int loop_index(const struct loop *l)
{
    return l->index;
}

int loop_count(void)
{
    return n_loops;
}

struct loop *loop_at(int index)
{
    must(index >= 0 && index < n_loops);
    return &loops[index];
}

struct loop *loop_current(void)
{
    return current;
}

void *loop_library(struct loop *l)
{
    return l->h2o;
}

/* ---- messages */

struct posted {
    struct loop_message message;
    void (*fn)(void *);
    void *arg;
};

_Static_assert(sizeof(h2o_multithread_message_t) <= sizeof(((struct loop_message *)NULL)->library),
               "a message holds the library's link");

static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        h2o_multithread_message_t *link = H2O_STRUCT_FROM_MEMBER(h2o_multithread_message_t, link, messages->next);
        struct loop_message *m = H2O_STRUCT_FROM_MEMBER(struct loop_message, library, (void *)link);

        h2o_linklist_unlink(&link->link);
        m->fn(m);
    }
}

void loop_send(struct loop *l, struct loop_message *m, void (*fn)(struct loop_message *))
{
    memset(m->library, 0, sizeof(m->library));
    m->fn = fn;
    h2o_multithread_send_message(&l->receiver, (h2o_multithread_message_t *)(void *)m->library);
}

static void run_posted(struct loop_message *m)
{
    struct posted *p = (struct posted *)(void *)m;
    void (*fn)(void *) = p->fn;
    void *arg = p->arg;

    free(p);
    fn(arg);
}

void loop_post(struct loop *l, void (*fn)(void *), void *arg)
{
    struct posted *p = must_alloc(sizeof(*p));

    p->fn = fn;
    p->arg = arg;
    loop_send(l, &p->message, run_posted);
}

/* ---- timers */

static void place(struct loop *l, struct loop_timer *t, size_t at)
{
    l->heap[at] = t;
    t->place = at;
}

static void sift_up(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];

    for (; at && l->heap[(at - 1) / 2]->at_ns > t->at_ns; at = (at - 1) / 2)
        place(l, l->heap[(at - 1) / 2], at);
    place(l, t, at);
}

static void sift_down(struct loop *l, size_t at)
{
    struct loop_timer *t = l->heap[at];

    for (size_t child; (child = 2 * at + 1) < l->n_heap; at = child) {
        if (child + 1 < l->n_heap && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
            child++;
        if (l->heap[child]->at_ns >= t->at_ns)
            break;
        place(l, l->heap[child], at);
    }
    place(l, t, at);
}

static void take_out(struct loop *l, struct loop_timer *t)
{
    size_t at = t->place;
    struct loop_timer *last = l->heap[--l->n_heap];

    if (last == t)
        return;
    place(l, last, at);
    sift_up(l, at);
    sift_down(l, last->place);
}

struct loop_timer *loop_timer_start(struct loop *l, int ms, void (*fn)(void *), void *arg)
{
    struct loop_timer *t = must_alloc(sizeof(*t));

    must(l == current);
    *t = (struct loop_timer){
        .at_ns = clock_mono_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000, .loop = l, .fn = fn, .arg = arg};
    if (l->n_heap == l->cap_heap) {
        l->cap_heap = l->cap_heap ? 2 * l->cap_heap : 64;
        l->heap = must_realloc(l->heap, l->cap_heap * sizeof(struct loop_timer *));
    }
    place(l, t, l->n_heap++);
    sift_up(l, t->place);
    return t;
}

void loop_timer_cancel(struct loop_timer **t)
{
    if (!*t)
        return;
    must((*t)->loop == current);
    take_out((*t)->loop, *t);
    free(*t);
    *t = NULL;
}

static void fire_timers(h2o_timeout_entry_t *entry)
{
    struct loop *l = H2O_STRUCT_FROM_MEMBER(struct loop, due_entry, entry);
    uint64_t now = clock_mono_ns();

    while (l->n_heap && l->heap[0]->at_ns <= now) {
        struct loop_timer *t = l->heap[0];
        void (*fn)(void *) = t->fn;
        void *arg = t->arg;

        take_out(l, t);
        free(t);
        fn(arg);
    }
}

/* Milliseconds until the next timer, rounded up: the loop must not spin through the last one. */
static int nap(const struct loop *l)
{
    uint64_t now, left;

    if (!l->n_heap)
        return LONGEST_NAP;
    now = clock_mono_ns();
    if (l->heap[0]->at_ns <= now)
        return 0;
    left = (l->heap[0]->at_ns - now + 999999) / 1000000;
    return left < LONGEST_NAP ? (int)left : LONGEST_NAP;
}

/* ---- watched descriptors */

static void watch_readable(h2o_socket_t *sock, const char *err)
{
    struct loop_watch *w = sock->data;

    (void)err; /* the owner finds it by reading */
    w->on_readable(w->arg);
}

static void watch_writable(h2o_socket_t *sock, const char *err)
{
    struct loop_watch *w = sock->data;

    (void)err;
    w->writing = false;
    w->on_writable(w->arg);
}

struct loop_watch *loop_watch_start(struct loop *l, int fd, void (*on_readable)(void *), void (*on_writable)(void *),
                                    void *arg)
{
    struct loop_watch *w = must_alloc(sizeof(*w));
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    must(l == current);
    must(own >= 0);
    w->on_readable = on_readable;
    w->on_writable = on_writable;
    w->arg = arg;
    w->sock = h2o_evloop_socket_create(l->h2o, own, H2O_SOCKET_FLAG_DONT_READ);
    w->sock->data = w;
    h2o_socket_read_start(w->sock, watch_readable);
    return w;
}

void loop_watch_write(struct loop_watch *w)
{
    if (w->writing)
        return;
    w->writing = true;
    h2o_socket_notify_write(w->sock, watch_writable);
}

void loop_watch_stop(struct loop_watch **w)
{
    if (!*w)
        return;
    h2o_socket_read_stop((*w)->sock);
    h2o_socket_close((*w)->sock);
    free(*w);
    *w = NULL;
}

/* ---- threads */

/* When something is still open (the drain was cut short) its time-outs are in use; then the process just ends. */
static void take_apart(struct loop *l)
{
    h2o_evloop_run(l->h2o, 0); /* frees sockets that were closed in the last turn */
    if (!h2o_linklist_is_empty(&l->receiver._messages))
        return;
    h2o_multithread_unregister_receiver(l->queue, &l->receiver);
    h2o_multithread_destroy_queue(l->queue);
    h2o_timeout_unlink(&l->due_entry);
    h2o_timeout_dispose(l->h2o, &l->due);
    h2o_evloop_run(l->h2o, 0);
    if (h2o_linklist_is_empty(&l->h2o->_timeouts))
        h2o_evloop_destroy(l->h2o);
}

static void *run(void *arg)
{
    struct loop *l = arg;
    char name[16];

    snprintf(name, sizeof(name), "loop-%d", l->index);
    pthread_setname_np(pthread_self(), name);
    current = l;
    /* Made here: the library's buffers belong to the thread that made them. */
    l->h2o = h2o_evloop_create();
    l->queue = h2o_multithread_create_queue(l->h2o);
    h2o_multithread_register_receiver(l->queue, &l->receiver, on_messages);
    h2o_timeout_init(l->h2o, &l->due, 0);
    l->due_entry.cb = fire_timers;
    sem_post(&l->ready);
    while (!atomic_load_explicit(&l->stop, memory_order_relaxed)) {
        int ms = nap(l);

        if (ms == 0 && !h2o_timeout_is_linked(&l->due_entry))
            h2o_timeout_link(l->h2o, &l->due, &l->due_entry);
        if (h2o_evloop_run(l->h2o, ms) != 0 && errno != EINTR) {
            ev_error(AREA_EDGE, "the event loop failed", EV_INT("errno", errno));
            must(!"event loop");
        }
    }
    take_apart(l);
    return NULL;
}

void loops_start(int n)
{
    must(n > 0 && n <= LOOPS_MAX && n_loops == 0);
    n_loops = n;
    for (int i = 0; i < n; i++) {
        loops[i].index = i;
        sem_init(&loops[i].ready, 0, 0);
        must(pthread_create(&loops[i].thread, NULL, run, &loops[i]) == 0);
    }
    for (int i = 0; i < n; i++)
        while (sem_wait(&loops[i].ready) != 0)
            ;
}

struct visit {
    struct loop_message message;
    void (*fn)(struct loop *, void *);
    void *arg;
    struct loop *loop;
    sem_t *done;
};

static void run_visit(struct loop_message *m)
{
    struct visit *v = (struct visit *)(void *)m;

    v->fn(v->loop, v->arg);
    sem_post(v->done);
}

void loops_visit(void (*fn)(struct loop *, void *), void *arg)
{
    struct visit visits[LOOPS_MAX];
    sem_t done;

    must(!current);
    sem_init(&done, 0, 0);
    for (int i = 0; i < n_loops; i++) {
        visits[i] = (struct visit){.fn = fn, .arg = arg, .loop = &loops[i], .done = &done};
        loop_send(&loops[i], &visits[i].message, run_visit);
    }
    for (int i = 0; i < n_loops; i++)
        while (sem_wait(&done) != 0)
            ;
    sem_destroy(&done);
}

static void ask_to_stop(void *arg)
{
    atomic_store(&((struct loop *)arg)->stop, true);
}

void loops_stop(void)
{
    for (int i = 0; i < n_loops; i++)
        loop_post(&loops[i], ask_to_stop, &loops[i]);
    for (int i = 0; i < n_loops; i++) {
        struct loop *l = &loops[i];

        pthread_join(l->thread, NULL);
        while (l->n_heap)
            free(l->heap[--l->n_heap]);
        free(l->heap);
        sem_destroy(&l->ready);
        memset(l, 0, sizeof(*l));
    }
    n_loops = 0;
}
