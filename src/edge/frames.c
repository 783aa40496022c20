/* SPDX-License-Identifier: Apache-2.0 */
/* frames.c - noise is what a client sends without asking for anything. Each kind has a price, time forgives 500 a
 * second, and what we send pays for window updates; an honest client stays near zero. */
#include "edge/frames.h"

#define FRAME_LARGEST              16384
#define FORGIVEN_PER_SECOND        500
#define BYTES_PER_NOISE            256 /* written ones: a reader sends a window update for some kilobytes, or two */
#define THROWN_AWAY_BEFORE_JUDGING 100

enum { PRICE_PING = 5, PRICE_SETTINGS = 10, PRICE_EMPTY = 10, PRICE_PRIORITY = 5, PRICE_OTHER = 1 };

/* Where in a header block (RFC 7541, section 6) the next byte is. */
enum { AT_FIELD, IN_INDEX, AT_STRING, IN_LENGTH, IN_STRING, IN_NONSENSE };

uint32_t frame_u31(const uint8_t p[4])
{
    return (uint32_t)(p[0] & 0x7F) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool frame_cut(const uint8_t *p, size_t n, struct frame *ret_frame)
{
    uint32_t length;

    if (n < FRAME_HEAD)
        return false;
    length = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    if (length > FRAME_LARGEST || n - FRAME_HEAD < length)
        return false;
    *ret_frame = (struct frame){
        .length = length, .stream = frame_u31(p + 5), .type = p[3], .flags = p[4], .payload = p + FRAME_HEAD};
    return true;
}

/* ---- noise */

static void forgive(struct frames *f, uint64_t now_ms, uint64_t written)
{
    uint64_t time = (now_ms - f->at_ms) * FORGIVEN_PER_SECOND / 1000, sent = (written - f->written) / BYTES_PER_NOISE;

    if (time) /* else the milliseconds go on adding up */
        f->at_ms = now_ms;
    if (sent)
        f->written = written;
    f->noise = time + sent < f->noise ? f->noise - (uint32_t)(time + sent) : 0;
}

static const char *noise(struct frames *f, uint32_t price)
{
    f->noise += price;
    return f->noise > FRAMES_NOISE_MAX ? "floods us with frames that ask for nothing" : NULL;
}

/* ---- streams that are thrown away */

static const char *throw_away(struct frames *f)
{
    f->thrown_away++;
    return f->thrown_away > THROWN_AWAY_BEFORE_JUDGING && f->thrown_away > f->opened / 2
               ? "throws most of its streams away"
               : NULL;
}

/* ---- header blocks */

static void next_string(struct frames *f)
{
    f->state = f->strings ? AT_STRING : AT_FIELD;
}

static void begin_string(struct frames *f)
{
    f->strings--;
    if (f->skip)
        f->state = IN_STRING;
    else
        next_string(f);
}

/* First byte of a field's representation, or of a change of the table's size (which counts as a field here). */
static void begin_field(struct frames *f, uint8_t b)
{
    uint8_t most = b & 0x80 ? 0x7F : b & 0x40 ? 0x3F : b & 0x20 ? 0x1F : 0x0F;

    f->block_fields++;
    f->strings = b & 0x80 || (b & 0xE0) == 0x20 ? 0 : b & most ? 1 : 2;
    f->int_bytes = 0;
    if ((b & most) == most)
        f->state = IN_INDEX;
    else
        next_string(f);
}

static void length_byte(struct frames *f, uint8_t b)
{
    if (f->int_bytes == 4) { /* the library takes no longer ones */
        f->state = IN_NONSENSE;
        return;
    }
    f->skip += (uint32_t)(b & 0x7F) << (7 * f->int_bytes++);
    if (!(b & 0x80))
        begin_string(f);
}

static void index_byte(struct frames *f, uint8_t b)
{
    if (++f->int_bytes > 4)
        f->state = IN_NONSENSE;
    else if (!(b & 0x80))
        next_string(f);
}

static void string_byte(struct frames *f, uint8_t b)
{
    f->skip = b & 0x7F;
    f->int_bytes = 0;
    if (f->skip == 0x7F)
        f->state = IN_LENGTH;
    else
        begin_string(f);
}

/* Passes over a piece of a block and counts its fields; nothing is decoded. Nonsense is left to the library, which ends
 * the connection with the right code; its bytes count as fields, so that nothing hides behind it. */
static void walk(struct frames *f, const uint8_t *p, const uint8_t *end)
{
    while (p < end && f->block_fields <= FRAMES_FIELDS_MAX) {
        switch (f->state) {
        case AT_FIELD:
            begin_field(f, *p++);
            break;
        case IN_INDEX:
            index_byte(f, *p++);
            break;
        case AT_STRING:
            string_byte(f, *p++);
            break;
        case IN_LENGTH:
            length_byte(f, *p++);
            break;
        case IN_STRING: {
            size_t n = (size_t)(end - p) < f->skip ? (size_t)(end - p) : f->skip;

            p += n;
            f->skip -= (uint32_t)n;
            if (!f->skip)
                next_string(f);
            break;
        }
        default:
            p++;
            f->block_fields++;
        }
    }
}

static const char *piece(struct frames *f, const struct frame *frame, const uint8_t *p, const uint8_t *end)
{
    f->block_bytes += (uint32_t)(end - p);
    walk(f, p, end);
    if (frame->flags & FRAME_END_HEADERS)
        f->block_stream = 0;
    if (f->block_bytes > FRAMES_BLOCK_MAX || ++f->block_pieces > FRAMES_PIECES_MAX)
        return "sends a header block that does not end";
    if (f->block_fields > FRAMES_FIELDS_MAX)
        return "sends a header block of too many fields";
    return p == end && !(frame->flags & FRAME_END_HEADERS) ? noise(f, PRICE_EMPTY) : NULL;
}

static const char *headers(struct frames *f, const struct frame *frame)
{
    const uint8_t *p = frame->payload, *end = p + frame->length;
    size_t padding = 0;

    if (frame->flags & FRAME_PADDED && p < end)
        padding = *p++;
    if (frame->flags & FRAME_PRIORITIZED)
        p += (size_t)(end - p) < 5 ? (size_t)(end - p) : 5;
    if (padding > (size_t)(end - p)) /* the library refuses it */
        return NULL;
    end -= padding;
    if (frame->stream > f->last_stream) {
        f->last_stream = frame->stream;
        f->opened++;
    }
    f->block_stream = frame->stream;
    f->block_bytes = 0;
    f->block_fields = 0;
    f->block_pieces = 0;
    f->state = AT_FIELD;
    return piece(f, frame, p, end);
}

static const char *data(struct frames *f, const struct frame *frame)
{
    bool empty = frame->length == 0 ||
                 (frame->flags & FRAME_PADDED && frame->length <= 1u + frame->payload[0]); /* nothing but padding */

    return empty && !(frame->flags & FRAME_END_STREAM) ? noise(f, PRICE_EMPTY) : NULL;
}

static const char *window_update(struct frames *f, const struct frame *frame)
{
    if (frame->stream && frame->length == 4 && frame_u31(frame->payload) == 0)
        return throw_away(f); /* makes the library reset the stream, at the client's wish */
    return noise(f, PRICE_OTHER);
}

const char *frames_check(struct frames *f, const struct frame *frame, uint64_t now_ms, uint64_t written)
{
    forgive(f, now_ms, written);
    if (!f->settled) {
        f->settled = true;
        return frame->type == FRAME_SETTINGS && !(frame->flags & FRAME_ACK) ? NULL : "does not begin with its settings";
    }
    if (f->block_stream) {
        if (frame->type != FRAME_CONTINUATION)
            return NULL; /* the library ends the connection */
        /* The library does not compare: it would take the rest as another stream's trailer. */
        return frame->stream == f->block_stream ? piece(f, frame, frame->payload, frame->payload + frame->length)
                                                : "continues a header block on another stream";
    }
    switch (frame->type) {
    case FRAME_DATA:
        return data(f, frame);
    case FRAME_HEADERS:
        return headers(f, frame);
    case FRAME_PRIORITY:
        return noise(f, PRICE_PRIORITY);
    case FRAME_RST_STREAM:
        return throw_away(f);
    case FRAME_SETTINGS:
        return noise(f, PRICE_SETTINGS);
    case FRAME_PING:
        return noise(f, PRICE_PING);
    case FRAME_WINDOW_UPDATE:
        return window_update(f, frame);
    default:
        return noise(f, PRICE_OTHER);
    }
}
