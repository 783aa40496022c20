/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sekishoctl, the operator's command. It talks to PostgreSQL as the owner, not to a server, so that it works
 * when no server runs. Every verb is idempotent or says why it is not; exit codes are in ctl.h. */
#include "common/event.h"
#include "common/must.h"
#include "ctl/ctl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_CEILING  ((size_t)256 * 1024 * 1024)
#define OUTPUT_CEILING ((size_t)64 * 1024 * 1024)
#define DEFAULT_CONFIG "/etc/sekisho/sekisho.conf"

static const struct verb {
    const char *noun, *verb; /* verb NULL: the noun is all */
    const char *arguments, *help;
    int (*run)(struct ctl *c);
} verbs[] = {
    {"bootstrap", NULL, "[--admin CONNINFO]",
     "Make roles, database, control schema and platform keys; run again after raising slices", verb_bootstrap},
    {"tenant", "create",
     "ID --name NAME --plan PLAN --seats N [--time-zone ZONE] [--language ja|en] [--host HOST]... [--account NAME] "
     "[--dry-run]",
     "Make a tenant; prints its administrator's first password and an enrolment token once", verb_tenant_create},
    {"tenant", "list", "", "All tenants", verb_tenant_list},
    {"tenant", "show", "ID", "One tenant", verb_tenant_show},
    {"tenant", "suspend", "ID --reason TEXT",
     "Refuse sign-ins with the reason; devices stay protected, nothing is lost", verb_tenant_suspend},
    {"tenant", "resume", "ID", "End a suspension", verb_tenant_resume},
    {"tenant", "erase", "ID --confirm ID", "Destroy a tenant's data, role and key for good", verb_tenant_erase},
    {"plan", "list", "", "All plans and how many tenants have each", verb_plan_list},
    {"apply", NULL, "-f FILE|FOLDER... [--dry-run]", "Make plans and tenants as files say", verb_apply},
    {"migrate", "status", "", "Versions of control and tenants", verb_migrate_status},
    {"migrate", "run", "[--connections 1-4]", "Bring control and all tenants to the newest version", verb_migrate_run},
    {"pool", "fill", "[--to N]", "Prepare schemas for future tenants (default: parameter schema_pool)", verb_pool_fill},
    {"token", "create", "--tenant ID --name NAME [--group GROUP] [--days N] [--uses N]",
     "Make an enrolment token; prints it once", verb_token_create},
    {"password", "reset", "--tenant ID --account NAME", "Give an account a new first password and end its sessions",
     verb_password_reset},
    {"key", "init", "", "Make the keyring file", verb_key_init},
    {"key", "rotate", "", "Append a new key to the keyring; servers load it at SIGHUP", verb_key_rotate},
    {"key", "reseal", "[--dry-run]", "Seal stored secrets with the newest key, after all servers have loaded it",
     verb_key_reseal},
    {"certificate", "root", "", "Print the platform's root certificate (PEM)", verb_certificate_root},
    {"certificate", "server", "--name HOST|IP... --cert FILE --key FILE [--days N]",
     "Issue a server certificate from the platform's root", verb_certificate_server},
    {"module", "sign", "FOLDER --name NAME --version N", "Write manifest.json and manifest.sig of a module mirror",
     verb_module_sign},
    {"audit", "verify", "ID [--head SEQUENCE:HASH]",
     "Check the chain of a tenant's audit, and that it still contains a head that was kept", verb_audit_verify},
    {"audit", "list", "ID [--since TIME] [--rows N]", "A tenant's audit, newest first (default: 100 rows)",
     verb_audit_list},
    {"top", NULL, "[--server HOST:PORT]... [--by cpu|db|bytes|requests] [--rows N] [--interval SECONDS] [--once]",
     "Tenants by CPU time, database time, bytes and requests now, from the servers' ops ports", verb_top},
    {"trace", "on", "AREA [--tenant ID] [--for 10m]",
     "Debug lines of an area in all running servers; ends by itself after the time", verb_trace_on},
    {"trace", "off", "AREA|all [--tenant ID]", "No debug lines of the area any more", verb_trace_off},
    {"trace", "list", "", "What is traced, and until when", verb_trace_list},
    {"doctor", NULL, "[--replicas N]", "Check roles, connections, versions, keys and Redis", verb_doctor},
};

