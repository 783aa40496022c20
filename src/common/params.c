/* SPDX-License-Identifier: Apache-2.0 */
/* params.c - reading of the configuration by the table of params.def. Every refusal names file, line, parameter and
 * what is allowed; values are shown, except those of secrets. Strings are interned for the life of the process. */
#include "common/params.h"
#include "common/file.h"
#include "common/must.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#define FILE_LIMIT (64 * 1024)

enum type { TYPE_STR, TYPE_INT, TYPE_BOOL };

struct param {
    const char *name;
    enum type type;
    size_t offset;
    const char *str_default;
    int64_t int_default; /* of bools too */
    int64_t min;
    int64_t max;
    const char *unit;
    unsigned flags;
    const char *help;
};

static const struct param table[] = {
#define PARAM_STR(n, d, f, h) \
    {.name = #n, .type = TYPE_STR, .offset = offsetof(struct params, n), .str_default = d, .flags = f, .help = h},
#define PARAM_INT(n, d, lo, hi, u, f, h)   \
    {.name = #n,                           \
     .type = TYPE_INT,                     \
     .offset = offsetof(struct params, n), \
     .int_default = d,                     \
     .min = lo,                            \
     .max = hi,                            \
     .unit = u,                            \
     .flags = f,                           \
     .help = h},
#define PARAM_BOOL(n, d, f, h) \
    {.name = #n, .type = TYPE_BOOL, .offset = offsetof(struct params, n), .int_default = d, .flags = f, .help = h},
#include "common/params.def"
#undef PARAM_STR
#undef PARAM_INT
#undef PARAM_BOOL
};

#define N_PARAMS (sizeof(table) / sizeof(table[0]))

/* Where a refusal is written, and what it is about. */
struct source {
    const char *file; /* NULL: the command line */
    int line;
    char *why;
    size_t why_size;
};

static __attribute__((format(printf, 2, 3))) enum rc refuse(const struct source *s, const char *fmt, ...)
{
    va_list args;
    int n = 0;

    if (s->why_size == 0)
        return RC_INVALID;
    if (s->file)
        n = snprintf(s->why, s->why_size, "%s:%d: ", s->file, s->line);
    if (n < 0 || (size_t)n >= s->why_size)
        return RC_INVALID;
    va_start(args, fmt);
    vsnprintf(s->why + n, s->why_size - (size_t)n, fmt, args);
    va_end(args);
    return RC_INVALID;
}

/* ---------------------------------------------------------------- fields of struct params */

static const char **str_field(struct params *p, const struct param *d)
{
    return (const char **)(void *)((char *)p + d->offset);
}

static int64_t *int_field(struct params *p, const struct param *d)
{
    return (int64_t *)(void *)((char *)p + d->offset);
}

static bool *bool_field(struct params *p, const struct param *d)
{
    return (bool *)(void *)((char *)p + d->offset);
}

static const char *str_value(const struct params *p, const struct param *d)
{
    return *(const char *const *)(const void *)((const char *)p + d->offset);
}

static int64_t int_value(const struct params *p, const struct param *d)
{
    return *(const int64_t *)(const void *)((const char *)p + d->offset);
}

static bool bool_value(const struct params *p, const struct param *d)
{
    return *(const bool *)(const void *)((const char *)p + d->offset);
}

struct interned {
    struct interned *next;
    char text[];
};

static struct interned *interned;
static pthread_mutex_t interned_lock = PTHREAD_MUTEX_INITIALIZER;

/* Equal texts share one copy, so that reloading the same file again and again takes no memory. */
static const char *intern(struct slice s)
{
    struct interned *i;

    pthread_mutex_lock(&interned_lock);
    for (i = interned; i; i = i->next)
        if (slice_eq(slice_of(i->text), s))
            break;
    if (!i) {
        i = must_alloc(sizeof(*i) + s.n + 1);
        memcpy(i->text, s.p, s.n);
        i->next = interned;
        interned = i;
    }
    pthread_mutex_unlock(&interned_lock);
    return i->text;
}

/* ---------------------------------------------------------------- reading */

static const struct param *find(struct slice name)
{
    for (size_t i = 0; i < N_PARAMS; i++)
        if (slice_eq(slice_of(table[i].name), name))
            return &table[i];
    return NULL;
}

/* For messages: not more than fits a line, and no secrets. */
static struct slice shown(const struct param *d, struct slice value)
{
    return d->flags & PARAM_SECRET ? SLICE("***") : slice_utf8_head(value, 80);
}

static const char *space_unit(const struct param *d)
{
    return d->unit[0] ? " " : "";
}

static enum rc set(struct params *p, const struct param *d, struct slice value, const struct source *s)
{
    int64_t number;

    if (!slice_utf8(value))
        return refuse(s, "%s: the value is not plain text", d->name);
    switch (d->type) {
    case TYPE_STR:
        *str_field(p, d) = intern(value);
        return RC_OK;
    case TYPE_INT:
        if (!slice_i64(value, &number) || number < d->min || number > d->max)
            return refuse(s,
                          "%s: \"" SLICE_FMT "\" is not allowed; it must be a whole number from %" PRId64 " to %" PRId64
                          "%s%s",
                          d->name, SLICE_ARG(shown(d, value)), d->min, d->max, space_unit(d), d->unit);
        *int_field(p, d) = number;
        return RC_OK;
    case TYPE_BOOL:
        if (!slice_bool(value, bool_field(p, d)))
            return refuse(s, "%s: \"" SLICE_FMT "\" is not allowed; it must be true or false", d->name,
                          SLICE_ARG(shown(d, value)));
        return RC_OK;
    }
    return RC_INTERNAL;
}

static void set_defaults(struct params *p)
{
    memset(p, 0, sizeof(*p));
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        if (d->type == TYPE_STR)
            *str_field(p, d) = d->str_default;
        else if (d->type == TYPE_INT)
            *int_field(p, d) = d->int_default;
        else
            *bool_field(p, d) = d->int_default != 0;
    }
}

/* A '#' at the start or behind a blank begins a comment, but not inside a quoted value. */
static struct slice without_comment(struct slice line)
{
    bool quoted = false;

    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == '"')
            quoted = !quoted;
        if (line.p[i] == '#' && !quoted && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
            return slice_mem(line.p, i);
    }
    return line;
}

