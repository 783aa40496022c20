/* SPDX-License-Identifier: Apache-2.0 */
/* test_pki.c - what the certificates of agents allow and what they refuse. Foreign material (requests with weak keys,
 * leaves of a stolen intermediate) is made here with the OpenSSL library itself. No network. */
/* links: identity common */
#include "identity/pki.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DOMAIN "example.org"

struct world {
    struct arena *a;
    struct keyring *ring;
    struct pki_pair root;
    struct pki_pair acme;  /* tenant 1 */
    struct pki_pair kaede; /* tenant 2 */
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->a = arena_new((size_t)16 << 20);
    char path[64];
    snprintf(path, sizeof path, "/tmp/sekisho-test-pki-%d", (int)getpid());
    (void)unlink(path);
    assert_int_equal(keyring_create(path), RC_OK);
    assert_int_equal(keyring_load(path, &w->ring), RC_OK);
    (void)unlink(path);
    assert_int_equal(pki_root_create(w->a, w->ring, DOMAIN, &w->root), RC_OK);
    assert_int_equal(pki_tenant_ca_create(w->a, w->ring, &w->root, DOMAIN, "acme", 1, &w->acme), RC_OK);
    assert_int_equal(pki_tenant_ca_create(w->a, w->ring, &w->root, DOMAIN, "kaede", 2, &w->kaede), RC_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    pki_forget();
    keyring_free(&w->ring);
    arena_free(&w->a);
    free(w);
    return 0;
}

/* ---- material from outside */

static struct slice pem_of(struct world *w, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    struct slice s = arena_copy(w->a, slice_mem(p, (size_t)n));
    BIO_free(b);
    return s;
}

static struct slice csr_signed(struct world *w, EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md)
{
    X509_REQ *r = X509_REQ_new();
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(r), "CN", MBSTRING_ASC, (const unsigned char *)"root of all",
                               -1, -1, 0);
    X509_REQ_set_pubkey(r, key);
    assert_true(X509_REQ_sign(r, signer, md) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_X509_REQ(b, r));
    X509_REQ_free(r);
    return pem_of(w, b);
}

static struct slice csr_of(struct world *w, EVP_PKEY *key)
{
    const EVP_MD *md = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    struct slice s = csr_signed(w, key, key, md);
    EVP_PKEY_free(key);
    return s;
}

static struct slice good_csr(struct world *w)
{
    return csr_of(w, EVP_EC_gen("P-256"));
}

static struct pki_leaf issue(struct world *w, const struct pki_pair *ca, int no, const char *tenant, struct uuid device)
{
    struct pki_csr *csr;
    const char *reason;
    struct pki_ca *open = NULL;
    struct pki_leaf leaf;
    assert_int_equal(pki_csr_parse(w->a, good_csr(w), &csr, &reason), PKI_CSR_GOOD);
    assert_int_equal(pki_ca_open(w->ring, no, ca, &open), RC_OK);
    assert_int_equal(pki_issue(w->a, open, csr, DOMAIN, tenant, device, 90, &leaf), RC_OK);
    pki_ca_close(&open);
    assert_null(open);
    return leaf;
}

static struct slice ca_der(struct world *w, const struct pki_pair *ca)
{
    struct slice der;
    assert_int_equal(pki_pem_to_der(w->a, ca->public, &der), RC_OK);
    return der;
}

/* ---- tests */

static void leaf_is_genuine_for_its_tenant_only(void **state)
{
    struct world *w = *state;
    struct uuid device = uuid_new();
    struct pki_leaf leaf = issue(w, &w->acme, 1, "acme", device);
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->acme), clock_now()), PKI_GENUINE);
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->kaede), clock_now()), PKI_FOREIGN);
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->root), clock_now()), PKI_FOREIGN);
    char tenant[PKI_TENANT_MAX + 1];
    struct uuid found;
    usec_t to;
    assert_int_equal(pki_leaf_name(leaf.der, DOMAIN, tenant, &found, &to), RC_OK);
    assert_string_equal(tenant, "acme");
    assert_true(uuid_eq(found, device));
    assert_true(to == leaf.not_after);
    assert_int_equal(strlen(leaf.serial), 32);
    assert_int_equal(pki_leaf_name(leaf.der, "example.com", tenant, &found, &to), RC_INVALID);
}

