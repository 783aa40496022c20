/* SPDX-License-Identifier: Apache-2.0 */
/* edge_probe.c - the edge alone, for its tests: a small route table instead of the generated one, a worker with one
 * thread instead of the pools. Arguments: parameters as name=value, and patience_handshake, _receive, _stall, _idle in
 * ms. */
#include "common/event.h"
#include "common/must.h"
#include "edge/edge.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct params params;
static struct edge *edge;

/* ---- a worker of one thread, which skips calls whose client has gone */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct call *calls[100000];
    size_t first, last;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void submit(struct call *c)
{
    pthread_mutex_lock(&queue.lock);
    must(queue.last < sizeof(queue.calls) / sizeof(queue.calls[0]));
    queue.calls[queue.last++] = c;
    pthread_cond_signal(&queue.wake);
    pthread_mutex_unlock(&queue.lock);
}

static void *work(void *arg)
{
    (void)arg;
    for (;;) {
        struct call *c;
        uint64_t ms = 0;
        struct slice query;

        pthread_mutex_lock(&queue.lock);
        while (queue.first == queue.last)
            pthread_cond_wait(&queue.wake, &queue.lock);
        c = queue.calls[queue.first++];
        if (queue.first == queue.last)
            queue.first = queue.last = 0;
        pthread_mutex_unlock(&queue.lock);
        query = c->query;
        (void)slice_u64(query, &ms);
        if (!atomic_load(&c->cancelled)) {
            usleep((useconds_t)ms * 1000);
            strbuf_add_str(&c->answer.body, "{\"slow\":true}");
            c->answer.content_type = "application/json";
            c->answer.status = 200;
        }
        call_finish(c);
    }
    return NULL;
}

/* ---- handlers */

static enum rc slow(struct call *c)
{
    (void)c;
    return RC_OK;
}

static enum rc echo(struct call *c)
{
    struct json_writer w;

    json_start(&w, &c->answer.body);
    json_object_open(&w);
    json_key(&w, "body_bytes");
    json_int(&w, (int64_t)c->body.n);
    json_key(&w, "path");
    json_str(&w, c->path);
    json_key(&w, "query");
    json_str(&w, c->query);
    json_key(&w, "host");
    json_str(&w, c->headers.host);
    json_key(&w, "cookie");
    json_str(&w, c->headers.cookie.p ? c->headers.cookie : SLICE(""));
    json_key(&w, "japanese");
    json_bool(&w, c->japanese);
    json_object_close(&w);
    c->answer.content_type = "application/json";
    c->answer.status = 200;
    return RC_OK;
}

static enum rc large(struct call *c)
{
    uint64_t n = 1000;

    (void)slice_u64(c->query, &n);
    strbuf_add_str(&c->answer.body, "[\"");
    for (uint64_t i = 0; i < n / 16; i++)
        strbuf_add_str(&c->answer.body, "0123456789abcdef");
    strbuf_add_str(&c->answer.body, "\"]");
    c->answer.content_type = "application/json";
    c->answer.status = 200;
    return RC_OK;
}

static enum rc whoami(struct call *c)
{
    static const char *const verdicts[] = {"none", "present", "garbled"};
    char id[UUID_TEXT_SIZE];
    struct json_writer w;
    struct strbuf hex;

    must(c->peer != NULL);
    json_start(&w, &c->answer.body);
    json_object_open(&w);
    json_key(&w, "verdict");
    json_str(&w, slice_of(verdicts[c->peer->verdict]));
    json_key(&w, "address");
    json_str(&w, slice_of(c->address));
    json_key(&w, "tenant");
    json_str(&w, slice_of(c->peer->tenant));
    json_key(&w, "device");
    json_str(&w, slice_of(uuid_text(c->peer->device, id)));
    json_key(&w, "resumed");
    json_bool(&w, c->peer->resumed);
    json_key(&w, "not_after");
    json_time(&w, c->peer->not_after);
    json_key(&w, "leaf");
    strbuf_init_arena(&hex, c->arena, 64);
    strbuf_add_hex(&hex, c->peer->leaf_hash.b, 32);
    json_str(&w, strbuf_slice(&hex));
    json_object_close(&w);
    c->answer.content_type = "application/json";
    c->answer.status = 200;
    return RC_OK;
}

struct ticker {
    struct stream *stream;
    struct loop *loop;
    struct loop_timer *timer;
    unsigned n;
    bool flood;
    bool idle;
};

static void ticker_closed(void *arg)
{
    struct ticker *t = arg;

    loop_timer_cancel(&t->timer);
    t->stream = NULL;
    free(t);
}

static void tick(void *arg)
{
    struct ticker *t = arg;
    char line[1100];
    int n;

    t->timer = t->idle ? NULL : loop_timer_start(t->loop, t->flood ? 1 : 50, tick, t);
    n = snprintf(line, sizeof(line), t->flood ? "data: %01000u\n\n" : "data: %u\n\n", t->n++);
    stream_write(t->stream, slice_mem(line, (size_t)n));
}

static enum rc ticks(struct call *c)
{
    struct ticker *t = must_alloc(sizeof(*t));

    t->loop = c->home;
    t->flood = slice_eq(c->query, SLICE("flood"));
    t->idle = slice_eq(c->query, SLICE("idle"));
    t->stream = stream_open(c, "text/event-stream", ticker_closed, t);
    if (!t->stream)
        free(t);
    else
        tick(t);
    return RC_OK;
}

