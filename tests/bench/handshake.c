/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.c - what a mutual TLS 1.3 handshake costs with OpenSSL alone: both ends in this process, over memory, with
 * the settings of the agents' port (X25519, sessions in memory, a client that sends its leaf alone, the leaf pinned by
 * its hash). Built and run by limits.py:
 *
 *   handshake full|resumed COUNT CERTIFICATE KEY    prints the server's and the client's CPU microseconds each, and
 * seconds
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOVES 64 /* of each end in one handshake, at most */

static unsigned char pinned[32];
static SSL_SESSION *kept;

static double clock_us(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s: ", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static int pin(X509_STORE_CTX *store, void *arg)
{
    unsigned char hash[32];
    unsigned n = sizeof(hash);
    (void)arg;
    return X509_digest(X509_STORE_CTX_get0_cert(store), EVP_sha256(), hash, &n) == 1 && memcmp(hash, pinned, n) == 0;
}

static int keep(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = s;
    return 1;
}

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_NAME_new();
    need(x && name &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"device", -1, -1, 0) == 1 &&
             X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(x), 0) && X509_gmtime_adj(X509_getm_notAfter(x), 86400) &&
             X509_set_subject_name(x, name) == 1 && X509_set_issuer_name(x, name) == 1 &&
             X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()) > 0,
         "client certificate");
    X509_NAME_free(name);
    return x;
}

static SSL_CTX *server_context(const char *certificate, const char *key)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    need(c && SSL_CTX_set1_groups_list(c, "X25519:P-256") == 1 &&
             SSL_CTX_use_certificate_chain_file(c, certificate) == 1 &&
             SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_set_session_id_context(c, (const unsigned char *)"bench", 5) == 1,
         "server");
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(c, pin, NULL);
    return c;
}

static SSL_CTX *client_context(void)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    unsigned n = sizeof(pinned);
    need(c && key, "client");
    X509 *x = self_signed(key);
    need(SSL_CTX_set1_groups_list(c, "X25519") == 1 && SSL_CTX_use_certificate(c, x) == 1 &&
             SSL_CTX_use_PrivateKey(c, key) == 1 && X509_digest(x, EVP_sha256(), pinned, &n) == 1,
         "client");
    SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, keep);
    X509_free(x);
    EVP_PKEY_free(key);
    return c;
}

static void once(SSL_CTX *server, SSL_CTX *client, int resume, double us[2])
{
    SSL *end[2] = {SSL_new(server), SSL_new(client)};
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    char byte;
    need(end[0] && end[1] && up && down && BIO_up_ref(up) && BIO_up_ref(down), "connection");
    BIO_set_mem_eof_return(up, -1);
    BIO_set_mem_eof_return(down, -1);
    SSL_set_bio(end[0], up, down);
    SSL_set_bio(end[1], down, up);
    SSL_set_accept_state(end[0]);
    SSL_set_connect_state(end[1]);
    if (resume && kept)
        need(SSL_set_session(end[1], kept) == 1, "session");
    /* A read does the handshake, and takes what comes after it: the client the new session. */
    for (int i = 0; i < MOVES && !(SSL_is_init_finished(end[0]) && SSL_is_init_finished(end[1]) && !BIO_pending(up) &&
                                   !BIO_pending(down));
         i++) {
        int e = (i + 1) % 2;
        double from = clock_us(CLOCK_THREAD_CPUTIME_ID);
        ERR_clear_error();
        int r = SSL_read(end[e], &byte, 1);
        us[e] += clock_us(CLOCK_THREAD_CPUTIME_ID) - from;
        need(r > 0 || SSL_get_error(end[e], r) == SSL_ERROR_WANT_READ, "handshake");
    }
    need(SSL_is_init_finished(end[0]) && SSL_session_reused(end[0]) == resume, "handshake did not go as wanted");
    SSL_shutdown(end[1]);
    double from = clock_us(CLOCK_THREAD_CPUTIME_ID);
    SSL_shutdown(end[0]);
    SSL_free(end[0]);
    us[0] += clock_us(CLOCK_THREAD_CPUTIME_ID) - from;
    SSL_free(end[1]);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    int resume = strcmp(argv[1], "resumed") == 0;
    long count = 0;
    for (const char *p = argv[2]; *p >= '0' && *p <= '9' && count < 1000000; p++)
        count = count * 10 + (*p - '0');
    SSL_CTX *server = server_context(argv[3], argv[4]), *client = client_context();
    double us[2] = {0, 0};
    once(server, client, 0, us); /* a first session, and all that OpenSSL does once */
    us[0] = us[1] = 0;
    double began = clock_us(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++)
        once(server, client, resume, us);
    printf("%.3f %.3f %.3f\n", us[0] / (double)count, us[1] / (double)count, (clock_us(CLOCK_MONOTONIC) - began) / 1e6);
    SSL_SESSION_free(kept);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return 0;
}
