/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - see life.h. */
#include "sim/life.h"
#include "common/must.h"
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX     32768
#define NEVER        UINT64_MAX
#define PAST_SECONDS (14 * 86400)

static uint64_t in_hours(struct device *d, double per_hour, uint64_t now)
{
    if (per_hour <= 0)
        return NEVER;
    return now + (uint64_t)(chance_exponential(&d->chance, 3600 / per_hour) * 1e9) + 1;
}

void life_plan(struct device *d, uint64_t now)
{
    d->next_detection = in_hours(d, d->sim->o.detections, now);
    d->next_change = in_hours(d, d->sim->o.changes, now);
}

/* ---- findings */

static struct slice object_path(struct arena *a, struct device *d, const struct profile *p,
                                const struct catalogue_threat *t, const char *user)
{
    const char *file = p->japanese && chance_percent(&d->chance, 60) ? t->file_ja : NULL;
    const char *at = strrchr(user, '\\');
    if (at)
        user = at + 1;
    if (p->system->family == WIRE_OS_FAMILY_WINDOWS) {
        static const char *const folders[] = {"Downloads", "Desktop", "AppData\\Local\\Temp", "Documents"};
        return slice_of(arena_printf(a, "C:\\Users\\%s\\%s\\%s", user, folders[chance_below(&d->chance, 4)],
                                     file ? file : t->file_windows));
    }
    static const char *const mac[] = {"/Users/%s/Downloads/%s", "/Users/%s/Desktop/%s"};
    static const char *const unix_folders[] = {"/home/%s/%s", "/home/%s/Downloads/%s", "/srv/share/%s/%s",
                                               "/tmp/%s/%s"};
    const char *form = p->machine->apple ? mac[chance_below(&d->chance, 2)] : unix_folders[chance_below(&d->chance, 4)];
    const char *star = strstr(form, "%s"), *second = strstr(star + 2, "%s");
    return slice_of(arena_printf(a, "%.*s%s%.*s%s", (int)(star - form), form, user, (int)(second - star - 2), star + 2,
                                 file ? file : t->file_unix));
}

static const char *process_of(struct device *d, const struct profile *p)
{
    static const char *const windows[] = {
        "C:\\Windows\\explorer.exe", "C:\\Program Files\\Minato Office\\Mail\\mail.exe",
        "C:\\Program Files\\Evergate\\Browser\\browser.exe", "C:\\Windows\\System32\\cmd.exe"};
    static const char *const apple[] = {"/System/Library/CoreServices/Finder.app", "/Applications/Browser.app",
                                        "/bin/zsh"};
    static const char *const linux_[] = {"/usr/bin/bash", "/usr/bin/wget", "/usr/sbin/smbd", "/usr/bin/python3.11"};
    if (p->system->family == WIRE_OS_FAMILY_WINDOWS)
        return windows[chance_below(&d->chance, 4)];
    return p->machine->apple ? apple[chance_below(&d->chance, 3)] : linux_[chance_below(&d->chance, 4)];
}

static enum wire_detection_action action_of(struct device *d, const struct catalogue_threat *t, bool scan)
{
    unsigned at = chance_below(&d->chance, 100);
    if (!d->now.protection_on)
        return WIRE_DETECTION_ACTION_REPORTED;
    if (at < 4)
        return WIRE_DETECTION_ACTION_FAILED;
    if (t->type == WIRE_DETECTION_TYPE_UNWANTED && at < 50)
        return WIRE_DETECTION_ACTION_REPORTED;
    if (at < 60 || scan)
        return WIRE_DETECTION_ACTION_QUARANTINED;
    return at < 90 ? WIRE_DETECTION_ACTION_BLOCKED : WIRE_DETECTION_ACTION_DELETED;
}

static struct slice random_hash(struct arena *a, struct device *d)
{
    uint64_t words[4] = {chance_next(&d->chance), chance_next(&d->chance), chance_next(&d->chance),
                         chance_next(&d->chance)};
    struct sha256 h;
    memcpy(h.b, words, sizeof(h.b));
    return slice_of(wire_hex(&h, arena_alloc(a, WIRE_HEX_SIZE)));
}

