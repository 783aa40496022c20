/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - access tokens (JWT, HS256, our own keys) and refresh tokens (an HMAC chain per session). Pure functions
 * over keys that the caller holds: no I/O, a few microseconds, any thread. The only user of libjwt. */
#ifndef SEKISHO_TOKEN_H
#define SEKISHO_TOKEN_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

#define TOKEN_ISSUER       "sekisho"
#define TOKEN_AUDIENCE     "console"
#define TOKEN_KEY_BYTES    32
#define TOKEN_KEYS_MAX     8
#define TOKEN_TEXT_MAX     2048
#define TOKEN_SKEW_SECONDS 5 /* clocks of replicas */

struct token_key {
    char kid[UUID_TEXT_SIZE];
    uint8_t secret[TOKEN_KEY_BYTES];
    usec_t created, retires; /* verifies until retires */
};
struct token_keys { /* newest first; index signs */
    struct token_key key[TOKEN_KEYS_MAX];
    size_t n;
    size_t signs;
};

struct token_claims {
    struct uuid account, session;
    int tenant_no;
    char tenant[41];
    bool must_change;       /* the password; nothing else is allowed until then */
    usec_t issued, expires; /* whole seconds */
};

enum token_verdict { TOKEN_GOOD, TOKEN_EXPIRED, TOKEN_INVALID };

/* RC_UNAVAILABLE: there is no key yet. */
enum rc token_sign(struct arena *a, const struct token_keys *keys, const struct token_claims *c,
                   struct slice *ret) MUST_CHECK;
/* Header first (algorithm, key id), then the signature with that key, then issuer, audience, times and subject. The
 * tenant is what the token says; the caller compares it with the snapshot. */
enum token_verdict token_verify(struct arena *a, const struct token_keys *keys, struct slice text, usec_t now,
                                struct token_claims *ret);
/* The token in an Authorization field; p == NULL: there is none. */
struct slice token_bearer(struct slice authorization);

/* ---- refresh tokens: <tenant no>.<session>.<counter>.<HMAC-SHA-256 of what stands before, base64url> */
#define REFRESH_COOKIE     "__Host-sekisho_refresh"
#define REFRESH_GRACE_USEC (10 * USEC_PER_SEC)

struct refresh_token {
    int tenant_no;
    struct uuid session;
    int64_t counter;
    uint8_t mac[32];
};
struct slice refresh_write(struct arena *a, const uint8_t family[32], int tenant_no, struct uuid session,
                           int64_t counter);
enum rc refresh_parse(struct slice text, struct refresh_token *ret) MUST_CHECK; /* form only; one spelling */
bool refresh_genuine(const struct refresh_token *t, const uint8_t family[32]);

enum refresh_verdict {
    REFRESH_ROTATE, /* the newest: goes up by one */
    REFRESH_REPEAT, /* the one before, just rotated: the same successor again */
    REFRESH_REUSED  /* older, or never given out: the family ends */
};
enum refresh_verdict refresh_decide(int64_t presented, int64_t counter, usec_t rotated_at, usec_t now);

/* The value of our cookie in a Cookie field; p == NULL: absent, or there twice (a tossed cookie). */
struct slice refresh_cookie(struct slice cookie);
struct slice refresh_set_cookie(struct arena *a, struct slice value, int64_t max_age_seconds);
struct slice refresh_clear_cookie(void);
/* True unless a browser says that another site asks: Origin must be console_url's or that of Host, Sec-Fetch-Site
 * same-origin or none. Clients that send neither are not browsers. */
bool origin_ours(struct slice origin, struct slice sec_fetch_site, struct slice host, struct slice console_url);

#endif
