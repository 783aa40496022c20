/* SPDX-License-Identifier: Apache-2.0 */
/* incident.c - see incident.h. The order is the point: copy on the disk, event in the journal, original removed, event
 * of the quarantine, copy renamed. Each step can be repeated after a crash: the events' ids come from the copy's id. */
#define _GNU_SOURCE
#include "agent/incident.h"
#include "common/event.h"
#include "common/json.h"
#include "wire/agent.gen.h"
#include <errno.h>
#include <pwd.h>
#include <strings.h>
#include <unistd.h>

#define ARENA     (1024 * 1024)
#define BODY_SIZE 32768

static const struct {
    const char *part; /* anywhere in the name, any case */
    bool start;       /* only at its start */
    enum wire_detection_type type;
    enum wire_severity severity;
} classes[] = {
    {"eicar", false, WIRE_DETECTION_TYPE_TEST, WIRE_SEVERITY_WARNING},
    {"test.", true, WIRE_DETECTION_TYPE_TEST, WIRE_SEVERITY_WARNING},
    {"pua.", true, WIRE_DETECTION_TYPE_UNWANTED, WIRE_SEVERITY_WARNING},
    {"heuristics.", true, WIRE_DETECTION_TYPE_SUSPICIOUS, WIRE_SEVERITY_WARNING},
};

void incident_classify(const char *engine_name, char ret_name[200], enum wire_detection_type *ret_type,
                       enum wire_severity *ret_severity)
{
    struct slice s = slice_of(engine_name), tail = SLICE(".UNOFFICIAL");
    if (slice_ends(s, tail))
        s.n -= tail.n;
    if (s.n > 199)
        s.n = 199;
    memcpy(ret_name, s.p, s.n);
    ret_name[s.n] = '\0';
    *ret_type = WIRE_DETECTION_TYPE_MALWARE;
    *ret_severity = WIRE_SEVERITY_CRITICAL;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        const char *at = strcasestr(ret_name, classes[i].part);
        if (at && (!classes[i].start || at == ret_name)) {
            *ret_type = classes[i].type;
            *ret_severity = classes[i].severity;
            return;
        }
    }
}

struct slice incident_text(struct arena *a, struct slice s, size_t max)
{
    static const char unknown[] = "\xef\xbf\xbd";
    char *out = arena_alloc(a, max + 1);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        unsigned char c = (unsigned char)s.p[at];
        size_t step = c < 0x80 ? 1 : slice_utf8_at(s, at);
        bool bad = step == 0 || c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s.p[at + 1] < 0xa0);
        const char *from = bad ? unknown : s.p + at;
        size_t add = bad ? 3 : step;
        if (n + add > max)
            break;
        memcpy(out + n, from, add);
        n += add;
        at += step ? step : 1;
    }
    return slice_mem(out, n);
}

/* The same for a field that may be absent. */
static struct slice text_or_none(struct arena *a, const char *s, size_t max)
{
    return s && s[0] ? incident_text(a, slice_of(s), max) : SLICE_NONE;
}

void incident_user(uid_t uid, char ret[100])
{
    struct passwd pw, *found = NULL;
    char b[4096];
    if (getpwuid_r(uid, &pw, b, sizeof(b), &found) == 0 && found)
        snprintf(ret, 100, "%s", pw.pw_name);
    else
        snprintf(ret, 100, "%u", (unsigned)uid);
}

bool incident_path(int fd, char ret[4096])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, ret, 4095);
    ret[n < 0 ? 0 : n] = '\0';
    return n > 0 && ret[0] == '/';
}

static struct slice detection_body(struct arena *a, const struct incident *i, enum wire_detection_action action,
                                   const char *error, struct slice sha256, int64_t size)
{
    struct wire_body_detection d = {0};
    char name[200];
    incident_classify(i->name, name, &d.type, &d.severity);
    d.name = incident_text(a, slice_of(name), 200);
    d.scanner = i->scanner;
    d.action = action;
    d.action_error = text_or_none(a, error, 200);
    d.object = incident_text(a, slice_of(i->path), 4096);
    d.sha256 = sha256;
    d.size = size;
    d.has_size = size >= 0;
    d.process = text_or_none(a, i->process, 4096);
    d.user = text_or_none(a, i->user, 100);
    d.engine = text_or_none(a, i->engine.name, 40);
    d.engine_version = text_or_none(a, i->engine.version, 40);
    d.signature_version = text_or_none(a, i->engine.signatures, 40);
    d.execution_id = i->execution;
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, a, BODY_SIZE);
    json_start(&w, &b);
    wire_body_detection_encode(&w, &d);
    return strbuf_slice(&b);
}

static struct slice quarantine_body(struct arena *a, const struct quarantine_item *item)
{
    struct wire_body_quarantine q = {.change = WIRE_QUARANTINE_CHANGE_ADDED,
                                     .id = item->id,
                                     .name = incident_text(a, item->name, 200),
                                     .object = incident_text(a, item->object, 4096),
                                     .sha256 = item->sha256,
                                     .size = item->size};
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, a, BODY_SIZE);
    json_start(&w, &b);
    wire_body_quarantine_encode(&w, &q);
    return strbuf_slice(&b);
}

