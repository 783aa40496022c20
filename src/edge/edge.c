/* SPDX-License-Identifier: Apache-2.0 */
/* edge.c - start, reload, drain and end of the whole edge. The main thread's side; what belongs to a loop is done on
 * its thread by loops_visit. */
#include "edge/edge.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge_private.h"
#include "edge/listener.h"
#include <stdlib.h>
#include <sys/resource.h>

#define HANDSHAKE_MS 10000
#define RECEIVE_MS   60000
#define STALL_MS     30000
#define IDLE_MS      90000
#define AGENT_IDLE   10  /* times the console's */
#define SPARE_FDS    256 /* database, Redis, files, logs */
#define CUT_MS       500 /* for cut connections to be noticed */

static void set_defaults(struct edge_patience *p)
{
    p->handshake = p->handshake ? p->handshake : HANDSHAKE_MS;
    p->receive = p->receive ? p->receive : RECEIVE_MS;
    p->stall = p->stall ? p->stall : STALL_MS;
    p->idle = p->idle ? p->idle : IDLE_MS;
}

/* The library's own limit is one for all of a port: the largest of its routes. */
static size_t largest_body(enum listener listener)
{
    size_t n = 0;

    for (size_t i = 0; i < routes_count; i++)
        if (routes[i].listener == listener && routes[i].body_limit > n)
            n = routes[i].body_limit;
    return n + BODY_SLACK;
}

static void configure(struct edge *e, enum listener listener)
{
    const struct edge_patience *p = &e->config.patience;
    h2o_globalconf_t *g = &e->global[listener];
    int drain_ms = (int)e->config.params->drain_deadline * 1000;
    h2o_hostconf_t *host;

    e->body_hard_limit[listener] = largest_body(listener);
    h2o_config_init(g);
    g->server_name = h2o_iovec_init("", 0);
    g->max_request_entity_size = e->body_hard_limit[listener];
    g->handshake_timeout = (uint64_t)p->handshake;
    g->http1.req_timeout = (uint64_t)(p->receive < p->idle ? p->receive : p->idle);
    g->http1.upgrade_to_http2 = 0;
    g->http2.idle_timeout = (uint64_t)p->idle * (listener == LISTENER_AGENT ? AGENT_IDLE : 1);
    g->http2.graceful_shutdown_timeout = (uint64_t)(drain_ms > 2000 ? drain_ms - 1500 : 500);
    g->http2.max_concurrent_requests_per_connection = 1000; /* none waits inside the library: the cap is ours */
    host = h2o_config_register_host(g, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(&host->fallback_path, sizeof(h2o_handler_t))->on_req = request_take;
}

static void tick(void *arg)
{
    struct edge_loop *el = arg;

    el->ticks++;
    request_check_deadlines(el);
    conn_sweep(el);
    meter_tick(el);
    if (el->drain_end_ns)
        stream_drain(el, clock_mono_ns());
    el->tick = loop_timer_start(el->loop, EDGE_TICK_MS, tick, el);
}

static void start_loop(struct loop *l, void *arg)
{
    struct edge *e = arg;
    struct edge_loop *el = &e->loops[loop_index(l)];

    el->edge = e;
    el->loop = l;
    for (int i = 0; i < SITES; i++) {
        struct site *s = &el->sites[i];

        s->el = el;
        s->listener = (enum listener)i;
        h2o_context_init(&s->context, loop_library(l), &e->global[i]);
        s->accept = (h2o_accept_ctx_t){.ctx = &s->context,
                                       .hosts = e->global[i].hosts,
                                       .ssl_ctx = i == LISTENER_OPS ? NULL : tls_context(e->tls, (enum listener)i)};
    }
    tick(el);
}

static unsigned connection_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return 512;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    (void)getrlimit(RLIMIT_NOFILE, &r);
    if (r.rlim_cur > 1000000)
        return 1000000;
    return r.rlim_cur > 2 * SPARE_FDS ? (unsigned)r.rlim_cur - SPARE_FDS : SPARE_FDS;
}

struct opening {
    struct edge *edge;
    enum listener listener;
    int fds[16];
};

static void start_listening(struct loop *l, void *arg)
{
    struct opening *o = arg;

    listener_start(&o->edge->loops[loop_index(l)].sites[o->listener], o->fds[loop_index(l)]);
}

static enum rc open_port(struct edge *e, enum listener listener, const char *address, char *why, size_t why_size)
{
    struct opening o = {.edge = e, .listener = listener};
    enum rc rc = listener_open(address, e->n_loops, o.fds, why, why_size);

    if (rc == RC_OK)
        loops_visit(start_listening, &o);
    return rc;
}

static bool read_balancers(struct edge *e, char *why, size_t why_size)
{
    struct slice bad;
    enum rc rc =
        network_list_parse(slice_of(e->config.params->proxy_from), e->balancers, BALANCERS_MAX, &e->n_balancers, &bad);

    if (rc == RC_OVER_QUOTA)
        snprintf(why, why_size, "proxy_from has more than %d networks", BALANCERS_MAX);
    else if (rc != RC_OK)
        snprintf(why, why_size, "proxy_from: \"%.*s\" is not a network like 10.0.0.0/8", (int)bad.n, bad.p);
    return rc == RC_OK;
}

