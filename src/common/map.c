/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - linear probing at a load of at most three quarters; removal shifts the run back instead of leaving graves, so
 * a map that lives long does not slow down. */
#include "common/map.h"
#include "common/id.h"
#include "common/must.h"
#include <stdlib.h>

#define INLINE_KEY 32
#define LEAST_CAP  16

struct entry {
    uint64_t hash; /* 0: empty */
    void *value;
    size_t key_n;
    union {
        char bytes[INLINE_KEY];
        char *heap;
    } key;
};

struct map {
    struct entry *entries;
    size_t cap; /* a power of two */
    size_t n;
    uint64_t seed[2];
};

static uint64_t rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3. */
static uint64_t hash(const struct map *m, struct slice key)
{
    uint64_t v[4] = {m->seed[0] ^ UINT64_C(0x736f6d6570736575), m->seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     m->seed[0] ^ UINT64_C(0x6c7967656e657261), m->seed[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t last = (uint64_t)key.n << 56;
    uint64_t word;
    size_t at = 0;

    for (; key.n - at >= 8; at += 8) {
        memcpy(&word, key.p + at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; at + i < key.n; i++)
        last |= (uint64_t)(unsigned char)key.p[at + i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    word = v[0] ^ v[1] ^ v[2] ^ v[3];
    return word ? word : 1;
}

static struct slice entry_key(const struct entry *e)
{
    return slice_mem(e->key_n > INLINE_KEY ? e->key.heap : e->key.bytes, e->key_n);
}

static void entry_set_key(struct entry *e, struct slice key)
{
    char *to = e->key.bytes;

    e->key_n = key.n;
    if (key.n > INLINE_KEY)
        to = e->key.heap = must_alloc(key.n);
    if (key.n)
        memcpy(to, key.p, key.n);
}

static void entry_drop_key(struct entry *e)
{
    if (e->key_n > INLINE_KEY)
        free(e->key.heap);
}

struct map *map_new(size_t expected)
{
    struct map *m = must_alloc(sizeof(*m));

    must(expected < SIZE_MAX / 256);
    m->cap = LEAST_CAP;
    while (m->cap / 4 * 3 < expected)
        m->cap *= 2;
    m->entries = must_alloc(m->cap * sizeof(*m->entries));
    random_bytes(m->seed, sizeof(m->seed));
    return m;
}

void map_free(struct map **m, void (*value_free)(void *))
{
    if (!*m)
        return;
    for (size_t i = 0; i < (*m)->cap; i++) {
        struct entry *e = &(*m)->entries[i];

        if (!e->hash)
            continue;
        entry_drop_key(e);
        if (value_free)
            value_free(e->value);
    }
    free((*m)->entries);
    free(*m);
    *m = NULL;
}

size_t map_size(const struct map *m)
{
    return m->n;
}

/* The entry of key, or the empty one where it would go. */
static struct entry *find(const struct map *m, struct slice key, uint64_t h)
{
    for (size_t i = h;; i++) {
        struct entry *e = &m->entries[i & (m->cap - 1)];

        if (!e->hash || (e->hash == h && slice_eq(entry_key(e), key)))
            return e;
    }
}

void *map_get(const struct map *m, struct slice key)
{
    return find(m, key, hash(m, key))->value;
}

static void grow(struct map *m)
{
    struct entry *old = m->entries;
    size_t old_cap = m->cap;

    must(old_cap < SIZE_MAX / sizeof(*old) / 2);
    m->cap *= 2;
    m->entries = must_alloc(m->cap * sizeof(*old));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].hash)
            *find(m, entry_key(&old[i]), old[i].hash) = old[i];
    free(old);
}

void *map_put(struct map *m, struct slice key, void *value)
{
    uint64_t h = hash(m, key);
    struct entry *e = find(m, key, h);
    void *before = e->value;

    must(value != NULL); /* it tells absent from present */
    if (!e->hash) {
        if (m->n >= m->cap / 4 * 3) {
            grow(m);
            e = find(m, key, h);
        }
        e->hash = h;
        entry_set_key(e, key);
        m->n++;
    }
    e->value = value;
    return before;
}

void *map_remove(struct map *m, struct slice key)
{
    struct entry *e = find(m, key, hash(m, key));
    void *value = e->value;
    size_t mask = m->cap - 1;
    size_t hole = (size_t)(e - m->entries);

    if (!e->hash)
        return NULL;
    entry_drop_key(e);
    m->n--;
    /* Each entry of the run that may stand in the hole moves into it: its home is not between the hole and itself. */
    for (size_t i = (hole + 1) & mask; m->entries[i].hash; i = (i + 1) & mask) {
        size_t home = m->entries[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole] = (struct entry){0};
    return value;
}

bool map_next(const struct map *m, size_t *at, struct slice *ret_key, void **ret_value)
{
    while (*at < m->cap) {
        const struct entry *e = &m->entries[(*at)++];

        if (!e->hash)
            continue;
        if (ret_key)
            *ret_key = entry_key(e);
        if (ret_value)
            *ret_value = e->value;
        return true;
    }
    return false;
}
