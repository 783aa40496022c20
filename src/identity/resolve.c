/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c - the stage itself. On the home loop everything is a look-up in memory; what is not there is looked up by a
 * blocking worker (call_offload), whose finding comes back in c->stage_state when the stage runs again. Nothing here
 * trusts what TLS admitted: port 2222 admits any handshake, so a certificate counts only when its hash is registered.
 */
#include "cache/cache.h"
#include "call/make_principal.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/params.h"
#include "domain/access.h"
#include "identity/device.h"
#include "identity/device_private.h"
#include "identity/identity.h"
#include "identity/keys.h"
#include "identity/pins.h"
#include "identity/pki.h"
#include "identity/sessions.h"
#include "identity/totp.h"
#include "quota/quota.h"
#include "store/certificate.h"
#include "store/platform.h"
#include "store/session.h"
#include "tenant/tenant.h"
#include <stdio.h>
#include <stdlib.h>

#define CHECK_AT_ONCE 500
#define CHECK_MOST    50000
#define RETRY_SECONDS 5

static const struct params *params;

/* ---- start and end */

static void keys_changed(struct db *db, int64_t revision, void *arg)
{
    (void)revision;
    (void)arg;
    if (keys_load(db) == RC_OK)
        pki_forget(); /* tenants' intermediates may have been made anew */
}

void identity_start(const struct params *p, const struct keyring *ring)
{
    params = p;
    keys_start(ring);
    pins_start();
    sessions_start();
    device_start();
    tenant_on_change(keys_changed, NULL);
}

void identity_stop(void)
{
    sessions_stop();
    pins_stop();
    keys_stop();
    pki_forget();
}

bool identity_ready(void)
{
    struct keys *k = keys_get();
    bool ready = k && k->token.n > 0 && k->time_ready;
    keys_put(k);
    return ready;
}

const struct params *identity_params(void)
{
    return params;
}

/* ---- waiting for a worker */

static void resume(void *arg)
{
    pipeline_resume(arg);
}

static enum stage_result refuse(struct call *c, enum rc rc, enum problem p)
{
    (void)fault(c, rc, p);
    return STAGE_DONE;
}

static enum stage_result ask_worker(struct call *c, void (*job)(struct call *c))
{
    if (call_offload(c, job) == RC_OK)
        return STAGE_WAIT;
    c->fault.retry_after = RETRY_SECONDS;
    return refuse(c, RC_UNAVAILABLE, PROBLEM_busy);
}

/* A transaction of ours as a tenant, before the call has a principal of it. */
static enum rc begin(struct call *c, int tenant_no, struct tx **ret)
{
    const struct tenant_scope *scope = tenant_scope_by_no(c->arena, tenant_no);
    if (!scope)
        return RC_NOT_FOUND;
    return tx_begin(c->db, NULL, c->arena, quota_permit_service(c->arena, scope), ret);
}

/* ---- people */

struct user_lookup {
    struct token_claims claims;
    struct session_known known;
    enum rc rc; /* RC_NOT_FOUND: the session has ended */
};

/* Built-in permission sets need no statement; the others are rows. */
static enum rc access_of(struct call *c, struct tx *tx, struct uuid account, const struct session_holder *h,
                         struct access *ret)
{
    struct access_grant *grants = NULL;
    size_t n = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < h->n_set_ids; i++)
        if (!built_in_set_find(h->set_ids[i])) {
            rc = access_sets(tx, c->arena, account, &grants, &n);
            break;
        }
    *ret = access_sum(h->set_ids, h->n_set_ids, h->home_is_all, grants, n);
    return rc;
}

