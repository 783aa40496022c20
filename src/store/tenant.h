/* SPDX-License-Identifier: Apache-2.0 */
/* tenant.h - tenants in the control schema, as the service may see them. All need a control transaction. */
#ifndef SEKISHO_STORE_TENANT_H
#define SEKISHO_STORE_TENANT_H

#include "common/event.h"
#include "store/db.h"

enum rc tenant_read_revision(struct tx *tx, int64_t *ret) MUST_CHECK;
/* Memory of the arena; ca_pem filled, ca_der not. Ascending numbers. */
enum rc tenant_read_all(struct tx *tx, struct arena *a, struct tenant **ret, size_t *ret_n) MUST_CHECK;
enum rc tenant_read_hosts(struct tx *tx, struct arena *a, struct slice **ret_hosts, int **ret_nos,
                          size_t *ret_n) MUST_CHECK;
/* What sekishoctl trace has asked for; areas this server does not know are left out. RC_INTERNAL: the cell's control
 * schema is older than this program. */
enum rc trace_read(struct tx *tx, struct arena *a, usec_t now, struct event_trace **ret, size_t *ret_n) MUST_CHECK;

#endif
