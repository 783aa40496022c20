/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time that tests can fix. Wall time is microseconds since 1970 UTC (int64_t usec); monotonic time is
 * nanoseconds since an arbitrary start. The environment variable SEKISHO_CLOCK_OFFSET (seconds, signed) shifts wall
 * time, for tests of skew; it is read once. SEKISHO_CLOCK_FILE names a file whose first 8 bytes (int64_t, seconds) are
 * added too, each time: a test steps the clock of a running process by writing them. It is obeyed only when
 * SEKISHO_TESTING is 1 and nobody but root and the process's user may write the file, which must not be cut short while
 * the process runs. Thread-safe. */
#ifndef SEKISHO_CLOCK_H
#define SEKISHO_CLOCK_H

#include "common/slice.h"

typedef int64_t usec_t; /* wall clock, microseconds since the epoch; 0 = not known */

#define USEC_PER_SEC INT64_C(1000000)

usec_t clock_now(void);
uint64_t clock_mono_ns(void);
void clock_fix(usec_t at);         /* tests: wall time stands still; 0 lets it run again */
void clock_shift(int64_t seconds); /* tests: offset added to wall time */

#define CLOCK_RFC3339_SIZE 32
/* "2026-11-24T10:00:00.123456Z", fraction left out when zero; t is held to the years 1970-9999. Returns out. */
char *clock_rfc3339(usec_t t, char out[CLOCK_RFC3339_SIZE]);
bool clock_parse_rfc3339(struct slice s, usec_t *ret); /* any offset; years 1970-9999; digits beyond usec are cut */

#endif
