/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - a scan on demand: an own walk over folders of one filesystem each, first counting, then file by file through
 * the engine, with progress once a second and a look for a cancel order between files. Runs as a process of its own, so
 * that one that hangs can be ended. */
#ifndef SEKISHO_AGENT_SCAN_H
#define SEKISHO_AGENT_SCAN_H

#include "agent/config.h"
#include "agent/uplink.h"

#define SCAN_TARGETS_MAX 32

struct scan_order {
    struct uuid execution;
    bool clean;
    char *targets[SCAN_TARGETS_MAX];
    size_t n_targets; /* 0: those of the configuration */
};

/* ---- the walk, for its tests too */
struct scan_walk {
    /* Each regular file once per name; dir is its open folder. false ends the walk. */
    bool (*file)(void *ctx, int dir, const char *name, const char *path);
    bool (*excluded)(void *ctx, const char *path);
    void (*unreadable)(void *ctx, const char *path, int error);
    void *ctx;
};

/* target is a file or a folder. Symbolic links are not followed, other filesystems not entered (but that of the
 * target). false: ended by file(), true otherwise. RC_NOT_FOUND: there is no such target. */
enum rc scan_walk(const struct scan_walk *w, const char *target, bool *ret_whole) MUST_CHECK;

/* Replaces "/" by the mount points of local filesystems under it, so that all disks are walked, each once. */
size_t scan_mounts(const char *mountinfo, char **ret, size_t cap);

/* control: socket to the privileged process. Reports by progress and events; returns the exit status. */
int scan_run(const struct agent_config *cfg, int control, const struct scan_order *order);

#endif
