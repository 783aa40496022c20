/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - cutting a device off: after its certificate was revoked or it was removed. */
#ifndef SEKISHO_IDENTITY_DEVICE_H
#define SEKISHO_IDENTITY_DEVICE_H

#include "common/id.h"

/* Any thread, after the commit: forgets the pinned verdicts of its certificates here and at every replica, so that its
 * next request (also on live and resumed connections) is refused, and ends its wake-up stream. */
void device_cut(int tenant_no, struct uuid device);

#endif
