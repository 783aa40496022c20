/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the whole simulated fleet of one process: options, devices, their connections, counts. One thread. */
#ifndef SEKISHO_SIM_SIM_H
#define SEKISHO_SIM_SIM_H

#include "sim/conn.h"
#include "sim/fleet.h"
#include "sim/stats.h"

struct sim_options {
    const char *server, *ca_file, *state_file, *local_addresses;
    const char *record_file;   /* a line per acknowledged event is appended; NULL: none */
    const char *const *tokens; /* device i joins with token i % n_tokens; none: only devices of the state file */
    unsigned n_tokens;
    unsigned devices;
    uint64_t seed;
    int interval;               /* seconds; 0: as the server says */
    double detections, changes; /* per device and hour */
    double history;             /* findings per device of the time before its enrolment */
    int duration;               /* seconds; 0: until a signal */
    int drain;                  /* seconds for what was not acknowledged at the end */
    int ramp;                   /* seconds over which devices connect */
    int concurrency;            /* handshakes and enrolments at once */
    double report;              /* seconds; 0: at the end only */
    enum fleet_language language;
    bool json, numbered, no_wake, quiet;
    /* bench */
    unsigned operations, parallel, batch, changed; /* changed 0: whole inventories */
    unsigned streams;                              /* check-ins at once on one connection */
    unsigned packages;                             /* of each device; 0: its own number */
    int rate;                                      /* operations a second; 0: as fast as they are answered */
    bool resume, gate, tell_tasks;
};

struct sim_counts {
    uint64_t enrolled, connected, connects_failed, lost, checkins, refused, failed /* answers of 5xx */, retried,
        events_made, events_acked, detections_made, tasks_run, new_epochs, renewals, wakes;
};

struct device;

struct sim {
    struct sim_options o;
    struct poller *poller;
    struct conn_target *target;
    struct stats stats;
    struct sim_counts counts;
    struct device *devices; /* o.devices of them */
    int record;             /* descriptor of the record file, -1: none */
    bool record_failed;     /* a line of it is missing: the run ends */
    struct strbuf recorded; /* lines of the answer in work */
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
void sim_record(struct sim *s);  /* writes what s->recorded holds, before the next answer is looked at */
enum rc sim_save(struct sim *s); /* a failure is printed; without --state nothing happens */
void sim_trouble(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3))); /* printed at most once a second */
void sim_report(struct sim *s, bool final);
extern volatile int sim_stop; /* set by SIGINT and SIGTERM */

#endif
