/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - what this process may decide without Redis, for devices whose wake-up stream ends here: whether a check-in
 * may happen, and which revision the device has to hold. The stream makes that sound: a change of the revision is told
 * on it, by the writer or by the sweep, and a lease that holds an older one than was told is not used. A lease begins
 * empty: the first check-in of each reason asks Redis, and what Redis allowed begins the local bucket. When it ends, a
 * floor that still runs is written back, so that reconnecting gains nothing. Thread-safe; never waits. */
#ifndef SEKISHO_QUOTA_LEASE_H
#define SEKISHO_QUOTA_LEASE_H

#include "call/call.h"
#include "quota/quota_local.h"
#include "wire/agent.gen.h"

#define LEASE_DIGEST_MAX 72
#define QUOTA_KEY_MAX    64

/* The key of a device's bucket in Redis; returns ret. */
char *quota_checkin_key(char ret[QUOTA_KEY_MAX], enum wire_reason reason, struct uuid device);

struct lease_view {
    bool allowed;
    int64_t wait_ms; /* until it is */
    bool known;      /* revision and digest are what the device has to hold */
    int64_t revision;
    char digest[LEASE_DIGEST_MAX];
    size_t digest_n;
};

void lease_start(void);
void lease_stop(void);

/* The watcher of push/wake.h. */
void lease_open(struct uuid device);
void lease_told(struct uuid device, int64_t revision);
void lease_close(struct uuid device);

/* false: not ours to decide, ask Redis. A floor is a bucket of one token. now_ns: clock_mono_ns. */
bool lease_take(struct uuid device, enum wire_reason reason, const struct quota_rate *r, uint64_t now_ns,
                struct lease_view *ret);
/* Redis allowed it: from now on we may decide. */
void lease_begin(struct uuid device, enum wire_reason reason, const struct quota_rate *r, uint64_t now_ns);
/* Allowed, but nothing came of it (the server was busy): the floor does not count it. */
void lease_give_back(struct uuid device, enum wire_reason reason);

/* Revision and digest of facts as they were read in a transaction or from Redis; older ones than told are kept away. */
void lease_fill(struct uuid device, int64_t revision, struct slice digest, uint64_t now_ns);

#endif
