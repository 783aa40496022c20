/* SPDX-License-Identifier: Apache-2.0 */
/* fake_server.h - the server's side of the agent protocol, in a thread over loopback, as small as it can be and
 * stricter than the real one: it applies every fact row and recomputes every digest and hash. For tests of the
 * simulator. */
#ifndef SEKISHO_TEST_FAKE_SERVER_H
#define SEKISHO_TEST_FAKE_SERVER_H

#include "wire/agent.gen.h"
#include <stdatomic.h>

#define FAKE_TOKEN   "sek1_test"
#define FAKE_DEVICES 16

struct fake_server;

/* What to do with the next check-ins; counted down by each that it happens to. */
struct fake_script {
    atomic_int lose; /* commit, then cut the connection instead of answering */
    atomic_int new_epoch;
    atomic_int too_many; /* 429, retry-after 1 */
    atomic_int want;     /* ask for software and protection whole */
    atomic_int task;     /* 1: a show_message task waits; told by wake-up streams that are open */
};

struct fake_device {
    struct uuid id;
    int64_t numbers; /* different running numbers that came */
    int64_t highest;
    int64_t doubled; /* new ids with a known number */
    int checkins, wholes, deltas, epochs;
    bool task_done;
};

struct fake_server *fake_server_new(const char *folder); /* writes ca.pem there */
void fake_server_free(struct fake_server **s);
int fake_server_port(const struct fake_server *s);
struct fake_script *fake_server_script(struct fake_server *s);
int fake_server_enrolled(struct fake_server *s);
int fake_server_resumed(struct fake_server *s);
struct fake_device fake_server_device(struct fake_server *s, int i);
/* The first thing that broke the protocol, or "". */
const char *fake_server_complaint(struct fake_server *s);

#endif
