/* SPDX-License-Identifier: Apache-2.0 */
/* top.c - sekishoctl top: which tenants a cell works for now. Each server's ops port gives sums since its start; what
 * they grew by in an interval, added over the servers, is shown, again and again on a terminal. */
#include "common/map.h"
#include "common/must.h"
#include "ctl/ctl.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SERVERS_MAX  64
#define ROUND_MEMORY ((size_t)256 * 1024 * 1024)
#define LIMITS       ((struct json_limits){32 * 1024 * 1024, 8, 2000000})

enum measure { CPU, DATABASE, BYTES, REQUESTS, MEASURES };

static const struct {
    const char *option, *column, *key;
} measures[] = {
    [CPU] = {"cpu", "tenant_cpu_seconds", "cpu"},
    [DATABASE] = {"db", "tenant_database_seconds", "db"},
    [BYTES] = {"bytes", "tenant_bytes", "bytes_per_second"},
    [REQUESTS] = {"requests", "tenant_requests", "requests_per_second"},
};

struct line { /* a tenant, per second */
    char tenant[64];
    double v[MEASURES];
};

struct server {
    const char *where;
    bool answers;
    char replica[64];
    double seconds;     /* its clock */
    json_t *rows;       /* of this round */
    int at[MEASURES];   /* columns */
    struct map *before; /* tenant -> double[MEASURES], of the round before; NULL: none */
    double before_seconds;
};

struct top {
    struct ctl *c;
    struct arena *round;
    struct server servers[SERVERS_MAX];
    size_t n_servers;
    enum measure by;
    int interval, rows;
    struct map *lines; /* tenant -> struct line */
};

/* ---- reading */

static bool read_columns(struct server *s, const json_t *columns)
{
    size_t i;
    json_t *name;

    for (int m = 0; m < MEASURES; m++)
        s->at[m] = -1;
    json_array_foreach(columns, i, name)
    {
        for (int m = 0; m < MEASURES; m++)
            if (json_is_string(name) && strcmp(json_string_value(name), measures[m].column) == 0)
                s->at[m] = (int)i;
    }
    for (int m = 0; m < MEASURES; m++)
        if (s->at[m] < 0)
            return false;
    return true;
}

static void fetch(struct top *t, struct server *s)
{
    struct json_error error;
    struct slice text;
    const json_t *root;

    s->answers = false;
    if (!ctl_ops_get(t->round, s->where, "/ops/top", &text))
        return;
    root = json_parse(t->round, text, LIMITS, &error);
    s->rows = json_object_get(root, "tenants");
    s->seconds = json_number_value(json_object_get(root, "seconds"));
    s->answers = json_is_array(s->rows) && read_columns(s, json_object_get(root, "columns"));
    snprintf(s->replica, sizeof(s->replica), "%s",
             json_is_string(json_object_get(root, "replica")) ? json_string_value(json_object_get(root, "replica"))
                                                              : "");
}

static struct line *line_of(struct top *t, struct slice tenant)
{
    struct line *l = map_get(t->lines, tenant);

    if (!l) {
        l = ARENA_NEW(t->round, struct line);
        snprintf(l->tenant, sizeof(l->tenant), SLICE_FMT, SLICE_ARG(slice_utf8_head(tenant, sizeof(l->tenant) - 1)));
        map_put(t->lines, slice_of(l->tenant), l);
    }
    return l;
}

/* What a server's sums grew by since the round before goes into the lines; what they are now is kept for the next. */
static void take_rows(struct top *t, struct server *s)
{
    struct map *now = map_new(64);
    double took = s->seconds - s->before_seconds;
    size_t i;
    json_t *row;

    json_array_foreach(s->rows, i, row)
    {
        const char *name = json_string_value(json_array_get(row, 0));
        struct slice tenant = slice_of(name ? name : "?");
        double *v = must_alloc(sizeof(double) * MEASURES), *old = s->before ? map_get(s->before, tenant) : NULL;

        for (int m = 0; m < MEASURES; m++) {
            double grown;

            v[m] = json_number_value(json_array_get(row, (size_t)s->at[m]));
            grown = v[m] - (old ? old[m] : 0);
            if (s->before && took > 0 && grown > 0) /* less than before: the server was started again */
                line_of(t, tenant)->v[m] += grown / took;
        }
        free(map_put(now, tenant, v));
    }
    map_free(&s->before, free);
    s->before = now;
    s->before_seconds = s->seconds;
}

static size_t look(struct top *t)
{
    size_t answering = 0;

    for (size_t i = 0; i < t->n_servers; i++) {
        struct server *s = &t->servers[i];

        fetch(t, s);
        if (s->answers)
            take_rows(t, s);
        else
            map_free(&s->before, free); /* when it is back it begins anew */
        answering += s->answers;
    }
    return answering;
}

static void round_begin(struct top *t)
{
    arena_free(&t->round);
    map_free(&t->lines, NULL);
    t->round = arena_new(ROUND_MEMORY);
    t->lines = map_new(64);
}

/* ---- showing */

static enum measure sorted_by;

static int hotter(const void *a, const void *b)
{
    const struct line *x = *(struct line *const *)a, *y = *(struct line *const *)b;

    for (int m = (int)sorted_by, i = 0; i < MEASURES; i++, m = (m + 1) % MEASURES)
        if (x->v[m] < y->v[m] || x->v[m] > y->v[m])
            return x->v[m] < y->v[m] ? 1 : -1;
    return strcmp(x->tenant, y->tenant);
}

