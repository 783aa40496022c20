/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_session.c - what browsers and agents send to say who they are: Authorization and Cookie fields, access tokens,
 * refresh tokens, enrolment tokens, certificate names, certificate requests. The first byte chooses. Nothing made up is
 * ever good. */
/* links: identity common */
#include "common/must.h"
#include "identity/enrolment_token.h"
#include "identity/pki.h"
#include "identity/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void bearer(struct arena *a, struct slice s)
{
    struct token_keys keys = {.n = 1};
    struct token_claims c;
    memcpy(keys.key[0].kid, "k", 2);
    memset(keys.key[0].secret, 0x5a, TOKEN_KEY_BYTES);
    keys.key[0].retires = INT64_MAX;
    struct slice t = token_bearer(s);
    if (t.p)
        must(token_verify(a, &keys, t, INT64_C(1900000000) * USEC_PER_SEC, &c) != TOKEN_GOOD);
    (void)token_verify(a, &keys, s, INT64_C(1900000000) * USEC_PER_SEC, &c);
}

static void cookie(struct arena *a, struct slice s)
{
    static const uint8_t family[32] = {7};
    struct refresh_token t;
    struct slice value = refresh_cookie(s);
    if (refresh_parse(value.p ? value : s, &t) != RC_OK)
        return;
    /* One spelling: what was read is written the same but for its MAC. */
    struct slice again = refresh_write(a, family, t.tenant_no, t.session, t.counter), given = value.p ? value : s;
    must(again.n == given.n && memcmp(again.p, given.p, given.n - 43) == 0);
    must(!refresh_genuine(&t, family));
}

static void enrolment(struct arena *a, struct slice s)
{
    struct uuid id;
    struct sha256 h;
    struct pki_csr *csr;
    const char *reason;
    char tenant[PKI_TENANT_MAX + 1];
    if (enrolment_token_parse(s, &id, &h) == RC_OK)
        must(s.n == 48);
    if (pki_name_parse(s, "example.org", tenant, &id) == RC_OK)
        must(tenant[0] >= 'a' && tenant[0] <= 'z');
    (void)pki_csr_parse(a, s, &csr, &reason);
    must(pki_leaf_check(s, s, 0) == PKI_FOREIGN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct arena *, struct slice) = {bearer, cookie, enrolment};
    if (size == 0 || size > 65536)
        return 0;
    struct arena *a = arena_new((size_t)4 << 20);
    kinds[data[0] % 3](a, slice_mem(data + 1, size - 1));
    arena_free(&a);
    return 0;
}
