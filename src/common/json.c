/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - a scan over the text that enforces the limits at memchr speed, then jansson; and the writer. The scan need
 * not tell good JSON from bad: on good JSON it counts exactly, and what it lets through jansson checks. */
#include "common/json.h"
#include "common/must.h"
#include <math.h>
#include <stdio.h>

#define GREATEST_INTEGER UINT64_C(9007199254740992) /* 2^53 */
#define GREATEST_DIGITS  16

/* ---------------------------------------------------------------- reading */

static const uint64_t lows = UINT64_C(0x0101010101010101);
static const uint64_t tops = UINT64_C(0x8080808080808080);

/* Marks with 0x80 bytes of v that equal c; exact up to and including the first one. */
static uint64_t bytes_equal(uint64_t v, unsigned char c)
{
    uint64_t x = v ^ (lows * c);

    return (x - lows) & ~x & tops;
}

static uint64_t load8(const char *p)
{
    uint64_t v;

    memcpy(&v, p, 8);
    return v;
}

/* From behind the opening quote to the closing one, or to the end of the text. */
static const char *string_end(const char *p, const char *end)
{
    while (p < end) {
        if (end - p >= 8) {
            uint64_t v = load8(p);

            if (!(bytes_equal(v, '"') | bytes_equal(v, '\\'))) {
                p += 8;
                continue;
            }
        }
        if (*p == '"')
            return p;
        p += *p == '\\' ? 2 : 1;
    }
    return end;
}

static bool number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Integers that a double does not hold exactly would change on their way through JavaScript. */
static bool integer_too_large(struct slice number)
{
    uint64_t v = 0;

    if (number.n && number.p[0] == '-')
        number = slice_mem(number.p + 1, number.n - 1);
    if (number.n < GREATEST_DIGITS)
        return false;
    for (size_t i = 0; i < number.n; i++) {
        if (number.p[i] < '0' || number.p[i] > '9')
            return false; /* a real, or jansson's business */
        if (i >= GREATEST_DIGITS)
            v = UINT64_MAX;
        else
            v = v * 10 + (uint64_t)(number.p[i] - '0');
    }
    return v > GREATEST_INTEGER;
}

static bool refuse(struct json_error *error, const char *code, uint64_t limit, const char *reason)
{
    *error = (struct json_error){.code = code, .limit = limit};
    snprintf(error->reason, sizeof(error->reason), "%s", reason);
    return false;
}

/* In good JSON the values are: one, one more for each comma, one more for each container that is not empty. */
static bool within_limits(struct slice text, struct json_limits limits, struct json_error *error)
{
    const char *p = text.p;
    const char *end = text.p + text.n;
    size_t values = 1;
    unsigned depth = 0;
    bool just_opened = false;

    while (p < end) {
        char c = *p++;
        bool was_just_opened = just_opened;

        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        just_opened = false;
        if (c == '"') {
            p = string_end(p, end);
            p += p < end;
        } else if (c == '{' || c == '[') {
            if (++depth > limits.depth)
                return refuse(error, "json_too_deep", limits.depth, "too many levels");
            values++;
            just_opened = true;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            values -= was_just_opened;
        } else if (c == ',') {
            values++;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            const char *from = p - 1;

            while (p < end && number_char(*p))
                p++;
            if (integer_too_large(slice_mem(from, (size_t)(p - from))))
                return refuse(error, "json_malformed", 0, "an integer is beyond 9007199254740992 (2^53)");
        }
        if (values > limits.values + 1U) /* + 1: the container just opened may be empty */
            return refuse(error, "json_too_many_values", limits.values, "too many values");
    }
    return values <= limits.values || refuse(error, "json_too_many_values", limits.values, "too many values");
}

/* jansson stops right behind the repeated key. Its text is between that quote and the nearest one before it that no
 * backslash (or an even number of them) precedes. */
