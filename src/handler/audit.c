/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - who did what, and the signed head of the chain. On blocking workers, inside the call's transaction. */
#include "store/audit.h"
#include "domain/cursor.h"
#include "handler/api.gen.h"
#include "identity/statement.h"

static struct slice hex(struct arena *a, const struct sha256 *h)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 * sizeof h->b);
    strbuf_add_hex(&b, h->b, sizeof h->b);
    return strbuf_slice(&b);
}

static void map(struct arena *a, const struct audit_record *r, struct api_audit_record *ret)
{
    struct audit_change *changes;
    size_t n = audit_detail_read(a, r->detail, &changes);
    *ret = (struct api_audit_record){.id = r->id,
                                     .has_sequence = r->seq > 0,
                                     .sequence = r->seq,
                                     .hash = r->seq > 0 ? hex(a, &r->hash) : SLICE_NONE,
                                     .at = r->at,
                                     .user_id = r->account,
                                     .user = r->name,
                                     .session_id = r->session,
                                     .address = r->address,
                                     .action = r->action,
                                     .domain = r->object_type,
                                     .object_id = r->object_id,
                                     .object_name = slice_utf8_head(r->object_name, 255),
                                     .changes = ARENA_ARRAY(a, struct api_audit_change, n + 1),
                                     .n_changes = n};
    if (!api_audit_result_parse(r->result, &ret->result))
        ret->result = API_AUDIT_RESULT_FAILED;
    for (size_t i = 0; i < n; i++)
        ret->changes[i] = (struct api_audit_change){slice_of(changes[i].field), changes[i].before, changes[i].after};
}

enum rc api_audit_list(struct call *c, const struct api_audit_list_request *req, struct api_audit_page *ret)
{
    struct audit_filter filter = {.account = req->user,
                                  .object = req->object,
                                  .object_type = req->domain,
                                  .action = req->action,
                                  .result = req->has_result ? slice_of(api_audit_result_text(req->result)) : SLICE_NONE,
                                  .search = req->search,
                                  .from = req->from,
                                  .to = req->to};
    struct cursor after;
    usec_t after_time = 0;
    struct audit_record *rows;
    size_t n;
    enum rc rc = cursor_decode(c, req->cursor, CURSOR_TIME, &after);
    if (rc != RC_OK)
        return rc;
    if (after.key.p)
        (void)clock_parse_rfc3339(after.key, &after_time); /* the cursor's decoder has checked it */
    rc = audit_page(c->tx, c->arena, &filter, after_time, after.id, (int)req->limit + 1, &rows, &n);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        char at[CLOCK_RFC3339_SIZE];
        ret->next_cursor =
            cursor_encode(c->arena, cursor_fingerprint(c), slice_of(clock_rfc3339(rows[n - 1].at, at)), rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_audit_record, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map(c->arena, &rows[i], &ret->items[i]);
    return RC_OK;
}

enum rc api_audit_head(struct call *c, struct api_audit_head *ret)
{
    struct slice tenant = slice_of(scope_tenant(c->scope)->id);
    struct audit_head_signed head;
    struct sha256 hash;
    usec_t now = clock_now();
    enum rc rc = audit_head(c->tx, c->arena, &ret->sequence, &hash);
    if (rc != RC_OK)
        return rc;
    if (!audit_head_sign(c->arena, tenant, ret->sequence, &hash, now, &head))
        return fault(c, RC_UNAVAILABLE, PROBLEM_unavailable);
    ret->tenant = tenant;
    ret->hash = head.hash;
    ret->at = now;
    ret->statement = head.text;
    ret->signature = head.signature;
    ret->public_key = head.public_key;
    return RC_OK;
}
