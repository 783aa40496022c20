/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - the first stage: who is calling. */
#ifndef SEKISHO_IDENTITY_H
#define SEKISHO_IDENTITY_H

#include "call/call.h"

struct params;

/* Before tenant_start and cache_start, while there is one thread. p and ring outlive it. */
void identity_start(const struct params *p, const struct keyring *ring);
void identity_stop(void);
bool identity_ready(void); /* keys are loaded: tokens can be signed and verified */

/* The stage: by c->route->auth makes c->principal; may wait for a look-up in the database. Also refuses what the
 * route's permission does not allow. On the home loop. */
enum stage_result identity_resolve(struct call *c);

/* A chore of worker/, about every two seconds, on its thread: rotates signing keys; while Redis is away, looks for
 * certificates that were revoked and devices that were removed elsewhere, and cuts them off. */
void identity_chore(struct db *db);

/* ---- for handlers, on workers */

/* What a session of a signed-in person gives out: a new access token. RC_UNAVAILABLE with the fault filled: no keys
 * yet. */
enum rc identity_access_token(struct call *c, const struct tenant *t, struct uuid account, struct uuid session,
                              bool must_change, struct slice *ret_token, int64_t *ret_expires_in) MUST_CHECK;
/* Refuses requests that a browser makes for another site (sign-in, refresh, sign-out). */
enum rc identity_check_origin(struct call *c) MUST_CHECK;
/* A session's family secret, sealed for its row, and opened again. */
struct slice identity_family_new(struct arena *a, struct uuid session, uint8_t ret_family[32]);
enum rc identity_family_open(struct uuid session, struct slice sealed, uint8_t ret_family[32]) MUST_CHECK;
/* The secret of an account's second factor (totp.h), the same way. */
struct slice identity_factor_new(struct arena *a, struct uuid account, uint8_t ret_secret[20]);
enum rc identity_factor_open(struct uuid account, struct slice sealed, uint8_t ret_secret[20]) MUST_CHECK;
/* The CA of a tenant with its key; close with pki_ca_close. On a worker; c->db is used. */
struct pki_ca;
enum rc identity_tenant_ca(struct call *c, int tenant_no, struct pki_ca **ret) MUST_CHECK;
const struct params *identity_params(void);

#endif
