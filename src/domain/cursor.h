/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.h - keyset cursors: where the next page of a list begins. A cursor is bound to its operation and filters by a
 * fingerprint, so that one of another list, or of other filters, is refused. It carries no secret and gives no right:
 * the statement it goes into runs under the caller's tenant. */
#ifndef SEKISHO_CURSOR_H
#define SEKISHO_CURSOR_H

#include "call/call.h"

enum cursor_key { CURSOR_TEXT, CURSOR_INT, CURSOR_TIME };

struct cursor {
    struct slice key; /* text form of the sort value; p == NULL: the first page */
    struct uuid id;   /* nil: the list has no second key */
};

/* Over the operation and every query parameter but cursor and limit, whatever their order. */
uint32_t cursor_fingerprint(const struct call *c);
struct slice cursor_encode(struct arena *a, uint32_t fingerprint, struct slice key, struct uuid id);
/* text absent (p == NULL): the first page. RC_INVALID with c->fault when it is not one of this list. */
enum rc cursor_decode(struct call *c, struct slice text, enum cursor_key kind, struct cursor *ret) MUST_CHECK;
/* The pure part, for tests and the fuzzer. */
bool cursor_parse(struct arena *a, struct slice text, uint32_t fingerprint, enum cursor_key kind, struct cursor *ret);

#endif
