/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - walks the tables of decode.h the other way. */
#include "common/encode.h"
#include "common/must.h"
#include <inttypes.h>
#include <stdio.h>

/* ---------------------------------------------------------------- reading members */

static int member_enum(const char *at)
{
    int v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static const char *member_pointer(const char *at)
{
    const char *p;

    memcpy(&p, at, sizeof(p));
    return p;
}

static size_t member_size(const char *at)
{
    size_t n;

    memcpy(&n, at, sizeof(n));
    return n;
}

static size_t item_size(const struct field_desc *f)
{
    static const size_t sizes[] = {
        [FIELD_STRING] = sizeof(struct slice),
        [FIELD_UUID] = sizeof(struct uuid),
        [FIELD_TIME] = sizeof(usec_t),
        [FIELD_INT] = sizeof(int64_t),
        [FIELD_NUMBER] = sizeof(double),
        [FIELD_BOOL] = sizeof(bool),
        [FIELD_ENUM] = sizeof(int),
        [FIELD_JSON] = sizeof(struct slice),
    };

    return f->kind == FIELD_OBJECT ? ((const struct message_desc *)f->sub)->size : sizes[f->kind];
}

/* Is the field to be written? */
static bool present(const struct field_desc *f, const char *message)
{
    const char *at = message + f->offset;

    if (f->flags & (FIELD_REQUIRED | FIELD_DEFAULT))
        return true;
    if (f->flags & FIELD_HAS)
        return *(const bool *)(const void *)(message + f->extra);
    if (f->flags & FIELD_ARRAY)
        return member_size(message + f->extra) > 0;
    switch (f->kind) {
    case FIELD_STRING:
    case FIELD_JSON:
        return ((const struct slice *)(const void *)at)->p != NULL;
    case FIELD_UUID:
        return !uuid_is_nil(*(const struct uuid *)(const void *)at);
    case FIELD_TIME:
        return *(const usec_t *)(const void *)at != 0;
    case FIELD_OBJECT:
        return member_pointer(at) != NULL;
    default:
        must(!"an optional field without a mark");
        return false;
    }
}

/* ---------------------------------------------------------------- writing */

static void encode_value(struct json_writer *w, const struct field_desc *f, const char *at)
{
    char text[CLOCK_RFC3339_SIZE];

    switch (f->kind) {
    case FIELD_STRING:
        json_str(w, *(const struct slice *)(const void *)at);
        break;
    case FIELD_UUID:
        json_uuid(w, *(const struct uuid *)(const void *)at);
        break;
    case FIELD_TIME: /* not json_time: a required time is a time even when it is 0 */
        json_str(w, slice_of(clock_rfc3339(*(const usec_t *)(const void *)at, text)));
        break;
    case FIELD_INT:
        json_int(w, *(const int64_t *)(const void *)at);
        break;
    case FIELD_NUMBER:
        json_num(w, *(const double *)(const void *)at);
        break;
    case FIELD_BOOL:
        json_bool(w, *(const bool *)(const void *)at);
        break;
    case FIELD_ENUM:
        json_str(w, slice_of(enum_text(f->sub, member_enum(at))));
        break;
    case FIELD_OBJECT:
        encode_message(w, f->sub, at);
        break;
    case FIELD_JSON: {
        struct slice raw = *(const struct slice *)(const void *)at;

        json_raw(w, raw.n ? raw : SLICE("null"));
        break;
    }
    }
}

static void encode_array(struct json_writer *w, const struct field_desc *f, const char *message)
{
    const char *items = member_pointer(message + f->offset);
    size_t n = member_size(message + f->extra), size = item_size(f);

    json_array_open(w);
    for (size_t i = 0; i < n; i++)
        encode_value(w, f, items + i * size);
    json_array_close(w);
}

void encode_message(struct json_writer *w, const struct message_desc *desc, const void *message)
{
    json_object_open(w);
    for (size_t i = 0; i < desc->n; i++) {
        const struct field_desc *f = &desc->fields[i];
        const char *at = (const char *)message + f->offset;

        if (!present(f, message))
            continue;
        json_key(w, f->name);
        if (f->flags & FIELD_ARRAY)
            encode_array(w, f, message);
        else if (f->kind == FIELD_OBJECT && !(f->flags & FIELD_REQUIRED))
            encode_message(w, f->sub, member_pointer(at));
        else
            encode_value(w, f, at);
    }
    json_object_close(w);
}

/* ---------------------------------------------------------------- checking */

struct place {
    const struct place *up;
    const char *name; /* NULL: the item at index */
    size_t index;
};

static enum rc check_object(const struct message_desc *desc, const char *message, const struct place *up,
                            struct decode_error *e);

static void write_place(struct decode_error *e, const struct place *p)
{
    size_t n;

    if (!p)
        return;
    write_place(e, p->up);
    n = strlen(e->field);
    if (p->name)
        snprintf(e->field + n, sizeof(e->field) - n, "%s%s", n ? "." : "", p->name);
    else
        snprintf(e->field + n, sizeof(e->field) - n, "[%zu]", p->index);
}

static enum rc broken(struct decode_error *e, const struct place *at, const char *code, int64_t min, int64_t max)
{
    *e = (struct decode_error){.code = code, .limit = max > 0 ? (uint64_t)max : 0};
    write_place(e, at);
    if (max)
        snprintf(e->allowed, sizeof(e->allowed), "%" PRId64 " to %" PRId64, min, max);
    return RC_INVALID;
}

static enum rc check_value(const struct field_desc *f, const char *at, const struct place *here, struct decode_error *e)
{
    struct slice s;
    int64_t n;

    switch (f->kind) {
    case FIELD_STRING:
        s = *(const struct slice *)(const void *)at;
        if (!slice_utf8(s))
            return broken(e, here, "field_format", 0, 0);
        n = (int64_t)utf8_count(s);
        return n < f->min || n > f->max ? broken(e, here, "field_length", f->min, f->max) : RC_OK;
    case FIELD_JSON:
        s = *(const struct slice *)(const void *)at;
        return (int64_t)s.n > f->max ? broken(e, here, "field_length", 1, f->max) : RC_OK;
    case FIELD_INT:
        n = *(const int64_t *)(const void *)at;
        return n < f->min || n > f->max ? broken(e, here, "field_range", f->min, f->max) : RC_OK;
    case FIELD_ENUM:
        n = member_enum(at);
        return n < 0 || n >= ((const struct enum_desc *)f->sub)->n ? broken(e, here, "field_value", 0, 0) : RC_OK;
    case FIELD_OBJECT:
        return check_object(f->sub, at, here, e);
    default:
        return RC_OK;
    }
}

static enum rc check_array(const struct field_desc *f, const char *message, const struct place *at,
                           struct decode_error *e)
{
    const char *items = member_pointer(message + f->offset);
    size_t n = member_size(message + f->extra), size = item_size(f);

    if (n < f->min_items || n > f->max_items)
        return broken(e, at, "field_length", (int64_t)f->min_items, (int64_t)f->max_items);
    for (size_t i = 0; i < n; i++) {
        struct place item = {at, NULL, i};
        enum rc rc = check_value(f, items + i * size, &item, e);

        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc check_object(const struct message_desc *desc, const char *message, const struct place *up,
                            struct decode_error *e)
{
    for (size_t i = 0; i < desc->n; i++) {
        const struct field_desc *f = &desc->fields[i];
        const char *at = message + f->offset;
        struct place here = {up, f->name, 0};
        enum rc rc;

        if (!present(f, message))
            continue;
        if (f->flags & FIELD_ARRAY)
            rc = check_array(f, message, &here, e);
        else if (f->kind == FIELD_OBJECT && !(f->flags & FIELD_REQUIRED))
            rc = check_object(f->sub, member_pointer(at), &here, e);
        else
            rc = check_value(f, at, &here, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

enum rc encode_check(const struct message_desc *desc, const void *message, struct decode_error *ret_error)
{
    return check_object(desc, message, NULL, ret_error);
}
