/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - see tls.h. */
#include "agent/tls.h"
#include "common/file.h"
#include "common/must.h"
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define CA_MAX (256 * 1024)

/* --- keys, requests, certificates */

static struct slice take_bio(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    return n > 0 ? arena_copy(a, slice_mem(p, (size_t)n)) : SLICE_NONE;
}

static EVP_PKEY *read_key(struct slice pem)
{
    BIO *b = pem.n ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    ERR_clear_error();
    return key;
}

static X509 *read_certificate(struct slice pem)
{
    BIO *b = pem.n ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    ERR_clear_error();
    return x;
}

enum rc tls_key_new(struct arena *a, struct slice *ret_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *b = BIO_new(BIO_s_secmem());
    bool ok = key && b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (ok)
        *ret_pem = take_bio(a, b);
    BIO_free(b);
    EVP_PKEY_free(key);
    return ok && ret_pem->n ? RC_OK : RC_INTERNAL;
}

enum rc tls_csr(struct arena *a, struct slice key_pem, struct slice *ret_pem)
{
    EVP_PKEY *key = read_key(key_pem);
    if (!key)
        return RC_INVALID;
    X509_REQ *req = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    X509_NAME *name = req ? X509_REQ_get_subject_name(req) : NULL;
    bool ok = name && b &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"sekisho-agent", -1, -1, 0) &&
              X509_REQ_set_pubkey(req, key) && X509_REQ_sign(req, key, EVP_sha256()) > 0 &&
              PEM_write_bio_X509_REQ(b, req) == 1;
    if (ok)
        *ret_pem = take_bio(a, b);
    BIO_free(b);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return ok ? RC_OK : RC_INTERNAL;
}

static usec_t time_of(const ASN1_TIME *t)
{
    int days, seconds;
    ASN1_TIME *zero = ASN1_TIME_set(NULL, 0);
    bool ok = zero && t && ASN1_TIME_diff(&days, &seconds, zero, t) == 1;
    ASN1_TIME_free(zero);
    return ok ? ((usec_t)days * 86400 + seconds) * USEC_PER_SEC : 0;
}

static void name_text(const X509_NAME *name, char *out, size_t size)
{
    out[0] = '\0';
    BIO *b = BIO_new(BIO_s_mem());
    if (b && name && X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        char *p;
        long n = BIO_get_mem_data(b, &p);
        snprintf(out, size, "%.*s", n > 0 ? (int)n : 0, n > 0 ? p : "");
    }
    BIO_free(b);
}

static struct uuid device_of(X509 *x)
{
    struct uuid id = {{0}};
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type != GEN_URI)
            continue;
        struct slice uri = slice_mem(ASN1_STRING_get0_data(n->d.uniformResourceIdentifier),
                                     (size_t)ASN1_STRING_length(n->d.uniformResourceIdentifier));
        if (uri.n < 36 || !slice_starts(uri, SLICE("sekisho://")))
            continue;
        if (!uuid_parse((struct slice){uri.p + uri.n - 36, 36}, &id))
            id = (struct uuid){{0}};
    }
    GENERAL_NAMES_free(names);
    return id;
}

enum rc tls_certificate_read(struct arena *a, struct slice pem, struct tls_certificate *ret)
{
    X509 *x = read_certificate(pem);
    if (!x)
        return RC_INVALID;
    char text[256];
    ret->not_before = time_of(X509_get0_notBefore(x));
    ret->not_after = time_of(X509_get0_notAfter(x));
    ret->device_id = device_of(x);
    name_text(X509_get_issuer_name(x), text, sizeof(text));
    ret->issuer = arena_strdup(a, text);
    name_text(X509_get_subject_name(x), text, sizeof(text));
    ret->subject = arena_strdup(a, text);
    X509_free(x);
    return RC_OK;
}

bool tls_key_fits(struct slice key_pem, struct slice certificate_pem)
{
    EVP_PKEY *key = read_key(key_pem);
    X509 *x = read_certificate(certificate_pem);
    bool fits = key && x && X509_check_private_key(x, key) == 1;
    EVP_PKEY_free(key);
    X509_free(x);
    ERR_clear_error();
    return fits;
}

