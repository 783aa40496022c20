/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the network process: one struct, shared by the files that make it up (checkin, contact, enrol, events,
 * problems, status). One thread, one errand to the server at a time beside the wake-up stream and downloads. */
#ifndef SEKISHO_AGENT_AGENT_H
#define SEKISHO_AGENT_AGENT_H

#include "agent/http.h"
#include "agent/inventory.h"
#include "agent/journal.h"
#include "agent/protect.h"
#include "agent/state.h"
#include "agent/tasks.h"
#include "agent/wake.h"

enum phase {
    PHASE_ENROLLING, /* no identity yet */
    PHASE_ONLINE,    /* has one; may be without contact at the moment */
    PHASE_STOPPED    /* the server wants no more of us, or there is no token: protection goes on, contact does not */
};

enum errand { ERRAND_NONE, ERRAND_CHECKIN, ERRAND_ENROL, ERRAND_RENEW, ERRAND_TIME };

struct download {
    struct agent *agent;
    struct download *next;
    struct http_request *http;
    uint64_t request;
    int fd;
};

struct agent {
    const struct agent_config *cfg;
    struct agent_state state;
    struct tls_client *tls;
    struct http *http;
    struct journal *journal;
    struct inventory *inventory;
    struct tasks *tasks;
    struct wake *wake;
    struct protect *protect;
    struct download *downloads;

    enum phase phase;
    enum errand errand;
    struct http_request *request;
    struct arena *errand_memory; /* wiping: of the errand on its way (key, nonce) */
    struct slice errand_key;     /* ENROL, RENEW: PEM */
    char errand_nonce[33];       /* TIME */
    uint64_t sent_at;            /* ms */
    usec_t sent_clock;           /* system's clock when it was sent */
    enum wire_reason sent_reason;

    /* when, in monotonic ms (ms_now); 0: not */
    uint64_t due[WIRE_REASON_COUNT];  /* a check-in with this reason is wanted */
    uint64_t hold[WIRE_REASON_COUNT]; /* but not before, as the server said */
    uint64_t not_before;              /* nothing at all before: back-off */
    uint64_t renew_at;
    uint64_t ask_again; /* stopped: whether it still is so */
    uint64_t trim_at;
    uint64_t protection_told; /* last time a change of protection was told at once */
    uint64_t status_at;
    bool want_time;   /* fetch a signed time first */
    bool time_tried;  /* and did so since the last success */
    bool want_reset;  /* close all connections, at the next turn of the loop */
    bool want_reload; /* the identity has changed: new TLS client */
    bool protection_changed;
    bool quit;

    unsigned failures; /* in a row */
    size_t max_bytes;  /* of one request's text; shrinks when the server says too large */
    size_t max_events;
    size_t bytes_ceiling; /* max_bytes grows no further before ceiling_until */
    uint64_t ceiling_until;
    uint64_t facts_hold; /* facts are left out before this: the server refused them */
    int64_t skew;        /* usec that the server's clock is ahead of the system's */
    bool skew_known;
    uint64_t stamp;    /* of the identity's file, to see an enrolment by another process */
    uint64_t checkins; /* answered */

    usec_t contact_at; /* of the last answer, our clock */
    char trouble[65];  /* problem code or one of ours (no_connection, ...); "" when the last contact was fine */
    char trouble_text[256];
    usec_t trouble_at;
    const char *last_problems; /* for the status: JSON, heap */
};

#define AGENT_REQUEST_BYTES  (700u * 1024)
#define AGENT_REQUEST_LEAST  16384u
#define AGENT_REQUEST_EVENTS 200u
#define AGENT_SKEW_MAX       (300 * USEC_PER_SEC) /* beyond it our own notion of time is the server's */

uint64_t ms_now(void);
/* The system's clock, or the server's when the system's is known to be far off. Never sets the system's. */
usec_t agent_now(const struct agent *a);
void agent_due(struct agent *a, enum wire_reason reason, uint64_t in_ms);

/* --- contact.c: what an answer that is not the wished one means */
struct problem_answer {
    char code[65]; /* "" when the answer is not one of ours (a proxy's page) */
    char title[256];
    char field[201];
    bool has_limit;
    int64_t limit;
};
void contact_problem(const struct http_answer *answer, struct problem_answer *ret);
/* Notes the trouble and decides: back off, renew, fetch the time, stop. errand tells what was tried. */
void contact_failed(struct agent *a, enum errand errand, const struct http_answer *answer);
void contact_fine(struct agent *a, const struct http_answer *answer);
void contact_stop(struct agent *a, const char *code, const char *text);
bool contact_may_return(const struct agent *a); /* stopped, but for a reason that the server may take back */
void contact_server_time(struct agent *a, usec_t server_time);

/* --- enrol.c: joining, renewing, the signed time */
void enrol_start(struct agent *a);
void renew_start(struct agent *a);
void time_start(struct agent *a);
bool renew_due(const struct agent *a);
/* Text of the request; the new key goes to *ret_key. Memory of the arena. */
enum rc enrol_body(const struct agent_config *cfg, struct arena *a, struct slice token, struct slice *ret_key,
                   struct slice *ret_body) MUST_CHECK;

/* --- events.c: from the protection part into the journal */
extern const struct protect_callbacks agent_protect_callbacks;
extern const struct tasks_callbacks agent_tasks_callbacks;
void events_abort_downloads(struct agent *a); /* the HTTP layer was reset: they have failed */

/* --- problems.c: facts of the kinds protection and problems */
void problems_refresh(struct agent *a);

/* --- status.c */
void status_write(struct agent *a);
int status_print(const struct agent_config *cfg, bool json);

/* --- checkin.c */
/* The network process's life. helper: socket to the privileged process. Returns the exit status. */
int checkin_run(const struct agent_config *cfg, int helper, bool once);

/* --- enrol_verb.c: `sekisho-agent enrol`; the token was read already (its file may be root's). Returns the exit
 * status. */
int enrol_run(const struct agent_config *cfg, struct slice token, bool again);

/* --- doctor.c */
int doctor_run(const struct agent_config *cfg, bool json);

#endif
