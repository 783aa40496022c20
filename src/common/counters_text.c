/* SPDX-License-Identifier: Apache-2.0 */
/* counters_text.c - the table of counters.def as the text of Prometheus and as documentation. */
#include "common/counters_private.h"
#include <inttypes.h>

const struct counter_row counter_rows[] = {
#define COUNTER(name, help)           {#name, "counter", help, NULL, NULL, NULL, 0, C_##name, 0},
#define GAUGE(name, help)             {#name, "gauge", help, NULL, NULL, NULL, 0, C_##name, 0},
#define COUNTER_BY(name, label, help) {#name, "counter", help, #label, NULL, NULL, 0, C_##name, 0},
#define GAUGE_BY(name, label, help)   {#name, "gauge", help, #label, NULL, NULL, 0, C_##name, 0},
#define VALUE(name, value)            {#name, NULL, NULL, NULL, #value, NULL, 0, C_##name##_##value, 0},
#define TENANT(name, help)            {#name, "counter", help, "tenant", NULL, NULL, 0, -1, T_##name},
#define HISTOGRAM(name, help, ...)                       \
    {#name,                                              \
     "histogram",                                        \
     help,                                               \
     NULL,                                               \
     NULL,                                               \
     (const int64_t[]){__VA_ARGS__},                     \
     sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
     C_##name,                                           \
     0},
#include "common/counters.def"
};
const size_t counter_rows_count = sizeof(counter_rows) / sizeof(counter_rows[0]);

void counters_add_value(struct strbuf *out, const char *name, int64_t v)
{
    char text[48];
    size_t n;

    if (!slice_ends(slice_of(name), SLICE("_seconds"))) {
        strbuf_add_i64(out, v);
        return;
    }
    n = (size_t)snprintf(text, sizeof(text), "%s%" PRId64 ".%09" PRId64, v < 0 ? "-" : "",
                         v < 0 ? -(v / 1000000000) : v / 1000000000, v < 0 ? -(v % 1000000000) : v % 1000000000);
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    strbuf_add(out, slice_mem(text, n));
}

void counters_add_label(struct strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            strbuf_add_char(out, '\\');
        if (*text == '\n')
            strbuf_add_str(out, "\\n");
        else
            strbuf_add_char(out, *text);
    }
}

static void write_series(struct strbuf *out, const struct counter_row *r, const char *label, const char *value)
{
    strbuf_printf(out, "sekisho_%s", r->name);
    if (label)
        strbuf_printf(out, "{%s=\"%s\"}", label, value);
    strbuf_add_char(out, ' ');
    counters_add_value(out, r->name, counter_read((enum counter)r->at));
    strbuf_add_char(out, '\n');
}

static int64_t slot(enum counter c)
{
    int64_t sum = 0;

    for (struct counter_block *b = counters_list(); b; b = b->next)
        sum += atomic_load_explicit(&b->v[c], memory_order_relaxed);
    return sum;
}

static void write_histogram(struct strbuf *out, const struct counter_row *r)
{
    int64_t n = 0;

    for (size_t i = 0; i <= r->n_bounds; i++) {
        n += slot((enum counter)(r->at + (int)i));
        strbuf_printf(out, "sekisho_%s_bucket{le=\"", r->name);
        if (i < r->n_bounds)
            counters_add_value(out, r->name, r->bounds[i]);
        else
            strbuf_add_str(out, "+Inf");
        strbuf_add_str(out, "\"} ");
        strbuf_add_i64(out, n);
        strbuf_add_char(out, '\n');
    }
    strbuf_printf(out, "sekisho_%s_sum ", r->name);
    counters_add_value(out, r->name, slot((enum counter)(r->at + HISTOGRAM_SLOTS - 1)));
    strbuf_printf(out, "\nsekisho_%s_count ", r->name);
    strbuf_add_i64(out, n);
    strbuf_add_char(out, '\n');
}

void counters_write(struct strbuf *out, counters_tenant_id tenant_id)
{
    counters_rank_tenants();
    for (size_t i = 0; i < counter_rows_count; i++) {
        const struct counter_row *r = &counter_rows[i];

        if (r->value)
            continue; /* written with its family */
        strbuf_printf(out, "# HELP sekisho_%s %s\n# TYPE sekisho_%s %s\n", r->name, r->help, r->name, r->kind);
        if (r->at < 0) {
            counters_write_tenants(out, r, tenant_id);
        } else if (r->bounds) {
            write_histogram(out, r);
        } else if (r->label) {
            for (size_t k = i + 1; k < counter_rows_count && counter_rows[k].value; k++)
                write_series(out, &counter_rows[k], r->label, counter_rows[k].value);
        } else {
            write_series(out, r, NULL, NULL);
        }
    }
}

/* ---- documentation */

static void print_labels(FILE *f, size_t at, const char *before, const char *between, const char *after)
{
    const struct counter_row *r = &counter_rows[at];
    struct strbuf b;

    if (!r->label && !r->bounds)
        return;
    strbuf_init(&b, 4096);
    if (r->at < 0)
        strbuf_add_str(&b, "the 20 that grow fastest, _rest");
    for (size_t k = at + 1; r->label && r->at >= 0 && k < counter_rows_count && counter_rows[k].value; k++)
        strbuf_printf(&b, "%s%s", b.n ? between : "", counter_rows[k].value);
    for (size_t k = 0; k < r->n_bounds; k++) {
        strbuf_add_str(&b, b.n ? between : "");
        counters_add_value(&b, r->name, r->bounds[k]);
    }
    fprintf(f, "%s%s: %.*s%s", before, r->label ? r->label : "le", (int)b.n, b.p, after);
    strbuf_done(&b);
}

void counters_print_help(FILE *f)
{
    for (size_t i = 0; i < counter_rows_count; i++) {
        if (counter_rows[i].value)
            continue;
        fprintf(f, "sekisho_%s (%s)\n    %s\n", counter_rows[i].name, counter_rows[i].kind, counter_rows[i].help);
        print_labels(f, i, "    ", ", ", "\n");
    }
}

void counters_print_markdown(FILE *f)
{
    fprintf(f, "# Metrics\n\nWhat `/metrics` of the port `ops_listen` gives, in the text format of Prometheus, and "
               "`sekishod --metrics-help` lists.\n\n| metric | kind | labels | what it is |\n|---|---|---|---|\n");
    for (size_t i = 0; i < counter_rows_count; i++) {
        if (counter_rows[i].value)
            continue;
        fprintf(f, "| `sekisho_%s` | %s | ", counter_rows[i].name, counter_rows[i].kind);
        print_labels(f, i, "`", ", ", "`");
        fprintf(f, " | %s |\n", counter_rows[i].help);
    }
}
