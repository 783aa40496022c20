/* SPDX-License-Identifier: Apache-2.0 */
/* detection.c - detections and quarantined files. On blocking workers, inside the call's transaction. */
#include "domain/cursor.h"
#include "handler/map.h"
#include "push/live.h"

static struct detection_filter filter_of(const struct api_detection_list_request *req)
{
    static const int severities[] = {[API_SEVERITY_INFO] = 0, [API_SEVERITY_WARNING] = 1, [API_SEVERITY_CRITICAL] = 2};
    return (struct detection_filter){.device = req->device,
                                     .resolved = req->has_resolved ? req->resolved : -1,
                                     .severity = req->has_severity ? severities[req->severity] : -1,
                                     .type = req->has_type ? slice_of(api_detection_type_text(req->type)) : SLICE_NONE,
                                     .search = req->search,
                                     .from = req->from,
                                     .to = req->to};
}

enum rc api_detection_list(struct call *c, const struct api_detection_list_request *req, struct api_detection_page *ret)
{
    static const struct {
        enum detection_sort sort;
        enum cursor_key key;
    } sorts[] = {[API_DETECTION_LIST_SORT_OCCURRED_AT] = {DETECTION_BY_OCCURRED_AT, CURSOR_TIME},
                 [API_DETECTION_LIST_SORT_NAME] = {DETECTION_BY_NAME, CURSOR_TEXT},
                 [API_DETECTION_LIST_SORT_SEVERITY] = {DETECTION_BY_SEVERITY, CURSOR_INT}};
    struct detection_filter filter = filter_of(req);
    struct cursor after;
    enum rc rc = cursor_decode(c, req->cursor, sorts[req->sort].key, &after);
    if (rc != RC_OK)
        return rc;
    struct detection_row *rows;
    size_t n;
    rc = detection_page(c->tx, c->arena, &filter, sorts[req->sort].sort,
                        req->direction == API_DETECTION_LIST_DIRECTION_DESC, after.key, after.id, (int)req->limit + 1,
                        &rows, &n);
    if (rc == RC_OK)
        rc = detection_count(c->tx, c->arena, &filter, &ret->total);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = cursor_encode(c->arena, cursor_fingerprint(c), rows[n - 1].sort_key, rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_detection, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_detection(&rows[i], &ret->items[i]);
    return RC_OK;
}

enum rc api_detection_show(struct call *c, const struct api_detection_show_request *req, struct api_detection *ret)
{
    struct detection_row row;
    enum rc rc = detection_find(c->tx, c->arena, req->detection_id, &row);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        map_detection(&row, ret);
    return rc;
}

static void hint(void *arg)
{
    int tenant_no = scope_tenant(((struct call *)arg)->scope)->no;
    live_hint(tenant_no, LIVE_detections);
    live_hint(tenant_no, LIVE_devices); /* their counts of unresolved ones */
}

/* The first of those that changed is the record's object, the others are named in it. */
static void note_resolved(struct call *c, bool resolved, const struct uuid *ids, size_t n)
{
    audit_change(c, "resolved", resolved ? SLICE("false") : SLICE("true"), resolved ? SLICE("true") : SLICE("false"));
    audit_change(c, "changed", SLICE_NONE, slice_of(arena_printf(c->arena, "%zu", n)));
    for (size_t i = 1; i < n; i++) {
        char id[UUID_TEXT_SIZE];
        audit_change(c, "detection", SLICE_NONE, slice_of(uuid_text(ids[i], id)));
    }
    c->audit = (struct audit_note){.object_type = "detection", .object_id = n ? ids[0] : (struct uuid){{0}}};
}

enum rc api_detection_resolve(struct call *c, const struct api_detection_resolve_request *req, struct api_changed *ret)
{
    struct uuid *ids;
    size_t n;
    enum rc rc = detection_resolve(c->tx, c->arena, req->body.ids, req->body.n_ids, req->body.resolved, clock_now(),
                                   principal_name(c->principal), &ids, &n);
    if (rc != RC_OK)
        return rc;
    ret->changed = (int64_t)n;
    note_resolved(c, req->body.resolved, ids, n);
    call_after_commit(c, hint, c);
    return RC_OK;
}

enum rc api_quarantine_list(struct call *c, const struct api_quarantine_list_request *req,
                            struct api_quarantine_page *ret)
{
    struct cursor after;
    usec_t after_time = 0;
    struct quarantine_row *rows;
    size_t n;
    enum rc rc = cursor_decode(c, req->cursor, CURSOR_TIME, &after);
    if (rc != RC_OK)
        return rc;
    if (after.key.p)
        (void)clock_parse_rfc3339(after.key, &after_time); /* the cursor's decoder has checked it */
    rc = quarantine_page(c->tx, c->arena, req->device, after_time, after.id, (int)req->limit + 1, &rows, &n);
    if (rc == RC_OK)
        rc = quarantine_count(c->tx, c->arena, req->device, &ret->total);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        char at[CLOCK_RFC3339_SIZE];
        ret->next_cursor =
            cursor_encode(c->arena, cursor_fingerprint(c), slice_of(clock_rfc3339(rows[n - 1].at, at)), rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_quarantined, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        ret->items[i] = (struct api_quarantined){.id = rows[i].id,
                                                 .device_id = rows[i].device_id,
                                                 .device_name = rows[i].device_name,
                                                 .name = rows[i].name,
                                                 .object = rows[i].object,
                                                 .sha256 = rows[i].sha256,
                                                 .size_bytes = rows[i].size,
                                                 .quarantined_at = rows[i].at};
    return RC_OK;
}
