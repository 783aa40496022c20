/* SPDX-License-Identifier: Apache-2.0 */
/* counters.c - a block of counters per thread, on a list that only grows. A block has one writer, so adding is a plain
 * load and store; readers may miss the last add, never see half of one. The block of a thread that ended is taken over,
 * with its numbers, by the next thread that starts. */
#include "common/counters.h"
#include "common/must.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct block {
    _Atomic int64_t v[C_COUNT];
    struct block *next; /* fixed once the block is on the list */
    atomic_bool taken;
};

static const struct {
    const char *name;
    const char *kind;
    const char *help;
} table[] = {
#define COUNTER(name, help) {#name, "counter", help},
#define GAUGE(name, help)   {#name, "gauge", help},
#include "common/counters.def"
#undef COUNTER
#undef GAUGE
};

static struct block *_Atomic blocks;
static _Thread_local struct block *mine;
static pthread_key_t at_thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void leave(void *block)
{
    struct block *b = block;

    mine = NULL;
    atomic_store_explicit(&b->taken, false, memory_order_release);
}

static void setup(void)
{
    must(pthread_key_create(&at_thread_end, leave) == 0);
}

static struct block *take_over(void)
{
    for (struct block *b = atomic_load(&blocks); b; b = b->next) {
        bool no = false;

        if (atomic_compare_exchange_strong(&b->taken, &no, true))
            return b;
    }
    return NULL;
}

static struct block *create(void)
{
    size_t size = (sizeof(struct block) + 63) & ~(size_t)63;
    struct block *b = aligned_alloc(64, size); /* no two threads in one cache line */

    must(b != NULL);
    memset(b, 0, size);
    atomic_store(&b->taken, true);
    b->next = atomic_load(&blocks);
    while (!atomic_compare_exchange_weak(&blocks, &b->next, b))
        ;
    return b;
}

static struct block *own(void)
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

void count_add(enum counter c, int64_t n)
{
    _Atomic int64_t *v = &own()->v[c];

    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void count(enum counter c)
{
    count_add(c, 1);
}

void count_set(enum counter c, int64_t v)
{
    atomic_store_explicit(&own()->v[c], v, memory_order_relaxed);
}

int64_t counter_read(enum counter c)
{
    int64_t sum = 0;

    for (struct block *b = atomic_load(&blocks); b; b = b->next)
        sum += atomic_load_explicit(&b->v[c], memory_order_relaxed);
    return sum;
}

void counters_write(struct strbuf *out)
{
    for (unsigned i = 0; i < C_COUNT; i++) {
        strbuf_printf(out, "# HELP sekisho_%s %s\n# TYPE sekisho_%s %s\nsekisho_%s ", table[i].name, table[i].help,
                      table[i].name, table[i].kind, table[i].name);
        strbuf_add_i64(out, counter_read((enum counter)i));
        strbuf_add_char(out, '\n');
    }
}
