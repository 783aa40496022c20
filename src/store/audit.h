/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - who did what. In the transaction of the deed itself, on a worker. */
#ifndef SEKISHO_STORE_AUDIT_H
#define SEKISHO_STORE_AUDIT_H

#include "store/db.h"

/* The row of c's route from c->audit and c->principal, result "done", in c->tx. Nothing when the route has no audit
 * name. */
enum rc audit_write(struct call *c) MUST_CHECK;

struct audit_row {
    struct uuid account; /* nil: none */
    struct slice name;   /* as typed, where there is no account */
    struct uuid session; /* nil: none */
    const char *address;
    const char *action;
    const char *object_type; /* NULL: none */
    struct uuid object_id;   /* nil: none */
    struct slice object_name;
    const char *result;       /* done, denied, failed */
    struct slice detail_json; /* p == NULL: {} */
};
enum rc audit_insert(struct tx *tx, struct arena *a, const struct audit_row *row) MUST_CHECK;

#endif