static void offer(const struct incidents *s, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t at)
{
    if (uplink_event(s->uplink, id, kind, body, at, kind == WIRE_EVENT_KIND_DETECTION) != RC_OK)
        ev_error(AREA_AGENT, "event too large", EV_STR("kind", wire_event_kind_text(kind)));
}

/* The id of the event that follows one about the same copy: a repetition must find the same. */
static struct uuid next_id(struct uuid id)
{
    id.b[15] ^= 1;
    return id;
}

/* The detection is in the journal: remove the original, say so, keep the copy. */
static bool finish(const struct incidents *s, struct arena *a, const struct quarantine_item *item)
{
    char why[200] = "", path[4096];
    snprintf(path, sizeof(path), SLICE_FMT, SLICE_ARG(item->object));
    enum rc rc = quarantine_unlink(path, item->dev, item->ino, why, sizeof(why));
    if (rc != RC_OK && rc != RC_NOT_FOUND) {
        /* Looked possible a moment ago. The detection said it was done, so its failure must be told as well. */
        struct wire_body_audit au = {.action = SLICE("quarantine_failed"),
                                     .detail =
                                         incident_text(a, slice_of(arena_printf(a, "%.300s: %.150s", path, why)), 500)};
        struct strbuf b;
        struct json_writer w;
        strbuf_init_arena(&b, a, BODY_SIZE);
        json_start(&w, &b);
        wire_body_audit_encode(&w, &au);
        offer(s, next_id(item->id), WIRE_EVENT_KIND_AUDIT, strbuf_slice(&b), clock_now());
        quarantine_abort(s->quarantine, item->id);
        ev_warn(AREA_AGENT, "file not removed", EV_STR("object", path), EV_STR("reason", why));
        return false;
    }
    offer(s, next_id(item->id), WIRE_EVENT_KIND_QUARANTINE, quarantine_body(a, item), item->at);
    if (quarantine_commit(s->quarantine, item->id) != RC_OK)
        ev_warn(AREA_AGENT, "quarantined copy stays pending", EV_STR("object", path));
    return true;
}

static struct slice hex(struct arena *a, const struct sha256 *h)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 65);
    strbuf_add_hex(&b, h->b, sizeof(h->b));
    return strbuf_slice(&b);
}

static bool into_quarantine(const struct incidents *s, struct arena *a, const struct incident *i, struct slice sha256,
                            int64_t size, char *why, size_t why_size)
{
    struct quarantine_item item = {.id = uuid_new(),
                                   .object = slice_of(i->path),
                                   .name = slice_of(i->name),
                                   .sha256 = sha256,
                                   .process = slice_of(i->process),
                                   .user = slice_of(i->user),
                                   .scanner = slice_of(wire_scanner_text(i->scanner)),
                                   .at = i->occurred};
    if (!s->quarantine) {
        snprintf(why, why_size, "the quarantine cannot be opened");
        return false;
    }
    char name[200];
    enum wire_detection_type type;
    enum wire_severity severity;
    incident_classify(i->name, name, &type, &severity);
    item.name = slice_of(name);
    item.event = detection_body(a, i, WIRE_DETECTION_ACTION_QUARANTINED, NULL, sha256, size);
    if (quarantine_removable(i->fd, i->path, why, why_size) != RC_OK ||
        quarantine_add(s->quarantine, i->fd, &item, why, why_size) != RC_OK)
        return false;
    offer(s, item.id, WIRE_EVENT_KIND_DETECTION, item.event, i->occurred);
    return finish(s, a, &item);
}

bool incident_handle(const struct incidents *s, const struct incident *i)
{
    struct arena *a = arena_new(ARENA);
    struct sha256 h;
    int64_t size = -1;
    char why[200] = "";
    struct slice sha256 = quarantine_hash(i->fd, &h, &size) == RC_OK ? hex(a, &h) : SLICE_NONE;
    bool clean = i->clean, kept = false;
    struct stat st;
    if (clean && fstat(i->fd, &st) == 0 && st.st_nlink == 0)
        clean = false; /* removed already by whoever made it: nothing is left to move */
    if (clean && sha256.n == 0)
        snprintf(why, sizeof(why), "the file cannot be read");
    else if (clean)
        kept = into_quarantine(s, a, i, sha256, size, why, sizeof(why));
    if (!kept && (!clean || why[0] != '\0')) {
        enum wire_detection_action action = i->refused           ? WIRE_DETECTION_ACTION_BLOCKED
                                            : i->clean && why[0] ? WIRE_DETECTION_ACTION_FAILED
                                                                 : WIRE_DETECTION_ACTION_REPORTED;
        offer(s, uuid_new(), WIRE_EVENT_KIND_DETECTION, detection_body(a, i, action, why, sha256, size), i->occurred);
    }
    arena_free(&a);
    return kept;
}

void incident_recover(const struct incidents *s, const struct quarantine_item *pending, size_t n)
{
    struct arena *a = arena_new(16 * 1024 * 1024);
    for (size_t k = 0; k < n; k++) {
        offer(s, pending[k].id, WIRE_EVENT_KIND_DETECTION, pending[k].event, pending[k].at);
        finish(s, a, &pending[k]);
    }
    arena_free(&a);
}
