/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.c - see tasks.h. The file is saved before an execution starts and before its end is reported, so that a crash
 * leaves at most one thing to do twice, and that one is recognised by its id. */
#include "agent/tasks.h"
#include "common/event.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <stdlib.h>

#define FILE_MAX    (2u << 20)
#define ENDED_KEPT  200
#define RUNS_MAX    2
#define PROGRESS_NS UINT64_C(2000000000)
#define RETRY_MS    5000

struct execution {
    struct uuid id;
    struct arena *a;       /* of task and result */
    struct wire_task task; /* without texts after the end */
    enum wire_execution_state state;
    int runs;
    bool cancel;
    bool listed;
    struct wire_body_execution last; /* newest progress, or the end */
    struct uuid report_id;           /* of the final record */
    bool reported;
    bool progress_waits;
    uint64_t progress_at; /* monotonic ns of the last progress record */
    uint64_t progress_seq;
};

struct tasks {
    char *path;
    struct tasks_callbacks cb;
    void *ctx;
    struct execution **v; /* in order of acceptance */
    size_t n;
    int64_t revision;
    uint64_t acked;
};

static bool ended(enum wire_execution_state s)
{
    return s == WIRE_EXECUTION_STATE_DONE || s == WIRE_EXECUTION_STATE_FAILED || s == WIRE_EXECUTION_STATE_CANCELLED ||
           s == WIRE_EXECUTION_STATE_REFUSED;
}

static bool running(const struct execution *e)
{
    return e->state == WIRE_EXECUTION_STATE_RUNNING || e->state == WIRE_EXECUTION_STATE_CANCELLING;
}

static struct execution *find(const struct tasks *t, struct uuid id)
{
    for (size_t i = 0; i < t->n; i++)
        if (uuid_eq(t->v[i]->id, id))
            return t->v[i];
    return NULL;
}

static void execution_free(struct execution *e)
{
    arena_free(&e->a);
    free(e);
}

static struct execution *execution_new(struct tasks *t, struct uuid id)
{
    struct execution *e = must_alloc(sizeof(*e));
    e->id = id;
    e->a = arena_new(256 * 1024);
    e->state = WIRE_EXECUTION_STATE_PENDING;
    e->last.execution_id = id;
    e->last.state = e->state;
    t->v = must_realloc(t->v, (t->n + 1) * sizeof(struct execution *));
    t->v[t->n++] = e;
    return e;
}

static void forget(struct tasks *t, size_t i)
{
    execution_free(t->v[i]);
    memmove(&t->v[i], &t->v[i + 1], (t->n - i - 1) * sizeof(struct execution *));
    t->n--;
}

/* --- the file */

static enum rc save(const struct tasks *t)
{
    struct strbuf b;
    struct json_writer w;
    strbuf_init(&b, FILE_MAX);
    json_start(&w, &b);
    json_object_open(&w);
    json_key(&w, "revision");
    json_int(&w, t->revision);
    json_key(&w, "executions");
    json_array_open(&w);
    for (size_t i = 0; i < t->n; i++) {
        const struct execution *e = t->v[i];
        json_object_open(&w);
        json_key(&w, "id");
        json_uuid(&w, e->id);
        json_key(&w, "runs");
        json_int(&w, e->runs);
        json_key(&w, "cancel");
        json_bool(&w, e->cancel);
        if (ended(e->state)) {
            json_key(&w, "report_id");
            json_uuid(&w, e->report_id);
            json_key(&w, "reported");
            json_bool(&w, e->reported);
        } else {
            json_key(&w, "task");
            wire_task_encode(&w, &e->task);
        }
        json_key(&w, "last");
        wire_body_execution_encode(&w, &e->last);
        json_object_close(&w);
    }
    json_array_close(&w);
    json_object_close(&w);
    strbuf_add_char(&b, '\n');
    enum rc rc = b.over ? RC_UNAVAILABLE : file_write(t->path, strbuf_slice(&b), 0600);
    strbuf_done(&b);
    return rc;
}

