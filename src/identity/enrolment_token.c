/* SPDX-License-Identifier: Apache-2.0 */
/* enrolment_token.c - see enrolment_token.h: base64url of 16 bytes id and 16 bytes secret. The secret has full entropy,
 * so a plain SHA-256 is enough to store. */
#include "identity/enrolment_token.h"
#include "common/strbuf.h"

#define PREFIX SLICE("sek1_")

struct slice enrolment_token_new(struct arena *a, struct uuid id, struct sha256 *ret_secret_hash)
{
    uint8_t raw[32];
    struct strbuf b;

    memcpy(raw, id.b, 16);
    crypto_random(raw + 16, 16);
    *ret_secret_hash = crypto_sha256(slice_mem(raw + 16, 16));
    strbuf_init_arena(&b, a, 64);
    strbuf_add(&b, PREFIX);
    strbuf_add_base64url(&b, raw, sizeof(raw));
    crypto_wipe(raw, sizeof(raw));
    return strbuf_slice(&b);
}

enum rc enrolment_token_parse(struct slice text, struct uuid *ret_id, struct sha256 *ret_secret_hash)
{
    uint8_t raw[32];
    size_t n;

    if (!slice_starts(text, PREFIX))
        return RC_INVALID;
    text.p += PREFIX.n;
    text.n -= PREFIX.n;
    if (!slice_unbase64url(text, raw, sizeof(raw), &n) || n != sizeof(raw))
        return RC_INVALID;
    memcpy(ret_id->b, raw, 16);
    *ret_secret_hash = crypto_sha256(slice_mem(raw + 16, 16));
    crypto_wipe(raw, sizeof(raw));
    return RC_OK;
}
