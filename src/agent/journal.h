/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the agent's spool: append-only segments, fsynced before journal_append returns, dropped only after the
 * server's acknowledgement. Each record has a sequence number within a random epoch, a CRC and the protocol's hash. A
 * crash or kill at any byte loses nothing that was confirmed; damage found at opening is repaired and shown by a gap
 * record. Not thread-safe; one process at a time (locked). Blocks for disk writes. */
#ifndef SEKISHO_AGENT_JOURNAL_H
#define SEKISHO_AGENT_JOURNAL_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"
#include "common/rc.h"

struct journal;

/* What is dropped first when the journal is full; within one priority the oldest. */
enum journal_priority { JOURNAL_LOW, JOURNAL_NORMAL, JOURNAL_HIGH, JOURNAL_DETECTION, JOURNAL_PRIORITIES };

#define JOURNAL_BODY_MAX 32768
#define JOURNAL_KIND_MAX 32

struct journal_limits {
    uint64_t size;    /* bytes on disk */
    int64_t age;      /* seconds; detections have no age limit */
    uint64_t segment; /* bytes of one segment file; 0: 4 MiB, less when size is small */
};

struct journal_record {
    uint64_t first; /* equals seq but for gap records: the first number that is missing */
    uint64_t seq;
    struct uuid id;
    usec_t occurred;
    struct sha256 hash;
    enum journal_priority priority;
    struct slice kind; /* text of wire_event_kind */
    struct slice body; /* JSON text */
};

/* Opens or makes the journal in folder dir. RC_CONFLICT: another process holds it. RC_UNAVAILABLE, RC_DENIED: the
 * folder or its files cannot be read or written. Damage is never an error: it is repaired, at worst by a new epoch. */
enum rc journal_open(const char *dir, struct journal_limits limits, struct journal **ret) MUST_CHECK;
void journal_close(struct journal **j);

struct uuid journal_epoch(const struct journal *j);
uint64_t journal_head(const struct journal *j); /* highest number given out */
uint64_t journal_tail(const struct journal *j); /* lowest not acknowledged; head + 1 when none waits */
uint64_t journal_size(const struct journal *j); /* bytes on disk */
/* Records that were dropped or damaged over the journal's life, and when the last time was (0: never). */
uint64_t journal_lost(const struct journal *j, usec_t *ret_at);

/* Returns after fsync. RC_INVALID: kind or body too long. RC_UNAVAILABLE: the disk refused; nothing was recorded. */
enum rc journal_append(struct journal *j, struct slice kind, enum journal_priority priority, struct uuid id,
                       usec_t occurred, struct slice body, uint64_t *ret_seq) MUST_CHECK;

/* Whether a record with this id is held, or was among the latest few thousand: for events that are offered twice. */
bool journal_knows(const struct journal *j, struct uuid id);

/* Records from number `from` on, in order, at most max_records and max_bytes of body (but at least one record), copied
 * into the arena. */
enum rc journal_read(struct journal *j, uint64_t from, size_t max_records, size_t max_bytes, struct arena *a,
                     struct journal_record **ret, size_t *ret_n) MUST_CHECK;

/* All up to seq are committed by the server. RC_INVALID: above the head, so it speaks of another journal. */
enum rc journal_ack(struct journal *j, uint64_t seq) MUST_CHECK;

/* Takes out a record that the server cannot accept, ever; a gap record with the reason damage takes its place. */
enum rc journal_refuse(struct journal *j, uint64_t seq) MUST_CHECK;

/* Renumbers what is not acknowledged under a new random epoch, atomically: after a crash either the old or the new one
 * is there, whole. Ids, times and hashes of records stay. */
enum rc journal_new_epoch(struct journal *j) MUST_CHECK;

/* Drops what is older than the age limit; call now and then. */
enum rc journal_trim(struct journal *j, usec_t now) MUST_CHECK;

#endif
