/* SPDX-License-Identifier: Apache-2.0 */
/* split.c - cutting a migration into statements: each goes to PostgreSQL in a message of its own, as Citus wants it. */
#include "provision/split.h"
#include "common/strbuf.h"
#include <stdio.h>

struct scan {
    struct slice text;
    size_t at;
    int line;
};

static bool here(const struct scan *s, const char *what)
{
    return slice_starts(slice_mem(s->text.p + s->at, s->text.n - s->at), slice_of(what));
}

static void step(struct scan *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->line += s->text.p[s->at++] == '\n';
}

/* Behind the next occurrence of end; false when there is none. */
static bool skip_behind(struct scan *s, const char *end)
{
    while (s->at < s->text.n && !here(s, end))
        step(s, 1);
    if (s->at >= s->text.n)
        return false;
    step(s, strlen(end));
    return true;
}

static bool skip_block_comment(struct scan *s)
{
    int depth = 0;

    do {
        if (here(s, "/*")) {
            depth++;
            step(s, 2);
        } else if (here(s, "*/")) {
            depth--;
            step(s, 2);
        } else {
            step(s, 1);
        }
    } while (depth && s->at < s->text.n);
    return depth == 0;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "$tag$ ... $tag$" at s; 0 when no dollar quote begins here. */
static size_t dollar_tag(const struct scan *s, char tag[66])
{
    size_t n = 1;

    while (s->at + n < s->text.n && n < 64 && word_char(s->text.p[s->at + n]))
        n++;
    if (s->at + n >= s->text.n || s->text.p[s->at + n] != '$' || (n > 1 && s->text.p[s->at + 1] <= '9'))
        return 0;
    memcpy(tag, s->text.p + s->at, n + 1);
    tag[n + 1] = 0;
    return n + 1;
}

/* Passes one thing: a quoted text, a dollar quote, or one character; its bytes go to out, comments do not. */
static bool pass(struct scan *s, struct strbuf *out)
{
    size_t from = s->at;
    char tag[66];
    bool fine = true;
    char c = s->text.p[s->at];

    if (here(s, "--")) {
        while (s->at < s->text.n && s->text.p[s->at] != '\n')
            step(s, 1);
        return true;
    }
    if (here(s, "/*"))
        return skip_block_comment(s);
    if (c == '\'' || c == '"') {
        step(s, 1);
        fine = skip_behind(s, c == '\'' ? "'" : "\"");
    } else if (c == '$' && dollar_tag(s, tag)) {
        step(s, strlen(tag));
        fine = skip_behind(s, tag);
    } else {
        step(s, 1);
    }
    strbuf_add(out, slice_mem(s->text.p + from, s->at - from));
    return fine;
}

enum rc split_statements(struct arena *a, struct slice text, struct slice **ret, size_t *ret_n, int *ret_line)
{
    struct scan s = {.text = text, .line = 1};
    struct slice *list = NULL;
    size_t n = 0;
    struct strbuf b;

    for (;;) {
        int from;

        strbuf_init_arena(&b, a, text.n);
        while (s.at < text.n && text.p[s.at] != ';') {
            from = s.line;
            if (!pass(&s, &b)) {
                *ret_line = from;
                return RC_INVALID;
            }
        }
        if (slice_trim(strbuf_slice(&b)).n && s.at >= text.n) {
            *ret_line = s.line;
            return RC_INVALID;
        }
        if (slice_trim(strbuf_slice(&b)).n) {
            list = arena_realloc(a, list, n * sizeof(*list), (n + 1) * sizeof(*list));
            list[n++] = slice_trim(strbuf_slice(&b));
        }
        if (s.at >= text.n)
            break;
        step(&s, 1);
    }
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc split_place(struct arena *a, struct slice statement, int tenant_no, const char **ret)
{
    struct strbuf b;
    size_t i = 0;

    strbuf_init_arena(&b, a, statement.n * 4 + 16);
    while (i < statement.n) {
        struct slice rest = slice_mem(statement.p + i, statement.n - i);

        if (slice_starts(rest, SLICE("{t}")) || slice_starts(rest, SLICE("{r}"))) {
            if (tenant_no <= 0)
                return RC_INVALID;
            strbuf_printf(&b, "t_%d", tenant_no);
            i += 3;
        } else {
            strbuf_add_char(&b, statement.p[i++]);
        }
    }
    *ret = b.p;
    return RC_OK;
}
