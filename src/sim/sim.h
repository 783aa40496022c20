/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the whole simulated fleet of one process: options, devices, their connections, counts. One thread. */
#ifndef SEKISHO_SIM_SIM_H
#define SEKISHO_SIM_SIM_H

#include "sim/conn.h"
#include "sim/fleet.h"
#include "sim/stats.h"

struct sim_options {
    const char *server, *ca_file, *state_file, *local_addresses;
    const char *token; /* NULL: only devices of the state file */
    unsigned devices;
    uint64_t seed;
    int interval;               /* seconds; 0: as the server says */
    double detections, changes; /* per device and hour */
    double history;             /* findings per device of the time before its enrolment */
    int duration;               /* seconds; 0: until a signal */
    int drain;                  /* seconds for what was not acknowledged at the end */
    int ramp;                   /* seconds over which devices connect */
    int concurrency;            /* handshakes and enrolments at once */
    int report;                 /* seconds; 0: at the end only */
    enum fleet_language language;
    bool json, numbered, no_wake, quiet;
    /* bench */
    unsigned operations, parallel, batch, changed; /* changed 0: whole inventories */
    bool resume, gate;
};

struct sim_counts {
    uint64_t enrolled, connected, connects_failed, lost, checkins, refused, retried, events_made, events_acked,
        detections_made, tasks_run, new_epochs, renewals, wakes;
};

struct device;

struct sim {
    struct sim_options o;
    struct poller *poller;
    struct conn_target *target;
    struct stats stats;
    struct sim_counts counts;
    struct device *devices; /* o.devices of them */
    struct strbuf beyond;   /* lines of the state file for devices of a larger fleet */
    struct arena *scratch;  /* reset after each use */
    unsigned handshakes;    /* under way */
    bool calm;              /* devices do nothing by themselves: the end of a run, benches */
    uint64_t started;       /* monotonic ns */
    /* enrolment */
    unsigned next_enrol, enrolling;
    bool enrol_failed;
    char why[512]; /* the last refusal or failure, a sentence */
    uint64_t said; /* when a failure was last printed */
};

/* On error a sentence in ret_why; usual reasons: server, CA or state file. */
enum rc sim_new(const struct sim_options *o, struct sim **ret, char *ret_why, size_t why_size) MUST_CHECK;
void sim_free(struct sim **s);

/* Enrols those who are not members yet. Returns when all are, or with the reason of the first refusal in s->why.
 * Devices that were enrolled before it stay. */
enum rc sim_enrol(struct sim *s) MUST_CHECK;
/* Lets the devices live until the duration is over or a signal comes, then drains. RC_UNAVAILABLE: events are left that
 * the server has not acknowledged (they are in the state file). */
enum rc sim_run(struct sim *s) MUST_CHECK;
enum rc sim_save(struct sim *s); /* a failure is printed; without --state nothing happens */
void sim_trouble(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* printed at most once a second */
void sim_report(struct sim *s, bool final);
extern volatile int sim_stop; /* set by SIGINT and SIGTERM */

#endif
