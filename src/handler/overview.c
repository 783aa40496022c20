/* SPDX-License-Identifier: Apache-2.0 */
/* overview.c - the figures of a tenant. On a blocking worker, inside the call's transaction. */
#include "handler/map.h"
#include "store/access.h"
#include "store/enrolment.h"

static enum rc days(struct call *c, usec_t now, struct api_overview *ret)
{
    struct day_count *rows;
    size_t n;
    enum rc rc = detection_days(c->tx, c->arena, slice_of(scope_tenant(c->scope)->time_zone), now, &rows, &n);
    if (rc != RC_OK)
        return rc;
    ret->detections_by_day = ARENA_ARRAY(c->arena, struct api_day_count, n + 1);
    ret->n_detections_by_day = n;
    for (size_t i = 0; i < n; i++)
        ret->detections_by_day[i] = (struct api_day_count){.day = rows[i].day, .count = rows[i].count};
    ret->detections_today = n ? rows[n - 1].count : 0;
    return RC_OK;
}

/* Detections and tasks are figures of their own rights; who lacks one sees none of it. */
static enum rc detections(struct call *c, usec_t now, struct api_overview *ret)
{
    enum rc rc = access_enter(c, c->tx, "detections.read");
    if (rc == RC_DENIED)
        return RC_OK;
    if (rc == RC_OK)
        rc = detection_unresolved(c->tx, c->arena, &ret->detections_unresolved);
    return rc == RC_OK ? days(c, now, ret) : rc;
}

static enum rc tasks(struct call *c, struct api_overview *ret)
{
    enum rc rc = access_enter(c, c->tx, "tasks.read");
    if (rc == RC_DENIED)
        return RC_OK;
    return rc == RC_OK ? execution_running(c->tx, c->arena, &ret->tasks_running) : rc;
}

enum rc api_overview_show(struct call *c, struct api_overview *ret)
{
    usec_t now = clock_now();
    struct device_figures devices;
    enum rc rc = device_figures(c->tx, c->arena, now, &devices);
    if (rc == RC_OK)
        rc = enrolment_seats(c->tx, c->arena, &ret->seats_used);
    if (rc == RC_OK)
        rc = detections(c, now, ret);
    if (rc == RC_OK)
        rc = tasks(c, ret);
    if (rc != RC_OK)
        return rc;
    ret->devices = devices.all;
    ret->devices_ok = devices.ok;
    ret->devices_attention = devices.attention;
    ret->devices_problem = devices.problem;
    ret->devices_silent = devices.silent;
    ret->seats = scope_tenant(c->scope)->seats;
    return RC_OK;
}
