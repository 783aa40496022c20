/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - who the simulated devices are. A device is made of (seed, index, language) alone: the same three give the
 * same machine, so nothing of it is kept in memory. What changes over time is a struct facts, and the rows that the
 * protocol reports are made from both when they are needed. Pure; any thread. */
#ifndef SEKISHO_SIM_FLEET_H
#define SEKISHO_SIM_FLEET_H

#include "sim/catalogue.h"
#include "wire/digest.h"

enum fleet_language { FLEET_EN, FLEET_JA, FLEET_MIX };

/* A small generator of its own per device: what one device does never depends on when another one acts. */
struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *c);
unsigned chance_below(struct chance *c, unsigned n); /* n > 0 */
bool chance_percent(struct chance *c, unsigned percent);
double chance_exponential(struct chance *c, double mean);
struct chance chance_for(uint64_t seed, unsigned index, unsigned purpose);

#define FLEET_KINDS 8 /* fact kinds, without unknown; place k - 1 */
#define FLEET_USERS 3

struct profile {
    unsigned index;
    uint64_t seed;
    const struct catalogue_system *system;
    const struct catalogue_machine *machine;
    bool japanese;
    char hostname[64], fqdn[128], machine_id[WIRE_HEX_SIZE], serial[24], mac[18], wifi_mac[18], ip[16], ip6[40];
    char users[FLEET_USERS][100]; /* accounts as the system writes them */
    unsigned n_users, n_packages;
    int64_t memory, disk; /* bytes */
};
void profile_make(uint64_t seed, unsigned index, enum fleet_language language, struct profile *ret);

enum problem {
    PROBLEM_MODULES_OUTDATED,
    PROBLEM_PROTECTION_OFF,
    PROBLEM_RESTART_REQUIRED,
    PROBLEM_DISK_LOW,
    PROBLEM_KINDS
};

#define FACTS_UPDATES 24
struct facts {
    usec_t boot_at;
    usec_t since[PROBLEM_KINDS]; /* 0: the problem does not stand */
    usec_t signature_at, user_since;
    uint16_t updated[FACTS_UPDATES]; /* packages that were updated, by number in the catalogue */
    uint8_t times[FACTS_UPDATES];
    uint8_t n_updates;
    uint8_t free_percent[2]; /* of the filesystems */
    uint8_t users;           /* bit i: user i is signed in */
    uint8_t engine_patch;
    bool protection_on, isolated;
};
void facts_start(const struct profile *p, usec_t now, struct facts *ret);

/* The rows of a kind, in order of their keys; memory of the arena. */
size_t fleet_rows(struct arena *a, const struct profile *p, const struct facts *f, enum wire_fact_kind kind,
                  struct wire_digest_row **ret);
const char *problem_code(enum problem p); /* static */
int64_t facts_signature_version(const struct facts *f);
#define FLEET_AGENT_VERSION SEKISHO_VERSION

#endif
