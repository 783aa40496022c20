/* SPDX-License-Identifier: Apache-2.0 */
/* quarantine.h - the encrypted store of removed files: one file <uuid>.q per object (a sealed description, then sealed
 * pieces), so that no other scanner trips over it and nobody runs it. A file is <uuid>.part while it is written,
 * .pending when it is whole and synced but the original still stands, and .q when the original is gone. What a crash
 * leaves pending is finished at the next start. Belongs to the privileged processes and to the CLI run by root. A store
 * object serves one thread. */
#ifndef SEKISHO_AGENT_QUARANTINE_H
#define SEKISHO_AGENT_QUARANTINE_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"
#include <stdio.h>
#include <sys/stat.h>

struct quarantine;

struct quarantine_item {
    struct uuid id;
    bool pending;
    struct slice object; /* path at that time; all texts are NUL-ended and of the arena */
    struct slice name;   /* of the detection */
    struct slice sha256; /* hex */
    struct slice process, user, scanner;
    struct slice event; /* JSON body of the detection event, for what a crash left pending */
    usec_t at;
    int64_t size, mtime_ns;
    uint64_t dev, ino;
    uint32_t uid, gid, mode;
};

/* dir is made with mode 0700; its key lies in <dir>/.key. */
enum rc quarantine_open(const char *dir, struct quarantine **ret) MUST_CHECK;
void quarantine_close(struct quarantine **q);

/* SHA-256 of an open file by its descriptor, offset untouched; *ret_size counts the bytes read. */
enum rc quarantine_hash(int fd, struct sha256 *ret, int64_t *ret_size) MUST_CHECK;

/* Writes the pending copy. item: all but size, mtime, dev, ino, uid, gid, mode, pending, which come from fd and are
 * filled in. RC_CONFLICT: the file does not have item->sha256 (any more). ret_why gets the cause in words. */
enum rc quarantine_add(struct quarantine *q, int fd, struct quarantine_item *item, char *ret_why,
                       size_t why_size) MUST_CHECK;
/* Whether the original could be removed, found out without doing it: read-only filesystem, immutable, no right. */
enum rc quarantine_removable(int fd, const char *path, char *ret_why, size_t why_size) MUST_CHECK;
/* Unlinks path if it still is that file. RC_NOT_FOUND: it is gone or another file has the name. */
enum rc quarantine_unlink(const char *path, uint64_t dev, uint64_t ino, char *ret_why, size_t why_size) MUST_CHECK;
enum rc quarantine_commit(struct quarantine *q, struct uuid id) MUST_CHECK; /* pending -> kept */
void quarantine_abort(struct quarantine *q, struct uuid id);                /* forgets a pending copy */
/* At start, before anything else uses the store: drops copies that a crash left unfinished and lists the pending ones.
 */
enum rc quarantine_pending(struct quarantine *q, struct arena *a, struct quarantine_item **ret,
                           size_t *ret_n) MUST_CHECK;

/* All items, newest last. Damaged ones are left out and counted. */
enum rc quarantine_list(struct quarantine *q, struct arena *a, struct quarantine_item **ret, size_t *ret_n,
                        size_t *ret_damaged) MUST_CHECK;
enum rc quarantine_find(struct quarantine *q, struct arena *a, struct uuid id, struct quarantine_item *ret) MUST_CHECK;
/* Puts a kept file back to target (NULL: where it was) with owner, mode, times and attributes, and forgets it.
 * RC_CONFLICT: something has that name. RC_INVALID: the copy is damaged; nothing is put back. */
enum rc quarantine_restore(struct quarantine *q, struct uuid id, const char *target, char *ret_why,
                           size_t why_size) MUST_CHECK;
enum rc quarantine_delete(struct quarantine *q, struct uuid id) MUST_CHECK;

/* `sekisho-agent quarantine list|restore ID [TARGET]|delete ID` over the store in dir; returns an exit status. */
int quarantine_command(const char *dir, int argc, char *const *argv, FILE *out, FILE *err);

#endif
