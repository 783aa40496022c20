/* SPDX-License-Identifier: Apache-2.0 */
/* id.h - ids (UUIDv7) and randomness that tests can fix. Thread-safe. */
#ifndef SEKISHO_ID_H
#define SEKISHO_ID_H

#include "common/slice.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_SIZE 37

struct uuid uuid_new(void); /* version 7: ordered by time, strictly increasing within a process, over all threads */
bool uuid_is_nil(struct uuid u);
bool uuid_eq(struct uuid a, struct uuid b);
int uuid_cmp(struct uuid a, struct uuid b);
char *uuid_text(struct uuid u, char out[UUID_TEXT_SIZE]); /* lower case; returns out */
bool uuid_parse(struct slice s, struct uuid *ret);        /* 8-4-4-4-12 hex digits, either case */

void random_bytes(void *out, size_t n); /* from the kernel; aborts if it fails */
uint64_t random_u64(void);
uint64_t random_below(uint64_t n); /* unbiased; n > 0 */
void random_seed(uint64_t seed);   /* tests and the simulator: a fixed sequence from now on, all threads; 0 = kernel
                                      again. Never for keys: crypto.h draws by itself */

#endif