/* Each event is made complete here, so that what is sent again is the same to the byte. */
struct maker {
    struct arena *a;
    struct strbuf b;
    struct json_writer w;
};

static struct json_writer *body_open(struct maker *m)
{
    m->a = m->a ? m->a : arena_new(4 * BODY_MAX);
    strbuf_init_arena(&m->b, m->a, BODY_MAX);
    json_start(&m->w, &m->b);
    return &m->w;
}

static void body_close(struct maker *m, struct device *d, enum wire_event_kind kind, usec_t at)
{
    device_event(d, kind, uuid_new(), at, strbuf_slice(&m->b));
}

static void quarantine(struct device *d, struct maker *m, const struct wire_body_detection *b, usec_t at)
{
    wire_body_quarantine_encode(body_open(m), &(struct wire_body_quarantine){.change = WIRE_QUARANTINE_CHANGE_ADDED,
                                                                             .id = uuid_new(),
                                                                             .name = b->name,
                                                                             .object = b->object,
                                                                             .sha256 = b->sha256,
                                                                             .size = b->size});
    body_close(m, d, WIRE_EVENT_KIND_QUARANTINE, at);
}

void life_detection(struct device *d, struct uuid execution, usec_t at)
{
    struct profile p = device_profile(d);
    struct maker m = {.a = arena_new(8 * BODY_MAX)};
    const struct catalogue_threat *t = &catalogue_threats[chance_below(&d->chance, (unsigned)catalogue_n_threats)];
    bool scan = !uuid_is_nil(execution);
    const char *user = p.users[chance_below(&d->chance, p.n_users)];
    struct wire_body_detection b = {.name = slice_of(t->name),
                                    .type = t->type,
                                    .severity = t->severity,
                                    .scanner = scan ? WIRE_SCANNER_ON_DEMAND : WIRE_SCANNER_ON_ACCESS,
                                    .action = action_of(d, t, scan),
                                    .sha256 = random_hash(m.a, d),
                                    .has_size = true,
                                    .size = 2048 + chance_below(&d->chance, 4000000),
                                    .user = slice_of(user),
                                    .engine = SLICE("sim-engine"),
                                    .execution_id = execution};
    b.object = object_path(m.a, d, &p, t, user);
    b.process = scan ? SLICE_NONE : slice_of(process_of(d, &p));
    b.engine_version = slice_of(arena_printf(m.a, "1.4.%u", d->now.engine_patch));
    b.signature_version = slice_of(arena_printf(m.a, "%lld", (long long)facts_signature_version(&d->now)));
    if (b.action == WIRE_DETECTION_ACTION_FAILED)
        b.action_error = SLICE("The file is in use by another program.");
    if (d->sim->o.numbered) {
        b.name = SLICE("Test.Sekisho.Numbered");
        b.type = WIRE_DETECTION_TYPE_TEST;
        b.object = slice_of(arena_printf(m.a, "/numbered/%u/%lld", d->index, (long long)++d->numbered));
    }
    wire_body_detection_encode(body_open(&m), &b);
    body_close(&m, d, WIRE_EVENT_KIND_DETECTION, at);
    d->sim->counts.detections_made++;
    if (b.action == WIRE_DETECTION_ACTION_QUARANTINED && !d->sim->o.numbered)
        quarantine(d, &m, &b, at);
    arena_free(&m.a);
    device_due(d, WIRE_REASON_URGENT, 100 * NS_PER_MS);
}

void life_past(struct device *d)
{
    double left = d->sim->o.history;
    while (left > 0 && (left -= chance_exponential(&d->chance, 1)) > 0)
        life_detection(d, (struct uuid){{0}},
                       clock_now() - (usec_t)chance_below(&d->chance, PAST_SECONDS) * USEC_PER_SEC);
}

/* ---- changes */

void life_change_package(struct device *d)
{
    struct facts *f = &d->now;
    unsigned i = chance_below(&d->chance, FACTS_UPDATES);
    if (i >= f->n_updates) {
        i = f->n_updates++;
        f->updated[i] = (uint16_t)chance_below(&d->chance, CATALOGUE_PACKAGES / 6); /* those that every machine has */
        f->times[i] = 0;
    }
    if (f->times[i] < 255)
        f->times[i]++;
    device_changed(d, WIRE_FACT_KIND_SOFTWARE);
}

