/* SPDX-License-Identifier: Apache-2.0 */
/* enrol.c - a device joins: token, seats, device row and certificate row in one transaction. On a blocking worker.
 * Asked again with the same token, key and machine within ten minutes (the answer was lost), it gives the same device a
 * certificate. */
#include "common/counters.h"
#include "common/event.h"
#include "common/params.h"
#include "handler/agent_certificate.h"
#include "handler/api.gen.h"
#include "identity/enrolment_token.h"
#include "identity/identity.h"
#include "identity/keys.h"
#include "push/live.h"
#include "quota/quota.h"
#include "store/audit.h"
#include "store/enrolment.h"
#include "tenant/tenant.h"
#include <stdio.h>

#define DAY_USEC    (INT64_C(86400) * USEC_PER_SEC)
#define REPEAT_USEC (INT64_C(600) * USEC_PER_SEC)

struct enrolment {
    struct call *call;
    const struct wire_enrol_request *request;
    const struct tenant *tenant;
    struct pki_csr *csr;
    struct pki_ca *ca;
    struct uuid token, device;
    struct sha256 secret_hash, key_hash;
    struct slice machine;
    int64_t seats;
    usec_t over_since; /* 0: within */
    bool over, repeated;
    struct pki_leaf leaf;
    usec_t now;
};

/* Which tenant, and whether it is over its seats: truth of the control schema, not of the snapshot. */
static enum rc find_tenant(struct enrolment *e, int *ret_no)
{
    struct call *c = e->call;
    struct tx *tx;
    enum rc rc = tx_begin_control(c->db, c, c->arena, &tx);
    if (rc != RC_OK)
        return rc;
    rc = enrolment_index_find(tx, c->arena, e->token, ret_no);
    if (rc == RC_OK)
        rc = enrolment_grace_find(tx, c->arena, *ret_no, &e->seats, &e->over_since);
    tx_abort(&tx); /* nothing was written */
    return rc == RC_NOT_FOUND ? fault(c, RC_DENIED, PROBLEM_enrolment_token_unknown) : rc;
}

static enum rc note_grace(struct enrolment *e, usec_t since)
{
    struct call *c = e->call;
    struct tx *tx;
    enum rc rc = tx_begin_control(c->db, c, c->arena, &tx);
    if (rc != RC_OK)
        return rc;
    rc = enrolment_grace_set(tx, c->arena, e->tenant->no, since, e->now);
    if (rc == RC_OK)
        return tx_commit(&tx);
    tx_abort(&tx);
    return rc;
}

static enum rc check_seats(struct enrolment *e, struct tx *tx)
{
    struct call *c = e->call;
    int64_t used, days = identity_params()->seat_grace_days;
    enum rc rc = enrolment_seats(tx, c->arena, &used);
    if (rc != RC_OK)
        return rc;
    e->over = used + 1 > e->seats;
    if (!e->over)
        return e->over_since ? note_grace(e, 0) : RC_OK;
    if (days > 0 && !e->over_since)
        return note_grace(e, e->now);
    if (days > 0 && e->now - e->over_since < days * DAY_USEC)
        return RC_OK;
    count(C_permits_refused_seats);
    c->fault.has_limit = c->fault.has_used = true;
    c->fault.limit = (uint64_t)e->seats;
    c->fault.used = (uint64_t)used;
    return fault(c, RC_DENIED, PROBLEM_seats_exceeded);
}

static enum rc check_token(struct enrolment *e, struct tx *tx, struct enrolment_token_lock *ret)
{
    struct call *c = e->call;
    enum rc rc = enrolment_token_lock(tx, c->arena, e->token, ret);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_unknown);
    if (rc != RC_OK)
        return rc;
    if (!crypto_equal(&ret->secret_hash, &e->secret_hash, sizeof e->secret_hash))
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_unknown);
    if (ret->revoked)
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_revoked);
    if (ret->expires_at && ret->expires_at <= e->now) {
        c->fault.until = ret->expires_at;
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_expired);
    }
    return RC_OK;
}

static enum rc new_device(struct enrolment *e, struct tx *tx, const struct enrolment_token_lock *token)
{
    struct call *c = e->call;
    const struct params *p = identity_params();
    if (token->max_uses > 0 && token->uses >= token->max_uses) {
        c->fault.has_limit = true;
        c->fault.limit = (uint64_t)token->max_uses;
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_used_up);
    }
    enum rc rc = check_seats(e, tx);
    if (rc != RC_OK)
        return rc;
    e->device = uuid_new();
    struct enrolment_device d = {
        .id = e->device,
        .group = token->group,
        .token = e->token,
        .name = e->request->hostname,
        .agent_version = e->request->agent_version,
        .machine_id = e->machine,
        .os_family = wire_os_family_text(e->request->os_family),
        .interval =
            (int)(p->default_interval > e->tenant->min_interval ? p->default_interval : e->tenant->min_interval),
        .now = e->now};
    rc = enrolment_device_insert(tx, c->arena, &d);
    if (rc == RC_OK)
        rc = enrolment_token_use(tx, c->arena, e->token);
    return rc;
}

