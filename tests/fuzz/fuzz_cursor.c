/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cursor.c - any text as a cursor: what is taken must survive encoding and parsing again. */
#include "common/must.h"
#include "domain/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *a = arena_new(1 << 20);
    struct slice text = slice_mem(data + 1, size - 1);
    enum cursor_key kind = (enum cursor_key)(data[0] % 3);
    struct cursor c, again;
    uint32_t print = 0x736b7321;
    if (cursor_parse(a, text, print, kind, &c)) {
        must(c.key.n <= 1200);
        struct slice out = cursor_encode(a, print, c.key, c.id);
        must(cursor_parse(a, out, print, kind, &again));
        must(slice_eq(c.key, again.key) && uuid_eq(c.id, again.id));
    }
    arena_free(&a);
    return 0;
}
