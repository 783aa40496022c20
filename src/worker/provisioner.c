/* SPDX-License-Identifier: Apache-2.0 */
/* provisioner.c - see provisioner.h. One schema a turn, so that stopping never waits for long. */
#include "worker/provisioner.h"
#include "common/event.h"
#include "common/must.h"
#include "common/params.h"
#include "provision/pool.h"
#include <pthread.h>

enum { TURN_S = 30 };

static const struct params *params;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;
static bool running, stopping;

/* True when stop was asked for within the time. */
static bool nap(int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&lock);
    while (!stopping && pthread_cond_timedwait(&wake_up, &lock, &until) == 0)
        ;
    bool stop = stopping;
    pthread_mutex_unlock(&lock);
    return stop;
}

static void fill(struct owner *o)
{
    for (int target = 1; target <= params->schema_pool; target++) {
        int made = 0;
        enum rc rc = pool_fill(o, target, &made);
        if (rc != RC_OK) {
            ev_warn(AREA_WORKER, "no schema was prepared", EV_STR("why", o->why), EV_RC(rc));
            return;
        }
        if (made)
            ev_info(AREA_WORKER, "schemas prepared", EV_INT("count", made));
        if (nap(0))
            return;
    }
}

static void *provision(void *arg)
{
    (void)arg;
    struct owner owner;
    owner_init(&owner, params, "sekishod");
    while (!nap(TURN_S))
        fill(&owner);
    owner_done(&owner);
    return NULL;
}

void provisioner_start(const struct params *p)
{
    params = p;
    running = p->owner_database[0] != '\0';
    stopping = false;
    if (running)
        must(pthread_create(&thread, NULL, provision, NULL) == 0);
}

void provisioner_stop(void)
{
    if (!running)
        return;
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&wake_up);
    pthread_mutex_unlock(&lock);
    must(pthread_join(thread, NULL) == 0);
}
