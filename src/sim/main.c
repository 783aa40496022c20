/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sekisho-sim: the command line. Exit codes: 0 done, 1 failed or refused, 2 used wrongly, 3 events are left
 * that the server has not acknowledged. */
#include "common/file.h"
#include "sim/bench.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define TOKENS_SIZE (1024 * 1024)

enum kind { TEXT, NUMBER, REAL, FLAG, LANGUAGE, SEED };

static struct sim_options options = {.server = "127.0.0.1:2222",
                                     .devices = 10,
                                     .seed = 1,
                                     .detections = 0.05,
                                     .changes = 1,
                                     .drain = 10,
                                     .concurrency = 16,
                                     .parallel = 64,
                                     .streams = 1,
                                     .batch = 10};
static const char *token, *token_file;

static const struct option {
    const char *name, *argument;
    enum kind kind;
    void *value;
    int min, max;
    const char *help;
} all[] = {
    {"--server", "HOST:PORT", TEXT, &options.server, 0, 0, "the agents' port (127.0.0.1:2222)"},
    {"--ca", "FILE", TEXT, &options.ca_file, 0, 0, "PEM of the authority that the server's certificate must come from"},
    {"--token", "SECRET", TEXT, &token, 0, 0, "enrolment token for devices that are new"},
    {"--token-file", "FILE", TEXT, &token_file, 0, 0,
     "the same, out of a file; of several lines the devices take one after the other"},
    {"--state", "FILE", TEXT, &options.state_file, 0, 0,
     "keys and journals of the fleet; the next run goes on with them"},
    {"--devices", "N", NUMBER, &options.devices, 1, 200000, "size of the fleet (10)"},
    {"--seed", "N", SEED, &options.seed, 0, 0, "the fleet's seed; one in the state file wins (1)"},
    {"--language", "en|ja|mix", LANGUAGE, &options.language, 0, 0, "of names of computers and people (en)"},
    {"--interval", "S", NUMBER, &options.interval, 1, 604800, "wish for the time between check-ins"},
    {"--rate-detections", "R", REAL, &options.detections, 0, 3600000, "findings per device and hour (0.05)"},
    {"--history", "N", REAL, &options.history, 0, 1000,
     "findings per new device that happened in the last two weeks (0)"},
    {"--rate-changes", "R", REAL, &options.changes, 0, 3600000, "changed facts per device and hour (1)"},
    {"--duration", "S", NUMBER, &options.duration, 1, 31536000, "end after so many seconds; else at SIGINT or SIGTERM"},
    {"--drain", "S", NUMBER, &options.drain, 0, 3600, "at the end wait so long for acknowledgements (10)"},
    {"--ramp", "S", NUMBER, &options.ramp, 0, 86400, "let the fleet connect over so many seconds"},
    {"--concurrency", "N", NUMBER, &options.concurrency, 1, 1000, "handshakes and enrolments at once (16)"},
    {"--local-addresses", "LIST", TEXT, &options.local_addresses, 0, 0,
     "connect from these, e.g. 127.0.0.2-20, when ports run out"},
    {"--report", "S", REAL, &options.report, 0, 86400, "print rates and latencies each S seconds"},
    {"--json", NULL, FLAG, &options.json, 0, 0, "print reports as JSON, one object per line"},
    {"--quiet", NULL, FLAG, &options.quiet, 0, 0, "print no reports for people"},
    {"--numbered", NULL, FLAG, &options.numbered, 0, 0,
     "findings carry /numbered/<device>/<1, 2, 3...> as their object, to be checked"},
    {"--record", "FILE", TEXT, &options.record_file, 0, 0,
     "append a line per acknowledged event: device, epoch, number, id, kind"},
    {"--no-wake", NULL, FLAG, &options.no_wake, 0, 0, "open no wake-up streams"},
    {"--tell-tasks", NULL, FLAG, &options.tell_tasks, 0, 0,
     "print a JSON line for each task that a device gets, with the monotonic time"},
    {"--packages", "N", NUMBER, &options.packages, 1, CATALOGUE_PACKAGES, "installed on each device (120 to 400)"},
    {"--operations", "N", NUMBER, &options.operations, 1, 100000000, "bench: end after so many"},
    {"--parallel", "N", NUMBER, &options.parallel, 1, 100000, "bench: operations under way at once (64)"},
    {"--batch", "N", NUMBER, &options.batch, 1, 100, "bench detections: findings per check-in (10)"},
    {"--changed", "N", NUMBER, &options.changed, 0, 20, "bench inventory: changed packages; 0 sends all rows (0)"},
    {"--streams", "N", NUMBER, &options.streams, 1, 64, "bench checkin: at once on one connection (1)"},
    {"--rate", "N", NUMBER, &options.rate, 1, 1000000,
     "bench: begin so many operations a second; latency counts from when each was due"},
    {"--resume", NULL, FLAG, &options.resume, 0, 0, "bench connect, visit, waves: resume TLS sessions"},
    {"--gate", NULL, FLAG, &options.gate, 0, 0, "bench: say when ready, then run once for each line of standard input"},
};

