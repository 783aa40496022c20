/* SPDX-License-Identifier: Apache-2.0 */
/* pki.h - certificates of agents and servers: platform root -> intermediate per tenant -> leaf. Blocks for about a
 * millisecond per signature: for workers and the CLI, not for loop threads (pki_leaf_check too). Thread-safe. Results
 * live in the arena given; private keys leave this file only sealed, but for the server's, which its files need. */
#ifndef SEKISHO_PKI_H
#define SEKISHO_PKI_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"
#include "common/strbuf.h"

/* Names of the rows of control.platform; keyring context 'platform:<name>'. */
#define PLATFORM_ROOT   "root"   /* public: PEM of the root CA; sealed: its key, PKCS #8 DER */
#define PLATFORM_TIME   "time"   /* public: hex of the Ed25519 key; sealed: its raw 32 bytes */
#define PLATFORM_MODULE "module" /* the same */

#define PKI_TENANT_MAX  40
#define PKI_KEYS_TEXT   "P-256, P-384, Ed25519 or RSA of 3072 bits or more"

/* What a row of control.platform or the columns ca_pem, ca_key_sealed of control.tenant hold. */
struct pki_pair {
    struct slice public; /* text */
    struct slice sealed; /* bytes */
};

/* A new root: P-256, 20 years. domain: params.platform_domain. */
enum rc pki_root_create(struct arena *a, const struct keyring *ring, const char *domain,
                        struct pki_pair *ret) MUST_CHECK;
/* A new Ed25519 key; name is PLATFORM_TIME or PLATFORM_MODULE. */
enum rc pki_signing_key_create(struct arena *a, const struct keyring *ring, const char *name,
                               struct pki_pair *ret) MUST_CHECK;
/* The raw private key of such a row; wipe it after use. RC_INVALID: damaged or sealed by an unknown key. */
enum rc pki_signing_key_open(struct arena *a, const struct keyring *ring, const char *name, struct slice sealed,
                             uint8_t ret_private[32]) MUST_CHECK;

/* A tenant's intermediate: P-256, 10 years, pathlen 0, critical name constraints that permit the URI host
 * <tenant>.agent.<domain> and exclude all DNS names and addresses (so it can never pass for a server).
 * sealed has context 'tenant-ca:<no>'. RC_INVALID: the root does not open, or tenant is no tenant id. */
enum rc pki_tenant_ca_create(struct arena *a, const struct keyring *ring, const struct pki_pair *root,
                             const char *domain, const char *tenant, int tenant_no, struct pki_pair *ret) MUST_CHECK;
/* DER of the first certificate of a PEM text. */
enum rc pki_pem_to_der(struct arena *a, struct slice pem, struct slice *ret_der) MUST_CHECK;

/* A tenant's intermediate with its key, parsed and kept for later calls (at most 64, the least used one goes).
 * Reference counted. */
struct pki_ca;
enum rc pki_ca_open(const struct keyring *ring, int tenant_no, const struct pki_pair *ca,
                    struct pki_ca **ret) MUST_CHECK;
void pki_ca_close(struct pki_ca **ca); /* NULL allowed */
void pki_forget(void);                 /* empties the cache: after key changes and at the end */

struct pki_csr; /* a request whose self-signature is good and whose key is strong enough; of the arena */
enum pki_csr_verdict { PKI_CSR_GOOD, PKI_CSR_INVALID, PKI_CSR_WEAK };
/* ret_reason: static English words for {reason} unless good. */
enum pki_csr_verdict pki_csr_parse(struct arena *a, struct slice pem, struct pki_csr **ret, const char **ret_reason);
struct sha256 pki_csr_key_hash(const struct pki_csr *csr); /* of the SubjectPublicKeyInfo */

struct pki_leaf {
    struct slice pem;
    struct slice der;
    struct sha256 hash;     /* of the DER: the pin */
    struct sha256 key_hash; /* of the SubjectPublicKeyInfo */
    char serial[33];        /* 32 hex digits */
    usec_t not_before, not_after;
};
/* SAN sekisho://<tenant>.agent.<domain>/<device>, clientAuth, valid from five minutes ago for days. Nothing but the key
 * is taken from the request. */
enum rc pki_issue(struct arena *a, struct pki_ca *ca, const struct pki_csr *csr, const char *domain, const char *tenant,
                  struct uuid device, int days, struct pki_leaf *ret) MUST_CHECK;

enum pki_check {
    PKI_GENUINE, /* issued by this intermediate, for a client, within its name constraints */
    PKI_EXPIRED, /* genuine, but not (or not yet) valid at now */
    PKI_FOREIGN  /* anything else, unreadable too */
};
/* Decides about a leaf that is not registered; ca_der is the tenant's intermediate. */
enum pki_check pki_leaf_check(struct slice leaf_der, struct slice ca_der, usec_t now);
/* Host and path of the one SAN of ours in a leaf: tenant, device. RC_INVALID: none, or not of this domain. */
enum rc pki_leaf_name(struct slice leaf_der, const char *domain, char ret_tenant[PKI_TENANT_MAX + 1],
                      struct uuid *ret_device, usec_t *ret_not_after) MUST_CHECK;
/* "sekisho://acme.agent.example.org/0190…" -> tenant and device; strict, no other spelling passes. */
enum rc pki_name_parse(struct slice uri, const char *domain, char ret_tenant[PKI_TENANT_MAX + 1],
                       struct uuid *ret_device) MUST_CHECK;

/* A server certificate of the root for DNS names and IP addresses, with a new P-256 key: for installations without a
 * certificate of their own. ret_chain_pem: leaf alone (the root is the trust anchor of agents). */
enum rc pki_server_certificate(struct arena *a, const struct keyring *ring, const struct pki_pair *root,
                               const struct slice *names, size_t n_names, int days, struct slice *ret_chain_pem,
                               struct slice *ret_key_pem) MUST_CHECK;

#endif
