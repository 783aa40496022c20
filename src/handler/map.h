/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - between the rows of store/ and the structs of the contract; used by several handlers. Pure. */
#ifndef SEKISHO_HANDLER_MAP_H
#define SEKISHO_HANDLER_MAP_H

#include "call/call.h"
#include "handler/api.gen.h"
#include "store/detection.h"
#include "store/device.h"
#include "store/group.h"
#include "store/task.h"

void map_device(const struct device_row *row, struct api_device *ret);
void map_group(const struct group_row *row, struct api_group *ret);
void map_detection(const struct detection_row *row, struct api_detection *ret);
void map_task(struct arena *a, const struct task_row *row, struct api_task *ret);
void map_execution(const struct execution_row *row, struct api_execution *ret);

#endif
