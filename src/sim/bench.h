/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - bounded loops of one operation with an enrolled fleet. Prints one JSON object: operations, seconds, rate,
 * latencies, errors, and the client's own CPU time per operation. */
#ifndef SEKISHO_SIM_BENCH_H
#define SEKISHO_SIM_BENCH_H

#include "sim/sim.h"

extern const char *const bench_names[]; /* ended by NULL */

/* With --gate: prints {"ready":true} when all is set up; then runs once for each line on standard input and prints a
 * result each time, until its end. In between the connections stay, so that whoever measures the server can look, and
 * let another client run in turn. */
enum rc bench_run(struct sim *s, const char *name) MUST_CHECK;

#endif
