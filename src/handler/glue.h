/* SPDX-License-Identifier: Apache-2.0 */
/* glue.h - what the generated route table (handler/routes.gen.c) calls around each handler: decode the request, encode
 * the answer. Runs where the route's handler runs. Each fills c->fault unless RC_OK. */
#ifndef SEKISHO_GLUE_H
#define SEKISHO_GLUE_H

#include "call/call.h"
#include "common/encode.h"

/* The text of a JSON body: its content type is checked, gzip is inflated within the route's body limit. */
enum rc glue_body(struct call *c, struct slice *ret_text) MUST_CHECK;

/* Console and API: path, query and (desc not NULL) body. */
enum rc glue_request(struct call *c, const struct message_desc *path, const struct message_desc *query, void *request,
                     const struct message_desc *desc, void *body) MUST_CHECK;
/* A route without any request data refuses filters. */
enum rc glue_no_request(struct call *c) MUST_CHECK;

/* Agents: a message of the protocol from the body. */
enum rc glue_message(struct call *c, const struct message_desc *desc, void *message) MUST_CHECK;

/* Writes the answer into c->answer; desc is NULL when the status is all. In test builds an answer that breaks its
 * contract becomes an internal error whose log line names the field. */
enum rc glue_answer(struct call *c, int status, const struct message_desc *desc, const void *answer) MUST_CHECK;

/* The generated table once more, by address: rows of one pattern stand together, literal segments before {…}. */
struct route_place {
    const struct route *first;
    size_t n;
    const char *allowed; /* "GET, POST" */
};
extern const struct route_place route_places[];
extern const size_t route_places_count;

#endif
