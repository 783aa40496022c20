/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - a simulated device's journal of events, as the protocol means it: numbers within a random epoch, kept until
 * the server has committed them, renumbered in a new epoch on demand. In memory; the state file takes what is left. One
 * owner. */
#ifndef SEKISHO_SIM_SPOOL_H
#define SEKISHO_SIM_SPOOL_H

#include "common/strbuf.h"
#include "wire/agent.gen.h"

struct spool_record {
    struct spool_record *next;
    int64_t seq;
    struct uuid id;
    enum wire_event_kind kind;
    usec_t occurred;
    uint64_t added_ns; /* monotonic; 0: of an earlier run */
    size_t n;
    char body[]; /* JSON */
};

struct spool {
    struct uuid epoch;
    int64_t head; /* highest number given out */
    struct spool_record *first, **last;
    unsigned waiting;
};

#define SPOOL_MAX 2000 /* records; a device makes no new ones when so many wait */

void spool_init(struct spool *s);
void spool_done(struct spool *s);
bool spool_full(const struct spool *s);
/* Copies the body. The record is the spool's; its added_ns may be set. */
struct spool_record *spool_add(struct spool *s, struct uuid id, enum wire_event_kind kind, usec_t occurred,
                               struct slice body);
int64_t spool_tail(const struct spool *s); /* lowest number that waits, head + 1 when none */
/* Drops what is committed; told gets each record before it goes, or is NULL. */
unsigned spool_ack(struct spool *s, int64_t seq, void (*told)(void *ctx, const struct spool_record *), void *ctx);
void spool_renew(struct spool *s); /* a new epoch */
/* The first records, at most max and about bytes of bodies, with their hashes; memory of the arena. */
size_t spool_batch(const struct spool *s, struct arena *a, size_t max, size_t bytes, struct wire_event **ret);

#endif
