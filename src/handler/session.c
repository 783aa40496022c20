/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - signing in and out, refreshing, one's own sessions and password. On workers. Sign-in, refresh and
 * sign-out come without a principal: they make the tenant's scope from the name or the cookie and open their own
 * transactions. A password is hashed outside of any transaction. */
#include "store/session.h"
#include "cache/cache.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/params.h"
#include "handler/api.gen.h"
#include "handler/proof.h"
#include "identity/identity.h"
#include "identity/lockout.h"
#include "identity/password.h"
#include "identity/sessions.h"
#include "identity/token.h"
#include "identity/totp.h"
#include "quota/quota.h"
#include "store/account.h"
#include "store/audit.h"
#include "store/two_factor.h"
#include "tenant/tenant.h"

#define USER_AGENT_MAX 200

static enum rc tx_end(struct tx **tx, enum rc rc)
{
    if (rc == RC_OK)
        return tx_commit(tx);
    tx_abort(tx);
    return rc;
}

static struct slice user_agent(const struct call *c)
{
    struct slice s = c->headers.user_agent;
    return s.p && slice_utf8(s) ? slice_utf8_head(s, USER_AGENT_MAX) : SLICE("");
}

static usec_t session_expiry(usec_t now)
{
    return now + identity_params()->session_idle * USEC_PER_SEC;
}

/* The answer of everything that gives a new access token; the cookie only where value.p is set. */
static enum rc grant(struct call *c, const struct tenant *t, struct uuid account, struct uuid session, bool must_change,
                     struct slice cookie, struct api_session_grant *ret)
{
    enum rc rc = identity_access_token(c, t, account, session, must_change, &ret->access_token, &ret->expires_in);
    if (rc != RC_OK)
        return rc;
    ret->must_change_password = must_change;
    if (cookie.p)
        answer_header(c, "set-cookie", refresh_set_cookie(c->arena, cookie, identity_params()->session_idle));
    return RC_OK;
}

/* ---- sign-in */

struct attempt {
    struct call *call;
    const struct api_sign_in *form;
    struct slice tenant, user;        /* as typed, or of the host */
    const struct tenant_scope *scope; /* NULL: no such tenant */
    const struct permit *permit;
    struct sha256 name; /* for lockout.h */
    struct account_row account;
    bool known; /* account is filled */
    usec_t now;
    bool recovery; /* the code is a recovery code */
    int64_t step;  /* of the other kind of code */
    struct audit_change changes[3];
    size_t n_changes;
};

/* "tenant/user", or "user" where the host name stands for a tenant. */
static void name_split(struct attempt *t)
{
    struct slice rest = slice_trim(t->form->name), tenant = slice_cut(&rest, '/');
    struct tenants *all = tenants_get();
    const struct tenant *of_host = tenants_by_host(all, t->call->headers.host);
    if (slice_find(t->form->name, '/', &(size_t){0})) {
        t->tenant = slice_trim(tenant);
        t->user = slice_trim(rest);
    } else {
        t->user = tenant;
        t->tenant = of_host ? arena_copy(t->call->arena, slice_of(of_host->id)) : SLICE("");
    }
    tenants_put(all);
}

static enum rc attempt_audit(struct attempt *t, struct tx *tx, struct uuid session, const char *result)
{
    struct audit_row row = {.account = t->known ? t->account.id : (struct uuid){{0}},
                            .name = slice_utf8_head(t->user, 100),
                            .session = session,
                            .address = t->call->address,
                            .action = t->call->route->audit,
                            .result = result,
                            .detail_json = audit_detail(t->call->arena, t->changes, t->n_changes)};
    return audit_insert(tx, t->call->arena, &row);
}

