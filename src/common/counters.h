/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - metrics, a table (counters.def): name, kind, help. Per-thread arrays summed at scrape, so counting costs
 * an add. A thread's share stays in the sums when the thread ends. Thread-safe. */
#ifndef SEKISHO_COUNTERS_H
#define SEKISHO_COUNTERS_H

#include "common/strbuf.h"
#include <stdio.h>

#define HISTOGRAM_SLOTS 16 /* at most 14 bounds, the rest, the sum */

enum counter {
#define COUNTER(name, help)           C_##name,
#define GAUGE(name, help)             C_##name,
#define COUNTER_BY(name, label, help) C_##name,
#define GAUGE_BY(name, label, help)   C_##name,
#define VALUE(name, value)            C_##name##_##value,
#define HISTOGRAM(name, help, ...)    C_##name, C_##name##_sum = C_##name + HISTOGRAM_SLOTS - 1,
#include "common/counters.def"
    C_COUNT
};

enum tenant_counter {
#define TENANT(name, help) T_##name,
#include "common/counters.def"
    T_COUNT
};

void count(enum counter c);
void count_add(enum counter c, int64_t n); /* negative for gauges */
void count_set(enum counter c, int64_t v); /* a gauge that nobody adds to; any thread, the last one wins */
/* Sum over threads. Of a COUNTER_BY: of its values; of a HISTOGRAM: how many were observed. */
int64_t counter_read(enum counter c);
void observe(enum counter histogram, int64_t v);

/* For a tenant; 0: for nobody, which is shown with the rest. Numbers beyond 262,143 count as 0. The first count of a
 * thread for 64 tenants allocates, later ones do not. */
void count_tenant(enum tenant_counter t, int tenant_no, int64_t n);
struct tenant_sum {
    int no;
    int64_t v[T_COUNT];
};
/* All tenants with something counted, in ascending order; free(*ret). */
size_t counters_tenants(struct tenant_sum **ret);

/* Prometheus text format, names sekisho_<name>. tenant_id (NULL: numbers): the id of a tenant into out, false: gone. */
typedef bool (*counters_tenant_id)(int no, char *out, size_t size);
void counters_write(struct strbuf *out, counters_tenant_id tenant_id);
void counters_print_help(FILE *f);
void counters_print_markdown(FILE *f);

#endif
