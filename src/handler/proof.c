/* SPDX-License-Identifier: Apache-2.0 */
/* proof.c - see proof.h. */
#include "handler/proof.h"
#include "common/counters.h"
#include "identity/password.h"
#include "store/db.h"

enum rc proof_locked(struct call *c, usec_t until, usec_t now)
{
    c->fault.until = until;
    c->fault.retry_after = (int)((until - now) / USEC_PER_SEC) + 1;
    count(C_sign_ins_failed);
    return fault(c, RC_OVER_QUOTA, PROBLEM_sign_in_locked);
}

enum rc proof_account(struct call *c, usec_t now, struct account_row *ret)
{
    struct tx *tx;
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = account_find(tx, c->arena, principal_subject(c->principal), ret);
    tx_abort(&tx); /* nothing was written */
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_session_ended);
    return rc == RC_OK && ret->locked_until > now ? proof_locked(c, ret->locked_until, now) : rc;
}

enum rc proof_password(struct call *c, const struct account_row *account, struct slice password, const char *field,
                       usec_t now)
{
    struct tx *tx;
    int failures;
    usec_t until;
    if (password_verify(account->password_hash, password) == RC_OK)
        return RC_OK;
    enum rc rc = tx_begin(c->db, c, c->arena, c->permit, &tx);
    if (rc != RC_OK)
        return rc;
    rc = account_failed(tx, c->arena, account->id, now, &failures, &until);
    if (rc == RC_OK)
        rc = tx_commit(&tx);
    else
        tx_abort(&tx);
    return rc == RC_OK ? fault_field(c, PROBLEM_password_wrong, field, "") : rc;
}
