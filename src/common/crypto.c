/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c - OpenSSL 3 behind plain functions. Algorithms are fetched once: a fetch by name costs more than a small
 * hash. What OpenSSL cannot refuse for a reason of the input is asserted (out of memory, broken provider). A sealed
 * value is:  1 version  1 length of id  id | 12 nonce  32 data key  16 tag | 12 nonce  n text  16 tag where the second
 * part is sealed by the ring's key with the first part and the context as its authenticated data, and the third part by
 * the data key with the context. */
#include "common/crypto.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_SIZE        32
#define NONCE_SIZE      12
#define TAG_SIZE        16
#define BOX_EXTRA       (NONCE_SIZE + TAG_SIZE)
#define WRAPPED_SIZE    (BOX_EXTRA + KEY_SIZE)
#define ID_LIMIT        32
#define SEALED_VERSION  1
#define RING_FILE_LIMIT (256 * 1024)

/* Never freed: at exit other threads may still hash. */
static EVP_MD *sha256;
static EVP_MAC *hmac;
static EVP_CIPHER *aes_256_gcm;
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(sha256 && hmac && aes_256_gcm);
}

static void fetched(void)
{
    pthread_once(&fetch_once, fetch);
}

/* ---------------------------------------------------------------- hashes */

struct sha256 crypto_sha256(struct slice s)
{
    struct sha256 h;

    fetched();
    must(EVP_Digest(s.p, s.n, h.b, NULL, sha256, NULL) == 1);
    return h;
}

static void mac(char *digest, struct slice key, struct slice s, uint8_t *out, size_t size)
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    const unsigned char *key_bytes = key.n ? (const unsigned char *)key.p : (const unsigned char *)""; /* NULL: keep */
    EVP_MAC_CTX *ctx;
    size_t n;

    fetched();
    ctx = EVP_MAC_CTX_new(hmac);
    must(ctx && EVP_MAC_init(ctx, key_bytes, key.n, params) == 1);
    must(EVP_MAC_update(ctx, (const unsigned char *)s.p, s.n) == 1);
    must(EVP_MAC_final(ctx, out, &n, size) == 1 && n == size);
    EVP_MAC_CTX_free(ctx);
}

struct sha256 crypto_hmac_sha256(struct slice key, struct slice s)
{
    char digest[] = "SHA256";
    struct sha256 h;

    mac(digest, key, s, h.b, sizeof(h.b));
    return h;
}

void crypto_hmac_sha1(struct slice key, struct slice s, uint8_t ret[20])
{
    char digest[] = "SHA1";

    mac(digest, key, s, ret, 20);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

struct sha256_stream {
    EVP_MD_CTX *ctx;
};

struct sha256_stream *sha256_stream_new(void)
{
    struct sha256_stream *s = must_alloc(sizeof(*s));

    fetched();
    s->ctx = EVP_MD_CTX_new();
    must(s->ctx && EVP_DigestInit_ex2(s->ctx, sha256, NULL) == 1);
    return s;
}

void sha256_stream_add(struct sha256_stream *s, const void *p, size_t n)
{
    must(EVP_DigestUpdate(s->ctx, p, n) == 1);
}

struct sha256 sha256_stream_end(struct sha256_stream **s)
{
    struct sha256 h;

    must(EVP_DigestFinal_ex((*s)->ctx, h.b, NULL) == 1);
    EVP_MD_CTX_free((*s)->ctx);
    free(*s);
    *s = NULL;
    return h;
}

/* ---------------------------------------------------------------- AES-256-GCM */

/* Keys and nonces come from OpenSSL's generator, not from id.h: that one can be seeded. */
static void draw(uint8_t *out, int n)
{
    must(RAND_bytes(out, n) == 1);
}

static void draw_secret(uint8_t *out, int n)
{
    must(RAND_priv_bytes(out, n) == 1);
}

void crypto_random(void *out, size_t n)
{
    must(n <= INT_MAX);
    draw_secret(out, (int)n);
}

static void add_context(EVP_CIPHER_CTX *ctx, struct slice context)
{
    int n;

    must(context.n <= INT_MAX);
    if (context.n)
        must(EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)context.p, (int)context.n) == 1);
}

