/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h - a borrowed run of bytes: pointer and length, not NUL-ended, never owned. All parsing of numbers is here. */
#ifndef SEKISHO_SLICE_H
#define SEKISHO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(lit)   ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_FMT    "%.*s"
#define SLICE_ARG(s) (int)(s).n, (s).p
#define SLICE_NONE   ((struct slice){0})

static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}
static inline struct slice slice_mem(const void *p, size_t n)
{
    return (struct slice){p, n};
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
bool slice_ieq(struct slice a, struct slice b); /* ASCII case ignored */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
int slice_cmp(struct slice a, struct slice b); /* bytewise, like memcmp, shorter first */
struct slice slice_trim(struct slice s);       /* blanks, tabs, CR, LF off both ends */
/* Cuts *rest at the first sep: returns the part before it and moves *rest behind it; the whole rest when sep is absent.
 */
struct slice slice_cut(struct slice *rest, char sep);
bool slice_find(struct slice s, char c, size_t *ret_at);

/* Decimal, whole input, no blanks, no '+'; false on overflow or anything else. */
bool slice_u64(struct slice s, uint64_t *ret);
bool slice_i64(struct slice s, int64_t *ret);
bool slice_int(struct slice s, int min, int max, int *ret);
bool slice_double(struct slice s, double *ret); /* as JSON writes numbers; finite; whatever the locale */
bool slice_bool(struct slice s, bool *ret);     /* true, false */

bool slice_utf8(struct slice s); /* valid UTF-8 without NUL and other C0 controls but \t \n \r */
/* Bytes (1-4) of the well-formed UTF-8 sequence at s.p[at], any character; 0 when there is none. */
size_t slice_utf8_at(struct slice s, size_t at);
/* The start of s of at most n bytes, not cut inside a UTF-8 sequence. */
struct slice slice_utf8_head(struct slice s, size_t n);

/* Hex and base64url without padding; false when the input is not of that form or the output does not hold it. */
bool slice_unhex(struct slice s, uint8_t *out, size_t cap, size_t *ret_n);
bool slice_unbase64url(struct slice s, uint8_t *out, size_t cap, size_t *ret_n);

#endif
