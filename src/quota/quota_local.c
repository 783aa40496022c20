/* SPDX-License-Identifier: Apache-2.0 */
/* quota_local.c - see quota_local.h. Keys are compared by 64 bits of an HMAC with a secret of the process, so that
 * nobody outside can choose keys that share a place. */
#include "quota/quota_local.h"
#include "common/crypto.h"
#include <pthread.h>

#define PLACES    65536
#define TAKES_MAX 8

struct bucket {
    uint64_t key;
    double tokens;
    uint64_t at_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket places[PLACES];
static uint8_t secret[32];
static bool have_secret;

static uint64_t key_locked(struct slice key)
{
    if (!have_secret) {
        crypto_random(secret, sizeof secret);
        have_secret = true;
    }
    struct sha256 h = crypto_hmac_sha256(slice_mem(secret, sizeof secret), key);
    uint64_t k;
    memcpy(&k, h.b, sizeof k);
    return k | 1; /* 0: an empty place */
}

static struct bucket *bucket_locked(struct slice key, const struct quota_rate *r, uint64_t now_ns)
{
    uint64_t k = key_locked(key);
    struct bucket *b = &places[(k >> 1) % PLACES];
    if (b->key != k) {
        *b = (struct bucket){k, r->burst, now_ns};
        return b;
    }
    if (now_ns > b->at_ns) {
        b->tokens += (double)(now_ns - b->at_ns) / 1e9 * r->rate;
        if (b->tokens > r->burst)
            b->tokens = r->burst;
        b->at_ns = now_ns;
    }
    return b;
}

struct quota_outcome quota_local_take(const struct slice *keys, const struct quota_rate *rates, int n, uint64_t now_ns)
{
    struct bucket *b[TAKES_MAX];
    struct quota_outcome o = {.allowed = true, .left = INT64_MAX};
    if (n > TAKES_MAX)
        n = TAKES_MAX;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < n; i++) {
        b[i] = bucket_locked(keys[i], &rates[i], now_ns);
        int64_t wait = b[i]->tokens < 1 ? (int64_t)((1 - b[i]->tokens) / rates[i].rate * 1000) + 1 : 0;
        if (wait > o.wait_ms) {
            o.allowed = false;
            o.refused = i;
            o.wait_ms = wait;
        }
    }
    for (int i = 0; o.allowed && i < n; i++) {
        b[i]->tokens -= 1;
        if ((int64_t)b[i]->tokens < o.left)
            o.left = (int64_t)b[i]->tokens;
    }
    pthread_mutex_unlock(&lock);
    if (!o.allowed)
        o.left = 0;
    return o;
}

void quota_local_give(struct slice key)
{
    uint64_t k;
    pthread_mutex_lock(&lock);
    k = key_locked(key);
    struct bucket *b = &places[(k >> 1) % PLACES];
    if (b->key == k)
        b->tokens += 1; /* the next look holds it to its burst */
    pthread_mutex_unlock(&lock);
}

void quota_local_reset(void)
{
    pthread_mutex_lock(&lock);
    memset(places, 0, sizeof places);
    pthread_mutex_unlock(&lock);
}