static void usage(FILE *f)
{
    fprintf(f, "Usage: sekishoctl [--config FILE] [--set NAME=VALUE]... [--json] NOUN [VERB] [ARGUMENTS]\n\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        fprintf(f, "  %s%s%s %s\n        %s.\n", verbs[i].noun, verbs[i].verb ? " " : "",
                verbs[i].verb ? verbs[i].verb : "", verbs[i].arguments, verbs[i].help);
    }
    fprintf(f, "\nThe configuration is the server's: --config, $SEKISHO_CONFIG or " DEFAULT_CONFIG ".\n"
               "Exit codes: 0 done; 1 the state does not allow it; 2 wrong arguments or configuration; 3 invalid file "
               "or value;\n"
               "4 PostgreSQL or servers away, or locked, try again; 5 connection lost while saving, look first; 6 "
               "doctor or audit verify found something;\n"
               "70 our own error.\n");
}

static const struct verb *find(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].noun, argv[0]) != 0)
            continue;
        *ret_words = verbs[i].verb ? 2 : 1;
        if (!verbs[i].verb || (argc > 1 && strcmp(verbs[i].verb, argv[1]) == 0))
            return &verbs[i];
    }
    return NULL;
}

struct globals {
    const char *config;
    char *overrides[32];
    size_t n_overrides;
    bool json;
};

/* "--name value" or "--name=value" in front of the noun; moves *at. */
static const char *global_value(int argc, char **argv, int *at, const char *name)
{
    size_t n = strlen(name);

    if (strncmp(argv[*at], name, n) != 0)
        return NULL;
    if (argv[*at][n] == '=')
        return argv[(*at)++] + n + 1;
    if (argv[*at][n] || *at + 1 >= argc)
        return NULL;
    *at += 2;
    return argv[*at - 1];
}

/* Index of the noun, or -1 after a sentence, or -2 when help was asked for. */
static int read_globals(int argc, char **argv, struct globals *g)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        const char *v;

        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)
            return -2;
        if (strcmp(argv[at], "--version") == 0) {
            printf("sekishoctl %s\n", SEKISHO_VERSION);
            return -3;
        }
        if (strcmp(argv[at], "--json") == 0) {
            g->json = true;
            at++;
        } else if ((v = global_value(argc, argv, &at, "--config")) != NULL) {
            g->config = v;
        } else if (g->n_overrides < 32 && (v = global_value(argc, argv, &at, "--set")) != NULL) {
            g->overrides[g->n_overrides++] = (char *)(uintptr_t)v;
        } else {
            fprintf(stderr, "sekishoctl: %s is unknown, or lacks its value. Try: sekishoctl --help\n", argv[at]);
            return -1;
        }
    }
    return at;
}

static int run(const struct verb *v, struct ctl *c, const struct globals *g)
{
    char why[400];
    int code;

    if (params_load(&c->params, g->config, g->overrides, g->n_overrides, why, sizeof(why)) != RC_OK)
        return ctl_fail(c, EXIT_USAGE, "%s", why);
    if (!c->params.owner_database[0] && v->run != verb_top)
        return ctl_fail(c, EXIT_USAGE, "The parameter owner_database is empty; sekishoctl needs it");
    owner_init(&c->owner, &c->params, NULL);
    code = v->run(c);
    owner_done(&c->owner);
    return code;
}

int main(int argc, char **argv)
{
    struct globals g = {.config = getenv("SEKISHO_CONFIG")};
    struct ctl c = {0};
    const struct verb *v;
    int at, words = 0, code;

    signal(SIGPIPE, SIG_IGN);
    event_setup(EVENT_ERROR, NULL);
    at = read_globals(argc, argv, &g);
    if (at == -2)
        usage(stdout);
    if (at < 0)
        return at == -1 ? EXIT_USAGE : EXIT_DONE;
    if (at >= argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    v = find(argc - at, argv + at, &words);
    if (!v) {
        fprintf(stderr, "sekishoctl: there is no %s%s%s. Try: sekishoctl --help\n", argv[at], at + 1 < argc ? " " : "",
                at + 1 < argc ? argv[at + 1] : "");
        return EXIT_USAGE;
    }
    if (!g.config)
        g.config = DEFAULT_CONFIG;
    c.arena = arena_new_wiping(ARENA_CEILING);
    c.json = g.json;
    c.argv = argv + at + words;
    c.argc = argc - at - words;
    c.used = ARENA_ARRAY(c.arena, bool, c.argc + 1);
    strbuf_init_arena(&c.out, c.arena, OUTPUT_CEILING);
    code = run(v, &c, &g);
    arena_free(&c.arena);
    return code;
}
