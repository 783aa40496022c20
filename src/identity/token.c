/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - see token.h. What libjwt 1.10 does not check is checked here: which algorithm belongs to which key (before
 * the signature, so that neither "none" nor a public key used as a secret can pass), expiry, issuer, audience. A key is
 * never NULL when it is called: with NULL it decodes without verifying. */
#include "identity/token.h"
#include "common/json.h"
#include "common/must.h"
#include <errno.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_MAX 256

static long seconds(usec_t t)
{
    return (long)(t / USEC_PER_SEC);
}

enum rc token_sign(struct arena *a, const struct token_keys *keys, const struct token_claims *c, struct slice *ret)
{
    if (keys->n == 0)
        return RC_UNAVAILABLE;
    const struct token_key *k = &keys->key[keys->signs];
    char account[UUID_TEXT_SIZE], session[UUID_TEXT_SIZE];
    jwt_t *j = NULL;
    if (jwt_new(&j) != 0)
        return RC_INTERNAL;
    bool ok =
        jwt_add_header(j, "kid", k->kid) == 0 && jwt_add_grant(j, "iss", TOKEN_ISSUER) == 0 &&
        jwt_add_grant(j, "aud", TOKEN_AUDIENCE) == 0 && jwt_add_grant(j, "sub", uuid_text(c->account, account)) == 0 &&
        jwt_add_grant(j, "sid", uuid_text(c->session, session)) == 0 && jwt_add_grant(j, "tenant", c->tenant) == 0 &&
        jwt_add_grant_int(j, "tno", c->tenant_no) == 0 && jwt_add_grant_bool(j, "pwc", c->must_change) == 0 &&
        jwt_add_grant_int(j, "iat", seconds(c->issued)) == 0 && jwt_add_grant_int(j, "nbf", seconds(c->issued)) == 0 &&
        jwt_add_grant_int(j, "exp", seconds(c->expires)) == 0 &&
        jwt_set_alg(j, JWT_ALG_HS256, k->secret, TOKEN_KEY_BYTES) == 0;
    char *text = ok ? jwt_encode_str(j) : NULL;
    if (text)
        *ret = arena_copy(a, slice_of(text));
    free(text);
    jwt_free(j);
    return text ? RC_OK : RC_INTERNAL;
}

/* Three parts of base64url, nothing else. */
static bool compact_form(struct slice s)
{
    int dots = 0;
    if (!s.p || s.n == 0 || s.n > TOKEN_TEXT_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.')
            dots++;
        else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return dots == 2;
}

/* The key that the header names, if the header is one of ours: alg HS256, typ JWT, kid and nothing more. */
static const struct token_key *key_of_header(struct arena *a, const struct token_keys *keys, struct slice text,
                                             usec_t now)
{
    uint8_t raw[HEADER_MAX];
    size_t n;
    struct slice rest = text, header = slice_cut(&rest, '.');
    struct json_error error;
    if (!slice_unbase64url(header, raw, sizeof raw, &n))
        return NULL;
    const json_t *h = json_parse(a, slice_mem(raw, n), (struct json_limits){HEADER_MAX, 2, 8}, &error);
    if (!json_is_object(h))
        return NULL;
    const char *alg = json_string_value(json_object_get(h, "alg")), *typ = json_string_value(json_object_get(h, "typ"));
    const char *kid = json_string_value(json_object_get(h, "kid"));
    size_t known = 2 + (typ != NULL);
    if (!alg || !kid || strcmp(alg, "HS256") != 0 || (typ && strcmp(typ, "JWT") != 0) || json_object_size(h) != known)
        return NULL;
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->key[i].kid, kid) == 0)
            return now < keys->key[i].retires ? &keys->key[i] : NULL;
    return NULL;
}

static bool grant_is(jwt_t *j, const char *name, const char *wanted)
{
    const char *v = jwt_get_grant(j, name);
    return v && strcmp(v, wanted) == 0;
}

