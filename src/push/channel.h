/* SPDX-License-Identifier: Apache-2.0 */
/* channel.h - hints between replicas, over one Redis channel: lines such as "wake <device> <revision>". A hint is never
 * truth; with Redis away it is simply not sent. Sending: any thread. Handlers run on a loop thread. */
#ifndef SEKISHO_CHANNEL_H
#define SEKISHO_CHANNEL_H

#include "common/id.h"
#include <stdbool.h>

void channel_start(const char *replica);
void channel_stop(void);

void channel_send_wake(struct uuid device, int64_t revision);
void channel_send_cut(struct uuid device);
void channel_send_live(int tenant_no, int topic);

void channel_on_wake(void (*fn)(struct uuid device, int64_t revision));
void channel_on_cut(void (*fn)(struct uuid device));
/* Every 2 s, by one thread: sends a beat. True: the last one came back, so hints get through. When they do again after
 * a time, all replicas are told that hints may be missing. */
bool channel_beat(void);

void channel_on_missed(void (*fn)(void)); /* hints may be missing */
void channel_on_live(void (*fn)(int tenant_no, int topic));

#endif
