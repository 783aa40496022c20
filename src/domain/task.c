/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - see task.h. */
#include "domain/task.h"
#include "domain/revision.h"
#include "push/live.h"
#include "store/detection.h"
#include <stdio.h>
#include <stdlib.h>

#define TASK_LIFE_DAYS 30 /* a device that is away for longer never starts it */

static enum rc targets_check(struct call *c, const struct wire_task_settings *s)
{
    for (size_t i = 0; i < s->n_targets; i++) {
        struct slice t = s->targets[i], rest = t;
        bool up = false;
        while (rest.n)
            up |= slice_eq(slice_cut(&rest, '/'), SLICE(".."));
        if (t.n == 0 || t.p[0] != '/' || up) {
            char field[40];
            snprintf(field, sizeof field, "scan.targets[%zu]", i);
            return fault_field(c, PROBLEM_field_format, field, "an absolute path without ..");
        }
    }
    return RC_OK;
}

static int id_order(const void *a, const void *b)
{
    return uuid_cmp(*(const struct uuid *)a, *(const struct uuid *)b);
}

static enum rc devices_check(struct call *c, const struct task_order *t)
{
    struct uuid *sorted = ARENA_ARRAY(c->arena, struct uuid, t->n_devices + 1);
    memcpy(sorted, t->devices, t->n_devices * sizeof *sorted);
    qsort(sorted, t->n_devices, sizeof *sorted, id_order);
    for (size_t i = 1; i < t->n_devices; i++) {
        if (uuid_eq(sorted[i - 1], sorted[i]))
            return fault_field(c, PROBLEM_field_value, "devices", "each device once");
    }
    return RC_OK;
}

enum rc task_check(struct call *c, const struct task_order *t)
{
    if (t->has_scan && t->type != WIRE_TASK_TYPE_SCAN)
        return fault_field(c, PROBLEM_settings_mismatch, "scan", "type scan");
    if (t->has_message && t->type != WIRE_TASK_TYPE_SHOW_MESSAGE)
        return fault_field(c, PROBLEM_settings_mismatch, "message", "type show_message");
    if (!t->has_message && t->type == WIRE_TASK_TYPE_SHOW_MESSAGE)
        return fault_field(c, PROBLEM_field_missing, "message", "");
    enum rc rc = targets_check(c, &t->settings);
    return rc == RC_OK ? devices_check(c, t) : rc;
}

struct slice task_settings_write(struct arena *a, const struct wire_task_settings *s)
{
    struct strbuf out;
    strbuf_init_arena(&out, a, 65536);
    struct json_writer w;
    json_start(&w, &out);
    wire_task_settings_encode(&w, s);
    return strbuf_slice(&out);
}

void task_settings_read(struct arena *a, struct slice text, struct wire_task_settings *ret)
{
    struct decode_error e;
    if (wire_task_settings_parse(a, text, ret, &e) != RC_OK)
        *ret = (struct wire_task_settings){0};
}

static enum rc missing_device(struct call *c, const struct task_order *t, const struct uuid *found, size_t n_found)
{
    for (size_t i = 0; i < t->n_devices; i++) {
        if (!bsearch(&t->devices[i], found, n_found, sizeof *found, id_order)) {
            char field[40];
            snprintf(field, sizeof field, "devices[%zu]", i);
            return fault_field(c, PROBLEM_device_not_in_tenant, field, "");
        }
    }
    return RC_OK;
}

/* A task may only answer a detection that is there, and one's own. */
static enum rc detection_check(struct call *c, struct uuid id)
{
    struct detection_row row;
    if (uuid_is_nil(id))
        return RC_OK;
    enum rc rc = detection_find(c->tx, c->arena, id, &row);
    return rc == RC_NOT_FOUND ? fault_field(c, PROBLEM_detection_unknown, "detection_id", "") : rc;
}

