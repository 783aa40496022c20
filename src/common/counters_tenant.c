/* SPDX-License-Identifier: Apache-2.0 */
/* counters_tenant.c - which tenants /metrics names. Of each TENANT row those 20 that grew most lately have a series of
 * their own, what all others grow by goes to "_rest": so no series ever falls, and all together are the whole. What a
 * tenant grew by while it was not among the first 20 stays with the rest. */
#include "common/clock.h"
#include "common/counters_private.h"
#include "common/must.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define SHOWN       20
#define HALF_LIFE_S 60.0 /* of the growth by which tenants are ranked */

struct standing {  /* of one tenant, for one row */
    int64_t last;  /* at the last scrape */
    int64_t shown; /* its series */
    double heat;
};

struct ranking {
    struct standing *of; /* by tenant number */
    int64_t rest;
    int first[SHOWN]; /* the hottest first */
    int n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ranking rankings[T_COUNT];
static size_t room; /* tenant numbers below it have a standing */
static uint64_t ranked_ns;

static int64_t sum_of(size_t chunk, size_t at, enum tenant_counter t)
{
    int64_t sum = 0;

    for (struct counter_block *b = counters_list(); b; b = b->next) {
        struct tenant_chunk *c = atomic_load_explicit(&b->chunks[chunk], memory_order_acquire);

        if (c)
            sum += atomic_load_explicit(&c->v[at][t], memory_order_relaxed);
    }
    return sum;
}

static bool touched(size_t chunk)
{
    for (struct counter_block *b = counters_list(); b; b = b->next)
        if (atomic_load_explicit(&b->chunks[chunk], memory_order_acquire))
            return true;
    return false;
}

size_t counters_tenants(struct tenant_sum **ret)
{
    size_t n = 0, cap = 0;

    *ret = NULL;
    for (size_t chunk = 0; chunk < TENANT_CHUNKS; chunk++) {
        if (!touched(chunk))
            continue;
        if (n + TENANTS_PER_CHUNK > cap) {
            cap = (n + TENANTS_PER_CHUNK) * 2;
            *ret = must_realloc(*ret, cap * sizeof(**ret));
        }
        for (size_t at = 0; at < TENANTS_PER_CHUNK; at++) {
            struct tenant_sum s = {.no = (int)(chunk * TENANTS_PER_CHUNK + at)};
            int64_t any = 0;

            for (int t = 0; t < T_COUNT; t++)
                any |= s.v[t] = sum_of(chunk, at, (enum tenant_counter)t);
            if (any)
                (*ret)[n++] = s;
        }
    }
    return n;
}

static void make_room(size_t numbers)
{
    size_t more = room ? room : 256;

    if (numbers <= room)
        return;
    while (more < numbers)
        more *= 2;
    for (int t = 0; t < T_COUNT; t++) {
        rankings[t].of = must_realloc(rankings[t].of, more * sizeof(struct standing));
        memset(rankings[t].of + room, 0, (more - room) * sizeof(struct standing));
    }
    room = more;
}

/* Puts no into the list where its heat belongs; the coldest falls out. */
static void enter(struct ranking *r, int no)
{
    double heat = r->of[no].heat;
    int at = r->n;

    if (at == SHOWN && heat <= r->of[r->first[SHOWN - 1]].heat)
        return;
    if (at == SHOWN)
        at--;
    else
        r->n++;
    for (; at > 0 && r->of[r->first[at - 1]].heat < heat; at--)
        r->first[at] = r->first[at - 1];
    r->first[at] = no;
}

static void rank(struct ranking *r, enum tenant_counter t, const struct tenant_sum *sums, size_t n, double fade)
{
    r->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct standing *s = &r->of[sums[i].no];

        s->heat = s->heat * fade + (double)(sums[i].v[t] - s->last);
        if (sums[i].no && s->heat > 0.5) /* what has cooled down to nothing leaves */
            enter(r, sums[i].no);
    }
    for (int i = 0; i < r->n; i++) {
        struct standing *s = &r->of[r->first[i]];

        for (size_t k = 0; k < n; k++)
            if (sums[k].no == r->first[i]) {
                s->shown += sums[k].v[t] - s->last;
                s->last = sums[k].v[t];
            }
    }
    for (size_t i = 0; i < n; i++) {
        struct standing *s = &r->of[sums[i].no];

        r->rest += sums[i].v[t] - s->last; /* 0 for those that are shown */
        s->last = sums[i].v[t];
    }
}

void counters_rank_tenants(void)
{
    struct tenant_sum *sums;
    size_t n = counters_tenants(&sums);
    uint64_t now = clock_mono_ns();
    double fade;

    pthread_mutex_lock(&lock);
    if (n) /* numbers ascend */
        make_room((size_t)sums[n - 1].no + 1);
    fade = ranked_ns ? exp2(-(double)(now - ranked_ns) / 1e9 / HALF_LIFE_S) : 1;
    ranked_ns = now;
    for (int t = 0; t < T_COUNT; t++)
        rank(&rankings[t], (enum tenant_counter)t, sums, n, fade);
    pthread_mutex_unlock(&lock);
    free(sums);
}

void counters_write_tenants(struct strbuf *out, const struct counter_row *row, counters_tenant_id tenant_id)
{
    const struct ranking *r = &rankings[row->tenant];

    pthread_mutex_lock(&lock);
    for (int i = 0; i < r->n; i++) {
        char id[64];

        if (!tenant_id || !tenant_id(r->first[i], id, sizeof(id)))
            snprintf(id, sizeof(id), "t_%d", r->first[i]);
        strbuf_printf(out, "sekisho_%s{tenant=\"", row->name);
        counters_add_label(out, id);
        strbuf_add_str(out, "\"} ");
        counters_add_value(out, row->name, r->of[r->first[i]].shown);
        strbuf_add_char(out, '\n');
    }
    strbuf_printf(out, "sekisho_%s{tenant=\"_rest\"} ", row->name);
    counters_add_value(out, row->name, r->rest);
    strbuf_add_char(out, '\n');
    pthread_mutex_unlock(&lock);
}
