/* SPDX-License-Identifier: Apache-2.0 */
/* pki.c - certificates of agents and servers, by OpenSSL. Any thread; parsed intermediates are kept in one table behind
 * a lock and are read-only afterwards. Every OpenSSL object belongs to the arena of the call (arena_defer) or to a
 * cached CA. Must not be called on loop threads. */
#include "identity/pki.h"
#include "common/event.h"
#include "common/must.h"
#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#define DAY_USEC        (INT64_C(86400) * USEC_PER_SEC)
#define BACKDATE_USEC   (INT64_C(300) * USEC_PER_SEC) /* clocks of agents that run a little behind */
#define RSA_LEAST_BITS  3072
#define CA_CACHE_MAX    64
#define NAME_SCHEME     "sekisho://"
#define NAME_INFIX      ".agent."
#define NAME_MAX_LENGTH 400

static void free_key(void *p)
{
    EVP_PKEY_free(p);
}

static void free_x509(void *p)
{
    X509_free(p);
}

static void free_req(void *p)
{
    X509_REQ_free(p);
}

/* Logs and empties OpenSSL's error queue of this thread, so that no later call trips over an old entry. */
static enum rc failed(const char *what, enum rc rc)
{
    unsigned long e = ERR_peek_last_error();
    char text[160] = "";
    if (e)
        ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    if (rc == RC_INTERNAL)
        ev_error(AREA_IDENTITY, "certificate work failed", EV_STR("step", what), EV_STR("openssl", text));
    return rc;
}

static char *context_of(struct arena *a, const char *kind, const char *name)
{
    return arena_printf(a, "%s:%s", kind, name);
}

/* ---- small builders */

static EVP_PKEY *p256_new(struct arena *a)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    if (k)
        arena_defer(a, free_key, k);
    return k;
}

static struct slice key_der(struct arena *a, EVP_PKEY *k)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k);
    if (!p8)
        return SLICE_NONE;
    unsigned char *der = NULL;
    int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
    PKCS8_PRIV_KEY_INFO_free(p8);
    if (n <= 0)
        return SLICE_NONE;
    struct slice s = arena_copy(a, slice_mem(der, (size_t)n));
    OPENSSL_clear_free(der, (size_t)n);
    return s;
}

static EVP_PKEY *key_of_der(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    return d2i_AutoPrivateKey(NULL, &p, (long)der.n);
}

static struct slice x509_der(struct arena *a, X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    if (n <= 0)
        return SLICE_NONE;
    struct slice s = arena_copy(a, slice_mem(der, (size_t)n));
    OPENSSL_free(der);
    return s;
}

static struct slice bio_text(struct arena *a, BIO *b)
{
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    return n > 0 ? arena_copy(a, slice_mem(p, (size_t)n)) : SLICE_NONE;
}

static struct slice x509_pem(struct arena *a, X509 *x)
{
    BIO *b = BIO_new(BIO_s_mem());
    must(b);
    struct slice s = PEM_write_bio_X509(b, x) ? bio_text(a, b) : SLICE_NONE;
    BIO_free(b);
    return s;
}

static struct slice key_pem(struct arena *a, EVP_PKEY *k)
{
    BIO *b = BIO_new(BIO_s_secmem());
    must(b);
    struct slice s = PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) ? bio_text(a, b) : SLICE_NONE;
    BIO_free(b);
    return s;
}

static X509 *x509_of_pem(struct slice pem)
{
    if (!pem.p || pem.n > 64 * 1024)
        return NULL;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    must(b);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    return x;
}

static X509 *x509_of_der(struct slice der)
{
    if (!der.p || der.n > 64 * 1024)
        return NULL;
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (x && p != (const unsigned char *)der.p + der.n) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static bool set_time(ASN1_TIME *t, usec_t at)
{
    return ASN1_TIME_set(t, (time_t)(at / USEC_PER_SEC)) != NULL;
}

static usec_t get_time(const ASN1_TIME *t)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(t, &tm))
        return 0;
    return (usec_t)timegm(&tm) * USEC_PER_SEC;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = e && X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    return ok;
}