static struct slice unquoted(struct slice value)
{
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
        return slice_mem(value.p + 1, value.n - 2);
    return value;
}

static enum rc read_line(struct params *p, struct slice line, int first_line[N_PARAMS], const struct source *s)
{
    struct slice rest = slice_trim(without_comment(line));
    const struct param *d;
    struct slice name;
    size_t at;

    if (rest.n == 0)
        return RC_OK;
    if (!slice_find(rest, '=', &at))
        return refuse(s, "a line must be of the form \"name = value\"");
    name = slice_trim(slice_cut(&rest, '='));
    d = find(name);
    if (!d)
        return refuse(s, "unknown parameter \"" SLICE_FMT "\"; --help lists all", SLICE_ARG(slice_utf8_head(name, 60)));
    if (first_line[d - table])
        return refuse(s, "%s is set twice, first in line %d", d->name, first_line[d - table]);
    first_line[d - table] = s->line;
    return set(p, d, unquoted(slice_trim(rest)), s);
}

static enum rc read_text(struct params *p, struct slice text, struct source *s)
{
    int first_line[N_PARAMS] = {0};

    while (text.n) {
        enum rc rc;

        s->line++;
        rc = read_line(p, slice_cut(&text, '\n'), first_line, s);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc read_file(struct params *p, const char *file, struct source *s)
{
    struct arena *a = arena_new_wiping(4 * FILE_LIMIT);
    struct slice text;
    enum rc rc = file_read(a, file, FILE_LIMIT, &text);

    if (rc == RC_OK) {
        s->file = file;
        rc = read_text(p, text, s);
    } else if (s->why_size) {
        snprintf(s->why, s->why_size, "%s: %s", file, strerror(errno));
    }
    arena_free(&a);
    s->file = NULL;
    return rc;
}

static enum rc read_override(struct params *p, const char *text, const struct source *s)
{
    struct slice rest = slice_of(text);
    const struct param *d;
    struct slice name;
    size_t at;

    if (!slice_find(rest, '=', &at))
        return refuse(s, "\"%.60s\" must be of the form name=value", text);
    name = slice_cut(&rest, '=');
    d = find(name);
    if (!d)
        return refuse(s, "unknown parameter \"" SLICE_FMT "\"; --help lists all", SLICE_ARG(slice_utf8_head(name, 60)));
    return set(p, d, rest, s);
}

static enum rc check_required(const struct params *p, const struct source *s)
{
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        if ((d->flags & PARAM_REQUIRED) && d->type == TYPE_STR && str_value(p, d)[0] == 0)
            return refuse(s, "the parameter %s is required: %s", d->name, d->help);
    }
    return RC_OK;
}

enum rc params_load(struct params *p, const char *file_or_null, char *const *overrides, size_t n_overrides,
                    char *ret_why, size_t why_size)
{
    struct source s = {.why = ret_why, .why_size = why_size};
    struct params fresh;
    enum rc rc = RC_OK;

    set_defaults(&fresh);
    if (file_or_null)
        rc = read_file(&fresh, file_or_null, &s);
    for (size_t i = 0; rc == RC_OK && i < n_overrides; i++)
        rc = read_override(&fresh, overrides[i], &s);
    if (rc == RC_OK)
        rc = check_required(&fresh, &s);
    if (rc == RC_OK)
        *p = fresh;
    return rc;
}

static bool equal(const struct params *a, const struct params *b, const struct param *d)
{
    switch (d->type) {
    case TYPE_STR:
        return strcmp(str_value(a, d), str_value(b, d)) == 0;
    case TYPE_INT:
        return int_value(a, d) == int_value(b, d);
    case TYPE_BOOL:
        return bool_value(a, d) == bool_value(b, d);
    }
    return true;
}

/* Stores are whole words, so readers without a lock see the old or the new value. */
static void take_over(struct params *p, const struct params *fresh, const struct param *d)
{
    switch (d->type) {
    case TYPE_STR:
        __atomic_store_n(str_field(p, d), str_value(fresh, d), __ATOMIC_RELEASE);
        break;
    case TYPE_INT:
        __atomic_store_n(int_field(p, d), int_value(fresh, d), __ATOMIC_RELEASE);
        break;
    case TYPE_BOOL:
        __atomic_store_n(bool_field(p, d), bool_value(fresh, d), __ATOMIC_RELEASE);
        break;
    }
}

enum rc params_reload(struct params *p, const char *file_or_null, char *const *overrides, size_t n_overrides,
                      char *ret_why, size_t why_size)
{
    struct params fresh;
    enum rc rc = params_load(&fresh, file_or_null, overrides, n_overrides, ret_why, why_size);
    size_t n = 0;

    if (rc != RC_OK)
        return rc;
    if (why_size)
        ret_why[0] = 0;
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        if (equal(p, &fresh, d))
            continue;
        if (d->flags & PARAM_RELOADABLE) {
            take_over(p, &fresh, d);
        } else if (n < why_size) {
            int more = snprintf(ret_why + n, why_size - n, "%s%s", n ? ", " : "a restart is needed for: ", d->name);

            n += more > 0 ? (size_t)more : 0;
        }
    }
    return RC_OK;
}

