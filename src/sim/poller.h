/* SPDX-License-Identifier: Apache-2.0 */
/* poller.h - one epoll with timers: the heart of the simulator, which has one thread. Handles are embedded in their
 * owners and must outlive their registration. Removing a handle or a timer from inside any callback is allowed. */
#ifndef SEKISHO_SIM_POLLER_H
#define SEKISHO_SIM_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poller;

struct poller_fd {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; 0: not registered */
    void (*fn)(void *ctx, uint32_t events);
    void *ctx;
};

struct poller_timer {
    uint64_t at; /* monotonic ns */
    size_t slot; /* place in the heap + 1; 0: not armed */
    void (*fn)(void *ctx);
    void *ctx;
};

struct poller *poller_new(void);
void poller_free(struct poller **p);

void poller_watch(struct poller *p, struct poller_fd *f, uint32_t events); /* 0 ends it; the descriptor stays open */
void poller_arm(struct poller *p, struct poller_timer *t, uint64_t at_ns); /* moves an armed one */
void poller_disarm(struct poller *p, struct poller_timer *t);
/* Waits for descriptors and timers, at most so long, and runs their callbacks once. */
void poller_run(struct poller *p, uint64_t at_most_ns);

#endif
