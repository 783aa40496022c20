/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - reads JSON, query strings and path arguments into structs, by tables that src/generate makes from the
 * contracts. Says exactly which field is at fault: its path (scan.targets[3]), a problem code, and what is allowed. All
 * memory is the arena's; strings of a parsed document are borrowed from it, so it must live as long (json_parse gives
 * it to the arena). Thread-safe. encode.h is the way back. */
#ifndef SEKISHO_DECODE_H
#define SEKISHO_DECODE_H

#include "common/json.h"
#include "common/rc.h"

struct decode_error {
    const char *code;  /* a key of call/problems.yaml: field_missing, field_range, json_malformed, ... */
    char field[200];   /* path; empty when the whole text is at fault */
    char allowed[240]; /* "1 to 200", "string", "ja, en" */
    char reason[160];  /* for json_malformed */
    uint64_t limit;    /* the greatest length, number or size */
};

enum field_kind {
    FIELD_STRING, /* struct slice; min and max count Unicode characters */
    FIELD_UUID,   /* struct uuid */
    FIELD_TIME,   /* usec_t, RFC 3339 with any offset */
    FIELD_INT,    /* int64_t within min and max; 5.0 is an integer, as JSON Schema says */
    FIELD_NUMBER, /* double within min and max */
    FIELD_BOOL,   /* bool */
    FIELD_ENUM,   /* an enum; sub is its enum_desc */
    FIELD_OBJECT, /* a struct, or a pointer to one when optional; sub is its message_desc */
    FIELD_JSON    /* struct slice: compact text of any value, at most max bytes */
};

enum field_flag {
    FIELD_REQUIRED = 1,
    FIELD_ARRAY = 2,  /* T *name; extra is the offset of size_t n_name */
    FIELD_HAS = 4,    /* extra is the offset of bool has_name */
    FIELD_DEFAULT = 8 /* when absent the field gets value */
};

struct enum_desc {
    const char *const *texts;
    int n;
    bool open;           /* other text decodes to 0, which is "unknown" */
    const char *allowed; /* "ja, en" */
};

struct field_desc {
    const char *name;
    enum field_kind kind;
    unsigned flags;
    size_t offset;
    size_t extra;
    int64_t min, max;
    size_t min_items, max_items;
    int64_t value;
    const void *sub;
};

struct message_desc {
    const char *name;
    const struct field_desc *fields;
    size_t n;
    bool closed; /* unknown fields are errors; otherwise they are ignored */
    size_t size; /* of the struct */
};

/* Fills *ret (desc->size bytes, set to zero first) from v. RC_INVALID with *ret_error, then *ret is not to be used. */
enum rc decode_message(struct arena *a, const struct message_desc *desc, const json_t *v, void *ret,
                       struct decode_error *ret_error) MUST_CHECK;
/* The same from text, within limits; errors of json_parse come as they are. */
enum rc decode_text(struct arena *a, const struct message_desc *desc, struct slice text, struct json_limits limits,
                    void *ret, struct decode_error *ret_error) MUST_CHECK;
/* From a query string (application/x-www-form-urlencoded, without '?'). Sets only the fields of desc, not the rest of
 * *ret; scalars only. Unknown names are query_unknown, repeated ones field_value. */
enum rc decode_query(struct arena *a, const struct message_desc *desc, struct slice query, void *ret,
                     struct decode_error *ret_error) MUST_CHECK;
/* From the values of a path's {…}, still percent-encoded, in the order of desc. What cannot be an id names nothing:
 * RC_NOT_FOUND. */
enum rc decode_path(struct arena *a, const struct message_desc *desc, const struct slice *args, void *ret) MUST_CHECK;

/* Percent-decoding; '+' is a blank when plus. False when an escape is broken. Without escapes *ret borrows s. */
bool percent_decode(struct arena *a, struct slice s, bool plus, struct slice *ret);

bool enum_find(const struct enum_desc *e, struct slice s, int *ret);
const char *enum_text(const struct enum_desc *e, int v); /* static; a value outside the enum aborts (our mistake) */

size_t utf8_count(struct slice s); /* characters of valid UTF-8 */

#endif
