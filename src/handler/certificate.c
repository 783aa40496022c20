/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.c - revoking a device's certificates; renewing one. On a blocking worker. A renewal comes with the
 * certificate to be renewed, perhaps an expired one: TLS has proved that its key is there, the row says whether it may.
 */
#include "store/certificate.h"
#include "common/params.h"
#include "handler/agent_certificate.h"
#include "handler/api.gen.h"
#include "identity/device.h"
#include "identity/identity.h"
#include "identity/pins.h"
#include "quota/quota.h"
#include "tenant/tenant.h"

#define DAY_USEC (INT64_C(86400) * USEC_PER_SEC)

/* ---- for enrol.c too */

enum rc certificate_request(struct call *c, struct slice pem, struct pki_csr **ret)
{
    const char *reason;
    switch (pki_csr_parse(c->arena, pem, ret, &reason)) {
    case PKI_CSR_GOOD:
        return RC_OK;
    case PKI_CSR_WEAK:
        return fault_field(c, PROBLEM_csr_weak_key, "csr_pem", PKI_KEYS_TEXT);
    case PKI_CSR_INVALID:
        break;
    }
    memccpy(c->fault.field, "csr_pem", 0, sizeof c->fault.field);
    return fault_reason(c, RC_INVALID, PROBLEM_csr_invalid, reason);
}

enum rc certificate_issue(struct call *c, struct tx *tx, const struct tenant *t, struct pki_ca *ca,
                          const struct pki_csr *csr, struct uuid device, struct pki_leaf *ret)
{
    const struct params *p = identity_params();
    enum rc rc = pki_issue(c->arena, ca, csr, p->platform_domain, t->id, device, (int)p->certificate_days, ret);
    if (rc != RC_OK)
        return rc;
    return certificate_insert(tx, c->arena, &ret->hash, device, ret->serial, &ret->key_hash, clock_now(),
                              ret->not_after);
}

/* ---- revoking */

static void cut(void *arg)
{
    const struct call *c = arg;
    device_cut(scope_tenant(c->scope)->no, c->audit.object_id);
}

enum rc api_device_certificate_revoke(struct call *c, const struct api_device_certificate_revoke_request *req)
{
    struct slice name;
    struct sha256 *leaves;
    size_t n;
    enum rc rc = certificate_device(c->tx, c->arena, req->device_id, &name);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = certificate_revoke(c->tx, c->arena, req->device_id, clock_now(), &leaves, &n);
    if (rc != RC_OK)
        return rc;
    c->audit = (struct audit_note){.object_type = "device", .object_id = req->device_id, .object_name = name};
    call_after_commit(c, cut, c);
    return RC_OK;
}

/* ---- renewing */

static enum rc not_registered(struct call *c, const struct tenant *t)
{
    const struct peer *p = c->presented;
    if (p->pin)
        return fault(c, RC_DENIED, PROBLEM_certificate_unknown);
    enum pki_check check =
        pki_leaf_check(slice_mem(p->leaf_der, p->leaf_der_n), slice_mem(t->ca_der, t->ca_der_n), clock_now());
    return fault(c, RC_DENIED, check == PKI_FOREIGN ? PROBLEM_certificate_foreign : PROBLEM_certificate_unknown);
}

/* The row of the old certificate, if it may be renewed. */
static enum rc old_certificate(struct call *c, struct tx *tx, const struct tenant *t)
{
    struct certificate_row row;
    int64_t days = identity_params()->renewal_grace_days;
    enum rc rc = certificate_find(tx, c->arena, &c->presented->leaf_hash, &row);
    if (rc == RC_NOT_FOUND)
        return not_registered(c, t);
    if (rc != RC_OK)
        return rc;
    if (!uuid_eq(row.device, c->presented->device))
        return fault(c, RC_DENIED, PROBLEM_certificate_foreign);
    if (row.revoked)
        return fault(c, RC_DENIED, PROBLEM_certificate_revoked);
    if (clock_now() > row.expires_at + days * DAY_USEC) {
        c->fault.has_limit = true;
        c->fault.limit = (uint64_t)days;
        return fault(c, RC_DENIED, PROBLEM_renewal_too_late);
    }
    return RC_OK;
}

static enum rc renew(struct call *c, struct tx *tx, const struct tenant *t, struct pki_ca *ca,
                     const struct pki_csr *csr, struct pki_leaf *ret)
{
    struct slice name;
    enum rc rc = old_certificate(c, tx, t);
    if (rc != RC_OK)
        return rc;
    rc = certificate_device(tx, c->arena, c->presented->device, &name);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_certificate_unknown);
    return rc == RC_OK ? certificate_issue(c, tx, t, ca, csr, c->presented->device, ret) : rc;
}

static enum rc renewing_tenant(struct call *c, const struct tenant_scope **ret)
{
    const struct peer *p = c->presented;
    if (p->verdict == PEER_NONE)
        return fault(c, RC_DENIED, PROBLEM_certificate_missing);
    if (p->verdict == PEER_GARBLED)
        return fault(c, RC_DENIED, PROBLEM_certificate_foreign);
    *ret = tenant_scope_by_id(c->arena, slice_of(p->tenant));
    if (*ret)
        return RC_OK;
    return tenant_ready() ? fault(c, RC_DENIED, PROBLEM_certificate_foreign)
                          : fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
}

enum rc agent_renew(struct call *c, const struct wire_renew_request *req, struct wire_renew_response *ret)
{
    const struct tenant_scope *scope;
    struct pki_csr *csr;
    struct pki_ca *ca = NULL;
    struct pki_leaf leaf;
    struct tx *tx;
    enum rc rc = renewing_tenant(c, &scope);
    if (rc == RC_OK)
        rc = certificate_request(c, req->csr_pem, &csr);
    if (rc == RC_OK)
        rc = identity_tenant_ca(c, scope_tenant(scope)->no, &ca);
    if (rc == RC_OK)
        rc = tx_begin(c->db, c, c->arena, quota_permit_service(c->arena, scope), &tx);
    if (rc == RC_OK) {
        rc = renew(c, tx, scope_tenant(scope), ca, csr, &leaf);
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    pki_ca_close(&ca);
    if (rc != RC_OK)
        return rc;
    *ret = (struct wire_renew_response){
        .certificate_pem = leaf.pem, .expires_at = leaf.not_after, .server_time = clock_now()};
    return RC_OK;
}
