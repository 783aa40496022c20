/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h - hashes, tokens and envelope encryption of stored secrets. This file and edge/, identity/pki.c, agent/tls.c
 * and sim/ are the homes of OpenSSL. Thread-safe. */
#ifndef SEKISHO_CRYPTO_H
#define SEKISHO_CRYPTO_H

#include "common/arena.h"
#include "common/rc.h"

struct sha256 {
    uint8_t b[32];
};

struct sha256 crypto_sha256(struct slice s);
struct sha256 crypto_hmac_sha256(struct slice key, struct slice s);
/* For one-time codes alone (RFC 6238), whose apps know nothing better. */
void crypto_hmac_sha1(struct slice key, struct slice s, uint8_t ret[20]);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */
void crypto_wipe(void *p, size_t n);
void crypto_random(void *out, size_t n); /* for secrets; tests cannot fix it; aborts if it fails */

/* Incremental SHA-256, for files. */
struct sha256_stream;
struct sha256_stream *sha256_stream_new(void);
void sha256_stream_add(struct sha256_stream *s, const void *p, size_t n);
struct sha256 sha256_stream_end(struct sha256_stream **s); /* frees it */

/* A ring of key-encryption keys read from a file: lines "<id> <64 hex digits>", the last one is used for new secrets,
 * all can open. An id has 1-32 of A-Z a-z 0-9 . _ - ; empty lines and lines that start with # are skipped. Rotation:
 * append a line, re-seal (keyring_stale tells which). The file must be mode 0600 or stricter. A ring does not change
 * once loaded, so any thread may use it; its owner frees it (wiped) when none does any more. */
struct keyring;
enum rc keyring_load(const char *path, struct keyring **ret) MUST_CHECK; /* DENIED: mode or rights; INVALID: form */
enum rc keyring_create(const char *path) MUST_CHECK; /* new file with one random key; RC_CONFLICT when it exists */
/* Appends a random key, atomically; the old lines stay as they are. On error a sentence for the operator. */
enum rc keyring_rotate(const char *path, const char **ret_reason) MUST_CHECK;
void keyring_free(struct keyring **k);

/* Seals with a fresh data key (AES-256-GCM) wrapped by the ring's newest key; context is authenticated and must be
 * given again to open, so that a sealed value cannot be moved to another row. Output is bytes for a bytea column. */
struct slice keyring_seal(struct arena *a, const struct keyring *k, struct slice context, struct slice plain);
enum rc keyring_open(struct arena *a, const struct keyring *k, struct slice context, struct slice sealed,
                     struct slice *ret_plain) MUST_CHECK;         /* RC_INVALID: damaged, moved or of an unknown key */
bool keyring_stale(const struct keyring *k, struct slice sealed); /* sealed under another key than the newest */

/* AES-256-GCM with a given 32-byte key, for files of the agent's quarantine: out = 12 nonce + cipher + 16 tag. */
struct slice crypto_box_seal(struct arena *a, const uint8_t key[32], struct slice context, struct slice plain);
enum rc crypto_box_open(struct arena *a, const uint8_t key[32], struct slice context, struct slice box,
                        struct slice *ret) MUST_CHECK;

/* Ed25519 over short messages (time tokens, module manifests). Keys are raw 32 bytes. */
void crypto_ed25519_new(uint8_t ret_private[32], uint8_t ret_public[32]);
void crypto_ed25519_sign(const uint8_t private_key[32], struct slice msg, uint8_t ret_sig[64]);
bool crypto_ed25519_verify(const uint8_t public_key[32], struct slice msg, const uint8_t sig[64]);

#endif
