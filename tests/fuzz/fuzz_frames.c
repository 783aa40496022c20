/* SPDX-License-Identifier: Apache-2.0 */
/* links: edge */
/* fuzz_frames.c - any bytes as HTTP/2 frames: reads no byte beyond them, and comes to the same verdict when a header
 * block is cut into other pieces. */
#include "common/must.h"
#include "edge/frames.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The verdict on data as one header block, sent in pieces of n bytes; *ret_fields as far as they are counted. */
static bool as_block(const uint8_t *data, size_t size, size_t n, unsigned *ret_fields)
{
    struct frames f = {.settled = true};
    bool good = true;

    for (size_t at = 0; good && at < size; at += n) {
        size_t m = size - at < n ? size - at : n;
        struct frame frame = {
            .length = (uint32_t)m, .stream = 1, .type = at ? FRAME_CONTINUATION : FRAME_HEADERS, .payload = data + at};

        f.block_pieces = 0;
        good = frames_check(&f, &frame, 0, 0) == NULL;
    }
    *ret_fields = f.block_fields;
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frames f = {.settled = false};
    struct frame frame;
    unsigned one, other;
    size_t at = 0;

    while (frame_cut(data + at, size - at, &frame)) {
        must(frame.payload + frame.length <= data + size && frame.stream <= 0x7FFFFFFF);
        if (frames_check(&f, &frame, at, at))
            break;
        must(f.noise <= FRAMES_NOISE_MAX && f.block_fields <= FRAMES_FIELDS_MAX && f.block_bytes <= FRAMES_BLOCK_MAX);
        at += FRAME_HEAD + frame.length;
    }
    if (size > 16384)
        return 0;
    must(as_block(data, size, 16384, &one) == as_block(data, size, 7, &other) && one == other);
    return 0;
}
