/* SPDX-License-Identifier: Apache-2.0 */
/* statement.c - see statement.h. */
#include "identity/statement.h"
#include "common/strbuf.h"
#include "identity/keys.h"

static struct slice hex(struct arena *a, const void *p, size_t n)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 * n);
    strbuf_add_hex(&b, p, n);
    return strbuf_slice(&b);
}

struct slice audit_head_text(struct arena *a, struct slice tenant, int64_t seq, const struct sha256 *hash, usec_t at)
{
    char time[CLOCK_RFC3339_SIZE];
    return slice_of(arena_printf(
        a, "sekisho-audit-head v1\ntenant=" SLICE_FMT "\nsequence=%lld\nhash=" SLICE_FMT "\nat=%s\n", SLICE_ARG(tenant),
        (long long)seq, SLICE_ARG(hex(a, hash->b, sizeof hash->b)), clock_rfc3339(at, time)));
}

bool audit_head_sign(struct arena *a, struct slice tenant, int64_t seq, const struct sha256 *hash, usec_t at,
                     struct audit_head_signed *ret)
{
    struct keys *k = keys_get();
    uint8_t signature[64];
    bool ready = k && k->time_ready;
    if (ready) {
        ret->text = audit_head_text(a, tenant, seq, hash, at);
        ret->hash = hex(a, hash->b, sizeof hash->b);
        ret->public_key = slice_of(arena_strdup(a, k->time_public));
        crypto_ed25519_sign(k->time_private, ret->text, signature);
        ret->signature = hex(a, signature, sizeof signature);
    }
    keys_put(k);
    return ready;
}

bool audit_head_genuine(struct slice text, struct slice signature, struct slice public_key)
{
    uint8_t sig[64], key[32];
    size_t n_sig, n_key;
    return slice_unhex(signature, sig, sizeof sig, &n_sig) && n_sig == sizeof sig &&
           slice_unhex(public_key, key, sizeof key, &n_key) && n_key == sizeof key &&
           crypto_ed25519_verify(key, text, sig);
}
