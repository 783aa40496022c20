/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - parameters of statements as text values, arrays as array literals. A value that cannot be sent (a NUL
 * inside, an array beyond its ceiling) spoils the whole set: n becomes ARGS_SPOILT and tx_run answers RC_INVALID, so
 * that nothing cut short is ever stored. */
#include "common/must.h"
#include "store/db.h"
#include <stdio.h>

#define ARGS_SPOILT   (SQL_PARAMS_MAX + 1)
#define ARRAY_CEILING ((size_t)16 * 1024 * 1024)

struct sql_array {
    struct sql_args *args;
    int at;
    struct strbuf text; /* always a whole literal: ends in '}' */
    bool any;
};

void args_init(struct sql_args *s, struct arena *a)
{
    *s = (struct sql_args){.arena = a};
}

static void add(struct sql_args *s, const char *v)
{
    if (s->n == ARGS_SPOILT)
        return;
    must(s->n < SQL_PARAMS_MAX);
    s->value[s->n++] = v;
}

static void spoil(struct sql_args *s)
{
    s->n = ARGS_SPOILT;
}

static bool has_nul(struct slice v)
{
    return v.n && memchr(v.p, 0, v.n) != NULL;
}

void args_slice(struct sql_args *s, struct slice v)
{
    if (!v.p)
        add(s, NULL);
    else if (has_nul(v))
        spoil(s);
    else
        add(s, arena_cstr(s->arena, v));
}

void args_str(struct sql_args *s, const char *v)
{
    add(s, v ? arena_strdup(s->arena, v) : NULL);
}

void args_uuid(struct sql_args *s, struct uuid v)
{
    add(s, uuid_is_nil(v) ? NULL : uuid_text(v, arena_alloc(s->arena, UUID_TEXT_SIZE)));
}

void args_int(struct sql_args *s, int64_t v)
{
    add(s, arena_printf(s->arena, "%lld", (long long)v));
}

void args_bool(struct sql_args *s, bool v)
{
    add(s, v ? "true" : "false");
}

void args_time(struct sql_args *s, usec_t v)
{
    add(s, v ? clock_rfc3339(v, arena_alloc(s->arena, CLOCK_RFC3339_SIZE)) : NULL);
}

void args_bytes(struct sql_args *s, struct slice v)
{
    struct strbuf b;

    if (!v.p) {
        add(s, NULL);
        return;
    }
    strbuf_init_arena(&b, s->arena, v.n * 2 + 2);
    strbuf_add(&b, SLICE("\\x"));
    strbuf_add_hex(&b, v.p, v.n);
    add(s, b.p);
}

void args_null(struct sql_args *s)
{
    add(s, NULL);
}

struct sql_array *args_array(struct sql_args *s)
{
    struct sql_array *x = ARENA_NEW(s->arena, struct sql_array);

    x->args = s;
    x->at = s->n;
    strbuf_init_arena(&x->text, s->arena, ARRAY_CEILING);
    strbuf_add(&x->text, SLICE("{}"));
    add(s, x->text.p);
    return x;
}

static void open_item(struct sql_array *x)
{
    x->text.n--; /* the '}' */
    if (x->any)
        strbuf_add_char(&x->text, ',');
    x->any = true;
}

static void close_item(struct sql_array *x)
{
    strbuf_add_char(&x->text, '}');
    if (x->text.over)
        spoil(x->args);
    if (x->args->n != ARGS_SPOILT)
        x->args->value[x->at] = x->text.p;
}

static void plain(struct sql_array *x, const char *text)
{
    open_item(x);
    strbuf_add_str(&x->text, text);
    close_item(x);
}

void array_slice(struct sql_array *x, struct slice v)
{
    size_t from = 0;

    if (!v.p) {
        array_null(x);
        return;
    }
    if (has_nul(v)) {
        spoil(x->args);
        return;
    }
    open_item(x);
    strbuf_add_char(&x->text, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] != '"' && v.p[i] != '\\')
            continue;
        strbuf_add(&x->text, slice_mem(v.p + from, i - from));
        strbuf_add_char(&x->text, '\\');
        from = i;
    }
    strbuf_add(&x->text, slice_mem(v.p + from, v.n - from));
    strbuf_add_char(&x->text, '"');
    close_item(x);
}

void array_uuid(struct sql_array *x, struct uuid v)
{
    char text[UUID_TEXT_SIZE];

    if (uuid_is_nil(v))
        array_null(x);
    else
        plain(x, uuid_text(v, text));
}

void array_int(struct sql_array *x, int64_t v)
{
    open_item(x);
    strbuf_add_i64(&x->text, v);
    close_item(x);
}

void array_bool(struct sql_array *x, bool v)
{
    plain(x, v ? "t" : "f");
}

void array_time(struct sql_array *x, usec_t v)
{
    char text[CLOCK_RFC3339_SIZE];

    if (v == 0)
        array_null(x);
    else
        plain(x, clock_rfc3339(v, text));
}

void array_null(struct sql_array *x)
{
    plain(x, "NULL");
}
