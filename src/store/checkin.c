/* SPDX-License-Identifier: Apache-2.0 */
/* checkin.c - see checkin.h; parameters and columns follow checkin.sql. */
#include "store/checkin.h"
#include "common/must.h"

static struct sql_args *add(struct batch_item *i, enum sql_id id)
{
    must(i->n_calls < BATCH_CALLS_MAX);
    struct batch_call *c = &i->calls[i->n_calls++];
    c->id = id;
    args_init(&c->args, i->arena);
    args_uuid(&c->args, i->device);
    return &c->args;
}

static int added(const struct batch_item *i)
{
    return i->n_calls - 1;
}

int checkin_add_device(struct batch_item *i, const char *agent_version, int interval, struct uuid epoch, int64_t head)
{
    struct sql_args *args = add(i, SQL_checkin_device);
    args_str(args, agent_version);
    args_int(args, interval);
    args_uuid(args, epoch);
    args_int(args, head);
    return added(i);
}

static void rows_args(struct sql_args *args, const struct checkin_row *rows, size_t n)
{
    struct sql_array *keys = args_array(args), *values = args_array(args);
    for (size_t r = 0; r < n; r++) {
        array_slice(keys, rows[r].key);
        array_slice(values, rows[r].value);
    }
}

int checkin_add_fact_replace(struct batch_item *i, const char *kind, struct slice digest,
                             const struct checkin_row *rows, size_t n, usec_t now)
{
    struct sql_args *args = add(i, SQL_checkin_fact_replace);
    args_str(args, kind);
    args_slice(args, digest);
    rows_args(args, rows, n);
    args_time(args, now);
    return added(i);
}

int checkin_add_fact_merge(struct batch_item *i, const char *kind, struct slice base, struct slice digest,
                           const struct checkin_row *set, size_t n_set, const struct slice *remove, size_t n_remove,
                           usec_t now)
{
    struct sql_args *args = add(i, SQL_checkin_fact_merge);
    args_str(args, kind);
    args_slice(args, base);
    args_slice(args, digest);
    rows_args(args, set, n_set);
    struct sql_array *gone = args_array(args);
    for (size_t r = 0; r < n_remove; r++)
        array_slice(gone, remove[r]);
    args_time(args, now);
    return added(i);
}

int checkin_add_digest(struct batch_item *i)
{
    add(i, SQL_checkin_digest);
    return added(i);
}

int checkin_add_columns(struct batch_item *i)
{
    add(i, SQL_checkin_columns);
    return added(i);
}

int checkin_add_question(struct batch_item *i, struct uuid epoch, const struct checkin_event *events, size_t n)
{
    struct sql_args *args = add(i, SQL_checkin_question);
    args_uuid(args, epoch);
    struct sql_array *numbers = args_array(args), *hashes = args_array(args);
    for (size_t e = 0; e < n; e++) {
        array_int(numbers, events[e].seq);
        array_slice(hashes, events[e].hash);
    }
    return added(i);
}

int checkin_add_events(struct batch_item *i, struct uuid epoch, const struct checkin_event *events, size_t n,
                       usec_t now)
{
    struct sql_args *args = add(i, SQL_checkin_events);
    args_uuid(args, epoch);
    struct sql_array *numbers = args_array(args), *ids = args_array(args), *kinds = args_array(args),
                     *times = args_array(args), *hashes = args_array(args), *bodies = args_array(args);
    for (size_t e = 0; e < n; e++) {
        array_int(numbers, events[e].seq);
        array_uuid(ids, events[e].id);
        array_slice(kinds, events[e].kind);
        array_time(times, events[e].occurred);
        array_slice(hashes, events[e].hash);
        array_slice(bodies, events[e].body);
    }
    args_time(args, now);
    return added(i);
}

int checkin_add_mark(struct batch_item *i, struct uuid epoch, int64_t first, int64_t last, int64_t tail)
{
    struct sql_args *args = add(i, SQL_checkin_mark);
    args_uuid(args, epoch);
    args_int(args, first);
    args_int(args, last);
    args_int(args, tail);
    return added(i);
}

int checkin_add_rest(struct batch_item *i, struct uuid epoch)
{
    args_uuid(add(i, SQL_checkin_rest), epoch);
    return added(i);
}

static const struct rows *result(const struct batch_item *i, int call)
{
    must(call >= 0 && call < i->n_calls);
    return &i->calls[call].rows;
}

struct checkin_device checkin_read_device(const struct batch_item *i, int call)
{
    const struct rows *r = result(i, call);
    if (r->n == 0)
        return (struct checkin_device){0};
    return (struct checkin_device){true, rows_int(r, 0, 0), rows_slice(r, 0, 1), rows_bool(r, 0, 2)};
}

bool checkin_read_applied(const struct batch_item *i, int call)
{
    return result(i, call)->n > 0;
}

struct slice checkin_read_digest(const struct batch_item *i, int call)
{
    const struct rows *r = result(i, call);
    return r->n ? rows_slice(r, 0, 0) : SLICE_NONE;
}

bool checkin_read_question(const struct batch_item *i, int call)
{
    const struct rows *r = result(i, call);
    return r->n && rows_int(r, 0, 0) > 0;
}

struct checkin_news checkin_read_events(const struct batch_item *i, int call)
{
    const struct rows *r = result(i, call);
    return (struct checkin_news){rows_int(r, 0, 0), rows_int(r, 0, 1), rows_int(r, 0, 2), rows_int(r, 0, 3)};
}

struct checkin_rest checkin_read_rest(struct batch_item *i, int call)
{
    const struct rows *r = result(i, call);
    struct checkin_rest rest = {0};
    if (r->n == 0)
        return rest;
    rest.revision = rows_int(r, 0, 0);
    rest.mark = rows_int(r, 0, 1);
    rest.tasks = ARENA_ARRAY(i->arena, struct checkin_task, r->n);
    for (int t = 0; t < r->n && !rows_null(r, t, 2); t++)
        rest.tasks[rest.n_tasks++] = (struct checkin_task){.execution = rows_uuid(r, t, 2),
                                                           .type = rows_slice(r, t, 3),
                                                           .cancel = rows_bool(r, t, 4),
                                                           .expires_at = rows_time(r, t, 5),
                                                           .settings = rows_slice(r, t, 6)};
    return rest;
}