/* What was ordered, for the audit: the settings by their names in the contract, and how many devices. */
static void note_order(struct call *c, const struct task_order *t, const struct task_new *row, size_t n_devices)
{
    const struct wire_task_settings *s = &t->settings;
    audit_change(c, "type", SLICE_NONE, row->type);
    audit_change(c, "devices", SLICE_NONE, slice_of(arena_printf(c->arena, "%zu", n_devices)));
    if (t->has_scan) {
        for (size_t i = 0; i < s->n_targets; i++)
            audit_change(c, "scan.targets", SLICE_NONE, s->targets[i]);
        audit_change(c, "scan.clean", SLICE_NONE, s->has_clean && s->clean ? SLICE("true") : SLICE("false"));
    }
    if (t->has_message) {
        audit_change(c, "message.title", SLICE_NONE, s->title);
        audit_change(c, "message.text", SLICE_NONE, s->text);
    }
    for (size_t i = 0; i < s->n_allow; i++)
        audit_change(c, "allow", SLICE_NONE, s->allow[i]);
}

static void hint_tasks(void *arg)
{
    live_hint(scope_tenant(((struct call *)arg)->scope)->no, LIVE_tasks);
}

enum rc task_create(struct call *c, const struct task_order *t, struct uuid *ret_id)
{
    enum rc rc = task_check(c, t);
    if (rc == RC_OK)
        rc = detection_check(c, t->detection_id);
    if (rc != RC_OK)
        return rc;
    struct uuid *found;
    size_t n_found;
    rc = task_lock_devices(c->tx, c->arena, t->devices, t->n_devices, &found, &n_found);
    if (rc != RC_OK)
        return rc;
    rc = missing_device(c, t, found, n_found);
    if (rc != RC_OK)
        return rc;
    rc = revision_block(c, found, n_found);
    if (rc != RC_OK)
        return rc;
    usec_t now = clock_now();
    struct task_new row = {.id = uuid_new(),
                           .detection_id = t->detection_id,
                           .type = slice_of(wire_task_type_text(t->type)),
                           .name = t->name.p ? t->name : SLICE(""),
                           .settings = task_settings_write(c->arena, &t->settings),
                           .created_by = principal_name(c->principal),
                           .created_at = now,
                           .expires_at = now + TASK_LIFE_DAYS * 86400 * USEC_PER_SEC};
    rc = task_insert(c->tx, c->arena, &row);
    if (rc != RC_OK)
        return rc;
    struct task_target *targets;
    size_t n_targets;
    rc = task_assign(c->tx, c->arena, row.id, found, n_found, now, &targets, &n_targets);
    if (rc != RC_OK)
        return rc;
    revision_tell(c, targets, n_targets);
    call_after_commit(c, hint_tasks, c);
    note_order(c, t, &row, n_found);
    c->audit = (struct audit_note){
        .object_type = "task", .object_id = row.id, .object_name = row.name.n ? row.name : row.type};
    *ret_id = row.id;
    return RC_OK;
}

enum rc task_cancel(struct call *c, struct uuid task, struct uuid execution, int64_t *ret_changed)
{
    struct task_target *targets;
    size_t n;
    enum rc rc = execution_cancel(c->tx, c->arena, task, execution, clock_now(), &targets, &n);
    if (rc == RC_NOT_FOUND)
        return fault(c, RC_NOT_FOUND, PROBLEM_not_found);
    if (rc != RC_OK)
        return rc;
    struct uuid *devices = ARENA_ARRAY(c->arena, struct uuid, n + 1);
    *ret_changed = 0;
    for (size_t i = 0; i < n; i++) {
        devices[i] = targets[i].device;
        *ret_changed += targets[i].executions;
    }
    rc = revision_block(c, devices, n); /* before the commit is what counts; the rows are locked */
    if (rc != RC_OK)
        return rc;
    revision_tell(c, targets, n);
    call_after_commit(c, hint_tasks, c);
    c->audit = (struct audit_note){.object_type = uuid_is_nil(task) ? "execution" : "task",
                                   .object_id = uuid_is_nil(task) ? execution : task};
    return RC_OK;
}
