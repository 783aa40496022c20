/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - the guard's finding thread: walks the watched folders, marks each folder for fanotify (or follows it by
 * inotify alone), keeps up with folders that appear, and hands files that appear without being opened (moved in, or
 * written before their folder was marked) to the judge. May block on slow filesystems: the answering thread does not.
 */
#ifndef SEKISHO_AGENT_WATCH_H
#define SEKISHO_AGENT_WATCH_H

#include "agent/config.h"
#include <stdint.h>

struct watch_settings {
    const struct agent_config *cfg;
    int fanotify;  /* -1: none, inotify reports written files */
    uint64_t mask; /* of fanotify marks */
    int judge;     /* non-blocking socket */
    int control;   /* told which folders are watched (VERB_GUARD) */
    int mode;      /* enum guard_mode to tell */
};

/* Starts the thread; settings are copied. */
void watch_start(const struct watch_settings *s);

#endif
