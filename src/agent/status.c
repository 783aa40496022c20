/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - the running agent writes <state_dir>/status/status.json; the verb `status` reads it, so that it needs
 * neither rights nor a connection. Nothing secret is in it. */
#include "agent/agent.h"
#include "common/event.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STATUS_MAX (256 * 1024)

/* --- writing */

static const char *phase_text(const struct agent *a)
{
    switch (a->phase) {
    case PHASE_ENROLLING:
        return "enrolling";
    case PHASE_STOPPED:
        return "stopped";
    case PHASE_ONLINE:
        break;
    }
    return a->trouble[0] ? "retrying" : a->checkins ? "connected" : "connecting";
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_str(w, slice_of(text));
}

static void put_time(struct json_writer *w, const char *key, usec_t t)
{
    json_key(w, key);
    json_time(w, t); /* null when it is not known */
}

static void put_int(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

static void put_spool(struct json_writer *w, const struct agent *a)
{
    char epoch[UUID_TEXT_SIZE];
    usec_t lost_at;
    uint64_t lost = journal_lost(a->journal, &lost_at), tail = journal_tail(a->journal),
             head = journal_head(a->journal);
    json_key(w, "journal");
    json_object_open(w);
    put_text(w, "epoch", uuid_text(journal_epoch(a->journal), epoch));
    put_int(w, "waiting", (int64_t)(head + 1 - tail));
    put_int(w, "head", (int64_t)head);
    put_int(w, "bytes", (int64_t)journal_size(a->journal));
    put_int(w, "lost", (int64_t)lost);
    put_time(w, "lost_at", lost_at);
    json_object_close(w);
}

static void put_protection(struct json_writer *w, struct agent *a, struct arena *m)
{
    struct wire_value_protection v = {0};
    protect_facts(a->protect, m, &v);
    json_key(w, "protection");
    wire_value_protection_encode(w, &v);
    struct protect_problem problems[32];
    size_t n = protect_problems(a->protect, m, problems, 32);
    json_key(w, "problems");
    json_array_open(w);
    for (size_t i = 0; i < n; i++)
        json_str(w, slice_of(problems[i].code));
    if (a->skew_known && (a->skew > AGENT_SKEW_MAX || a->skew < -AGENT_SKEW_MAX))
        json_str(w, SLICE("clock_skew"));
    usec_t at;
    if (journal_lost(a->journal, &at))
        json_str(w, SLICE("records_lost"));
    json_array_close(w);
}

void status_write(struct agent *a)
{
    struct arena *m = arena_new(1 << 20);
    struct strbuf b;
    struct json_writer w;
    char id[UUID_TEXT_SIZE];
    strbuf_init_arena(&b, m, STATUS_MAX);
    json_start(&w, &b);
    json_object_open(&w);
    put_text(&w, "state", phase_text(a));
    put_int(&w, "pid", getpid());
    put_text(&w, "version", SEKISHO_VERSION);
    put_time(&w, "written_at", clock_now());
    put_text(&w, "server", arena_printf(m, "%s:%" PRId64, a->cfg->server_host, a->cfg->server_port));
    put_text(&w, "proxy", a->cfg->proxy);
    put_text(&w, "device_id", state_enrolled(&a->state) ? uuid_text(a->state.device_id, id) : "");
    put_text(&w, "tenant", a->state.tenant ? a->state.tenant : "");
    put_time(&w, "certificate_expires_at", a->state.not_after);
    put_time(&w, "contact_at", a->contact_at);
    uint64_t now = ms_now(), next = a->due[WIRE_REASON_SCHEDULED];
    put_time(&w, "next_contact_at", next > now ? clock_now() + (usec_t)(next - now) * 1000 : 0);
    put_int(&w, "interval", a->state.interval);
    json_key(&w, "wake_up");
    json_bool(&w, a->wake && wake_is_open(a->wake));
    put_int(&w, "check_ins", (int64_t)a->checkins);
    put_text(&w, "trouble", a->phase == PHASE_STOPPED && a->state.stopped[0] ? a->state.stopped : a->trouble);
    put_text(&w, "trouble_text", a->trouble_text);
    put_time(&w, "trouble_at", a->trouble[0] ? a->trouble_at : 0);
    put_int(&w, "clock_skew_seconds", a->skew_known ? a->skew / USEC_PER_SEC : 0);
    put_int(&w, "revision", tasks_revision(a->tasks));
    put_spool(&w, a);
    put_protection(&w, a, m);
    json_key(&w, "executions");
    tasks_write(a->tasks, &w);
    json_object_close(&w);
    strbuf_add_char(&b, '\n');
    if (b.over || file_write(config_state(a->cfg, m, "status/status.json"), strbuf_slice(&b), 0644) != RC_OK)
        ev_debug(AREA_AGENT, "status not written");
    arena_free(&m);
}

/* --- reading */

static const char *text_of(const json_t *v, const char *key)
{
    const char *t = json_string_value(json_object_get(v, key));
    return t ? t : "";
}

static int64_t int_of(const json_t *v, const char *key)
{
    return json_integer_value(json_object_get(v, key));
}

static void row(const char *name, const char *text)
{
    if (text[0])
        printf("  %-22s %s\n", name, text);
}

static void print_executions(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *e = json_array_get(list, i);
        printf("  %-22s %s %s %" PRId64 " %% %s\n", i ? "" : "Tasks", text_of(e, "execution_id"), text_of(e, "state"),
               int_of(e, "progress"), text_of(e, "result_code"));
    }
}

