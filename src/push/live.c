/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - hints mark (tenant, topic) as changed; a timer on each stream's loop writes what has changed since its last
 * turn, so a burst of ten thousand hints costs each console one line a second. Revisions count within this process. */
#include "push/live.h"
#include "common/counters.h"
#include "common/map.h"
#include "common/must.h"
#include "push/channel.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TURN_MS = 250,
    LEAST_GAP_TURNS = 4,
    COMMENT_TURNS = 80
}; /* a topic at most once a second; a comment every 20 s */

struct tenant_topics {
    atomic_uint_fast64_t revision[LIVE_TOPIC_COUNT];
};

struct live_stream {
    struct stream *stream;
    struct loop *home;
    struct loop_timer *timer;
    struct tenant_topics *topics; /* lives until live_stop */
    struct uuid session;
    usec_t expires;
    uint64_t sent[LIVE_TOPIC_COUNT];
    int wait[LIVE_TOPIC_COUNT]; /* turns until the topic may be written again */
    int silent;                 /* turns since anything was written */
    struct live_stream *next, **link;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *tenants; /* tenant number -> struct tenant_topics */
static struct live_stream *all;

static const char *const topic_names[] = {
#define X(name) #name,
    LIVE_TOPICS(X)
#undef X
};

static struct tenant_topics *topics_of(int tenant_no)
{
    struct tenant_topics *t = map_get(tenants, MAP_KEY(tenant_no));
    if (!t) {
        t = must_alloc(sizeof *t);
        map_put(tenants, MAP_KEY(tenant_no), t);
    }
    return t;
}

static void turn(void *arg)
{
    struct live_stream *s = arg;
    s->timer = NULL;
    if (clock_now() >= s->expires) {
        stream_close(s->stream);
        return;
    }
    s->silent++;
    for (int i = 0; i < LIVE_TOPIC_COUNT; i++) {
        uint64_t revision = atomic_load_explicit(&s->topics->revision[i], memory_order_relaxed);
        if (s->wait[i] > 0)
            s->wait[i]--;
        if (revision == s->sent[i] || s->wait[i] > 0)
            continue;
        char line[96];
        int n = snprintf(line, sizeof line, "data: {\"topic\":\"%s\",\"revision\":%" PRIu64 "}\n\n", topic_names[i],
                         revision);
        stream_write(s->stream, slice_mem(line, (size_t)n));
        s->sent[i] = revision;
        s->wait[i] = LEAST_GAP_TURNS;
        s->silent = 0;
    }
    if (s->silent >= COMMENT_TURNS) {
        stream_write(s->stream, SLICE(": open\n\n"));
        s->silent = 0;
    }
    s->timer = loop_timer_start(s->home, TURN_MS, turn, s);
}

static void closed(void *arg)
{
    struct live_stream *s = arg;
    loop_timer_cancel(&s->timer);
    pthread_mutex_lock(&lock);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    pthread_mutex_unlock(&lock);
    count_add(C_streams_live, -1);
    free(s);
}

enum rc live_open(struct call *c)
{
    struct live_stream *s = must_alloc(sizeof *s);
    s->home = c->home;
    s->session = principal_session(c->principal);
    s->expires = principal_expires(c->principal);
    int tenant_no = principal_tenant_no(c->principal);
    s->stream = stream_open(c, "text/event-stream", closed, s);
    if (!s->stream) { /* the client has gone */
        free(s);
        return RC_OK;
    }
    pthread_mutex_lock(&lock); /* closed() runs on this thread: not before we return */
    s->topics = topics_of(tenant_no);
    for (int i = 0; i < LIVE_TOPIC_COUNT; i++)
        s->sent[i] = atomic_load_explicit(&s->topics->revision[i], memory_order_relaxed);
    s->next = all;
    s->link = &all;
    if (all)
        all->link = &s->next;
    all = s;
    pthread_mutex_unlock(&lock);
    count_add(C_streams_live, 1);
    stream_write(s->stream, SLICE(": open\n\n"));
    s->timer = loop_timer_start(s->home, TURN_MS, turn, s);
    return RC_OK;
}

void live_hint_local(int tenant_no, enum live_topic topic)
{
    must((unsigned)topic < LIVE_TOPIC_COUNT);
    pthread_mutex_lock(&lock);
    atomic_fetch_add_explicit(&topics_of(tenant_no)->revision[topic], 1, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
}

void live_hint(int tenant_no, enum live_topic topic)
{
    live_hint_local(tenant_no, topic);
    channel_send_live(tenant_no, (int)topic);
}

static void hint_of_replica(int tenant_no, int topic)
{
    if (topic >= 0 && topic < LIVE_TOPIC_COUNT)
        live_hint_local(tenant_no, (enum live_topic)topic);
}

void live_end_session(struct uuid session)
{
    pthread_mutex_lock(&lock);
    for (struct live_stream *s = all; s; s = s->next) {
        if (uuid_eq(s->session, session))
            stream_close(s->stream);
    }
    pthread_mutex_unlock(&lock);
}

void live_start(void)
{
    tenants = map_new(64);
    channel_on_live(hint_of_replica);
}

void live_stop(void)
{
    must(all == NULL); /* the loops have ended their connections by now */
    map_free(&tenants, free);
}
