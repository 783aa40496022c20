/* SPDX-License-Identifier: Apache-2.0 */
/* random_message.h - fills any generated struct with valid values by its table, for property tests. Sequence:
 * random_seed of common/id.h. Include in one .c per program. */
#ifndef SEKISHO_TEST_RANDOM_MESSAGE_H
#define SEKISHO_TEST_RANDOM_MESSAGE_H

#include "common/encode.h"
#include "common/must.h"

static void random_message(struct arena *a, const struct message_desc *desc, void *message);

static int64_t random_between(int64_t min, int64_t max)
{
    switch (random_below(6)) {
    case 0:
        return min;
    case 1:
        return max;
    default:
        return min + (int64_t)random_below((uint64_t)(max - min) + 1);
    }
}

static struct slice random_text(struct arena *a, const struct field_desc *f)
{
    static const char *const characters[] = {"a",  "Z", "0",  " ",  "\"", "\\",   "/",     "\t",
                                             "\n", "é", "関", "所", "😀",  "\x7f", "\u2028"};
    int64_t most = f->max > 60 && random_below(8) ? 60 : f->max,
            n = random_between(f->min, most < f->min ? f->min : most);
    struct strbuf b;

    strbuf_init_arena(&b, a, (size_t)n * 4 + 16);
    strbuf_add_str(&b, "");
    for (int64_t i = 0; i < n; i++)
        strbuf_add_str(&b, characters[random_below(sizeof(characters) / sizeof(characters[0]))]);
    return slice_mem(b.p ? b.p : "", b.n);
}

static void random_value(struct arena *a, const struct field_desc *f, char *at)
{
    static const char *const texts[] = {"{}", "[1,-2.5,\"é\"]", "{\"a\":{\"b\":[null,true]}}", "\"x\"", "7"};
    int v;

    switch (f->kind) {
    case FIELD_STRING:
        *(struct slice *)(void *)at = random_text(a, f);
        break;
    case FIELD_UUID:
        *(struct uuid *)(void *)at = uuid_new();
        break;
    case FIELD_TIME:
        *(usec_t *)(void *)at = random_between(1, INT64_C(253402300799999999));
        break;
    case FIELD_INT:
        *(int64_t *)(void *)at = random_between(f->min, f->max);
        break;
    case FIELD_NUMBER:
        *(double *)(void *)at = (double)f->min + (double)random_below(1025) / 1024.0 *
                                                     (double)(f->max - f->min > 1000 ? 1000 : f->max - f->min);
        break;
    case FIELD_BOOL:
        *(bool *)(void *)at = random_below(2);
        break;
    case FIELD_ENUM:
        v = (int)random_below((uint64_t)((const struct enum_desc *)f->sub)->n);
        memcpy(at, &v, sizeof(v));
        break;
    case FIELD_OBJECT:
        random_message(a, f->sub, at);
        break;
    case FIELD_JSON:
        *(struct slice *)(void *)at = slice_of(texts[random_below(sizeof(texts) / sizeof(texts[0]))]);
        break;
    }
}

static size_t random_size(const struct field_desc *f)
{
    switch (f->kind) {
    case FIELD_STRING:
    case FIELD_JSON:
        return sizeof(struct slice);
    case FIELD_UUID:
        return sizeof(struct uuid);
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_ENUM:
        return sizeof(int);
    case FIELD_OBJECT:
        return ((const struct message_desc *)f->sub)->size;
    default:
        return 8;
    }
}

static void random_message(struct arena *a, const struct message_desc *desc, void *message)
{
    char *m = message;

    memset(m, 0, desc->size);
    for (size_t i = 0; i < desc->n; i++) {
        const struct field_desc *f = &desc->fields[i];

        if (!(f->flags & (FIELD_REQUIRED | FIELD_DEFAULT)) && random_below(2))
            continue;
        if (f->flags & FIELD_ARRAY) {
            size_t most = f->max_items > 3 ? 3 : f->max_items,
                   n = (size_t)random_between((int64_t)f->min_items, (int64_t)most);
            char *items = n ? arena_alloc(a, n * random_size(f)) : NULL;

            for (size_t k = 0; k < n; k++)
                random_value(a, f, items + k * random_size(f));
            memcpy(m + f->offset, &items, sizeof(items));
            memcpy(m + f->extra, &n, sizeof(n));
        } else if (f->kind == FIELD_OBJECT && !(f->flags & FIELD_REQUIRED)) {
            char *target = arena_alloc(a, random_size(f));

            random_value(a, f, target);
            memcpy(m + f->offset, &target, sizeof(target));
        } else {
            if (f->flags & FIELD_HAS)
                *(bool *)(void *)(m + f->extra) = true;
            random_value(a, f, m + f->offset);
        }
    }
}

static struct slice message_text(struct arena *a, const struct message_desc *desc, const void *message)
{
    struct json_writer w;
    struct strbuf out;

    strbuf_init_arena(&out, a, 16u << 20);
    json_start(&w, &out);
    encode_message(&w, desc, message);
    must(!out.over);
    return strbuf_slice(&out);
}

#endif
