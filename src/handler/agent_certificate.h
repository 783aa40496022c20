/* SPDX-License-Identifier: Apache-2.0 */
/* agent_certificate.h - what enrolling and renewing have in common. On a blocking worker. */
#ifndef SEKISHO_AGENT_CERTIFICATE_H
#define SEKISHO_AGENT_CERTIFICATE_H

#include "call/call.h"
#include "identity/pki.h"
#include "store/db.h"

/* Parses a certificate request; on refusal the fault says csr_invalid or csr_weak_key. */
enum rc certificate_request(struct call *c, struct slice pem, struct pki_csr **ret) MUST_CHECK;
/* Signs a leaf for device and registers it in tx. */
enum rc certificate_issue(struct call *c, struct tx *tx, const struct tenant *t, struct pki_ca *ca,
                          const struct pki_csr *csr, struct uuid device, struct pki_leaf *ret) MUST_CHECK;

#endif
