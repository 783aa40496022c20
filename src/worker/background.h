/* SPDX-License-Identifier: Apache-2.0 */
/* background.h - work that nobody waits for: last contacts to the table `seen`, the sweep that finds missed wake-ups,
 * retention, late executions. One thread with its own connections, a small turn each second; every step is bounded. */
#ifndef SEKISHO_BACKGROUND_H
#define SEKISHO_BACKGROUND_H

struct params;

void background_start(const struct params *p); /* after tenant_start, push and cache */
void background_stop(void);                    /* flushes last contacts once more */

#endif
