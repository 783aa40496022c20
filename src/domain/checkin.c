/* SPDX-License-Identifier: Apache-2.0 */
/* checkin.c - see checkin.h. The order of the calls matters: the journal is questioned before its records are taken,
 * and the revision is read last, under the lock that the first call took. */
#include "domain/checkin.h"
#include "common/counters.h"
#include "wire/digest.h"
#include <stdio.h>
#include <stdlib.h>

enum { FUTURE_ALLOWED = 3600, SUSPENDED_INTERVAL = 3600 }; /* seconds */

/* ---- form */

static enum rc fault_at(struct call *c, struct decode_error *e, const char *prefix, size_t i, const char *member)
{
    char field[sizeof e->field];
    snprintf(field, sizeof field, "%s[%zu].%s%s%.100s", prefix, i, member, e->field[0] ? "." : "", e->field);
    memcpy(e->field, field, sizeof field);
    return fault_decode(c, e);
}

static enum rc body_decode(struct arena *a, enum wire_event_kind kind, const json_t *v, struct decode_error *e)
{
    switch (kind) {
    case WIRE_EVENT_KIND_DETECTION:
        return wire_body_detection_decode(a, v, ARENA_NEW(a, struct wire_body_detection), e);
    case WIRE_EVENT_KIND_SCAN:
        return wire_body_scan_decode(a, v, ARENA_NEW(a, struct wire_body_scan), e);
    case WIRE_EVENT_KIND_EXECUTION:
        return wire_body_execution_decode(a, v, ARENA_NEW(a, struct wire_body_execution), e);
    case WIRE_EVENT_KIND_QUARANTINE:
        return wire_body_quarantine_decode(a, v, ARENA_NEW(a, struct wire_body_quarantine), e);
    case WIRE_EVENT_KIND_GAP:
        return wire_body_gap_decode(a, v, ARENA_NEW(a, struct wire_body_gap), e);
    case WIRE_EVENT_KIND_AUDIT:
        return wire_body_audit_decode(a, v, ARENA_NEW(a, struct wire_body_audit), e);
    case WIRE_EVENT_KIND_UNKNOWN:
        break;
    }
    *e = (struct decode_error){.code = "field_value"};
    snprintf(e->allowed, sizeof e->allowed, "detection, scan, execution, quarantine, gap, audit");
    return RC_INVALID;
}

static enum rc value_decode(struct arena *a, enum wire_fact_kind kind, struct slice key, const json_t *v,
                            struct decode_error *e)
{
    switch (kind) {
    case WIRE_FACT_KIND_IDENTITY:
        return wire_value_identity_decode(a, v, ARENA_NEW(a, struct wire_value_identity), e);
    case WIRE_FACT_KIND_OS:
        return wire_value_os_decode(a, v, ARENA_NEW(a, struct wire_value_os), e);
    case WIRE_FACT_KIND_HARDWARE:
        if (slice_starts(key, SLICE("disk:")))
            return wire_value_disk_decode(a, v, ARENA_NEW(a, struct wire_value_disk), e);
        if (slice_starts(key, SLICE("fs:")))
            return wire_value_filesystem_decode(a, v, ARENA_NEW(a, struct wire_value_filesystem), e);
        return wire_value_machine_decode(a, v, ARENA_NEW(a, struct wire_value_machine), e);
    case WIRE_FACT_KIND_NETWORK:
        return wire_value_adapter_decode(a, v, ARENA_NEW(a, struct wire_value_adapter), e);
    case WIRE_FACT_KIND_SOFTWARE:
        return wire_value_software_decode(a, v, ARENA_NEW(a, struct wire_value_software), e);
    case WIRE_FACT_KIND_USERS:
        return wire_value_user_decode(a, v, ARENA_NEW(a, struct wire_value_user), e);
    case WIRE_FACT_KIND_PROTECTION:
        return wire_value_protection_decode(a, v, ARENA_NEW(a, struct wire_value_protection), e);
    case WIRE_FACT_KIND_PROBLEMS:
        return wire_value_problem_decode(a, v, ARENA_NEW(a, struct wire_value_problem), e);
    case WIRE_FACT_KIND_UNKNOWN:
        break;
    }
    *e = (struct decode_error){.code = "field_value"};
    snprintf(e->allowed, sizeof e->allowed, "identity, os, hardware, network, software, users, protection, problems");
    return RC_INVALID;
}