static bool grant_uuid(jwt_t *j, const char *name, struct uuid *ret)
{
    const char *v = jwt_get_grant(j, name);
    return v && uuid_parse(slice_of(v), ret) && !uuid_is_nil(*ret);
}

static bool grant_int(jwt_t *j, const char *name, int64_t least, int64_t most, int64_t *ret)
{
    errno = 0;
    long v = jwt_get_grant_int(j, name);
    if (errno != 0 || v < least || v > most)
        return false;
    *ret = v;
    return true;
}

static enum token_verdict claims_read(jwt_t *j, usec_t now, struct token_claims *ret)
{
    struct token_claims c = {0};
    int64_t no, iat, nbf, exp;
    const int64_t last_second = INT64_C(253402300799); /* 9999-12-31 */
    const char *tenant = jwt_get_grant(j, "tenant");
    if (!grant_is(j, "iss", TOKEN_ISSUER) || !grant_is(j, "aud", TOKEN_AUDIENCE) || !tenant ||
        strlen(tenant) >= sizeof c.tenant || !grant_uuid(j, "sub", &c.account) || !grant_uuid(j, "sid", &c.session) ||
        !grant_int(j, "tno", 1, INT32_MAX, &no) || !grant_int(j, "iat", 0, last_second, &iat) ||
        !grant_int(j, "nbf", 0, last_second, &nbf) || !grant_int(j, "exp", 0, last_second, &exp))
        return TOKEN_INVALID;
    errno = 0;
    c.must_change = jwt_get_grant_bool(j, "pwc") != 0;
    if (errno != 0)
        return TOKEN_INVALID;
    snprintf(c.tenant, sizeof c.tenant, "%s", tenant);
    c.tenant_no = (int)no;
    c.issued = iat * USEC_PER_SEC;
    c.expires = exp * USEC_PER_SEC;
    if (now < nbf * USEC_PER_SEC - TOKEN_SKEW_SECONDS * USEC_PER_SEC || exp < nbf)
        return TOKEN_INVALID;
    if (now >= c.expires)
        return TOKEN_EXPIRED;
    *ret = c;
    return TOKEN_GOOD;
}

enum token_verdict token_verify(struct arena *a, const struct token_keys *keys, struct slice text, usec_t now,
                                struct token_claims *ret)
{
    if (!compact_form(text))
        return TOKEN_INVALID;
    const struct token_key *k = key_of_header(a, keys, text, now);
    if (!k)
        return TOKEN_INVALID;
    jwt_t *j = NULL;
    if (jwt_decode(&j, arena_cstr(a, text), k->secret, TOKEN_KEY_BYTES) != 0)
        return TOKEN_INVALID;
    enum token_verdict v = jwt_get_alg(j) == JWT_ALG_HS256 ? claims_read(j, now, ret) : TOKEN_INVALID;
    jwt_free(j);
    return v;
}

struct slice token_bearer(struct slice authorization)
{
    static const char scheme[] = "Bearer ";
    const size_t n = sizeof scheme - 1;
    if (authorization.n <= n || !slice_ieq(slice_mem(authorization.p, n), SLICE("Bearer ")))
        return SLICE_NONE;
    return slice_trim(slice_mem(authorization.p + n, authorization.n - n));
}

/* ---- refresh tokens */

static void refresh_head(char out[96], int tenant_no, struct uuid session, int64_t counter)
{
    char id[UUID_TEXT_SIZE];
    snprintf(out, 96, "%d.%s.%lld", tenant_no, uuid_text(session, id), (long long)counter);
}

struct slice refresh_write(struct arena *a, const uint8_t family[32], int tenant_no, struct uuid session,
                           int64_t counter)
{
    char head[96];
    refresh_head(head, tenant_no, session, counter);
    struct sha256 mac = crypto_hmac_sha256(slice_mem(family, 32), slice_of(head));
    struct strbuf b;
    strbuf_init_arena(&b, a, 256);
    strbuf_add_str(&b, head);
    strbuf_add_char(&b, '.');
    strbuf_add_base64url(&b, mac.b, sizeof mac.b);
    return strbuf_slice(&b);
}

