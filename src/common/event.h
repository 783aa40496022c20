/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - structured logs: one JSON line each on stderr, or in a file. An event context inherits the fields of its
 * parent (process -> connection -> call). Never log tokens, bodies, passwords or SQL parameters. Thread-safe; contexts
 * themselves belong to one owner. */
#ifndef SEKISHO_EVENT_H
#define SEKISHO_EVENT_H

#include "common/clock.h"
#include "common/id.h"
#include "common/rc.h"

enum event_level { EVENT_DEBUG, EVENT_INFO, EVENT_WARN, EVENT_ERROR };

enum event_area {
    AREA_EDGE,
    AREA_IDENTITY,
    AREA_TENANT,
    AREA_QUOTA,
    AREA_HANDLER,
    AREA_STORE,
    AREA_CACHE,
    AREA_WORKER,
    AREA_SERVER,
    AREA_AGENT,
    AREA_CTL,
    AREA_SIM,
    AREA_COUNT
};

struct event_field {
    const char *key;
    enum { EVENT_STR, EVENT_INT, EVENT_SLICE } type;
    const char *str;
    size_t n;
    int64_t num;
};

#define EV_STR(k, v)   ((struct event_field){.key = (k), .type = EVENT_STR, .str = (v)})
#define EV_SLICE(k, v) ((struct event_field){.key = (k), .type = EVENT_SLICE, .str = (v).p, .n = (v).n})
#define EV_INT(k, v)   ((struct event_field){.key = (k), .type = EVENT_INT, .num = (int64_t)(v)})
#define EV_RC(v)       EV_STR("rc", rc_name(v))

/* The usual form: ev_warn(AREA_STORE, "connection lost", EV_STR("slice", s), EV_RC(rc)); at most 12 fields. */
#define ev_log(level, area, msg, ...) \
    event_write((level), (area), (msg), (struct event_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define ev_debug(area, msg, ...) \
    (event_debug_on(area) ? ev_log(EVENT_DEBUG, area, msg __VA_OPT__(, ) __VA_ARGS__) : (void)0)
#define ev_info(area, msg, ...)  ev_log(EVENT_INFO, area, msg __VA_OPT__(, ) __VA_ARGS__)
#define ev_warn(area, msg, ...)  ev_log(EVENT_WARN, area, msg __VA_OPT__(, ) __VA_ARGS__)
#define ev_error(area, msg, ...) ev_log(EVENT_ERROR, area, msg __VA_OPT__(, ) __VA_ARGS__)

void event_write(enum event_level level, enum event_area area, const char *msg, const struct event_field *fields);
void event_setup(enum event_level least, const char *file_or_null); /* before threads start */
bool event_debug_on(enum event_area area);
bool event_debug_any(enum event_area area);          /* for some work, if not for this thread's at the moment */
void event_debug_set(enum event_area area, bool on); /* any thread, at any time */

/* Debug lines of an area until a time, of one tenant's work (as event_thread_context says) or of all: each ends by
 * itself. Replaces what was set before; any thread, at any time. */
#define EVENT_TRACES_MAX 64
struct event_trace {
    enum event_area area;
    char tenant[41]; /* its id; "": all */
    usec_t until;
};
void event_trace_set(const struct event_trace *list, size_t n);
const char *event_area_name(enum event_area area);
bool event_area_parse(struct slice name, enum event_area *ret);

/* Fields that every line of this thread carries from now on (trace id, tenant); strings must outlive the work. */
void event_thread_context(const char *trace_id, const char *tenant);

#endif
