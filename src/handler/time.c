/* SPDX-License-Identifier: Apache-2.0 */
/* time.c - the server's time, signed by the time key that enrolment pinned: for agents whose clock is so wrong that
 * they cannot believe any certificate. On the loop; a signature costs about 50 us. */
#include "call/call.h"
#include "handler/api.gen.h"
#include "identity/keys.h"

#define NONCE_MAX 64

static bool nonce_valid(struct slice s)
{
    if (s.n > NONCE_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

static enum rc nonce_of(struct call *c, struct slice *ret)
{
    struct slice rest = c->query;
    *ret = SLICE("");
    while (rest.n) {
        struct slice value = slice_cut(&rest, '&'), name = slice_cut(&value, '=');
        if (slice_eq(name, SLICE("nonce")))
            *ret = value;
    }
    return nonce_valid(*ret)
               ? RC_OK
               : fault_field(c, PROBLEM_field_format, "nonce", "at most 64 characters of A-Z a-z 0-9 - _");
}

enum rc agent_time(struct call *c, struct wire_time_response *ret)
{
    struct slice nonce;
    enum rc rc = nonce_of(c, &nonce);
    if (rc != RC_OK)
        return rc;
    struct keys *k = keys_get();
    if (!k || !k->time_ready) {
        keys_put(k);
        return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    }
    char at[CLOCK_RFC3339_SIZE];
    uint8_t signature[64];
    ret->at = clock_now();
    ret->nonce = nonce;
    struct slice text = slice_of(
        arena_printf(c->arena, "sekisho-time\n%s\n" SLICE_FMT "\n", clock_rfc3339(ret->at, at), SLICE_ARG(nonce)));
    crypto_ed25519_sign(k->time_private, text, signature);
    keys_put(k);
    struct strbuf hex;
    strbuf_init_arena(&hex, c->arena, 128);
    strbuf_add_hex(&hex, signature, sizeof signature);
    ret->signature = strbuf_slice(&hex);
    return RC_OK;
}