struct edge *edge_new(const struct edge_config *config, char *ret_why, size_t why_size)
{
    struct edge *e = must_alloc(sizeof(*e));

    e->config = *config;
    set_defaults(&e->config.patience);
    e->n_loops = (int)config->params->loops;
    e->loops = must_alloc(sizeof(struct edge_loop) * (size_t)e->n_loops);
    e->max_conns = connection_limit();
    e->tls = read_balancers(e, ret_why, why_size) ? tls_new(config->params, ret_why, why_size) : NULL;
    if (e->tls && config->params->web_root[0])
        e->files = files_load(config->params->web_root, ret_why, why_size);
    if (!e->tls || (config->params->web_root[0] && !e->files)) {
        tls_free(&e->tls);
        free(e->loops);
        free(e);
        return NULL;
    }
    sink_install();
    e->helper = helper_new();
    for (int i = 0; i < SITES; i++)
        configure(e, (enum listener)i);
    loops_start(e->n_loops);
    loops_visit(start_loop, e);
    if (open_port(e, LISTENER_OPS, config->params->ops_listen, ret_why, why_size) != RC_OK)
        edge_free(&e);
    return e;
}

enum rc edge_listen(struct edge *e, char *ret_why, size_t why_size)
{
    enum rc rc = open_port(e, LISTENER_CONSOLE, e->config.params->console_listen, ret_why, why_size);

    return rc == RC_OK ? open_port(e, LISTENER_AGENT, e->config.params->agent_listen, ret_why, why_size) : rc;
}

static void swap_contexts(struct loop *l, void *arg)
{
    struct edge *e = arg;

    for (int i = 0; i < LISTENER_OPS; i++) {
        struct site *s = &e->loops[loop_index(l)].sites[i];

        SSL_CTX_free(s->accept.ssl_ctx);
        s->accept.ssl_ctx = tls_context(e->tls, (enum listener)i);
    }
}

enum rc edge_reload(struct edge *e, char *ret_why, size_t why_size)
{
    enum rc rc = tls_load(e->tls, e->config.params, ret_why, why_size);

    if (rc == RC_OK)
        loops_visit(swap_contexts, e);
    return rc;
}

/* ---- the end */

struct drain {
    struct edge *edge;
    uint64_t streams_end_ns;
};

static void begin_drain(struct loop *l, void *arg)
{
    const struct drain *d = arg;
    struct edge_loop *el = &d->edge->loops[loop_index(l)];

    el->drain_end_ns = d->streams_end_ns;
    for (int i = 0; i < LISTENER_OPS; i++) {
        listener_close(&el->sites[i]);
        h2o_context_request_shutdown(&el->sites[i].context);
    }
}

static void cut_all(struct loop *l, void *arg)
{
    struct edge *e = arg;
    struct edge_loop *el = &e->loops[loop_index(l)];

    listener_close(&el->sites[LISTENER_OPS]);
    for (struct conn *c = el->conns; c; c = c->next)
        conn_cut(c, "end of the drain");
}

unsigned edge_connections(const struct edge *e)
{
    return atomic_load(&e->n_conns);
}

static bool wait_for_none(struct edge *e, int ms)
{
    struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};

    for (uint64_t end = clock_mono_ns() + (uint64_t)ms * 1000000; clock_mono_ns() < end; nanosleep(&nap, NULL))
        if (edge_connections(e) == 0)
            return true;
    return edge_connections(e) == 0;
}

bool edge_drain(struct edge *e, int ms)
{
    /* Streams have ended after six tenths of the time, so that their clients can finish what they do beside. */
    struct drain d = {.edge = e, .streams_end_ns = clock_mono_ns() + (uint64_t)ms * 600000};
    bool quiet;

    atomic_store(&e->draining, true);
    loops_visit(begin_drain, &d);
    quiet = wait_for_none(e, ms);
    loops_visit(cut_all, e);
    (void)wait_for_none(e, CUT_MS);
    return quiet;
}

bool edge_draining(const struct edge *e)
{
    return atomic_load(&e->draining);
}

static void end_loop(struct loop *l, void *arg)
{
    struct edge *e = arg;
    struct edge_loop *el = &e->loops[loop_index(l)];

    loop_timer_cancel(&el->tick);
    for (int i = 0; i < SITES; i++) {
        struct site *s = &el->sites[i];

        listener_close(s);
        SSL_CTX_free(s->accept.ssl_ctx);
        h2o_timeout_unlink(&s->context.http2._graceful_shutdown_timeout);
        if (el->n_conns == 0) /* else its time-outs are in use, and the process ends anyway */
            h2o_context_dispose(&s->context);
    }
}

void edge_free(struct edge **edge)
{
    struct edge *e = *edge;

    if (!e)
        return;
    loops_visit(end_loop, e);
    helper_free(&e->helper); /* what it has read goes to the loops once more */
    loops_stop();
    if (edge_connections(e) == 0)
        for (int i = 0; i < SITES; i++)
            h2o_config_dispose(&e->global[i]);
    tls_free(&e->tls);
    files_free(&e->files);
    free(e->loops);
    free(e);
    *edge = NULL;
}
