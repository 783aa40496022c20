/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h. What is allowed stands in tables; one walker checks a JSON object against its table and says the
 * path of the first thing that does not fit. Unknown keys are errors: a misspelt quota must not pass silently. */
#include "provision/file.h"
#include "call/passes.h"
#include "common/file.h"
#include "common/must.h"
#include "domain/user.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_CEILING ((size_t)1024 * 1024)

enum form { FORM_TEXT, FORM_ID, FORM_HOST, FORM_ACCOUNT, FORM_ZONE, FORM_LANGUAGE };
enum kind { KIND_TEXT, KIND_INT, KIND_INT_OR_NULL, KIND_BOOL, KIND_OBJECT, KIND_LIST };

struct rule {
    const char *key;
    enum kind kind;
    bool required;
    int64_t min, max; /* characters of a text, value of a number, items of a list */
    enum form form;
    const struct rule *below; /* of an object; of a list's objects, or with form of its texts */
};

static const struct rule seats_rules[] = {
    {"min", KIND_INT, true, 1, 1000000, 0, NULL},
    {"max", KIND_INT_OR_NULL, true, 1, 1000000, 0, NULL},
    {0},
};
static const struct rule limits_rules[] = {
    {"min_interval", KIND_INT, true, 1, 604800, 0, NULL},
    {"api_per_minute", KIND_INT, true, 1, 1000000, 0, NULL},
    {0},
};
static const struct rule entitlement_rules[] = {
#define X(name) {#name, KIND_BOOL, true, 0, 0, 0, NULL},
    ENTITLEMENTS(X)
#undef X
        {0},
};
static const struct rule plan_rules[] = {
    {"id", KIND_TEXT, true, 3, 40, FORM_ID, NULL},
    {"seats", KIND_OBJECT, true, 0, 0, 0, seats_rules},
    {"limits", KIND_OBJECT, true, 0, 0, 0, limits_rules},
    {"entitlements", KIND_OBJECT, true, 0, 0, 0, entitlement_rules},
    {0},
};
static const struct rule account_rules[] = {
    {"name", KIND_TEXT, true, 1, 64, FORM_ACCOUNT, NULL},
    {"display_name", KIND_TEXT, true, 1, 100, FORM_TEXT, NULL},
    {"language", KIND_TEXT, false, 2, 2, FORM_LANGUAGE, NULL},
    {0},
};
static const struct rule token_rules[] = {
    {"name", KIND_TEXT, true, 1, 100, FORM_TEXT, NULL},
    {"group", KIND_TEXT, false, 1, 100, FORM_TEXT, NULL},
    {"valid_days", KIND_INT, false, 1, 3650, 0, NULL},
    {"max_uses", KIND_INT, false, 1, 100000, 0, NULL},
    {0},
};
static const struct rule tenant_rules[] = {
    {"id", KIND_TEXT, true, 3, 40, FORM_ID, NULL},
    {"name", KIND_TEXT, true, 1, 200, FORM_TEXT, NULL},
    {"plan", KIND_TEXT, true, 3, 40, FORM_ID, NULL},
    {"seats", KIND_INT, true, 1, 1000000, 0, NULL},
    {"time_zone", KIND_TEXT, false, 1, 64, FORM_ZONE, NULL},
    {"language", KIND_TEXT, false, 2, 2, FORM_LANGUAGE, NULL},
    {"hosts", KIND_LIST, false, 0, 16, FORM_HOST, NULL},
    {"groups", KIND_LIST, false, 0, 500, FORM_TEXT, NULL},
    {"accounts", KIND_LIST, true, 0, 500, 0, account_rules},
    {"enrolment_tokens", KIND_LIST, false, 0, 100, 0, token_rules},
    {0},
};

struct check {
    const char *file;
    char path[200]; /* within the file */
    char *why;
    size_t why_size;
};

static bool refuse(struct check *c, const char *allowed)
{
    snprintf(c->why, c->why_size, "%s: %s%s%s.", c->file, c->path, c->path[0] ? ": " : "", allowed);
    return false;
}

