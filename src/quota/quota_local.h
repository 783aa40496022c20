/* SPDX-License-Identifier: Apache-2.0 */
/* quota_local.h - token buckets in this process's memory, for the time while Redis is away. A table of fixed size: a
 * new key takes the place of the one that stood there, so memory is bounded and a limit may be forgotten, never
 * invented. Thread-safe. */
#ifndef SEKISHO_QUOTA_LOCAL_H
#define SEKISHO_QUOTA_LOCAL_H

#include "common/slice.h"

struct quota_rate {
    double rate; /* tokens a second */
    double burst;
};
struct quota_outcome {
    bool allowed;
    int64_t left;    /* tokens of the emptiest bucket */
    int refused;     /* index of the bucket that refuses */
    int64_t wait_ms; /* until it has one */
};

/* One token of each of n buckets, or of none. now_ns: clock_mono_ns. */
struct quota_outcome quota_local_take(const struct slice *keys, const struct quota_rate *rates, int n, uint64_t now_ns);
/* Gives one token back. */
void quota_local_give(struct slice key);
void quota_local_reset(void);

#endif
