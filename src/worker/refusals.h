/* SPDX-License-Identifier: Apache-2.0 */
/* refusals.h - refused rights go into the audit too, although most are refused on a loop, long before a transaction.
 * They are noted in memory and written by the background thread within seconds: nobody's answer waits for it. Bounded:
 * so many per session and minute, so many that wait; what is beyond that is counted and left out, so that nobody can
 * fill the table. In the memory of this process: a crash loses at most the seconds before. */
#ifndef SEKISHO_REFUSALS_H
#define SEKISHO_REFUSALS_H

#include "call/call.h"

#define REFUSALS_PER_MINUTE 20 /* of a session, at one server */

/* Any thread, never blocks: notes c when it ended with rc as a refusal of a right or of the plan to a signed-in person.
 */
void refusals_note(const struct call *c, enum rc rc);
/* On the background thread: writes what waits. */
void refusals_write(struct db *db);

#endif
