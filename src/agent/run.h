/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - another program, run with a fixed path, fixed environment and no shell, bounded in time and output. Blocks;
 * for the privileged side's short-lived processes only. Thread-safe. */
#ifndef SEKISHO_AGENT_RUN_H
#define SEKISHO_AGENT_RUN_H

#include "common/rc.h"
#include "common/slice.h"

/* Gives input to its standard input and keeps the first size - 1 bytes of what it says (both streams) in ret_said.
 * RC_OK: it ended by itself with *ret_status. RC_NOT_FOUND: no such program. RC_UNAVAILABLE: killed at the time-out, by
 * a signal, or not startable. env: further "NAME=value" strings or NULL, NULL-ended. */
enum rc run_program(const char *const argv[], const char *const env[], struct slice input, int timeout_ms,
                    int *ret_status, char *ret_said, size_t size) MUST_CHECK;

#endif
