/* SPDX-License-Identifier: Apache-2.0 */
/* two_factor.h - the second factor of an account. All functions run in a tenant's transaction on a worker.
 * RC_NOT_FOUND: the account is not in that state (two_factor.sql says which), nothing was changed. */
#ifndef SEKISHO_STORE_TWO_FACTOR_H
#define SEKISHO_STORE_TWO_FACTOR_H

#include "store/db.h"

enum rc two_factor_begin(struct tx *tx, struct arena *a, struct uuid account, struct slice sealed) MUST_CHECK;
enum rc two_factor_confirm(struct tx *tx, struct arena *a, struct uuid account, struct slice sealed, usec_t now,
                           int64_t step, const struct sha256 *recovery, size_t n) MUST_CHECK;
/* Atomically: of several that come with the same step or recovery code, one gets RC_OK. */
enum rc two_factor_use(struct tx *tx, struct arena *a, struct uuid account, int64_t step) MUST_CHECK;
enum rc two_factor_recover(struct tx *tx, struct arena *a, struct uuid account, const struct sha256 *code,
                           int64_t *ret_left) MUST_CHECK;
enum rc two_factor_end(struct tx *tx, struct arena *a, struct uuid account) MUST_CHECK;

#endif
