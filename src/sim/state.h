/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - the state file: keys, certificates, journals and facts of a fleet, so that the next run goes on as the same
 * devices. One line of JSON for the fleet, one per device. It holds private keys: mode 0600. */
#ifndef SEKISHO_SIM_STATE_H
#define SEKISHO_SIM_STATE_H

#include "sim/device.h"

/* Seed and language of the file, if there is one; its devices are of these. RC_NOT_FOUND: there is none. */
enum rc state_head(const char *path, uint64_t *ret_seed, enum fleet_language *ret_language, char *ret_why,
                   size_t why_size) MUST_CHECK;
/* Into s->devices, those that were initialised; lines of devices beyond them go to s->beyond and are written back as
 * they are. */
enum rc state_load(struct sim *s, const char *path, char *ret_why, size_t why_size) MUST_CHECK;
enum rc state_save(const struct sim *s, const char *path) MUST_CHECK;

#endif
