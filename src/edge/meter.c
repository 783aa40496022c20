/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - what a request has used, for its tenant and for the histograms. A loop's CPU time is read of the thread's
 * clock once per tick, or per 1,024 requests, and divided among the requests that were answered meanwhile, in equal
 * parts; handshakes and housekeeping are in it. So metering costs some additions per request, and all parts together
 * are what the loop has used. */
#include "common/counters.h"
#include "edge/edge_private.h"
#include <time.h>

static void settle(struct meter *m)
{
    struct timespec t;
    int64_t cpu, part;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    cpu = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    part = m->n ? (cpu - m->cpu_seen) / m->n : 0;
    for (int i = 0; i < m->n; i++)
        count_tenant(T_tenant_cpu_seconds, m->tenants[i], part);
    if (!m->n)
        count_tenant(T_tenant_cpu_seconds, 0, cpu - m->cpu_seen);
    m->cpu_seen = cpu;
    m->n = 0;
}

void meter_tick(struct edge_loop *el)
{
    settle(&el->meter);
}

void meter_answer(struct request *r, size_t bytes)
{
    const struct call *c = &r->call;
    struct meter *m = &r->el->meter;
    int no = c->scope ? scope_tenant(c->scope)->no : 0;
    int64_t took = (int64_t)(clock_mono_ns() - c->received_ns);

    if (m->n == METER_REQUESTS)
        settle(m);
    m->tenants[m->n++] = no;
    count_tenant(T_tenant_requests, no, 1);
    count_tenant(T_tenant_bytes, no, (int64_t)(c->body.n + bytes));
    if (c->latency)
        observe((enum counter)c->latency, took);
    else if (c->listener == LISTENER_CONSOLE)
        observe(C_api_seconds, took);
}
