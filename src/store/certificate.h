/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.h - certificates of devices. All functions run in a tenant's transaction on a worker; memory is of the
 * arena given. */
#ifndef SEKISHO_STORE_CERTIFICATE_H
#define SEKISHO_STORE_CERTIFICATE_H

#include "store/db.h"

struct certificate_row {
    struct uuid device;
    usec_t expires_at;
    bool revoked;
};

enum rc certificate_find(struct tx *tx, struct arena *a, const struct sha256 *leaf,
                         struct certificate_row *ret) MUST_CHECK;
enum rc certificate_insert(struct tx *tx, struct arena *a, const struct sha256 *leaf, struct uuid device,
                           const char *serial, const struct sha256 *key, usec_t issued, usec_t expires) MUST_CHECK;
/* All of a device; the hashes of those that were not revoked before. */
enum rc certificate_revoke(struct tx *tx, struct arena *a, struct uuid device, usec_t now, struct sha256 **ret,
                           size_t *ret_n) MUST_CHECK;
/* Sets ret_live[i] for those of n hashes that exist and are not revoked; n <= 1000. */
enum rc certificate_live(struct tx *tx, struct arena *a, const struct sha256 *leaves, size_t n,
                         bool *ret_live) MUST_CHECK;
enum rc certificate_device(struct tx *tx, struct arena *a, struct uuid device,
                           struct slice *ret_name) MUST_CHECK; /* keeps it from being removed */

#endif