/* The texts were parts of a document that passed the limits; only their own form is open. */
static json_t *reparse(struct arena *a, struct slice text)
{
    struct json_error e;
    return json_parse(a, text, JSON_LIMITS_DEFAULT, &e);
}

/* The first number that a record stands for: its own, but for a gap, which stands for all from first on. */
static int64_t event_first(struct arena *a, const struct wire_event *e)
{
    struct wire_body_gap gap;
    struct decode_error error = {0};
    if (e->kind != WIRE_EVENT_KIND_GAP || wire_body_gap_decode(a, reparse(a, e->body), &gap, &error) != RC_OK)
        return e->seq;
    return gap.last == e->seq && gap.first <= gap.last ? gap.first : e->seq;
}

static enum rc event_check(struct call *c, const struct wire_checkin_request *r, size_t i)
{
    const struct wire_event *e = &r->events[i];
    char field[64], allowed[80];
    if (e->seq > r->spool.head || (i > 0 && event_first(c->arena, e) != r->events[i - 1].seq + 1)) {
        snprintf(field, sizeof field, "events[%zu].seq", i);
        snprintf(allowed, sizeof allowed, "consecutive numbers up to spool.head");
        return fault_field(c, PROBLEM_field_range, field, allowed);
    }
    char hex[WIRE_HEX_SIZE];
    struct sha256 hash = wire_event_hash(e->id, slice_of(wire_event_kind_text(e->kind)), e->occurred, e->body);
    if (!slice_eq(e->hash, slice_of(wire_hex(&hash, hex)))) {
        snprintf(field, sizeof field, "events[%zu].hash", i);
        return fault_field(c, PROBLEM_field_value, field, "the SHA-256 of the record");
    }
    struct decode_error error = {0};
    if (body_decode(c->arena, e->kind, reparse(c->arena, e->body), &error) != RC_OK)
        return fault_at(c, &error, "events", i, e->kind == WIRE_EVENT_KIND_UNKNOWN ? "kind" : "body");
    return RC_OK;
}

static int key_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* A key set or removed twice would have no one meaning. */
static enum rc keys_check(struct call *c, const struct wire_fact *f, size_t i)
{
    size_t n = f->n_set + f->n_remove;
    struct slice *keys = ARENA_ARRAY(c->arena, struct slice, n + 1);
    for (size_t k = 0; k < f->n_set; k++)
        keys[k] = f->set[k].key;
    for (size_t k = 0; k < f->n_remove; k++)
        keys[f->n_set + k] = f->remove[k];
    qsort(keys, n, sizeof *keys, key_order);
    for (size_t k = 1; k < n; k++) {
        if (slice_eq(keys[k - 1], keys[k])) {
            char field[64];
            snprintf(field, sizeof field, "facts[%zu].set", i);
            return fault_field(c, PROBLEM_field_value, field, "each key once");
        }
    }
    return RC_OK;
}

static enum rc fact_check(struct call *c, const struct wire_checkin_request *r, size_t i)
{
    const struct wire_fact *f = &r->facts[i];
    struct decode_error error = {0};
    char field[64];
    for (size_t other = 0; other < i; other++) {
        if (r->facts[other].kind == f->kind) {
            snprintf(field, sizeof field, "facts[%zu].kind", i);
            return fault_field(c, PROBLEM_field_value, field, "each kind once");
        }
    }
    if (f->kind == WIRE_FACT_KIND_UNKNOWN) {
        (void)value_decode(c->arena, f->kind, SLICE_NONE, NULL, &error);
        return fault_at(c, &error, "facts", i, "kind");
    }
    for (size_t row = 0; row < f->n_set; row++) {
        char member[64];
        if (value_decode(c->arena, f->kind, f->set[row].key, reparse(c->arena, f->set[row].value), &error) != RC_OK) {
            snprintf(member, sizeof member, "set[%zu].value", row);
            return fault_at(c, &error, "facts", i, member);
        }
    }
    return keys_check(c, f, i);
}