static void name_duplicate(struct slice text, size_t position, struct json_error *error)
{
    size_t end = position > 0 && position <= text.n ? position - 1 : 0;
    size_t from = end;
    json_t *key;

    if (end == 0 || text.p[end] != '"')
        return;
    while (from-- > 0) {
        size_t slashes = 0;

        if (text.p[from] != '"')
            continue;
        while (slashes < from && text.p[from - slashes - 1] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            break;
    }
    if (from >= end) /* wrapped: there was none */
        return;
    key = json_loadb(text.p + from, end + 1 - from, JSON_DECODE_ANY, NULL);
    if (key && json_is_string(key)) {
        struct slice name = slice_mem(json_string_value(key), json_string_length(key));

        name = slice_utf8_head(name, sizeof(error->field) - 1);
        memcpy(error->field, name.p, name.n);
        error->field[name.n] = 0;
    }
    json_decref(key);
}

static const char *phrase(enum json_error_code code)
{
    switch (code) {
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "something follows its end";
    case json_error_invalid_utf8:
        return "it is not valid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a string contains a NUL character";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_stack_overflow:
        return "it is nested too deep";
    default:
        return "unexpected text";
    }
}

static void explain(struct slice text, const json_error_t *cause, struct json_error *error)
{
    enum json_error_code code = json_error_code(cause);

    *error = (struct json_error){.code = "json_malformed"};
    if (code == json_error_duplicate_key) {
        error->code = "json_duplicate_key";
        name_duplicate(text, (size_t)cause->position, error);
        snprintf(error->reason, sizeof(error->reason), "a key occurs twice at line %d, column %d", cause->line,
                 cause->column);
        return;
    }
    snprintf(error->reason, sizeof(error->reason), "%s at line %d, column %d", phrase(code), cause->line,
             cause->column);
}

static void release(void *document)
{
    json_decref(document);
}

json_t *json_parse(struct arena *a, struct slice text, struct json_limits limits, struct json_error *ret_error)
{
    json_error_t cause;
    json_t *document;

    if (text.n > limits.bytes) {
        refuse(ret_error, "body_too_large", limits.bytes, "too many bytes");
        return NULL;
    }
    if (text.n == 0) {
        refuse(ret_error, "json_malformed", 0, "it is empty");
        return NULL;
    }
    if (!within_limits(text, limits, ret_error))
        return NULL;
    document = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &cause);
    if (!document) {
        explain(text, &cause, ret_error);
        return NULL;
    }
    arena_defer(a, release, document);
    return document;
}

/* ---------------------------------------------------------------- writing */

/* True when all eight bytes can be copied: ASCII, no control, no quote, no backslash. */
static bool eight_plain(const char *p)
{
    uint64_t v = load8(p);

    return ((v | (v - lows * 0x20) | bytes_equal(v, '"') | bytes_equal(v, '\\')) & tops) == 0;
}

/* Length of the run at at that is copied as it is: valid UTF-8 without what JSON wants escaped. */
static size_t plain_run(struct slice s, size_t at)
{
    size_t from = at;

    while (at < s.n) {
        unsigned char c;
        size_t n;

        if (s.n - at >= 8 && eight_plain(s.p + at)) {
            at += 8;
            continue;
        }
        c = (unsigned char)s.p[at];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        n = c < 0x80 ? 1 : slice_utf8_at(s, at);
        if (n == 0)
            break;
        at += n;
    }
    return at - from;
}

static void add_escape(struct strbuf *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* of 8 to 13; 11 has none */
    char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    if (c >= 0x80 || c == 0) {
        strbuf_add(out, SLICE("\xEF\xBF\xBD"));
    } else if (c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11)) {
        text[1] = c == '"' || c == '\\' ? (char)c : letters[c - 8];
        strbuf_add(out, slice_mem(text, 2));
    } else {
        strbuf_add(out, slice_mem(text, 6));
    }
}

static void add_quoted(struct strbuf *out, struct slice s)
{
    strbuf_add_char(out, '"');
    for (size_t at = 0; at < s.n;) {
        size_t n = plain_run(s, at);

        strbuf_add(out, slice_mem(s.p + at, n));
        at += n;
        if (at < s.n)
            add_escape(out, (unsigned char)s.p[at++]);
    }
    strbuf_add_char(out, '"');
}

void json_start(struct json_writer *w, struct strbuf *out)
{
    *w = (struct json_writer){.out = out};
}

static bool in_object(const struct json_writer *w)
{
    return w->object >> w->depth & 1;
}

static void before_value(struct json_writer *w)
{
    must(w->key == in_object(w));
    must(w->depth > 0 || !w->comma[0]); /* one root */
    if (w->comma[w->depth] && !w->key)
        strbuf_add_char(w->out, ',');
    w->comma[w->depth] = true;
    w->key = false;
}

static void before_key(struct json_writer *w)
{
    must(!w->key && in_object(w));
    if (w->comma[w->depth])
        strbuf_add_char(w->out, ',');
    w->key = true;
}

static void open_level(struct json_writer *w, char bracket, bool object)
{
    before_value(w);
    must(w->depth < sizeof(w->comma) - 1);
    strbuf_add_char(w->out, bracket);
    w->depth++;
    w->comma[w->depth] = false;
    w->object &= ~(UINT64_C(1) << w->depth);
    w->object |= (uint64_t)object << w->depth;
}