static struct line **sorted(struct top *t, size_t *ret_n)
{
    struct line **all = ARENA_ARRAY(t->round, struct line *, map_size(t->lines) + 1);
    size_t n = 0, at = 0;
    void *value;

    while (map_next(t->lines, &at, NULL, &value))
        all[n++] = value;
    sorted_by = t->by;
    qsort(all, n, sizeof(*all), hotter);
    *ret_n = n;
    return all;
}

static const char *amount(struct arena *a, double v)
{
    static const char units[] = " kMGT";
    size_t u = 0;

    while (v >= 1000 && u + 2 < sizeof(units)) {
        v /= 1000;
        u++;
    }
    return arena_printf(a, v < 10 && u ? "%.1f%c" : "%.0f%c", v, units[u]);
}

static void show_text(struct top *t, struct line **all, size_t n)
{
    struct ctl *c = t->c;

    for (size_t i = 0; i < t->n_servers; i++)
        if (!t->servers[i].answers)
            ctl_say(c, "%s does not answer", t->servers[i].where);
    ctl_say(c, "%-40s %8s %8s %10s %10s", "TENANT", "CPU %", "DB %", "BYTES/S", "REQUESTS/S");
    for (size_t i = 0; i < n && i < (size_t)t->rows; i++)
        ctl_say(c, "%-40s %8.1f %8.1f %10s %10.1f", strcmp(all[i]->tenant, "-") == 0 ? "(no tenant)" : all[i]->tenant,
                all[i]->v[CPU] * 100, all[i]->v[DATABASE] * 100, amount(t->round, all[i]->v[BYTES]),
                all[i]->v[REQUESTS]);
    if (n > (size_t)t->rows)
        ctl_say(c, "and %zu more", n - (size_t)t->rows);
}

static void show_json(struct top *t, struct line **all, size_t n)
{
    struct json_writer *w = &t->c->w;

    json_key(w, "servers");
    json_array_open(w);
    for (size_t i = 0; i < t->n_servers; i++) {
        json_object_open(w);
        ctl_put(t->c, "server", slice_of(t->servers[i].where));
        ctl_put_bool(t->c, "answers", t->servers[i].answers);
        ctl_put(t->c, "replica", slice_of(t->servers[i].replica));
        json_object_close(w);
    }
    json_array_close(w);
    json_key(w, "tenants");
    json_array_open(w);
    for (size_t i = 0; i < n && i < (size_t)t->rows; i++) {
        json_object_open(w);
        if (strcmp(all[i]->tenant, "-") == 0)
            ctl_put(t->c, "tenant", SLICE_NONE);
        else
            ctl_put(t->c, "tenant", slice_of(all[i]->tenant));
        for (int m = 0; m < MEASURES; m++) {
            json_key(w, measures[m].key);
            json_num(w, all[i]->v[m]);
        }
        json_object_close(w);
    }
    json_array_close(w);
}

static void nap(int seconds)
{
    struct timespec left = {seconds, 0};

    while (nanosleep(&left, &left) != 0)
        ;
}

static int show(struct top *t, bool again)
{
    size_t n;
    struct line **all = sorted(t, &n);

    if (again)
        ctl_say(t->c, "\033[H\033[J%zu servers, per second over %d s; Ctrl-C ends", t->n_servers, t->interval);
    if (t->c->json)
        show_json(t, all, n);
    else
        show_text(t, all, n);
    return ctl_flush(t->c, EXIT_DONE);
}

static int run(struct top *t, bool again)
{
    int code;

    round_begin(t);
    if (look(t) == 0)
        return ctl_fail(t->c, EXIT_UNAVAILABLE, "No server answers at %s%s", t->servers[0].where,
                        t->n_servers > 1 ? " and the others" : "");
    do {
        nap(t->interval);
        round_begin(t);
        if (look(t) == 0 && !again)
            return ctl_fail(t->c, EXIT_UNAVAILABLE, "No server answers at %s any more", t->servers[0].where);
        code = show(t, again);
        strbuf_clear(&t->c->out);
    } while (again && code == EXIT_DONE);
    return code;
}

static bool measure_of(const char *text, enum measure *ret)
{
    for (int m = 0; m < MEASURES; m++)
        if (strcmp(text, measures[m].option) == 0) {
            *ret = (enum measure)m;
            return true;
        }
    return false;
}

int verb_top(struct ctl *c)
{
    const char *given[SERVERS_MAX], *by = ctl_option(c, "--by", "cpu");
    const char *interval = ctl_option(c, "--interval", "2"), *rows = ctl_option(c, "--rows", "20");
    struct top t = {.c = c};
    bool once = ctl_flag(c, "--once");
    int code;

    t.n_servers = ctl_options(c, "--server", given, SERVERS_MAX);
    if (!ctl_complete(c, NULL, NULL) || !ctl_int(c, "--interval", interval, 1, 3600, &t.interval) ||
        !ctl_int(c, "--rows", rows, 1, 100000, &t.rows))
        return EXIT_USAGE;
    if (!measure_of(by, &t.by))
        return ctl_fail(c, EXIT_USAGE, "--by must be cpu, db, bytes or requests");
    for (size_t i = 0; i < t.n_servers; i++)
        t.servers[i].where = given[i];
    if (t.n_servers == 0)
        t.servers[t.n_servers++].where = c->params.ops_listen;
    code = run(&t, !once && !c->json && isatty(STDOUT_FILENO));
    for (size_t i = 0; i < t.n_servers; i++)
        map_free(&t.servers[i].before, free);
    map_free(&t.lines, NULL);
    arena_free(&t.round);
    return code;
}
