/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h. One table under one lock, held for a look-up; as many entries as there are wake-up streams. */
#include "quota/lease.h"
#include "cache/cache.h"
#include "common/clock.h"
#include "common/map.h"
#include "common/must.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define REASONS       (WIRE_REASON_START + 1)
#define FILL_LIFE_NS  (UINT64_C(900) * 1000000000)
#define WRITE_BACK_MS 1000 /* a floor that ends sooner is not worth it */

struct bucket {
    bool begun;
    float tokens;
    uint64_t at_ns;
};

struct lease {
    int64_t told;     /* newest revision that a change announced */
    int64_t revision; /* -1: none held */
    uint64_t filled_ns;
    uint64_t floor_end_ns;
    char digest[LEASE_DIGEST_MAX];
    uint8_t digest_n;
    struct bucket buckets[REASONS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *leases; /* device -> struct lease; NULL: not started */

void lease_start(void)
{
    leases = map_new(1024);
}

void lease_stop(void)
{
    map_free(&leases, free);
}

static struct lease *find(struct uuid device)
{
    return leases ? map_get(leases, MAP_KEY(device)) : NULL;
}

/* ---- the stream's life */

char *quota_checkin_key(char ret[QUOTA_KEY_MAX], enum wire_reason reason, struct uuid device)
{
    char id[UUID_TEXT_SIZE];
    snprintf(ret, QUOTA_KEY_MAX, "sk:q:%s:%s", wire_reason_text(reason), uuid_text(device, id));
    return ret;
}

void lease_open(struct uuid device)
{
    pthread_mutex_lock(&lock);
    if (leases && !find(device)) {
        struct lease *l = must_alloc(sizeof *l);
        l->revision = -1;
        map_put(leases, MAP_KEY(device), l);
    }
    pthread_mutex_unlock(&lock);
}

void lease_told(struct uuid device, int64_t revision)
{
    pthread_mutex_lock(&lock);
    struct lease *l = find(device);
    if (l && revision > l->told)
        l->told = revision;
    pthread_mutex_unlock(&lock);
}

void lease_close(struct uuid device)
{
    pthread_mutex_lock(&lock);
    struct lease *l = leases ? map_remove(leases, MAP_KEY(device)) : NULL;
    pthread_mutex_unlock(&lock);
    if (!l)
        return;
    uint64_t now = clock_mono_ns();
    if (l->floor_end_ns > now + WRITE_BACK_MS * UINT64_C(1000000)) {
        char key[QUOTA_KEY_MAX];
        cache_hold(slice_of(quota_checkin_key(key, WIRE_REASON_SCHEDULED, device)),
                   (int64_t)((l->floor_end_ns - now) / 1000000));
    }
    free(l);
}

/* ---- deciding */

static bool floor_like(const struct quota_rate *r)
{
    return r->burst <= 1;
}

static void taken(struct lease *l, struct bucket *b, const struct quota_rate *r, uint64_t now_ns)
{
    b->tokens -= 1;
    if (floor_like(r))
        l->floor_end_ns = now_ns + (uint64_t)((1 - (double)b->tokens) / r->rate * 1e9);
}

bool lease_take(struct uuid device, enum wire_reason reason, const struct quota_rate *r, uint64_t now_ns,
                struct lease_view *ret)
{
    bool ours = false;
    pthread_mutex_lock(&lock);
    struct lease *l = find(device);
    struct bucket *b = l ? &l->buckets[reason] : NULL;
    if (b && b->begun) {
        ours = true;
        double tokens = (double)b->tokens + (double)(now_ns - b->at_ns) / 1e9 * r->rate;
        b->tokens = (float)(tokens < r->burst ? tokens : r->burst);
        b->at_ns = now_ns;
        ret->allowed = b->tokens >= 1;
        ret->wait_ms = ret->allowed ? 0 : (int64_t)((1 - (double)b->tokens) / r->rate * 1000) + 1;
        if (ret->allowed)
            taken(l, b, r, now_ns);
        ret->known = l->revision >= 0 && l->revision >= l->told && now_ns - l->filled_ns < FILL_LIFE_NS &&
                     cache_revisions_usable();
        ret->revision = l->revision;
        memcpy(ret->digest, l->digest, l->digest_n);
        ret->digest_n = l->digest_n;
    }
    pthread_mutex_unlock(&lock);
    return ours;
}

void lease_begin(struct uuid device, enum wire_reason reason, const struct quota_rate *r, uint64_t now_ns)
{
    pthread_mutex_lock(&lock);
    struct lease *l = find(device);
    if (l && !l->buckets[reason].begun) {
        struct bucket *b = &l->buckets[reason];
        *b = (struct bucket){.begun = true, .tokens = 1, .at_ns = now_ns}; /* the burst is in Redis already */
        taken(l, b, r, now_ns);
    }
    pthread_mutex_unlock(&lock);
}

void lease_give_back(struct uuid device, enum wire_reason reason)
{
    pthread_mutex_lock(&lock);
    struct lease *l = find(device);
    if (l && l->buckets[reason].begun) {
        l->buckets[reason].tokens += 1;
        if (reason == WIRE_REASON_SCHEDULED)
            l->floor_end_ns = 0;
    }
    pthread_mutex_unlock(&lock);
}

void lease_fill(struct uuid device, int64_t revision, struct slice digest, uint64_t now_ns)
{
    pthread_mutex_lock(&lock);
    struct lease *l = find(device);
    if (l && revision >= l->told && digest.n <= sizeof l->digest) {
        l->revision = revision;
        l->filled_ns = now_ns;
        l->digest_n = (uint8_t)digest.n;
        memcpy(l->digest, digest.p ? digest.p : "", digest.n);
    }
    pthread_mutex_unlock(&lock);
}
