/* SPDX-License-Identifier: Apache-2.0 */
/* creds.c - see creds.h. */
#include "sim/creds.h"
#include "common/must.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

void creds_done(struct creds *c)
{
    free(c->key);
    free(c->certificate);
    free(c->session);
    *c = (struct creds){0};
}

static uint8_t *copy(const uint8_t *p, size_t n)
{
    uint8_t *to = must_alloc(n);
    memcpy(to, p, n);
    return to;
}

void creds_key_new(struct creds *c)
{
    creds_done(c);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key);
    uint8_t *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    must(n > 0);
    c->key = copy(der, (size_t)n);
    c->key_n = (size_t)n;
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static EVP_PKEY *read_key(const struct creds *c)
{
    const unsigned char *p = c->key;
    return c->key ? d2i_AutoPrivateKey(NULL, &p, (long)c->key_n) : NULL;
}

struct slice creds_request(const struct creds *c, struct arena *a)
{
    EVP_PKEY *key = read_key(c);
    X509_REQ *r = X509_REQ_new();
    BIO *b = BIO_new(BIO_s_mem());
    char *text;
    must(key && r && b && X509_REQ_set_pubkey(r, key) == 1 && X509_REQ_sign(r, key, EVP_sha256()) > 0 &&
         PEM_write_bio_X509_REQ(b, r) == 1);
    long n = BIO_get_mem_data(b, &text);
    struct slice pem = arena_copy(a, slice_mem(text, (size_t)n));
    BIO_free(b);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    return pem;
}

static usec_t time_of(const ASN1_TIME *t)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    return (usec_t)timegm(&tm) * USEC_PER_SEC;
}

enum rc creds_certificate_set(struct creds *c, struct slice pem)
{
    BIO *b = pem.n ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = read_key(c);
    uint8_t *der = NULL;
    int n = x && key && X509_check_private_key(x, key) == 1 ? i2d_X509(x, &der) : -1;
    if (n > 0) {
        free(c->certificate);
        c->certificate = copy(der, (size_t)n);
        c->certificate_n = (size_t)n;
        c->expires = time_of(X509_get0_notAfter(x));
        creds_session_set(c, NULL, 0);
    }
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    X509_free(x);
    BIO_free(b);
    ERR_clear_error();
    return n > 0 ? RC_OK : RC_INVALID;
}

void creds_session_set(struct creds *c, const uint8_t *der, size_t n)
{
    free(c->session);
    c->session = n ? copy(der, n) : NULL;
    c->session_n = n;
}
