/* SPDX-License-Identifier: Apache-2.0 */
/* platform.h - keys in the control schema. All functions run in a control transaction on a worker; memory is of the
 * arena given; secrets are sealed (common/crypto.h). */
#ifndef SEKISHO_STORE_PLATFORM_H
#define SEKISHO_STORE_PLATFORM_H

#include "store/db.h"

enum rc platform_find(struct tx *control, struct arena *a, const char *name, struct slice *ret_public,
                      struct slice *ret_sealed) MUST_CHECK;
enum rc platform_tenant_ca(struct tx *control, struct arena *a, int tenant_no, struct slice *ret_pem,
                           struct slice *ret_key_sealed) MUST_CHECK;

struct signing_key_row {
    struct slice kid, secret_sealed;
    usec_t created_at, retires_at;
};
enum rc platform_signing_keys(struct tx *control, struct arena *a, usec_t now, struct signing_key_row **ret,
                              size_t *ret_n) MUST_CHECK;
/* Unless there is one made after newest_before; *ret_made says whether it was. */
enum rc platform_signing_key_insert(struct tx *control, struct arena *a, const struct signing_key_row *row,
                                    usec_t newest_before, bool *ret_made) MUST_CHECK;
enum rc platform_signing_keys_forget(struct tx *control, struct arena *a, usec_t now) MUST_CHECK;

#endif
