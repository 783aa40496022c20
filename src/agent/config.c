/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - see config.h. One row per value, from config.def; reading, checking and help all walk that table. */
#include "agent/config.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <inttypes.h>
#include <stddef.h>

enum kind { STR, INT, LIST, ENUM };

struct row {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *def;
    int64_t def_int;
    int64_t min;
    int64_t max;
    const char *unit;
    const char *allowed;
    int flags;
    const char *help;
};

static const struct row rows[] = {
#define AGENT_STR(name, def, flags, help) \
    {#name, STR, offsetof(struct agent_config, name), def, 0, 0, 0, "", "", flags, help},
#define AGENT_ENUM(name, def, allowed, flags, help) \
    {#name, ENUM, offsetof(struct agent_config, name), def, 0, 0, 0, "", allowed, flags, help},
#define AGENT_INT(name, def, min, max, unit, flags, help) \
    {#name, INT, offsetof(struct agent_config, name), "", def, min, max, unit, "", flags, help},
#define AGENT_LIST(name, def, flags, help) \
    {#name, LIST, offsetof(struct agent_config, name), def, 0, 0, 0, "", "", flags, help},
#include "agent/config.def"
#undef AGENT_STR
#undef AGENT_ENUM
#undef AGENT_INT
#undef AGENT_LIST
};

#define ROWS     (sizeof(rows) / sizeof(rows[0]))
#define FILE_MAX (64 * 1024)

static void *field(struct agent_config *cfg, const struct row *r)
{
    return (char *)cfg + r->offset;
}

static bool one_of(struct slice value, const char *allowed)
{
    struct slice rest = slice_of(allowed);
    while (rest.n)
        if (slice_eq(slice_cut(&rest, '|'), value))
            return true;
    return false;
}

static bool split(struct arena *a, struct slice value, struct config_list *ret)
{
    const char **v = ARENA_ARRAY(a, const char *, CONFIG_LIST_MAX);
    size_t n = 0;
    while (value.n) {
        struct slice one = slice_trim(slice_cut(&value, ':'));
        if (one.n == 0)
            continue;
        if (n == CONFIG_LIST_MAX)
            return false;
        v[n++] = arena_cstr(a, one);
    }
    *ret = (struct config_list){v, n};
    return true;
}

/* Sets one value; false with the allowed values in *ret_allowed. */
static bool set(struct agent_config *cfg, const struct row *r, struct slice value, const char **ret_allowed)
{
    int64_t number;
    switch (r->kind) {
    case STR:
        *(const char **)field(cfg, r) = arena_cstr(cfg->memory, value);
        *ret_allowed = "text without control characters";
        return slice_utf8(value);
    case ENUM:
        *(const char **)field(cfg, r) = arena_cstr(cfg->memory, value);
        *ret_allowed = r->allowed;
        return one_of(value, r->allowed);
    case INT:
        *ret_allowed = arena_printf(cfg->memory, "a whole number from %" PRId64 " to %" PRId64, r->min, r->max);
        if (!slice_i64(value, &number) || number < r->min || number > r->max)
            return false;
        *(int64_t *)field(cfg, r) = number;
        return true;
    case LIST:
        *ret_allowed = "at most 32 values separated by ':'";
        return slice_utf8(value) && split(cfg->memory, value, field(cfg, r));
    }
    return false;
}

static const struct row *find(struct slice name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (slice_eq(name, slice_of(rows[i].name)))
            return &rows[i];
    return NULL;
}

/* "name = value" (or "name=value"). where: "agent.conf line 3" or "the command line". */
static enum rc assign(struct agent_config *cfg, struct slice line, const char *where, bool *seen, char *why,
                      size_t size)
{
    size_t at;
    if (!slice_find(line, '=', &at)) {
        snprintf(why, size, "%s: expected name = value", where);
        return RC_INVALID;
    }
    struct slice name = slice_trim((struct slice){line.p, at});
    struct slice value = slice_trim((struct slice){line.p + at + 1, line.n - at - 1});
    const struct row *r = find(name);
    if (!r) {
        snprintf(why, size, "%s: there is no value named '%.*s'; `sekisho-agent --help` lists them", where,
                 (int)(name.n < 60 ? name.n : 60), name.p);
        return RC_INVALID;
    }
    if (seen) {
        if (seen[r - rows]) {
            snprintf(why, size, "%s: %s is given twice", where, r->name);
            return RC_INVALID;
        }
        seen[r - rows] = true;
    }
    const char *allowed = "";
    if (!set(cfg, r, value, &allowed)) {
        snprintf(why, size, "%s: %s cannot be '%.*s'; allowed: %s", where, r->name, (int)(value.n < 60 ? value.n : 60),
                 r->flags & CONFIG_SECRET ? "***" : value.p, allowed);
        return RC_INVALID;
    }
    return RC_OK;
}

static enum rc read_file(struct agent_config *cfg, const char *file, bool optional, char *why, size_t size)
{
    struct slice text;
    enum rc rc = file_read(cfg->memory, file, FILE_MAX, &text);
    if (rc == RC_NOT_FOUND && optional)
        return RC_OK;
    if (rc != RC_OK) {
        snprintf(why, size, "%s cannot be read (%s)", file, rc_name(rc));
        return rc;
    }
    bool seen[ROWS] = {false};
    for (int line = 1; text.n; line++) {
        struct slice s = slice_trim(slice_cut(&text, '\n'));
        if (s.n == 0 || s.p[0] == '#')
            continue;
        const char *where = arena_printf(cfg->memory, "%s line %d", file, line);
        rc = assign(cfg, s, where, seen, why, size);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc check(const struct agent_config *cfg, char *why, size_t size)
{
    const struct config_list *lists[] = {&cfg->watched_folders, &cfg->scan_targets, &cfg->exclusions};
    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            if (lists[k]->v[i][0] != '/') {
                snprintf(why, size, "'%s' must be an absolute path", lists[k]->v[i]);
                return RC_INVALID;
            }
    if (cfg->state_dir[0] != '/') {
        snprintf(why, size, "state_dir must be an absolute path");
        return RC_INVALID;
    }
    struct slice proxy = slice_of(cfg->proxy);
    if (proxy.n && !slice_starts(proxy, SLICE("http://"))) {
        snprintf(why, size, "proxy must be http://host:port");
        return RC_INVALID;
    }
    size_t at;
    if (slice_find(proxy, '@', &at)) {
        snprintf(why, size, "proxy must be http://host:port; signing in at the proxy is not possible");
        return RC_INVALID;
    }
    return RC_OK;
}

enum rc config_load(struct agent_config *ret, const char *file, bool optional, char *const *overrides,
                    size_t n_overrides, char *ret_why, size_t why_size)
{
    struct agent_config cfg = {.memory = arena_new_wiping(1 << 20)};
    enum rc rc = RC_OK;
    const char *allowed;
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == INT)
            *(int64_t *)field(&cfg, &rows[i]) = rows[i].def_int;
        else
            (void)set(&cfg, &rows[i], slice_of(rows[i].def), &allowed);
    }
    if (file)
        rc = read_file(&cfg, file, optional, ret_why, why_size);
    for (size_t i = 0; i < n_overrides && rc == RC_OK; i++)
        rc = assign(&cfg, slice_of(overrides[i]), "the command line", NULL, ret_why, why_size);
    if (rc == RC_OK)
        rc = check(&cfg, ret_why, why_size);
    if (rc != RC_OK) {
        config_done(&cfg);
        return rc;
    }
    *ret = cfg;
    return RC_OK;
}

enum rc config_complete(const struct agent_config *cfg, char *ret_why, size_t why_size)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!(rows[i].flags & CONFIG_REQUIRED) || rows[i].kind != STR)
            continue;
        const char *const *v = (const char *const *)((const char *)cfg + rows[i].offset);
        if (**v == '\0') {
            snprintf(ret_why, why_size, "%s must be set: %s", rows[i].name, rows[i].help);
            return RC_INVALID;
        }
    }
    return RC_OK;
}

void config_done(struct agent_config *cfg)
{
    arena_free(&cfg->memory);
    memset(cfg, 0, sizeof(*cfg));
}

void config_print_help(FILE *f)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        if (r->kind == INT)
            fprintf(f, "  %s = %" PRId64 "%s%s   (%" PRId64 " to %" PRId64 ")\n", r->name, r->def_int,
                    r->unit[0] ? " " : "", r->unit, r->min, r->max);
        else if (r->kind == ENUM)
            fprintf(f, "  %s = %s   (%s)\n", r->name, r->def, r->allowed);
        else
            fprintf(f, "  %s = %s\n", r->name, r->def);
        fprintf(f, "      %s\n", r->help);
    }
}

enum rc config_token(const struct agent_config *cfg, struct arena *a, struct slice *ret)
{
    struct slice text = slice_of(cfg->token);
    if (text.n == 0 && cfg->token_file[0]) {
        enum rc rc = file_read(a, cfg->token_file, 4096, &text);
        if (rc != RC_OK)
            return rc;
    }
    *ret = slice_trim(text);
    return RC_OK;
}

const char *config_path(const struct agent_config *cfg, struct arena *a, const char *path)
{
    struct slice root = slice_of(cfg->root);
    while (root.n && root.p[root.n - 1] == '/')
        root.n--;
    return arena_printf(a, SLICE_FMT "%s", SLICE_ARG(root), path);
}

const char *config_state(const struct agent_config *cfg, struct arena *a, const char *name)
{
    return arena_printf(a, "%s/%s", cfg->state_dir, name);
}
