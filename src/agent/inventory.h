/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.h - the facts of this computer, what of them the server has acknowledged, and the difference between the
 * two, row by row. What the server holds is remembered over restarts as one hash a row. Not thread-safe. */
#ifndef SEKISHO_AGENT_INVENTORY_H
#define SEKISHO_AGENT_INVENTORY_H

#include "agent/facts/facts.h"

struct inventory;

/* path: the file of acknowledged rows; missing or damaged means that nothing is acknowledged. */
struct inventory *inventory_new(const struct agent_config *cfg, const char *path, const char *agent_version);
void inventory_free(struct inventory **inv);

/* Reads what has changed: files whose times moved, the rest each facts_period seconds, everything when all is true. */
void inventory_refresh(struct inventory *inv, bool all);
/* Rows of a kind that others know (protection, problems, users of tests); copied. */
void inventory_set(struct inventory *inv, enum wire_fact_kind kind, const struct fact_rows *rows);

/* Does something wait to be sent: of any kind, of this kind. */
bool inventory_waits(const struct inventory *inv);
bool inventory_kind_waits(const struct inventory *inv, enum wire_fact_kind kind);

/* Digest of what the server has acknowledged, "" when nothing. */
void inventory_digest(const struct inventory *inv, char ret[WIRE_HEX_SIZE]);

/* The changes, as many as fit into max_bytes of text; memory of the arena. What was built counts as on its way until
 * inventory_answered or inventory_failed. *ret_more: not all did fit. */
size_t inventory_build(struct inventory *inv, struct arena *a, size_t max_bytes, struct wire_fact **ret,
                       bool *ret_more);
/* The server holds facts_digest and wants these kinds whole. Remembers on disk. */
void inventory_answered(struct inventory *inv, struct slice facts_digest, const enum wire_fact_kind *want,
                        size_t n_want);
void inventory_failed(struct inventory *inv);
void inventory_forget(struct inventory *inv); /* nothing is acknowledged: after a new enrolment */

#endif
