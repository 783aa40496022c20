/* SPDX-License-Identifier: Apache-2.0 */
/* lockout.h - failures of sign-in names that do not exist, locked by the same rule as accounts (store/account.h), so
 * that being locked does not tell whether a name exists. In this process's memory, bounded. Thread-safe. */
#ifndef SEKISHO_LOCKOUT_H
#define SEKISHO_LOCKOUT_H

#include "common/clock.h"
#include "common/crypto.h"

/* When the name is locked: until then; 0: it is not. name is a hash of tenant and user as typed, case folded. */
usec_t lockout_until(const struct sha256 *name, usec_t now);
void lockout_failed(const struct sha256 *name, usec_t now);
struct sha256 lockout_name(struct slice tenant, struct slice user);

#endif