static void load_one(struct tasks *t, struct arena *a, const json_t *v)
{
    const json_t *id = json_object_get(v, "id"), *task = json_object_get(v, "task"), *last = json_object_get(v, "last");
    const json_t *report = json_object_get(v, "report_id");
    struct decode_error err;
    struct wire_task parsed;
    struct wire_body_execution body;
    struct uuid u;
    if (!json_is_string(id) || !uuid_parse(slice_of(json_string_value(id)), &u) || find(t, u) || !last ||
        wire_body_execution_decode(a, last, &body, &err) != RC_OK)
        return;
    if (!ended(body.state) && (!task || wire_task_decode(a, task, &parsed, &err) != RC_OK))
        return;
    struct execution *e = execution_new(t, u);
    /* decoded again, into the execution's own arena */
    if (wire_body_execution_parse(e->a, json_text(a, last), &e->last, &err) != RC_OK)
        e->last = (struct wire_body_execution){.execution_id = u, .state = body.state};
    e->state = e->last.state;
    if (e->state == WIRE_EXECUTION_STATE_UNKNOWN)
        e->state = e->last.state = WIRE_EXECUTION_STATE_PENDING;
    if (!ended(e->state) && wire_task_parse(e->a, json_text(a, task), &e->task, &err) != RC_OK)
        e->state = WIRE_EXECUTION_STATE_REFUSED;
    e->runs = (int)json_integer_value(json_object_get(v, "runs"));
    e->cancel = json_is_true(json_object_get(v, "cancel"));
    e->reported = json_is_true(json_object_get(v, "reported"));
    if (!report || !uuid_parse(slice_of(json_string_value(report)), &e->report_id))
        e->report_id = uuid_new();
}

static void load(struct tasks *t)
{
    struct arena *a = arena_new(FILE_MAX * 8);
    struct slice text;
    struct json_error err;
    struct json_limits limits = {FILE_MAX, 16, 200000};
    const json_t *v = NULL;
    if (file_read(a, t->path, FILE_MAX, &text) == RC_OK)
        v = json_parse(a, text, limits, &err);
    const json_t *list = json_object_get(v, "executions");
    if (json_is_array(list)) {
        json_int_t revision = json_integer_value(json_object_get(v, "revision"));
        t->revision = revision > 0 ? revision : 0;
        for (size_t i = 0; i < json_array_size(list); i++)
            load_one(t, a, json_array_get(list, i));
    }
    arena_free(&a);
}

struct tasks *tasks_new(const char *path, const struct tasks_callbacks *cb, void *ctx)
{
    struct tasks *t = must_alloc(sizeof(*t));
    t->path = must_strdup(path);
    t->cb = *cb;
    t->ctx = ctx;
    load(t);
    return t;
}

void tasks_free(struct tasks **tp)
{
    struct tasks *t = *tp;
    if (!t)
        return;
    *tp = NULL;
    for (size_t i = 0; i < t->n; i++)
        execution_free(t->v[i]);
    free(t->v);
    free(t->path);
    free(t);
}

int64_t tasks_revision(const struct tasks *t)
{
    return t->revision;
}

size_t tasks_unfinished(const struct tasks *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        n += !ended(t->v[i]->state) || !t->v[i]->reported;
    return n;
}

/* --- ends and reports */

static void report_end(struct tasks *t, struct execution *e)
{
    uint64_t seq;
    e->reported = t->cb.report(t->ctx, e->report_id, &e->last, true, &seq) == RC_OK;
}

/* The end of an execution: saved first, then reported, so a crash between the two reports it later under the same id.
 */
static void finish(struct tasks *t, struct execution *e, enum wire_execution_state state, const char *code)
{
    e->state = e->last.state = state;
    if (code)
        e->last.result_code = slice_of(code);
    e->progress_waits = false;
    e->report_id = uuid_new();
    e->reported = false;
    if (save(t) != RC_OK)
        ev_warn(AREA_AGENT, "executions not saved", EV_STR("file", t->path));
    report_end(t, e);
}

static bool heavy(enum wire_task_type type)
{
    return type == WIRE_TASK_TYPE_SCAN || type == WIRE_TASK_TYPE_UPDATE_MODULES;
}

