/* SPDX-License-Identifier: Apache-2.0 */
/* links: agent wire common */
/* protect_probe.c - the agent's protection part without its network: `protect_probe NAME=VALUE...` (values of
 * agent.conf). Orders are lines on standard input, what it tells are JSON lines on standard output. The module mirror
 * is the folder in $MIRROR, the module key the hex file in $MODULE_KEY. Orders: scan|clean ID [TARGET...], cancel ID,
 * message ID TEXT, isolate ID [HOST:PORT...], end_isolation ID, update ID, facts, journal on|off, die, quit. */
#include "agent/protect.h"
#include "common/file.h"
#include "common/json.h"
#include "common/must.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct probe {
    const struct agent_config *cfg;
    struct protect *protect;
    bool journal_off;
    int last_fetch; /* status of the fetch under way; 0: none */
    uint64_t request;
    struct uuid seen[256]; /* ids in the "journal" */
    size_t n_seen;
};

static void line_open(struct strbuf *b, struct json_writer *w, const char *what)
{
    strbuf_init(b, 128 * 1024);
    json_start(w, b);
    json_object_open(w);
    json_key(w, "what");
    json_str(w, slice_of(what));
}

static void line_close(struct strbuf *b, struct json_writer *w)
{
    json_object_close(w);
    strbuf_add_char(b, '\n');
    for (size_t at = 0; at < b->n;) {
        ssize_t n = write(STDOUT_FILENO, b->p + at, b->n - at);
        if (n < 0 && errno != EINTR)
            _exit(0);
        at += n > 0 ? (size_t)n : 0;
    }
    strbuf_done(b);
}

static enum rc on_event(void *ctx, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t occurred,
                        bool urgent)
{
    struct probe *p = ctx;
    struct strbuf b;
    struct json_writer w;
    bool again = false;
    for (size_t i = 0; i < p->n_seen; i++)
        again = again || uuid_eq(p->seen[i], id);
    if (!again && !p->journal_off && p->n_seen < 256)
        p->seen[p->n_seen++] = id;
    line_open(&b, &w, p->journal_off ? "refused_event" : again ? "repeated_event" : "event");
    json_key(&w, "id");
    json_uuid(&w, id);
    json_key(&w, "kind");
    json_str(&w, slice_of(wire_event_kind_text(kind)));
    json_key(&w, "occurred");
    json_time(&w, occurred);
    json_key(&w, "urgent");
    json_bool(&w, urgent);
    json_key(&w, "body");
    json_raw(&w, body);
    line_close(&b, &w);
    return p->journal_off ? RC_UNAVAILABLE : RC_OK;
}

static void on_progress(void *ctx, const struct protect_progress *g)
{
    struct strbuf b;
    struct json_writer w;
    (void)ctx;
    line_open(&b, &w, "progress");
    json_key(&w, "id");
    json_uuid(&w, g->execution_id);
    json_key(&w, "state");
    json_str(&w, slice_of(wire_execution_state_text(g->state)));
    json_key(&w, "progress");
    json_int(&w, g->progress);
    json_key(&w, "scanned");
    json_int(&w, g->files_scanned);
    json_key(&w, "total");
    json_int(&w, g->files_total);
    json_key(&w, "found");
    json_int(&w, g->found);
    json_key(&w, "code");
    json_str(&w, slice_of(g->result_code ? g->result_code : ""));
    json_key(&w, "args");
    json_array_open(&w);
    for (size_t i = 0; i < g->n_result_args; i++)
        json_str(&w, slice_of(g->result_args[i]));
    json_array_close(&w);
    line_close(&b, &w);
}

static void tell_facts(struct probe *p, const char *what)
{
    struct arena *a = arena_new(1024 * 1024);
    struct wire_value_protection v;
    struct protect_problem problems[8];
    struct strbuf b;
    struct json_writer w;
    protect_facts(p->protect, a, &v);
    size_t n = protect_problems(p->protect, a, problems, 8);
    line_open(&b, &w, what);
    json_key(&w, "facts");
    wire_value_protection_encode(&w, &v);
    json_key(&w, "problems");
    json_object_open(&w);
    for (size_t i = 0; i < n; i++) {
        json_key(&w, problems[i].code);
        json_str(&w, slice_of(problems[i].n_args ? problems[i].args[0] : ""));
    }
    json_object_close(&w);
    line_close(&b, &w);
    arena_free(&a);
}

static void on_change(void *ctx)
{
    tell_facts(ctx, "change");
}

