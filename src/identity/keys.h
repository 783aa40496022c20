/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the keys that identity works with, as an immutable, reference-counted set: signing keys of access tokens,
 * the time key, public halves. Loaded when control.revision changes; rotated by a chore. */
#ifndef SEKISHO_KEYS_H
#define SEKISHO_KEYS_H

#include "identity/token.h"

struct db;

struct keys {
    struct token_keys token;
    bool time_ready;
    uint8_t time_private[32];
    char time_public[65], module_public[65]; /* hex; module_public is empty when there is none */
    int refs;
};

/* ring outlives all use. Before other threads exist. */
void keys_start(const struct keyring *ring);
void keys_stop(void);
const struct keyring *keys_ring(void);

/* Any thread, never blocks; NULL: nothing is loaded yet. Each get needs its put. */
struct keys *keys_get(void);
void keys_put(struct keys *k); /* NULL allowed */

/* On a worker. Load: reads the rows; makes the first signing key when there is none. Rotate: adds a key when the newest
 * is a day old; a new one signs only when every replica has had a minute to learn it. */
enum rc keys_load(struct db *db) MUST_CHECK;
enum rc keys_rotate(struct db *db) MUST_CHECK;

#endif
