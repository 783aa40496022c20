/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.c - zlib in one call. The member's own trailer says how large the output is, so exactly that is allocated, once
 * it has proved plausible: not above the ceiling, and not more than deflate can make of the input. */
#include "common/gzip.h"
#include "common/must.h"
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW    (15 + 16) /* 16: gzip head and trailer */
#define LEVEL          4         /* two thirds of level 6's time for 2 % more bytes of JSON */
#define GREATEST_RATIO 1032
#define LEAST_SIZE     20 /* an empty member: 10 head, 2 data, 8 trailer */

/* What comes out is thrown away: only whether it is too much matters. */
static enum rc measure(z_stream *z, size_t ceiling)
{
    unsigned char scratch[16 * 1024];
    int code;

    do {
        z->next_out = scratch;
        z->avail_out = sizeof(scratch);
        code = inflate(z, Z_NO_FLUSH);
        if (z->total_out > ceiling)
            return RC_OVER_QUOTA;
    } while (code == Z_OK && z->avail_out == 0);
    return RC_INVALID; /* it ended below the ceiling, which its trailer denies */
}

static enum rc inflate_all(struct arena *a, z_stream *z, size_t size, struct slice *ret)
{
    unsigned char *out = arena_alloc(a, size + 1);

    z->next_out = out;
    z->avail_out = (uInt)size + 1; /* one more: else zlib would not look at the trailer when the output is full */
    if (inflate(z, Z_FINISH) != Z_STREAM_END || z->avail_in || z->total_out != size)
        return RC_INVALID;
    *ret = slice_mem(out, size);
    return RC_OK;
}

enum rc gzip_inflate(struct arena *a, struct slice in, size_t ceiling, struct slice *ret)
{
    const unsigned char *p = (const unsigned char *)in.p;
    z_stream z = {0};
    size_t size;
    enum rc rc;

    if (in.n < LEAST_SIZE || in.n > INT_MAX || p[0] != 0x1F || p[1] != 0x8B)
        return RC_INVALID;
    size = (size_t)p[in.n - 4] | (size_t)p[in.n - 3] << 8 | (size_t)p[in.n - 2] << 16 | (size_t)p[in.n - 1] << 24;
    if (size <= ceiling && size > in.n * GREATEST_RATIO)
        return RC_INVALID;
    must(inflateInit2(&z, GZIP_WINDOW) == Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)in.n;
    rc = size > ceiling || size >= UINT_MAX ? measure(&z, ceiling) : inflate_all(a, &z, size, ret);
    inflateEnd(&z);
    return rc;
}

struct slice gzip_deflate(struct arena *a, struct slice in)
{
    z_stream z = {0};
    unsigned char *out;
    uLong bound;

    must(in.n <= INT_MAX);
    must(deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    bound = deflateBound(&z, in.n);
    out = must_alloc(bound); /* much larger than the result, which alone should weigh on the arena */
    z.next_in = (z_const Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = out;
    z.avail_out = (uInt)bound;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct slice packed = arena_copy(a, slice_mem(out, z.total_out));
    deflateEnd(&z);
    free(out);
    return packed;
}
