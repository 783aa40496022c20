/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.c - see ctl.h. Output is gathered and written at the end, so that JSON is whole or absent. --json and --dry-run
 * may stand anywhere behind the noun too. */
#include "ctl/ctl.h"
#include <stdarg.h>
#include <stdio.h>

const char *ctl_option(struct ctl *c, const char *name, const char *otherwise)
{
    const char *one[1];

    return ctl_options(c, name, one, 1) ? one[0] : otherwise;
}

size_t ctl_options(struct ctl *c, const char *name, const char **ret, size_t cap)
{
    size_t len = strlen(name);
    size_t n = 0;

    for (int i = 0; i < c->argc && n < cap; i++) {
        if (c->used[i] || strncmp(c->argv[i], name, len) != 0)
            continue;
        if (c->argv[i][len] == '=') {
            ret[n++] = c->argv[i] + len + 1;
            c->used[i] = true;
        } else if (c->argv[i][len] == 0 && i + 1 < c->argc) {
            c->used[i] = c->used[i + 1] = true;
            ret[n++] = c->argv[++i];
        }
    }
    return n;
}

bool ctl_flag(struct ctl *c, const char *name)
{
    for (int i = 0; i < c->argc; i++) {
        if (!c->used[i] && strcmp(c->argv[i], name) == 0) {
            c->used[i] = true;
            return true;
        }
    }
    return false;
}

const char *ctl_next(struct ctl *c)
{
    for (int i = 0; i < c->argc; i++) {
        if (!c->used[i] && c->argv[i][0] != '-') {
            c->used[i] = true;
            return c->argv[i];
        }
    }
    return NULL;
}

bool ctl_complete(struct ctl *c, const char *missing_name, const char *missing_value)
{
    if (ctl_flag(c, "--json"))
        c->json = true;
    if (missing_name && !missing_value) {
        ctl_fail(c, EXIT_USAGE, "%s is missing. Try: sekishoctl --help", missing_name);
        return false;
    }
    for (int i = 0; i < c->argc; i++) {
        if (!c->used[i]) {
            ctl_fail(c, EXIT_USAGE, "%s is unknown here, or lacks its value. Try: sekishoctl --help", c->argv[i]);
            return false;
        }
    }
    if (c->json) {
        json_start(&c->w, &c->out);
        json_object_open(&c->w);
    }
    return true;
}

bool ctl_int(struct ctl *c, const char *name, const char *text, int min, int max, int *ret)
{
    if (slice_int(slice_of(text), min, max, ret))
        return true;
    ctl_fail(c, EXIT_USAGE, "%s must be a whole number from %d to %d", name, min, max);
    return false;
}

static const struct {
    enum rc rc;
    int code;
} codes[] = {
    {RC_OK, EXIT_DONE},
    {RC_NOT_FOUND, EXIT_REFUSED},
    {RC_CONFLICT, EXIT_REFUSED},
    {RC_DENIED, EXIT_REFUSED},
    {RC_OVER_QUOTA, EXIT_REFUSED},
    {RC_INVALID, EXIT_INPUT},
    {RC_UNAVAILABLE, EXIT_UNAVAILABLE},
    {RC_UNCERTAIN, EXIT_UNCERTAIN},
    {RC_INTERNAL, EXIT_INTERNAL},
};

int ctl_fail(struct ctl *c, int code, const char *fmt, ...)
{
    char text[900];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "sekishoctl: %s\n", text);
    if (c->json) {
        strbuf_clear(&c->out);
        json_start(&c->w, &c->out);
        json_object_open(&c->w);
        json_key(&c->w, "error");
        json_str(&c->w, slice_of(text));
        ctl_flush(c, code);
    }
    return code;
}

int ctl_refused(struct ctl *c, enum rc rc)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].rc == rc)
            return ctl_fail(c, codes[i].code, "%s", c->owner.why[0] ? c->owner.why : rc_name(rc));
    return ctl_fail(c, EXIT_INTERNAL, "%s", rc_name(rc));
}

void ctl_say(struct ctl *c, const char *fmt, ...)
{
    char small[2048];
    va_list args;

    if (c->json)
        return;
    va_start(args, fmt);
    vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    strbuf_add_str(&c->out, small);
    strbuf_add_char(&c->out, '\n');
}

void ctl_put(struct ctl *c, const char *key, struct slice v)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    if (v.p)
        json_str(&c->w, v);
    else
        json_nil(&c->w);
}

void ctl_put_int(struct ctl *c, const char *key, int64_t v)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    json_int(&c->w, v);
}

void ctl_put_bool(struct ctl *c, const char *key, bool v)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    json_bool(&c->w, v);
}

void ctl_put_time(struct ctl *c, const char *key, usec_t t)
{
    if (!c->json)
        return;
    json_key(&c->w, key);
    if (t)
        json_time(&c->w, t);
    else
        json_nil(&c->w);
}

int ctl_flush(struct ctl *c, int code)
{
    if (c->json) {
        while (c->w.depth)
            json_object_close(&c->w);
        strbuf_add_char(&c->out, '\n');
    }
    fwrite(c->out.p, 1, c->out.n, stdout);
    if (fflush(stdout) != 0)
        return EXIT_INTERNAL;
    return code;
}
