/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c - walks the tables. The path of the value at work is a list on the stack, written out only for an error. */
#include "common/decode.h"
#include "common/must.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct place { /* where we are: a field, or an item of one */
    const struct place *up;
    const char *name; /* NULL: the item at index */
    size_t index;
};

struct decoder {
    struct arena *arena;
    struct decode_error *error;
};

/* ---------------------------------------------------------------- errors */

static size_t add_text(char *out, size_t n, size_t cap, const char *text)
{
    while (*text && n + 1 < cap) {
        out[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text; /* keys are the client's */
        text++;
    }
    out[n] = 0;
    return n;
}

static size_t add_place(char *out, size_t cap, const struct place *p)
{
    char index[32];
    size_t n;

    if (!p)
        return 0;
    n = add_place(out, cap, p->up);
    if (!p->name) {
        snprintf(index, sizeof(index), "[%zu]", p->index);
        return add_text(out, n, cap, index);
    }
    if (n)
        n = add_text(out, n, cap, ".");
    return add_text(out, n, cap, p->name);
}

/* Cuts a character that the end of the buffer has split. */
static void heal_end(char *s)
{
    size_t n = strlen(s);

    while (n > 0 && !slice_utf8(slice_mem(s, n)) && n + 4 > strlen(s))
        n--;
    s[n] = 0;
}

static enum rc refuse(struct decoder *d, const struct place *at, const char *code, const char *allowed)
{
    *d->error = (struct decode_error){.code = code};
    add_place(d->error->field, sizeof(d->error->field), at);
    heal_end(d->error->field);
    add_text(d->error->allowed, 0, sizeof(d->error->allowed), allowed);
    return RC_INVALID;
}

static enum rc refuse_bounds(struct decoder *d, const struct place *at, const char *code, int64_t min, int64_t max)
{
    char allowed[64];

    snprintf(allowed, sizeof(allowed), "%" PRId64 " to %" PRId64, min, max);
    refuse(d, at, code, allowed);
    d->error->limit = max > 0 ? (uint64_t)max : 0;
    return RC_INVALID;
}

/* ---------------------------------------------------------------- enums and text */

bool enum_find(const struct enum_desc *e, struct slice s, int *ret)
{
    for (int i = 0; i < e->n; i++) {
        if (slice_eq(s, slice_of(e->texts[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

const char *enum_text(const struct enum_desc *e, int v)
{
    must(v >= 0 && v < e->n);
    return e->texts[v];
}

size_t utf8_count(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

/* ---------------------------------------------------------------- scalars: the same rules for JSON and for queries */

static enum rc take_text(struct decoder *d, const struct field_desc *f, const struct place *at, struct slice s,
                         void *out)
{
    size_t n;

    if (!slice_utf8(s))
        return refuse(d, at, "field_format", "text without control characters");
    n = utf8_count(s);
    if (n < (size_t)f->min || n > (size_t)f->max)
        return refuse_bounds(d, at, "field_length", f->min, f->max);
    *(struct slice *)out = s;
    return RC_OK;
}

static enum rc take_uuid(struct decoder *d, const struct place *at, struct slice s, void *out)
{
    return uuid_parse(s, out) ? RC_OK : refuse(d, at, "field_format", "uuid");
}

static enum rc take_time(struct decoder *d, const struct place *at, struct slice s, void *out)
{
    return clock_parse_rfc3339(s, out) ? RC_OK : refuse(d, at, "field_format", "date-time");
}

static enum rc take_int(struct decoder *d, const struct field_desc *f, const struct place *at, int64_t v, void *out)
{
    if (v < f->min || v > f->max)
        return refuse_bounds(d, at, "field_range", f->min, f->max);
    *(int64_t *)out = v;
    return RC_OK;
}

static enum rc take_number(struct decoder *d, const struct field_desc *f, const struct place *at, double v, void *out)
{
    if (v < (double)f->min || v > (double)f->max)
        return refuse_bounds(d, at, "field_range", f->min, f->max);
    *(double *)out = v;
    return RC_OK;
}

static enum rc take_enum(struct decoder *d, const struct field_desc *f, const struct place *at, struct slice s,
                         void *out)
{
    const struct enum_desc *e = f->sub;
    int v = 0;

    if (!enum_find(e, s, &v) && !e->open)
        return refuse(d, at, "field_value", e->allowed);
    memcpy(out, &v, sizeof(v)); /* enums without negative constants have the size of int */
    return RC_OK;
}

/* ---------------------------------------------------------------- JSON */

static enum rc decode_object(struct decoder *d, const struct message_desc *desc, const struct place *at,
                             const json_t *v, char *out);

static size_t kind_size(const struct field_desc *f)
{
    switch (f->kind) {
    case FIELD_STRING:
    case FIELD_JSON:
        return sizeof(struct slice);
    case FIELD_UUID:
        return sizeof(struct uuid);
    case FIELD_TIME:
        return sizeof(usec_t);
    case FIELD_INT:
        return sizeof(int64_t);
    case FIELD_NUMBER:
        return sizeof(double);
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_ENUM:
        return sizeof(int);
    case FIELD_OBJECT:
        return ((const struct message_desc *)f->sub)->size;
    }
    must(!"a kind of field");
    return 0;
}

/* JSON Schema takes 5.0 and 5e0 for integers. */
static bool integer_of(const json_t *v, int64_t *ret)
{
    double real;

    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return true;
    }
    if (!json_is_real(v))
        return false;
    real = json_real_value(v);
    if (real != trunc(real) || fabs(real) > 9007199254740992.0)
        return false;
    *ret = (int64_t)real;
    return true;
}

static enum rc take_json(struct decoder *d, const struct field_desc *f, const struct place *at, const json_t *v,
                         void *out)
{
    struct slice text = json_text(d->arena, v);

    if (text.n > (size_t)f->max)
        return refuse_bounds(d, at, "field_length", 1, f->max);
    *(struct slice *)out = text;
    return RC_OK;
}

static enum rc decode_value(struct decoder *d, const struct field_desc *f, const struct place *at, const json_t *v,
                            char *out)
{
    struct slice s = SLICE_NONE;
    int64_t integer;

    if (json_is_string(v))
        s = slice_mem(json_string_value(v), json_string_length(v));
    switch (f->kind) {
    case FIELD_STRING:
        return s.p ? take_text(d, f, at, s, out) : refuse(d, at, "field_type", "string");
    case FIELD_UUID:
        return s.p ? take_uuid(d, at, s, out) : refuse(d, at, "field_type", "string");
    case FIELD_TIME:
        return s.p ? take_time(d, at, s, out) : refuse(d, at, "field_type", "string");
    case FIELD_ENUM:
        return s.p ? take_enum(d, f, at, s, out) : refuse(d, at, "field_type", "string");
    case FIELD_INT:
        return integer_of(v, &integer) ? take_int(d, f, at, integer, out) : refuse(d, at, "field_type", "integer");
    case FIELD_NUMBER:
        return json_is_number(v) ? take_number(d, f, at, json_number_value(v), out)
                                 : refuse(d, at, "field_type", "number");
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return refuse(d, at, "field_type", "boolean");
        *(bool *)(void *)out = json_is_true(v);
        return RC_OK;
    case FIELD_OBJECT:
        return decode_object(d, f->sub, at, v, out);
    case FIELD_JSON:
        return take_json(d, f, at, v, out);
    }
    return RC_INTERNAL;
}

static enum rc decode_array(struct decoder *d, const struct field_desc *f, const struct place *at, const json_t *v,
                            char *out, size_t *ret_n)
{
    size_t n = json_array_size(v), size = kind_size(f);
    char *items;

    if (!json_is_array(v))
        return refuse(d, at, "field_type", "array");
    if (n < f->min_items || n > f->max_items)
        return refuse_bounds(d, at, "field_length", (int64_t)f->min_items, (int64_t)f->max_items);
    items = n ? arena_alloc(d->arena, n * size) : NULL;
    for (size_t i = 0; i < n; i++) {
        struct place item = {at, NULL, i};
        enum rc rc = decode_value(d, f, &item, json_array_get(v, i), items + i * size);

        if (rc != RC_OK)
            return rc;
    }
    memcpy(out, &items, sizeof(items));
    *ret_n = n;
    return RC_OK;
}

static void set_default(const struct field_desc *f, char *out)
{
    int small = (int)f->value;

    if (f->kind == FIELD_INT)
        memcpy(out, &f->value, sizeof(f->value));
    else if (f->kind == FIELD_ENUM)
        memcpy(out, &small, sizeof(small));
    else if (f->kind == FIELD_BOOL)
        *(bool *)(void *)out = f->value != 0;
    else
        must(!"only integers, enums and booleans have defaults");
}

static enum rc absent(struct decoder *d, const struct field_desc *f, const struct place *at, char *message)
{
    if (f->flags & FIELD_REQUIRED)
        return refuse(d, at, "field_missing", "");
    if (f->flags & FIELD_DEFAULT)
        set_default(f, message + f->offset);
    return RC_OK;
}

static enum rc decode_field(struct decoder *d, const struct field_desc *f, const struct place *at, const json_t *v,
                            char *message)
{
    char *out = message + f->offset;

    if (f->flags & FIELD_ARRAY)
        return decode_array(d, f, at, v, out, (size_t *)(void *)(message + f->extra));
    if (f->flags & FIELD_HAS)
        *(bool *)(void *)(message + f->extra) = true;
    if (f->kind == FIELD_OBJECT && !(f->flags & FIELD_REQUIRED)) {
        char *target = arena_alloc(d->arena, kind_size(f));

        memcpy(out, &target, sizeof(target));
        out = target;
    }
    return decode_value(d, f, at, v, out);
}

static bool known(const struct message_desc *desc, const char *key)
{
    for (size_t i = 0; i < desc->n; i++) {
        if (strcmp(desc->fields[i].name, key) == 0)
            return true;
    }
    return false;
}

static enum rc refuse_unknown(struct decoder *d, const struct message_desc *desc, const struct place *up,
                              const json_t *v)
{
    json_t *object = (json_t *)(uintptr_t)v; /* jansson's iterators want it writable and do not write */

    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        struct place at = {up, key, 0};

        if (!known(desc, key))
            return refuse(d, &at, "field_unknown", "");
    }
    return RC_OK;
}

static enum rc decode_object(struct decoder *d, const struct message_desc *desc, const struct place *at,
                             const json_t *v, char *out)
{
    size_t found = 0;

    if (!json_is_object(v))
        return refuse(d, at, "field_type", "object");
    for (size_t i = 0; i < desc->n; i++) {
        const struct field_desc *f = &desc->fields[i];
        const json_t *value = json_object_get(v, f->name);
        struct place here = {at, f->name, 0};
        enum rc rc = value ? decode_field(d, f, &here, value, out) : absent(d, f, &here, out);

        if (rc != RC_OK)
            return rc;
        found += value != NULL;
    }
    return desc->closed && found != json_object_size(v) ? refuse_unknown(d, desc, at, v) : RC_OK;
}

enum rc decode_message(struct arena *a, const struct message_desc *desc, const json_t *v, void *ret,
                       struct decode_error *ret_error)
{
    struct decoder d = {a, ret_error};

    memset(ret, 0, desc->size);
    return decode_object(&d, desc, NULL, v, ret);
}

enum rc decode_text(struct arena *a, const struct message_desc *desc, struct slice text, struct json_limits limits,
                    void *ret, struct decode_error *ret_error)
{
    struct json_error e = {0};
    json_t *v = json_parse(a, text, limits, &e);

    if (v)
        return decode_message(a, desc, v, ret, ret_error);
    *ret_error = (struct decode_error){.code = e.code, .limit = e.limit};
    snprintf(ret_error->field, sizeof(ret_error->field), "%s", e.field);
    snprintf(ret_error->reason, sizeof(ret_error->reason), "%s", e.reason);
    return RC_INVALID;
}

/* ---------------------------------------------------------------- queries and paths */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_decode(struct arena *a, struct slice s, bool plus, struct slice *ret)
{
    size_t at, n = 0;
    char *out;

    if (!slice_find(s, '%', &at) && !(plus && slice_find(s, '+', &at))) {
        *ret = s;
        return true;
    }
    out = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    *ret = slice_mem(out, n);
    return true;
}

static enum rc decode_scalar(struct decoder *d, const struct field_desc *f, const struct place *at, struct slice s,
                             char *out)
{
    int64_t integer;
    double real;

    switch (f->kind) {
    case FIELD_STRING:
        return take_text(d, f, at, s, out);
    case FIELD_UUID:
        return take_uuid(d, at, s, out);
    case FIELD_TIME:
        return take_time(d, at, s, out);
    case FIELD_ENUM:
        return take_enum(d, f, at, s, out);
    case FIELD_INT:
        return slice_i64(s, &integer) ? take_int(d, f, at, integer, out) : refuse(d, at, "field_type", "integer");
    case FIELD_NUMBER:
        return slice_double(s, &real) ? take_number(d, f, at, real, out) : refuse(d, at, "field_type", "number");
    case FIELD_BOOL:
        return slice_bool(s, (bool *)(void *)out) ? RC_OK : refuse(d, at, "field_type", "true, false");
    case FIELD_OBJECT:
    case FIELD_JSON:
        break;
    }
    must(!"a scalar field");
    return RC_INTERNAL;
}

static const struct field_desc *field_by_name(const struct message_desc *desc, struct slice name, size_t *ret_index)
{
    for (size_t i = 0; i < desc->n; i++) {
        if (slice_eq(name, slice_of(desc->fields[i].name))) {
            *ret_index = i;
            return &desc->fields[i];
        }
    }
    return NULL;
}

static enum rc decode_pair(struct decoder *d, const struct message_desc *desc, struct slice pair, uint64_t *seen,
                           char *out)
{
    struct slice name = slice_cut(&pair, '='), value = pair;
    const struct field_desc *f;
    struct place at = {0};
    size_t index;

    if (!percent_decode(d->arena, name, true, &name) || !slice_utf8(name))
        return refuse(d, NULL, "query_unknown", "");
    at.name = arena_cstr(d->arena, name);
    f = field_by_name(desc, name, &index);
    if (!f)
        return refuse(d, &at, "query_unknown", "");
    if (*seen >> index & 1)
        return refuse(d, &at, "field_value", "one value");
    *seen |= UINT64_C(1) << index;
    if (!percent_decode(d->arena, value, true, &value))
        return refuse(d, &at, "field_format", "percent-encoded text");
    if (f->flags & FIELD_HAS)
        *(bool *)(void *)(out + f->extra) = true;
    return decode_scalar(d, f, &at, value, out + f->offset);
}

enum rc decode_query(struct arena *a, const struct message_desc *desc, struct slice query, void *ret,
                     struct decode_error *ret_error)
{
    struct decoder d = {a, ret_error};
    uint64_t seen = 0;

    must(desc->n <= 64);
    while (query.n) {
        struct slice pair = slice_cut(&query, '&');
        enum rc rc = pair.n ? decode_pair(&d, desc, pair, &seen, ret) : RC_OK;

        if (rc != RC_OK)
            return rc;
    }
    for (size_t i = 0; i < desc->n; i++) {
        struct place at = {NULL, desc->fields[i].name, 0};
        enum rc rc = seen >> i & 1 ? RC_OK : absent(&d, &desc->fields[i], &at, ret);

        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

enum rc decode_path(struct arena *a, const struct message_desc *desc, const struct slice *args, void *ret)
{
    struct decode_error error;
    struct decoder d = {a, &error};

    for (size_t i = 0; i < desc->n; i++) {
        const struct field_desc *f = &desc->fields[i];
        struct slice s;

        if (!percent_decode(a, args[i], false, &s) || decode_scalar(&d, f, NULL, s, (char *)ret + f->offset) != RC_OK)
            return RC_NOT_FOUND;
    }
    return RC_OK;
}
