/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - the agent's keys and its side of mutual TLS; the only user of OpenSSL in the agent. The server's certificate
 * must come from the pinned authority; the client certificate is sent alone, without its chain. Not thread-safe. */
#ifndef SEKISHO_AGENT_TLS_H
#define SEKISHO_AGENT_TLS_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/id.h"
#include "common/rc.h"

/* A new P-256 key as PEM; *ret belongs to the arena, which should be a wiping one. */
enum rc tls_key_new(struct arena *a, struct slice *ret_pem) MUST_CHECK;
/* PKCS #10 for the key, as PEM. RC_INVALID: not a key. */
enum rc tls_csr(struct arena *a, struct slice key_pem, struct slice *ret_pem) MUST_CHECK;

struct tls_certificate {
    usec_t not_before;
    usec_t not_after;
    struct uuid device_id; /* last part of the SAN URI; nil when there is none */
    const char *issuer;
    const char *subject;
};
/* Texts belong to the arena. RC_INVALID: not a certificate. */
enum rc tls_certificate_read(struct arena *a, struct slice pem, struct tls_certificate *ret) MUST_CHECK;
bool tls_key_fits(struct slice key_pem, struct slice certificate_pem);

struct tls_client;

enum tls_trouble {
    TLS_FINE,
    TLS_UNTRUSTED, /* not from the pinned authority: interception, or another server */
    TLS_CLOCK,     /* the chain is right but for its dates: our clock or the server's certificate is wrong */
    TLS_NAME       /* from the pinned authority, but for another name */
};

/* certificate_pem and key_pem may be empty: then no client certificate is sent. RC_INVALID with a sentence: the file of
 * the authority or the pair is unusable. */
enum rc tls_client_new(const char *ca_file, struct slice certificate_pem, struct slice key_pem, struct tls_client **ret,
                       char *ret_why, size_t why_size) MUST_CHECK;
void tls_client_free(struct tls_client **t);

/* Difference to add to the system's clock when dates are checked. */
void tls_client_shift(struct tls_client *t, int64_t usec);
/* Dates do not count in the handshakes that begin from now on; all else does. For fetching a signed time. */
void tls_client_ignore_dates(struct tls_client *t, bool on);
/* Sets a fresh SSL_CTX up (curl's hook); t must outlive it. False: out of memory. */
bool tls_client_setup(struct tls_client *t, void *ssl_ctx);
/* What the last verification found, and who signed the certificate that was shown ("" when nothing was shown). */
enum tls_trouble tls_client_trouble(const struct tls_client *t, const char **ret_signer);
void tls_client_trouble_clear(struct tls_client *t);

struct tls_probe {
    bool shook_hands; /* a certificate came */
    enum tls_trouble trouble;
    char signer[256];
    char subject[256];
    usec_t not_before;
    usec_t not_after;
    char protocol[16]; /* TLSv1.3 */
    char alpn[16];     /* h2 */
    char error[200];   /* when no hands were shaken */
};
/* A handshake over a connected, blocking socket, for the doctor; the socket stays the caller's. */
void tls_probe(struct tls_client *t, int fd, const char *host, struct tls_probe *ret);

#endif
