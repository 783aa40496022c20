/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - the rules of tasks: which settings a type has, how long it waits for its devices, who is told of it. */
#ifndef SEKISHO_DOMAIN_TASK_H
#define SEKISHO_DOMAIN_TASK_H

#include "call/call.h"
#include "store/task.h"
#include "wire/agent.gen.h"

struct task_order { /* what someone wants done */
    enum wire_task_type type;
    struct slice name; /* p == NULL: none */
    const struct uuid *devices;
    size_t n_devices;
    struct uuid detection_id; /* nil: none */
    bool has_scan, has_message;
    struct wire_task_settings settings;
};

/* Settings belong to the type, targets are absolute paths without "..", devices are named once. Fills c->fault. Pure.
 */
enum rc task_check(struct call *c, const struct task_order *t) MUST_CHECK;
/* In the call's transaction; wake-ups and hints follow after its commit. */
enum rc task_create(struct call *c, const struct task_order *t, struct uuid *ret_id) MUST_CHECK;
/* All open executions of a task, or one execution (the other nil). */
enum rc task_cancel(struct call *c, struct uuid task, struct uuid execution, int64_t *ret_changed) MUST_CHECK;

/* The settings as kept in the row, and back. */
struct slice task_settings_write(struct arena *a, const struct wire_task_settings *s);
void task_settings_read(struct arena *a, struct slice text, struct wire_task_settings *ret);

#endif
