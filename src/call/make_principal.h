/* SPDX-License-Identifier: Apache-2.0 */
/* make_principal.h - maker of principals; identity/ and, for our own work, worker/ only. */
#ifndef SEKISHO_MAKE_PRINCIPAL_H
#define SEKISHO_MAKE_PRINCIPAL_H
#include "call/passes.h"

const struct principal *principal_anonymous(struct arena *a);
const struct principal *principal_user(struct arena *a, int tenant_no, struct uuid account, struct uuid session,
                                       struct slice name, const struct access *access, bool must_change_password,
                                       usec_t expires);
const struct principal *principal_device(struct arena *a, int tenant_no, struct uuid device,
                                         usec_t certificate_expires);
const struct principal *principal_service(struct arena *a, int tenant_no);
#endif