/* Writes nonce, text and tag: plain.n + BOX_EXTRA bytes. The context is that of two slices, one behind the other. */
static void seal(const uint8_t key[KEY_SIZE], struct slice head, struct slice context, struct slice plain, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *text = out + NONCE_SIZE;
    int n = 0;

    fetched();
    must(ctx && plain.n <= INT_MAX);
    draw(out, NONCE_SIZE);
    must(EVP_EncryptInit_ex2(ctx, aes_256_gcm, key, out, NULL) == 1);
    add_context(ctx, head);
    add_context(ctx, context);
    if (plain.n)
        must(EVP_EncryptUpdate(ctx, text, &n, (const unsigned char *)plain.p, (int)plain.n) == 1);
    must((size_t)n == plain.n);
    must(EVP_EncryptFinal_ex(ctx, text + n, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, text + plain.n) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* Reads what seal wrote into out, of box.n - BOX_EXTRA bytes; wiped again when the tag is wrong. */
static bool unseal(const uint8_t key[KEY_SIZE], struct slice head, struct slice context, struct slice box, uint8_t *out)
{
    const unsigned char *nonce = (const unsigned char *)box.p;
    const unsigned char *text = nonce + NONCE_SIZE;
    size_t size = box.n - BOX_EXTRA;
    uint8_t tag[TAG_SIZE];
    EVP_CIPHER_CTX *ctx;
    int n = 0;
    bool good;

    fetched();
    ctx = EVP_CIPHER_CTX_new();
    memcpy(tag, text + size, TAG_SIZE);
    must(ctx && EVP_DecryptInit_ex2(ctx, aes_256_gcm, key, nonce, NULL) == 1);
    add_context(ctx, head);
    add_context(ctx, context);
    good = size == 0 || EVP_DecryptUpdate(ctx, out, &n, text, (int)size) == 1;
    good = good && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1;
    good = good && EVP_DecryptFinal_ex(ctx, out + size, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good)
        crypto_wipe(out, size);
    return good;
}

struct slice crypto_box_seal(struct arena *a, const uint8_t key[32], struct slice context, struct slice plain)
{
    uint8_t *out = arena_alloc(a, plain.n + BOX_EXTRA);

    seal(key, SLICE_NONE, context, plain, out);
    return slice_mem(out, plain.n + BOX_EXTRA);
}

enum rc crypto_box_open(struct arena *a, const uint8_t key[32], struct slice context, struct slice box,
                        struct slice *ret)
{
    uint8_t *out;

    if (box.n < BOX_EXTRA || box.n > INT_MAX)
        return RC_INVALID;
    out = arena_alloc(a, box.n - BOX_EXTRA + 1); /* + 1: a text that comes back is NUL-ended */
    if (!unseal(key, SLICE_NONE, context, box, out))
        return RC_INVALID;
    *ret = slice_mem(out, box.n - BOX_EXTRA);
    return RC_OK;
}

/* ---------------------------------------------------------------- key ring */

struct ring_key {
    char id[ID_LIMIT + 1];
    uint8_t key[KEY_SIZE];
};

struct keyring {
    struct ring_key *keys;
    size_t n;
};

static bool id_valid(struct slice id)
{
    if (id.n == 0 || id.n > ID_LIMIT)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

static const struct ring_key *ring_find(const struct keyring *k, struct slice id)
{
    for (size_t i = 0; i < k->n; i++)
        if (slice_eq(slice_of(k->keys[i].id), id))
            return &k->keys[i];
    return NULL;
}

static bool ring_add_line(struct keyring *k, struct slice line)
{
    struct slice rest = slice_trim(line);
    struct ring_key *key;
    struct slice id;
    size_t n;

    if (rest.n == 0 || rest.p[0] == '#')
        return true;
    id = slice_cut(&rest, ' ');
    if (!id_valid(id) || ring_find(k, id))
        return false;
    key = &k->keys[k->n];
    if (!slice_unhex(slice_trim(rest), key->key, KEY_SIZE, &n) || n != KEY_SIZE)
        return false;
    memcpy(key->id, id.p, id.n);
    k->n++;
    return true;
}

static struct keyring *ring_parse(struct slice text)
{
    struct keyring *k = must_alloc(sizeof(*k));
    size_t lines = 1;

    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    k->keys = must_alloc(lines * sizeof(*k->keys));
    while (text.n) {
        if (!ring_add_line(k, slice_cut(&text, '\n'))) {
            k->n = lines; /* half a key may stand behind the last whole one: wipe all */
            keyring_free(&k);
            return NULL;
        }
    }
    if (k->n == 0)
        keyring_free(&k);
    return k;
}

static bool mode_strict(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
}

static enum rc read_ring(struct arena *a, const char *path, struct slice *ret)
{
    enum rc rc = file_read(a, path, RING_FILE_LIMIT, ret);

    return rc == RC_OVER_QUOTA ? RC_INVALID : rc;
}

enum rc keyring_load(const char *path, struct keyring **ret)
{
    struct arena *a = NULL;
    struct slice text;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum rc rc = RC_OK;

    if (fd >= 0 && !mode_strict(fd))
        rc = RC_DENIED;
    if (fd >= 0)
        close(fd);
    if (rc != RC_OK)
        return rc;
    a = arena_new_wiping(2 * RING_FILE_LIMIT);
    rc = read_ring(a, path, &text);
    if (rc == RC_OK) {
        struct keyring *k = ring_parse(text);

        if (k)
            *ret = k;
        else
            rc = RC_INVALID;
    }
    arena_free(&a);
    return rc;
}

void keyring_free(struct keyring **k)
{
    if (!*k)
        return;
    crypto_wipe((*k)->keys, (*k)->n * sizeof(*(*k)->keys));
    free((*k)->keys);
    free(*k);
    *k = NULL;
}

static void add_random_key(struct strbuf *b, const char *id)
{
    uint8_t key[KEY_SIZE];

    draw_secret(key, sizeof(key));
    strbuf_add_str(b, id);
    strbuf_add_char(b, ' ');
    strbuf_add_hex(b, key, sizeof(key));
    strbuf_add_char(b, '\n');
    crypto_wipe(key, sizeof(key));
}

enum rc keyring_create(const char *path)
{
    struct arena *a = arena_new_wiping(1024);
    struct strbuf b;
    enum rc rc;

    strbuf_init_arena(&b, a, 256);
    add_random_key(&b, "k1");
    rc = file_write_new(path, strbuf_slice(&b), 0600);
    arena_free(&a);
    return rc;
}

/* Ids of made keys count up: k1, k2 and so on. */
static void fresh_id(const struct keyring *k, char id[ID_LIMIT + 1])
{
    for (size_t i = k->n + 1;; i++) {
        snprintf(id, ID_LIMIT + 1, "k%zu", i);
        if (!ring_find(k, slice_of(id)))
            return;
    }
}

static enum rc append_key(struct arena *a, const char *path, const struct keyring *k, const char **ret_reason)
{
    char id[ID_LIMIT + 1];
    struct slice text;
    struct strbuf b;
    enum rc rc = read_ring(a, path, &text);

    if (rc != RC_OK) {
        *ret_reason = "The key ring cannot be read.";
        return rc;
    }
    strbuf_init_arena(&b, a, text.n + 256);
    strbuf_add(&b, text);
    if (text.n && text.p[text.n - 1] != '\n')
        strbuf_add_char(&b, '\n');
    fresh_id(k, id);
    add_random_key(&b, id);
    rc = file_write(path, strbuf_slice(&b), 0600);
    if (rc != RC_OK)
        *ret_reason = "The new key ring cannot be written; the old one is as it was.";
    return rc;
}

static enum rc rotate_locked(const char *path, const char **ret_reason)
{
    struct arena *a = NULL;
    struct keyring *k = NULL;
    enum rc rc = keyring_load(path, &k);

    if (rc != RC_OK) {
        *ret_reason = rc == RC_DENIED ? "The key ring must be readable by its owner only (mode 0600)."
                                      : "The key ring is not of the form \"<id> <64 hex digits>\", one key a line.";
        return rc;
    }
    a = arena_new_wiping(4 * RING_FILE_LIMIT);
    rc = append_key(a, path, k, ret_reason);
    arena_free(&a);
    keyring_free(&k);
    return rc;
}

/* The lock is on the file itself; who waited for it holds the one that was replaced, and must not go on. */
static bool still_the_file(int fd, const char *path)
{
    struct stat mine;
    struct stat now;

    return fstat(fd, &mine) == 0 && stat(path, &now) == 0 && mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

enum rc keyring_rotate(const char *path, const char **ret_reason)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum rc rc;

    if (fd < 0) {
        *ret_reason = errno == ENOENT ? "The key ring does not exist." : "The key ring cannot be opened.";
        return errno == ENOENT ? RC_NOT_FOUND : RC_DENIED;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && still_the_file(fd, path)) {
        rc = rotate_locked(path, ret_reason);
    } else {
        *ret_reason = "Another rotation is under way.";
        rc = RC_CONFLICT;
    }
    close(fd);
    return rc;
}

/* The parts of a sealed value. */
struct sealed {
    struct slice head; /* version, length of id, id */
    struct slice id;
    struct slice wrapped;
    struct slice body;
};

static bool sealed_parse(struct slice s, struct sealed *ret)
{
    size_t head;

    if (s.n < 2 || s.p[0] != SEALED_VERSION)
        return false;
    head = 2 + (size_t)(unsigned char)s.p[1];
    if (s.n < head + WRAPPED_SIZE + BOX_EXTRA || s.n > INT_MAX)
        return false;
    *ret = (struct sealed){
        .head = slice_mem(s.p, head),
        .id = slice_mem(s.p + 2, head - 2),
        .wrapped = slice_mem(s.p + head, WRAPPED_SIZE),
        .body = slice_mem(s.p + head + WRAPPED_SIZE, s.n - head - WRAPPED_SIZE),
    };
    return true;
}

struct slice keyring_seal(struct arena *a, const struct keyring *k, struct slice context, struct slice plain)
{
    const struct ring_key *newest = &k->keys[k->n - 1];
    size_t id_n = strlen(newest->id);
    size_t head = 2 + id_n;
    size_t size = head + WRAPPED_SIZE + BOX_EXTRA + plain.n;
    uint8_t *out = arena_alloc(a, size);
    uint8_t data_key[KEY_SIZE];

    out[0] = SEALED_VERSION;
    out[1] = (uint8_t)id_n;
    memcpy(out + 2, newest->id, id_n);
    draw_secret(data_key, sizeof(data_key));
    seal(newest->key, slice_mem(out, head), context, slice_mem(data_key, KEY_SIZE), out + head);
    seal(data_key, SLICE_NONE, context, plain, out + head + WRAPPED_SIZE);
    crypto_wipe(data_key, sizeof(data_key));
    return slice_mem(out, size);
}

enum rc keyring_open(struct arena *a, const struct keyring *k, struct slice context, struct slice sealed,
                     struct slice *ret_plain)
{
    uint8_t data_key[KEY_SIZE];
    const struct ring_key *key;
    struct sealed parts;
    enum rc rc;

    if (!sealed_parse(sealed, &parts))
        return RC_INVALID;
    key = ring_find(k, parts.id);
    if (!key || !unseal(key->key, parts.head, context, parts.wrapped, data_key))
        return RC_INVALID;
    rc = crypto_box_open(a, data_key, context, parts.body, ret_plain);
    crypto_wipe(data_key, sizeof(data_key));
    return rc;
}

bool keyring_stale(const struct keyring *k, struct slice sealed)
{
    struct sealed parts;

    return sealed_parse(sealed, &parts) && !slice_eq(parts.id, slice_of(k->keys[k->n - 1].id));
}

/* ---------------------------------------------------------------- Ed25519 */

void crypto_ed25519_new(uint8_t ret_private[32], uint8_t ret_public[32])
{
    EVP_PKEY *key;
    size_t n = 32;

    draw_secret(ret_private, 32);
    key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, ret_private, 32);
    must(key && EVP_PKEY_get_raw_public_key(key, ret_public, &n) == 1 && n == 32);
    EVP_PKEY_free(key);
}

void crypto_ed25519_sign(const uint8_t private_key[32], struct slice msg, uint8_t ret_sig[64])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, private_key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 64;

    must(key && ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1);
    must(EVP_DigestSign(ctx, ret_sig, &n, (const unsigned char *)msg.p, msg.n) == 1 && n == 64);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

bool crypto_ed25519_verify(const uint8_t public_key[32], struct slice msg, const uint8_t sig[64])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, 32);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good;

    must(ctx != NULL);
    good = key && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
           EVP_DigestVerify(ctx, sig, 64, (const unsigned char *)msg.p, msg.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}
