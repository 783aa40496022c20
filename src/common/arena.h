/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory of one call or job: bump allocation, freed in one go. Not thread-safe; an arena may move between
 * threads with its call. A ceiling bounds it: going past it sets a sticky mark that is looked at once, where the call
 * is answered (arena_over), so that the hundreds of call sites need no error branch. */
#ifndef SEKISHO_ARENA_H
#define SEKISHO_ARENA_H

#include "common/slice.h"
#include <stdarg.h>

struct arena;

/* ceiling in bytes of payload over the arena's life. */
struct arena *arena_new(size_t ceiling);
struct arena *arena_new_wiping(size_t ceiling); /* contents are wiped when freed: for secrets */
void arena_free(struct arena **a);              /* runs deferred releases in reverse order; NULL allowed */
void arena_reset(struct arena *a);              /* as new, keeps the first page */

/* Zeroed, aligned for any type. When the ceiling is passed: the arena becomes over, and the allocation is still valid
 * (so that no call site needs an error branch) up to the ceiling once more; beyond twice the ceiling the process
 * aborts. So whoever allocates by a length that came from outside checks that length first. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_alloc_array(struct arena *a, size_t size, size_t n); /* aborts when size * n overflows */
/* Makes an allocation of old_n bytes larger, in place when it was the last one; else p stays valid but is left behind.
 * The added bytes are zero. p NULL allowed with old_n 0. */
void *arena_realloc(struct arena *a, void *p, size_t old_n, size_t new_n);
bool arena_over(const struct arena *a);
size_t arena_used(const struct arena *a); /* payload bytes so far */

char *arena_strdup(struct arena *a, const char *s);
char *arena_cstr(struct arena *a, struct slice s);        /* NUL-ended copy; cut at an embedded NUL by nature */
struct slice arena_copy(struct arena *a, struct slice s); /* NUL-ended too, behind its length */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Calls fn(ptr) when the arena is freed or reset: for foreign objects such as PGresult or EVP_PKEY. */
void arena_defer(struct arena *a, void (*fn)(void *), void *ptr);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), sizeof(type), (size_t)(n)))

#endif