/* ---- forms of texts */

static bool lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool tenant_id_fits(struct slice s)
{
    if (s.n < 3 || s.n > 40 || !(s.p[0] >= 'a' && s.p[0] <= 'z') || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!lower_or_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

/* Labels of 1-63 letters, digits, inner hyphens, between dots; lower case; at most 253. */
static bool host_fits(struct slice s)
{
    struct slice rest = s;

    if (s.n == 0 || s.n > 253 || s.p[s.n - 1] == '.')
        return false;
    while (rest.n) {
        struct slice label = slice_cut(&rest, '.');

        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!lower_or_digit(label.p[i]) && label.p[i] != '-')
                return false;
    }
    return true;
}

/* Area/City or UTC: PostgreSQL would take abbreviations and rules of its own form too. */
static bool zone_fits(struct slice s)
{
    size_t at;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!lower_or_digit(c) && !(c >= 'A' && c <= 'Z') && !strchr("_/+-", c))
            return false;
    }
    return slice_eq(s, SLICE("UTC")) || (slice_find(s, '/', &at) && at > 0 && at + 1 < s.n);
}

static bool text_fits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
            return false;
    return slice_trim(s).n == s.n;
}

static const struct {
    bool (*fits)(struct slice s);
    const char *allowed;
} forms[] = {
    [FORM_TEXT] = {text_fits, "must have no control characters and no blanks at either end"},
    [FORM_ID] = {tenant_id_fits, "must be " TENANT_ID_FORM},
    [FORM_HOST] = {host_fits, "must be a host name in lower case, such as console.example.com"},
    [FORM_ACCOUNT] = {user_name_fits, "must be " USER_NAME_FORM},
    [FORM_ZONE] = {zone_fits, "must be UTC or a time zone such as Asia/Tokyo"},
    [FORM_LANGUAGE] = {NULL, "must be one of ja, en"},
};

