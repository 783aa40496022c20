/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c - any bytes into the JSON reader. What is accepted keeps to the limits, and its text is accepted again as
 * an equal document. Seeds: corpus/fuzz_json, words: fuzz_json.dict. */
/* links: common */
#include "common/json.h"
#include "common/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void measure(const json_t *v, unsigned depth, unsigned *deepest, size_t *values)
{
    json_t *object = (json_t *)(uintptr_t)v;
    const char *key;
    json_t *child;
    size_t i;

    ++*values;
    if (json_is_array(v) || json_is_object(v))
        depth++;
    if (depth > *deepest)
        *deepest = depth;
    json_array_foreach(v, i, child) measure(child, depth, deepest, values);
    json_object_foreach(object, key, child)
    {
        must(slice_utf8_at(slice_of(key), 0) || key[0] == 0);
        measure(child, depth, deepest, values);
    }
}

static void check_refusal(const struct json_error *error)
{
    must(error->code != NULL);
    must(memchr(error->reason, 0, sizeof(error->reason)) && error->reason[0]);
    must(memchr(error->field, 0, sizeof(error->field)));
    must(error->field[0] == 0 || strcmp(error->code, "json_duplicate_key") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Small limits are reached by small inputs. */
    struct json_limits limits = {4096, 8, 64};
    struct json_limits of_text = {SIZE_MAX, 8, 64};
    struct arena *a = arena_new(1 << 20);
    struct json_error error;
    json_t *v = json_parse(a, slice_mem(data, size), limits, &error);

    if (v) {
        unsigned deepest = 0;
        size_t values = 0;
        json_t *again;

        measure(v, 0, &deepest, &values);
        must(size <= limits.bytes && deepest <= limits.depth && values <= limits.values);
        again = json_parse(a, json_text(a, v), of_text, &error);
        must(again && json_equal(v, again));
    } else {
        check_refusal(&error);
    }
    arena_free(&a);
    return 0;
}
