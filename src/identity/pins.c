/* SPDX-License-Identifier: Apache-2.0 */
/* pins.c - see pins.h. One map under one lock, by leaf; a device has few certificates, so cutting
 * one walks the table (100,000 entries: about a millisecond, on a worker or on loop 0 for hints of others). */
#include "identity/pins.h"
#include "cache/cache.h"
#include "common/map.h"
#include "common/must.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ENTRIES_MAX 200000

struct entry {
    struct pin pin;
    uint64_t put_ns;
    struct sha256 leaf;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *pins;
static atomic_uint_fast64_t generation;

void pins_start(void)
{
    pins = map_new(1024);
}

void pins_stop(void)
{
    map_free(&pins, free);
}

uint64_t pins_generation(void)
{
    return atomic_load(&generation);
}

static uint64_t life(const struct entry *e)
{
    if (e->pin.verdict != PIN_GOOD)
        return PINS_REFUSED_NS;
    return cache_up() ? PINS_VALID_NS : PINS_VALID_ALONE_NS;
}

bool pins_find(const struct sha256 *leaf, struct pin *ret)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    struct entry *e = map_get(pins, MAP_KEY(*leaf));
    if (e && clock_mono_ns() - e->put_ns < life(e)) {
        *ret = e->pin;
        found = true;
    } else if (e) {
        free(map_remove(pins, MAP_KEY(*leaf)));
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Full: what has outlived its time goes; when that is not enough, all goes. Verdicts are read again from the database.
 */
static void make_room_locked(void)
{
    struct map *kept = map_new(1024);
    uint64_t now = clock_mono_ns();
    size_t at = 0;
    void *value;
    while (map_next(pins, &at, NULL, &value)) {
        struct entry *e = value;
        if (now - e->put_ns < life(e) && map_size(kept) < ENTRIES_MAX / 2)
            map_put(kept, MAP_KEY(e->leaf), e);
        else
            free(e);
    }
    map_free(&pins, NULL);
    pins = kept;
}

void pins_put(const struct sha256 *leaf, const struct pin *p, uint64_t generation_before)
{
    struct entry *e = must_alloc(sizeof *e);
    *e = (struct entry){*p, clock_mono_ns(), *leaf};
    pthread_mutex_lock(&lock);
    if (generation_before != atomic_load(&generation)) {
        free(e);
    } else {
        if (map_size(pins) >= ENTRIES_MAX)
            make_room_locked();
        free(map_put(pins, MAP_KEY(*leaf), e));
    }
    pthread_mutex_unlock(&lock);
}

void pins_drop_device(struct uuid device)
{
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&generation, 1);
    for (;;) { /* a map must not change while it is walked */
        size_t at = 0;
        void *value;
        struct entry *gone = NULL;
        while (!gone && map_next(pins, &at, NULL, &value)) {
            struct entry *e = value;
            if (uuid_eq(e->pin.device, device))
                gone = e;
        }
        if (!gone)
            break;
        map_remove(pins, MAP_KEY(gone->leaf));
        free(gone);
    }
    pthread_mutex_unlock(&lock);
}

void pins_drop_all(void)
{
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&generation, 1);
    map_free(&pins, free);
    pins = map_new(1024);
    pthread_mutex_unlock(&lock);
}

static int by_tenant(const void *a, const void *b)
{
    const struct pin_entry *x = a, *y = b;
    return (x->tenant_no > y->tenant_no) - (x->tenant_no < y->tenant_no);
}

size_t pins_list(struct pin_entry **ret, size_t max)
{
    pthread_mutex_lock(&lock);
    size_t n = 0, at = 0;
    struct pin_entry *list = must_alloc((map_size(pins) + 1) * sizeof *list);
    void *value;
    while (n < max && map_next(pins, &at, NULL, &value)) {
        const struct entry *e = value;
        if (e->pin.verdict == PIN_GOOD)
            list[n++] = (struct pin_entry){e->leaf, e->pin.tenant_no, e->pin.device};
    }
    pthread_mutex_unlock(&lock);
    qsort(list, n, sizeof *list, by_tenant);
    *ret = list;
    return n;
}
