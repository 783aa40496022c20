/* SPDX-License-Identifier: Apache-2.0 */
/* life.h - what happens to a simulated device by itself: findings, packages, problems that come and go, people; and the
 * execution of tasks. Changes facts and adds events; sends nothing. */
#ifndef SEKISHO_SIM_LIFE_H
#define SEKISHO_SIM_LIFE_H

#include "sim/device.h"

void life_plan(struct device *d, uint64_t now);     /* draws when the next things happen */
uint64_t life_step(struct device *d, uint64_t now); /* does what is due; returns when to come back, UINT64_MAX: never */

/* One finding at that time, with quarantine where the action says so. execution nil: on access. */
void life_detection(struct device *d, struct uuid execution, usec_t at);
void life_past(struct device *d); /* findings of the last two weeks, told after enrolment (--history) */
void life_change_package(struct device *d);

/* All executions of the device that have not ended, as the server lists them. */
void tasks_take(struct device *d, const struct wire_task *list, size_t n, uint64_t now);
void tasks_free(struct device *d);

#endif
