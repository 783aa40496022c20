/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c - the TLS contexts of both ports. They share certificate and key, never a way to resume: each has a session-id
 * context of its own, the console tickets under keys of its own, the agents a bounded cache in memory and no tickets.
 * (With shared keys a ticket got without a certificate on the console would resume on the agents' port.) Agents are
 * asked for a certificate and admitted with any: the handshake proves that they hold its key, identity/ decides what it
 * is worth. */
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge_private.h"
#include "edge/san.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

#define AGENT_SESSIONS      4096        /* about 17 KB each */
#define CERTIFICATES_MAX    (16 * 1024) /* bytes of a client's chain; ours is below 1 KB */
#define AGENT_SESSION_LIFE  (8 * 3600L)
#define CONSOLE_TICKET_LIFE 3600L
#define TICKET_KEY_LIFE     (6 * 3600 * UINT64_C(1000000000))

struct ticket_key {
    uint8_t name[16], aes[32], mac[32];
    uint64_t made_ns;
};

struct tls {
    pthread_mutex_t lock; /* contexts and keys */
    SSL_CTX *context[2];
    struct ticket_key keys[2]; /* the newest first */
    char *platform_domain;
};

static int tls_index = -1; /* of struct tls in an SSL_CTX; set once before threads start */

/* ---- what the handshake tells */

struct conn *conn_of_ssl(const SSL *ssl)
{
    /* The library keeps its socket as the data of its BIO: the one convention of its inside that we rely on. */
    BIO *bio = SSL_get_rbio(ssl);
    h2o_socket_t *sock = bio ? BIO_get_data(bio) : NULL;
    struct conn *c = sock ? sock->on_close.data : NULL;

    return c && c->magic == CONN_MAGIC ? c : NULL;
}

static usec_t time_of(const ASN1_TIME *t)
{
    struct tm tm;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return 0;
    return (usec_t)timegm(&tm) * USEC_PER_SEC;
}

static bool read_san(const X509 *x, struct slice domain, struct peer *p)
{
    int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
    const ASN1_OCTET_STRING *value;

    if (at < 0 || X509_get_ext_by_NID(x, NID_subject_alt_name, at) >= 0)
        return false;
    value = X509_EXTENSION_get_data(X509_get_ext(x, at));
    return value && san_find(slice_mem(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)), domain,
                             p->tenant, &p->device);
}

static void record_identity(struct conn *c, SSL *ssl)
{
    const struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);
    X509 *x = SSL_get0_peer_certificate(ssl);
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    int n;

    if (!x)
        return;
    c->peer.verdict = PEER_GARBLED;
    n = i2d_X509(x, &c->peer.leaf_der);
    if (n <= 0)
        return;
    c->peer.leaf_der_n = (size_t)n;
    c->peer.leaf_hash = crypto_sha256(slice_mem(c->peer.leaf_der, c->peer.leaf_der_n));
    c->peer.not_after = time_of(X509_get0_notAfter(x));
    if (c->peer.not_after && read_san(x, slice_of(t->platform_domain), &c->peer))
        c->peer.verdict = PEER_PRESENT;
    /* Nothing looks at what came beside the leaf: 4.5 KB of each connection. */
    while (chain && sk_X509_num(chain) > 0)
        X509_free(sk_X509_pop(chain));
}

static void on_info(const SSL *ssl, int where, int ret)
{
    struct conn *c = conn_of_ssl(ssl);
    const unsigned char *alpn;
    unsigned alpn_n;

    if (!c)
        return;
    if ((where & SSL_CB_ALERT) && (where & SSL_CB_READ))
        ev_debug(AREA_EDGE, "TLS alert from the client", EV_STR("alert", SSL_alert_desc_string_long(ret)),
                 EV_STR("address", c->peer.address));
    if ((where & SSL_CB_ALERT) && (where & SSL_CB_READ) && (ret & 0xFF) == SSL_AD_CLOSE_NOTIFY && c->handshaken)
        conn_goodbye(c);
    if (where & SSL_CB_HANDSHAKE_START) {
        c->ssl = (SSL *)(uintptr_t)ssl;
        SSL_CTX_free(c->held);
        c->held = NULL;
    }
    if (!(where & SSL_CB_HANDSHAKE_DONE) || c->handshaken)
        return;
    c->handshaken = true;
    c->peer.resumed = SSL_session_reused(ssl);
    count(c->peer.resumed ? C_handshakes_resumed : C_handshakes_full);
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_n);
    c->http2 = alpn_n == 2 && memcmp(alpn, "h2", 2) == 0;
    if (c->listener == LISTENER_AGENT)
        record_identity(c, c->ssl);
}

/* Counts what a client has sent since its last whole request. Request bodies wait in memory until they are whole, so
 * this is the only place where many large ones on one connection can be seen. */
static void on_record(int write_p, int version, int type, const void *buf, size_t n, SSL *ssl, void *arg)
{
    const uint8_t *head = buf;
    struct conn *c;

    (void)version;
    (void)arg;
    if (write_p || type != SSL3_RT_HEADER || n != 5 || !(c = conn_of_ssl(ssl)))
        return;
    c->received += (size_t)head[3] << 8 | head[4];
    if (c->received > 4 * c->el->edge->body_hard_limit[c->listener] + (1024 * 1024))
        conn_cut(c, "too many unfinished bodies");
}

