/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - sekisho-agent: verbs run, enrol, status, doctor, quarantine, version. As root, `run` keeps the rights in the
 * privileged process and gives the network process to the user of the configuration. */
#include "agent/agent.h"
#include "agent/quarantine.h"
#include "common/event.h"
#include "common/file.h"
#include "common/strbuf.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OVERRIDES_MAX 64
#define WORDS_MAX     4
#define EX_USAGE      64
#define EX_CONFIG     78

struct options {
    const char *verb;
    const char *file;
    bool file_given;
    bool once;
    bool json;
    bool again;
    char *overrides[OVERRIDES_MAX];
    size_t n_overrides;
    char *words[WORDS_MAX]; /* behind the verb quarantine */
    size_t n_words;
};

static void usage(FILE *f)
{
    fprintf(
        f,
        "Usage: sekisho-agent VERB [OPTIONS]\n\n"
        "Verbs\n"
        "  run       protect this computer and report to the server (in the foreground)\n"
        "  enrol     join a company with an enrolment token\n"
        "  status    what the running agent is doing\n"
        "  doctor    check the way to the server and say what to open\n"
        "  quarantine list | restore ID [TARGET] | delete ID\n"
        "            the files that were moved into the quarantine\n"
        "  version   print the version\n\n"
        "Options\n"
        "  --config FILE     instead of " CONFIG_FILE_DEFAULT "\n"
        "  --once            run: report everything once, then end\n"
        "  --json            status, doctor: for programs\n"
        "  --again           enrol: even when enrolled already\n"
        "  --NAME VALUE      any value of the configuration, with '-' for '_' (--state-dir, --root, --token, ...)\n\n"
        "Values of agent.conf, one `name = value` a line\n");
    config_print_help(f);
}

/* "--state-dir" and "X" -> "state_dir=X". */
static bool override(struct options *o, struct arena *a, const char *name, const char *value)
{
    if (o->n_overrides == OVERRIDES_MAX)
        return false;
    char *text = arena_printf(a, "%s=%s", name, value);
    for (char *p = text; *p && *p != '='; p++)
        if (*p == '-')
            *p = '_';
    o->overrides[o->n_overrides++] = text;
    return true;
}

static bool parse(int argc, char **argv, struct arena *a, struct options *o)
{
    *o = (struct options){.file = CONFIG_FILE_DEFAULT};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            o->verb = "help";
            return true;
        }
        if (strcmp(arg, "--version") == 0) {
            o->verb = "version";
        } else if (strcmp(arg, "--once") == 0) {
            o->once = true;
        } else if (strcmp(arg, "--json") == 0) {
            o->json = true;
        } else if (strcmp(arg, "--again") == 0) {
            o->again = true;
        } else if (strncmp(arg, "--", 2) == 0) {
            const char *equals = strchr(arg, '=');
            const char *name = equals ? arena_printf(a, "%.*s", (int)(equals - arg - 2), arg + 2) : arg + 2;
            if (!equals && i + 1 >= argc) {
                fprintf(stderr, "sekisho-agent: %s needs a value\n", arg);
                return false;
            }
            const char *value = equals ? equals + 1 : argv[++i];
            if (strcmp(name, "config") == 0) {
                o->file = value;
                o->file_given = true;
            } else if (!override(o, a, name, value)) {
                fprintf(stderr, "sekisho-agent: too many options\n");
                return false;
            }
        } else if (!o->verb) {
            o->verb = arg;
        } else if (strcmp(o->verb, "quarantine") == 0 && o->n_words < WORDS_MAX) {
            o->words[o->n_words++] = argv[i];
        } else {
            fprintf(stderr, "sekisho-agent: one verb at a time, not '%s' too\n", arg);
            return false;
        }
    }
    if (!o->verb)
        fprintf(
            stderr,
            "sekisho-agent: a verb is needed: run, enrol, status, doctor, quarantine or version; --help says more\n");
    return o->verb != NULL;
}

/* --- users and folders */

/* The user of the configuration; false when there is none by that name. Not root: stays who we are. */
static bool network_user(const struct agent_config *cfg, uid_t *ret_uid, gid_t *ret_gid)
{
    *ret_uid = geteuid();
    *ret_gid = getegid();
    if (geteuid() != 0 || !cfg->user[0])
        return true;
    const struct passwd *p = getpwnam(cfg->user);
    if (!p)
        return false;
    *ret_uid = p->pw_uid;
    *ret_gid = p->pw_gid;
    return true;
}

static bool own_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    return file_mkdirs(path, mode) == RC_OK && (geteuid() != 0 || chown(path, uid, gid) == 0);
}

/* The state folder is root's, so that nobody can put another protect/ in its place; agent/ and status/ are the user's.
 */
static bool prepare_folders(const struct agent_config *cfg, uid_t uid, gid_t gid)
{
    struct arena *a = arena_new(65536);
    bool ok = file_mkdirs(cfg->state_dir, 0755) == RC_OK && own_folder(config_state(cfg, a, "agent"), 0700, uid, gid) &&
              own_folder(config_state(cfg, a, "status"), 0755, uid, gid);
    if (!ok)
        fprintf(stderr, "sekisho-agent: the folders in %s cannot be made: %s\n", cfg->state_dir, strerror(errno));
    arena_free(&a);
    return ok;
}