/* --- client */

struct tls_client {
    STACK_OF(X509) * roots;
    X509 *certificate;
    EVP_PKEY *key;
    SSL_SESSION *session; /* of the last good connection, never handed out itself */
    int64_t shift;
    bool ignore_dates;
    enum tls_trouble trouble;
    char signer[256]; /* these are of a certificate that was not accepted */
    char subject[256];
    usec_t not_before;
    usec_t not_after;
};

enum rc tls_client_new(const char *ca_file, struct slice certificate_pem, struct slice key_pem, struct tls_client **ret,
                       char *ret_why, size_t why_size)
{
    struct tls_client *t = must_alloc(sizeof(*t));
    struct arena *a = arena_new(CA_MAX + 4096);
    struct slice text = SLICE_NONE;
    enum rc rc = file_read(a, ca_file, CA_MAX, &text);
    if (rc != RC_OK) {
        snprintf(ret_why, why_size, "the certificate authority's file %s cannot be read (%s)", ca_file, rc_name(rc));
        goto done;
    }
    t->roots = sk_X509_new_null();
    BIO *b = BIO_new_mem_buf(text.p, (int)text.n);
    must(t->roots && b);
    for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL));)
        must(sk_X509_push(t->roots, x) > 0);
    BIO_free(b);
    ERR_clear_error();
    rc = RC_INVALID;
    if (sk_X509_num(t->roots) == 0) {
        snprintf(ret_why, why_size, "%s holds no PEM certificate", ca_file);
        goto done;
    }
    if (certificate_pem.n) {
        t->certificate = read_certificate(certificate_pem);
        t->key = read_key(key_pem);
        if (!t->certificate || !t->key || X509_check_private_key(t->certificate, t->key) != 1) {
            snprintf(ret_why, why_size, "the device's certificate and key are damaged; enrol again");
            ERR_clear_error();
            goto done;
        }
    }
    rc = RC_OK;
done:
    arena_free(&a);
    if (rc != RC_OK)
        tls_client_free(&t);
    else
        *ret = t;
    return rc;
}

void tls_client_free(struct tls_client **tp)
{
    struct tls_client *t = *tp;
    if (!t)
        return;
    *tp = NULL;
    sk_X509_pop_free(t->roots, X509_free);
    X509_free(t->certificate);
    EVP_PKEY_free(t->key);
    SSL_SESSION_free(t->session);
    free(t);
}

void tls_client_shift(struct tls_client *t, int64_t usec)
{
    t->shift = usec;
}

void tls_client_ignore_dates(struct tls_client *t, bool on)
{
    t->ignore_dates = on;
}

static enum tls_trouble trouble_of(int error)
{
    switch (error) {
    case X509_V_OK:
        return TLS_FINE;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TLS_CLOCK;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TLS_NAME;
    default:
        return TLS_UNTRUSTED;
    }
}

/* Runs for each certificate of the chain and each error. Remembers the worst; an error of dates may be let pass. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (ok)
        return 1;
    enum tls_trouble trouble = trouble_of(X509_STORE_CTX_get_error(ctx));
    X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
    if (leaf) {
        name_text(X509_get_issuer_name(leaf), t->signer, sizeof(t->signer));
        name_text(X509_get_subject_name(leaf), t->subject, sizeof(t->subject));
        t->not_before = time_of(X509_get0_notBefore(leaf));
        t->not_after = time_of(X509_get0_notAfter(leaf));
    }
    if (t->trouble == TLS_FINE || trouble == TLS_UNTRUSTED)
        t->trouble = trouble;
    if (trouble != TLS_CLOCK || !t->ignore_dates)
        return 0;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* Sessions are kept here, as copies: the library forbids a session to be resumed once its connection was cut, but being
 * cut is just when many agents come back at once. A connection whose dates were not looked at leaves no session. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *copy = t->ignore_dates ? NULL : SSL_SESSION_dup(session);
    if (copy) {
        SSL_SESSION_free(t->session);
        t->session = copy;
    }
    return 0; /* the library keeps its own */
}

