/* SPDX-License-Identifier: Apache-2.0 */
/* provisioner.h - keeps prepared schemas ready for future tenants (parameter schema_pool), as the owner, from one
 * serial thread: making roles disturbs every backend, so it is done ahead of need and never twice at once in a cell. */
#ifndef SEKISHO_PROVISIONER_H
#define SEKISHO_PROVISIONER_H

struct params;

void provisioner_start(const struct params *p); /* does nothing without owner_database */
void provisioner_stop(void);                    /* waits for the schema at hand */

#endif