static void usage(FILE *f)
{
    fprintf(f, "sekisho-sim " SEKISHO_VERSION ": simulated devices over the real protocol\n\n"
               "  sekisho-sim run OPTIONS\n  sekisho-sim enrol OPTIONS\n  sekisho-sim bench "
               "checkin|connect|visit|inventory|detections|idle|waves OPTIONS\n\n");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        fprintf(f, "  %-18s %-10s %s\n", all[i].name, all[i].argument ? all[i].argument : "", all[i].help);
}

static bool set(const struct option *o, const char *text)
{
    struct slice s = slice_of(text);
    static const char *const languages[] = {"en", "ja", "mix"};
    switch (o->kind) {
    case TEXT:
        *(const char **)o->value = text;
        return text[0] != '\0';
    case NUMBER:
        return slice_int(s, o->min, o->max, (int *)o->value);
    case REAL:
        return slice_double(s, (double *)o->value) && *(double *)o->value >= o->min && *(double *)o->value <= o->max;
    case SEED:
        return slice_u64(s, (uint64_t *)o->value);
    case LANGUAGE:
        for (int i = 0; i < 3; i++)
            if (strcmp(text, languages[i]) == 0) {
                *(enum fleet_language *)o->value = (enum fleet_language)i;
                return true;
            }
        return false;
    case FLAG:
        break;
    }
    return false;
}

static int complain(const char *fmt, const char *a, const char *b)
{
    char text[700];
    snprintf(text, sizeof(text), fmt, a, b);
    fprintf(stderr, "sekisho-sim: %s\n", text);
    return 2;
}

static int read_options(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const struct option *o = NULL;
        const char *equals = strchr(argv[i], '=');
        size_t n = equals ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
            if (strlen(all[k].name) == n && memcmp(all[k].name, argv[i], n) == 0)
                o = &all[k];
        if (!o)
            return complain("%s is not an option here; sekisho-sim --help shows all%s", argv[i], "");
        if (o->kind == FLAG) {
            *(bool *)o->value = true;
            continue;
        }
        const char *text = equals ? equals + 1 : i + 1 < argc ? argv[++i] : "";
        if (!set(o, text))
            return complain("%s needs a value like %s", o->name, o->argument);
    }
    if (!options.ca_file)
        return complain("--ca is missing%s%s", "", "");
    if (token && token_file)
        return complain("--token and --token-file exclude each other%s%s", "", "");
    return 0;
}

static int read_tokens(struct arena *a)
{
    struct slice text = slice_of(token);
    if (token_file && file_read(a, token_file, TOKENS_SIZE, &text) != RC_OK)
        return complain("the token file %s cannot be read%s", token_file, "");
    const char **tokens = ARENA_ARRAY(a, const char *, text.n / 2 + 1);
    while (text.n) {
        struct slice line = slice_trim(slice_cut(&text, '\n'));
        if (line.n)
            tokens[options.n_tokens++] = arena_cstr(a, line);
    }
    options.tokens = tokens;
    return 0;
}

static void on_signal(int sig)
{
    (void)sig;
    sim_stop++;
}

static int exit_code(struct sim *s, enum rc rc)
{
    if (rc == RC_OK)
        return 0;
    if (s->why[0])
        fprintf(stderr, "sekisho-sim: %s\n", s->why);
    return rc == RC_UNAVAILABLE ? 3 : 1;
}

static int work(const char *verb, const char *bench)
{
    char why[512];
    struct sim *s;
    if (sim_new(&options, &s, why, sizeof(why)) != RC_OK) {
        (void)complain("%s%s", why, "");
        return 1;
    }
    enum rc rc = sim_enrol(s);
    if (rc == RC_OK && bench)
        rc = bench_run(s, bench);
    else if (rc == RC_OK && strcmp(verb, "run") == 0)
        rc = sim_run(s);
    else if (rc == RC_OK)
        sim_report(s, true);
    int code = exit_code(s, rc);
    sim_free(&s);
    return code;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "", *bench = NULL;
    struct sigaction sa = {.sa_handler = on_signal};
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        usage(stdout);
        return 0;
    }
    bool known = strcmp(verb, "run") == 0 || strcmp(verb, "enrol") == 0;
    for (size_t i = 0; strcmp(verb, "bench") == 0 && argc > 2 && bench_names[i]; i++)
        if (strcmp(bench_names[i], argv[2]) == 0)
            bench = argv[2];
    if (!known && !bench) {
        usage(stderr);
        return 2;
    }
    int skip = bench ? 3 : 2, code = read_options(argc - skip, argv + skip);
    struct arena *a = arena_new(16 * (size_t)TOKENS_SIZE);
    if (code == 0)
        code = read_tokens(a);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 1); /* one thread */
    if (code == 0)
        code = work(verb, bench);
    arena_free(&a);
    return code;
}
