/* SPDX-License-Identifier: Apache-2.0 */
/* wake.c - a table of open streams under one lock. stream_write and stream_close only post to the stream's loop, so
 * calling them under the lock cannot wait for anything; on_close takes the entry out, after which nobody writes. */
#include "push/wake.h"
#include "common/counters.h"
#include "common/map.h"
#include "common/must.h"
#include "common/params.h"
#include "push/channel.h"
#include "push/presence.h"
#include "wire/agent.gen.h"
#include <pthread.h>
#include <stdlib.h>

struct wake_stream {
    struct stream *stream;
    struct loop *home;
    struct loop_timer *heartbeat;
    int tenant_no;
    struct uuid device;
    int64_t told; /* newest revision the agent knows of */
    char address[46];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *streams; /* device -> struct wake_stream */
static int heartbeat_ms;
static struct wake_watcher watcher;

static void line_write(struct stream *s, const struct wire_wake_line *line)
{
    char text[128];
    struct arena *a = arena_new(4096);
    struct strbuf out;
    strbuf_init_arena(&out, a, sizeof text);
    struct json_writer w;
    json_start(&w, &out);
    wire_wake_line_encode(&w, line);
    strbuf_add_char(&out, '\n');
    stream_write(s, strbuf_slice(&out));
    arena_free(&a);
}

static void tell(struct wake_stream *w, int64_t revision)
{
    if (revision <= w->told)
        return;
    w->told = revision;
    if (watcher.told)
        watcher.told(w->device, revision);
    line_write(w->stream, &(struct wire_wake_line){.has_wake = true, .wake = revision});
    count(C_wakeups_sent);
}

static int heartbeat_delay(void)
{
    return heartbeat_ms - (int)random_below((uint64_t)heartbeat_ms / 10 + 1); /* spread over the fleet */
}

static void beat(void *arg)
{
    struct wake_stream *w = arg; /* timers and on_close share the home loop: it lives */
    line_write(w->stream, &(struct wire_wake_line){.server_time = clock_now()});
    presence_note(w->tenant_no, w->device, clock_now(), w->address);
    w->heartbeat = loop_timer_start(w->home, heartbeat_delay(), beat, w);
}

static void closed(void *arg)
{
    struct wake_stream *w = arg;
    loop_timer_cancel(&w->heartbeat);
    pthread_mutex_lock(&lock);
    if (map_get(streams, MAP_KEY(w->device)) == w) {
        map_remove(streams, MAP_KEY(w->device));
        if (watcher.closed)
            watcher.closed(w->device);
    }
    pthread_mutex_unlock(&lock);
    count_add(C_streams_wake, -1);
    free(w);
}

enum rc wake_open(struct call *c, int64_t known, int64_t truth)
{
    struct wake_stream *w = must_alloc(sizeof *w);
    w->home = c->home;
    w->tenant_no = principal_tenant_no(c->principal);
    w->device = principal_subject(c->principal);
    w->told = known;
    memcpy(w->address, c->address, sizeof w->address);
    w->stream = stream_open(c, "application/x-ndjson", closed, w);
    if (!w->stream) { /* the client has gone */
        free(w);
        return RC_OK;
    }
    count_add(C_streams_wake, 1);
    w->heartbeat = loop_timer_start(w->home, heartbeat_delay(), beat, w);
    pthread_mutex_lock(&lock);
    struct wake_stream *older = map_put(streams, MAP_KEY(w->device), w);
    if (older)
        stream_close(older->stream);
    else if (watcher.opened)
        watcher.opened(w->device);
    if (watcher.told)
        watcher.told(w->device, known);
    line_write(w->stream, &(struct wire_wake_line){.server_time = clock_now()});
    if (truth >= 0)
        tell(w, truth);
    pthread_mutex_unlock(&lock);
    presence_note(w->tenant_no, w->device, clock_now(), w->address);
    return RC_OK;
}

void wake_local(struct uuid device, int64_t revision)
{
    pthread_mutex_lock(&lock);
    struct wake_stream *w = map_get(streams, MAP_KEY(device));
    if (w)
        tell(w, revision);
    pthread_mutex_unlock(&lock);
}

void wake_device(int tenant_no, struct uuid device, int64_t revision)
{
    (void)tenant_no;
    wake_local(device, revision);
    channel_send_wake(device, revision);
}

static void cut_local(struct uuid device)
{
    pthread_mutex_lock(&lock);
    struct wake_stream *w = map_get(streams, MAP_KEY(device));
    if (w)
        stream_close(w->stream);
    pthread_mutex_unlock(&lock);
}

void wake_cut(int tenant_no, struct uuid device)
{
    (void)tenant_no;
    cut_local(device);
    channel_send_cut(device);
}

bool wake_connected(struct uuid device)
{
    pthread_mutex_lock(&lock);
    bool there = map_get(streams, MAP_KEY(device)) != NULL;
    pthread_mutex_unlock(&lock);
    return there;
}

static int entry_order(const void *a, const void *b)
{
    const struct wake_entry *x = a, *y = b;
    if (x->tenant_no != y->tenant_no)
        return x->tenant_no < y->tenant_no ? -1 : 1;
    return uuid_cmp(x->device, y->device);
}

size_t wake_list(struct wake_entry **ret)
{
    pthread_mutex_lock(&lock);
    struct wake_entry *entries = must_alloc((map_size(streams) + 1) * sizeof *entries);
    size_t n = 0, at = 0;
    void *value;
    while (map_next(streams, &at, NULL, &value)) {
        const struct wake_stream *w = value;
        entries[n++] = (struct wake_entry){w->tenant_no, w->device, w->told};
    }
    pthread_mutex_unlock(&lock);
    qsort(entries, n, sizeof *entries, entry_order);
    *ret = entries;
    return n;
}

void wake_watch(const struct wake_watcher *w)
{
    watcher = *w;
}

void wake_start(const struct params *p)
{
    heartbeat_ms = (int)p->heartbeat * 1000;
    streams = map_new(1024);
    channel_on_wake(wake_local);
    channel_on_cut(cut_local);
}

void wake_stop(void)
{
    must(map_size(streams) == 0); /* the loops have ended their connections by now */
    map_free(&streams, NULL);
}
