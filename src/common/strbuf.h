/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf.h - a growing byte buffer with a ceiling. Going past the ceiling sets a sticky mark; the piece that did not
 * fit and everything behind it is dropped. Memory is of the heap (strbuf_init) or of an arena (strbuf_init_arena).
 * Always NUL-ended behind the length; p is never NULL and moves when the buffer grows. One owner, no locks. */
#ifndef SEKISHO_STRBUF_H
#define SEKISHO_STRBUF_H

#include "common/arena.h"

struct strbuf {
    char *p;
    size_t n;
    size_t cap;          /* bytes at p, with the NUL; 0: p is not ours yet */
    size_t ceiling;      /* greatest n */
    struct arena *arena; /* NULL: heap */
    bool over;
};

void strbuf_init(struct strbuf *b, size_t ceiling);
void strbuf_init_arena(struct strbuf *b, struct arena *a, size_t ceiling);
void strbuf_done(struct strbuf *b);  /* frees heap memory; nothing for arenas */
void strbuf_clear(struct strbuf *b); /* empty and not over; keeps its memory */
/* Room for n more bytes, to be written at the returned place by the caller; NULL when that would pass the ceiling (the
 * buffer is over then). strbuf_commit takes in what was written. For writers that know their size. */
char *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_commit(struct strbuf *b, size_t n);
void strbuf_add(struct strbuf *b, struct slice s);
void strbuf_add_str(struct strbuf *b, const char *s);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_add_u64(struct strbuf *b, uint64_t v);
void strbuf_add_i64(struct strbuf *b, int64_t v);
void strbuf_add_double(struct strbuf *b, double v);             /* finite; the shortest text that reads back as v */
void strbuf_add_hex(struct strbuf *b, const void *p, size_t n); /* lower case */
void strbuf_add_base64url(struct strbuf *b, const void *p, size_t n); /* no padding */
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct slice strbuf_slice(const struct strbuf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
