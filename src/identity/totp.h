/* SPDX-License-Identifier: Apache-2.0 */
/* totp.h - codes of a second factor: RFC 6238 with SHA-1, 6 digits, steps of 30 seconds; and recovery codes. Pure. */
#ifndef SEKISHO_TOTP_H
#define SEKISHO_TOTP_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

#define TOTP_SECRET  20
#define TOTP_DIGITS  6
#define TOTP_SECONDS 30

int64_t totp_step(usec_t now);
void totp_code(struct slice secret, int64_t step, char ret[TOTP_DIGITS + 1]);
/* The step that code belongs to, of now and one before and after it, and none up to used (the last one that was used);
 * 0: none. Takes as long whatever the code. */
int64_t totp_find(struct slice secret, struct slice code, usec_t now, int64_t used);

struct slice totp_base32(struct arena *a, struct slice bytes); /* no padding */
/* For an authenticator app. Names are cut, so that it has at most 400 bytes. */
struct slice totp_uri(struct arena *a, struct slice tenant, struct slice account, struct slice secret);

/* "xxxxx-xxxxx" of 50 bits; what is stored is the hash, which is bound to the account. Case, blanks and the hyphen do
 * not matter when one is typed. */
#define RECOVERY_CODES 10
struct slice recovery_code_new(struct arena *a);
struct sha256 recovery_code_hash(struct uuid account, struct slice typed);

#endif
