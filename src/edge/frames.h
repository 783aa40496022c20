/* SPDX-License-Identifier: Apache-2.0 */
/* frames.h - how an HTTP/2 client behaves, seen frame by frame before the library works on it: the shape of header
 * blocks, how many fields they have, how much comes that asks for nothing, how often streams are thrown away. Knows
 * nothing of the library, allocates nothing; one struct per connection, used by its loop thread only. */
#ifndef SEKISHO_FRAMES_H
#define SEKISHO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD        ((size_t)9)
#define FRAMES_BLOCK_MAX  ((uint32_t)64 * 1024) /* bytes of one header block as sent: twice what is answered */
#define FRAMES_FIELDS_MAX 512                   /* fields of one block: each costs us some 100 bytes, the sender one */
#define FRAMES_PIECES_MAX 64                    /* frames of one block */
#define FRAMES_NOISE_MAX  10000                 /* see frames.c for what a frame costs */

enum frame_type {
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION
};

enum { FRAME_END_STREAM = 0x1, FRAME_ACK = 0x1, FRAME_END_HEADERS = 0x4, FRAME_PADDED = 0x8, FRAME_PRIORITIZED = 0x20 };

struct frame {
    uint32_t length, stream;
    uint8_t type, flags;
    const uint8_t *payload;
};

struct frames {
    uint64_t at_ms, written;      /* when and where noise was last forgiven */
    uint32_t noise;               /* see FRAMES_NOISE_MAX */
    uint32_t opened, thrown_away; /* streams */
    uint32_t last_stream;         /* the highest that was opened */
    uint32_t block_stream;        /* whose header block is open; 0: none */
    uint32_t block_bytes, skip;   /* of the block; of the string that is being passed over */
    uint16_t block_fields;        /* counts beyond the limit do not matter */
    uint8_t block_pieces;
    uint8_t state, strings, int_bytes; /* where in the block's encoding we are */
    bool settled;                      /* the first SETTINGS has come */
};

/* Cuts the whole frame at p, of n bytes; false: it is not all there (or larger than we allow, which the library
 * refuses by its head). */
bool frame_cut(const uint8_t *p, size_t n, struct frame *ret_frame);
/* NULL: the library may have it. Else why the connection has to end: a text that lives for ever. now_ms: monotonic;
 * written: bytes sent on the connection so far. */
const char *frames_check(struct frames *f, const struct frame *frame, uint64_t now_ms, uint64_t written);
/* 31 bits in network order. */
uint32_t frame_u31(const uint8_t p[4]);

#endif
