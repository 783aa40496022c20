/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c - the watchdog of the end. A client can make the HTTP library spin for ever while it shuts a connection down,
 * and a database can keep a worker waiting; neither may keep the process. What was acknowledged is committed, so ending
 * hard loses nothing. */
#include "common/event.h"
#include "common/must.h"
#include "server/server.h"
#include <pthread.h>
#include <unistd.h>

static void *watch(void *arg)
{
    unsigned left = (unsigned)(uintptr_t)arg;

    while (left)
        left = sleep(left);
    ev_error(AREA_SERVER, "the end takes too long, leaving at once");
    _exit(WATCHDOG_EXIT);
}

void watchdog_start(int seconds)
{
    pthread_t thread;

    must(pthread_create(&thread, NULL, watch, (void *)(uintptr_t)seconds) == 0);
    pthread_detach(thread);
}
