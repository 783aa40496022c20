/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - devices: list, detail, change, removal. On blocking workers, inside the call's transaction. */
#include "identity/device.h"
#include "cache/cache.h"
#include "common/event.h"
#include "domain/cursor.h"
#include "handler/map.h"
#include "handler/map_facts.h"
#include "push/live.h"
#include "push/presence.h"
#include "push/wake.h"
#include "store/enrolment.h"

static struct device_filter filter_of(const struct api_device_list_request *req)
{
    return (struct device_filter){.group = req->group,
                                  .status = req->has_status ? (int)req->status : -1,
                                  .os = req->has_os ? slice_of(api_os_family_text(req->os)) : SLICE_NONE,
                                  .problems_only = req->has_problems_only && req->problems_only,
                                  .isolated = req->has_isolated ? req->isolated : -1,
                                  .search = req->search};
}

static enum cursor_key key_kind(enum device_sort sort)
{
    switch (sort) {
    case DEVICE_BY_NAME:
    case DEVICE_BY_OS_NAME:
        return CURSOR_TEXT;
    case DEVICE_BY_PROBLEMS:
    case DEVICE_BY_UNRESOLVED:
        return CURSOR_INT;
    case DEVICE_BY_LAST_SEEN:
    case DEVICE_BY_ENROLLED_AT:
        return CURSOR_TIME;
    }
    return CURSOR_TEXT;
}

enum rc api_device_list(struct call *c, const struct api_device_list_request *req, struct api_device_page *ret)
{
    static const enum device_sort sorts[] = {[API_DEVICE_LIST_SORT_NAME] = DEVICE_BY_NAME,
                                             [API_DEVICE_LIST_SORT_LAST_SEEN] = DEVICE_BY_LAST_SEEN,
                                             [API_DEVICE_LIST_SORT_OS_NAME] = DEVICE_BY_OS_NAME,
                                             [API_DEVICE_LIST_SORT_PROBLEMS] = DEVICE_BY_PROBLEMS,
                                             [API_DEVICE_LIST_SORT_UNRESOLVED] = DEVICE_BY_UNRESOLVED,
                                             [API_DEVICE_LIST_SORT_ENROLLED_AT] = DEVICE_BY_ENROLLED_AT};
    enum device_sort sort = sorts[req->sort];
    struct device_filter filter = filter_of(req);
    struct cursor after;
    enum rc rc = cursor_decode(c, req->cursor, key_kind(sort), &after);
    if (rc != RC_OK)
        return rc;
    struct device_row *rows;
    size_t n;
    rc = device_page(c->tx, c->arena, &filter, sort, req->direction == API_DIRECTION_DESC, after.key, after.id,
                     (int)req->limit + 1, &rows, &n);
    if (rc != RC_OK)
        return rc;
    rc = device_count(c->tx, c->arena, &filter, &ret->total);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = cursor_encode(c->arena, cursor_fingerprint(c), rows[n - 1].sort_key, rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_device, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_device(&rows[i], &ret->items[i]);
    return RC_OK;
}

static enum rc detail(struct call *c, struct uuid id, struct api_device_detail *ret)
{
    struct device_more more;
    enum rc rc = device_find(c->tx, c->arena, id, &more);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    struct fact_row *facts;
    size_t n;
    rc = device_facts(c->tx, c->arena, id, &facts, &n);
    if (rc != RC_OK)
        return rc;
    rc = device_software_count(c->tx, c->arena, id, SLICE_NONE, &ret->software_count);
    if (rc != RC_OK)
        return rc;
    ret->has_software_count = true;
    map_device(&more.row, &ret->device);
    ret->fqdn = more.fqdn;
    ret->certificate_expires_at = more.certificate_expires_at;
    ret->has_certificate_revoked = true;
    ret->certificate_revoked = more.certificate_revoked;
    ret->has_lost_records = true;
    ret->lost_records = more.lost_records;
    ret->has_identity_question = true;
    ret->identity_question = more.identity_question;
    map_facts(c->arena, facts, n, ret);
    return RC_OK;
}

enum rc api_device_show(struct call *c, const struct api_device_show_request *req, struct api_device_detail *ret)
{
    return detail(c, req->device_id, ret);
}

static void hint_devices(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_devices);
}

