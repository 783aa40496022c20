/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sekishod: boot order and its mirror. The main thread starts everything, then waits for signals: SIGHUP
 * reloads, SIGTERM and SIGINT drain. The ops port answers from the first moment: /healthz while the process lives,
 * /readyz once PostgreSQL and Redis have been reached and the ports are open. */
#include "cache/cache.h"
#include "common/counters.h"
#include "common/event.h"
#include "common/must.h"
#include "edge/edge.h"
#include "handler/agent.h"
#include "identity/identity.h"
#include "push/channel.h"
#include "push/live.h"
#include "push/presence.h"
#include "push/wake.h"
#include "quota/lease.h"
#include "quota/quota.h"
#include "server/pipeline.h"
#include "server/server.h"
#include "store/batch.h"
#include "tenant/tenant.h"
#include "worker/background.h"
#include "worker/pool.h"
#include "worker/provisioner.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_USAGE    2
#define AFTER_DRAIN_S 4 /* for workers to finish what they have */
#define WAIT_NOTE_S   5

static atomic_bool listening; /* for /readyz, which is answered on loop threads */

static bool ready(char *why, size_t n)
{
    if (!tenant_ready() || counter_read(C_database_up) == 0)
        snprintf(why, n, "waiting for PostgreSQL");
    else if (!identity_ready())
        snprintf(why, n, "waiting for the signing keys");
    else if (!atomic_load(&listening))
        snprintf(why, n, cache_up() ? "starting" : "waiting for Redis");
    else
        return true; /* without Redis, agents and people who are signed in go on */
    return false;
}

/* ---- start and its mirror */

static void start_before_threads(struct server *s)
{
    channel_start(s->params.replica);
    presence_start();
    identity_start(&s->params, s->keyring);
    trace_start();
}

static void start_on_loops(struct server *s)
{
    quota_start(&s->params);
    wake_watch(&(struct wake_watcher){lease_open, lease_told, lease_close});
    wake_start(&s->params);
    live_start();
    cache_start(&s->params); /* subscriptions have been made */
    s->batches = batch_pool_new(&s->params);
    worker_start(&s->params);
    agent_handlers_start(&s->params, s->batches);
    tenant_start(&s->params);
    background_start(&s->params);
    provisioner_start(&s->params);
}

/* Workers first: what they finish still goes home by the loops. */
static void stop_on_loops(struct server *s)
{
    provisioner_stop();
    background_stop();
    worker_stop();
    batch_pool_free(&s->batches);
    tenant_stop();
    live_stop();
    wake_stop();
    quota_stop();
    cache_stop();
}

static void stop_after_threads(struct server *s)
{
    identity_stop();
    presence_stop();
    channel_stop();
    keyring_free(&s->keyring);
}

/* ---- signals */

static void block_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL); /* inherited by all threads: only the main thread takes them */
}

/* Waits until PostgreSQL and Redis have been reached; false: told to end. */
static bool wait_for_components(struct server *s, const sigset_t *set)
{
    struct timespec nap = {.tv_nsec = 100 * 1000 * 1000};
    uint64_t noted = clock_mono_ns() - (WAIT_NOTE_S - 1) * UINT64_C(1000000000);

    while (!tenant_ready() || !identity_ready() || !cache_up()) {
        int sig = sigtimedwait(set, NULL, &nap);

        if (sig == SIGTERM || sig == SIGINT)
            return false;
        if (sig == SIGHUP)
            server_reload(s);
        if (clock_mono_ns() - noted < WAIT_NOTE_S * UINT64_C(1000000000))
            continue;
        noted = clock_mono_ns();
        ev_warn(AREA_SERVER, "waiting",
                EV_STR("for", !tenant_ready()     ? "PostgreSQL"
                              : !identity_ready() ? "signing keys in PostgreSQL"
                                                  : "Redis"));
    }
    return true;
}

static void serve_until_told(struct server *s, const sigset_t *set)
{
    int sig;

    for (;;) {
        if (sigwait(set, &sig) != 0)
            continue;
        if (sig != SIGHUP)
            return;
        server_reload(s);
    }
}

