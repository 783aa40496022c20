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
int checkin_add_device(struct batch_item *i, const char *agent_version, int interval);
int checkin_add_fact_replace(struct batch_item *i, const char *kind, struct slice digest,
                             const struct checkin_row *rows, size_t n, usec_t now);
int checkin_add_fact_merge(struct batch_item *i, const char *kind, struct slice base, struct slice digest,
                           const struct checkin_row *set, size_t n_set, const struct slice *remove, size_t n_remove,
                           usec_t now);
int checkin_add_digest(struct batch_item *i);
int checkin_add_columns(struct batch_item *i);
int checkin_add_question(struct batch_item *i, struct uuid epoch, int64_t head, const struct checkin_event *events,
                         size_t n);
int checkin_add_events(struct batch_item *i, struct uuid epoch, const struct checkin_event *events, size_t n,
                       usec_t now);
int checkin_add_mark(struct batch_item *i, struct uuid epoch, int64_t first, int64_t last, int64_t tail);
int checkin_add_mark_read(struct batch_item *i, struct uuid epoch);
int checkin_add_tasks(struct batch_item *i);
int checkin_add_revision(struct batch_item *i);

/* ---- results */
struct checkin_device {
    bool exists;
    int64_t revision;
    struct slice facts_digest; /* before this check-in */
};
struct checkin_device checkin_read_device(const struct batch_item *i, int call);
bool checkin_read_applied(const struct batch_item *i, int call); /* of a fact_merge or fact_replace */
struct slice checkin_read_digest(const struct batch_item *i, int call);
bool checkin_read_question(const struct batch_item *i, int call); /* the journal is not to be trusted */
struct checkin_news {
    int64_t events, detections, executions, quarantine;
};
struct checkin_news checkin_read_events(const struct batch_item *i, int call);
int64_t checkin_read_mark(const struct batch_item *i, int call); /* 0: none */
struct checkin_task {
    struct uuid execution;
    struct slice type, settings;
    bool cancel;
    usec_t expires_at;
};
size_t checkin_read_tasks(struct batch_item *i, int call, struct checkin_task **ret);

#endif
