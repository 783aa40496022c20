/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - see map.h. Enumerations are kept in the database by their names in the contract. A name that this version
 * does not know (a newer one has written it) reads as the most careful one: a row must never keep a page from being
 * shown. */
#include "handler/map.h"
#include "common/must.h"
#include "domain/task.h"
#include "push/presence.h"
#include "push/wake.h"

#define ENUM(function, text, ret, otherwise) \
    do {                                     \
        if (!function((text), (ret)))        \
            *(ret) = (otherwise);            \
    } while (0)

void map_device(const struct device_row *row, struct api_device *ret)
{
    static const enum api_device_status statuses[] = {API_DEVICE_STATUS_OK, API_DEVICE_STATUS_ATTENTION,
                                                      API_DEVICE_STATUS_PROBLEM};
    must((unsigned)row->status < sizeof statuses / sizeof statuses[0]);
    usec_t heard = presence_last(row->id);
    *ret = (struct api_device){.id = row->id,
                               .name = row->name,
                               .description = row->description,
                               .group_id = row->group_id,
                               .group_name = row->group_name,
                               .status = statuses[row->status],
                               .os_name = row->os_name,
                               .os_version = row->os_version,
                               .ip = row->ip,
                               .last_seen = heard > row->last_seen ? heard : row->last_seen,
                               .interval = row->interval,
                               .connected = wake_connected(row->id),
                               .problems = row->problems,
                               .unresolved = row->unresolved,
                               .isolated = row->isolated,
                               .agent_version = row->agent_version,
                               .enrolled_at = row->enrolled_at};
    ENUM(api_os_family_parse, row->os_family, &ret->os_family, API_OS_FAMILY_LINUX);
    ENUM(api_device_protection_parse, row->protection, &ret->protection, API_DEVICE_PROTECTION_UNKNOWN);
}

void map_group(const struct group_row *row, struct api_group *ret)
{
    *ret = (struct api_group){.id = row->id,
                              .parent_id = row->parent_id,
                              .name = row->name,
                              .built_in = row->built_in,
                              .devices = row->devices};
}

void map_detection(const struct detection_row *row, struct api_detection *ret)
{
    static const enum api_severity severities[] = {API_SEVERITY_INFO, API_SEVERITY_WARNING, API_SEVERITY_CRITICAL};
    must((unsigned)row->severity < sizeof severities / sizeof severities[0]);
    *ret = (struct api_detection){.id = row->id,
                                  .device_id = row->device_id,
                                  .device_name = row->device_name,
                                  .name = row->name,
                                  .severity = severities[row->severity],
                                  .action_error = row->action_error,
                                  .object = row->object,
                                  .sha256 = row->sha256,
                                  .has_size_bytes = row->has_size,
                                  .size_bytes = row->size,
                                  .process = row->process,
                                  .user = row->user,
                                  .engine = row->engine,
                                  .engine_version = row->engine_version,
                                  .signature_version = row->signature_version,
                                  .occurred_at = row->occurred_at,
                                  .received_at = row->received_at,
                                  .resolved = row->resolved_at != 0,
                                  .resolved_at = row->resolved_at,
                                  .resolved_by = row->resolved_by};
    ENUM(api_detection_type_parse, row->type, &ret->type, API_DETECTION_TYPE_SUSPICIOUS);
    ENUM(api_scanner_parse, row->scanner, &ret->scanner, API_SCANNER_ON_DEMAND);
    ENUM(api_detection_action_parse, row->action, &ret->action, API_DETECTION_ACTION_REPORTED);
}

void map_task(struct arena *a, const struct task_row *row, struct api_task *ret)
{
    *ret = (struct api_task){.id = row->id,
                             .name = row->name,
                             .created_at = row->created_at,
                             .created_by = row->created_by,
                             .detection_id = row->detection_id,
                             .executions = {.total = row->total,
                                            .pending = row->pending,
                                            .running = row->running,
                                            .done = row->done,
                                            .failed = row->failed,
                                            .cancelled = row->cancelled,
                                            .refused = row->refused,
                                            .progress = row->progress}};
    ENUM(api_task_type_parse, row->type, &ret->type, API_TASK_TYPE_UPDATE_MODULES);
    struct wire_task_settings s;
    task_settings_read(a, row->settings, &s);
    if (ret->type == API_TASK_TYPE_SCAN) {
        ret->scan = ARENA_NEW(a, struct api_scan_settings);
        ret->scan->targets = s.targets;
        ret->scan->n_targets = s.n_targets;
        ret->scan->clean = s.clean;
    } else if (ret->type == API_TASK_TYPE_SHOW_MESSAGE) {
        ret->message = ARENA_NEW(a, struct api_message_settings);
        ret->message->title = s.title;
        ret->message->text = s.text;
    }
}

void map_execution(const struct execution_row *row, struct api_execution *ret)
{
    *ret = (struct api_execution){.id = row->id,
                                  .task_id = row->task_id,
                                  .task_name = row->task_name,
                                  .device_id = row->device_id,
                                  .device_name = row->device_name,
                                  .progress = row->progress,
                                  .created_at = row->created_at,
                                  .started_at = row->started_at,
                                  .ended_at = row->ended_at,
                                  .result_code = row->result_code,
                                  .result_args = row->result_args,
                                  .n_result_args = row->n_result_args,
                                  .has_files_scanned = row->has_scanned,
                                  .files_scanned = row->files_scanned,
                                  .has_files_total = row->has_total,
                                  .files_total = row->files_total,
                                  .has_found = row->has_found,
                                  .found = row->found};
    ENUM(api_task_type_parse, row->task_type, &ret->task_type, API_TASK_TYPE_UPDATE_MODULES);
    ENUM(api_execution_state_parse, row->state, &ret->state, API_EXECUTION_STATE_RUNNING);
}