/* Last, see store/audit.h. */
static enum rc record(struct enrolment *e, struct tx *tx)
{
    struct call *c = e->call;
    struct audit_row row = {.name = SLICE("agent"),
                            .address = c->address,
                            .action = "device.enrol",
                            .object_type = "device",
                            .object_id = e->device,
                            .object_name = e->request->hostname,
                            .result = "done"};
    return audit_insert(tx, c->arena, &row);
}

static enum rc join(struct enrolment *e, struct tx *tx)
{
    struct call *c = e->call;
    struct enrolment_token_lock token;
    enum rc rc = enrolment_gate(tx, c->arena);
    if (rc == RC_OK)
        rc = check_token(e, tx, &token);
    if (rc != RC_OK)
        return rc;
    rc = enrolment_repeated(tx, c->arena, e->token, &e->key_hash, e->machine, e->now - REPEAT_USEC, &e->device);
    e->repeated = rc == RC_OK;
    if (rc == RC_NOT_FOUND)
        rc = new_device(e, tx, &token);
    if (rc == RC_OK)
        rc = certificate_issue(c, tx, e->tenant, e->ca, e->csr, e->device, &e->leaf);
    return rc == RC_OK && !e->repeated ? record(e, tx) : rc;
}

static enum rc prepare(struct enrolment *e, const struct tenant_scope **ret_scope)
{
    struct call *c = e->call;
    int no;
    if (e->request->os_family == WIRE_OS_FAMILY_UNKNOWN)
        return fault_field(c, PROBLEM_field_value, "os_family", "linux, windows, macos");
    if (e->request->hostname.n == 0)
        return fault_field(c, PROBLEM_field_length, "hostname", "1-255");
    if (enrolment_token_parse(e->request->token, &e->token, &e->secret_hash) != RC_OK)
        return fault(c, RC_DENIED, PROBLEM_enrolment_token_unknown);
    enum rc rc = certificate_request(c, e->request->csr_pem, &e->csr);
    if (rc == RC_OK)
        rc = find_tenant(e, &no);
    if (rc != RC_OK)
        return rc;
    e->key_hash = pki_csr_key_hash(e->csr);
    *ret_scope = tenant_scope_by_no(c->arena, no);
    if (!*ret_scope)
        return tenant_ready() ? fault(c, RC_DENIED, PROBLEM_enrolment_token_unknown)
                              : fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    e->tenant = scope_tenant(*ret_scope);
    if (e->tenant->status == TENANT_SUSPENDED)
        return fault_reason(c, RC_DENIED, PROBLEM_tenant_suspended, e->tenant->suspended_reason);
    return identity_tenant_ca(c, no, &e->ca);
}

static enum rc answer(struct enrolment *e, struct wire_enrol_response *ret)
{
    const struct params *p = identity_params();
    struct keys *k = keys_get();
    if (!k)
        return fault(e->call, RC_UNAVAILABLE, PROBLEM_unavailable);
    *ret = (struct wire_enrol_response){
        .device_id = e->device,
        .tenant = slice_of(e->tenant->id),
        .certificate_pem = e->leaf.pem,
        .expires_at = e->leaf.not_after,
        .time_key = slice_of(arena_strdup(e->call->arena, k->time_public)),
        .module_key = slice_of(arena_strdup(e->call->arena, k->module_public)),
        .interval = p->default_interval > e->tenant->min_interval ? p->default_interval : e->tenant->min_interval,
        .server_time = clock_now(),
        .has_over_seats = e->over,
        .over_seats = e->over};
    keys_put(k);
    return RC_OK;
}

static void tell(const struct enrolment *e)
{
    char id[UUID_TEXT_SIZE];
    if (e->repeated)
        return;
    count(C_enrolments);
    ev_info(AREA_IDENTITY, "device enrolled", EV_STR("tenant", e->tenant->id),
            EV_STR("device", uuid_text(e->device, id)));
    live_hint(e->tenant->no, LIVE_devices);
    live_hint(e->tenant->no, LIVE_enrolment);
}

enum rc agent_enrol(struct call *c, const struct wire_enrol_request *req, struct wire_enrol_response *ret)
{
    struct enrolment e = {
        .call = c, .request = req, .machine = req->machine_id.p ? req->machine_id : SLICE(""), .now = clock_now()};
    const struct tenant_scope *scope = NULL;
    struct tx *tx;
    enum rc rc = prepare(&e, &scope);
    if (rc == RC_OK)
        rc = tx_begin(c->db, c, c->arena, quota_permit_service(c->arena, scope), &tx);
    if (rc == RC_OK) {
        rc = join(&e, tx);
        if (rc == RC_OK)
            rc = tx_commit(&tx);
        else
            tx_abort(&tx);
    }
    pki_ca_close(&e.ca);
    if (rc != RC_OK)
        return rc;
    tell(&e);
    return answer(&e, ret);
}