static usec_t now_in_seconds(void)
{
    return clock_now() / USEC_PER_SEC * USEC_PER_SEC;
}

static void flip_problem(struct device *d, enum problem which)
{
    struct facts *f = &d->now;
    f->since[which] = f->since[which] ? 0 : now_in_seconds();
    device_changed(d, WIRE_FACT_KIND_PROBLEMS);
}

static void restart(struct device *d)
{
    d->now.since[PROBLEM_RESTART_REQUIRED] = 0;
    d->now.boot_at = now_in_seconds();
    d->now.user_since = d->now.boot_at;
    d->boot = uuid_new();
    device_changed(d, WIRE_FACT_KIND_PROBLEMS);
    device_changed(d, WIRE_FACT_KIND_OS);
    if (d->now.users)
        device_changed(d, WIRE_FACT_KIND_USERS);
}

static void move_disk(struct device *d)
{
    unsigned i = chance_below(&d->chance, 2);
    int percent = d->now.free_percent[i] + (int)chance_below(&d->chance, 7) - 3;
    percent = percent < 2 ? 2 : percent > 95 ? 95 : percent;
    if (percent == d->now.free_percent[i])
        return;
    d->now.free_percent[i] = (uint8_t)percent;
    device_changed(d, WIRE_FACT_KIND_HARDWARE);
    if (i == 0 && (percent < 5) != (d->now.since[PROBLEM_DISK_LOW] != 0))
        flip_problem(d, PROBLEM_DISK_LOW);
    else if (i == 0 && d->now.since[PROBLEM_DISK_LOW])
        device_changed(d, WIRE_FACT_KIND_PROBLEMS); /* its text says how much is free */
}

static void update_signatures(struct device *d)
{
    d->now.signature_at = now_in_seconds();
    device_changed(d, WIRE_FACT_KIND_PROTECTION);
    if (d->now.since[PROBLEM_MODULES_OUTDATED])
        flip_problem(d, PROBLEM_MODULES_OUTDATED);
}

static void change_users(struct device *d)
{
    struct profile p = device_profile(d);
    d->now.users ^= (uint8_t)(1u << chance_below(&d->chance, p.n_users));
    d->now.user_since = now_in_seconds();
    device_changed(d, WIRE_FACT_KIND_USERS);
}

static void switch_protection(struct device *d)
{
    d->now.protection_on = !d->now.protection_on;
    if (d->now.protection_on == (d->now.since[PROBLEM_PROTECTION_OFF] != 0))
        flip_problem(d, PROBLEM_PROTECTION_OFF);
    device_changed(d, WIRE_FACT_KIND_PROTECTION);
    device_due(d, WIRE_REASON_URGENT, 500 * NS_PER_MS);
}

static void change(struct device *d)
{
    unsigned at = chance_below(&d->chance, 100);
    if (at < 30)
        move_disk(d);
    else if (at < 50)
        life_change_package(d);
    else if (at < 70)
        update_signatures(d);
    else if (at < 88)
        change_users(d);
    else if (at < 97 && d->now.since[PROBLEM_RESTART_REQUIRED])
        restart(d);
    else if (at < 97) {
        life_change_package(d);
        flip_problem(d, PROBLEM_RESTART_REQUIRED);
    } else if (!d->now.protection_on || at == 99)
        switch_protection(d);
}

/* ---- tasks */

struct task_run {
    struct task_run *next;
    struct uuid id;
    enum wire_task_type type;
    usec_t began;
    uint64_t ends, tells, length;
    int64_t files;
    unsigned found;
    bool cancel, told_start;
    char target[200];
};

static void tell(struct device *d, const struct task_run *r, enum wire_execution_state state, int progress,
                 const char *code, const char *arg, const char *arg2)
{
    struct maker m = {0};
    struct slice args[2];
    struct json_writer *w = body_open(&m);
    struct wire_body_execution b = {.execution_id = r->id, .state = state, .progress = progress, .result_args = args};
    if (r->type == WIRE_TASK_TYPE_SCAN) {
        b.has_files_scanned = b.has_files_total = b.has_found = true;
        b.files_total = r->files;
        b.files_scanned = r->files * progress / 100;
        b.found = progress >= 60 ? r->found : 0;
    }
    if (code)
        b.result_code = slice_of(code);
    if (arg)
        args[b.n_result_args++] = slice_of(arg);
    if (arg2)
        args[b.n_result_args++] = slice_of(arg2);
    wire_body_execution_encode(w, &b);
    body_close(&m, d, WIRE_EVENT_KIND_EXECUTION, clock_now());
    arena_free(&m.a);
    device_due(d, WIRE_REASON_PROGRESS, code ? 50 * NS_PER_MS : 0);
}

