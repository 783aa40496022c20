/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - the snapshot: an array sorted by number, two maps beside it, a count of references. The current one
 * hangs on a pointer under a lock that is held for two instructions. */
#include "tenant/snapshot.h"
#include "common/counters.h"
#include "common/map.h"
#include "common/must.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tenants {
    atomic_int refs;
    int64_t revision;
    struct tenant *list;
    size_t n;
    struct map *by_id, *by_host;
};

static pthread_mutex_t current_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tenants *current;

/* Body of the first PEM block; standard base64 with line ends. */
static uint8_t *pem_to_der(const char *pem, size_t *ret_n)
{
    const char *from = strstr(pem, "-----\n");
    const char *to = from ? strstr(from + 6, "-----END") : NULL;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    uint8_t *out;

    *ret_n = 0;
    if (!to)
        return NULL;
    out = must_alloc((size_t)(to - from));
    for (const char *p = from + 6; p < to && *p != '='; p++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *d = strchr(digits, *p);

        if (!d)
            continue;
        bits = bits << 6 | (uint32_t)(d - digits);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[(*ret_n)++] = (uint8_t)(bits >> n_bits);
        }
    }
    return out;
}

struct tenants *tenants_make(int64_t revision, const struct tenant *list, size_t n, const struct tenant_host *hosts,
                             size_t n_hosts)
{
    struct tenants *t = must_alloc(sizeof(*t));

    t->revision = revision;
    t->list = must_alloc(n * sizeof(*list));
    t->n = n;
    t->by_id = map_new(n);
    t->by_host = map_new(n_hosts);
    atomic_init(&t->refs, 1);
    for (size_t i = 0; i < n; i++) {
        struct tenant *x = &t->list[i];

        *x = list[i];
        must(i == 0 || x->no > x[-1].no);
        x->ca_pem = must_strdup(list[i].ca_pem ? list[i].ca_pem : "");
        x->ca_der = pem_to_der(x->ca_pem, &x->ca_der_n);
        map_put(t->by_id, slice_of(x->id), x);
    }
    for (size_t i = 0; i < n_hosts; i++) {
        const struct tenant *x = tenants_by_no(t, hosts[i].tenant_no);

        if (x)
            map_put(t->by_host, slice_of(hosts[i].host), &t->list[x - t->list]);
    }
    return t;
}

static void destroy(struct tenants *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->list[i].ca_pem);
        free(t->list[i].ca_der);
    }
    free(t->list);
    map_free(&t->by_id, NULL);
    map_free(&t->by_host, NULL);
    free(t);
}

void tenants_publish(struct tenants *t)
{
    struct tenants *old;

    pthread_mutex_lock(&current_lock);
    old = current;
    current = t;
    pthread_mutex_unlock(&current_lock);
    if (t)
        count_set(C_tenants, (int64_t)t->n);
    if (old)
        tenants_put(old);
}

struct tenants *tenants_get(void)
{
    struct tenants *t;

    pthread_mutex_lock(&current_lock);
    if (!current)
        current = tenants_make(0, NULL, 0, NULL, 0);
    t = current;
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&current_lock);
    return t;
}

void tenants_put(struct tenants *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
        destroy(t);
}

int64_t tenants_revision(const struct tenants *t)
{
    return t->revision;
}

size_t tenants_count(const struct tenants *t)
{
    return t->n;
}

const struct tenant *tenants_at(const struct tenants *t, size_t i)
{
    must(i < t->n);
    return &t->list[i];
}

static int by_no(const void *key, const void *item)
{
    int no = *(const int *)key;
    const struct tenant *t = item;

    return (no > t->no) - (no < t->no);
}

const struct tenant *tenants_by_no(const struct tenants *t, int no)
{
    return t->n ? bsearch(&no, t->list, t->n, sizeof(*t->list), by_no) : NULL;
}

const struct tenant *tenants_by_id(const struct tenants *t, struct slice id)
{
    return map_get(t->by_id, id);
}

const struct tenant *tenants_by_host(const struct tenants *t, struct slice host)
{
    char name[254];
    size_t colon;

    if (slice_find(host, ':', &colon))
        host.n = colon;
    if (host.n >= sizeof(name))
        return NULL;
    for (size_t i = 0; i < host.n; i++)
        name[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] + 32 : host.p[i]);
    return map_get(t->by_host, slice_mem(name, host.n));
}