static int admit_any(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* ---- console tickets */

static void make_key(struct ticket_key *k)
{
    must(RAND_bytes(k->name, sizeof(k->name)) == 1 && RAND_bytes(k->aes, sizeof(k->aes)) == 1 &&
         RAND_bytes(k->mac, sizeof(k->mac)) == 1);
    k->made_ns = clock_mono_ns();
}

static int use_key(const struct ticket_key *k, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv, encrypt) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int encrypt)
{
    struct tls *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index);
    int r = 0;

    pthread_mutex_lock(&t->lock);
    if (encrypt) {
        if (clock_mono_ns() - t->keys[0].made_ns > TICKET_KEY_LIFE) {
            t->keys[1] = t->keys[0];
            make_key(&t->keys[0]);
        }
        memcpy(name, t->keys[0].name, sizeof(t->keys[0].name));
        r = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && use_key(&t->keys[0], iv, cipher, mac, 1)
                ? 1
                : -1;
    } else {
        for (int i = 0; i < 2 && r == 0; i++)
            if (memcmp(name, t->keys[i].name, sizeof(t->keys[i].name)) == 0)
                r = use_key(&t->keys[i], iv, cipher, mac, 0) ? 2 : -1; /* 2: with 1 TLS 1.3 would send no new ticket */
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

/* ---- contexts */

static const char *library_error(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "not readable";
}

static SSL_CTX *make_context(struct tls *t, const struct params *p, enum listener listener, char *why, size_t why_size)
{
    static const unsigned char console_id[] = "sekisho-console", agent_id[] = "sekisho-agent";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    must(ctx != NULL);
    ERR_clear_error();
    must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
    must(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
    must(SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1);
    must(SSL_CTX_set_ex_data(ctx, tls_index, t) == 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_info_callback(ctx, on_info);
    SSL_CTX_set_msg_callback(ctx, on_record);
    h2o_ssl_register_alpn_protocols(ctx, h2o_alpn_protocols);
    if (listener == LISTENER_AGENT) {
        must(SSL_CTX_set_session_id_context(ctx, agent_id, sizeof(agent_id) - 1) == 1);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
        SSL_CTX_sess_set_cache_size(ctx, AGENT_SESSIONS);
        SSL_CTX_set_timeout(ctx, AGENT_SESSION_LIFE);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, admit_any, NULL);
        SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX);
    } else {
        must(SSL_CTX_set_session_id_context(ctx, console_id, sizeof(console_id) - 1) == 1);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_timeout(ctx, CONSOLE_TICKET_LIFE);
        must(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1);
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, p->tls_certificate) != 1)
        snprintf(why, why_size, "cannot use the certificate %s: %s", p->tls_certificate, library_error());
    else if (SSL_CTX_use_PrivateKey_file(ctx, p->tls_key, SSL_FILETYPE_PEM) != 1)
        snprintf(why, why_size, "cannot use the key %s: %s", p->tls_key, library_error());
    else if (SSL_CTX_check_private_key(ctx) != 1)
        snprintf(why, why_size, "the key %s does not belong to the certificate %s", p->tls_key, p->tls_certificate);
    else
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

enum rc tls_load(struct tls *t, const struct params *p, char *ret_why, size_t why_size)
{
    SSL_CTX *fresh[2];

    fresh[LISTENER_CONSOLE] = make_context(t, p, LISTENER_CONSOLE, ret_why, why_size);
    if (!fresh[LISTENER_CONSOLE])
        return RC_INVALID;
    fresh[LISTENER_AGENT] = make_context(t, p, LISTENER_AGENT, ret_why, why_size);
    if (!fresh[LISTENER_AGENT]) {
        SSL_CTX_free(fresh[LISTENER_CONSOLE]);
        return RC_INVALID;
    }
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < 2; i++) {
        SSL_CTX_free(t->context[i]);
        t->context[i] = fresh[i];
    }
    pthread_mutex_unlock(&t->lock);
    return RC_OK;
}

struct tls *tls_new(const struct params *p, char *ret_why, size_t why_size)
{
    struct tls *t = must_alloc(sizeof(*t));

    if (tls_index < 0)
        tls_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    pthread_mutex_init(&t->lock, NULL);
    t->platform_domain = must_strdup(p->platform_domain);
    make_key(&t->keys[0]);
    make_key(&t->keys[1]);
    if (tls_load(t, p, ret_why, why_size) != RC_OK)
        tls_free(&t);
    return t;
}

SSL_CTX *tls_context(struct tls *t, enum listener listener)
{
    SSL_CTX *ctx;

    pthread_mutex_lock(&t->lock);
    ctx = t->context[listener];
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&t->lock);
    return ctx;
}

void tls_free(struct tls **t)
{
    if (!*t)
        return;
    for (int i = 0; i < 2; i++)
        SSL_CTX_free((*t)->context[i]);
    crypto_wipe((*t)->keys, sizeof((*t)->keys));
    pthread_mutex_destroy(&(*t)->lock);
    free((*t)->platform_domain);
    free(*t);
    *t = NULL;
}
