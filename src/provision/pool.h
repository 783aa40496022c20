/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - prepared schemas that wait for their tenant: number, role, schema and grants are final, so that giving one
 * to a tenant is one UPDATE. Roles and schemas are made here only, by one worker at a time (each makes every backend
 * look up roles again). */
#ifndef SEKISHO_POOL_H
#define SEKISHO_POOL_H

#include "provision/migrate.h"

#define POOL_ROLES_PER_LOGIN 500 /* beyond that the first SET ROLE of a backend becomes slow */

/* Makes schemas until `target` are ready; *ret_made of them. Takes the provisioning lock. */
enum rc pool_fill(struct owner *o, int target, int *ret_made) MUST_CHECK;
/* The number and slice of a ready schema, its row locked in the open transaction; RC_NOT_FOUND: the pool is empty. */
enum rc pool_pick(struct owner *o, struct arena *a, const struct migrations *m, int *ret_no, int *ret_slice) MUST_CHECK;

#endif