enum rc checkin_check(struct call *c, const struct wire_checkin_request *r)
{
    for (size_t i = 0; i < r->n_events; i++) {
        enum rc rc = event_check(c, r, i);
        if (rc != RC_OK)
            return rc;
    }
    for (size_t i = 0; i < r->n_facts; i++) {
        enum rc rc = fact_check(c, r, i);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* ---- pace */

int checkin_interval(const struct tenant *t, const struct wire_checkin_request *r, int default_interval)
{
    int interval = r->has_interval ? (int)r->interval : default_interval;
    if (interval < t->min_interval)
        interval = t->min_interval;
    if (t->status == TENANT_SUSPENDED && interval < SUSPENDED_INTERVAL)
        interval = SUSPENDED_INTERVAL;
    return interval;
}

int checkin_next_contact(int interval)
{
    return interval + (int)random_below((uint64_t)interval / 20 + 1);
}

bool checkin_renew(usec_t certificate_expires, usec_t now, int certificate_days)
{
    return certificate_expires - now < (usec_t)certificate_days * 86400 / 3 * USEC_PER_SEC;
}

bool checkin_unchanged(const struct wire_checkin_request *r, bool known, int64_t revision, struct slice digest)
{
    return known && r->n_events == 0 && r->n_facts == 0 && r->revision == revision && slice_eq(r->facts_digest, digest);
}

/* ---- what to write */

static bool shapes_columns(enum wire_fact_kind k)
{
    return k == WIRE_FACT_KIND_IDENTITY || k == WIRE_FACT_KIND_OS || k == WIRE_FACT_KIND_NETWORK ||
           k == WIRE_FACT_KIND_PROTECTION || k == WIRE_FACT_KIND_PROBLEMS;
}

static int plan_fact(struct batch_item *item, const struct wire_fact *f, usec_t now)
{
    const char *kind = wire_fact_kind_text(f->kind);
    struct checkin_row *rows = ARENA_ARRAY(item->arena, struct checkin_row, f->n_set + 1);
    for (size_t i = 0; i < f->n_set; i++)
        rows[i] = (struct checkin_row){f->set[i].key, f->set[i].value};
    if (!f->base.p)
        return checkin_add_fact_replace(item, kind, f->digest, rows, f->n_set, now);
    return checkin_add_fact_merge(item, kind, f->base, f->digest, rows, f->n_set, f->remove, f->n_remove, now);
}

static void plan_events(struct batch_item *item, const struct wire_checkin_request *r, usec_t now,
                        struct checkin_plan *p)
{
    struct checkin_event *events = ARENA_ARRAY(item->arena, struct checkin_event, r->n_events + 1);
    for (size_t i = 0; i < r->n_events; i++) {
        const struct wire_event *e = &r->events[i];
        /* a clock that runs ahead must not pin its records to the top of every list */
        usec_t occurred = e->occurred > now + FUTURE_ALLOWED * USEC_PER_SEC ? now : e->occurred;
        events[i] =
            (struct checkin_event){e->seq, e->id, slice_of(wire_event_kind_text(e->kind)), e->hash, e->body, occurred};
    }
    p->question = checkin_add_question(item, r->spool.epoch, events, r->n_events);
    p->events = checkin_add_events(item, r->spool.epoch, events, r->n_events, now);
    (void)checkin_add_mark(item, r->spool.epoch, event_first(item->arena, &r->events[0]), events[r->n_events - 1].seq,
                           r->spool.tail);
}

void checkin_plan(struct batch_item *item, const struct wire_checkin_request *r, int interval, usec_t now,
                  struct checkin_plan *ret)
{
    *ret = (struct checkin_plan){.question = -1, .events = -1, .digest = -1};
    bool columns = false;
    ret->device =
        checkin_add_device(item, arena_cstr(item->arena, r->agent_version), interval, r->spool.epoch, r->spool.head);
    for (size_t i = 0; i < r->n_facts; i++) {
        ret->facts[ret->n_facts++] = plan_fact(item, &r->facts[i], now);
        columns |= shapes_columns(r->facts[i].kind);
    }
    if (r->n_facts)
        ret->digest = checkin_add_digest(item);
    if (columns)
        checkin_add_columns(item);
    if (r->n_events)
        plan_events(item, r, now, ret);
    ret->rest = checkin_add_rest(item, r->spool.epoch);
}

/* ---- what to answer */

static void answer_tasks(struct batch_item *item, const struct checkin_task *tasks, size_t n,
                         struct wire_checkin_response *answer)
{
    answer->tasks = ARENA_ARRAY(item->arena, struct wire_task, n + 1);
    answer->n_tasks = n;
    for (size_t i = 0; i < n; i++) {
        struct wire_task_settings s = {0};
        struct decode_error impossible; /* domain/task.c wrote them with the encoder of the same message */
        if (wire_task_settings_parse(item->arena, tasks[i].settings, &s, &impossible) != RC_OK)
            s = (struct wire_task_settings){0};
        answer->tasks[i] = (struct wire_task){.execution_id = tasks[i].execution,
                                              .type = wire_task_type_parse(tasks[i].type),
                                              .has_cancel = true,
                                              .cancel = tasks[i].cancel,
                                              .expires_at = tasks[i].expires_at,
                                              .targets = s.targets,
                                              .n_targets = s.n_targets,
                                              .has_clean = s.has_clean,
                                              .clean = s.clean,
                                              .title = s.title,
                                              .text = s.text,
                                              .allow = s.allow,
                                              .n_allow = s.n_allow};
    }
}

/* When we and the agent do not mean the same facts: all kinds that did not come whole just now. */
static void want_rest(struct arena *a, const struct wire_checkin_request *r, struct wire_checkin_response *answer)
{
    answer->want_facts = ARENA_ARRAY(a, enum wire_fact_kind, WIRE_FACT_KIND_PROBLEMS);
    for (int k = WIRE_FACT_KIND_IDENTITY; k <= WIRE_FACT_KIND_PROBLEMS; k++) {
        bool whole = false;
        for (size_t i = 0; i < r->n_facts; i++)
            whole |= (int)r->facts[i].kind == k && !r->facts[i].base.p;
        if (!whole)
            answer->want_facts[answer->n_want_facts++] = (enum wire_fact_kind)k;
    }
}

static void want_refused(struct batch_item *item, const struct checkin_plan *plan, const struct wire_checkin_request *r,
                         struct wire_checkin_response *answer)
{
    answer->want_facts = ARENA_ARRAY(item->arena, enum wire_fact_kind, r->n_facts + 1);
    for (size_t i = 0; i < r->n_facts; i++) {
        if (!checkin_read_applied(item, plan->facts[i]))
            answer->want_facts[answer->n_want_facts++] = r->facts[i].kind;
    }
}

void checkin_answer(struct batch_item *item, const struct checkin_plan *plan, const struct wire_checkin_request *r,
                    struct wire_checkin_response *answer, struct checkin_outcome *ret)
{
    *ret = (struct checkin_outcome){0};
    struct checkin_device before = checkin_read_device(item, plan->device);
    ret->exists = before.exists;
    if (!before.exists)
        return;
    struct checkin_rest rest = checkin_read_rest(item, plan->rest);
    ret->revision = rest.revision;
    ret->digest = plan->digest >= 0 ? checkin_read_digest(item, plan->digest) : before.facts_digest;

    answer->revision = ret->revision;
    answer->facts_digest = ret->digest;
    answer->ack = rest.mark;
    answer->new_epoch = answer->has_new_epoch =
        before.behind || (plan->question >= 0 && checkin_read_question(item, plan->question));
    if (answer->new_epoch)
        count(C_epochs_refused);
    if (plan->events >= 0) {
        ret->news = checkin_read_events(item, plan->events);
        count_add(C_events_committed, ret->news.events);
        count_add(C_events_duplicate, (int64_t)r->n_events - ret->news.events);
    }
    if (!slice_eq(r->facts_digest, before.facts_digest))
        want_rest(item->arena, r, answer);
    else
        want_refused(item, plan, r, answer);
    ret->facts_changed = r->n_facts > 0;
    if (ret->revision != r->revision)
        answer_tasks(item, rest.tasks, rest.n_tasks, answer);
}
