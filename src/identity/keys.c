/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - see keys.h. The current set hangs on a pointer under a lock held for a few instructions; sets are wiped when
 * the last user has put them back. */
#include "identity/keys.h"
#include "common/event.h"
#include "common/must.h"
#include "identity/pki.h"
#include "store/platform.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LEARN_USEC  (60 * USEC_PER_SEC)
#define ROTATE_USEC (INT64_C(86400) * USEC_PER_SEC)
#define RETIRE_USEC (2 * ROTATE_USEC + INT64_C(7200) * USEC_PER_SEC)

static const struct keyring *keyring;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct keys *current;

void keys_start(const struct keyring *ring)
{
    keyring = ring;
}

static void unref_locked(struct keys *k)
{
    if (!k || --k->refs > 0)
        return;
    crypto_wipe(k, sizeof *k);
    free(k);
}

static void publish(struct keys *k)
{
    pthread_mutex_lock(&lock);
    unref_locked(current);
    current = k;
    pthread_mutex_unlock(&lock);
}

void keys_stop(void)
{
    publish(NULL);
    keyring = NULL;
}

const struct keyring *keys_ring(void)
{
    return keyring;
}

struct keys *keys_get(void)
{
    pthread_mutex_lock(&lock);
    struct keys *k = current;
    if (k)
        k->refs++;
    pthread_mutex_unlock(&lock);
    return k;
}

void keys_put(struct keys *k)
{
    pthread_mutex_lock(&lock);
    unref_locked(k);
    pthread_mutex_unlock(&lock);
}

static enum rc open_secret(const struct signing_key_row *row, uint8_t out[TOKEN_KEY_BYTES])
{
    struct arena *secret = arena_new_wiping(4096);
    struct slice plain, context = slice_of(arena_printf(secret, "signing-key:" SLICE_FMT, SLICE_ARG(row->kid)));
    enum rc rc = keyring_open(secret, keyring, context, row->secret_sealed, &plain);
    if (rc == RC_OK && plain.n != TOKEN_KEY_BYTES)
        rc = RC_INVALID;
    if (rc == RC_OK)
        memcpy(out, plain.p, TOKEN_KEY_BYTES);
    arena_free(&secret);
    return rc;
}

/* A key that cannot be opened (its key-encryption key is missing) is left out: its tokens are refused, others go on. */
static void take_signing_keys(struct keys *k, const struct signing_key_row *rows, size_t n)
{
    for (size_t i = 0; i < n && k->token.n < TOKEN_KEYS_MAX; i++) {
        struct token_key *t = &k->token.key[k->token.n];
        if (rows[i].kid.n >= sizeof t->kid || open_secret(&rows[i], t->secret) != RC_OK) {
            ev_error(AREA_IDENTITY, "signing key cannot be opened", EV_SLICE("kid", rows[i].kid));
            continue;
        }
        memcpy(t->kid, rows[i].kid.p, rows[i].kid.n);
        t->kid[rows[i].kid.n] = '\0';
        t->created = rows[i].created_at;
        t->retires = rows[i].retires_at;
        k->token.n++;
    }
    usec_t now = clock_now();
    k->token.signs = 0; /* newest first */
    while (k->token.signs + 1 < k->token.n && k->token.key[k->token.signs].created > now - LEARN_USEC)
        k->token.signs++;
}

static enum rc take_platform_keys(struct tx *tx, struct arena *a, struct keys *k)
{
    struct slice public, sealed;
    enum rc rc = platform_find(tx, a, PLATFORM_TIME, &public, &sealed);
    if (rc == RC_OK) {
        snprintf(k->time_public, sizeof k->time_public, SLICE_FMT, SLICE_ARG(public));
        k->time_ready = pki_signing_key_open(a, keyring, PLATFORM_TIME, sealed, k->time_private) == RC_OK;
    } else if (rc != RC_NOT_FOUND) {
        return rc;
    }
    rc = platform_find(tx, a, PLATFORM_MODULE, &public, &sealed);
    if (rc == RC_OK)
        snprintf(k->module_public, sizeof k->module_public, SLICE_FMT, SLICE_ARG(public));
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* RC_CONFLICT: another replica made one after newest_before. */
static enum rc make_signing_key(struct tx *tx, struct arena *a, usec_t newest_before)
{
    uint8_t secret[TOKEN_KEY_BYTES];
    char kid[UUID_TEXT_SIZE];
    bool made = false;
    usec_t now = clock_now();
    crypto_random(secret, sizeof secret);
    uuid_text(uuid_new(), kid);
    struct signing_key_row row = {.kid = slice_of(kid), .created_at = now, .retires_at = now + RETIRE_USEC};
    row.secret_sealed =
        keyring_seal(a, keyring, slice_of(arena_printf(a, "signing-key:%s", kid)), slice_mem(secret, sizeof secret));
    crypto_wipe(secret, sizeof secret);
    enum rc rc = platform_signing_key_insert(tx, a, &row, newest_before, &made);
    return rc != RC_OK ? rc : made ? RC_OK : RC_CONFLICT;
}

static enum rc load(struct tx *tx, struct arena *a, struct keys *k)
{
    struct signing_key_row *rows;
    size_t n;
    enum rc rc = platform_signing_keys(tx, a, clock_now(), &rows, &n);
    if (rc == RC_OK && n == 0) {
        rc = make_signing_key(tx, a, clock_now() - LEARN_USEC);
        if (rc == RC_OK || rc == RC_CONFLICT)
            rc = platform_signing_keys(tx, a, clock_now(), &rows, &n);
    }
    if (rc != RC_OK)
        return rc;
    take_signing_keys(k, rows, n);
    return take_platform_keys(tx, a, k);
}

enum rc keys_load(struct db *db)
{
    struct arena *a = arena_new((size_t)1 << 20);
    struct keys *k = must_alloc(sizeof *k);
    struct tx *tx;
    k->refs = 1;
    enum rc rc = tx_begin_control(db, NULL, a, &tx);
    if (rc == RC_OK) {
        rc = load(tx, a, k);
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    if (rc == RC_OK) {
        publish(k);
    } else {
        crypto_wipe(k, sizeof *k);
        free(k);
        ev_warn(AREA_IDENTITY, "keys cannot be loaded", EV_RC(rc));
    }
    arena_free(&a);
    return rc;
}

static usec_t newest(void)
{
    struct keys *k = keys_get();
    usec_t at = k && k->token.n ? k->token.key[0].created : 0;
    keys_put(k);
    return at;
}

enum rc keys_rotate(struct db *db)
{
    usec_t now = clock_now(), at = newest();
    /* Loaded again once more when the newest has become old enough to sign. */
    if (at && now - at < ROTATE_USEC)
        return now - at > LEARN_USEC && now - at < 2 * LEARN_USEC ? keys_load(db) : RC_OK;
    struct arena *a = arena_new((size_t)1 << 20);
    struct tx *tx;
    enum rc rc = tx_begin_control(db, NULL, a, &tx);
    if (rc == RC_OK) {
        rc = make_signing_key(tx, a, now - ROTATE_USEC);
        if (rc == RC_OK || rc == RC_CONFLICT)
            rc = platform_signing_keys_forget(tx, a, now);
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    arena_free(&a);
    return rc == RC_OK ? keys_load(db) : rc;
}
