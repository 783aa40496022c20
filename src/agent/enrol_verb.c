/* SPDX-License-Identifier: Apache-2.0 */
/* enrol_verb.c - the verb `enrol`: joins a tenant now, in the foreground, and says how it went in a sentence. A running
 * agent notices the new identity by itself. */
#include "agent/agent.h"
#include "common/strbuf.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS 30

struct attempt {
    const struct agent_config *cfg;
    struct arena *a;
    struct slice key;
    bool done;
    int status;
};

static void explain(const struct http_answer *answer)
{
    struct problem_answer p;
    switch (answer->trouble) {
    case HTTP_FINE:
        contact_problem(answer, &p);
        if (p.code[0])
            fprintf(stderr, "sekisho-agent: the server refuses the enrolment: %s (%s)\n", p.title, p.code);
        else
            fprintf(stderr, "sekisho-agent: the server answered with status %d\n", answer->status);
        return;
    case HTTP_TLS:
        fprintf(stderr, "sekisho-agent: the TLS handshake failed: %s%s%s\n", answer->error,
                answer->tls == TLS_UNTRUSTED ? "; the certificate was signed by " : "",
                answer->tls == TLS_UNTRUSTED ? answer->signer : "");
        break;
    default:
        fprintf(stderr, "sekisho-agent: no connection: %s\n", answer->error);
        break;
    }
    fprintf(stderr, "`sekisho-agent doctor` says what to open.\n");
}

static void enrolled(void *ctx, const struct http_answer *answer)
{
    struct attempt *t = ctx;
    struct wire_enrol_response r;
    struct decode_error err;
    char id[UUID_TEXT_SIZE];
    t->done = true;
    t->status = 75; /* may be tried again */
    if (answer->trouble != HTTP_FINE || answer->status / 100 != 2) {
        if (answer->trouble == HTTP_FINE && answer->status / 100 == 4)
            t->status = 77;
        explain(answer);
        return;
    }
    if (wire_enrol_response_parse(t->a, answer->body, &r, &err) != RC_OK) {
        fprintf(stderr, "sekisho-agent: the server's answer cannot be read (%s %s)\n", err.code, err.field);
        return;
    }
    enum rc rc = state_enrol(t->cfg, t->key, &r);
    if (rc != RC_OK) {
        fprintf(stderr, "sekisho-agent: the identity cannot be saved in %s (%s)\n", t->cfg->state_dir, rc_name(rc));
        return;
    }
    printf("Enrolled as device %s of " SLICE_FMT ".\n", uuid_text(r.device_id, id), SLICE_ARG(r.tenant));
    if (r.over_seats)
        printf("All seats are in use; the device was accepted for the grace period.\n");
    t->status = EXIT_SUCCESS;
}

int enrol_run(const struct agent_config *cfg, struct slice token, bool again)
{
    struct attempt t = {.cfg = cfg, .a = arena_new_wiping(4 << 20), .status = 75};
    struct agent_state s;
    struct tls_client *tls = NULL;
    struct http *h = NULL;
    struct slice body;
    char why[300] = "", id[UUID_TEXT_SIZE];
    signal(SIGPIPE, SIG_IGN);
    if (state_load(cfg, &s, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "sekisho-agent: %s\n", why);
        arena_free(&t.a);
        return 77;
    }
    if (state_enrolled(&s) && !s.stopped[0] && !again) {
        fprintf(stderr, "sekisho-agent: this is device %s of %s already; --again enrols it as another one\n",
                uuid_text(s.device_id, id), s.tenant);
        t.status = 64;
    } else if (token.n == 0) {
        fprintf(stderr, "sekisho-agent: there is no enrolment token; give --token TOKEN or set token in agent.conf\n");
        t.status = 64;
    } else if (tls_client_new(cfg->ca_file, SLICE_NONE, SLICE_NONE, &tls, why, sizeof(why)) != RC_OK) {
        fprintf(stderr, "sekisho-agent: %s\n", why);
        t.status = 78;
    } else if (enrol_body(cfg, t.a, token, &t.key, &body) != RC_OK) {
        fprintf(stderr, "sekisho-agent: no key can be made\n");
    } else {
        h = http_new(cfg, tls);
        http_post(h, "/agent/v1/enrol", body, SECONDS, enrolled, &t);
        while (!t.done) {
            http_wait(h, NULL, 0, 1000);
            http_dispatch(h);
        }
    }
    http_free(&h);
    tls_client_free(&tls);
    state_done(&s);
    arena_free(&t.a);
    return t.status;
}
