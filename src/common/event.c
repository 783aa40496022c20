/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - one log record = one line of JSON = one write(2), made on the stack: logging must work when memory is
 * short, and must not call what may log. A value that would make the line too long is cut, the line stays valid JSON.
 */
#include "common/event.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_SIZE    8192
#define VALUE_LIMIT  2048 /* bytes of one value, before escapes */
#define FIELDS_LIMIT 12
#define TAIL         (sizeof("\"}\n"))

static const char *const levels[] = {"debug", "info", "warn", "error"};
static const char *const areas[] = {"edge",  "identity", "tenant", "quota", "handler", "store",
                                    "cache", "worker",   "server", "agent", "ctl",     "sim"};

_Static_assert(sizeof(areas) / sizeof(areas[0]) == AREA_COUNT, "each area has a name");

static int log_fd = STDERR_FILENO;
static enum event_level least_level = EVENT_INFO;
static _Atomic unsigned debug_areas;
static _Atomic unsigned traced_areas; /* those that are in traces[] */
static pthread_mutex_t traces_lock = PTHREAD_MUTEX_INITIALIZER;
static struct event_trace traces[EVENT_TRACES_MAX];
static size_t n_traces;
static _Thread_local const char *thread_trace;
static _Thread_local const char *thread_tenant;

struct line {
    size_t n;
    char p[LINE_SIZE];
};

static bool room(const struct line *l, size_t n)
{
    return n + TAIL <= sizeof(l->p) - l->n;
}

static void put(struct line *l, const char *s)
{
    size_t n = strlen(s);

    if (room(l, n)) {
        memcpy(l->p + l->n, s, n);
        l->n += n;
    }
}

/* One character of s at at, escaped into out; what is not UTF-8, and NUL, becomes U+FFFD. Returns its size in s. */
static size_t escape(struct slice s, size_t at, char out[8], size_t *ret_n)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char c = (unsigned char)s.p[at];
    size_t n = slice_utf8_at(s, at);

    if (n == 0 || c == 0) {
        memcpy(out, "\xEF\xBF\xBD", 3);
        *ret_n = 3;
        return 1;
    }
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        *ret_n = 2;
    } else if (c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)s.p[at + 1] < 0xA0)) {
        if (n == 2)
            c = (unsigned char)s.p[at + 1]; /* C1 controls: terminals obey them too */
        memcpy(out, "\\u00", 4);
        out[4] = digits[c >> 4];
        out[5] = digits[c & 15];
        *ret_n = 6;
    } else {
        memcpy(out, s.p + at, n);
        *ret_n = n;
    }
    return n;
}

static void put_escaped(struct line *l, struct slice s)
{
    struct slice shown = slice_utf8_head(s, VALUE_LIMIT);
    char one[8];
    size_t n;

    for (size_t at = 0; at < shown.n;) {
        at += escape(shown, at, one, &n);
        if (!room(l, n))
            return;
        memcpy(l->p + l->n, one, n);
        l->n += n;
    }
}

static void put_string(struct line *l, const char *key, struct slice value)
{
    if (!room(l, strlen(key) + sizeof(",\"\":\"\"")))
        return;
    put(l, ",\"");
    put(l, key);
    put(l, "\":\"");
    put_escaped(l, value);
    l->p[l->n++] = '"'; /* room() leaves space for it */
}

static void put_field(struct line *l, const struct event_field *f)
{
    char number[96];

    switch (f->type) {
    case EVENT_STR:
        put_string(l, f->key, f->str ? slice_of(f->str) : SLICE("-"));
        break;
    case EVENT_SLICE:
        put_string(l, f->key, slice_mem(f->str, f->n));
        break;
    case EVENT_INT:
        snprintf(number, sizeof(number), ",\"%.60s\":%lld", f->key, (long long)f->num);
        put(l, number);
        break;
    }
}

static void write_out(const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(log_fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nowhere to complain */
        p += done;
        n -= (size_t)done;
    }
}