/* 128 random bits with the top bit clear and the next one set: always positive, always 16 bytes. */
static bool set_serial(X509 *x, char hex[33])
{
    unsigned char b[16];
    if (RAND_bytes(b, sizeof b) != 1)
        return false;
    b[0] = (unsigned char)((b[0] & 0x3f) | 0x40);
    BIGNUM *n = BN_bin2bn(b, sizeof b, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    if (hex)
        for (int i = 0; i < 16; i++)
            snprintf(hex + 2 * i, 3, "%02x", b[i]);
    return ok;
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

/* Version, serial, life, key and issuer; the subject has O and CN. */
static X509 *begin_certificate(struct arena *a, EVP_PKEY *subject_key, X509 *issuer, const char *common_name,
                               usec_t from, usec_t to, char serial[33])
{
    X509 *x = X509_new();
    must(x);
    arena_defer(a, free_x509, x);
    X509_NAME *subject = X509_get_subject_name(x);
    bool ok = X509_set_version(x, 2) && set_serial(x, serial) && set_time(X509_getm_notBefore(x), from) &&
              set_time(X509_getm_notAfter(x), to) && X509_set_pubkey(x, subject_key) &&
              add_name(subject, "O", "Sekisho") && add_name(subject, "CN", common_name) &&
              X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    return ok ? x : NULL;
}

/* ---- secrets of rows */

/* Opens the key of a row into an EVP_PKEY of the caller; the plain bytes are wiped at once. */
static EVP_PKEY *open_key(const struct keyring *ring, const char *context, struct slice sealed)
{
    struct arena *secret = arena_new_wiping(64 * 1024);
    struct slice plain;
    EVP_PKEY *k = NULL;
    if (keyring_open(secret, ring, slice_of(context), sealed, &plain) == RC_OK)
        k = key_of_der(plain);
    arena_free(&secret);
    return k;
}

static struct slice seal_key(struct arena *a, const struct keyring *ring, const char *context, EVP_PKEY *k)
{
    struct arena *secret = arena_new_wiping(64 * 1024);
    struct slice der = key_der(secret, k);
    struct slice sealed = der.p ? keyring_seal(a, ring, slice_of(context), der) : SLICE_NONE;
    arena_free(&secret);
    return sealed;
}

/* The root's certificate and key, of the arena. */
static enum rc open_root(struct arena *a, const struct keyring *ring, const struct pki_pair *root, X509 **ret_cert,
                         EVP_PKEY **ret_key)
{
    X509 *cert = x509_of_pem(root->public);
    if (!cert)
        return failed("read root certificate", RC_INVALID);
    arena_defer(a, free_x509, cert);
    EVP_PKEY *key = open_key(ring, context_of(a, "platform", PLATFORM_ROOT), root->sealed);
    if (!key)
        return failed("open root key", RC_INVALID);
    arena_defer(a, free_key, key);
    if (X509_check_private_key(cert, key) != 1)
        return failed("match root key", RC_INVALID);
    *ret_cert = cert;
    *ret_key = key;
    return RC_OK;
}

enum rc pki_root_create(struct arena *a, const struct keyring *ring, const char *domain, struct pki_pair *ret)
{
    EVP_PKEY *key = p256_new(a);
    usec_t now = clock_now();
    const char *name = arena_printf(a, "Sekisho root %.40s", domain);
    X509 *x = key ? begin_certificate(a, key, NULL, name, now - BACKDATE_USEC, now + 20 * 365 * DAY_USEC, NULL) : NULL;
    if (!x || !add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:1") ||
        !add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(x, x, NID_subject_key_identifier, "hash") || !X509_sign(x, key, EVP_sha256()))
        return failed("create root", RC_INTERNAL);
    struct pki_pair p = {x509_pem(a, x), seal_key(a, ring, context_of(a, "platform", PLATFORM_ROOT), key)};
    if (!p.public.p || !p.sealed.p)
        return failed("write root", RC_INTERNAL);
    *ret = p;
    return RC_OK;
}

enum rc pki_signing_key_create(struct arena *a, const struct keyring *ring, const char *name, struct pki_pair *ret)
{
    uint8_t private_key[32], public_key[32];
    crypto_ed25519_new(private_key, public_key);
    struct strbuf hex;
    strbuf_init_arena(&hex, a, 64);
    strbuf_add_hex(&hex, public_key, sizeof public_key);
    ret->public = strbuf_slice(&hex);
    ret->sealed =
        keyring_seal(a, ring, slice_of(context_of(a, "platform", name)), slice_mem(private_key, sizeof private_key));
    crypto_wipe(private_key, sizeof private_key);
    return RC_OK;
}

enum rc pki_signing_key_open(struct arena *a, const struct keyring *ring, const char *name, struct slice sealed,
                             uint8_t ret_private[32])
{
    struct arena *secret = arena_new_wiping(4096);
    struct slice plain;
    enum rc rc = keyring_open(secret, ring, slice_of(context_of(a, "platform", name)), sealed, &plain);
    if (rc == RC_OK && plain.n != 32)
        rc = RC_INVALID;
    if (rc == RC_OK)
        memcpy(ret_private, plain.p, 32);
    arena_free(&secret);
    return rc;
}

/* ---- tenants' intermediates */

static bool tenant_id_valid(const char *t)
{
    size_t n = strlen(t);
    if (n < 3 || n > PKI_TENANT_MAX || t[0] < 'a' || t[0] > 'z' || t[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!((t[i] >= 'a' && t[i] <= 'z') || (t[i] >= '0' && t[i] <= '9') || t[i] == '-'))
            return false;
    return true;
}

static GENERAL_SUBTREE *subtree_new(int type, ASN1_STRING *value)
{
    GENERAL_SUBTREE *t = GENERAL_SUBTREE_new();
    must(t && value);
    GENERAL_NAME_free(t->base);
    t->base = GENERAL_NAME_new();
    must(t->base);
    GENERAL_NAME_set0_value(t->base, type, value);
    return t;
}

static ASN1_STRING *ia5(const char *text)
{
    ASN1_STRING *s = ASN1_IA5STRING_new();
    must(s && ASN1_STRING_set(s, text, -1));
    return s;
}

static ASN1_STRING *zeros(int n)
{
    static const unsigned char nil[32];
    ASN1_STRING *s = ASN1_OCTET_STRING_new();
    must(s && ASN1_STRING_set(s, nil, n));
    return s;
}

/* Permits one URI host; excludes every DNS name and address. Built by hand: the text form of an empty DNS name
 * or of an address range differs between library versions. */
static bool add_name_constraints(X509 *x, const char *host)
{
    NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();
    must(nc);
    nc->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
    nc->excludedSubtrees = sk_GENERAL_SUBTREE_new_null();
    must(nc->permittedSubtrees && nc->excludedSubtrees);
    must(sk_GENERAL_SUBTREE_push(nc->permittedSubtrees, subtree_new(GEN_URI, ia5(host))) > 0);
    must(sk_GENERAL_SUBTREE_push(nc->excludedSubtrees, subtree_new(GEN_DNS, ia5(""))) > 0);
    must(sk_GENERAL_SUBTREE_push(nc->excludedSubtrees, subtree_new(GEN_IPADD, zeros(8))) > 0);
    must(sk_GENERAL_SUBTREE_push(nc->excludedSubtrees, subtree_new(GEN_IPADD, zeros(32))) > 0);
    bool ok = X509_add1_ext_i2d(x, NID_name_constraints, nc, 1, X509V3_ADD_DEFAULT) == 1;
    NAME_CONSTRAINTS_free(nc);
    return ok;
}

enum rc pki_tenant_ca_create(struct arena *a, const struct keyring *ring, const struct pki_pair *root,
                             const char *domain, const char *tenant, int tenant_no, struct pki_pair *ret)
{
    if (!tenant_id_valid(tenant) || strlen(domain) > 253)
        return RC_INVALID;
    X509 *root_cert;
    EVP_PKEY *root_key;
    enum rc rc = open_root(a, ring, root, &root_cert, &root_key);
    if (rc != RC_OK)
        return rc;
    EVP_PKEY *key = p256_new(a);
    const char *host = arena_printf(a, "%s" NAME_INFIX "%s", tenant, domain);
    usec_t now = clock_now(), to = now + 10 * 365 * DAY_USEC, root_to = get_time(X509_get0_notAfter(root_cert));
    X509 *x = key ? begin_certificate(a, key, root_cert, arena_printf(a, "Sekisho agents %s", tenant),
                                      now - BACKDATE_USEC, to < root_to ? to : root_to, NULL)
                  : NULL;
    if (!x || !add_extension(x, root_cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(x, root_cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(x, root_cert, NID_ext_key_usage, "clientAuth") || !add_name_constraints(x, host) ||
        !add_extension(x, root_cert, NID_subject_key_identifier, "hash") ||
        !add_extension(x, root_cert, NID_authority_key_identifier, "keyid:always") ||
        !X509_sign(x, root_key, EVP_sha256()))
        return failed("create tenant CA", RC_INTERNAL);
    char no[16];
    snprintf(no, sizeof no, "%d", tenant_no);
    struct pki_pair p = {x509_pem(a, x), seal_key(a, ring, context_of(a, "tenant-ca", no), key)};
    if (!p.public.p || !p.sealed.p)
        return failed("write tenant CA", RC_INTERNAL);
    *ret = p;
    return RC_OK;
}

enum rc pki_pem_to_der(struct arena *a, struct slice pem, struct slice *ret_der)
{
    X509 *x = x509_of_pem(pem);
    if (!x)
        return failed("read certificate", RC_INVALID);
    struct slice der = x509_der(a, x);
    X509_free(x);
    if (!der.p)
        return failed("write certificate", RC_INTERNAL);
    *ret_der = der;
    return RC_OK;
}

struct pki_ca {
    int tenant_no;
    struct sha256 cert_hash; /* of the PEM: another certificate is another CA */
    X509 *cert;
    EVP_PKEY *key;
    int references; /* under cache.lock; the cache holds one */
    uint64_t used;
};

static struct {
    pthread_mutex_t lock;
    struct pki_ca *item[CA_CACHE_MAX];
    uint64_t clock;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void ca_unref_locked(struct pki_ca *ca)
{
    if (!ca || --ca->references > 0)
        return;
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
    free(ca);
}

static struct pki_ca *ca_find_locked(int tenant_no, const struct sha256 *hash)
{
    for (int i = 0; i < CA_CACHE_MAX; i++) {
        struct pki_ca *ca = cache.item[i];
        if (ca && ca->tenant_no == tenant_no && memcmp(&ca->cert_hash, hash, sizeof *hash) == 0) {
            ca->references++;
            ca->used = ++cache.clock;
            return ca;
        }
    }
    return NULL;
}

static void ca_keep_locked(struct pki_ca *ca)
{
    int at = 0;
    for (int i = 0; i < CA_CACHE_MAX; i++) {
        if (!cache.item[i]) {
            at = i;
            break;
        }
        if (cache.item[i]->used < cache.item[at]->used)
            at = i;
    }
    ca_unref_locked(cache.item[at]);
    cache.item[at] = ca;
    ca->references++;
    ca->used = ++cache.clock;
}

enum rc pki_ca_open(const struct keyring *ring, int tenant_no, const struct pki_pair *pair, struct pki_ca **ret)
{
    struct sha256 hash = crypto_sha256(pair->public);
    pthread_mutex_lock(&cache.lock);
    struct pki_ca *ca = ca_find_locked(tenant_no, &hash);
    pthread_mutex_unlock(&cache.lock);
    if (ca) {
        *ret = ca;
        return RC_OK;
    }
    char context[32];
    snprintf(context, sizeof context, "tenant-ca:%d", tenant_no);
    X509 *cert = x509_of_pem(pair->public);
    EVP_PKEY *key = cert ? open_key(ring, context, pair->sealed) : NULL;
    if (!key || X509_check_private_key(cert, key) != 1) {
        X509_free(cert);
        EVP_PKEY_free(key);
        return failed("open tenant CA", RC_INVALID);
    }
    ca = must_alloc(sizeof *ca);
    *ca = (struct pki_ca){.tenant_no = tenant_no, .cert_hash = hash, .cert = cert, .key = key, .references = 1};
    /* Extensions are parsed lazily by the library; do it before other threads read the object. */
    (void)X509_check_purpose(cert, -1, 0);
    pthread_mutex_lock(&cache.lock);
    ca_keep_locked(ca);
    pthread_mutex_unlock(&cache.lock);
    *ret = ca;
    return RC_OK;
}

void pki_ca_close(struct pki_ca **ca)
{
    if (!*ca)
        return;
    pthread_mutex_lock(&cache.lock);
    ca_unref_locked(*ca);
    pthread_mutex_unlock(&cache.lock);
    *ca = NULL;
}

void pki_forget(void)
{
    pthread_mutex_lock(&cache.lock);
    for (int i = 0; i < CA_CACHE_MAX; i++) {
        ca_unref_locked(cache.item[i]);
        cache.item[i] = NULL;
    }
    pthread_mutex_unlock(&cache.lock);
}

/* ---- certificate requests */

struct pki_csr {
    EVP_PKEY *key;
    struct sha256 key_hash;
};

static bool key_strong(EVP_PKEY *k)
{
    switch (EVP_PKEY_get_base_id(k)) {
    case EVP_PKEY_EC: {
        char group[64] = "";
        size_t n = 0;
        if (EVP_PKEY_get_group_name(k, group, sizeof group, &n) != 1)
            return false;
        return strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0 || strcmp(group, "secp384r1") == 0 ||
               strcmp(group, "P-384") == 0;
    }
    case EVP_PKEY_ED25519:
        return true;
    case EVP_PKEY_RSA: /* the upper end: a signature check with a giant key is an attack on our time */
        return EVP_PKEY_get_bits(k) >= RSA_LEAST_BITS && EVP_PKEY_get_bits(k) <= 8192;
    default:
        return false;
    }
}

static bool digest_weak(const X509_REQ *r)
{
    int digest = NID_undef, pk = NID_undef;
    if (!OBJ_find_sigid_algs(X509_REQ_get_signature_nid(r), &digest, &pk))
        return true;
    return digest == NID_md5 || digest == NID_sha1 || digest == NID_md5_sha1 || digest == NID_md4 || digest == NID_md2;
}

static bool key_hash(EVP_PKEY *k, struct sha256 *ret)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(k, &der);
    if (n <= 0)
        return false;
    *ret = crypto_sha256(slice_mem(der, (size_t)n));
    OPENSSL_free(der);
    return true;
}

enum pki_csr_verdict pki_csr_parse(struct arena *a, struct slice pem, struct pki_csr **ret, const char **ret_reason)
{
    *ret_reason = "it is not a PKCS #10 request in PEM form";
    if (!pem.p || pem.n > 16 * 1024)
        return PKI_CSR_INVALID;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    must(b);
    X509_REQ *r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
    BIO_free(b);
    EVP_PKEY *key = r ? X509_REQ_get0_pubkey(r) : NULL;
    enum pki_csr_verdict v = PKI_CSR_INVALID;
    struct pki_csr *csr = ARENA_NEW(a, struct pki_csr);
    if (r && !key) {
        *ret_reason = "its key cannot be read";
    } else if (key && !key_strong(key)) {
        *ret_reason = "its key is too weak";
        v = PKI_CSR_WEAK;
    } else if (key && digest_weak(r)) {
        *ret_reason = "it is signed with a digest that is broken";
    } else if (key && X509_REQ_verify(r, key) != 1) {
        *ret_reason = "its signature does not fit its key";
    } else if (key && key_hash(key, &csr->key_hash)) {
        v = PKI_CSR_GOOD;
        arena_defer(a, free_req, r);
        csr->key = key; /* owned by r */
        *ret = csr;
        *ret_reason = NULL;
        r = NULL;
    }
    X509_REQ_free(r);
    ERR_clear_error();
    return v;
}

struct sha256 pki_csr_key_hash(const struct pki_csr *csr)
{
    return csr->key_hash;
}

/* ---- leaves */

static bool add_uri(X509 *x, const char *uri)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    must(names && name);
    GENERAL_NAME_set0_value(name, GEN_URI, ia5(uri));
    must(sk_GENERAL_NAME_push(names, name) > 0);
    bool ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

enum rc pki_issue(struct arena *a, struct pki_ca *ca, const struct pki_csr *csr, const char *domain, const char *tenant,
                  struct uuid device, int days, struct pki_leaf *ret)
{
    char id[UUID_TEXT_SIZE];
    uuid_text(device, id);
    /* Whole seconds, as the certificate holds them. */
    usec_t now = clock_now() / USEC_PER_SEC * USEC_PER_SEC;
    usec_t to = now + days * DAY_USEC, ca_to = get_time(X509_get0_notAfter(ca->cert));
    struct pki_leaf leaf = {
        .key_hash = csr->key_hash, .not_before = now - BACKDATE_USEC, .not_after = to < ca_to ? to : ca_to};
    X509 *x = begin_certificate(a, csr->key, ca->cert, id, leaf.not_before, leaf.not_after, leaf.serial);
    if (!x || !add_extension(x, ca->cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, ca->cert, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, ca->cert, NID_ext_key_usage, "clientAuth") ||
        !add_uri(x, arena_printf(a, NAME_SCHEME "%s" NAME_INFIX "%s/%s", tenant, domain, id)) ||
        !add_extension(x, ca->cert, NID_authority_key_identifier, "keyid:always") ||
        !X509_sign(x, ca->key, EVP_sha256()))
        return failed("issue leaf", RC_INTERNAL);
    leaf.pem = x509_pem(a, x);
    leaf.der = x509_der(a, x);
    if (!leaf.pem.p || !leaf.der.p)
        return failed("write leaf", RC_INTERNAL);
    leaf.hash = crypto_sha256(leaf.der);
    *ret = leaf;
    return RC_OK;
}

/* Chain of two with the intermediate as the anchor; the library checks signature, purpose, path length and the anchor's
 * name constraints. Life is looked at by ourselves, to tell expired from foreign. */
static bool chain_good(X509 *leaf, X509 *ca)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    must(store && ctx);
    bool ok = X509_STORE_add_cert(store, ca) == 1 && X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1;
    if (ok) {
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_X509_STRICT);
        ok = X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1 && X509_verify_cert(ctx) == 1 &&
             sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) == 2; /* an anchor is not its own leaf */
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return ok;
}

enum pki_check pki_leaf_check(struct slice leaf_der, struct slice ca_der, usec_t now)
{
    X509 *leaf = x509_of_der(leaf_der), *ca = x509_of_der(ca_der);
    enum pki_check check = PKI_FOREIGN;
    if (leaf && ca && chain_good(leaf, ca))
        check = now < get_time(X509_get0_notBefore(leaf)) || now > get_time(X509_get0_notAfter(leaf)) ? PKI_EXPIRED
                                                                                                      : PKI_GENUINE;
    X509_free(leaf);
    X509_free(ca);
    ERR_clear_error();
    return check;
}

enum rc pki_name_parse(struct slice uri, const char *domain, char ret_tenant[PKI_TENANT_MAX + 1],
                       struct uuid *ret_device)
{
    if (!uri.p || uri.n > NAME_MAX_LENGTH || !slice_starts(uri, SLICE(NAME_SCHEME)))
        return RC_INVALID;
    struct slice rest = slice_mem(uri.p + sizeof NAME_SCHEME - 1, uri.n - (sizeof NAME_SCHEME - 1));
    struct slice host = slice_cut(&rest, '/');
    char id[UUID_TEXT_SIZE], tenant[PKI_TENANT_MAX + 1];
    struct uuid device;
    size_t dot;
    if (!slice_find(host, '.', &dot) || dot > PKI_TENANT_MAX)
        return RC_INVALID;
    memcpy(tenant, host.p, dot);
    tenant[dot] = '\0';
    struct slice behind = slice_mem(host.p + dot, host.n - dot);
    if (strlen(tenant) != dot || !tenant_id_valid(tenant) || !slice_starts(behind, SLICE(NAME_INFIX)) ||
        !slice_eq(slice_mem(behind.p + sizeof NAME_INFIX - 1, behind.n - (sizeof NAME_INFIX - 1)), slice_of(domain)))
        return RC_INVALID;
    /* One spelling only: what uuid_text writes. */
    if (!uuid_parse(rest, &device) || !slice_eq(rest, slice_of(uuid_text(device, id))))
        return RC_INVALID;
    memcpy(ret_tenant, tenant, dot + 1);
    *ret_device = device;
    return RC_OK;
}

enum rc pki_leaf_name(struct slice leaf_der, const char *domain, char ret_tenant[PKI_TENANT_MAX + 1],
                      struct uuid *ret_device, usec_t *ret_not_after)
{
    enum rc rc = RC_INVALID;
    X509 *x = x509_of_der(leaf_der);
    GENERAL_NAMES *names = x ? X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL) : NULL;
    if (names && sk_GENERAL_NAME_num(names) == 1) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, 0);
        if (n->type == GEN_URI) {
            const ASN1_STRING *s = n->d.uniformResourceIdentifier;
            rc = pki_name_parse(slice_mem(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), domain, ret_tenant,
                                ret_device);
        }
    }
    if (rc == RC_OK)
        *ret_not_after = get_time(X509_get0_notAfter(x));
    GENERAL_NAMES_free(names);
    X509_free(x);
    ERR_clear_error();
    return rc;
}

