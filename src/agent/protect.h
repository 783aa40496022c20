/* SPDX-License-Identifier: Apache-2.0 */
/* protect.h - the border between the agent's network process and its protection part (guard, scans, quarantine, module
 * update, isolation, messages). All functions but protect_supervise are called by the network process on its one
 * thread, and all callbacks come on that thread, from within protect_dispatch or the call that caused them. */
#ifndef SEKISHO_AGENT_PROTECT_H
#define SEKISHO_AGENT_PROTECT_H

#include "agent/config.h"
#include "common/clock.h"
#include "common/id.h"
#include "wire/agent.gen.h"
#include <sys/types.h>

struct protect;

struct protect_progress {
    struct uuid execution_id;
    enum wire_execution_state state; /* running, then exactly one of done, failed, cancelled, refused */
    int progress;                    /* 0-100 */
    int64_t files_scanned;           /* -1: does not apply */
    int64_t files_total;
    int64_t found;
    const char *result_code; /* message code of the outcome in end states; NULL before */
    const char *result_args[8];
    size_t n_result_args;
};

struct protect_callbacks {
    /* One event; body is the JSON text of body_detection, body_scan, body_quarantine or body_audit. Returns RC_OK after
     * the record has been fsynced: only then may the protection part treat the file as handled and forget the event.
     * On any other rc it keeps the event and offers it again later, but on RC_INVALID (it can never be recorded: a
     * fault of ours) it goes on without. An event may be offered again after a crash although its record was written
     * (the answer was lost): id is then the same, becomes the record's id, and a record with that id which the journal
     * still holds or lately held makes the call return RC_OK without a second record. urgent: the server is told within
     * 200 ms. */
    enum rc (*on_event)(void *ctx, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t occurred,
                        bool urgent);
    /* Protection facts or problems may have changed: they are asked for soon. */
    void (*on_change)(void *ctx);
    /* State of a task. Strings are copied. May be called as often as wanted; it is thinned out before sending. */
    void (*on_progress)(void *ctx, const struct protect_progress *p);
    /* Asks for a file of the server's module mirror. It is written to fd (owned by the callee from now on, closed
     * before protect_fetched is called), at most limit bytes. name is manifest.json, manifest.sig or one of the
     * manifest. */
    void (*fetch)(void *ctx, uint64_t request, const char *name, int fd, uint64_t limit);
};

/* Starts the network process's end. helper is the socket to the privileged process, owned by the callee. */
enum rc protect_start(const struct agent_config *cfg, int helper, const struct protect_callbacks *cb, void *ctx,
                      struct protect **ret) MUST_CHECK;
void protect_stop(
    struct protect **p); /* running tasks are abandoned: they are reported as interrupted after a restart */

int protect_fd(const struct protect *p); /* poll for reading (an epoll fd is allowed); the same for its whole life */
int protect_timeout_ms(const struct protect *p); /* call protect_dispatch after that long at the latest; -1: never */
enum rc
protect_dispatch(struct protect *p) MUST_CHECK; /* never blocks; RC_UNAVAILABLE: the helper is gone, end the process */

/* Ed25519 key (raw) of module manifests, as pinned by enrolment; without it update_modules fails with no_module_key. */
void protect_module_key(struct protect *p, const uint8_t key[32]);
/* Answer of fetch; status 200 and RC_OK when the file is whole. */
void protect_fetched(struct protect *p, uint64_t request, enum rc rc, int status);

/* Starts an execution; returns at once, outcome comes by on_progress (also refusals). The task is copied. */
void protect_task(struct protect *p, const struct wire_task *task);
void protect_cancel(struct protect *p, struct uuid execution_id); /* unknown ids are ignored */
bool protect_runs(const struct protect *p, struct uuid execution_id);

/* Whether the detection event of this execution or any other work still goes on, for --once. */
bool protect_busy(const struct protect *p);

void protect_facts(struct protect *p, struct arena *a, struct wire_value_protection *ret);

struct protect_problem {
    const char *code; /* static: engine_missing, protection_off, prevention_off, modules_outdated, ... */
    enum wire_severity severity;
    usec_t since;
    const char *args[8]; /* in the arena */
    size_t n_args;
};
/* Writes at most cap problems to ret, returns their number. */
size_t protect_problems(struct protect *p, struct arena *a, struct protect_problem *ret, size_t cap);

/* The privileged process. Makes the socket pair, calls spawn (which forks the network process with that socket and
 * returns its pid, in the parent) and serves the fixed list of verbs until SIGTERM or SIGINT, which it passes on. A
 * network process that dies is spawned again with back-off; one that exits with status 0 or 64-78 ends the agent.
 * Returns the exit status of the program. */
int protect_supervise(const struct agent_config *cfg, pid_t (*spawn)(void *ctx, int helper), void *ctx);

#endif