/* ---------------------------------------------------------------- printing */

static void print_default(FILE *f, const struct param *d)
{
    if (d->flags & PARAM_REQUIRED)
        fputs("required", f);
    else if (d->type == TYPE_STR)
        fprintf(f, "\"%s\"", d->str_default);
    else if (d->type == TYPE_INT)
        fprintf(f, "%" PRId64, d->int_default);
    else
        fputs(d->int_default ? "true" : "false", f);
}

static void print_allowed(FILE *f, const struct param *d)
{
    if (d->type == TYPE_INT)
        fprintf(f, "%" PRId64 " to %" PRId64 "%s%s", d->min, d->max, space_unit(d), d->unit);
    else
        fputs(d->type == TYPE_BOOL ? "true, false" : "text", f);
}

void params_print_help(FILE *f)
{
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        fprintf(f, "%s (", d->name);
        print_allowed(f, d);
        fputs(d->flags & PARAM_REQUIRED ? "; " : "; default ", f);
        print_default(f, d);
        fprintf(f, "%s)\n    %s\n", d->flags & PARAM_RELOADABLE ? "; reloadable" : "", d->help);
    }
}

static void print_str(FILE *f, const struct param *d, const char *value)
{
    if ((d->flags & PARAM_SECRET) && value[0])
        fputs("***", f);
    else if (strchr(value, '#') || value[0] == '"')
        fprintf(f, "\"%s\"", value);
    else
        fputs(value, f);
}

void params_print(FILE *f, const struct params *p)
{
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        fprintf(f, "%s = ", d->name);
        if (d->type == TYPE_STR)
            print_str(f, d, str_value(p, d));
        else if (d->type == TYPE_INT)
            fprintf(f, "%" PRId64, int_value(p, d));
        else
            fputs(bool_value(p, d) ? "true" : "false", f);
        fputc('\n', f);
    }
}

void params_print_markdown(FILE *f)
{
    fputs("| Parameter | Allowed | Default | Reloadable | Meaning |\n|---|---|---|---|---|\n", f);
    for (size_t i = 0; i < N_PARAMS; i++) {
        const struct param *d = &table[i];

        fprintf(f, "| `%s` | ", d->name);
        print_allowed(f, d);
        fputs(" | ", f);
        print_default(f, d);
        fprintf(f, " | %s | %s |\n", d->flags & PARAM_RELOADABLE ? "yes" : "no", d->help);
    }
}
