/* SPDX-License-Identifier: Apache-2.0 */
/* encode.h - writes structs as JSON by the tables of decode.h. Absent optional fields (p == NULL, nil, 0, has_ false,
 * no items) are left out; required ones are always written. Thread-safe. */
#ifndef SEKISHO_ENCODE_H
#define SEKISHO_ENCODE_H

#include "common/decode.h"

void encode_message(struct json_writer *w, const struct message_desc *desc, const void *message);

/* Would the message, encoded, keep its contract? RC_INVALID and where it does not: a string too long or not text, a
 * number out of range, too many items. For answers of our own, where the generated glue asks in test builds. */
enum rc encode_check(const struct message_desc *desc, const void *message, struct decode_error *ret_error) MUST_CHECK;

#endif