static void session_job(struct call *c)
{
    struct user_lookup *l = c->stage_state;
    struct session_holder h;
    struct tx *tx;
    l->known = (struct session_known){
        .tenant_no = l->claims.tenant_no, .account = l->claims.account, .asked_ns = clock_mono_ns()};
    l->rc = begin(c, l->claims.tenant_no, &tx);
    if (l->rc == RC_OK) {
        l->rc = session_check(tx, c->arena, l->claims.session, l->claims.account, clock_now(), &h);
        if (l->rc == RC_OK) {
            l->rc = access_of(c, tx, l->claims.account, &h, &l->known.access);
        }
        if (l->rc == RC_OK) {
            l->known.must_change = h.must_change;
            l->known.must_have_factor = h.must_have_factor;
            l->known.expires = h.expires_at;
            snprintf(l->known.account_name, sizeof l->known.account_name, SLICE_FMT, SLICE_ARG(h.account_name));
            sessions_put(l->claims.session, &l->known);
        }
        tx_abort(&tx); /* nothing was written */
    }
    loop_post(c->home, resume, c);
}

/* What is open while the password must be changed, or a second factor set up, before anything else. */
static const struct {
    const char *operation;
    bool password, factor;
} first_steps[] = {{"me_show", true, true},
                   {"password_change", true, true},
                   {"me_update", false, true},
                   {"two_factor_begin", false, true},
                   {"two_factor_confirm", false, true}};

static bool first_step(const struct route *r, bool password)
{
    for (size_t i = 0; i < sizeof first_steps / sizeof *first_steps; i++)
        if (strcmp(r->operation, first_steps[i].operation) == 0)
            return password ? first_steps[i].password : first_steps[i].factor;
    return false;
}

static enum stage_result user_admit(struct call *c, const struct token_claims *t, const struct session_known *s)
{
    if (s->tenant_no != t->tenant_no || !uuid_eq(s->account, t->account))
        return refuse(c, RC_DENIED, PROBLEM_token_invalid);
    usec_t expires = s->expires < t->expires ? s->expires : t->expires;
    c->principal = principal_user(c->arena, t->tenant_no, t->account, t->session,
                                  arena_copy(c->arena, slice_of(s->account_name)), &s->access, s->must_change, expires);
    if (s->must_change && !first_step(c->route, true))
        return refuse(c, RC_DENIED, PROBLEM_password_change_required);
    if (!s->must_change && s->must_have_factor && !first_step(c->route, false))
        return refuse(c, RC_DENIED, PROBLEM_second_factor_setup_required);
    if (c->route->permission && !principal_may(c->principal, c->route->permission)) {
        snprintf(c->fault.allowed, sizeof c->fault.allowed, "%s", c->route->permission);
        return refuse(c, RC_DENIED, PROBLEM_permission_denied);
    }
    return STAGE_NEXT;
}

/* A token names its tenant twice, by number and by id; both must be of the same living tenant. */
static bool tenant_agrees(const struct token_claims *t)
{
    struct tenants *all = tenants_get();
    const struct tenant *found = tenants_by_no(all, t->tenant_no);
    bool same = found && strcmp(found->id, t->tenant) == 0;
    tenants_put(all);
    return same;
}

