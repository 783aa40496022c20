/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - see sessions.h. One map under one lock; when it is full it is emptied, as its entries live a second. */
#include "identity/sessions.h"
#include "cache/cache.h"
#include "common/map.h"
#include "common/must.h"
#include "push/live.h"
#include <pthread.h>
#include <stdlib.h>

#define ENTRIES_MAX 20000
#define CHANNEL     "sekisho:session-ended"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *known;

static void drop_locked(struct uuid session)
{
    free(map_remove(known, MAP_KEY(session)));
}

static void ended_elsewhere(struct slice message, void *arg)
{
    struct uuid session;
    (void)arg;
    if (!uuid_parse(message, &session))
        return;
    sessions_drop(session);
    live_end_session(session);
}

void sessions_start(void)
{
    known = map_new(256);
    cache_subscribe(CHANNEL, ended_elsewhere, NULL);
}

void sessions_stop(void)
{
    map_free(&known, free);
}

bool sessions_find(struct uuid session, struct session_known *ret)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    const struct session_known *s = map_get(known, MAP_KEY(session));
    if (s && clock_mono_ns() - s->asked_ns < SESSIONS_VALID_NS) {
        *ret = *s;
        found = true;
    } else if (s) {
        drop_locked(session);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void sessions_put(struct uuid session, const struct session_known *s)
{
    struct session_known *copy = must_alloc(sizeof *copy);
    *copy = *s;
    pthread_mutex_lock(&lock);
    if (map_size(known) >= ENTRIES_MAX) {
        map_free(&known, free);
        known = map_new(256);
    }
    free(map_put(known, MAP_KEY(session), copy));
    pthread_mutex_unlock(&lock);
}

void sessions_drop(struct uuid session)
{
    pthread_mutex_lock(&lock);
    drop_locked(session);
    pthread_mutex_unlock(&lock);
}

void sessions_end(struct uuid session)
{
    char text[UUID_TEXT_SIZE];
    sessions_drop(session);
    live_end_session(session);
    cache_publish(CHANNEL, slice_of(uuid_text(session, text)));
}
