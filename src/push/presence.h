/* SPDX-License-Identifier: Apache-2.0 */
/* presence.h - when each device was last heard by this process, kept in memory and flushed to the table `seen` once a
 * minute by worker/. Thread-safe; bounded (the oldest flushed entries are dropped first). */
#ifndef SEKISHO_PRESENCE_H
#define SEKISHO_PRESENCE_H

#include "common/clock.h"
#include "common/id.h"

void presence_start(void);
void presence_stop(void);

void presence_note(int tenant_no, struct uuid device, usec_t at, const char *address);
/* 0 when not heard by this process since it started (or long ago). */
usec_t presence_last(struct uuid device);
void presence_forget(struct uuid device);

struct presence_entry {
    int tenant_no;
    struct uuid device;
    usec_t at;
    char address[46];
};
/* Entries changed since the last call, ordered by tenant and device; the caller frees *ret. When the flush fails they
 * are given back with presence_note. */
size_t presence_take_dirty(struct presence_entry **ret);

#endif
