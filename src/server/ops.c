/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c - what the ops port answers beyond /healthz and /readyz: /metrics, and /ops/top, the figures of all tenants for
 * sekishoctl top. On a loop thread; nothing waits. */
#include "common/counters.h"
#include "common/json.h"
#include "common/memory.h"
#include "edge/edge.h"
#include "server/server.h"
#include "store/batch.h"
#include "tenant/tenant.h"
#include "worker/pool.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST ((INT64_C(1) << 53) - 1) /* of an integer in JSON */

static _Atomic int64_t memory_at_start; /* written when the ops port answers already */

void ops_start(void)
{
    atomic_store(&memory_at_start, memory_resident());
}

static void look(void)
{
    int64_t connections = counter_read(C_connections_agent) + counter_read(C_connections_console);
    int64_t now = memory_resident(), before = atomic_load(&memory_at_start);

    count_set(C_memory_resident_bytes, now);
    count_set(C_connection_memory_bytes, connections > 0 && now > before ? (now - before) / connections : 0);
    worker_gauges();
    batch_gauges();
}

static bool tenant_id(int no, char *out, size_t size)
{
    struct tenants *all = tenants_get();
    const struct tenant *t = tenants_by_no(all, no);

    if (t)
        snprintf(out, size, "%s", t->id);
    tenants_put(all);
    return t != NULL;
}

/* Sums since the start, as arrays in the order of "columns": who asks twice can make rates of them. */
static void write_top(struct strbuf *out, const char *replica)
{
    struct tenants *all = tenants_get();
    struct tenant_sum *sums;
    size_t n = counters_tenants(&sums);
    struct json_writer w;

    json_start(&w, out);
    json_object_open(&w);
    json_key(&w, "replica");
    json_str(&w, slice_of(replica));
    json_key(&w, "seconds"); /* of this process's clock: rates are differences of both */
    json_num(&w, (double)clock_mono_ns() / 1e9);
    json_key(&w, "columns");
    json_array_open(&w);
    json_str(&w, SLICE("tenant"));
#define TENANT(name, help) json_str(&w, SLICE(#name));
#include "common/counters.def"
    json_array_close(&w);
    json_key(&w, "tenants");
    json_array_open(&w);
    for (size_t i = 0; i < n; i++) {
        const struct tenant *t = tenants_by_no(all, sums[i].no);
        char id[24];

        snprintf(id, sizeof(id), sums[i].no ? "t_%d" : "-", sums[i].no);
        json_array_open(&w);
        json_str(&w, slice_of(t ? t->id : id));
#define TENANT(name, help)                               \
    if (slice_ends(SLICE(#name), SLICE("_seconds")))     \
        json_num(&w, (double)sums[i].v[T_##name] / 1e9); \
    else                                                 \
        json_int(&w, sums[i].v[T_##name] & MOST);
#include "common/counters.def"
        json_array_close(&w);
    }
    json_array_close(&w);
    json_object_close(&w);
    strbuf_add_char(out, '\n');
    free(sums);
    tenants_put(all);
}

bool ops_answer(struct slice path, const struct params *p, struct strbuf *out, const char **ret_type)
{
    if (slice_eq(path, SLICE("/metrics"))) {
        look();
        counters_write(out, tenant_id);
        *ret_type = "text/plain; version=0.0.4; charset=utf-8";
        return true;
    }
    if (slice_eq(path, SLICE("/ops/top"))) {
        write_top(out, p->replica);
        *ret_type = "application/json";
        return true;
    }
    return false;
}
