/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the process: what main.c starts and, in reverse, stops. Handed on by pointer; nobody keeps a global of it.
 */
#ifndef SEKISHO_SERVER_H
#define SEKISHO_SERVER_H

#include "common/crypto.h"
#include "common/params.h"
#include "common/strbuf.h"

struct edge;
struct batch_pool;

struct server {
    struct params params; /* live: reload replaces the reloadable ones */
    const char *config_file;
    char *const *overrides;
    size_t n_overrides;
    struct keyring *keyring;
    struct edge *edge;
    struct batch_pool *batches;
};

/* reload.c: reads the configuration again; on error everything stays. Then certificate and key. Main thread. */
void server_reload(struct server *s);

/* trace.c: debug lines as operators ask for them. Before the tenants' loader starts. */
void trace_start(void);

/* ops.c. start: when the ports open; what is resident then is no connection's. answer: the edge's config.ops. */
void ops_start(void);
bool ops_answer(struct slice path, const struct params *p, struct strbuf *out, const char **ret_type);

#define WATCHDOG_EXIT 3 /* exit code of a process that could not end in order */

/* drain.c: from now on the process ends after so many seconds, whatever hangs. */
void watchdog_start(int seconds);

#endif
