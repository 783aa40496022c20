/* SPDX-License-Identifier: Apache-2.0 */
/* checkin.h - the rules of a check-in: what a well-formed one is, what must be written for it, and what is answered.
 * Pure: no I/O, any thread. */
#ifndef SEKISHO_DOMAIN_CHECKIN_H
#define SEKISHO_DOMAIN_CHECKIN_H

#include "call/call.h"
#include "store/checkin.h"
#include "wire/agent.gen.h"

/* Beyond the decoder's checks: sequence numbers follow each other and are not above the journal's head, hashes are
 * right, bodies and values have the form of their kind. Fills c->fault with the exact field. */
enum rc checkin_check(struct call *c, const struct wire_checkin_request *r) MUST_CHECK;

/* Seconds between scheduled check-ins: the agent's wish or the default, not below the plan's floor; suspended tenants'
 * agents are told to slow down. */
int checkin_interval(const struct tenant *t, const struct wire_checkin_request *r, int default_interval);
/* Seconds until the next one, spread so that a fleet does not march in step; never below the interval. */
int checkin_next_contact(int interval);
bool checkin_renew(usec_t certificate_expires, usec_t now, int certificate_days);

/* Nothing to write and nothing to tell: what the agent holds is what we hold. */
bool checkin_unchanged(const struct wire_checkin_request *r, bool known, int64_t revision, struct slice digest);

/* Which calls of the item mean what; -1: not made. */
struct checkin_plan {
    int device, question, events, digest, rest;
    int facts[16];
    size_t n_facts;
};
void checkin_plan(struct batch_item *item, const struct wire_checkin_request *r, int interval, usec_t now,
                  struct checkin_plan *ret);

struct checkin_outcome {
    bool exists; /* false: the device was removed meanwhile */
    int64_t revision;
    struct slice digest;
    struct checkin_news news;
    bool facts_changed;
};
/* Fills the answer's fields that follow from what was written (not the times and intervals). */
void checkin_answer(struct batch_item *item, const struct checkin_plan *plan, const struct wire_checkin_request *r,
                    struct wire_checkin_response *answer, struct checkin_outcome *ret);

#endif
