/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - a protection engine behind a driver, so that others than ClamAV fit in. An engine object is one
 * conversation with the engine and belongs to one thread; make one per thread. All calls are bounded by a time-out and
 * report, they do not log. */
#ifndef SEKISHO_AGENT_ENGINE_H
#define SEKISHO_AGENT_ENGINE_H

#include "common/clock.h"
#include "common/rc.h"
#include <sys/types.h>

enum engine_verdict { ENGINE_CLEAN, ENGINE_FOUND, ENGINE_FAILED };

struct engine_result {
    enum engine_verdict verdict;
    char name[200];  /* ENGINE_FOUND: the engine's own name of what it found */
    char error[160]; /* ENGINE_FAILED: the engine's words */
};

struct engine_info {
    char version[40];    /* of the program */
    char signatures[40]; /* of the official signatures; "" when there are none */
    usec_t signatures_at;
    pid_t pid; /* of the process that serves; 0: not known */
    uid_t uid;
    bool known_uid;
};

struct engine_settings {
    const char *socket;
    const char *signatures_dir;
};

struct engine {
    const struct engine_driver *driver;
};

struct engine_driver {
    const char *name;
    /* Never fails: the connection is made by the first call that needs it. Settings must outlive the engine. */
    struct engine *(*open)(const struct engine_settings *s);
    void (*close)(struct engine **e); /* NULL allowed */
    /* Judges an open file; its offset is not used. RC_UNAVAILABLE: engine away or too slow, *ret says ENGINE_FAILED. */
    enum rc (*scan_fd)(struct engine *e, int fd, int timeout_ms, struct engine_result *ret);
    enum rc (*info)(struct engine *e, int timeout_ms, struct engine_info *ret);
    /* Loads the signatures anew and proves that they are live: a fresh canary signature is put into signatures_dir and
     * must be found. RC_UNAVAILABLE: engine away. RC_INVALID: the new set did not become live in time (the engine then
     * still works with the old one). */
    enum rc (*reload)(struct engine *e, int timeout_ms);
    /* Loads the signature files of a folder in a process apart and looks for a canary, without touching the engine.
     * RC_INVALID: refused, ret_why holds its words. RC_NOT_FOUND: this machine has no program for it. */
    enum rc (*try_signatures)(const char *dir, int timeout_ms, char *ret_why, size_t why_size);
};

extern const struct engine_driver engine_clamd;

#endif