static void leaf_expires(void **state)
{
    struct world *w = *state;
    struct pki_leaf leaf = issue(w, &w->acme, 1, "acme", uuid_new());
    struct slice ca = ca_der(w, &w->acme);
    usec_t day = INT64_C(86400) * USEC_PER_SEC;
    assert_int_equal(pki_leaf_check(leaf.der, ca, clock_now() + 89 * day), PKI_GENUINE);
    assert_int_equal(pki_leaf_check(leaf.der, ca, clock_now() + 91 * day), PKI_EXPIRED);
    assert_int_equal(pki_leaf_check(leaf.der, ca, clock_now() - day), PKI_EXPIRED);
}

static void subject_of_request_is_ignored(void **state)
{
    struct world *w = *state;
    struct pki_leaf leaf = issue(w, &w->acme, 1, "acme", uuid_new());
    const unsigned char *p = (const unsigned char *)leaf.der.p;
    X509 *x = d2i_X509(NULL, &p, (long)leaf.der.n);
    char *text = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);
    assert_null(strstr(text, "root of all"));
    assert_int_equal(X509_check_ca(x), 0);
    assert_true(X509_get_extended_key_usage(x) == XKU_SSL_CLIENT);
    OPENSSL_free(text);
    X509_free(x);
}

/* The stolen intermediate of acme signs a leaf that names kaede: the name constraint refuses it. */
static void stolen_intermediate_cannot_name_another_tenant(void **state)
{
    struct world *w = *state;
    struct pki_leaf leaf = issue(w, &w->acme, 1, "kaede", uuid_new());
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->acme), clock_now()), PKI_FOREIGN);
    leaf = issue(w, &w->acme, 1, "acme-x", uuid_new());
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->acme), clock_now()), PKI_FOREIGN);
}

/* A key of a tenant's intermediate must not make a server certificate that agents, who pin the root, would believe. */
static void stolen_intermediate_cannot_pass_for_the_server(void **state)
{
    struct world *w = *state;
    struct slice sealed_key;
    assert_int_equal(keyring_open(w->a, w->ring, SLICE("tenant-ca:1"), w->acme.sealed, &sealed_key), RC_OK);
    const unsigned char *p = (const unsigned char *)sealed_key.p;
    EVP_PKEY *ca_key = d2i_AutoPrivateKey(NULL, &p, (long)sealed_key.n), *key = EVP_EC_gen("P-256");
    BIO *b = BIO_new_mem_buf(w->acme.public.p, (int)w->acme.public.n);
    X509 *ca = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    b = BIO_new_mem_buf(w->root.public.p, (int)w->root.public.n);
    X509 *root = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    static const char *const names[] = {"DNS:console.example.org", "IP:192.0.2.1", "IP:2001:db8::1",
                                        "URI:sekisho://kaede.agent.example.org/x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        X509 *x = X509_new();
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), 77);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, key);
        X509_set_issuer_name(x, X509_get_subject_name(ca));
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names[i]);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
        assert_true(X509_sign(x, ca_key, EVP_sha256()) > 0);
        X509_STORE *store = X509_STORE_new();
        X509_STORE_add_cert(store, root);
        STACK_OF(X509) *chain = sk_X509_new_null();
        sk_X509_push(chain, ca);
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        X509_STORE_CTX_init(ctx, store, x, chain);
        assert_int_equal(X509_verify_cert(ctx), 0);
        int err = X509_STORE_CTX_get_error(ctx);
        assert_true(err == X509_V_ERR_EXCLUDED_VIOLATION || err == X509_V_ERR_PERMITTED_VIOLATION);
        X509_STORE_CTX_free(ctx);
        sk_X509_free(chain);
        X509_STORE_free(store);
        X509_free(x);
    }
    X509_free(ca);
    X509_free(root);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

static void leaf_cannot_sign(void **state)
{
    struct world *w = *state;
    /* A leaf used as if it were an intermediate: foreign. */
    struct pki_leaf a = issue(w, &w->acme, 1, "acme", uuid_new()), b = issue(w, &w->acme, 1, "acme", uuid_new());
    assert_int_equal(pki_leaf_check(a.der, b.der, clock_now()), PKI_FOREIGN);
    assert_int_equal(pki_leaf_check(a.der, a.der, clock_now()), PKI_FOREIGN);
}