static enum rc file(struct call *c)
{
    if (!slice_eq(c->args[0], SLICE("large.bin")))
        return RC_NOT_FOUND;
    return answer_file(c, arena_printf(c->arena, "%s/large.bin", params.modules), "application/octet-stream");
}

#define MIB ((size_t)1024 * 1024)
const struct route routes[] = {
    {LISTENER_CONSOLE, "POST", "/api/v1/echo", "echo", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 4096, NULL,
     false, echo},
    {LISTENER_CONSOLE, "GET", "/api/v1/echo", "echo_get", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL,
     false, echo},
    {LISTENER_CONSOLE, "POST", "/api/v1/big", "big", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 65536, NULL,
     false, echo},
    {LISTENER_CONSOLE, "GET", "/api/v1/slow", "slow", WHERE_BLOCKING, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL,
     false, slow},
    {LISTENER_CONSOLE, "GET", "/api/v1/large", "large", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL,
     false, large},
    {LISTENER_CONSOLE, "GET", "/api/v1/live", "live", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL, true,
     ticks},
    {LISTENER_CONSOLE, "GET", "/api/v1/files/{name}", "file", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL,
     false, file},
    {LISTENER_AGENT, "GET", "/agent/v1/whoami", "whoami", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0, NULL,
     false, whoami},
    {LISTENER_AGENT, "GET", "/agent/v1/slow", "agent_slow", WHERE_BLOCKING, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, 0,
     NULL, false, slow},
    {LISTENER_AGENT, "GET", "/agent/v1/wake", "wake", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_WAKE, 0, NULL, true,
     ticks},
    {LISTENER_AGENT, "POST", "/agent/v1/echo", "agent_echo", WHERE_LOOP, AUTH_NONE, NULL, NULL, 0, QUOTA_NONE, MIB,
     NULL, false, echo},
};
const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

static bool matches(struct slice pattern, struct slice path, struct slice args[ROUTE_ARGS])
{
    size_t open;

    if (!slice_find(pattern, '{', &open))
        return slice_eq(pattern, path);
    if (path.n <= open || memcmp(pattern.p, path.p, open) != 0)
        return false;
    args[0] = (struct slice){path.p + open, path.n - open};
    return true;
}

const struct route *route_find(enum listener l, struct slice method, struct slice path, struct slice args[ROUTE_ARGS],
                               const char **ret_allowed)
{
    for (size_t i = 0; i < routes_count; i++)
        if (routes[i].listener == l && matches(slice_of(routes[i].pattern), path, args)) {
            if (slice_eq(slice_of(routes[i].method), method))
                return &routes[i];
            *ret_allowed = routes[i].method;
        }
    return NULL;
}

/* ---- */

static void dispatch(struct call *c)
{
    enum rc rc;

    if (edge_admit(c) == STAGE_NEXT) {
        if (c->route->where == WHERE_BLOCKING) {
            submit(c);
            return;
        }
        rc = c->route->serve(c);
        if (rc != RC_OK)
            answer_problem(c, rc);
    }
    call_finish(c);
}

static bool ready(char *why, size_t n)
{
    (void)why;
    (void)n;
    return true;
}

static void *watchdog(void *arg)
{
    sleep(*(unsigned *)arg);
    dprintf(STDERR_FILENO, "watchdog: the drain hangs\n");
    _exit(3);
}

static bool option(struct edge_patience *p, const char *arg)
{
    static const struct {
        const char *name;
        size_t at;
    } options[] = {{"patience_handshake=", offsetof(struct edge_patience, handshake)},
                   {"patience_receive=", offsetof(struct edge_patience, receive)},
                   {"patience_stall=", offsetof(struct edge_patience, stall)},
                   {"patience_idle=", offsetof(struct edge_patience, idle)}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (slice_starts(slice_of(arg), slice_of(options[i].name)))
            return slice_int(slice_of(arg + strlen(options[i].name)), 1, 1000000,
                             (int *)(void *)((char *)p + options[i].at));
    return false;
}

int main(int argc, char **argv)
{
    struct edge_config config = {.params = &params, .dispatch = dispatch, .ready = ready};
    char why[512], *overrides[64];
    size_t n = 0;
    sigset_t set;
    pthread_t thread;
    unsigned limit;
    int sig;
    bool quiet;

    for (int i = 1; i < argc && n < 64; i++)
        if (!option(&config.patience, argv[i]))
            overrides[n++] = argv[i];
    if (params_load(&params, NULL, overrides, n, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    must(pthread_create(&thread, NULL, work, NULL) == 0);
    edge = edge_new(&config, why, sizeof(why));
    if (!edge || edge_listen(edge, why, sizeof(why)) != RC_OK) {
        dprintf(STDERR_FILENO, "%s\n", why);
        _exit(2);
    }
    dprintf(STDOUT_FILENO, "ready\n");
    while (sigwait(&set, &sig) == 0 && sig == SIGHUP)
        if (edge_reload(edge, why, sizeof(why)) != RC_OK)
            dprintf(STDERR_FILENO, "%s\n", why);
    limit = (unsigned)params.drain_deadline + 1;
    must(pthread_create(&thread, NULL, watchdog, &limit) == 0);
    quiet = edge_drain(edge, (int)params.drain_deadline * 1000);
    edge_free(&edge);
    return quiet ? 0 : 1; /* by exit: leaks are looked for */
}