static void fetch(void *ctx, uint64_t request, const char *name, int fd, uint64_t limit)
{
    struct probe *p = ctx;
    struct arena *a = arena_new(256 * 1024 * 1024);
    struct slice text;
    const char *mirror = getenv("MIRROR");
    p->request = request;
    p->last_fetch = 404;
    if (mirror && file_read(a, arena_printf(a, "%s/%s", mirror, name), limit, &text) == RC_OK) {
        p->last_fetch = 200;
        if (write(fd, text.p, text.n) != (ssize_t)text.n)
            p->last_fetch = 500;
    }
    close(fd);
    arena_free(&a);
}

static void load_key(struct probe *p)
{
    struct arena *a = arena_new(4096);
    struct slice text;
    uint8_t key[32];
    size_t n;
    if (getenv("MODULE_KEY") && file_read(a, getenv("MODULE_KEY"), 200, &text) == RC_OK &&
        slice_unhex(slice_trim(text), key, sizeof(key), &n) && n == 32)
        protect_module_key(p->protect, key);
    arena_free(&a);
}

static void obey(struct probe *p, struct slice line)
{
    struct slice verb = slice_cut(&line, ' ');
    struct wire_task t = {0};
    struct slice words[32];
    size_t n = 0;
    if (slice_eq(verb, SLICE("facts"))) {
        tell_facts(p, "facts");
        return;
    }
    if (slice_eq(verb, SLICE("die")))
        abort();
    if (slice_eq(verb, SLICE("quit")))
        _exit(0);
    if (slice_eq(verb, SLICE("journal"))) {
        p->journal_off = slice_eq(line, SLICE("off"));
        return;
    }
    if (!uuid_parse(slice_cut(&line, ' '), &t.execution_id))
        return;
    if (slice_eq(verb, SLICE("message"))) {
        t.type = WIRE_TASK_TYPE_SHOW_MESSAGE;
        t.title = SLICE("Title");
        t.text = line;
    }
    while (line.n > 0 && n < 32)
        words[n++] = slice_cut(&line, ' ');
    if (slice_eq(verb, SLICE("scan")) || slice_eq(verb, SLICE("clean"))) {
        t.type = WIRE_TASK_TYPE_SCAN;
        t.targets = words;
        t.n_targets = n;
        t.clean = slice_eq(verb, SLICE("clean"));
    } else if (slice_eq(verb, SLICE("isolate"))) {
        t.type = WIRE_TASK_TYPE_ISOLATE;
        t.allow = words;
        t.n_allow = n;
    } else if (slice_eq(verb, SLICE("end_isolation"))) {
        t.type = WIRE_TASK_TYPE_END_ISOLATION;
    } else if (slice_eq(verb, SLICE("update"))) {
        t.type = WIRE_TASK_TYPE_UPDATE_MODULES;
    } else if (slice_eq(verb, SLICE("cancel"))) {
        protect_cancel(p->protect, t.execution_id);
        return;
    }
    protect_task(p->protect, &t);
}

static void read_orders(struct probe *p)
{
    static char b[65536];
    static size_t n;
    ssize_t r = read(STDIN_FILENO, b + n, sizeof(b) - n);
    if (r <= 0)
        _exit(0);
    n += (size_t)r;
    for (char *end; (end = memchr(b, '\n', n));) {
        size_t len = (size_t)(end - b);
        obey(p, slice_mem(b, len));
        memmove(b, end + 1, n - len - 1);
        n -= len + 1;
    }
}

static void network(const struct agent_config *cfg, int helper)
{
    struct probe p = {.cfg = cfg};
    const struct protect_callbacks cb = {on_event, on_change, on_progress, fetch};
    must(protect_start(cfg, helper, &cb, &p, &p.protect) == RC_OK);
    load_key(&p);
    struct strbuf b;
    struct json_writer w;
    line_open(&b, &w, "started");
    json_key(&w, "pid");
    json_int(&w, getpid());
    line_close(&b, &w);
    for (;;) {
        struct pollfd f[] = {{protect_fd(p.protect), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        poll(f, 2, 1000);
        if (f[0].revents && protect_dispatch(p.protect) != RC_OK)
            _exit(1);
        if (f[1].revents)
            read_orders(&p);
        while (p.last_fetch) {
            int status = p.last_fetch;
            p.last_fetch = 0;
            protect_fetched(p.protect, p.request, RC_OK, status);
        }
    }
}

static pid_t spawn(void *ctx, int helper)
{
    pid_t pid = fork();
    if (pid == 0) {
        network(ctx, helper);
        _exit(1);
    }
    return pid;
}

int main(int argc, char **argv)
{
    static struct agent_config cfg;
    char why[300] = "";
    if (config_load(&cfg, NULL, true, argv + 1, (size_t)argc - 1, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "%s\n", why);
        return 64;
    }
    int status = protect_supervise(&cfg, spawn, &cfg);
    config_done(&cfg);
    return status;
}