static int64_t characters(struct slice s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static struct slice text_of(const json_t *v)
{
    return slice_mem(json_string_value(v), json_string_length(v));
}

static bool language_fits(struct slice s)
{
    return slice_eq(s, SLICE("ja")) || slice_eq(s, SLICE("en"));
}

/* ---- the walker */

static bool check_text(struct check *c, const struct rule *r, const json_t *v, int64_t min, int64_t max)
{
    char allowed[120];

    if (!json_is_string(v)) {
        snprintf(allowed, sizeof(allowed), "must be a text of %lld to %lld characters", (long long)min, (long long)max);
        return refuse(c, allowed);
    }
    if (r->form == FORM_LANGUAGE)
        return language_fits(text_of(v)) || refuse(c, forms[FORM_LANGUAGE].allowed);
    if (characters(text_of(v)) < min || characters(text_of(v)) > max) {
        if (r->form == FORM_ID)
            return refuse(c, forms[FORM_ID].allowed);
        snprintf(allowed, sizeof(allowed), "must have %lld to %lld characters", (long long)min, (long long)max);
        return refuse(c, allowed);
    }
    return forms[r->form].fits(text_of(v)) || refuse(c, forms[r->form].allowed);
}

static bool check_int(struct check *c, const struct rule *r, const json_t *v)
{
    char allowed[120];

    if (r->kind == KIND_INT_OR_NULL && json_is_null(v))
        return true;
    if (json_is_integer(v) && json_integer_value(v) >= r->min && json_integer_value(v) <= r->max)
        return true;
    snprintf(allowed, sizeof(allowed), "must be a whole number from %lld to %lld%s", (long long)r->min,
             (long long)r->max, r->kind == KIND_INT_OR_NULL ? ", or null for no limit" : "");
    return refuse(c, allowed);
}

static bool check_object(struct check *c, const struct rule *rules, json_t *v);

static bool check_list(struct check *c, const struct rule *r, json_t *v)
{
    size_t n = strlen(c->path);
    char allowed[120];

    if (!json_is_array(v) || (int64_t)json_array_size(v) < r->min || (int64_t)json_array_size(v) > r->max) {
        snprintf(allowed, sizeof(allowed), "must be a list of %lld to %lld items", (long long)r->min,
                 (long long)r->max);
        return refuse(c, allowed);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        json_t *item = json_array_get(v, i);

        snprintf(c->path + n, sizeof(c->path) - n, "[%zu]", i);
        if (r->below ? !check_object(c, r->below, item) : !check_text(c, r, item, 1, r->form == FORM_HOST ? 253 : 100))
            return false;
    }
    c->path[n] = 0;
    return true;
}

static bool check_value(struct check *c, const struct rule *r, json_t *v)
{
    switch (r->kind) {
    case KIND_TEXT:
        return check_text(c, r, v, r->min, r->max);
    case KIND_INT:
    case KIND_INT_OR_NULL:
        return check_int(c, r, v);
    case KIND_BOOL:
        return json_is_boolean(v) || refuse(c, "must be true or false");
    case KIND_OBJECT:
        return check_object(c, r->below, v);
    case KIND_LIST:
        return check_list(c, r, v);
    }
    return false;
}

static void list_keys(const struct rule *rules, char *out, size_t size)
{
    size_t n = 0;

    for (const struct rule *r = rules; r->key && n < size; r++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", r == rules ? "" : ", ", r->key);
}

static void path_push(struct check *c, const char *key)
{
    size_t n = strlen(c->path);

    snprintf(c->path + n, sizeof(c->path) - n, "%s%.60s", n ? "." : "", key);
}

static bool check_object(struct check *c, const struct rule *rules, json_t *v)
{
    size_t n = strlen(c->path);
    const char *key;
    json_t *item;

    if (!json_is_object(v))
        return refuse(c, "must be an object");
    json_object_foreach(v, key, item)
    {
        const struct rule *r = rules;

        while (r->key && strcmp(r->key, key) != 0)
            r++;
        path_push(c, key);
        if (!r->key) {
            char keys[240], allowed[300];

            list_keys(rules, keys, sizeof(keys));
            snprintf(allowed, sizeof(allowed), "is unknown; allowed are %s", keys);
            return refuse(c, allowed);
        }
        if (!check_value(c, r, item))
            return false;
        c->path[n] = 0;
    }
    for (const struct rule *r = rules; r->key; r++) {
        if (r->required && !json_object_get(v, r->key)) {
            path_push(c, r->key);
            return refuse(c, "is missing");
        }
    }
    return true;
}

/* ---- into structs */

static struct slice text_at(const json_t *v, const char *key, const char *otherwise)
{
    const json_t *x = json_object_get(v, key);

    return x ? text_of(x) : slice_of(otherwise);
}

static int int_at(const json_t *v, const char *key)
{
    return (int)json_integer_value(json_object_get(v, key)); /* 0 for null and absent */
}

static bool take_plan(struct check *c, struct arena *a, const json_t *v, struct plan_file *p)
{
    const json_t *seats = json_object_get(v, "seats");
    const json_t *limits = json_object_get(v, "limits");

    *p = (struct plan_file){
        .id = text_at(v, "id", NULL),
        .seats_min = int_at(seats, "min"),
        .seats_max = int_at(seats, "max"),
        .min_interval = int_at(limits, "min_interval"),
        .api_per_minute = int_at(limits, "api_per_minute"),
        .multi_user = json_is_true(json_object_get(json_object_get(v, "entitlements"), "multi_user")),
        .body = json_text(a, v),
    };
    snprintf(c->path, sizeof(c->path), "seats.max");
    if (p->seats_max && p->seats_max < p->seats_min)
        return refuse(c, "must not be less than seats.min");
    return true;
}

static struct slice *take_texts(struct arena *a, const json_t *list, size_t *ret_n)
{
    struct slice *out = ARENA_ARRAY(a, struct slice, json_array_size(list) + 1);

    *ret_n = json_array_size(list);
    for (size_t i = 0; i < *ret_n; i++)
        out[i] = text_of(json_array_get(list, i));
    return out;
}

/* Names in a list must differ, letter case aside. */
static bool distinct(struct check *c, const char *list, const char *key, const struct slice *first, size_t stride,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct slice *x = (const struct slice *)((const char *)first + i * stride);

        for (size_t j = 0; j < i; j++) {
            const struct slice *y = (const struct slice *)((const char *)first + j * stride);

            if (slice_ieq(*x, *y)) {
                snprintf(c->path, sizeof(c->path), "%s[%zu]%s", list, i, key);
                return refuse(c, "is there twice");
            }
        }
    }
    return true;
}

static bool known_group(const struct tenant_file *t, struct slice name)
{
    for (size_t i = 0; i < t->n_groups; i++)
        if (slice_eq(t->groups[i], name))
            return true;
    return false;
}

static bool take_tenant(struct check *c, struct arena *a, const json_t *v, struct tenant_file *t)
{
    const json_t *accounts = json_object_get(v, "accounts");
    const json_t *tokens = json_object_get(v, "enrolment_tokens");

    *t = (struct tenant_file){.id = text_at(v, "id", NULL),
                              .name = text_at(v, "name", NULL),
                              .plan = text_at(v, "plan", NULL),
                              .time_zone = text_at(v, "time_zone", "Asia/Tokyo"),
                              .language = text_at(v, "language", "ja"),
                              .seats = int_at(v, "seats")};
    t->hosts = take_texts(a, json_object_get(v, "hosts"), &t->n_hosts);
    t->groups = take_texts(a, json_object_get(v, "groups"), &t->n_groups);
    t->n_accounts = json_array_size(accounts);
    t->accounts = ARENA_ARRAY(a, struct account_file, t->n_accounts + 1);
    for (size_t i = 0; i < t->n_accounts; i++) {
        const json_t *x = json_array_get(accounts, i);

        t->accounts[i] =
            (struct account_file){text_at(x, "name", NULL), text_at(x, "display_name", NULL),
                                  json_object_get(x, "language") ? text_at(x, "language", NULL) : t->language};
    }
    t->n_tokens = json_array_size(tokens);
    t->tokens = ARENA_ARRAY(a, struct token_file, t->n_tokens + 1);
    for (size_t i = 0; i < t->n_tokens; i++) {
        const json_t *x = json_array_get(tokens, i);

        t->tokens[i] = (struct token_file){text_at(x, "name", NULL), text_at(x, "group", NULL), int_at(x, "valid_days"),
                                           int_at(x, "max_uses")};
        if (t->tokens[i].group.p && !known_group(t, t->tokens[i].group)) {
            snprintf(c->path, sizeof(c->path), "enrolment_tokens[%zu].group", i);
            return refuse(c, "is not one of groups");
        }
    }
    return distinct(c, "hosts", "", t->hosts, sizeof(struct slice), t->n_hosts) &&
           distinct(c, "groups", "", t->groups, sizeof(struct slice), t->n_groups) &&
           distinct(c, "accounts", ".name", &t->accounts[0].name, sizeof(struct account_file), t->n_accounts) &&
           distinct(c, "enrolment_tokens", ".name", &t->tokens[0].name, sizeof(struct token_file), t->n_tokens);
}

static bool take(struct check *c, struct arena *a, json_t *v, struct provision_file *ret)
{
    bool tenant = json_object_get(v, "plan") != NULL || json_object_get(v, "accounts") != NULL;

    if (!tenant && !json_object_get(v, "limits") && !json_object_get(v, "entitlements"))
        return refuse(
            c, "is neither a plan (id, seats, limits, entitlements) nor a tenant (id, name, plan, seats, accounts)");
    ret->kind = tenant ? FILE_TENANT : FILE_PLAN;
    if (!check_object(c, tenant ? tenant_rules : plan_rules, v))
        return false;
    return tenant ? take_tenant(c, a, v, &ret->u.tenant) : take_plan(c, a, v, &ret->u.plan);
}

enum rc file_parse(struct arena *a, const char *path, struct slice text, struct provision_file *ret, char *ret_why,
                   size_t why_size)
{
    struct check c = {.file = path, .why = ret_why, .why_size = why_size};
    struct json_error e;
    json_t *v = json_parse(a, text, JSON_LIMITS_DEFAULT, &e);

    *ret = (struct provision_file){.path = path};
    if (!v) {
        snprintf(ret_why, why_size, "%s: is not JSON that can be used: %s%s%s.", path, e.reason[0] ? e.reason : e.code,
                 e.field[0] ? " " : "", e.field);
        return RC_INVALID;
    }
    if (!json_is_object(v)) {
        refuse(&c, "must be an object");
        return RC_INVALID;
    }
    return take(&c, a, v, ret) ? RC_OK : RC_INVALID;
}

/* ---- folders */

struct paths {
    const char **list;
    size_t n;
};

static void paths_add(struct arena *a, struct paths *p, const char *path)
{
    p->list = arena_realloc(a, (void *)(uintptr_t)p->list, p->n * sizeof(*p->list), (p->n + 1) * sizeof(*p->list));
    p->list[p->n++] = path;
}

static bool walk(struct arena *a, const char *folder, struct paths *out, int depth)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    if (!d)
        return false;
    while ((e = readdir(d)) != NULL) {
        const char *path = arena_printf(a, "%s/%s", folder, e->d_name);
        struct stat st;

        if (e->d_name[0] == '.' || stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && strcmp(e->d_name, "schema") != 0 && depth < 8)
            walk(a, path, out, depth + 1);
        else if (S_ISREG(st.st_mode) && slice_ends(slice_of(e->d_name), SLICE(".json")))
            paths_add(a, out, path);
    }
    closedir(d);
    return true;
}

