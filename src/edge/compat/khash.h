/* SPDX-License-Identifier: Apache-2.0 */
/* khash.h - libh2o's installed http2_internal.h includes a header of this name that its package leaves out. This is the
 * part that it needs: the memory layout of the table of a connection's streams (2.2.5), and reading it. Keys are 64-bit
 * numbers, places are found by quadratic probing, two bits a place say whether it is empty (2) or deleted (1). */
#ifndef SEKISHO_KHASH_H
#define SEKISHO_KHASH_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t khint_t;
typedef khint_t khiter_t;

#define khash_t(name) kh_##name##_t

#define KHASH_MAP_INIT_INT64(name, type)                                      \
    typedef struct kh_##name##_s {                                            \
        khint_t n_buckets, size, n_occupied, upper_bound;                     \
        uint32_t *flags;                                                      \
        uint64_t *keys;                                                       \
        type *vals;                                                           \
    } kh_##name##_t;                                                          \
    static inline khint_t kh_get_##name(const kh_##name##_t *h, uint64_t key) \
    {                                                                         \
        return kh_find(h->flags, h->keys, h->n_buckets, key);                 \
    }

static inline uint32_t kh_state(const uint32_t *flags, khint_t at)
{
    return flags[at >> 4] >> ((at & 15) << 1) & 3;
}

/* The place of key, or n_buckets. */
static inline khint_t kh_find(const uint32_t *flags, const uint64_t *keys, khint_t n_buckets, uint64_t key)
{
    khint_t mask = n_buckets - 1, at = (khint_t)(key >> 33 ^ key ^ key << 11) & mask;

    for (khint_t step = 1; n_buckets && step <= n_buckets && kh_state(flags, at) != 2; at = (at + step++) & mask)
        if (kh_state(flags, at) == 0 && keys[at] == key)
            return at;
    return n_buckets;
}

#define kh_get(name, h, key) kh_get_##name(h, key)
#define kh_end(h)            ((h)->n_buckets)
#define kh_val(h, at)        ((h)->vals[at])
#define kh_exist(h, at)      (kh_state((h)->flags, (at)) == 0)

#endif
