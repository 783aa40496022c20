/* SPDX-License-Identifier: Apache-2.0 */
/* revision.h - how a change that an agent must learn reaches it (DESIGN law 6): the cached revision is blocked before
 * the commit, so that no check-in is told "nothing new" afterwards, and the device is woken after it. */
#ifndef SEKISHO_DOMAIN_REVISION_H
#define SEKISHO_DOMAIN_REVISION_H

#include "call/call.h"
#include "store/task.h"

/* Puts tombstones on the devices' cache entries. With Redis away nothing is cached, and this succeeds. */
enum rc revision_block(struct call *c, const struct uuid *devices, size_t n) MUST_CHECK;
/* After the commit: wakes the devices that are connected. targets must live as long as the call. */
void revision_tell(struct call *c, const struct task_target *targets, size_t n);

#endif