static int by_kind_and_path(const void *a, const void *b)
{
    const struct provision_file *x = a, *y = b;

    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->path, y->path);
}

enum rc file_collect(struct arena *a, const char *path, struct provision_file **ret, size_t *ret_n, char *ret_why,
                     size_t why_size)
{
    struct paths p = {0};
    struct stat st;

    if (stat(path, &st) != 0) {
        snprintf(ret_why, why_size, "%s does not exist.", path);
        return RC_NOT_FOUND;
    }
    if (!S_ISDIR(st.st_mode))
        paths_add(a, &p, path);
    else if (!walk(a, path, &p, 0) || p.n == 0) {
        snprintf(ret_why, why_size, "%s holds no *.json files that can be read.", path);
        return RC_NOT_FOUND;
    }
    *ret = ARENA_ARRAY(a, struct provision_file, p.n);
    *ret_n = p.n;
    for (size_t i = 0; i < p.n; i++) {
        struct slice text;
        enum rc rc = file_read(a, p.list[i], FILE_CEILING, &text);

        if (rc != RC_OK) {
            snprintf(ret_why, why_size, "%s cannot be read (%s).", p.list[i], rc_name(rc));
            return rc;
        }
        rc = file_parse(a, p.list[i], text, &(*ret)[i], ret_why, why_size);
        if (rc != RC_OK)
            return rc;
    }
    qsort(*ret, p.n, sizeof(**ret), by_kind_and_path);
    return RC_OK;
}

bool plan_seats_fit(const struct plan_file *p, int64_t seats, char *ret_why, size_t why_size)
{
    if (seats >= p->seats_min && (!p->seats_max || seats <= p->seats_max))
        return true;
    if (p->seats_max)
        snprintf(ret_why, why_size, "Plan " SLICE_FMT " allows %d to %d seats; %lld were asked for.", SLICE_ARG(p->id),
                 p->seats_min, p->seats_max, (long long)seats);
    else
        snprintf(ret_why, why_size, "Plan " SLICE_FMT " allows %d seats or more; %lld were asked for.",
                 SLICE_ARG(p->id), p->seats_min, (long long)seats);
    return false;
}