/* Starts what waits: scans and updates one at a time, the rest at once. */
static void start_waiting(struct tasks *t)
{
    bool busy = false;
    for (size_t i = 0; i < t->n; i++)
        busy = busy || (running(t->v[i]) && heavy(t->v[i]->task.type));
    for (size_t i = 0; i < t->n; i++) {
        struct execution *e = t->v[i];
        if (e->state != WIRE_EXECUTION_STATE_PENDING)
            continue;
        if (e->task.type == WIRE_TASK_TYPE_UNKNOWN) {
            finish(t, e, WIRE_EXECUTION_STATE_REFUSED, "task_unknown");
            continue;
        }
        if (busy && heavy(e->task.type))
            continue;
        enum wire_execution_state before = e->state;
        e->state = e->last.state = WIRE_EXECUTION_STATE_RUNNING;
        e->runs++;
        if (save(t) != RC_OK) { /* later: it must not run without being known to have run */
            e->state = e->last.state = before;
            e->runs--;
            return;
        }
        busy = busy || heavy(e->task.type);
        e->progress_waits = true;
        t->cb.start(t->ctx, &e->task);
    }
}

void tasks_resume(struct tasks *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct execution *e = t->v[i];
        if (ended(e->state)) {
            if (!e->reported)
                report_end(t, e);
        } else if (running(e)) {
            if (e->cancel)
                finish(t, e, WIRE_EXECUTION_STATE_CANCELLED, "interrupted");
            else if (e->task.type == WIRE_TASK_TYPE_SHOW_MESSAGE || e->runs >= RUNS_MAX)
                finish(t, e, WIRE_EXECUTION_STATE_FAILED, "interrupted"); /* shown twice is worse than not told */
            else
                e->state = e->last.state = WIRE_EXECUTION_STATE_PENDING;
        }
    }
    start_waiting(t);
}

/* --- the server's list */

static void accept_task(struct tasks *t, const struct wire_task *task)
{
    struct execution *e = execution_new(t, task->execution_id);
    /* through its text: the list's memory is the answer's */
    struct strbuf b;
    struct json_writer w;
    struct decode_error err;
    strbuf_init_arena(&b, e->a, 128 * 1024);
    json_start(&w, &b);
    wire_task_encode(&w, task);
    if (wire_task_parse(e->a, strbuf_slice(&b), &e->task, &err) != RC_OK)
        e->task = (struct wire_task){.execution_id = task->execution_id};
    e->listed = true;
    e->cancel = task->cancel;
}

/* Executions that have ended are remembered for a while, so that an old list cannot start them again. */
static void drop_old(struct tasks *t)
{
    size_t kept = 0;
    for (size_t i = t->n; i-- > 0;)
        if (ended(t->v[i]->state) && !t->v[i]->listed && t->v[i]->reported && ++kept > ENDED_KEPT)
            forget(t, i);
}

enum rc tasks_list(struct tasks *t, int64_t revision, const struct wire_task *list, size_t n, bool settled)
{
    size_t known = t->n;
    int64_t before = t->revision;
    for (size_t i = 0; i < t->n; i++)
        t->v[i]->listed = false;
    for (size_t i = 0; i < n; i++) {
        struct execution *e = find(t, list[i].execution_id);
        if (e)
            e->listed = true;
        else
            accept_task(t, &list[i]);
    }
    t->revision = revision;
    if (save(t) != RC_OK) {
        while (t->n > known)
            forget(t, t->n - 1);
        t->revision = before;
        return RC_UNAVAILABLE;
    }
    for (size_t i = 0; i < n; i++) {
        struct execution *e = find(t, list[i].execution_id);
        if (!e)
            continue;
        if (ended(e->state)) {
            if (settled && e->reported) {
                e->report_id = uuid_new();
                report_end(t, e);
            }
        } else if (list[i].cancel && e->state == WIRE_EXECUTION_STATE_PENDING) {
            finish(t, e, WIRE_EXECUTION_STATE_CANCELLED, "cancelled");
        } else if (list[i].cancel && e->state == WIRE_EXECUTION_STATE_RUNNING) {
            e->cancel = true;
            e->state = WIRE_EXECUTION_STATE_CANCELLING;
            t->cb.cancel(t->ctx, e->id);
        }
    }
    for (size_t i = t->n; i-- > 0;) {
        struct execution *e = t->v[i];
        if (e->listed)
            continue;
        if (e->state == WIRE_EXECUTION_STATE_PENDING) {
            forget(t, i); /* the server has ended it: cancelled or expired */
        } else if (e->state == WIRE_EXECUTION_STATE_RUNNING) {
            e->cancel = true;
            e->state = WIRE_EXECUTION_STATE_CANCELLING;
            t->cb.cancel(t->ctx, e->id);
        }
    }
    drop_old(t);
    start_waiting(t);
    return RC_OK;
}