void event_write(enum event_level level, enum event_area area, const char *msg, const struct event_field *fields)
{
    int saved = errno; /* callers log first and look at errno then */
    char time[CLOCK_RFC3339_SIZE];
    struct line l;

    if (level < least_level && !(level == EVENT_DEBUG && event_debug_on(area)))
        return;
    l.n = 0;
    put(&l, "{\"time\":\"");
    put(&l, clock_rfc3339(clock_now(), time));
    put(&l, "\"");
    put_string(&l, "level", slice_of(levels[level]));
    put_string(&l, "area", slice_of(areas[area]));
    put_string(&l, "msg", slice_of(msg));
    if (thread_trace)
        put_string(&l, "trace", slice_of(thread_trace));
    if (thread_tenant)
        put_string(&l, "tenant", slice_of(thread_tenant));
    for (int i = 0; i < FIELDS_LIMIT && fields[i].key; i++)
        put_field(&l, &fields[i]);
    l.p[l.n++] = '}';
    l.p[l.n++] = '\n';
    write_out(l.p, l.n);
    errno = saved;
}

void event_setup(enum event_level least, const char *file_or_null)
{
    int fd;

    least_level = least;
    if (!file_or_null)
        return;
    fd = open(file_or_null, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        ev_error(AREA_SERVER, "cannot open the log file, staying on standard error", EV_STR("file", file_or_null),
                 EV_INT("errno", errno));
        return;
    }
    if (log_fd != STDERR_FILENO)
        close(log_fd);
    log_fd = fd;
}

/* ---- debug lines for a time */

static void note_areas_locked(void)
{
    unsigned on = 0;

    for (size_t i = 0; i < n_traces; i++)
        on |= 1U << traces[i].area;
    atomic_store(&traced_areas, on);
}

static bool traced(enum event_area area)
{
    struct event_trace ended[EVENT_TRACES_MAX];
    usec_t now = clock_now();
    size_t kept = 0, n_ended = 0;
    bool found = false;

    pthread_mutex_lock(&traces_lock);
    for (size_t i = 0; i < n_traces; i++) {
        const struct event_trace *t = &traces[i];

        if (t->until <= now) {
            ended[n_ended++] = *t;
            continue;
        }
        found =
            found || (t->area == area && (!t->tenant[0] || (thread_tenant && strcmp(t->tenant, thread_tenant) == 0)));
        traces[kept++] = *t;
    }
    n_traces = kept;
    if (n_ended)
        note_areas_locked();
    pthread_mutex_unlock(&traces_lock);
    for (size_t i = 0; i < n_ended; i++)
        ev_info(AREA_SERVER, "debug lines ended", EV_STR("of", areas[ended[i].area]),
                EV_STR("for", ended[i].tenant[0] ? ended[i].tenant : "all"));
    return found;
}

void event_trace_set(const struct event_trace *list, size_t n)
{
    pthread_mutex_lock(&traces_lock);
    n_traces = n < EVENT_TRACES_MAX ? n : EVENT_TRACES_MAX;
    if (n_traces)
        memcpy(traces, list, n_traces * sizeof(*list));
    note_areas_locked();
    pthread_mutex_unlock(&traces_lock);
}

const char *event_area_name(enum event_area area)
{
    return areas[area];
}

bool event_area_parse(struct slice name, enum event_area *ret)
{
    for (int a = 0; a < AREA_COUNT; a++)
        if (slice_eq(name, slice_of(areas[a]))) {
            *ret = (enum event_area)a;
            return true;
        }
    return false;
}

bool event_debug_any(enum event_area area)
{
    unsigned areas_on = atomic_load_explicit(&debug_areas, memory_order_relaxed) |
                        atomic_load_explicit(&traced_areas, memory_order_relaxed);

    return least_level == EVENT_DEBUG || (areas_on >> area & 1);
}

bool event_debug_on(enum event_area area)
{
    if (least_level == EVENT_DEBUG || (atomic_load_explicit(&debug_areas, memory_order_relaxed) >> area & 1))
        return true;
    return (atomic_load_explicit(&traced_areas, memory_order_relaxed) >> area & 1) && traced(area);
}

void event_debug_set(enum event_area area, bool on)
{
    if (on)
        atomic_fetch_or(&debug_areas, 1U << area);
    else
        atomic_fetch_and(&debug_areas, ~(1U << area));
}

void event_thread_context(const char *trace_id, const char *tenant)
{
    thread_trace = trace_id;
    thread_tenant = tenant;
}