static enum stage_result user_claims(struct call *c, struct token_claims *ret)
{
    struct slice text = token_bearer(c->headers.authorization);
    struct keys *k = keys_get();
    enum token_verdict v = TOKEN_INVALID;
    bool have_keys = k && k->token.n > 0;
    if (text.p && have_keys)
        v = token_verify(c->arena, &k->token, text, clock_now(), ret);
    keys_put(k);
    if (text.p && (!have_keys || !tenant_ready()))
        return refuse(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    if (text.p && v == TOKEN_GOOD && tenant_agrees(ret))
        return STAGE_NEXT;
    answer_header(c, "www-authenticate", SLICE("Bearer"));
    return refuse(c, RC_DENIED,
                  !text.p              ? PROBLEM_unauthenticated
                  : v == TOKEN_EXPIRED ? PROBLEM_token_expired
                                       : PROBLEM_token_invalid);
}

static enum stage_result user_found(struct call *c, const struct user_lookup *l)
{
    if (l->rc == RC_OK)
        return user_admit(c, &l->claims, &l->known);
    if (l->rc != RC_NOT_FOUND)
        return refuse(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    answer_header(c, "www-authenticate", SLICE("Bearer"));
    return refuse(c, RC_DENIED, PROBLEM_session_ended);
}

static enum stage_result resolve_user(struct call *c)
{
    if (c->stage_state)
        return user_found(c, c->stage_state);
    struct user_lookup *l = ARENA_NEW(c->arena, struct user_lookup);
    enum stage_result r = user_claims(c, &l->claims);
    if (r != STAGE_NEXT)
        return r;
    if (sessions_find(l->claims.session, &l->known))
        return user_admit(c, &l->claims, &l->known);
    c->stage_state = l;
    return ask_worker(c, session_job);
}

/* ---- devices */

static char pinned; /* peer->pin: not NULL once the certificate was found good; the edge drops the DER then */

static struct peer *peer_copy(struct call *c)
{
    struct peer *p = ARENA_NEW(c->arena, struct peer);
    *p = *c->peer;
    if (p->leaf_der) {
        struct slice der = arena_copy(c->arena, slice_mem(p->leaf_der, p->leaf_der_n));
        p->leaf_der = arena_alloc(c->arena, der.n);
        memcpy(p->leaf_der, der.p, der.n);
    }
    return p;
}

struct device_lookup {
    struct peer *peer;
    struct pin pin;
    enum rc rc;
};

/* Not registered: either it was never ours, or we have forgotten the device. */
static enum pin_verdict not_registered(const struct peer *p, const struct tenant *t)
{
    if (p->pin)
        return PIN_UNKNOWN; /* it was good on this connection before */
    enum pki_check check =
        pki_leaf_check(slice_mem(p->leaf_der, p->leaf_der_n), slice_mem(t->ca_der, t->ca_der_n), clock_now());
    return check == PKI_FOREIGN ? PIN_FOREIGN : PIN_UNKNOWN;
}

static enum rc certificate_verdict(struct call *c, const struct peer *p, const struct tenant_scope *scope,
                                   struct pin *ret)
{
    const struct tenant *t = scope_tenant(scope);
    struct certificate_row row;
    struct tx *tx;
    enum rc rc = tx_begin(c->db, NULL, c->arena, quota_permit_service(c->arena, scope), &tx);
    if (rc != RC_OK)
        return rc;
    rc = certificate_find(tx, c->arena, &p->leaf_hash, &row);
    tx_abort(&tx); /* nothing was written */
    *ret = (struct pin){.tenant_no = t->no, .device = p->device, .expires = p->not_after};
    if (rc == RC_NOT_FOUND)
        ret->verdict = not_registered(p, t);
    else if (rc != RC_OK)
        return rc;
    else if (!uuid_eq(row.device, p->device))
        ret->verdict = PIN_FOREIGN;
    else
        ret->verdict = row.revoked ? PIN_REVOKED : PIN_GOOD;
    return RC_OK;
}

static void certificate_job(struct call *c)
{
    struct device_lookup *l = c->stage_state;
    uint64_t generation = pins_generation();
    const struct tenant_scope *scope = tenant_scope_by_id(c->arena, slice_of(l->peer->tenant));
    if (scope) {
        l->rc = certificate_verdict(c, l->peer, scope, &l->pin);
    } else {
        l->rc = tenant_ready() ? RC_OK : RC_UNAVAILABLE;
        l->pin = (struct pin){.verdict = PIN_FOREIGN, .device = l->peer->device};
    }
    if (l->rc == RC_OK)
        pins_put(&l->peer->leaf_hash, &l->pin, generation);
    loop_post(c->home, resume, c);
}

static enum stage_result device_refuse(struct call *c, enum problem p)
{
    count(C_certificates_refused);
    return refuse(c, RC_DENIED, p);
}

static enum stage_result device_admit(struct call *c, const struct pin *pin)
{
    switch (pin->verdict) {
    case PIN_REVOKED:
        return device_refuse(c, PROBLEM_certificate_revoked);
    case PIN_UNKNOWN:
        return device_refuse(c, PROBLEM_certificate_unknown);
    case PIN_FOREIGN:
        return device_refuse(c, PROBLEM_certificate_foreign);
    case PIN_GOOD:
        break;
    }
    if (c->peer)
        c->peer->pin = &pinned;
    if (clock_now() >= pin->expires)
        return device_refuse(c, PROBLEM_certificate_expired);
    c->principal = principal_device(c->arena, pin->tenant_no, pin->device, pin->expires);
    return STAGE_NEXT;
}

static enum stage_result resolve_device(struct call *c)
{
    struct device_lookup *l = c->stage_state;
    struct pin pin;
    if (l)
        return l->rc == RC_OK ? device_admit(c, &l->pin) : refuse(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    if (!c->peer)
        return refuse(c, RC_UNAVAILABLE, PROBLEM_unavailable); /* the client has gone; nobody reads it */
    if (c->peer->verdict == PEER_NONE)
        return device_refuse(c, PROBLEM_certificate_missing);
    if (c->peer->verdict == PEER_GARBLED)
        return device_refuse(c, PROBLEM_certificate_foreign);
    if (pins_find(&c->peer->leaf_hash, &pin))
        return device_admit(c, &pin);
    l = ARENA_NEW(c->arena, struct device_lookup);
    l->peer = peer_copy(c);
    c->stage_state = l;
    return ask_worker(c, certificate_job);
}

/* ---- the stage */

enum stage_result identity_resolve(struct call *c)
{
    switch (c->route->auth) {
    case AUTH_USER:
        return resolve_user(c);
    case AUTH_DEVICE:
        return resolve_device(c);
    case AUTH_AGENT_ANY:
        if (!c->peer)
            return refuse(c, RC_UNAVAILABLE, PROBLEM_unavailable);
        c->presented = peer_copy(c);
        break;
    case AUTH_NONE:
    case AUTH_REFRESH: /* the handler verifies the cookie in the transaction that rotates it */
        break;
    }
    c->principal = principal_anonymous(c->arena);
    return STAGE_NEXT;
}

/* ---- the chore */

static void check_pins_of(struct db *db, const struct pin_entry *e, size_t n)
{
    struct arena *a = arena_new((size_t)8 << 20);
    struct sha256 *leaves = ARENA_ARRAY(a, struct sha256, n);
    bool *live = ARENA_ARRAY(a, bool, n);
    struct tx *tx;
    const struct tenant_scope *scope = tenant_scope_by_no(a, e[0].tenant_no);
    enum rc rc = RC_NOT_FOUND;
    for (size_t i = 0; i < n; i++)
        leaves[i] = e[i].leaf;
    if (scope)
        rc = tx_begin(db, NULL, a, quota_permit_service(a, scope), &tx);
    if (rc == RC_OK) {
        rc = certificate_live(tx, a, leaves, n, live);
        tx_abort(&tx);
    }
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        if (!live[i])
            device_cut(e[i].tenant_no, e[i].device);
    arena_free(&a);
}

/* Streams stay open without requests, so short-lived pins alone would not end them. */
static void check_pins(struct db *db)
{
    struct pin_entry *list;
    size_t n = pins_list(&list, CHECK_MOST);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && to - from < CHECK_AT_ONCE && list[to].tenant_no == list[from].tenant_no;)
            to++;
        check_pins_of(db, list + from, to - from);
    }
    free(list);
}

void identity_chore(struct db *db)
{
    enum rc rc = keys_rotate(db);
    if (rc != RC_OK)
        ev_warn(AREA_IDENTITY, "signing keys cannot be rotated", EV_RC(rc));
    if (!cache_up())
        check_pins(db);
}

/* ---- for handlers */

enum rc identity_access_token(struct call *c, const struct tenant *t, struct uuid account, struct uuid session,
                              bool must_change, struct slice *ret_token, int64_t *ret_expires_in)
{
    usec_t now = clock_now() / USEC_PER_SEC * USEC_PER_SEC;
    struct token_claims claims = {.account = account,
                                  .session = session,
                                  .tenant_no = t->no,
                                  .must_change = must_change,
                                  .issued = now,
                                  .expires = now + params->access_token_life * USEC_PER_SEC};
    snprintf(claims.tenant, sizeof claims.tenant, "%s", t->id);
    struct keys *k = keys_get();
    enum rc rc = k ? token_sign(c->arena, &k->token, &claims, ret_token) : RC_UNAVAILABLE;
    keys_put(k);
    if (rc != RC_OK)
        return fault(c, rc, rc == RC_UNAVAILABLE ? PROBLEM_sign_in_unavailable : PROBLEM_internal);
    *ret_expires_in = params->access_token_life;
    return RC_OK;
}

enum rc identity_check_origin(struct call *c)
{
    if (origin_ours(c->headers.origin, c->headers.sec_fetch_site, c->headers.host, slice_of(params->console_url)))
        return RC_OK;
    return fault(c, RC_DENIED, PROBLEM_origin_refused);
}

static struct slice sealed_context(struct arena *a, const char *what, struct uuid of)
{
    char id[UUID_TEXT_SIZE];
    return slice_of(arena_printf(a, "%s:%s", what, uuid_text(of, id)));
}

static enum rc sealed_open(const char *what, struct uuid of, struct slice sealed, uint8_t *ret, size_t size)
{
    struct arena *secret = arena_new_wiping(4096);
    struct slice plain;
    enum rc rc = keyring_open(secret, keys_ring(), sealed_context(secret, what, of), sealed, &plain);
    if (rc == RC_OK && plain.n != size)
        rc = RC_INVALID;
    if (rc == RC_OK)
        memcpy(ret, plain.p, size);
    arena_free(&secret);
    return rc;
}

struct slice identity_family_new(struct arena *a, struct uuid session, uint8_t ret_family[32])
{
    crypto_random(ret_family, 32);
    return keyring_seal(a, keys_ring(), sealed_context(a, "session", session), slice_mem(ret_family, 32));
}

enum rc identity_family_open(struct uuid session, struct slice sealed, uint8_t ret_family[32])
{
    return sealed_open("session", session, sealed, ret_family, 32);
}

struct slice identity_factor_new(struct arena *a, struct uuid account, uint8_t ret_secret[TOTP_SECRET])
{
    crypto_random(ret_secret, TOTP_SECRET);
    return keyring_seal(a, keys_ring(), sealed_context(a, "two-factor", account), slice_mem(ret_secret, TOTP_SECRET));
}

enum rc identity_factor_open(struct uuid account, struct slice sealed, uint8_t ret_secret[TOTP_SECRET])
{
    return sealed_open("two-factor", account, sealed, ret_secret, TOTP_SECRET);
}

enum rc identity_tenant_ca(struct call *c, int tenant_no, struct pki_ca **ret)
{
    struct pki_pair pair;
    struct tx *tx;
    enum rc rc = tx_begin_control(c->db, c, c->arena, &tx);
    if (rc != RC_OK)
        return rc;
    rc = platform_tenant_ca(tx, c->arena, tenant_no, &pair.public, &pair.sealed);
    if (rc == RC_OK)
        rc = pki_ca_open(keys_ring(), tenant_no, &pair, ret);
    tx_abort(&tx); /* nothing was written; not before: the rows are the transaction's */
    return rc == RC_OK || rc == RC_UNAVAILABLE
               ? rc
               : fault_op(c, RC_INTERNAL, "the CA of tenant %d cannot be opened", tenant_no);
}
