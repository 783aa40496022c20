/* SPDX-License-Identifier: Apache-2.0 */
/* enrolment_token.c - tokens with which devices join. The secret is shown once; only its hash is stored. On a blocking
 * worker. */
#include "identity/enrolment_token.h"
#include "common/file.h"
#include "common/params.h"
#include "handler/api.gen.h"
#include "identity/identity.h"
#include "push/live.h"
#include "store/enrolment.h"
#include "store/group.h"

#define DAY_USEC (INT64_C(86400) * USEC_PER_SEC)
#define CA_MAX   8192

static void map_token(const struct enrolment_token_row *row, struct api_enrolment_token *ret)
{
    *ret = (struct api_enrolment_token){.id = row->id,
                                        .name = row->name,
                                        .group_id = row->group,
                                        .group_name = row->group_name,
                                        .created_at = row->created_at,
                                        .expires_at = row->expires_at,
                                        .uses = row->uses,
                                        .has_max_uses = row->max_uses > 0,
                                        .max_uses = row->max_uses,
                                        .revoked = row->revoked};
}

enum rc api_enrolment_token_list(struct call *c, struct api_enrolment_token_page *ret)
{
    struct enrolment_token_row *rows;
    enum rc rc = enrolment_token_page(c->tx, c->arena, &rows, &ret->n_items);
    if (rc != RC_OK)
        return rc;
    ret->items = ARENA_ARRAY(c->arena, struct api_enrolment_token, ret->n_items + 1);
    for (size_t i = 0; i < ret->n_items; i++)
        map_token(&rows[i], &ret->items[i]);
    return RC_OK;
}

static void hint_tokens(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_enrolment);
}

static enum rc group_of(struct call *c, struct uuid wanted, struct group_row *ret)
{
    struct uuid id = wanted;
    enum rc rc = RC_OK;
    if (uuid_is_nil(id))
        rc = group_built_in(c->tx, c->arena, "lost_and_found", &id);
    if (rc == RC_OK)
        rc = group_find(c->tx, c->arena, id, ret);
    return rc == RC_NOT_FOUND ? fault_field(c, PROBLEM_group_unknown, "group_id", "") : rc;
}

/* Which tenant the token is of, for agents that say no more than the token. In a transaction of its own, first: a row
 * there without a token is refused as unknown, a token without a row could not be used. */
static enum rc index_token(struct call *c, struct uuid token)
{
    struct tx *tx;
    enum rc rc = tx_begin_control(c->db, c, c->arena, &tx);
    if (rc != RC_OK)
        return rc;
    rc = enrolment_index_insert(tx, c->arena, token, scope_tenant(c->scope)->no);
    if (rc == RC_OK)
        return tx_commit(&tx);
    tx_abort(&tx);
    return rc;
}

enum rc api_enrolment_token_create(struct call *c, const struct api_enrolment_token_create_request *req,
                                   struct api_enrolment_token_created *ret)
{
    const struct params *p = identity_params();
    struct group_row group;
    struct sha256 hash;
    usec_t now = clock_now();
    struct enrolment_token_row row = {.id = uuid_new(),
                                      .name = req->body.name,
                                      .created_at = now,
                                      .expires_at = now + req->body.valid_days * DAY_USEC,
                                      .max_uses = req->body.has_max_uses ? req->body.max_uses : 0};
    enum rc rc = group_of(c, req->body.group_id, &group);
    if (rc != RC_OK)
        return rc;
    row.group = group.id;
    row.group_name = group.name;
    ret->secret = enrolment_token_new(c->arena, row.id, &hash);
    if (file_read(c->arena, p->ca_file, CA_MAX, &ret->ca_pem) != RC_OK)
        return fault_op(c, RC_INTERNAL, "ca_file cannot be read");
    rc = index_token(c, row.id);
    if (rc == RC_OK)
        rc = enrolment_token_insert(c->tx, c->arena, &row, &hash, principal_subject(c->principal), "");
    if (rc != RC_OK)
        return rc;
    map_token(&row, &ret->token);
    ret->agent_host = slice_of(p->agent_host);
    ret->agent_port = p->agent_port;
    char at[CLOCK_RFC3339_SIZE];
    audit_change(c, "name", SLICE_NONE, row.name);
    audit_change(c, "group", SLICE_NONE, row.group_name);
    audit_change(c, "expires_at", SLICE_NONE, slice_of(clock_rfc3339(row.expires_at, at)));
    if (row.max_uses)
        audit_change(c, "max_uses", SLICE_NONE, slice_of(arena_printf(c->arena, "%lld", (long long)row.max_uses)));
    c->audit = (struct audit_note){.object_type = "enrolment_token", .object_id = row.id, .object_name = row.name};
    call_after_commit(c, hint_tokens, c);
    return RC_OK;
}

enum rc api_enrolment_token_revoke(struct call *c, const struct api_enrolment_token_revoke_request *req)
{
    struct slice name;
    enum rc rc = enrolment_token_revoke(c->tx, c->arena, req->token_id, clock_now(), &name);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    c->audit = (struct audit_note){.object_type = "enrolment_token", .object_id = req->token_id, .object_name = name};
    call_after_commit(c, hint_tokens, c);
    return RC_OK;
}