static enum rc look_up(struct attempt *t)
{
    struct tx *tx;
    enum rc rc = tx_begin(t->call->db, t->call, t->call->arena, t->permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = account_by_name(tx, t->call->arena, t->user, &t->account);
    t->known = rc == RC_OK && !t->account.disabled;
    tx_abort(&tx); /* nothing was written */
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* The same answer for every reason; the reason itself only counts against the name. */
static enum rc failed(struct attempt *t, enum problem p)
{
    struct call *c = t->call;
    enum rc rc = RC_OK;
    count(C_sign_ins_failed);
    if (!t->known)
        lockout_failed(&t->name, t->now);
    if (t->permit) {
        struct tx *tx;
        int failures;
        usec_t until;
        rc = tx_begin(c->db, c, c->arena, t->permit, &tx);
        if (rc != RC_OK)
            return rc;
        if (t->known)
            rc = account_failed(tx, c->arena, t->account.id, t->now, &failures, &until);
        if (rc == RC_OK)
            rc = attempt_audit(t, tx, (struct uuid){{0}}, "denied");
        rc = tx_end(&tx, rc);
    }
    return rc == RC_OK ? fault(c, RC_DENIED, p) : rc;
}

static enum rc verified(struct attempt *t)
{
    struct slice password = t->form->password;
    usec_t until = t->known ? t->account.locked_until : lockout_until(&t->name, t->now);
    if (until > t->now)
        return proof_locked(t->call, until, t->now);
    if (!t->known) {
        password_verify_nobody(password);
        return failed(t, PROBLEM_sign_in_failed);
    }
    enum rc rc = password_verify(t->account.password_hash, password);
    if (rc == RC_INTERNAL)
        return fault_op(t->call, rc, "the password hash of an account is damaged");
    return rc == RC_OK ? RC_OK : failed(t, PROBLEM_sign_in_failed);
}

/* ---- the second factor */

static void note(struct attempt *t, const char *field, struct slice before, struct slice after)
{
    t->changes[t->n_changes++] = (struct audit_change){field, before, after};
}

/* Asked for only after the right password, so that it says nothing to whoever has not got that. */
static enum rc factor_check(struct attempt *t)
{
    struct slice code = slice_trim(t->form->code);
    uint8_t secret[TOTP_SECRET];
    if (!t->account.factor)
        return RC_OK;
    if (!t->form->code.p)
        return fault(t->call, RC_DENIED, PROBLEM_second_factor_required);
    t->recovery = code.n != TOTP_DIGITS;
    if (t->recovery)
        return RC_OK; /* factor_use looks */
    if (identity_factor_open(t->account.id, t->account.factor_sealed, secret) != RC_OK)
        return fault_op(t->call, RC_INTERNAL, "the second factor of an account cannot be opened");
    t->step = totp_find(slice_mem(secret, sizeof secret), code, t->now, t->account.factor_step);
    crypto_wipe(secret, sizeof secret);
    if (t->step)
        return RC_OK;
    note(t, "second_factor", SLICE_NONE, SLICE("wrong"));
    return failed(t, PROBLEM_second_factor_wrong);
}

/* Uses the code up, in the transaction that opens the session. RC_NOT_FOUND: it is used up already, or wrong. */
static enum rc factor_use(struct attempt *t, struct tx *tx)
{
    struct arena *a = t->call->arena;
    if (!t->account.factor)
        return RC_OK;
    if (!t->recovery) {
        enum rc rc = two_factor_use(tx, a, t->account.id, t->step);
        if (rc == RC_OK)
            note(t, "second_factor", SLICE_NONE, SLICE("code"));
        return rc;
    }
    struct sha256 hash = recovery_code_hash(t->account.id, t->form->code);
    int64_t left;
    enum rc rc = two_factor_recover(tx, a, t->account.id, &hash, &left);
    if (rc != RC_OK)
        return rc;
    note(t, "second_factor", SLICE_NONE, SLICE("recovery_code"));
    note(t, "recovery_codes", slice_of(arena_printf(a, "%lld", (long long)left + 1)),
         slice_of(arena_printf(a, "%lld", (long long)left)));
    return RC_OK;
}

/* ---- the session */

static enum rc open_session(struct attempt *t, struct tx *tx, struct uuid session, struct slice family_sealed)
{
    struct arena *a = t->call->arena;
    enum rc rc = factor_use(t, tx);
    if (rc == RC_OK)
        rc = account_succeeded(tx, a, t->account.id, t->now);
    if (rc == RC_OK && t->form->has_language)
        rc = account_set_language(tx, a, t->account.id, api_language_text(t->form->language));
    if (rc == RC_OK)
        rc = session_insert(tx, a, session, t->account.id, family_sealed, t->now, slice_of(t->call->address),
                            user_agent(t->call), session_expiry(t->now));
    return rc == RC_OK ? attempt_audit(t, tx, session, "done") : rc;
}

static enum rc admit(struct attempt *t, struct api_session_grant *ret)
{
    struct call *c = t->call;
    const struct tenant *tenant = scope_tenant(t->scope);
    if (tenant->status == TENANT_SUSPENDED)
        return fault_reason(c, RC_DENIED, PROBLEM_tenant_suspended, tenant->suspended_reason);
    struct uuid session = uuid_new();
    uint8_t family[32];
    struct slice sealed = identity_family_new(c->arena, session, family);
    struct slice cookie = refresh_write(c->arena, family, tenant->no, session, 0);
    crypto_wipe(family, sizeof family);
    struct tx *tx;
    enum rc rc = tx_begin(c->db, c, c->arena, t->permit, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, open_session(t, tx, session, sealed));
    if (rc == RC_NOT_FOUND && t->account.factor) {
        note(t, "second_factor", SLICE_NONE, SLICE("wrong"));
        return failed(t, PROBLEM_second_factor_wrong);
    }
    if (rc != RC_OK)
        return rc;
    count(C_sign_ins);
    return grant(c, tenant, t->account.id, session, t->account.must_change, cookie, ret);
}

enum rc api_sign_in(struct call *c, const struct api_sign_in_request *req, struct api_session_grant *ret)
{
    struct attempt t = {.call = c, .form = &req->body, .now = clock_now()};
    enum rc rc = identity_check_origin(c);
    if (rc != RC_OK)
        return rc;
    if (!cache_up() || !identity_ready()) /* without rates nobody could slow down guessing */
        return fault(c, RC_UNAVAILABLE, PROBLEM_sign_in_unavailable);
    name_split(&t);
    t.name = lockout_name(t.tenant, t.user);
    t.scope = tenant_scope_by_id(c->arena, t.tenant);
    if (t.scope) {
        t.permit = quota_permit_service(c->arena, t.scope);
        rc = look_up(&t);
        if (rc != RC_OK)
            return rc;
    }
    rc = verified(&t);
    if (rc == RC_OK)
        rc = factor_check(&t);
    return rc == RC_OK ? admit(&t, ret) : rc;
}

/* ---- the refresh cookie */

struct presented {
    struct refresh_token token;
    const struct tenant *tenant;
    const struct permit *permit;
    struct session_family family;
    uint8_t secret[32];
};

static enum rc no_session(struct call *c, enum problem p)
{
    answer_header(c, "set-cookie", refresh_clear_cookie());
    return fault(c, RC_DENIED, p);
}

/* Form and tenant of the cookie; nothing of it is verified yet. */
static enum rc cookie_read(struct call *c, struct presented *p)
{
    enum rc rc = identity_check_origin(c);
    if (rc != RC_OK)
        return rc;
    struct slice text = refresh_cookie(c->headers.cookie);
    if (!text.p)
        return fault(c, RC_DENIED, PROBLEM_unauthenticated);
    if (refresh_parse(text, &p->token) != RC_OK)
        return no_session(c, PROBLEM_unauthenticated);
    const struct tenant_scope *scope = tenant_scope_by_no(c->arena, p->token.tenant_no);
    if (!scope)
        return tenant_ready() ? no_session(c, PROBLEM_session_ended) : fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    p->tenant = scope_tenant(scope);
    p->permit = quota_permit_service(c->arena, scope);
    return RC_OK;
}

/* Locks the session's row and verifies the cookie against its family. */
static enum rc cookie_verify(struct call *c, struct tx *tx, struct presented *p)
{
    enum rc rc = session_lock(tx, c->arena, p->token.session, &p->family);
    if (rc == RC_NOT_FOUND)
        return no_session(c, PROBLEM_session_ended);
    if (rc != RC_OK)
        return rc;
    if (identity_family_open(p->token.session, p->family.family_sealed, p->secret) != RC_OK)
        return fault_op(c, RC_INTERNAL, "the family secret of a session cannot be opened");
    if (!refresh_genuine(&p->token, p->secret))
        return no_session(c, PROBLEM_unauthenticated);
    return RC_OK;
}

static enum rc session_audit(struct call *c, struct tx *tx, const struct presented *p, const char *action,
                             const char *result)
{
    struct audit_row row = {.account = p->family.account,
                            .session = p->token.session,
                            .address = c->address,
                            .action = action,
                            .result = result};
    return audit_insert(tx, c->arena, &row);
}

/* Commits although the caller is refused: the family must be dead afterwards. */
static enum rc end_family(struct call *c, struct tx **tx, const struct presented *p, usec_t now)
{
    enum rc rc = session_end(*tx, c->arena, p->token.session, p->family.account, now);
    if (rc == RC_OK)
        rc = session_audit(c, *tx, p, "session.refresh_reused", "denied");
    rc = tx_end(tx, rc);
    if (rc != RC_OK)
        return rc;
    sessions_end(p->token.session);
    ev_warn(AREA_IDENTITY, "a refresh token was used twice; its session was ended", EV_STR("tenant", p->tenant->id),
            EV_STR("address", c->address));
    return no_session(c, PROBLEM_refresh_reused);
}

/* The new counter, or a refusal; *tx is NULL when it has ended. */
static enum rc rotate(struct call *c, struct tx **tx, struct presented *p, usec_t now, int64_t *ret_counter)
{
    enum rc rc = cookie_verify(c, *tx, p);
    if (rc != RC_OK)
        return rc;
    if (p->family.ended || p->family.disabled || p->family.expires_at <= now)
        return no_session(c, PROBLEM_session_ended);
    if (p->tenant->status == TENANT_SUSPENDED)
        return fault_reason(c, RC_DENIED, PROBLEM_tenant_suspended, p->tenant->suspended_reason);
    switch (refresh_decide(p->token.counter, p->family.counter, p->family.rotated_at, now)) {
    case REFRESH_ROTATE:
        *ret_counter = p->family.counter + 1;
        return session_rotate(*tx, c->arena, p->token.session, *ret_counter, now, session_expiry(now),
                              slice_of(c->address), user_agent(c));
    case REFRESH_REPEAT:
        *ret_counter = p->family.counter;
        return RC_OK;
    case REFRESH_REUSED:
        break;
    }
    return end_family(c, tx, p, now);
}

enum rc api_session_refresh(struct call *c, struct api_session_grant *ret)
{
    struct presented p;
    struct tx *tx = NULL;
    int64_t counter = 0;
    enum rc rc = cookie_read(c, &p);
    if (rc == RC_OK)
        rc = tx_begin(c->db, c, c->arena, p.permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = rotate(c, &tx, &p, clock_now(), &counter);
    if (tx)
        rc = tx_end(&tx, rc);
    struct slice cookie = SLICE_NONE;
    if (rc == RC_OK)
        cookie = refresh_write(c->arena, p.secret, p.token.tenant_no, p.token.session, counter);
    crypto_wipe(p.secret, sizeof p.secret);
    return rc == RC_OK ? grant(c, p.tenant, p.family.account, p.token.session, p.family.must_change, cookie, ret) : rc;
}

static enum rc end_own(struct call *c, struct tx *tx, struct presented *p)
{
    enum rc rc = cookie_verify(c, tx, p);
    crypto_wipe(p->secret, sizeof p->secret);
    if (rc == RC_OK)
        rc = session_end(tx, c->arena, p->token.session, p->family.account, clock_now());
    if (rc == RC_NOT_FOUND)
        return RC_OK; /* over already */
    return rc == RC_OK ? session_audit(c, tx, p, c->route->audit, "done") : rc;
}

enum rc api_sign_out(struct call *c)
{
    struct presented p;
    struct tx *tx;
    enum rc rc = cookie_read(c, &p);
    if (rc == RC_OK)
        rc = tx_begin(c->db, c, c->arena, p.permit, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, end_own(c, tx, &p));
    if (rc != RC_OK)
        return rc;
    sessions_end(p.token.session);
    answer_header(c, "set-cookie", refresh_clear_cookie());
    return RC_OK;
}

/* ---- one's own sessions */

enum rc api_session_list(struct call *c, struct api_session_page *ret)
{
    struct session_row *rows;
    enum rc rc = session_page(c->tx, c->arena, principal_subject(c->principal), clock_now(), &rows, &ret->n_items);
    if (rc != RC_OK)
        return rc;
    ret->items = ARENA_ARRAY(c->arena, struct api_session, ret->n_items + 1);
    for (size_t i = 0; i < ret->n_items; i++)
        ret->items[i] = (struct api_session){.id = rows[i].id,
                                             .created_at = rows[i].created_at,
                                             .last_used_at = rows[i].last_used_at,
                                             .address = rows[i].address,
                                             .user_agent = rows[i].user_agent,
                                             .current = uuid_eq(rows[i].id, principal_session(c->principal))};
    return RC_OK;
}

static void ended(void *arg)
{
    const struct uuid *session = arg;
    sessions_end(*session);
}

enum rc api_session_revoke(struct call *c, const struct api_session_revoke_request *req)
{
    enum rc rc = session_end(c->tx, c->arena, req->session_id, principal_subject(c->principal), clock_now());
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    struct uuid *session = ARENA_NEW(c->arena, struct uuid);
    *session = req->session_id;
    c->audit = (struct audit_note){.object_type = "session", .object_id = req->session_id};
    call_after_commit(c, ended, session);
    return RC_OK;
}

/* ---- one's own password */

static enum rc weak(struct call *c, const char *reason)
{
    memccpy(c->fault.field, "new", 0, sizeof c->fault.field);
    return fault_reason(c, RC_INVALID, PROBLEM_password_weak, reason);
}

static enum rc change(struct call *c, const struct account_row *account, struct slice hash, usec_t now,
                      struct uuid **ret_others, size_t *ret_n)
{
    struct uuid session = principal_session(c->principal);
    struct audit_row row = {.account = account->id,
                            .session = session,
                            .address = c->address,
                            .action = c->route->audit,
                            .object_type = "user",
                            .object_id = account->id,
                            .object_name = account->name,
                            .result = "done"};
    struct tx *tx;
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = account_set_password(tx, c->arena, account->id, hash, false);
    if (rc == RC_OK)
        rc = session_end_others(tx, c->arena, account->id, session, now, ret_others, ret_n);
    if (rc == RC_OK)
        rc = audit_insert(tx, c->arena, &row);
    return tx_end(&tx, rc);
}

enum rc api_password_change(struct call *c, const struct api_password_change_request *req,
                            struct api_session_grant *ret)
{
    const struct tenant *tenant = scope_tenant(c->scope);
    usec_t now = clock_now();
    struct account_row account;
    enum rc rc = proof_account(c, now, &account);
    if (rc != RC_OK)
        return rc;
    enum password_fault f = password_check(req->body.new, account.name, slice_of(tenant->id));
    if (f != PASSWORD_GOOD)
        return weak(c, password_fault_text(f, c->japanese));
    rc = proof_password(c, &account, req->body.current, "current", now);
    if (rc != RC_OK)
        return rc;
    if (slice_eq(req->body.new, req->body.current))
        return weak(c, c->japanese ? "今のパスワードと同じです" : "it is the current one");
    struct slice hash;
    struct uuid *others;
    size_t n;
    rc = password_hash(c->arena, req->body.new, &hash);
    if (rc == RC_OK)
        rc = change(c, &account, hash, now, &others, &n);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        sessions_end(others[i]);
    sessions_drop(principal_session(c->principal)); /* here it must not have to change any more at once */
    return grant(c, tenant, account.id, principal_session(c->principal), false, SLICE_NONE, ret);
}
