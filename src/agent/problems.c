/* SPDX-License-Identifier: Apache-2.0 */
/* problems.c - the facts of the kinds protection and problems: what the protection part says, and what the network
 * process sees itself. A problem keeps the time since which it exists over restarts, otherwise each start would be a
 * change. */
#include "agent/agent.h"
#include "common/event.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <inttypes.h>
#include <stdio.h>

#define PROBLEMS_MAX     32
#define LOST_SHOWN       (86400 * USEC_PER_SEC)
#define LOW_PERCENT      5
#define LOW_PERCENT_GONE 7 /* a little more must be free before it counts as mended */
#define FILE_MAX         65536

struct problem {
    const char *code;
    enum wire_severity severity;
    usec_t since; /* 0: not known yet */
    struct slice args[8];
    size_t n_args;
};

struct list {
    struct arena *a;
    struct problem v[PROBLEMS_MAX];
    size_t n;
};

static struct problem *add(struct list *l, const char *code, enum wire_severity severity)
{
    static struct problem spare;
    struct problem *p = l->n < PROBLEMS_MAX ? &l->v[l->n++] : &spare;
    *p = (struct problem){.code = code, .severity = severity};
    return p;
}

static void add_arg(struct problem *p, struct slice text)
{
    if (p->n_args < 8)
        p->args[p->n_args++] = text;
}

/* --- own checks */

static void check_disks(const struct agent *a, struct list *l, bool was_low)
{
    struct facts_filesystem *fs;
    size_t n = facts_filesystems(a->cfg, l->a, &fs);
    uint64_t least = was_low ? LOW_PERCENT_GONE : LOW_PERCENT;
    struct problem *p = NULL;
    for (size_t i = 0; i < n; i++) {
        if (fs[i].free >= fs[i].size / 100 * least)
            continue;
        if (!p)
            p = add(l, "disk_low", WIRE_SEVERITY_WARNING);
        add_arg(p, fact_text(l->a, slice_of(fs[i].mount), 200));
        if (fs[i].free < fs[i].size / 100)
            p->severity = WIRE_SEVERITY_CRITICAL;
    }
}

static void check_clock(const struct agent *a, struct list *l)
{
    if (!a->skew_known || (a->skew <= AGENT_SKEW_MAX && a->skew >= -AGENT_SKEW_MAX))
        return;
    /* in minutes: seconds would be another text each time */
    int64_t minutes = a->skew / (60 * USEC_PER_SEC);
    add_arg(add(l, "clock_skew", WIRE_SEVERITY_WARNING), slice_of(arena_printf(l->a, "%" PRId64, -minutes)));
}

static void check_journal(const struct agent *a, struct list *l)
{
    usec_t at;
    uint64_t lost = journal_lost(a->journal, &at);
    if (lost == 0 || clock_now() - at > LOST_SHOWN)
        return;
    struct problem *p = add(l, "records_lost", WIRE_SEVERITY_WARNING);
    p->since = at;
    add_arg(p, slice_of(arena_printf(l->a, "%" PRIu64, lost)));
}

static void check_protection(struct agent *a, struct list *l)
{
    struct protect_problem found[PROBLEMS_MAX];
    size_t n = protect_problems(a->protect, l->a, found, PROBLEMS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct problem *p = add(l, found[i].code, found[i].severity);
        p->since = found[i].since / USEC_PER_SEC * USEC_PER_SEC;
        for (size_t k = 0; k < found[i].n_args; k++)
            add_arg(p, fact_text(l->a, slice_of(found[i].args[k]), 200));
    }
}

/* --- since when: {"code": "time", ...} in agent/problems.json */

static const json_t *load(const struct agent *a, struct arena *m)
{
    struct slice text;
    struct json_error e;
    if (file_read(m, config_state(a->cfg, m, "agent/problems.json"), FILE_MAX, &text) != RC_OK)
        return NULL;
    return json_parse(m, text, JSON_LIMITS_DEFAULT, &e);
}

static void save(const struct agent *a, const struct list *l)
{
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, l->a, FILE_MAX);
    json_start(&w, &b);
    json_object_open(&w);
    for (size_t i = 0; i < l->n; i++) {
        json_key(&w, l->v[i].code);
        json_time(&w, l->v[i].since);
    }
    json_object_close(&w);
    if (file_write(config_state(a->cfg, l->a, "agent/problems.json"), strbuf_slice(&b), 0600) != RC_OK)
        ev_warn(AREA_AGENT, "the times of problems are not saved");
}

/* Fills in since; saves when the set of problems is another one. */
static void date(const struct agent *a, struct list *l)
{
    const json_t *known = load(a, l->a);
    bool changed = json_object_size(known) != l->n;
    for (size_t i = 0; i < l->n; i++) {
        const char *text = json_string_value(json_object_get(known, l->v[i].code));
        usec_t since;
        if (text && clock_parse_rfc3339(slice_of(text), &since)) {
            l->v[i].since = since;
            continue;
        }
        changed = true;
        if (!l->v[i].since) /* whole seconds are enough, and shorter */
            l->v[i].since = agent_now(a) / USEC_PER_SEC * USEC_PER_SEC;
    }
    if (changed)
        save(a, l);
}

static bool twice(const struct list *l, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(l->v[i].code, l->v[at].code) == 0)
            return true;
    return false;
}

static void refresh_problems(struct agent *a)
{
    struct list l = {.a = arena_new(4 << 20)};
    const json_t *known = load(a, l.a);
    check_protection(a, &l);
    check_disks(a, &l, json_object_get(known, "disk_low") != NULL);
    check_clock(a, &l);
    check_journal(a, &l);
    if (facts_restart_required(a->cfg))
        add(&l, "restart_required", WIRE_SEVERITY_INFO);
    for (size_t i = l.n; i-- > 0;)
        if (twice(&l, i)) {
            memmove(&l.v[i], &l.v[i + 1], (l.n - i - 1) * sizeof(l.v[0]));
            l.n--;
        }
    date(a, &l);
    struct fact_rows rows = {.a = l.a};
    for (size_t i = 0; i < l.n; i++) {
        struct wire_value_problem v = {
            .severity = l.v[i].severity, .since = l.v[i].since, .args = l.v[i].args, .n_args = l.v[i].n_args};
        struct strbuf b;
        struct json_writer w;
        strbuf_init_arena(&b, l.a, FACT_VALUE_MAX);
        json_start(&w, &b);
        wire_value_problem_encode(&w, &v);
        fact_add(&rows, slice_of(l.v[i].code), &b);
    }
    inventory_set(a->inventory, WIRE_FACT_KIND_PROBLEMS, &rows);
    arena_free(&l.a);
}

static void refresh_protection(struct agent *a)
{
    struct fact_rows rows = {.a = arena_new(1 << 20)};
    struct wire_value_protection v = {0};
    protect_facts(a->protect, rows.a, &v);
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, rows.a, FACT_VALUE_MAX);
    json_start(&w, &b);
    wire_value_protection_encode(&w, &v);
    fact_add(&rows, SLICE("-"), &b);
    inventory_set(a->inventory, WIRE_FACT_KIND_PROTECTION, &rows);
    arena_free(&rows.a);
}

void problems_refresh(struct agent *a)
{
    refresh_protection(a);
    refresh_problems(a);
}