enum rc refresh_parse(struct slice text, struct refresh_token *ret)
{
    if (!text.p || text.n > 160)
        return RC_INVALID;
    struct refresh_token t;
    struct slice rest = text, no = slice_cut(&rest, '.'), session = slice_cut(&rest, '.'),
                 counter = slice_cut(&rest, '.');
    size_t n;
    char head[96];
    if (!slice_int(no, 1, INT32_MAX, &t.tenant_no) || !uuid_parse(session, &t.session) ||
        !slice_i64(counter, &t.counter) || t.counter < 0 || !slice_unbase64url(rest, t.mac, sizeof t.mac, &n) ||
        n != sizeof t.mac)
        return RC_INVALID;
    /* One spelling: no leading zeros, no upper case. */
    refresh_head(head, t.tenant_no, t.session, t.counter);
    if (!slice_eq(slice_mem(text.p, no.n + session.n + counter.n + 2), slice_of(head)))
        return RC_INVALID;
    *ret = t;
    return RC_OK;
}

bool refresh_genuine(const struct refresh_token *t, const uint8_t family[32])
{
    char head[96];
    refresh_head(head, t->tenant_no, t->session, t->counter);
    struct sha256 mac = crypto_hmac_sha256(slice_mem(family, 32), slice_of(head));
    return crypto_equal(mac.b, t->mac, sizeof mac.b);
}

enum refresh_verdict refresh_decide(int64_t presented, int64_t counter, usec_t rotated_at, usec_t now)
{
    if (presented == counter)
        return REFRESH_ROTATE;
    if (presented == counter - 1 && now - rotated_at <= REFRESH_GRACE_USEC)
        return REFRESH_REPEAT;
    return REFRESH_REUSED;
}

struct slice refresh_cookie(struct slice cookie)
{
    struct slice found = SLICE_NONE, rest = cookie;
    while (rest.n > 0) {
        struct slice value = slice_trim(slice_cut(&rest, ';')), name = slice_cut(&value, '=');
        if (!slice_eq(name, SLICE(REFRESH_COOKIE)))
            continue;
        if (found.p)
            return SLICE_NONE;
        found = value;
    }
    return found.n > 0 ? found : SLICE_NONE;
}

struct slice refresh_set_cookie(struct arena *a, struct slice value, int64_t max_age_seconds)
{
    return slice_of(
        arena_printf(a, REFRESH_COOKIE "=" SLICE_FMT "; Path=/; Max-Age=%lld; Secure; HttpOnly; SameSite=Strict",
                     SLICE_ARG(value), (long long)max_age_seconds));
}

struct slice refresh_clear_cookie(void)
{
    return SLICE(REFRESH_COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
}

/* scheme://host[:port] of a URL, without a path. */
static struct slice origin_of(struct slice url)
{
    static const char sep[] = "://";
    for (size_t i = 0; i + 3 <= url.n; i++) {
        if (memcmp(url.p + i, sep, 3) != 0)
            continue;
        size_t n = i + 3;
        while (n < url.n && url.p[n] != '/')
            n++;
        return slice_mem(url.p, n);
    }
    return url;
}

bool origin_ours(struct slice origin, struct slice sec_fetch_site, struct slice host, struct slice console_url)
{
    if (sec_fetch_site.p && !slice_eq(sec_fetch_site, SLICE("same-origin")) && !slice_eq(sec_fetch_site, SLICE("none")))
        return false;
    if (!origin.p)
        return true;
    if (slice_ieq(origin, origin_of(console_url)))
        return true;
    struct slice scheme = SLICE("https://");
    return host.n > 0 && slice_starts(origin, scheme) &&
           slice_ieq(slice_mem(origin.p + scheme.n, origin.n - scheme.n), host);
}
