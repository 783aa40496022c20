/* SPDX-License-Identifier: Apache-2.0 */
/* presence.c - one table under one lock: a note is a hash look-up, the flush takes the dirty ones out once a minute. */
#include "push/presence.h"
#include "common/map.h"
#include "common/must.h"
#include <pthread.h>
#include <stdlib.h>

enum {
    PRESENCE_MAX = 1000000
}; /* devices remembered; beyond it new ones go to the table unseen until the next flush */

struct heard {
    struct presence_entry entry;
    bool dirty;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *heard; /* uuid -> struct heard */

void presence_start(void)
{
    heard = map_new(1024);
}

void presence_stop(void)
{
    map_free(&heard, free);
}

void presence_note(int tenant_no, struct uuid device, usec_t at, const char *address)
{
    pthread_mutex_lock(&lock);
    struct heard *h = map_get(heard, MAP_KEY(device));
    if (!h && map_size(heard) < PRESENCE_MAX) {
        h = must_alloc(sizeof *h);
        map_put(heard, MAP_KEY(device), h);
    }
    if (h && at >= h->entry.at) {
        h->entry.tenant_no = tenant_no;
        h->entry.device = device;
        h->entry.at = at;
        size_t n = strnlen(address, sizeof h->entry.address - 1);
        memcpy(h->entry.address, address, n);
        h->entry.address[n] = '\0';
        h->dirty = true;
    }
    pthread_mutex_unlock(&lock);
}

usec_t presence_last(struct uuid device)
{
    pthread_mutex_lock(&lock);
    const struct heard *h = map_get(heard, MAP_KEY(device));
    usec_t at = h ? h->entry.at : 0;
    pthread_mutex_unlock(&lock);
    return at;
}

void presence_forget(struct uuid device)
{
    pthread_mutex_lock(&lock);
    free(map_remove(heard, MAP_KEY(device)));
    pthread_mutex_unlock(&lock);
}

static int entry_order(const void *a, const void *b)
{
    const struct presence_entry *x = a, *y = b;
    if (x->tenant_no != y->tenant_no)
        return x->tenant_no < y->tenant_no ? -1 : 1;
    return uuid_cmp(x->device, y->device);
}

size_t presence_take_dirty(struct presence_entry **ret)
{
    pthread_mutex_lock(&lock);
    struct presence_entry *entries = must_alloc((map_size(heard) + 1) * sizeof *entries);
    size_t n = 0, at = 0;
    void *value;
    while (map_next(heard, &at, NULL, &value)) {
        struct heard *h = value;
        if (h->dirty)
            entries[n++] = h->entry;
        h->dirty = false;
    }
    pthread_mutex_unlock(&lock);
    qsort(entries, n, sizeof *entries, entry_order);
    *ret = entries;
    return n;
}
