/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - the three hashes of the agent protocol, written once for agent, server and simulator. Thread-safe. */
#ifndef SEKISHO_WIRE_DIGEST_H
#define SEKISHO_WIRE_DIGEST_H

#include "common/clock.h"
#include "common/crypto.h"
#include "common/id.h"

#define WIRE_HEX_SIZE 65

/* Of one event: id, kind, occurred (RFC 3339, as clock_rfc3339 writes it) and body text, each ended by a newline. */
struct sha256 wire_event_hash(struct uuid id, struct slice kind, usec_t occurred, struct slice body);

struct wire_digest_row {
    struct slice key;
    struct slice value; /* compact JSON text as sent */
};

/* Of one kind's rows: in order of their keys' bytes, each key and value ended by a newline. Sorts rows in place. */
struct sha256 wire_kind_digest(struct wire_digest_row *rows, size_t n);

/* Of a device's facts: the kinds' digests as 64 lower-case hex digits, one behind the other in order of fact_kind;
 * kinds never acknowledged are left out. digests[i] belongs to fact_kind i + 1 (identity first); an empty slice is left
 * out. Writes the empty string when all are. */
void wire_facts_digest(const struct slice *digests, size_t n, char ret[WIRE_HEX_SIZE]);

char *wire_hex(const struct sha256 *h, char ret[WIRE_HEX_SIZE]);

#endif
