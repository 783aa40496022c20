/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - what a request has used, for its tenant and for the histograms. A loop's CPU time is told by the thread's
 * clock once per tick only; each request is charged the mean of the last seconds (handshakes and housekeeping are in
 * it), so that metering costs some additions. */
#include "common/counters.h"
#include "edge/edge_private.h"
#include <time.h>

#define FADE 0.9 /* per tick: the mean is of about 2.5 s */

void meter_tick(struct edge_loop *el)
{
    struct meter *m = &el->meter;
    struct timespec t;
    uint64_t cpu;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    cpu = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    if (m->requests) { /* a loop without requests charges nobody */
        m->faded_cpu = m->faded_cpu * FADE + (double)(cpu - m->cpu_seen);
        m->faded_requests = m->faded_requests * FADE + (double)m->requests;
        m->mean_ns = (int64_t)(m->faded_cpu / m->faded_requests);
    }
    m->cpu_seen = cpu;
    m->requests = 0;
}

void meter_answer(struct request *r, size_t bytes)
{
    const struct call *c = &r->call;
    int no = c->scope ? scope_tenant(c->scope)->no : 0;
    int64_t took = (int64_t)(clock_mono_ns() - c->received_ns);

    r->el->meter.requests++;
    count_tenant(T_tenant_requests, no, 1);
    count_tenant(T_tenant_bytes, no, (int64_t)(c->body.n + bytes));
    count_tenant(T_tenant_cpu_seconds, no, r->el->meter.mean_ns);
    if (c->latency)
        observe((enum counter)c->latency, took);
    else if (c->listener == LISTENER_CONSOLE)
        observe(C_api_seconds, took);
}
