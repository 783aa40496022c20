/* SPDX-License-Identifier: Apache-2.0 */
/* enrolment_token.h - the text of an enrolment token: which token it is (public) and its secret of 128 random bits, of
 * which only the SHA-256 is stored. "sek1_" and 43 characters of base64url. Pure functions, any thread. */
#ifndef SEKISHO_ENROLMENT_TOKEN_H
#define SEKISHO_ENROLMENT_TOKEN_H

#include "common/crypto.h"
#include "common/id.h"

/* A new secret for token id; the text is shown once and not kept. */
struct slice enrolment_token_new(struct arena *a, struct uuid id, struct sha256 *ret_secret_hash);
/* RC_INVALID: not of that form. One spelling only. */
enum rc enrolment_token_parse(struct slice text, struct uuid *ret_id, struct sha256 *ret_secret_hash) MUST_CHECK;

#endif
