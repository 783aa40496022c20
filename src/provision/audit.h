/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h - operators in a tenant's own audit, and the check of its chain (store/audit.h). See owner.h for errors. */
#ifndef SEKISHO_PROVISION_AUDIT_H
#define SEKISHO_PROVISION_AUDIT_H

#include "provision/owner.h"
#include "store/audit.h"

/* In the transaction of the deed, last before owner_commit: action, object and detail of row by "operator:<name>".
 * Nothing while the tenant's schema is older than the chain. */
enum rc audit_operator(struct owner *o, struct arena *a, int tenant_no, const struct audit_row *row) MUST_CHECK;

struct audit_verdict {
    int64_t records, seals; /* that fit */
    int64_t loose;          /* records of before the chain */
    int64_t broken_at; /* the first record that does not fit or is missing; 0: all fit, or a record outside the chain */
    char broken[400];  /* one sentence; empty: all fit */
    int64_t sequence;  /* of the newest record */
    struct sha256 hash;
};
/* A head that someone has kept: the chain must still contain it. sequence 0: none. */
struct audit_kept {
    int64_t sequence;
    struct sha256 hash;
};
/* Walks the whole chain in pages and looks at the seals in it. Records that are added meanwhile do not disturb it.
 * RC_OK also when it is broken: look at broken. */
enum rc audit_verify(struct owner *o, struct arena *a, struct slice tenant, int tenant_no,
                     const struct audit_kept *kept, struct audit_verdict *ret) MUST_CHECK;

#endif
