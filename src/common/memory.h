/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - what the process holds of the machine's memory, and giving back what it does not use. The allocator keeps
 * what many threads have freed in pieces; a busy minute would weigh on the machine for days. */
#ifndef SEKISHO_MEMORY_H
#define SEKISHO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

int64_t memory_resident(void); /* bytes; 0: not known. Any thread */

/* To be called every few seconds by one thread. Gives memory back when the process has grown by 16 MB since the last
 * time and is idle, or by 64 MB and a minute has passed. Other threads may wait for the allocator meanwhile, so not in
 * every turn of a busy process. */
void memory_turn(bool idle);

#endif