static void scan_summary(struct device *d, const struct task_run *r, int progress)
{
    struct maker m = {0};
    struct slice target = slice_of(r->target);
    wire_body_scan_encode(body_open(&m), &(struct wire_body_scan){.execution_id = r->id,
                                                                  .started = r->began,
                                                                  .ended = clock_now(),
                                                                  .targets = &target,
                                                                  .n_targets = 1,
                                                                  .files_scanned = r->files * progress / 100,
                                                                  .found = r->found,
                                                                  .errors = chance_below(&d->chance, 4)});
    body_close(&m, d, WIRE_EVENT_KIND_SCAN, clock_now());
    arena_free(&m.a);
}

static int progress_of(const struct task_run *r, uint64_t now)
{
    return now >= r->ends ? 100 : (int)(100 - (r->ends - now) * 100 / r->length);
}

static void set_isolated(struct device *d, bool on)
{
    if (d->now.isolated == on)
        return;
    d->now.isolated = on;
    device_changed(d, WIRE_FACT_KIND_PROTECTION);
}

static void finish(struct device *d, struct task_run *r, uint64_t now)
{
    char files[24], found[24];
    snprintf(files, sizeof(files), "%lld", (long long)r->files);
    snprintf(found, sizeof(found), "%u", r->found);
    int progress = progress_of(r, now);
    if (r->cancel) {
        if (r->type == WIRE_TASK_TYPE_SCAN)
            scan_summary(d, r, progress);
        tell(d, r, WIRE_EXECUTION_STATE_CANCELLED, progress,
             r->type == WIRE_TASK_TYPE_SCAN ? "scan_cancelled" : "cancelled", NULL, NULL);
        return;
    }
    switch (r->type) {
    case WIRE_TASK_TYPE_SCAN:
        for (unsigned i = 0; i < r->found; i++)
            life_detection(d, r->id, clock_now());
        scan_summary(d, r, 100);
        tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "scan_done", files, found);
        return;
    case WIRE_TASK_TYPE_UPDATE_MODULES:
        if (clock_now() - d->now.signature_at < 600 * USEC_PER_SEC) {
            tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "modules_current", NULL, NULL);
            return;
        }
        update_signatures(d);
        snprintf(files, sizeof(files), "%lld", (long long)facts_signature_version(&d->now));
        tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "modules_updated", files, NULL);
        return;
    case WIRE_TASK_TYPE_SHOW_MESSAGE:
        if (d->now.users)
            tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "message_shown", NULL, NULL);
        else
            tell(d, r, WIRE_EXECUTION_STATE_FAILED, 100, "no_session", NULL, NULL);
        return;
    case WIRE_TASK_TYPE_ISOLATE:
        set_isolated(d, true);
        tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "isolated", NULL, NULL);
        return;
    case WIRE_TASK_TYPE_END_ISOLATION:
        set_isolated(d, false);
        tell(d, r, WIRE_EXECUTION_STATE_DONE, 100, "isolation_ended", NULL, NULL);
        return;
    case WIRE_TASK_TYPE_UNKNOWN:
        tell(d, r, WIRE_EXECUTION_STATE_REFUSED, 0, "unsupported", NULL, NULL);
    }
}

static bool was_ended(const struct device *d, struct uuid id)
{
    for (unsigned i = 0; i < DEVICE_ENDED; i++)
        if (uuid_eq(d->ended[i], id))
            return true;
    return false;
}

