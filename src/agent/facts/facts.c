/* SPDX-License-Identifier: Apache-2.0 */
/* facts.c - what the readers share. */
#include "agent/facts/facts.h"
#include "common/file.h"
#include "common/must.h"
#include "common/strbuf.h"

void fact_add(struct fact_rows *rows, struct slice key, const struct strbuf *value)
{
    for (size_t i = 0; i < key.n; i++)
        if ((uint8_t)key.p[i] < 0x20) /* keys are lines in the file of acknowledged rows */
            return;
    if (key.n == 0 || key.n > FACT_KEY_MAX || value->n > FACT_VALUE_MAX || value->over || rows->n >= FACT_ROWS_MAX)
        return;
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 16;
        struct wire_digest_row *v = ARENA_ARRAY(rows->a, struct wire_digest_row, cap);
        if (rows->n)
            memcpy(v, rows->v, rows->n * sizeof(*v));
        rows->v = v;
        rows->cap = cap;
    }
    rows->v[rows->n++] = (struct wire_digest_row){arena_copy(rows->a, key), arena_copy(rows->a, strbuf_slice(value))};
}

struct slice fact_file(const struct agent_config *cfg, struct arena *a, const char *path, size_t ceiling)
{
    struct slice text;
    if (file_read(a, config_path(cfg, a, path), ceiling, &text) != RC_OK)
        return SLICE_NONE;
    return slice_trim(text);
}

struct slice fact_text(struct arena *a, struct slice s, size_t max)
{
    s = slice_trim(s);
    if (s.n > max) {
        s.n = max;
        while (s.n && ((uint8_t)s.p[s.n] & 0xc0) == 0x80)
            s.n--;
    }
    if (s.n == 0)
        return SLICE_NONE;
    if (slice_utf8(s))
        return s;
    char *copy = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        copy[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
    return (struct slice){copy, s.n};
}

struct slice fact_variable(struct arena *a, struct slice text, const char *key)
{
    struct slice name = slice_of(key);
    while (text.n) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.n <= name.n || !slice_starts(line, name) || line.p[name.n] != '=')
            continue;
        struct slice v = slice_trim((struct slice){line.p + name.n + 1, line.n - name.n - 1});
        if (v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0])
            v = (struct slice){v.p + 1, v.n - 2};
        return fact_text(a, v, 200);
    }
    return SLICE_NONE;
}
