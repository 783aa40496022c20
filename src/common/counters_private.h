/* SPDX-License-Identifier: Apache-2.0 */
/* counters_private.h - the blocks of the threads, for the files of the counters. */
#ifndef SEKISHO_COUNTERS_PRIVATE_H
#define SEKISHO_COUNTERS_PRIVATE_H

#include "common/counters.h"
#include <stdatomic.h>

#define TENANTS_PER_CHUNK 64
#define TENANT_CHUNKS     4096

struct tenant_chunk {
    _Atomic int64_t v[TENANTS_PER_CHUNK][T_COUNT];
};

/* Of one thread: written by it alone, read by scrapes. */
struct counter_block {
    _Atomic int64_t v[C_COUNT];
    struct tenant_chunk *_Atomic chunks[TENANT_CHUNKS]; /* allocated when first counted in, never freed */
    struct counter_block *next;                         /* fixed once the block is on the list */
    atomic_bool taken;
};

struct counter_block *counters_own(void);  /* of this thread */
struct counter_block *counters_list(void); /* of all threads that ever were */

struct counter_row {
    const char *name, *kind, *help;
    const char *label;     /* NULL: one series */
    const char *value;     /* a series of the row above that has a label */
    const int64_t *bounds; /* of a histogram */
    size_t n_bounds;
    int at; /* enum counter; -1: per tenant */
    int tenant;
};
extern const struct counter_row counter_rows[];
extern const size_t counter_rows_count;

/* counters_tenant.c: the series of one TENANT row. */
void counters_write_tenants(struct strbuf *out, const struct counter_row *row, counters_tenant_id tenant_id);
void counters_rank_tenants(void); /* once per scrape, before */
/* A value as /metrics shows it. */
void counters_add_value(struct strbuf *out, const char *name, int64_t v);
void counters_add_label(struct strbuf *out, const char *text); /* escaped */

#endif