static bool drop_rights(uid_t uid, gid_t gid)
{
    if (geteuid() == 0 && uid != 0)
        if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
            return false;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    umask(077);
    return true;
}

/* --- run */

struct spawn {
    const struct agent_config *cfg;
    bool once;
    uid_t uid;
    gid_t gid;
};

static pid_t spawn_network(void *ctx, int helper)
{
    const struct spawn *s = ctx;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (!drop_rights(s->uid, s->gid)) {
        ev_error(AREA_AGENT, "rights cannot be dropped", EV_STR("user", s->cfg->user));
        _exit(77);
    }
    /* dies with the privileged process; the check is for one that is gone already */
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    prctl(PR_SET_NAME, "sekisho-net", 0, 0, 0);
    _exit(checkin_run(s->cfg, helper, s->once));
}

static enum event_level level_of(const char *text)
{
    static const struct {
        const char *text;
        enum event_level level;
    } levels[] = {{"debug", EVENT_DEBUG}, {"info", EVENT_INFO}, {"warn", EVENT_WARN}, {"error", EVENT_ERROR}};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(text, levels[i].text) == 0)
            return levels[i].level;
    return EVENT_INFO;
}

static int verb_run(const struct agent_config *cfg, const struct options *o)
{
    struct spawn s = {.cfg = cfg, .once = o->once};
    event_setup(level_of(cfg->log_level), NULL);
    if (level_of(cfg->log_level) == EVENT_DEBUG)
        event_debug_set(AREA_AGENT, true);
    if (!network_user(cfg, &s.uid, &s.gid)) {
        fprintf(stderr, "sekisho-agent: there is no user %s; make it, or set user in the configuration\n", cfg->user);
        return EX_CONFIG;
    }
    if (!prepare_folders(cfg, s.uid, s.gid))
        return EX_CONFIG;
    return protect_supervise(cfg, spawn_network, &s);
}

static int verb_enrol(const struct agent_config *cfg, const struct options *o)
{
    uid_t uid;
    gid_t gid;
    struct slice token = SLICE_NONE;
    struct arena *a = arena_new_wiping(65536);
    event_setup(EVENT_ERROR, NULL);
    enum rc rc = config_token(cfg, a, &token);
    int status = EX_CONFIG;
    if (rc != RC_OK)
        fprintf(stderr, "sekisho-agent: the file of the token %s cannot be read (%s)\n", cfg->token_file, rc_name(rc));
    else if (!network_user(cfg, &uid, &gid))
        fprintf(stderr, "sekisho-agent: there is no user %s; make it, or set user in the configuration\n", cfg->user);
    else if (prepare_folders(cfg, uid, gid) && drop_rights(uid, gid))
        status = enrol_run(cfg, token, o->again);
    arena_free(&a);
    return status;
}

static int with_config(const struct options *o, int (*fn)(const struct agent_config *, const struct options *),
                       bool complete)
{
    struct agent_config cfg;
    char why[400];
    if (config_load(&cfg, o->file, !o->file_given, o->overrides, o->n_overrides, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "sekisho-agent: %s\n", why);
        return EX_CONFIG;
    }
    int status = EX_CONFIG;
    if (complete && config_complete(&cfg, why, sizeof(why)) != RC_OK)
        fprintf(stderr, "sekisho-agent: %s\n", why);
    else
        status = fn(&cfg, o);
    config_done(&cfg);
    return status;
}

static int verb_status(const struct agent_config *cfg, const struct options *o)
{
    return status_print(cfg, o->json);
}

static int verb_doctor(const struct agent_config *cfg, const struct options *o)
{
    event_setup(EVENT_ERROR, NULL);
    signal(SIGPIPE, SIG_IGN);
    return doctor_run(cfg, o->json);
}

static int verb_quarantine(const struct agent_config *cfg, const struct options *o)
{
    struct arena *a = arena_new(65536);
    event_setup(EVENT_ERROR, NULL);
    int status =
        quarantine_command(config_state(cfg, a, "protect/quarantine"), (int)o->n_words, o->words, stdout, stderr);
    arena_free(&a);
    return status;
}

static int version(void)
{
    printf("sekisho-agent %s\n", SEKISHO_VERSION);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*fn)(const struct agent_config *, const struct options *);
        bool complete;
    } verbs[] = {{"run", verb_run, true},
                 {"enrol", verb_enrol, true},
                 {"status", verb_status, false},
                 {"doctor", verb_doctor, true},
                 {"quarantine", verb_quarantine, false}};
    struct arena *a = arena_new_wiping(1 << 20);
    struct options o;
    int status = EX_USAGE;
    if (!parse(argc, argv, a, &o)) {
        arena_free(&a);
        return status;
    }
    if (strcmp(o.verb, "help") == 0) {
        usage(stdout);
        status = EXIT_SUCCESS;
    } else if (strcmp(o.verb, "version") == 0) {
        status = version();
    } else {
        bool known = false;
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
            if (strcmp(o.verb, verbs[i].name) == 0) {
                known = true;
                status = with_config(&o, verbs[i].fn, verbs[i].complete);
            }
        if (!known)
            fprintf(stderr, "sekisho-agent: there is no verb '%s'; run, enrol, status, doctor, quarantine, version\n",
                    o.verb);
    }
    arena_free(&a);
    return status;
}
