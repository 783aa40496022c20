/* SPDX-License-Identifier: Apache-2.0 */
/* id.c - UUIDv7 (RFC 9562) and random numbers, from the kernel or, for tests, from a seeded xoshiro256**. */
#include "common/id.h"
#include "common/clock.h"
#include "common/must.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>

static atomic_bool seeded;
static pthread_mutex_t seeded_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t seeded_state[4];      /* under seeded_lock */
static _Atomic uint64_t newest_stamp; /* of uuid_new: milliseconds << 12 | part of one */

static uint64_t rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static uint64_t seeded_next(void)
{
    uint64_t *s = seeded_state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static void seeded_bytes(uint8_t *out, size_t n)
{
    pthread_mutex_lock(&seeded_lock);
    while (n) {
        uint64_t v = seeded_next();
        size_t part = n < sizeof(v) ? n : sizeof(v);

        memcpy(out, &v, part);
        out += part;
        n -= part;
    }
    pthread_mutex_unlock(&seeded_lock);
}

static void kernel_bytes(uint8_t *out, size_t n)
{
    while (n) {
        ssize_t got = getrandom(out, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        must(got > 0);
        out += got;
        n -= (size_t)got;
    }
}

/* A system call costs more than an id may, so small requests are served from a stock of the thread. What was handed out
 * is wiped from it, and a forked child does not go on with its parent's. */
static _Thread_local uint8_t stock[512];
static _Thread_local size_t stock_left;
static _Thread_local unsigned stock_generation;
static atomic_uint generation; /* of the process: rises in each fork's child */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void forked(void)
{
    atomic_fetch_add(&generation, 1);
}

static void watch_forks(void)
{
    must(pthread_atfork(NULL, NULL, forked) == 0);
}

static void stock_bytes(uint8_t *out, size_t n)
{
    unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);

    if (stock_left < n || stock_generation != now) {
        pthread_once(&fork_once, watch_forks);
        kernel_bytes(stock, sizeof(stock));
        stock_left = sizeof(stock);
        stock_generation = now;
    }
    stock_left -= n;
    memcpy(out, stock + stock_left, n);
    explicit_bzero(stock + stock_left, n);
}

void random_bytes(void *out, size_t n)
{
    if (atomic_load_explicit(&seeded, memory_order_acquire))
        seeded_bytes(out, n);
    else if (n <= sizeof(stock) / 16)
        stock_bytes(out, n);
    else
        kernel_bytes(out, n);
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof(v));
    return v;
}

uint64_t random_below(uint64_t n)
{
    uint64_t rest;
    uint64_t v;

    must(n > 0);
    rest = (0 - n) % n; /* 2^64 mod n: so many low values would be drawn too often */
    do
        v = random_u64();
    while (v < rest);
    return v % n;
}

/* The seed is spread by splitmix64. Ids start anew too, so that with a fixed clock whole runs repeat. */
void random_seed(uint64_t seed)
{
    bool on = seed != 0;

    pthread_mutex_lock(&seeded_lock);
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);

        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        seeded_state[i] = z ^ z >> 31;
    }
    if (on)
        atomic_store(&newest_stamp, 0);
    atomic_store_explicit(&seeded, on, memory_order_release);
    pthread_mutex_unlock(&seeded_lock);
}

/* The time in milliseconds with 12 bits of fraction, or one more than the last stamp if that is not less. */
static uint64_t next_stamp(void)
{
    uint64_t now = (uint64_t)clock_now();
    uint64_t wish = (now / 1000) << 12 | (now % 1000) * 4096 / 1000;
    uint64_t last = atomic_load_explicit(&newest_stamp, memory_order_relaxed);
    uint64_t next;

    do
        next = wish > last ? wish : last + 1;
    while (
        !atomic_compare_exchange_weak_explicit(&newest_stamp, &last, next, memory_order_relaxed, memory_order_relaxed));
    return next;
}

struct uuid uuid_new(void)
{
    uint64_t stamp = next_stamp();
    uint64_t ms = stamp >> 12;
    struct uuid u;

    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    u.b[6] = (uint8_t)(0x70 | (stamp >> 8 & 0x0F));
    u.b[7] = (uint8_t)stamp;
    random_bytes(u.b + 8, 8);
    u.b[8] = (uint8_t)(0x80 | (u.b[8] & 0x3F));
    return u;
}

bool uuid_is_nil(struct uuid u)
{
    static const struct uuid nil;

    return uuid_eq(u, nil);
}

bool uuid_eq(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

int uuid_cmp(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof(a.b));
}

static bool dash_before(int i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

char *uuid_text(struct uuid u, char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    for (int i = 0; i < 16; i++) {
        if (dash_before(i))
            *at++ = '-';
        *at++ = digits[u.b[i] >> 4];
        *at++ = digits[u.b[i] & 15];
    }
    *at = 0;
    return out;
}

bool uuid_parse(struct slice s, struct uuid *ret)
{
    struct uuid u;
    const char *at = s.p;

    if (s.n != UUID_TEXT_SIZE - 1)
        return false;
    for (int i = 0; i < 16; i++) {
        size_t n;

        if (dash_before(i) && *at++ != '-')
            return false;
        if (!slice_unhex(slice_mem(at, 2), u.b + i, 1, &n))
            return false;
        at += 2;
    }
    *ret = u;
    return true;
}