static void on_progress(const SSL *ssl, int where, int ret)
{
    (void)ret;
    struct tls_client *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (where != SSL_CB_HANDSHAKE_START || !t->session || t->ignore_dates || !SSL_in_before(ssl))
        return;
    SSL_SESSION *copy = SSL_SESSION_dup(t->session);
    if (copy)
        SSL_set_session((SSL *)(uintptr_t)ssl, copy);
    SSL_SESSION_free(copy);
}

bool tls_client_setup(struct tls_client *t, void *ssl_ctx)
{
    SSL_CTX *ctx = ssl_ctx;
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return false;
    for (int i = 0; i < sk_X509_num(t->roots); i++)
        X509_STORE_add_cert(store, sk_X509_value(t->roots, i));
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN); /* an intermediate may be the pinned one */
    SSL_CTX_set_cert_store(ctx, store);                     /* replaces all that was there */
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(ctx), (time_t)((clock_now() + t->shift) / USEC_PER_SEC));
    SSL_CTX_set_app_data(ctx, t);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_info_callback(ctx, on_progress);
    bool ok =
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1;
    if (ok && t->certificate)
        ok = SSL_CTX_use_certificate(ctx, t->certificate) == 1 && SSL_CTX_use_PrivateKey(ctx, t->key) == 1;
    return ok;
}

enum tls_trouble tls_client_trouble(const struct tls_client *t, const char **ret_signer)
{
    if (ret_signer)
        *ret_signer = t->signer;
    return t->trouble;
}

void tls_client_trouble_clear(struct tls_client *t)
{
    t->trouble = TLS_FINE;
    t->signer[0] = '\0';
}

void tls_probe(struct tls_client *t, int fd, const char *host, struct tls_probe *ret)
{
    static const unsigned char alpn[] = "\x02h2\x08http/1.1";
    *ret = (struct tls_probe){0};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    tls_client_trouble_clear(t);
    if (!ctx || !tls_client_setup(t, ctx) || !(ssl = SSL_new(ctx))) {
        snprintf(ret->error, sizeof(ret->error), "out of memory");
        goto done;
    }
    /* An address is checked as an address, a name as a name; the latter goes into SNI too. */
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1) {
        SSL_set1_host(ssl, host);
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
    }
    ERR_clear_error();
    SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1);
    SSL_set_fd(ssl, fd);
    int did = SSL_connect(ssl);
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (did != 1 && tls_client_trouble(t, NULL) == TLS_FINE) {
        unsigned long e = ERR_peek_error();
        snprintf(ret->error, sizeof(ret->error), "%s", e ? ERR_reason_error_string(e) : "the connection was closed");
    }
    ret->shook_hands = did == 1 || t->trouble != TLS_FINE;
    ret->trouble = t->trouble;
    snprintf(ret->signer, sizeof(ret->signer), "%s", t->signer);
    snprintf(ret->subject, sizeof(ret->subject), "%s", t->subject);
    ret->not_before = t->not_before;
    ret->not_after = t->not_after;
    if (leaf) {
        name_text(X509_get_issuer_name(leaf), ret->signer, sizeof(ret->signer));
        name_text(X509_get_subject_name(leaf), ret->subject, sizeof(ret->subject));
        ret->not_before = time_of(X509_get0_notBefore(leaf));
        ret->not_after = time_of(X509_get0_notAfter(leaf));
    }
    if (did == 1) {
        const unsigned char *p;
        unsigned n;
        snprintf(ret->protocol, sizeof(ret->protocol), "%s", SSL_get_version(ssl));
        SSL_get0_alpn_selected(ssl, &p, &n);
        snprintf(ret->alpn, sizeof(ret->alpn), "%.*s", (int)n, n ? (const char *)p : "");
        SSL_shutdown(ssl);
    }
done:
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}
