/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - small files as a whole. Blocks: for start-up, workers, the agent and the CLI, never for loop threads. After
 * an error errno still tells the cause. Results in common: RC_NOT_FOUND (it or its folder), RC_DENIED (rights,
 * read-only), RC_UNAVAILABLE (all else: disk full, input or output error). Thread-safe. */
#ifndef SEKISHO_FILE_H
#define SEKISHO_FILE_H

#include "common/arena.h"
#include "common/rc.h"
#include <sys/types.h>

/* Also: RC_OVER_QUOTA: larger than ceiling bytes; RC_INVALID: not a regular file. *ret is memory of the arena,
 * NUL-ended behind its length. Files of /proc work too. */
enum rc file_read(struct arena *a, const char *path, size_t ceiling, struct slice *ret) MUST_CHECK;

/* Writes a new file beside, syncs it, renames it over path and syncs the folder: readers and crashes see the old or the
 * new content, never a mixture. mode is set as given, whatever the umask. Root keeps the owner of the file it replaces.
 */
enum rc file_write(const char *path, struct slice data, mode_t mode) MUST_CHECK;
enum rc file_write_new(const char *path, struct slice data, mode_t mode) MUST_CHECK; /* RC_CONFLICT: exists already */

/* Writes all of data to an open file or pipe, whatever the interruptions; false: errno tells. */
bool file_write_all(int fd, struct slice data) MUST_CHECK;
bool file_sync_folder(const char *folder) MUST_CHECK; /* names in it are durable; false: errno tells */

/* mkdir -p; mode is that of folders that are made, whatever the umask. RC_CONFLICT: something else has the name. */
enum rc file_mkdirs(const char *path, mode_t mode) MUST_CHECK;

#endif