/* ---- server certificates */

static bool host_name_valid(struct slice s)
{
    if (s.n == 0 || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!plain && !(c == '*' && i == 0))
            return false;
    }
    return true;
}

static GENERAL_NAME *server_name(struct arena *a, struct slice s)
{
    unsigned char address[16];
    const char *text = arena_cstr(a, s);
    int n = inet_pton(AF_INET, text, address) == 1 ? 4 : inet_pton(AF_INET6, text, address) == 1 ? 16 : 0;
    if (n == 0 && !host_name_valid(s))
        return NULL;
    GENERAL_NAME *name = GENERAL_NAME_new();
    must(name);
    if (n == 0) {
        GENERAL_NAME_set0_value(name, GEN_DNS, ia5(text));
    } else {
        ASN1_STRING *ip = ASN1_OCTET_STRING_new();
        must(ip && ASN1_STRING_set(ip, address, n));
        GENERAL_NAME_set0_value(name, GEN_IPADD, ip);
    }
    return name;
}

static bool add_server_names(struct arena *a, X509 *x, const struct slice *names, size_t n_names)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    must(list);
    bool ok = n_names > 0;
    for (size_t i = 0; i < n_names && ok; i++) {
        GENERAL_NAME *name = server_name(a, names[i]);
        ok = name && sk_GENERAL_NAME_push(list, name) > 0;
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(list);
    return ok;
}