static void damaged_leaf_is_foreign(void **state)
{
    struct world *w = *state;
    struct pki_leaf leaf = issue(w, &w->acme, 1, "acme", uuid_new());
    struct slice ca = ca_der(w, &w->acme);
    char *copy = arena_alloc(w->a, leaf.der.n + 1);
    for (size_t i = 0; i < leaf.der.n; i += 3) {
        memcpy(copy, leaf.der.p, leaf.der.n);
        copy[i] ^= 0x11;
        assert_int_equal(pki_leaf_check(slice_mem(copy, leaf.der.n), ca, clock_now()), PKI_FOREIGN);
    }
    assert_int_equal(pki_leaf_check(slice_mem(leaf.der.p, leaf.der.n - 1), ca, clock_now()), PKI_FOREIGN);
    memcpy(copy, leaf.der.p, leaf.der.n);
    copy[leaf.der.n] = 0;
    assert_int_equal(pki_leaf_check(slice_mem(copy, leaf.der.n + 1), ca, clock_now()), PKI_FOREIGN);
    assert_int_equal(pki_leaf_check(SLICE_NONE, ca, clock_now()), PKI_FOREIGN);
    assert_int_equal(pki_leaf_check(SLICE("hello"), ca, clock_now()), PKI_FOREIGN);
}

static void same_name_of_another_root_is_foreign(void **state)
{
    struct world *w = *state;
    struct pki_pair root, acme;
    assert_int_equal(pki_root_create(w->a, w->ring, DOMAIN, &root), RC_OK);
    assert_int_equal(pki_tenant_ca_create(w->a, w->ring, &root, DOMAIN, "acme", 1, &acme), RC_OK);
    struct pki_leaf leaf = issue(w, &acme, 1, "acme", uuid_new());
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &acme), clock_now()), PKI_GENUINE);
    assert_int_equal(pki_leaf_check(leaf.der, ca_der(w, &w->acme), clock_now()), PKI_FOREIGN);
}

static enum pki_csr_verdict verdict(struct world *w, struct slice pem)
{
    struct pki_csr *csr;
    const char *reason = NULL;
    enum pki_csr_verdict v = pki_csr_parse(w->a, pem, &csr, &reason);
    assert_true((v == PKI_CSR_GOOD) == (reason == NULL));
    return v;
}

