/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - what the protection part and the tasks say, into the journal; and the files that they ask for, from the
 * server. */
#include "agent/agent.h"
#include "common/event.h"
#include "common/must.h"
#include "common/strbuf.h"
#include <stdlib.h>
#include <unistd.h>

#define URGENT_MS 40 /* a burst goes together; the server is told within 200 ms */
#define SOON_MS   2000

static enum journal_priority priority_of(enum wire_event_kind kind)
{
    switch (kind) {
    case WIRE_EVENT_KIND_DETECTION:
        return JOURNAL_DETECTION;
    case WIRE_EVENT_KIND_QUARANTINE:
    case WIRE_EVENT_KIND_EXECUTION:
        return JOURNAL_HIGH;
    case WIRE_EVENT_KIND_SCAN:
        return JOURNAL_NORMAL;
    default:
        return JOURNAL_LOW;
    }
}

/* The text as the server's parser writes it, so that both sides hash the same bytes; NULL-slice when it is not an
 * object. */
static struct slice canonical(struct arena *a, struct slice body)
{
    struct json_error e;
    const json_t *v = json_parse(a, body, (struct json_limits){JOURNAL_BODY_MAX, 16, 2000}, &e);
    return json_is_object(v) ? json_text(a, v) : SLICE_NONE;
}

/* Times of events are the system's; a clock that is far off is corrected by what the server said. */
static usec_t corrected(const struct agent *a, usec_t occurred)
{
    return occurred + (agent_now(a) - clock_now());
}

static enum rc on_event(void *ctx, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t occurred,
                        bool urgent)
{
    struct agent *a = ctx;
    if (uuid_is_nil(id))
        id = uuid_new();
    if (journal_knows(a->journal, id))
        return RC_OK;
    if (kind == WIRE_EVENT_KIND_UNKNOWN)
        return RC_INVALID;
    struct arena *m = arena_new(1 << 20);
    struct slice text = canonical(m, body);
    uint64_t seq;
    enum rc rc = RC_INVALID;
    if (text.n)
        rc = journal_append(a->journal, slice_of(wire_event_kind_text(kind)), priority_of(kind), id,
                            corrected(a, occurred), text, &seq);
    arena_free(&m);
    if (rc == RC_OK)
        agent_due(a, urgent ? WIRE_REASON_URGENT : WIRE_REASON_SPOOL, urgent ? URGENT_MS : SOON_MS);
    else
        ev_error(AREA_AGENT, "an event cannot be recorded", EV_STR("kind", wire_event_kind_text(kind)), EV_RC(rc));
    return rc;
}

static void on_change(void *ctx)
{
    struct agent *a = ctx;
    a->protection_changed = true;
}

static void on_progress(void *ctx, const struct protect_progress *p)
{
    struct agent *a = ctx;
    tasks_progress(a->tasks, p);
    a->status_at = a->status_at ? a->status_at : ms_now() + 500;
}

/* --- files of the module mirror */

static void download_end(struct download *d, enum rc rc, int status)
{
    struct agent *a = d->agent;
    for (struct download **at = &a->downloads; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    close(d->fd);
    protect_fetched(a->protect, d->request, rc, status);
    free(d);
}

static void downloaded(void *ctx, const struct http_answer *answer)
{
    struct download *d = ctx;
    enum rc rc = RC_UNAVAILABLE;
    if (answer->trouble == HTTP_FINE)
        rc = answer->status == 200 ? RC_OK : answer->status == 404 ? RC_NOT_FOUND : RC_UNAVAILABLE;
    else if (answer->trouble == HTTP_TOO_LARGE)
        rc = RC_INVALID;
    if (rc != RC_OK)
        ev_warn(AREA_AGENT, "a module file did not come", EV_INT("status", answer->status),
                EV_STR("error", answer->error));
    download_end(d, rc, answer->status);
}

static bool plain_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || (c == '.' && i > 0)))
            return false;
    }
    return name.n > 0 && name.n <= 100;
}

static void on_fetch(void *ctx, uint64_t request, const char *name, int fd, uint64_t limit)
{
    struct agent *a = ctx;
    struct download *d = must_alloc(sizeof(*d));
    *d = (struct download){.agent = a, .next = a->downloads, .request = request, .fd = fd};
    a->downloads = d;
    /* While dates of certificates are not looked at, no other connection is made. */
    if (!plain_name(slice_of(name)) || a->phase != PHASE_ONLINE || a->errand == ERRAND_TIME) {
        download_end(d, plain_name(slice_of(name)) ? RC_UNAVAILABLE : RC_INVALID, 0);
        return;
    }
    char path[160];
    snprintf(path, sizeof(path), "/agent/v1/modules/%s", name);
    d->http = http_download(a->http, path, fd, limit, downloaded, d);
}

void events_abort_downloads(struct agent *a)
{
    while (a->downloads)
        download_end(a->downloads, RC_UNAVAILABLE, 0);
}

const struct protect_callbacks agent_protect_callbacks = {
    .on_event = on_event, .on_change = on_change, .on_progress = on_progress, .fetch = on_fetch};

/* --- tasks */

static void task_start(void *ctx, const struct wire_task *task)
{
    struct agent *a = ctx;
    char id[UUID_TEXT_SIZE];
    ev_info(AREA_AGENT, "task starts", EV_STR("execution", uuid_text(task->execution_id, id)),
            EV_STR("type", wire_task_type_text(task->type)));
    protect_task(a->protect, task);
}

static void task_cancel(void *ctx, struct uuid execution_id)
{
    struct agent *a = ctx;
    if (protect_runs(a->protect, execution_id)) {
        protect_cancel(a->protect, execution_id);
        return;
    }
    struct protect_progress gone = {.execution_id = execution_id,
                                    .state = WIRE_EXECUTION_STATE_CANCELLED,
                                    .files_scanned = -1,
                                    .files_total = -1,
                                    .found = -1,
                                    .result_code = "cancelled"};
    tasks_progress(a->tasks, &gone);
}

static enum rc task_report(void *ctx, struct uuid id, const struct wire_body_execution *body, bool final,
                           uint64_t *ret_seq)
{
    struct agent *a = ctx;
    *ret_seq = journal_head(a->journal);
    if (journal_knows(a->journal, id))
        return RC_OK;
    struct strbuf b;
    struct json_writer w;
    strbuf_init(&b, JOURNAL_BODY_MAX);
    json_start(&w, &b);
    wire_body_execution_encode(&w, body);
    struct arena *m = arena_new(1 << 20);
    struct slice text = b.over ? SLICE_NONE : canonical(m, strbuf_slice(&b));
    enum rc rc = RC_INVALID;
    if (text.n)
        rc = journal_append(a->journal, slice_of(wire_event_kind_text(WIRE_EVENT_KIND_EXECUTION)),
                            final ? JOURNAL_HIGH : JOURNAL_LOW, id, agent_now(a), text, ret_seq);
    arena_free(&m);
    strbuf_done(&b);
    if (rc == RC_OK)
        agent_due(a, WIRE_REASON_PROGRESS, final ? URGENT_MS : 0);
    return rc;
}

const struct tasks_callbacks agent_tasks_callbacks = {
    .start = task_start, .cancel = task_cancel, .report = task_report};