enum rc pki_server_certificate(struct arena *a, const struct keyring *ring, const struct pki_pair *root,
                               const struct slice *names, size_t n_names, int days, struct slice *ret_chain_pem,
                               struct slice *ret_key_pem)
{
    X509 *root_cert;
    EVP_PKEY *root_key;
    enum rc rc = open_root(a, ring, root, &root_cert, &root_key);
    if (rc != RC_OK)
        return rc;
    EVP_PKEY *key = p256_new(a);
    usec_t now = clock_now();
    X509 *x = key && n_names > 0
                  ? begin_certificate(a, key, root_cert,
                                      arena_printf(a, "%.*s", (int)(names[0].n > 60 ? 60 : names[0].n), names[0].p),
                                      now - BACKDATE_USEC, now + days * DAY_USEC, NULL)
                  : NULL;
    if (!x || !add_server_names(a, x, names, n_names))
        return failed("name server certificate", RC_INVALID);
    if (!add_extension(x, root_cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, root_cert, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(x, root_cert, NID_ext_key_usage, "serverAuth") ||
        !add_extension(x, root_cert, NID_subject_key_identifier, "hash") ||
        !add_extension(x, root_cert, NID_authority_key_identifier, "keyid:always") ||
        !X509_sign(x, root_key, EVP_sha256()))
        return failed("issue server certificate", RC_INTERNAL);
    struct slice chain = x509_pem(a, x), pem = key_pem(a, key);
    if (!chain.p || !pem.p)
        return failed("write server certificate", RC_INTERNAL);
    *ret_chain_pem = chain;
    *ret_key_pem = pem;
    return RC_OK;
}
