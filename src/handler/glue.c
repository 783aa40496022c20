/* SPDX-License-Identifier: Apache-2.0 */
/* glue.c - between the pipeline and a handler: bytes to structs and back, and the look-up of routes. No rules here. */
#include "handler/glue.h"
#include "common/gzip.h"

#ifndef SEKISHO_CHECK_ANSWERS
#define SEKISHO_CHECK_ANSWERS 0 /* the presets for tests say 1 */
#endif

#define WIRE_LIMITS(route) ((struct json_limits){(route)->body_limit, 64, 200000})

/* ---------------------------------------------------------------- routes */

static bool match(const char *pattern, struct slice path, struct slice args[ROUTE_ARGS])
{
    size_t n_args = 0;

    while (*pattern) {
        size_t n;

        if (*pattern != '{') {
            if (path.n == 0 || *path.p != *pattern)
                return false;
            pattern++;
            path = slice_mem(path.p + 1, path.n - 1);
            continue;
        }
        for (n = 0; n < path.n && path.p[n] != '/'; n++)
            ;
        if (n == 0)
            return false;
        args[n_args++] = slice_mem(path.p, n);
        path = slice_mem(path.p + n, path.n - n);
        pattern = strchr(pattern, '}') + 1;
    }
    return path.n == 0;
}

const struct route *route_find(enum listener l, struct slice method, struct slice path, struct slice args[ROUTE_ARGS],
                               const char **ret_allowed)
{
    *ret_allowed = NULL;
    for (size_t i = 0; i < route_places_count; i++) {
        const struct route_place *place = &route_places[i];

        if (place->first->listener != l || !match(place->first->pattern, path, args))
            continue;
        for (size_t k = 0; k < place->n; k++) {
            if (slice_eq(method, slice_of(place->first[k].method)))
                return &place->first[k];
        }
        *ret_allowed = place->allowed;
        return NULL;
    }
    return NULL;
}

/* ---------------------------------------------------------------- requests */

static enum rc inflate(struct call *c, struct slice *ret)
{
    enum rc rc = gzip_inflate(c->arena, c->body, c->route->body_limit, ret);

    if (rc == RC_OVER_QUOTA) {
        c->fault.has_limit = true;
        c->fault.limit = c->route->body_limit;
        return fault(c, RC_INVALID, PROBLEM_body_too_large);
    }
    return rc == RC_OK ? RC_OK : fault(c, RC_INVALID, PROBLEM_gzip_malformed);
}

enum rc glue_body(struct call *c, struct slice *ret_text)
{
    struct slice type = c->headers.content_type, media = slice_trim(slice_cut(&type, ';'));
    struct slice encoding = slice_trim(c->headers.content_encoding);

    if (!slice_ieq(media, SLICE("application/json"))) {
        fault_field(c, PROBLEM_media_type_unsupported, "", "application/json");
        return RC_INVALID;
    }
    if (slice_ieq(encoding, SLICE("gzip")))
        return inflate(c, ret_text);
    if (encoding.n && !slice_ieq(encoding, SLICE("identity"))) {
        fault_field(c, PROBLEM_encoding_unsupported, "", "gzip");
        return RC_INVALID;
    }
    *ret_text = c->body;
    return RC_OK;
}

static enum rc decode_body(struct call *c, const struct message_desc *desc, struct json_limits limits, void *message)
{
    struct decode_error e = {0};
    struct slice text;
    enum rc rc = glue_body(c, &text);

    if (rc != RC_OK)
        return rc;
    return decode_text(c->arena, desc, text, limits, message, &e) == RC_OK ? RC_OK : fault_decode(c, &e);
}

enum rc glue_request(struct call *c, const struct message_desc *path, const struct message_desc *query, void *request,
                     const struct message_desc *desc, void *body)
{
    struct decode_error e = {0};

    if (decode_path(c->arena, path, c->args, request) != RC_OK)
        return fault(c, RC_NOT_FOUND, PROBLEM_not_found);
    if (decode_query(c->arena, query, c->query, request, &e) != RC_OK)
        return fault_decode(c, &e);
    return desc ? decode_body(c, desc, JSON_LIMITS_DEFAULT, body) : RC_OK;
}

enum rc glue_no_request(struct call *c)
{
    static const struct message_desc nothing = {.name = "nothing", .closed = true};
    struct decode_error e = {0};
    char unused = 0;

    return decode_query(c->arena, &nothing, c->query, &unused, &e) == RC_OK ? RC_OK : fault_decode(c, &e);
}

enum rc glue_message(struct call *c, const struct message_desc *desc, void *message)
{
    return decode_body(c, desc, WIRE_LIMITS(c->route), message);
}

/* ---------------------------------------------------------------- answers */

enum rc glue_answer(struct call *c, int status, const struct message_desc *desc, const void *answer)
{
    struct decode_error e = {0};
    struct json_writer w;

    if (desc && SEKISHO_CHECK_ANSWERS && encode_check(desc, answer, &e) != RC_OK)
        return fault_op(c, RC_INTERNAL, "the answer breaks its contract: %s %s %s", desc->name, e.field, e.code);
    if (desc) {
        json_start(&w, &c->answer.body);
        encode_message(&w, desc, answer);
        if (c->answer.body.over)
            return fault_op(c, RC_INTERNAL, "the answer is larger than its buffer: %s", desc->name);
        c->answer.content_type = "application/json";
    }
    c->answer.status = status;
    return RC_OK;
}
