/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - counts and latencies per kind of operation: a histogram whose steps are at most 3 %. One thread. */
#ifndef SEKISHO_SIM_STATS_H
#define SEKISHO_SIM_STATS_H

#include "common/json.h"
#include <stdio.h>

enum stat_kind {
    STAT_ENROL,
    STAT_CONNECT_FULL,
    STAT_CONNECT_RESUMED,
    STAT_CHECKIN,   /* nothing to tell */
    STAT_FACTS,     /* with changed facts */
    STAT_EVENTS,    /* with events */
    STAT_INVENTORY, /* whole facts */
    STAT_RENEW,
    STAT_WAKE,   /* from the wake-up line to the tasks */
    STAT_COMMIT, /* from an event to its acknowledgement */
    STAT_KINDS
};
const char *stat_name(enum stat_kind k);

#define STATS_STEPS 1024
struct histogram {
    uint64_t n, sum_ns, max_ns;
    uint32_t steps[STATS_STEPS];
};

struct stats {
    struct histogram since_report[STAT_KINDS], total[STAT_KINDS];
};

void stats_add(struct stats *s, enum stat_kind k, uint64_t ns);
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_percentile(const struct histogram *h, unsigned percent); /* ns, upper edge of its step; 0: empty */
/* Members n, rate, p50_us, p99_us, max_us of an open object. */
void histogram_write(struct json_writer *w, const struct histogram *h, double seconds);
/* Both forms of the kinds that happened: lines for people, or an object for programs. */
void stats_print(FILE *f, const struct histogram *h, double seconds);
void stats_write(struct json_writer *w, const struct histogram *h, double seconds);
void stats_next(struct stats *s); /* a new report begins */

#endif
