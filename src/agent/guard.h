/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - the process that holds accesses to files of the watched folders until the judge has an answer. It only
 * answers: its answering thread opens nothing in watched folders, allocates nothing and logs nothing, for a guard that
 * waits for itself stops the computer. An access is held 2 s at most, then allowed. A second thread finds folders and
 * marks them (folder by folder, never a mount). When the process dies, the kernel allows everything it held.
 * Without the right to hold accesses, files are looked at after they were written (inotify): "detect only". */
#ifndef SEKISHO_AGENT_GUARD_H
#define SEKISHO_AGENT_GUARD_H

#include "agent/config.h"
#include "agent/packet.h"
#include <sys/types.h>

#define GUARD_DEADLINE_NS UINT64_C(2000000000)
#define GUARD_ALIVE_MS    1000

enum guard_mode { GUARD_OFF, GUARD_HOLDS, GUARD_WATCHES };

enum guard_verdict { GUARD_ALLOW, GUARD_DENY, GUARD_UNKNOWN }; /* unknown: allowed, and not remembered */

/* control: socket to the privileged process; judge: socket to the judge. Never returns. */
_Noreturn void guard_run(const struct agent_config *cfg, int control, int judge);

/* ---- the memory of answers, exported for its tests. Fixed size; an entry that is pushed out is judged again. */
struct guard_file {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
    int64_t set; /* of signatures */
};

struct guard_cache {
    struct guard_entry {
        struct guard_file file;
        uint64_t until_ns; /* 0: empty */
        enum guard_verdict verdict;
    } entries[4096];
};

void guard_cache_put(struct guard_cache *c, const struct guard_file *f, enum guard_verdict v, uint64_t now_ns);
enum guard_verdict guard_cache_get(const struct guard_cache *c, const struct guard_file *f, uint64_t now_ns);

#endif
