/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - metrics, a table (counters.def): name, kind, help. Per-thread arrays summed at scrape, so counting costs
 * an add. A thread's share stays in the sums when the thread ends. Thread-safe. */
#ifndef SEKISHO_COUNTERS_H
#define SEKISHO_COUNTERS_H

#include "common/strbuf.h"

enum counter {
#define COUNTER(name, help) C_##name,
#define GAUGE(name, help)   C_##name,
#include "common/counters.def"
#undef COUNTER
#undef GAUGE
    C_COUNT
};

void count(enum counter c);
void count_add(enum counter c, int64_t n); /* negative for gauges */
void count_set(enum counter c, int64_t v); /* a gauge that one thread alone sets and no other adds to */
int64_t counter_read(enum counter c);      /* sum over threads */
void counters_write(struct strbuf *out);   /* Prometheus text format, names sekisho_<name> */

#endif
