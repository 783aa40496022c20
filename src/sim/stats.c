/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - see stats.h. A step is a power of two split in 32; the first 32 steps are single microseconds. */
#include "sim/stats.h"
#include <inttypes.h>

const char *stat_name(enum stat_kind k)
{
    static const char *const names[STAT_KINDS] = {"enrol",  "connect_full", "connect_resumed", "checkin", "facts",
                                                  "events", "inventory",    "renew",           "wake",    "commit"};
    return names[k];
}

static unsigned step_of(uint64_t us)
{
    if (us < 32)
        return (unsigned)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(us);
    unsigned step = (power - 4) * 32 + (unsigned)(us >> (power - 5) & 31);
    return step < STATS_STEPS ? step : STATS_STEPS - 1;
}

static uint64_t edge_of(unsigned step)
{
    if (step < 32)
        return step + 1;
    unsigned power = step / 32 + 4;
    return (UINT64_C(33) + step % 32) << (power - 5);
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->n++;
    h->sum_ns += ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->steps[step_of(ns / 1000)]++;
}

void stats_add(struct stats *s, enum stat_kind k, uint64_t ns)
{
    histogram_add(&s->since_report[k], ns);
    histogram_add(&s->total[k], ns);
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
    uint64_t below = 0, wanted = (h->n * percent + 99) / 100;
    for (unsigned i = 0; i < STATS_STEPS && h->n; i++) {
        below += h->steps[i];
        if (below >= wanted) {
            uint64_t ns = edge_of(i) * 1000;
            return ns < h->max_ns ? ns : h->max_ns;
        }
    }
    return 0;
}

void histogram_write(struct json_writer *w, const struct histogram *h, double seconds)
{
    json_key(w, "n");
    json_int(w, (int64_t)h->n);
    json_key(w, "rate");
    json_num(w, seconds > 0 ? (double)(int64_t)((double)h->n / seconds * 10) / 10 : 0);
    json_key(w, "p50_us");
    json_int(w, (int64_t)histogram_percentile(h, 50) / 1000);
    json_key(w, "p99_us");
    json_int(w, (int64_t)histogram_percentile(h, 99) / 1000);
    json_key(w, "max_us");
    json_int(w, (int64_t)h->max_ns / 1000);
}

void stats_write(struct json_writer *w, const struct histogram *h, double seconds)
{
    json_object_open(w);
    for (enum stat_kind k = 0; k < STAT_KINDS; k++) {
        if (!h[k].n)
            continue;
        json_key(w, stat_name(k));
        json_object_open(w);
        histogram_write(w, &h[k], seconds);
        json_object_close(w);
    }
    json_object_close(w);
}

void stats_print(FILE *f, const struct histogram *h, double seconds)
{
    for (enum stat_kind k = 0; k < STAT_KINDS; k++)
        if (h[k].n)
            fprintf(f, "  %-16s %9" PRIu64 " %9.1f/s   p50 %8.2f ms   p99 %8.2f ms   max %8.2f ms\n", stat_name(k),
                    h[k].n, seconds > 0 ? (double)h[k].n / seconds : 0, (double)histogram_percentile(&h[k], 50) / 1e6,
                    (double)histogram_percentile(&h[k], 99) / 1e6, (double)h[k].max_ns / 1e6);
}

void stats_next(struct stats *s)
{
    memset(s->since_report, 0, sizeof(s->since_report));
}