enum rc api_device_update(struct call *c, const struct api_device_update_request *req, struct api_device_detail *ret)
{
    struct group_row group;
    struct device_more before;
    struct slice name;
    if (!uuid_is_nil(req->body.group_id)) {
        enum rc rc = group_find(c->tx, c->arena, req->body.group_id, &group);
        if (rc == RC_NOT_FOUND)
            return fault_field(c, PROBLEM_group_unknown, "group_id", "");
        if (rc != RC_OK)
            return rc;
    }
    enum rc rc = device_find(c->tx, c->arena, req->device_id, &before);
    if (rc == RC_OK)
        rc = device_update(c->tx, c->arena, req->device_id, req->body.name, req->body.description, req->body.group_id,
                           &name);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    if (req->body.name.p)
        audit_change(c, "name", before.row.name, req->body.name);
    if (req->body.description.p)
        audit_change(c, "description", before.row.description, req->body.description);
    if (!uuid_is_nil(req->body.group_id))
        audit_change(c, "group", before.row.group_name, group.name);
    c->audit = (struct audit_note){.object_type = "device", .object_id = req->device_id, .object_name = name};
    call_after_commit(c, hint_devices, c);
    return detail(c, req->device_id, ret);
}

struct removal {
    struct call *call;
    struct uuid device;
};

static void removed(void *arg)
{
    const struct removal *r = arg;
    int tenant_no = scope_tenant(r->call->scope)->no;
    enum rc rc = enrolment_grace_settle(r->call->db, r->call->arena, r->call->permit, clock_now());
    if (rc != RC_OK) /* the chore of the seats does it later */
        ev_warn(AREA_HANDLER, "whether the tenant is within its seats is not known", EV_RC(rc));
    presence_forget(r->device);
    device_cut(tenant_no, r->device);
    live_hint(tenant_no, LIVE_devices);
    live_hint(tenant_no, LIVE_detections);
}

enum rc api_device_remove(struct call *c, const struct api_device_remove_request *req)
{
    struct device_more before;
    struct slice name;
    enum rc rc = device_find(c->tx, c->arena, req->device_id, &before);
    if (rc == RC_OK)
        rc = device_remove(c->tx, c->arena, req->device_id, &name);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    struct removal *r = ARENA_NEW(c->arena, struct removal);
    *r = (struct removal){c, req->device_id};
    c->audit = (struct audit_note){
        .object_type = "device", .object_id = req->device_id, .object_name = name, .group = before.row.group_id};
    call_after_commit(c, removed, r);
    return cache_revision_block(scope_tenant(c->scope)->no, &req->device_id, 1);
}

enum rc api_device_software_list(struct call *c, const struct api_device_software_list_request *req,
                                 struct api_software_page *ret)
{
    struct cursor after;
    struct device_more more;
    struct fact_row *rows;
    size_t n;
    enum rc rc = cursor_decode(c, req->cursor, CURSOR_TEXT, &after);
    if (rc != RC_OK)
        return rc;
    rc = device_find(c->tx, c->arena, req->device_id, &more);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        rc = device_software_page(c->tx, c->arena, req->device_id, req->search, after.key, (int)req->limit + 1, &rows,
                                  &n);
    if (rc == RC_OK)
        rc = device_software_count(c->tx, c->arena, req->device_id, req->search, &ret->total);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = cursor_encode(c->arena, cursor_fingerprint(c), rows[n - 1].key, (struct uuid){{0}});
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_software, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_software(c->arena, &rows[i], &ret->items[i]);
    return RC_OK;
}
