/* SPDX-License-Identifier: Apache-2.0 */
/* counters.c - a block of counters per thread, on a list that only grows. A block has one writer, so adding is a plain
 * load and store; readers may miss the last add, never see half of one. The block of a thread that ended is taken over,
 * with its numbers, by the next thread that starts. */
#include "common/counters_private.h"
#include "common/must.h"
#include <pthread.h>
#include <stdlib.h>

static struct counter_block *_Atomic blocks;
static _Atomic int64_t set_values[C_COUNT]; /* of gauges that are set, not counted */
static _Thread_local struct counter_block *mine;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Bounds of a histogram, by its first slot. */
static const struct {
    const int64_t *bounds;
    unsigned n;
} bounds_of[C_COUNT] = {
#define HISTOGRAM(name, help, ...) \
    [C_##name] = {(const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)},
#include "common/counters.def"
};

#define HISTOGRAM(name, help, ...)                                                            \
    _Static_assert(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t) + 2 <= HISTOGRAM_SLOTS, \
                   "more bounds than a histogram has slots");
#include "common/counters.def"

static void leave(void *block)
{
    struct counter_block *b = block;

    mine = NULL;
    atomic_store_explicit(&b->taken, false, memory_order_release);
}

static void setup(void)
{
    must(pthread_key_create(&at_thread_end, leave) == 0);
}

static struct counter_block *take_over(void)
{
    for (struct counter_block *b = atomic_load(&blocks); b; b = b->next) {
        bool no = false;

        if (atomic_compare_exchange_strong(&b->taken, &no, true))
            return b;
    }
    return NULL;
}

static struct counter_block *create(void)
{
    size_t size = (sizeof(struct counter_block) + 63) & ~(size_t)63;
    struct counter_block *b = aligned_alloc(64, size); /* no two threads in one cache line */

    must(b != NULL);
    memset(b, 0, size);
    atomic_store(&b->taken, true);
    b->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &b->next, b))
        ;
    return b;
}

struct counter_block *counters_own(void)
{
    if (__builtin_expect(!mine, 0)) {
        pthread_once(&once, setup);
        mine = take_over();
        if (!mine)
            mine = create();
        must(pthread_setspecific(at_thread_end, mine) == 0);
    }
    return mine;
}

struct counter_block *counters_list(void)
{
    return atomic_load(&blocks);
}

static void add(_Atomic int64_t *v, int64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void count_add(enum counter c, int64_t n)
{
    add(&counters_own()->v[c], n);
}

void count(enum counter c)
{
    count_add(c, 1);
}

void count_set(enum counter c, int64_t v)
{
    atomic_store_explicit(&set_values[c], v, memory_order_relaxed);
}

void observe(enum counter h, int64_t v)
{
    struct counter_block *b = counters_own();
    unsigned i = 0;

    while (i < bounds_of[h].n && v > bounds_of[h].bounds[i])
        i++;
    add(&b->v[h + i], 1);
    add(&b->v[h + HISTOGRAM_SLOTS - 1], v);
}

static int64_t read_slot(unsigned at)
{
    int64_t sum = atomic_load_explicit(&set_values[at], memory_order_relaxed);

    for (struct counter_block *b = counters_list(); b; b = b->next)
        sum += atomic_load_explicit(&b->v[at], memory_order_relaxed);
    return sum;
}

int64_t counter_read(enum counter c)
{
    int64_t sum = read_slot(c);

    for (unsigned i = 1; bounds_of[c].n && i <= bounds_of[c].n; i++)
        sum += read_slot(c + i);
    for (size_t i = 0; i < counter_rows_count; i++) {
        if (counter_rows[i].at != (int)c || !counter_rows[i].label)
            continue;
        for (i++; i < counter_rows_count && counter_rows[i].value; i++)
            sum += read_slot((unsigned)counter_rows[i].at);
    }
    return sum;
}

void count_tenant(enum tenant_counter t, int tenant_no, int64_t n)
{
    struct counter_block *b = counters_own();
    unsigned no = tenant_no > 0 && tenant_no < TENANTS_PER_CHUNK * TENANT_CHUNKS ? (unsigned)tenant_no : 0;
    struct tenant_chunk *c = atomic_load_explicit(&b->chunks[no / TENANTS_PER_CHUNK], memory_order_relaxed);

    if (__builtin_expect(!c, 0)) {
        c = must_alloc(sizeof(*c));
        atomic_store_explicit(&b->chunks[no / TENANTS_PER_CHUNK], c, memory_order_release);
    }
    add(&c->v[no % TENANTS_PER_CHUNK][t], n);
}