static void requests_by_key(void **state)
{
    struct world *w = *state;
    assert_int_equal(verdict(w, csr_of(w, EVP_EC_gen("P-256"))), PKI_CSR_GOOD);
    assert_int_equal(verdict(w, csr_of(w, EVP_EC_gen("P-384"))), PKI_CSR_GOOD);
    assert_int_equal(verdict(w, csr_of(w, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"))), PKI_CSR_GOOD);
    assert_int_equal(verdict(w, csr_of(w, EVP_RSA_gen(3072))), PKI_CSR_GOOD);
    assert_int_equal(verdict(w, csr_of(w, EVP_RSA_gen(2048))), PKI_CSR_WEAK);
    assert_int_equal(verdict(w, csr_of(w, EVP_EC_gen("P-224"))), PKI_CSR_WEAK);
    assert_int_equal(verdict(w, csr_of(w, EVP_EC_gen("secp256k1"))), PKI_CSR_WEAK);
}

static void requests_malformed(void **state)
{
    struct world *w = *state;
    assert_int_equal(verdict(w, SLICE("")), PKI_CSR_INVALID);
    assert_int_equal(verdict(w, SLICE_NONE), PKI_CSR_INVALID);
    assert_int_equal(
        verdict(w, SLICE("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")),
        PKI_CSR_INVALID);
    assert_int_equal(verdict(w, w->root.public), PKI_CSR_INVALID);
    /* Someone else's public key, signed by one's own: no proof of possession. */
    EVP_PKEY *mine = EVP_EC_gen("P-256"), *theirs = EVP_EC_gen("P-256");
    assert_int_equal(verdict(w, csr_signed(w, theirs, mine, EVP_sha256())), PKI_CSR_INVALID);
    assert_int_equal(verdict(w, csr_signed(w, mine, mine, EVP_sha1())), PKI_CSR_INVALID);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(theirs);
}

static void sealed_keys_stay_in_their_rows(void **state)
{
    struct world *w = *state;
    struct pki_ca *ca = NULL;
    assert_int_equal(pki_ca_open(w->ring, 2, &w->acme, &ca), RC_INVALID);
    struct pki_pair mixed = {w->kaede.public, w->acme.sealed};
    assert_int_equal(pki_ca_open(w->ring, 1, &mixed, &ca), RC_INVALID);
    assert_int_equal(pki_ca_open(w->ring, 2, &mixed, &ca), RC_INVALID);
}

static void names_have_one_spelling(void **state)
{
    (void)state;
    char tenant[PKI_TENANT_MAX + 1];
    struct uuid device;
    static const char *const good[] = {"sekisho://acme.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
                                       "sekisho://a-1.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"};
    static const char *const bad[] = {
        "",
        "sekisho://",
        "https://acme.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://acme.agent.example.org/0190A1B2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", /* upper case */
        "sekisho://acme.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/",
        "sekisho://acme.agent.example.org//0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://acme.agent.example.org:2222/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://x@acme.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://acme.agent.example.org.evil.net/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://acme.evil.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://Acme.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        "sekisho://acme.agent.example.org/",
        "sekisho://acme.agent.example.org"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(pki_name_parse(slice_of(good[i]), DOMAIN, tenant, &device), RC_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pki_name_parse(slice_of(bad[i]), DOMAIN, tenant, &device), RC_INVALID);
    assert_int_equal(
        pki_name_parse(slice_mem("sekisho://ac\0me.agent.example.org/0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", 69), DOMAIN,
                       tenant, &device),
        RC_INVALID);
}

static void server_certificate_is_of_the_root(void **state)
{
    struct world *w = *state;
    struct slice names[] = {SLICE("localhost"), SLICE("127.0.0.1"), SLICE("::1")}, chain, key;
    assert_int_equal(pki_server_certificate(w->a, w->ring, &w->root, names, 3, 30, &chain, &key), RC_OK);
    BIO *b = BIO_new_mem_buf(chain.p, (int)chain.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_int_equal(X509_check_host(x, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "::1", 0), 1);
    b = BIO_new_mem_buf(key.p, (int)key.n);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_int_equal(X509_check_private_key(x, k), 1);
    EVP_PKEY_free(k);
    X509_free(x);
    struct slice wrong = SLICE("no blank here");
    assert_int_equal(pki_server_certificate(w->a, w->ring, &w->root, &wrong, 1, 30, &chain, &key), RC_INVALID);
    assert_int_equal(pki_server_certificate(w->a, w->ring, &w->root, NULL, 0, 30, &chain, &key), RC_INVALID);
}

static void signing_keys_open_again(void **state)
{
    struct world *w = *state;
    struct pki_pair p;
    uint8_t private_key[32], public_key[32], sig[64];
    size_t n;
    assert_int_equal(pki_signing_key_create(w->a, w->ring, PLATFORM_TIME, &p), RC_OK);
    assert_int_equal(pki_signing_key_open(w->a, w->ring, PLATFORM_TIME, p.sealed, private_key), RC_OK);
    assert_true(slice_unhex(p.public, public_key, 32, &n) && n == 32);
    crypto_ed25519_sign(private_key, SLICE("x"), sig);
    assert_true(crypto_ed25519_verify(public_key, SLICE("x"), sig));
    assert_int_equal(pki_signing_key_open(w->a, w->ring, PLATFORM_MODULE, p.sealed, private_key), RC_INVALID);
}

static void many_tenants_share_the_cache(void **state)
{
    struct world *w = *state;
    struct pki_ca *kept = NULL;
    assert_int_equal(pki_ca_open(w->ring, 1, &w->acme, &kept), RC_OK);
    for (int i = 3; i < 80; i++) {
        struct pki_pair p;
        struct pki_ca *ca = NULL;
        char id[16];
        snprintf(id, sizeof id, "t%02d", i);
        assert_int_equal(pki_tenant_ca_create(w->a, w->ring, &w->root, DOMAIN, id, i, &p), RC_OK);
        assert_int_equal(pki_ca_open(w->ring, i, &p, &ca), RC_OK);
        pki_ca_close(&ca);
    }
    struct pki_csr *csr;
    const char *reason;
    struct pki_leaf leaf;
    assert_int_equal(pki_csr_parse(w->a, good_csr(w), &csr, &reason), PKI_CSR_GOOD);
    assert_int_equal(pki_issue(w->a, kept, csr, DOMAIN, "acme", uuid_new(), 90, &leaf), RC_OK);
    pki_ca_close(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(leaf_is_genuine_for_its_tenant_only),
        T(leaf_expires),
        T(subject_of_request_is_ignored),
        T(stolen_intermediate_cannot_name_another_tenant),
        T(stolen_intermediate_cannot_pass_for_the_server),
        T(leaf_cannot_sign),
        T(damaged_leaf_is_foreign),
        T(same_name_of_another_root_is_foreign),
        T(requests_by_key),
        T(requests_malformed),
        T(sealed_keys_stay_in_their_rows),
        T(names_have_one_spelling),
        T(server_certificate_is_of_the_root),
        T(signing_keys_open_again),
        T(many_tenants_share_the_cache),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
