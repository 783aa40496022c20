/* SPDX-License-Identifier: Apache-2.0 */
/* blocking.h - a worker thread's own connection to Redis, made when first needed. Inside cache/ only. */
#ifndef SEKISHO_BLOCKING_H
#define SEKISHO_BLOCKING_H

#include "common/rc.h"
#include "common/slice.h"

struct params;

void blocking_start(const struct params *p);
/* Sets all keys to value for ms milliseconds; waits at most 200 ms for each answer, and asks again on a
 * new connection when an old one fails. RC_OK: all stand. RC_NOT_FOUND:
 * there is no Redis (connecting was refused). RC_UNAVAILABLE: in doubt. */
enum rc blocking_set(const struct slice *keys, size_t n, const char *value, int ms) MUST_CHECK;

struct redisReply;
/* One command; the caller frees *ret with freeReplyObject. Error replies are answers too. rc as above. */
enum rc blocking_run(int argc, const struct slice *argv, struct redisReply **ret) MUST_CHECK;

#endif
