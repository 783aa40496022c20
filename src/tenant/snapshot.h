/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h - making a snapshot; load.c and tests only. */
#ifndef SEKISHO_SNAPSHOT_H
#define SEKISHO_SNAPSHOT_H

#include "tenant/tenant.h"

struct tenant_host {
    char host[254]; /* lower case */
    int tenant_no;
};

/* Takes copies of all; list in ascending order of numbers. The caller has one reference. */
struct tenants *tenants_make(int64_t revision, const struct tenant *list, size_t n, const struct tenant_host *hosts,
                             size_t n_hosts);
void tenants_publish(struct tenants *t); /* takes over the caller's reference */

#endif