static void close_level(struct json_writer *w, char bracket, bool object)
{
    must(w->depth > 0 && !w->key && in_object(w) == object);
    w->depth--;
    strbuf_add_char(w->out, bracket);
}

void json_object_open(struct json_writer *w)
{
    open_level(w, '{', true);
}

void json_object_close(struct json_writer *w)
{
    close_level(w, '}', true);
}

void json_array_open(struct json_writer *w)
{
    open_level(w, '[', false);
}

void json_array_close(struct json_writer *w)
{
    close_level(w, ']', false);
}

void json_key(struct json_writer *w, const char *key)
{
    size_t n = strlen(key);
    char *p;

    before_key(w);
    p = strbuf_reserve(w->out, n + 3);
    if (!p)
        return;
    *p++ = '"';
    memcpy(p, key, n);
    p[n] = '"';
    p[n + 1] = ':';
    strbuf_commit(w->out, n + 3);
}

void json_key_slice(struct json_writer *w, struct slice key)
{
    before_key(w);
    add_quoted(w->out, key);
    strbuf_add_char(w->out, ':');
}

void json_str(struct json_writer *w, struct slice s)
{
    before_value(w);
    add_quoted(w->out, s);
}

void json_int(struct json_writer *w, int64_t v)
{
    before_value(w);
    strbuf_add_i64(w->out, v);
}

void json_num(struct json_writer *w, double v)
{
    if (!isfinite(v)) {
        json_nil(w);
        return;
    }
    before_value(w);
    strbuf_add_double(w->out, v);
}

void json_bool(struct json_writer *w, bool v)
{
    json_raw(w, v ? SLICE("true") : SLICE("false"));
}

void json_nil(struct json_writer *w)
{
    json_raw(w, SLICE("null"));
}

void json_uuid(struct json_writer *w, struct uuid u)
{
    char text[UUID_TEXT_SIZE];

    before_value(w);
    add_quoted(w->out, slice_of(uuid_text(u, text)));
}

void json_time(struct json_writer *w, usec_t t)
{
    char text[CLOCK_RFC3339_SIZE];

    if (t == 0) {
        json_nil(w);
        return;
    }
    before_value(w);
    add_quoted(w->out, slice_of(clock_rfc3339(t, text)));
}

void json_raw(struct json_writer *w, struct slice text)
{
    before_value(w);
    strbuf_add(w->out, text);
}

/* ---------------------------------------------------------------- text of parsed values */

static void add_value(struct strbuf *out, const json_t *v);

static void add_object(struct strbuf *out, const json_t *v)
{
    json_t *object = (json_t *)(uintptr_t)v; /* jansson's iterators want it writable and do not write */
    void *it = json_object_iter(object);

    strbuf_add_char(out, '{');
    while (it) {
        const char *key = json_object_iter_key(it);

        add_quoted(out, slice_of(key));
        strbuf_add_char(out, ':');
        add_value(out, json_object_iter_value(it));
        it = json_object_iter_next(object, it);
        if (it)
            strbuf_add_char(out, ',');
    }
    strbuf_add_char(out, '}');
}

static void add_array(struct strbuf *out, const json_t *v)
{
    strbuf_add_char(out, '[');
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (i)
            strbuf_add_char(out, ',');
        add_value(out, json_array_get(v, i));
    }
    strbuf_add_char(out, ']');
}

/* A real stays one: 2.0 does not become the integer 2. */
static void add_real(struct strbuf *out, double v)
{
    size_t from = out->n;

    strbuf_add_double(out, v);
    if (!out->over && strcspn(out->p + from, ".e") == out->n - from)
        strbuf_add(out, SLICE(".0"));
}

static void add_value(struct strbuf *out, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        add_object(out, v);
        break;
    case JSON_ARRAY:
        add_array(out, v);
        break;
    case JSON_STRING:
        add_quoted(out, slice_mem(json_string_value(v), json_string_length(v)));
        break;
    case JSON_INTEGER:
        strbuf_add_i64(out, json_integer_value(v));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(v));
        break;
    case JSON_TRUE:
        strbuf_add(out, SLICE("true"));
        break;
    case JSON_FALSE:
        strbuf_add(out, SLICE("false"));
        break;
    case JSON_NULL:
        strbuf_add(out, SLICE("null"));
        break;
    }
}

struct slice json_text(struct arena *a, const json_t *v)
{
    struct strbuf out;

    strbuf_init_arena(&out, a, SIZE_MAX / 8);
    add_value(&out, v);
    return strbuf_slice(&out);
}
