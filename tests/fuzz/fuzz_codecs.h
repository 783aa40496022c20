/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_codecs.h - one round of a codec fuzzer. Input: a message's name (or any byte, which chooses one), a newline,
 * text. What the decoder accepts must be a message that its contract allows, and go through encoder and decoder
 * unchanged; what it refuses has a code. */
#ifndef SEKISHO_FUZZ_CODECS_H
#define SEKISHO_FUZZ_CODECS_H

#include "common/encode.h"
#include "common/must.h"

static const struct message_desc *fuzz_choose(const struct message_desc *const *messages, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(name, slice_of(messages[i]->name)))
            return messages[i];
    }
    return messages[name.n ? (unsigned char)name.p[0] % n : 0];
}

static struct slice fuzz_encode(struct arena *a, const struct message_desc *desc, const void *message)
{
    struct json_writer w;
    struct strbuf out;

    strbuf_init_arena(&out, a, 16u << 20);
    json_start(&w, &out);
    encode_message(&w, desc, message);
    must(!out.over);
    return strbuf_slice(&out);
}

static inline void fuzz_codecs(const struct message_desc *const *messages, size_t n, struct slice in)
{
    const struct json_limits limits = {1u << 20, 64, 20000}, after = {8u << 20, 64, 40000};
    struct arena *a = arena_new(64u << 20);
    const struct message_desc *desc = fuzz_choose(messages, n, slice_cut(&in, '\n'));
    void *got = arena_alloc(a, desc->size), *again = arena_alloc(a, desc->size);
    struct decode_error e = {0};

    if (decode_text(a, desc, in, limits, got, &e) == RC_OK) {
        struct slice text;

        must(encode_check(desc, got, &e) == RC_OK);
        text = fuzz_encode(a, desc, got);
        must(decode_text(a, desc, text, after, again, &e) == RC_OK);
        must(slice_eq(text, fuzz_encode(a, desc, again)));
    } else {
        must(e.code && slice_utf8(slice_of(e.field)));
    }
    arena_free(&a);
}

#endif
