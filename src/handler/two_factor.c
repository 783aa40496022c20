/* SPDX-License-Identifier: Apache-2.0 */
/* two_factor.c - one's own second factor: begun with the password, confirmed with a code, given up with the password.
 * What it does at sign-in is in session.c. */
#include "store/two_factor.h"
#include "handler/api.gen.h"
#include "handler/proof.h"
#include "identity/identity.h"
#include "identity/sessions.h"
#include "identity/totp.h"
#include "store/audit.h"

static enum rc tx_end(struct tx **tx, enum rc rc)
{
    if (rc == RC_OK)
        return tx_commit(tx);
    tx_abort(tx);
    return rc;
}

/* Of a slow worker: in a transaction of its own. */
static enum rc store_secret(struct call *c, struct uuid account, struct slice sealed)
{
    struct tx *tx;
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, two_factor_begin(tx, c->arena, account, sealed));
    return rc == RC_NOT_FOUND ? fault(c, RC_CONFLICT, PROBLEM_second_factor_absent) : rc;
}

enum rc api_two_factor_begin(struct call *c, const struct api_two_factor_begin_request *req,
                             struct api_two_factor_secret *ret)
{
    usec_t now = clock_now();
    struct account_row account;
    uint8_t secret[TOTP_SECRET];
    enum rc rc = proof_account(c, now, &account);
    if (rc == RC_OK)
        rc = proof_password(c, &account, req->body.password, "password", now);
    if (rc != RC_OK)
        return rc;
    struct slice sealed = identity_factor_new(c->arena, account.id, secret);
    rc = store_secret(c, account.id, sealed);
    if (rc == RC_OK) {
        struct slice bytes = slice_mem(secret, sizeof secret);
        ret->secret = totp_base32(c->arena, bytes);
        ret->uri = totp_uri(c->arena, slice_of(scope_tenant(c->scope)->id), account.name, bytes);
    }
    crypto_wipe(secret, sizeof secret);
    return rc;
}

/* This session may do everything at once; others learn of it within a second. */
static void known_anew(void *arg)
{
    const struct call *c = arg;
    sessions_drop(principal_session(c->principal));
}

static void codes_new(struct call *c, struct uuid account, struct api_recovery_codes *ret,
                      struct sha256 hashes[RECOVERY_CODES])
{
    ret->codes = ARENA_ARRAY(c->arena, struct slice, RECOVERY_CODES);
    ret->n_codes = RECOVERY_CODES;
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        ret->codes[i] = recovery_code_new(c->arena);
        hashes[i] = recovery_code_hash(account, ret->codes[i]);
    }
}

enum rc api_two_factor_confirm(struct call *c, const struct api_two_factor_confirm_request *req,
                               struct api_recovery_codes *ret)
{
    usec_t now = clock_now();
    struct account_row account;
    struct sha256 hashes[RECOVERY_CODES];
    uint8_t secret[TOTP_SECRET];
    enum rc rc = account_find(c->tx, c->arena, principal_subject(c->principal), &account);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_session_ended);
    if (rc != RC_OK)
        return rc;
    if (account.factor || !account.factor_sealed.p)
        return fault(c, RC_CONFLICT, PROBLEM_second_factor_absent);
    if (identity_factor_open(account.id, account.factor_sealed, secret) != RC_OK)
        return fault_op(c, RC_INTERNAL, "the second factor of an account cannot be opened");
    int64_t step = totp_find(slice_mem(secret, sizeof secret), req->body.code, now, 0);
    crypto_wipe(secret, sizeof secret);
    if (!step)
        return fault(c, RC_DENIED, PROBLEM_second_factor_wrong);
    codes_new(c, account.id, ret, hashes);
    rc = two_factor_confirm(c->tx, c->arena, account.id, account.factor_sealed, now, step, hashes, RECOVERY_CODES);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_CONFLICT, PROBLEM_second_factor_absent);
    if (rc != RC_OK)
        return rc;
    audit_change(c, "two_factor", SLICE("false"), SLICE("true"));
    c->audit = (struct audit_note){.object_type = "user", .object_id = account.id, .object_name = account.name};
    call_after_commit(c, known_anew, c);
    return RC_OK;
}

static enum rc end(struct call *c, struct tx *tx, const struct account_row *account)
{
    struct audit_change change = {"two_factor", account->factor ? SLICE("true") : SLICE_NONE, SLICE("false")};
    struct audit_row row = {.account = account->id,
                            .session = principal_session(c->principal),
                            .address = c->address,
                            .action = c->route->audit,
                            .object_type = "user",
                            .object_id = account->id,
                            .object_name = account->name,
                            .result = "done",
                            .detail_json = audit_detail(c->arena, &change, 1)};
    enum rc rc = two_factor_end(tx, c->arena, account->id);
    return rc == RC_OK ? audit_insert(tx, c->arena, &row) : rc;
}

enum rc api_two_factor_end(struct call *c, const struct api_two_factor_end_request *req)
{
    usec_t now = clock_now();
    struct account_row account;
    struct tx *tx;
    enum rc rc = proof_account(c, now, &account);
    if (rc == RC_OK)
        rc = proof_password(c, &account, req->body.password, "password", now);
    if (rc != RC_OK)
        return rc;
    if (account.factor_required)
        return fault(c, RC_DENIED, PROBLEM_second_factor_kept);
    rc = tx_begin(c->db, c, c->arena, c->permit, &tx);
    if (rc == RC_OK)
        rc = tx_end(&tx, end(c, tx, &account));
    return rc == RC_NOT_FOUND ? fault(c, RC_CONFLICT, PROBLEM_second_factor_absent) : rc;
}
