/* SPDX-License-Identifier: Apache-2.0 */
/* proof.h - a signed-in person proves the own password once more. On slow workers, without an open transaction: a
 * password is hashed outside of any. */
#ifndef SEKISHO_HANDLER_PROOF_H
#define SEKISHO_HANDLER_PROOF_H

#include "call/call.h"
#include "store/account.h"

/* The caller's account; refused while it is locked. */
enum rc proof_account(struct call *c, usec_t now, struct account_row *ret) MUST_CHECK;
/* RC_OK: it is the password; else the fault of field is filled and the account has one failure more, as at sign-in: a
 * stolen open session must not be a place to guess the password at. */
enum rc proof_password(struct call *c, const struct account_row *account, struct slice password, const char *field,
                       usec_t now) MUST_CHECK;
/* sign_in_locked, until then. */
enum rc proof_locked(struct call *c, usec_t until, usec_t now);

#endif
