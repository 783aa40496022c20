/* SPDX-License-Identifier: Apache-2.0 */
/* incident.h - what follows from a find: classification, hash, quarantine, and exactly one detection event, which is in
 * the journal before the file is touched. Used by the judge, by scans, and at start for what a crash left half done.
 * Blocks. One struct incidents serves one thread. */
#ifndef SEKISHO_AGENT_INCIDENT_H
#define SEKISHO_AGENT_INCIDENT_H

#include "agent/engine.h"
#include "agent/quarantine.h"
#include "agent/uplink.h"

/* What an event says about the engine; strings are NUL-ended, "" = not known. */
struct engine_words {
    char name[40];
    char version[40];
    char signatures[40];
};

struct incidents {
    struct uplink *uplink;
    struct quarantine *quarantine; /* NULL: cannot be opened, cleaning fails with that reason */
};

struct incident {
    int fd; /* borrowed */
    char path[4096];
    char name[200]; /* as the engine says */
    enum wire_scanner scanner;
    char process[4096]; /* "" = not known */
    char user[100];
    usec_t occurred;
    bool refused; /* the access that showed it was refused */
    bool clean;   /* move it into the quarantine */
    struct uuid execution;
    struct engine_words engine;
};

/* Type and severity by the engine's name; ret_name is the name as it is shown (without ".UNOFFICIAL"). */
void incident_classify(const char *engine_name, char ret_name[200], enum wire_detection_type *ret_type,
                       enum wire_severity *ret_severity);
/* As the protocol takes texts: valid UTF-8 without control characters, which become U+FFFD, and at most max bytes.
 * Names of files are chosen by whoever makes them, and must not make a record that the server refuses. */
struct slice incident_text(struct arena *a, struct slice s, size_t max);
void incident_user(uid_t uid, char ret[100]); /* its name, else the number */
bool incident_path(int fd, char ret[4096]);   /* absolute path of an open file; false: it has none */
/* True: the file is in the quarantine now. */
bool incident_handle(const struct incidents *s, const struct incident *i);
/* Finishes what a crash left pending: offers the event again, removes the original, keeps the copy. */
void incident_recover(const struct incidents *s, const struct quarantine_item *pending, size_t n);

#endif
