/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - a hash map from bytes to pointers: open addressing, SipHash with a key of each map's own, so foreign keys
 * cannot be chosen to collide. Keys are copied (up to 32 bytes inside the table: ids and digests cost no allocation);
 * values are the caller's and never NULL. Heap memory, one owner. No locks: changing needs one thread, reading a map
 * that no one changes is safe from any. */
#ifndef SEKISHO_MAP_H
#define SEKISHO_MAP_H

#include "common/slice.h"

struct map;

struct map *map_new(size_t expected); /* makes room for so many entries; 0 is fine */
/* value_free (or NULL) is called for each value; the map itself may be NULL. */
void map_free(struct map **m, void (*value_free)(void *));
size_t map_size(const struct map *m);
void *map_get(const struct map *m, struct slice key);        /* NULL: absent */
void *map_put(struct map *m, struct slice key, void *value); /* returns the value that was replaced, or NULL */
void *map_remove(struct map *m, struct slice key);           /* returns the value that was there, or NULL */
/* Walks in no order: start with *at = 0, false at the end. No put or remove meanwhile. Outputs may be NULL. */
bool map_next(const struct map *m, size_t *at, struct slice *ret_key, void **ret_value);

#define MAP_KEY(object) slice_mem(&(object), sizeof(object)) /* for struct uuid, struct sha256, integers */

#endif
