/* SPDX-License-Identifier: Apache-2.0 */
/* creds.h - what a simulated device shows of itself: key, certificate and the last TLS session, kept as DER so that a
 * device at rest costs two kilobytes. Owned by the device; heap memory. */
#ifndef SEKISHO_SIM_CREDS_H
#define SEKISHO_SIM_CREDS_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/rc.h"

struct creds {
    uint8_t *key, *certificate, *session; /* NULL: none */
    size_t key_n, certificate_n, session_n;
    usec_t expires; /* of the certificate */
};

void creds_done(struct creds *c);
void creds_key_new(struct creds *c); /* P-256; forgets certificate and session */
/* PKCS #10 as PEM, signed by the key. */
struct slice creds_request(const struct creds *c, struct arena *a);
/* Takes the certificate over if it belongs to the key. */
enum rc creds_certificate_set(struct creds *c, struct slice pem) MUST_CHECK;
void creds_session_set(struct creds *c, const uint8_t *der, size_t n); /* copied; n 0 forgets */

#endif