static void begin(struct device *d, const struct wire_task *t, uint64_t now)
{
    static const struct {
        unsigned least, more; /* milliseconds */
    } lengths[WIRE_TASK_TYPE_COUNT] = {[WIRE_TASK_TYPE_UNKNOWN] = {10, 10},
                                       [WIRE_TASK_TYPE_SCAN] = {10000, 20000},
                                       [WIRE_TASK_TYPE_UPDATE_MODULES] = {3000, 4000},
                                       [WIRE_TASK_TYPE_SHOW_MESSAGE] = {300, 900},
                                       [WIRE_TASK_TYPE_ISOLATE] = {400, 800},
                                       [WIRE_TASK_TYPE_END_ISOLATION] = {400, 800}};
    struct task_run *r = must_alloc(sizeof(*r));
    r->id = t->execution_id;
    r->type = t->type;
    r->began = clock_now();
    r->length = (lengths[t->type].least + chance_below(&d->chance, lengths[t->type].more)) * NS_PER_MS;
    r->ends = now + r->length;
    r->tells = now;
    r->cancel = t->cancel;
    r->files = 4000 + chance_below(&d->chance, 220000);
    r->found = t->type == WIRE_TASK_TYPE_SCAN && chance_percent(&d->chance, 12) ? 1 : 0;
    struct slice target = t->n_targets ? slice_utf8_head(t->targets[0], sizeof(r->target) - 1) : SLICE("/");
    memcpy(r->target, target.p, target.n);
    if (t->expires_at && t->expires_at < clock_now()) {
        r->ends = now;
        tell(d, r, WIRE_EXECUTION_STATE_FAILED, 0, "expired", NULL, NULL);
        d->ended[d->n_ended++ % DEVICE_ENDED] = r->id;
        free(r);
        return;
    }
    if (r->cancel)
        r->ends = now;
    r->next = d->runs;
    d->runs = r;
    d->sim->counts.tasks_run++;
    if (d->sim->o.tell_tasks) {
        char execution[UUID_TEXT_SIZE], device[UUID_TEXT_SIZE];
        printf("{\"execution\":\"%s\",\"device\":\"%s\",\"mono_ns\":%llu}\n", uuid_text(r->id, execution),
               uuid_text(d->id, device), (unsigned long long)now);
        fflush(stdout);
    }
}

void tasks_take(struct device *d, const struct wire_task *list, size_t n, uint64_t now)
{
    for (size_t i = 0; i < n; i++) {
        struct task_run *r = d->runs;
        while (r && !uuid_eq(r->id, list[i].execution_id))
            r = r->next;
        if (!r && !was_ended(d, list[i].execution_id))
            begin(d, &list[i], now);
        else if (r && list[i].cancel && !r->cancel) {
            r->cancel = true;
            r->tells = now;
        }
    }
}

void tasks_free(struct device *d)
{
    while (d->runs) {
        struct task_run *r = d->runs;
        d->runs = r->next;
        free(r);
    }
}

static uint64_t run_tasks(struct device *d, uint64_t now)
{
    uint64_t next = NEVER;
    for (struct task_run **at = &d->runs; *at;) {
        struct task_run *r = *at;
        if (now >= r->ends || r->cancel) {
            *at = r->next;
            finish(d, r, now);
            d->ended[d->n_ended++ % DEVICE_ENDED] = r->id;
            free(r);
            continue;
        }
        if (now >= r->tells) {
            tell(d, r, WIRE_EXECUTION_STATE_RUNNING, progress_of(r, now), NULL, NULL, NULL);
            r->tells = now + 3 * NS_PER_S + chance_below(&d->chance, 2000) * NS_PER_MS;
        }
        uint64_t then = r->ends < r->tells ? r->ends : r->tells;
        next = then < next ? then : next;
        at = &r->next;
    }
    return next;
}

uint64_t life_step(struct device *d, uint64_t now)
{
    uint64_t next = run_tasks(d, now);
    if (d->sim->calm)
        return next;
    while (now >= d->next_detection) {
        if (!spool_full(&d->spool))
            life_detection(d, (struct uuid){{0}}, clock_now());
        d->next_detection = in_hours(d, d->sim->o.detections, d->next_detection);
    }
    while (now >= d->next_change) {
        change(d);
        d->next_change = in_hours(d, d->sim->o.changes, d->next_change);
    }
    next = d->next_detection < next ? d->next_detection : next;
    return d->next_change < next ? d->next_change : next;
}
