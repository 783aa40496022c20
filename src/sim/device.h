/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - one simulated device: the agent's side of the protocol (check-ins with their reasons and holds, facts as
 * deltas, journal, wake-up stream, tasks, renewal, reconnects). It acts on its timer and on what its connection tells.
 */
#ifndef SEKISHO_SIM_DEVICE_H
#define SEKISHO_SIM_DEVICE_H

#include "sim/sim.h"
#include "sim/spool.h"

enum device_state { DEVICE_NEW, DEVICE_MEMBER, DEVICE_GONE /* refused for good: removed, revoked */ };

#define DEVICE_ENDED 8

struct device {
    struct sim *sim;
    unsigned index;
    enum device_state state;
    struct creds creds;
    struct uuid id, boot;
    struct spool spool;
    int64_t revision;
    int64_t numbered; /* last running number given out (--numbered) */

    struct facts now, acked;
    uint8_t changed, held; /* bit kind - 1: differs from acked; the server has acknowledged rows of it */
    struct sha256 digests[FLEET_KINDS];
    char facts_digest[WIRE_HEX_SIZE];
    struct chance chance;

    struct conn *conn;
    uint64_t opened;     /* monotonic ns, as all below */
    struct creds *fresh; /* of a renewal under way */
    struct flight *flight;
    bool handshaking, waking, renew, resumed;
    unsigned failures;
    uint64_t next_connect, next_wake, next_detection, next_change, next_renew, heard;
    uint64_t due[WIRE_REASON_COUNT], hold[WIRE_REASON_COUNT]; /* 0: not due */
    uint64_t woken;                                           /* when the wake-up line came that is being answered */
    int interval;
    struct task_run *runs;
    struct uuid ended[DEVICE_ENDED]; /* executions not to be run again */
    unsigned n_ended;
    char *line; /* of the wake-up stream, unfinished; NULL: none */
    size_t line_n;
    struct poller_timer timer;
};

void device_init(struct device *d, struct sim *s, unsigned index);
void device_done(struct device *d);
struct profile device_profile(const struct device *d);

void device_start(struct device *d, uint64_t at_ns); /* a member begins to live: connects at that time */
void device_due(struct device *d, enum wire_reason reason, uint64_t in_ns);
void device_kick(struct device *d); /* something changed: look what to do next */
void device_changed(struct device *d, enum wire_fact_kind kind);
void device_event(struct device *d, enum wire_event_kind kind, struct uuid id, usec_t at, struct slice body);
bool device_quiet(const struct device *d); /* nothing is under way or unacknowledged */

void device_remember(struct device *d);        /* after held or digests were set: the digest over them */
uint8_t device_untold(const struct device *d); /* kinds that differ from what the server has acknowledged */

/* Enrolment: the request's text, and the server's answer. */
struct slice device_enrol_request(struct device *d, struct arena *a, const char *token);
enum rc device_enrolled(struct device *d, struct slice answer) MUST_CHECK;

/* For benches: connects, and one check-in with what waits; done comes once. */
typedef void (*device_done_fn)(void *ctx, struct device *d, bool ok);
void device_open_wake(struct device *d, uint64_t now); /* connected, and without one */
void device_checkin(struct device *d, enum wire_reason reason, device_done_fn done, void *ctx);
/* One of several check-ins at once by a device that has nothing to tell; what is answered settles nothing. done does
 * not come when device_disconnect ends it. */
void device_ask(struct device *d, enum wire_reason reason, void (*done)(void *ctx, const struct conn_answer *),
                void *ctx);
bool device_settled(const struct device *d); /* the server has acknowledged all there is to tell */
bool device_connect(struct device *d);
void device_disconnect(struct device *d);
bool device_online(const struct device *d);
bool device_resumed(const struct device *d); /* its connection began with a TLS session of an earlier one */

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

#endif
