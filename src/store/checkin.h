/* SPDX-License-Identifier: Apache-2.0 */
/* checkin.h - the statements of one check-in as calls of a batch item, in the order of checkin.sql. The add functions
 * run on any thread before batch_submit and copy into the item's arena; the read functions run in done(), after the
 * commit. */
#ifndef SEKISHO_STORE_CHECKIN_H
#define SEKISHO_STORE_CHECKIN_H

#include "store/batch.h"

struct checkin_row { /* of a fact */
    struct slice key, value;
};

struct checkin_event {
    int64_t seq;
    struct uuid id;
    struct slice kind, hash, body;
    usec_t occurred;
};

/* Each returns the call's index in the item. */
int checkin_add_device(struct batch_item *i, const char *agent_version, int interval, struct uuid epoch, int64_t head);
int checkin_add_fact_replace(struct batch_item *i, const char *kind, struct slice digest,
                             const struct checkin_row *rows, size_t n, usec_t now);
int checkin_add_fact_merge(struct batch_item *i, const char *kind, struct slice base, struct slice digest,
                           const struct checkin_row *set, size_t n_set, const struct slice *remove, size_t n_remove,
                           usec_t now);
int checkin_add_digest(struct batch_item *i);
int checkin_add_columns(struct batch_item *i);
int checkin_add_question(struct batch_item *i, struct uuid epoch, const struct checkin_event *events, size_t n);
int checkin_add_events(struct batch_item *i, struct uuid epoch, const struct checkin_event *events, size_t n,
                       usec_t now);
int checkin_add_mark(struct batch_item *i, struct uuid epoch, int64_t first, int64_t last, int64_t tail);
int checkin_add_rest(struct batch_item *i, struct uuid epoch);

/* ---- results */
struct checkin_device {
    bool exists;
    int64_t revision;
    struct slice facts_digest; /* before this check-in */
    bool behind;               /* its journal is older than what we have of it */
};
struct checkin_device checkin_read_device(const struct batch_item *i, int call);
bool checkin_read_applied(const struct batch_item *i, int call); /* of a fact_merge or fact_replace */
struct slice checkin_read_digest(const struct batch_item *i, int call);
bool checkin_read_question(const struct batch_item *i, int call); /* a number came back with another hash */
struct checkin_news {
    int64_t events, detections, executions, quarantine;
};
struct checkin_news checkin_read_events(const struct batch_item *i, int call);
struct checkin_task {
    struct uuid execution;
    struct slice type, settings;
    bool cancel;
    usec_t expires_at;
};
struct checkin_rest {
    int64_t revision;
    int64_t mark; /* of the epoch; 0: none */
    struct checkin_task *tasks;
    size_t n_tasks;
};
struct checkin_rest checkin_read_rest(struct batch_item *i, int call);

#endif