static int run(struct server *s)
{
    struct edge_config config = {.params = &s->params, .dispatch = pipeline_begin, .ready = ready, .ops = ops_answer};
    char why[512];
    sigset_t set;
    int status = EXIT_SUCCESS;
    bool quiet = true;

    block_signals(&set);
    start_before_threads(s);
    s->edge = edge_new(&config, why, sizeof(why));
    if (!s->edge) {
        ev_error(AREA_SERVER, "cannot start", EV_STR("why", why));
        stop_after_threads(s);
        return EXIT_FAILURE;
    }
    start_on_loops(s);
    if (wait_for_components(s, &set)) {
        if (edge_listen(s->edge, why, sizeof(why)) == RC_OK) {
            atomic_store(&listening, true);
            ops_start();
            ev_info(AREA_SERVER, "ready", EV_STR("console", s->params.console_listen),
                    EV_STR("agents", s->params.agent_listen), EV_STR("replica", s->params.replica));
            serve_until_told(s, &set);
        } else {
            ev_error(AREA_SERVER, "cannot start", EV_STR("why", why));
            status = EXIT_FAILURE;
        }
    }
    ev_info(AREA_SERVER, "draining", EV_INT("seconds", s->params.drain_deadline));
    watchdog_start((int)s->params.drain_deadline + AFTER_DRAIN_S);
    quiet = edge_drain(s->edge, (int)s->params.drain_deadline * 1000);
    if (edge_connections(s->edge) > 0) { /* a loop hangs, or the kernel does: nothing of it may be taken apart */
        provisioner_stop();
        background_stop();
        worker_stop();
        batch_pool_free(&s->batches);
        ev_error(AREA_SERVER, "connections do not end, leaving at once");
        _exit(WATCHDOG_EXIT);
    }
    stop_on_loops(s);
    edge_free(&s->edge);
    stop_after_threads(s);
    ev_info(AREA_SERVER, "ended", EV_STR("drain", quiet ? "complete" : "cut"));
    return status;
}

/* ---- arguments */

static int usage(FILE *f, int status)
{
    fputs("usage: sekishod [--config FILE] [NAME=VALUE ...]\n"
          "       sekishod --check | --print | --help | --help-markdown | --metrics-help | --metrics-markdown | "
          "--version\n\n",
          f);
    params_print_help(f);
    return status;
}

static bool load(struct server *s, int argc, char **argv, int first)
{
    char why[512];

    s->overrides = argv + first;
    s->n_overrides = (size_t)(argc - first);
    if (params_load(&s->params, s->config_file, s->overrides, s->n_overrides, why, sizeof(why)) == RC_OK)
        return true;
    fprintf(stderr, "sekishod: %s\n", why);
    return false;
}

static bool open_keyring(struct server *s)
{
    enum rc rc = keyring_load(s->params.keyring, &s->keyring);

    if (rc == RC_OK)
        return true;
    fprintf(stderr, "sekishod: cannot use the keyring %s: %s\n", s->params.keyring,
            rc == RC_DENIED ? "it must be readable for its owner alone (mode 0600)" : rc_name(rc));
    return false;
}

int main(int argc, char **argv)
{
    static struct server server;
    const char *verb = NULL;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) && i + 1 < argc)
            server.config_file = argv[++i];
        else if (!verb)
            verb = argv[i];
        else
            return usage(stderr, EXIT_USAGE);
    }
    if (verb && strcmp(verb, "--help") == 0)
        return usage(stdout, EXIT_SUCCESS);
    if (verb && strcmp(verb, "--version") == 0)
        return printf("sekishod %s\n", SEKISHO_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (verb && strcmp(verb, "--help-markdown") == 0) {
        params_print_markdown(stdout);
        return EXIT_SUCCESS;
    }
    if (verb && strcmp(verb, "--metrics-help") == 0) {
        counters_print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (verb && strcmp(verb, "--metrics-markdown") == 0) {
        counters_print_markdown(stdout);
        return EXIT_SUCCESS;
    }
    if (verb && strcmp(verb, "--check") != 0 && strcmp(verb, "--print") != 0)
        return usage(stderr, EXIT_USAGE);
    if (!load(&server, argc, argv, i))
        return EXIT_USAGE;
    if (verb && strcmp(verb, "--print") == 0) {
        params_print(stdout, &server.params);
        return EXIT_SUCCESS;
    }
    if (!open_keyring(&server))
        return EXIT_USAGE;
    if (verb) {
        keyring_free(&server.keyring);
        return EXIT_SUCCESS;
    }
    event_setup(server.params.log_debug ? EVENT_DEBUG : EVENT_INFO,
                server.params.log_file[0] ? server.params.log_file : NULL);
    return run(&server);
}