/* --- progress */

void tasks_progress(struct tasks *t, const struct protect_progress *p)
{
    struct execution *e = find(t, p->execution_id);
    if (!e || ended(e->state))
        return;
    struct wire_body_execution *b = &e->last;
    b->progress = p->progress < 0 ? 0 : p->progress > 100 ? 100 : p->progress;
    b->has_files_scanned = p->files_scanned >= 0;
    b->files_scanned = p->files_scanned;
    b->has_files_total = p->files_total >= 0;
    b->files_total = p->files_total;
    b->has_found = p->found >= 0;
    b->found = p->found;
    if (!ended(p->state)) {
        e->progress_waits = true;
        return;
    }
    if (p->result_code)
        b->result_code = slice_of(arena_strdup(e->a, p->result_code));
    b->result_args = ARENA_ARRAY(e->a, struct slice, p->n_result_args ? p->n_result_args : 1);
    b->n_result_args = 0;
    for (size_t i = 0; i < p->n_result_args && i < 8; i++)
        b->result_args[b->n_result_args++] = slice_of(arena_strdup(e->a, p->result_args[i]));
    finish(t, e, p->state, NULL);
    start_waiting(t);
}

void tasks_acked(struct tasks *t, uint64_t seq)
{
    t->acked = seq;
    if (seq != UINT64_MAX)
        return;
    t->acked = 0;
    for (size_t i = 0; i < t->n; i++)
        t->v[i]->progress_seq = 0;
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

int tasks_tick(struct tasks *t, usec_t now)
{
    uint64_t mono = clock_mono_ns();
    int wait = -1;
    for (size_t i = 0; i < t->n; i++) {
        struct execution *e = t->v[i];
        if (ended(e->state)) {
            if (!e->reported)
                report_end(t, e);
            if (!e->reported)
                wait = sooner(wait, RETRY_MS);
            continue;
        }
        if (e->state == WIRE_EXECUTION_STATE_PENDING && e->task.expires_at && now > e->task.expires_at) {
            finish(t, e, WIRE_EXECUTION_STATE_FAILED, "expired");
            continue;
        }
        if (!running(e) || !e->progress_waits || (e->progress_seq && e->progress_seq > t->acked))
            continue; /* while the last record waits there is no use in another: the next one will be newer */
        if (e->progress_at && mono - e->progress_at < PROGRESS_NS) {
            wait = sooner(wait, (int)((PROGRESS_NS - (mono - e->progress_at)) / 1000000) + 1);
            continue;
        }
        uint64_t seq;
        if (t->cb.report(t->ctx, uuid_new(), &e->last, false, &seq) == RC_OK) {
            e->progress_waits = false;
            e->progress_at = mono ? mono : 1;
            e->progress_seq = seq;
        } else {
            wait = sooner(wait, RETRY_MS);
        }
    }
    start_waiting(t);
    for (size_t i = 0; i < t->n; i++) /* waiting for their turn, or for the disk */
        if (t->v[i]->state == WIRE_EXECUTION_STATE_PENDING)
            wait = sooner(wait, RETRY_MS);
    return wait;
}

void tasks_write(const struct tasks *t, struct json_writer *w)
{
    json_array_open(w);
    for (size_t i = 0; i < t->n; i++) {
        const struct execution *e = t->v[i];
        if (ended(e->state) && i + 10 < t->n)
            continue;
        json_object_open(w);
        json_key(w, "execution_id");
        json_uuid(w, e->id);
        if (!ended(e->state)) {
            json_key(w, "type");
            json_str(w, slice_of(wire_task_type_text(e->task.type)));
        }
        json_key(w, "state");
        json_str(w, slice_of(wire_execution_state_text(e->state)));
        json_key(w, "progress");
        json_int(w, e->last.progress);
        if (e->last.result_code.n) {
            json_key(w, "result_code");
            json_str(w, e->last.result_code);
        }
        json_object_close(w);
    }
    json_array_close(w);
}
