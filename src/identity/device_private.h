/* SPDX-License-Identifier: Apache-2.0 */
/* device_private.h - identity/ only. */
#ifndef SEKISHO_DEVICE_PRIVATE_H
#define SEKISHO_DEVICE_PRIVATE_H

void device_start(void); /* subscribes to other replicas' hints; before cache_start */

#endif
