/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf.h - a growing byte buffer with a ceiling. Going past the ceiling sets a sticky mark and drops the rest. Memory
 * is of the heap (strbuf_init) or of an arena (strbuf_init_arena). Always NUL-ended behind the length. */
#ifndef SEKISHO_STRBUF_H
#define SEKISHO_STRBUF_H

#include "common/arena.h"

struct strbuf {
    char *p;
    size_t n;
    size_t cap;
    size_t ceiling;
    struct arena *arena; /* NULL: heap */
    bool over;
};

void strbuf_init(struct strbuf *b, size_t ceiling);
void strbuf_init_arena(struct strbuf *b, struct arena *a, size_t ceiling);
void strbuf_done(struct strbuf *b); /* frees heap memory; nothing for arenas */
void strbuf_clear(struct strbuf *b);
void strbuf_add(struct strbuf *b, struct slice s);
void strbuf_add_str(struct strbuf *b, const char *s);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_add_u64(struct strbuf *b, uint64_t v);
void strbuf_add_i64(struct strbuf *b, int64_t v);
void strbuf_add_hex(struct strbuf *b, const void *p, size_t n);
void strbuf_add_base64url(struct strbuf *b, const void *p, size_t n);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct slice strbuf_slice(const struct strbuf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
