/* SPDX-License-Identifier: Apache-2.0 */
/* pgtext.c - reading PostgreSQL's text forms: times, bytes, arrays. What does not fit the form becomes an empty value;
 * the server is not trusted to be right, nor is it a reason to abort. */
#include "store/pgtext.h"

usec_t pgtext_time(struct slice s)
{
    char text[48];
    usec_t t;

    if (s.n < 19 || s.n > 40 || s.p[10] != ' ')
        return 0;
    memcpy(text, s.p, s.n);
    text[10] = 'T';
    if (text[s.n - 3] == '+' || text[s.n - 3] == '-') { /* "+00" -> "+00:00" */
        memcpy(text + s.n, ":00", 3);
        s.n += 3;
    }
    return clock_parse_rfc3339(slice_mem(text, s.n), &t) ? t : 0;
}

struct slice pgtext_bytes(struct arena *a, struct slice s)
{
    size_t n = 0;
    char *out;

    if (!slice_starts(s, SLICE("\\x")))
        return SLICE_NONE;
    out = arena_alloc(a, s.n / 2);
    if (!slice_unhex(slice_mem(s.p + 2, s.n - 2), (uint8_t *)out, s.n / 2, &n))
        return SLICE_NONE;
    return slice_mem(out, n);
}

/* One item from s at *at, up to the ',' or '}' behind it; its bytes go to out. */
static bool array_item(char *out, struct slice s, size_t *at, struct slice *ret)
{
    size_t i = *at;
    size_t n = 0;
    bool quoted = i < s.n && s.p[i] == '"';

    if (quoted)
        i++;
    for (; i < s.n; i++) {
        if (quoted ? s.p[i] == '"' : s.p[i] == ',' || s.p[i] == '}')
            break;
        if (s.p[i] == '\\' && ++i >= s.n)
            return false;
        out[n++] = s.p[i];
    }
    if (quoted)
        i++;
    if (i >= s.n || (s.p[i] != ',' && s.p[i] != '}'))
        return false;
    *at = i;
    *ret = slice_mem(out, n);
    if (!quoted && slice_ieq(*ret, SLICE("NULL")))
        *ret = SLICE_NONE;
    return true;
}

static size_t count_items(struct slice s)
{
    size_t n = 1;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    return n;
}

size_t pgtext_array(struct arena *a, struct slice s, struct slice **ret_items)
{
    struct slice *items;
    size_t n = 0;
    size_t at = 1;
    char *out;

    *ret_items = NULL;
    if (s.n < 2 || s.p[0] != '{' || s.p[s.n - 1] != '}' || slice_eq(s, SLICE("{}")))
        return 0;
    items = ARENA_ARRAY(a, struct slice, count_items(s));
    out = arena_alloc(a, s.n);
    for (;;) {
        if (!array_item(out, s, &at, &items[n]))
            return 0;
        out += items[n++].n;
        if (s.p[at++] == '}')
            break;
    }
    if (at != s.n)
        return 0;
    *ret_items = items;
    return n;
}
