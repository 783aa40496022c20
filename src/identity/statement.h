/* SPDX-License-Identifier: Apache-2.0 */
/* statement.h - statements about a tenant's audit that the platform signs with its time key (Ed25519). The first line
 * says what kind of statement it is, so that none can be taken for a time token or the other way round. Thread-safe. */
#ifndef SEKISHO_STATEMENT_H
#define SEKISHO_STATEMENT_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"

/* "sekisho-audit-head v1\ntenant=<id>\nsequence=<n>\nhash=<hex>\nat=<rfc3339>\n" */
struct slice audit_head_text(struct arena *a, struct slice tenant, int64_t seq, const struct sha256 *hash, usec_t at);

struct audit_head_signed {
    struct slice text, hash, signature, public_key; /* the last three in hex */
};
/* False: the keys are not loaded yet. */
bool audit_head_sign(struct arena *a, struct slice tenant, int64_t seq, const struct sha256 *hash, usec_t at,
                     struct audit_head_signed *ret);
/* signature and public_key in hex. */
bool audit_head_genuine(struct slice text, struct slice signature, struct slice public_key);

#endif
