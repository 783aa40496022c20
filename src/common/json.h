/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reading by jansson behind limits, writing by a streaming writer. A document that breaks a limit is refused
 * before it is parsed. Numbers: integers of 53 bits and finite reals. */
#ifndef SEKISHO_JSON_H
#define SEKISHO_JSON_H

#include "common/arena.h"
#include "common/id.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include <jansson.h>

struct json_limits {
    size_t bytes;  /* of the text */
    unsigned depth;
    unsigned values;
};

#define JSON_LIMITS_DEFAULT ((struct json_limits){256 * 1024, 64, 20000})

struct json_error {
    const char *code;  /* a problem code: json_malformed, json_too_deep, json_too_many_values, json_duplicate_key, body_too_large */
    char reason[160];  /* for {reason}; no input bytes beyond a short key */
    char field[64];    /* the duplicate key */
    uint64_t limit;
};

/* Parses text; duplicates of keys, NUL in strings, invalid UTF-8 and lone surrogates are refused. The document belongs to
 * the arena (released when that is freed). NULL on error with *ret_error filled. */
json_t *json_parse(struct arena *a, struct slice text, struct json_limits limits, struct json_error *ret_error);

/* Streaming writer into a strbuf; commas and escapes by itself. Nesting up to 32, misuse aborts. */
struct json_writer {
    struct strbuf *out;
    unsigned depth;
    bool comma[33];
};

void json_start(struct json_writer *w, struct strbuf *out);
void json_object_open(struct json_writer *w);
void json_object_close(struct json_writer *w);
void json_array_open(struct json_writer *w);
void json_array_close(struct json_writer *w);
void json_key(struct json_writer *w, const char *key); /* a plain ASCII key, written as it is */
void json_key_slice(struct json_writer *w, struct slice key); /* escaped */
void json_str(struct json_writer *w, struct slice s);  /* invalid UTF-8 is replaced by U+FFFD */
void json_int(struct json_writer *w, int64_t v);
void json_num(struct json_writer *w, double v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);
void json_uuid(struct json_writer *w, struct uuid u);
void json_time(struct json_writer *w, usec_t t); /* RFC 3339 text */
void json_raw(struct json_writer *w, struct slice text); /* text that is JSON already, from us or PostgreSQL */

/* Compact text of a parsed value, in the arena. */
struct slice json_text(struct arena *a, const json_t *v);

#endif
