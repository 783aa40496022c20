/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reading by jansson behind limits, writing by a streaming writer. A document that breaks a limit is refused
 * before it is parsed. Numbers: integers of 53 bits (-2^53 to 2^53) and finite reals. Thread-safe; a document or writer
 * belongs to one thread at a time. */
#ifndef SEKISHO_JSON_H
#define SEKISHO_JSON_H

#include "common/arena.h"
#include "common/clock.h"
#include "common/id.h"
#include "common/strbuf.h"
#include <jansson.h>

struct json_limits {
    size_t bytes;    /* of the text */
    unsigned depth;  /* of nested objects and arrays; a scalar has depth 0 */
    unsigned values; /* members, elements and the root; keys do not count */
};

#define JSON_LIMITS_DEFAULT ((struct json_limits){256 * 1024, 64, 20000})

struct json_error {
    const char *code; /* a problem code: json_malformed, json_too_deep, json_too_many_values, json_duplicate_key,
                         body_too_large */
    char reason[160]; /* for {reason}; no input bytes beyond a short key */
    char field[64];   /* the duplicate key, "" otherwise; valid UTF-8, cut when longer */
    uint64_t limit;   /* the limit that was passed, 0 otherwise */
};

/* Parses text; duplicates of keys, NUL in strings, invalid UTF-8 and lone surrogates are refused. The root may be any
 * value: check that it is the object that you expect. The document belongs to the arena (released when that is freed;
 * its memory is jansson's and not counted there). NULL on error with *ret_error filled. */
json_t *json_parse(struct arena *a, struct slice text, struct json_limits limits, struct json_error *ret_error);

/* Streaming writer into a strbuf; commas and escapes by itself. Nesting up to 32; misuse (a key in an array, a value
 * without a key in an object, closing what is not open) aborts. Whether the text fitted is told by out->over. */
struct json_writer {
    struct strbuf *out;
    unsigned depth;
    bool comma[33];  /* the next member or element of that level needs a comma */
    uint64_t object; /* bit per level: it is an object */
    bool key;        /* a key stands without its value */
};

void json_start(struct json_writer *w, struct strbuf *out);
void json_object_open(struct json_writer *w);
void json_object_close(struct json_writer *w);
void json_array_open(struct json_writer *w);
void json_array_close(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);        /* a plain ASCII key, written as it is */
void json_key_slice(struct json_writer *w, struct slice key); /* escaped */
void json_str(struct json_writer *w, struct slice s);         /* invalid UTF-8 and NUL are replaced by U+FFFD */
void json_int(struct json_writer *w, int64_t v);
void json_num(struct json_writer *w, double v); /* null when not finite */
void json_bool(struct json_writer *w, bool v);
void json_nil(struct json_writer *w); /* not json_null: that is jansson's */
void json_uuid(struct json_writer *w, struct uuid u);
void json_time(struct json_writer *w, usec_t t);         /* RFC 3339 text; null when 0 */
void json_raw(struct json_writer *w, struct slice text); /* text that is JSON already, from us or PostgreSQL */

/* Compact text of a parsed value, members in their order, in the arena. */
struct slice json_text(struct arena *a, const json_t *v);

#endif
