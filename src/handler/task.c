/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - tasks and executions. On blocking workers, inside the call's transaction. */
#include "domain/task.h"
#include "domain/cursor.h"
#include "handler/map.h"

/* Where a page that is ordered by time begins. */
static enum rc time_cursor(struct call *c, struct slice text, usec_t *ret_time, struct uuid *ret_id)
{
    struct cursor after;
    enum rc rc = cursor_decode(c, text, CURSOR_TIME, &after);
    *ret_time = 0;
    *ret_id = after.id;
    if (rc == RC_OK && after.key.p)
        (void)clock_parse_rfc3339(after.key, ret_time); /* the cursor's decoder has checked it */
    return rc;
}

static struct slice time_cursor_text(struct call *c, usec_t time, struct uuid id)
{
    char at[CLOCK_RFC3339_SIZE];
    return cursor_encode(c->arena, cursor_fingerprint(c), slice_of(clock_rfc3339(time, at)), id);
}

enum rc api_task_list(struct call *c, const struct api_task_list_request *req, struct api_task_page *ret)
{
    usec_t after_time;
    struct uuid after_id;
    struct task_row *rows;
    size_t n;
    struct slice type = req->has_type ? slice_of(api_task_type_text(req->type)) : SLICE_NONE;
    enum rc rc = time_cursor(c, req->cursor, &after_time, &after_id);
    if (rc == RC_OK)
        rc = task_page(c->tx, c->arena, type, after_time, after_id, (int)req->limit + 1, &rows, &n);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = time_cursor_text(c, rows[n - 1].created_at, rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_task, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_task(c->arena, &rows[i], &ret->items[i]);
    return RC_OK;
}

static enum rc show(struct call *c, struct uuid id, struct api_task *ret)
{
    struct task_row row;
    enum rc rc = task_find(c->tx, c->arena, id, &row);
    if (rc == RC_NOT_FOUND)
        return fault(c, rc, PROBLEM_not_found);
    if (rc == RC_OK)
        map_task(c->arena, &row, ret);
    return rc;
}

enum rc api_task_show(struct call *c, const struct api_task_show_request *req, struct api_task *ret)
{
    return show(c, req->task_id, ret);
}

enum rc api_task_create(struct call *c, const struct api_task_create_request *req, struct api_task *ret)
{
    const struct api_task_create *b = &req->body;
    struct task_order order = {.type = wire_task_type_parse(slice_of(api_task_type_text(b->type))),
                               .name = b->name,
                               .devices = b->devices,
                               .n_devices = b->n_devices,
                               .detection_id = b->detection_id,
                               .has_scan = b->scan != NULL,
                               .has_message = b->message != NULL};
    if (order.type == WIRE_TASK_TYPE_SCAN) {
        order.settings.has_clean = true;
        order.settings.clean = b->scan ? b->scan->clean : true;
    }
    if (b->scan) {
        order.settings.targets = b->scan->targets;
        order.settings.n_targets = b->scan->n_targets;
    }
    if (b->message) {
        order.settings.title = b->message->title;
        order.settings.text = b->message->text;
    }
    struct uuid id;
    enum rc rc = task_create(c, &order, &id);
    return rc == RC_OK ? show(c, id, ret) : rc;
}

enum rc api_target_list(struct call *c, const struct api_target_list_request *req, struct api_target_page *ret)
{
    struct cursor after;
    struct target_row *rows;
    size_t n;
    enum rc rc = cursor_decode(c, req->cursor, CURSOR_TEXT, &after);
    if (rc == RC_OK)
        rc = target_page(c->tx, c->arena, req->group, req->search, after.key, after.id, (int)req->limit + 1, &rows, &n);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = cursor_encode(c->arena, cursor_fingerprint(c), rows[n - 1].sort_key, rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_target, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++) {
        ret->items[i] = (struct api_target){.id = rows[i].id, .name = rows[i].name, .group_name = rows[i].group_name};
        (void)api_os_family_parse(rows[i].os_family, &ret->items[i].os_family);
    }
    return RC_OK;
}

enum rc api_task_cancel(struct call *c, const struct api_task_cancel_request *req, struct api_changed *ret)
{
    return task_cancel(c, req->task_id, (struct uuid){{0}}, &ret->changed);
}

enum rc api_execution_cancel(struct call *c, const struct api_execution_cancel_request *req, struct api_changed *ret)
{
    return task_cancel(c, (struct uuid){{0}}, req->execution_id, &ret->changed);
}

enum rc api_execution_list(struct call *c, const struct api_execution_list_request *req, struct api_execution_page *ret)
{
    usec_t after_time;
    struct uuid after_id;
    struct execution_row *rows;
    size_t n;
    struct execution_filter filter = {.task = req->task,
                                      .device = req->device,
                                      .state =
                                          req->has_state ? slice_of(api_execution_state_text(req->state)) : SLICE_NONE};
    enum rc rc = time_cursor(c, req->cursor, &after_time, &after_id);
    if (rc == RC_OK)
        rc = execution_page(c->tx, c->arena, &filter, after_time, after_id, (int)req->limit + 1, &rows, &n);
    if (rc != RC_OK)
        return rc;
    if (n > (size_t)req->limit) {
        n = (size_t)req->limit;
        ret->next_cursor = time_cursor_text(c, rows[n - 1].created_at, rows[n - 1].id);
    }
    ret->items = ARENA_ARRAY(c->arena, struct api_execution, n + 1);
    ret->n_items = n;
    for (size_t i = 0; i < n; i++)
        map_execution(&rows[i], &ret->items[i]);
    return RC_OK;
}