static void print_human(const json_t *v, bool alive)
{
    static const struct {
        const char *state, *text;
    } states[] = {{"connected", "connected to the server"},
                  {"connecting", "connecting to the server"},
                  {"retrying", "no contact with the server; it is tried again"},
                  {"enrolling", "not enrolled yet; it is tried"},
                  {"stopped", "contact has ended; protection goes on"}};
    const char *state = text_of(v, "state"), *said = state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(state, states[i].state) == 0)
            said = states[i].text;
    printf("Sekisho agent %s: %s\n", text_of(v, "version"), alive ? said : "not running (this is its last status)");
    row("Server", text_of(v, "server"));
    row("Proxy", text_of(v, "proxy"));
    row("Company", text_of(v, "tenant"));
    row("Device", text_of(v, "device_id"));
    row("Last contact", text_of(v, "contact_at"));
    row("Next contact", text_of(v, "next_contact_at"));
    row("Wake-up", json_is_true(json_object_get(v, "wake_up")) ? "open" : "closed");
    row("Certificate until", text_of(v, "certificate_expires_at"));
    if (text_of(v, "trouble")[0])
        printf("  %-22s %s: %s (since %s)\n", "Trouble", text_of(v, "trouble"), text_of(v, "trouble_text"),
               text_of(v, "trouble_at"));
    const json_t *journal = json_object_get(v, "journal"), *p = json_object_get(v, "protection");
    printf("  %-22s %" PRId64 " records waiting, %" PRId64 " bytes, %" PRId64 " lost\n", "Journal",
           int_of(journal, "waiting"), int_of(journal, "bytes"), int_of(journal, "lost"));
    printf("  %-22s %s, %s %s, signatures %s%s\n", "Protection", text_of(p, "state"), text_of(p, "engine"),
           text_of(p, "version"), text_of(p, "signature_version")[0] ? text_of(p, "signature_version") : "unknown",
           json_is_true(json_object_get(p, "isolated")) ? ", ISOLATED from the network" : "");
    const json_t *problems = json_object_get(v, "problems");
    for (size_t i = 0; i < json_array_size(problems); i++)
        row(i ? "" : "Problems", json_string_value(json_array_get(problems, i)));
    print_executions(json_object_get(v, "executions"));
}

int status_print(const struct agent_config *cfg, bool json)
{
    struct arena *a = arena_new(8 << 20);
    struct slice text;
    struct json_error e;
    const char *path = config_state(cfg, a, "status/status.json");
    enum rc rc = file_read(a, path, STATUS_MAX, &text);
    const json_t *v = rc == RC_OK ? json_parse(a, text, JSON_LIMITS_DEFAULT, &e) : NULL;
    int status = 3; /* as for services: not running */
    if (!v) {
        fprintf(stderr, "sekisho-agent: there is no status in %s (%s); has the agent been started?\n", path,
                rc == RC_OK ? "damaged" : rc_name(rc));
        arena_free(&a);
        return status;
    }
    pid_t pid = (pid_t)int_of(v, "pid");
    bool alive = pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
    if (json)
        printf(SLICE_FMT, SLICE_ARG(text));
    else
        print_human(v, alive);
    if (alive)
        status = strcmp(text_of(v, "state"), "connected") == 0 ? EXIT_SUCCESS : 1;
    arena_free(&a);
    return status;
}
