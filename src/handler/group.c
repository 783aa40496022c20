/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - static groups. On blocking workers, inside the call's transaction. */
#include "handler/map.h"
#include "push/live.h"

enum rc api_group_list(struct call *c, struct api_group_page *ret)
{
    struct group_row *rows;
    enum rc rc = group_page(c->tx, c->arena, &rows, &ret->n_items);
    if (rc != RC_OK)
        return rc;
    ret->items = ARENA_ARRAY(c->arena, struct api_group, ret->n_items + 1);
    for (size_t i = 0; i < ret->n_items; i++)
        map_group(&rows[i], &ret->items[i]);
    return RC_OK;
}

static enum rc parent_of(struct call *c, struct uuid asked, struct uuid *ret)
{
    struct group_row parent;
    enum rc rc;
    if (uuid_is_nil(asked)) {
        rc = group_built_in(c->tx, c->arena, "all", ret);
        return rc == RC_NOT_FOUND ? fault_field(c, PROBLEM_group_unknown, "parent_id", "") : rc;
    }
    rc = group_find(c->tx, c->arena, asked, &parent);
    if (rc == RC_NOT_FOUND)
        return fault_field(c, PROBLEM_group_unknown, "parent_id", "");
    *ret = asked;
    return rc;
}

static void hint(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_devices);
}

enum rc api_group_create(struct call *c, const struct api_group_create_request *req, struct api_group *ret)
{
    struct uuid parent, sibling, id = uuid_new();
    struct group_row above;
    enum rc rc = parent_of(c, req->body.parent_id, &parent);
    if (rc == RC_OK)
        rc = group_find(c->tx, c->arena, parent, &above);
    if (rc != RC_OK)
        return rc;
    rc = group_sibling(c->tx, c->arena, parent, req->body.name, &sibling);
    if (rc == RC_OK) {
        (void)fault_field(c, PROBLEM_name_taken, "name", "");
        return RC_CONFLICT;
    }
    if (rc != RC_NOT_FOUND)
        return rc;
    rc = group_insert(c->tx, c->arena, id, parent, req->body.name, NULL, clock_now());
    if (rc != RC_OK)
        return rc;
    struct group_row row = {.id = id, .parent_id = parent, .name = req->body.name}; /* its devices: none */
    map_group(&row, ret);
    audit_change(c, "name", SLICE_NONE, row.name);
    audit_change(c, "parent", SLICE_NONE, above.name);
    c->audit = (struct audit_note){.object_type = "group", .object_id = id, .object_name = row.name};
    call_after_commit(c, hint, c);
    return RC_OK;
}
