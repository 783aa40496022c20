/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.h - what the verbs of sekishoctl share: their arguments, their output as text or JSON, their exit codes. A verb
 * is a row of a table (main.c); verbs of one noun share a file. One thread; memory of the run is one arena. */
#ifndef SEKISHO_CTL_H
#define SEKISHO_CTL_H

#include "common/json.h"
#include "provision/owner.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,     /* the state does not allow it: not there, there already, over a limit */
    EXIT_USAGE = 2,       /* wrong arguments or configuration */
    EXIT_INPUT = 3,       /* a file or value is not valid */
    EXIT_UNAVAILABLE = 4, /* PostgreSQL or the servers are away, or locked: try again */
    EXIT_UNCERTAIN = 5,   /* the connection was lost while saving: look before repeating */
    EXIT_FINDINGS = 6,    /* doctor or audit verify found something */
    EXIT_INTERNAL = 70
};

struct ctl {
    struct params params;
    struct owner owner;
    struct arena *arena;
    bool json;
    bool quiet_errors;
    char **argv; /* of the verb, without noun and verb */
    int argc;
    bool *used; /* per argument */
    struct strbuf out;
    struct json_writer w; /* of out, with json */
};

/* ---- arguments. An option is "--name value" or "--name=value". */
const char *ctl_option(struct ctl *c, const char *name, const char *otherwise);
bool ctl_flag(struct ctl *c, const char *name);
const char *ctl_next(struct ctl *c); /* the next argument that is no option; NULL: none */
size_t ctl_options(struct ctl *c, const char *name, const char **ret, size_t cap); /* an option that may be repeated */
/* False after a sentence: an argument is left over, or what is given here as missing is NULL. */
bool ctl_complete(struct ctl *c, const char *missing_name, const char *missing_value);
bool ctl_int(struct ctl *c, const char *name, const char *text, int min, int max, int *ret);

/* ---- output */
int ctl_fail(struct ctl *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int ctl_refused(struct ctl *c, enum rc rc);                                              /* with owner.why */
void ctl_say(struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* a line, unless json */
void ctl_put(struct ctl *c, const char *key, struct slice v);
void ctl_put_int(struct ctl *c, const char *key, int64_t v);
void ctl_put_bool(struct ctl *c, const char *key, bool v);
void ctl_put_time(struct ctl *c, const char *key, usec_t t); /* null for 0 */
int ctl_flush(struct ctl *c, int code);

int verb_tenant_create(struct ctl *c);
int verb_tenant_list(struct ctl *c);
int verb_tenant_show(struct ctl *c);
int verb_tenant_suspend(struct ctl *c);
int verb_tenant_resume(struct ctl *c);
int verb_tenant_erase(struct ctl *c);
int verb_plan_list(struct ctl *c);
int verb_migrate_status(struct ctl *c);
int verb_migrate_run(struct ctl *c);
int verb_pool_fill(struct ctl *c);
int verb_apply(struct ctl *c);
int verb_doctor(struct ctl *c);
int verb_key_init(struct ctl *c);
int verb_key_rotate(struct ctl *c);
int verb_key_reseal(struct ctl *c);
int verb_bootstrap(struct ctl *c);
int verb_certificate_root(struct ctl *c);
int verb_certificate_server(struct ctl *c);
int verb_module_sign(struct ctl *c);
int verb_token_create(struct ctl *c);
int verb_password_reset(struct ctl *c);
int verb_top(struct ctl *c);
int verb_audit_verify(struct ctl *c);
int verb_audit_list(struct ctl *c);
int verb_trace_on(struct ctl *c);
int verb_trace_off(struct ctl *c);
int verb_trace_list(struct ctl *c);
/* Of the server whose ops port is where (host:port); false: it does not answer with 200. Memory of the arena. */
bool ctl_ops_get(struct arena *a, const char *where, const char *path, struct slice *ret_body);
const char *ctl_redis_ping(const struct params *p); /* NULL: it answers; else why not, static or in a static buffer */

#endif
