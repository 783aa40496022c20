/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.h - bodies of requests and answers, in one piece. Thread-safe. */
#ifndef SEKISHO_GZIP_H
#define SEKISHO_GZIP_H

#include "common/arena.h"
#include "common/rc.h"

/* One gzip member and nothing behind it. RC_INVALID: damaged. RC_OVER_QUOTA: more than ceiling bytes come out; found
 * without ever holding more than ceiling. *ret is memory of the arena. */
enum rc gzip_inflate(struct arena *a, struct slice in, size_t ceiling, struct slice *ret) MUST_CHECK;
struct slice gzip_deflate(struct arena *a, struct slice in);

#endif
