/* SPDX-License-Identifier: Apache-2.0 */
/* enrol.c - joining a tenant with a token, renewing the certificate, and fetching the signed time when our clock makes
 * the server's certificate look wrong. Each is an errand: a request, and one function for its answer. */
#include "agent/agent.h"
#include "agent/facts/facts.h"
#include "common/event.h"
#include "common/strbuf.h"
#include <stdio.h>

#define BODY_MAX 16384
#define SECONDS  30

static struct arena *errand_begin(struct agent *a, enum errand errand)
{
    arena_free(&a->errand_memory);
    a->errand_memory = arena_new_wiping(1 << 20);
    a->errand = errand;
    a->sent_at = ms_now();
    a->sent_clock = clock_now();
    return a->errand_memory;
}

static void errand_end(struct agent *a)
{
    a->errand = ERRAND_NONE;
    a->request = NULL;
    a->errand_key = SLICE_NONE;
    arena_free(&a->errand_memory);
}

/* --- enrolment */

enum rc enrol_body(const struct agent_config *cfg, struct arena *a, struct slice token, struct slice *ret_key,
                   struct slice *ret_body)
{
    struct wire_enrol_request r = {
        .token = token, .os_family = WIRE_OS_FAMILY_LINUX, .agent_version = SLICE(SEKISHO_VERSION)};
    enum rc rc = tls_key_new(a, ret_key);
    if (rc == RC_OK)
        rc = tls_csr(a, *ret_key, &r.csr_pem);
    if (rc != RC_OK)
        return rc;
    r.hostname = slice_of(facts_hostname(cfg, a));
    r.machine_id = slice_of(facts_machine_id(cfg, a));
    if (r.machine_id.n == 0)
        r.machine_id = SLICE_NONE;
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, a, BODY_MAX);
    json_start(&w, &b);
    wire_enrol_request_encode(&w, &r);
    *ret_body = strbuf_slice(&b);
    return b.over ? RC_INVALID : RC_OK;
}

static void enrolled(void *ctx, const struct http_answer *answer)
{
    struct agent *a = ctx;
    struct wire_enrol_response r;
    struct decode_error err;
    if (answer->trouble != HTTP_FINE || answer->status / 100 != 2) {
        contact_failed(a, ERRAND_ENROL, answer);
    } else if (wire_enrol_response_parse(a->errand_memory, answer->body, &r, &err) != RC_OK ||
               state_enrol(a->cfg, a->errand_key, &r) != RC_OK) {
        ev_error(AREA_AGENT, "enrolment answer is unusable or cannot be saved", EV_STR("field", err.field));
        a->not_before = ms_now() + 60000 + random_below(60000);
    } else {
        contact_fine(a, answer);
        contact_server_time(a, r.server_time);
        a->want_reload = true;
    }
    errand_end(a);
}

void enrol_start(struct agent *a)
{
    struct arena *m = errand_begin(a, ERRAND_ENROL);
    struct slice token = SLICE_NONE, body;
    enum rc rc = config_token(a->cfg, m, &token);
    if (rc != RC_OK || token.n == 0) {
        errand_end(a);
        contact_stop(a, "not_enrolled",
                     rc == RC_OK ? "there is no enrolment token; set token or run `sekisho-agent enrol`"
                                 : "the file of the enrolment token cannot be read");
        return;
    }
    if (enrol_body(a->cfg, m, token, &a->errand_key, &body) != RC_OK) {
        errand_end(a);
        a->not_before = ms_now() + 60000;
        return;
    }
    a->request = http_post(a->http, "/agent/v1/enrol", body, SECONDS, enrolled, a);
}

/* --- renewal */

bool renew_due(const struct agent *a)
{
    const struct agent_state *s = &a->state;
    return state_enrolled(s) && agent_now(a) > s->not_before + (s->not_after - s->not_before) / 3 * 2;
}

static void renewed(void *ctx, const struct http_answer *answer)
{
    struct agent *a = ctx;
    struct wire_renew_response r;
    struct decode_error err;
    a->renew_at = 0;
    if (answer->trouble != HTTP_FINE || answer->status / 100 != 2) {
        contact_failed(a, ERRAND_RENEW, answer);
        a->renew_at = ms_now() + 600000 + random_below(600000);
        if (a->not_before > a->renew_at)
            a->renew_at = a->not_before;
        /* with a certificate that still works, check-ins go on meanwhile */
        if (answer->trouble == HTTP_FINE && agent_now(a) < a->state.not_after)
            a->not_before = 0;
    } else if (wire_renew_response_parse(a->errand_memory, answer->body, &r, &err) != RC_OK ||
               state_renew(a->cfg, &a->state, a->errand_key, r.certificate_pem) != RC_OK) {
        ev_error(AREA_AGENT, "renewed certificate is unusable or cannot be saved");
        a->renew_at = ms_now() + 3600000;
    } else {
        ev_info(AREA_AGENT, "certificate renewed");
        contact_fine(a, answer);
        contact_server_time(a, r.server_time);
        a->want_reload = true;
    }
    errand_end(a);
}

void renew_start(struct agent *a)
{
    struct arena *m = errand_begin(a, ERRAND_RENEW);
    struct wire_renew_request r = {.agent_version = SLICE(SEKISHO_VERSION)};
    if (tls_key_new(m, &a->errand_key) != RC_OK || tls_csr(m, a->errand_key, &r.csr_pem) != RC_OK) {
        errand_end(a);
        a->renew_at = ms_now() + 3600000;
        return;
    }
    struct strbuf b;
    struct json_writer w;
    strbuf_init_arena(&b, m, BODY_MAX);
    json_start(&w, &b);
    wire_renew_request_encode(&w, &r);
    a->request = http_post(a->http, "/agent/v1/renew", strbuf_slice(&b), SECONDS, renewed, a);
}

/* --- signed time */

/* Only a token over our own nonce, by the key that enrolment pinned, may move our notion of time. */
static bool token_good(const struct agent *a, struct arena *m, struct slice body, usec_t *ret_at)
{
    struct wire_time_response r;
    struct decode_error err;
    uint8_t signature[64];
    size_t n;
    char at[CLOCK_RFC3339_SIZE];
    if (wire_time_response_parse(m, body, &r, &err) != RC_OK || !slice_eq(r.nonce, slice_of(a->errand_nonce)) ||
        !slice_unhex(r.signature, signature, sizeof(signature), &n) || n != sizeof(signature))
        return false;
    const char *text = arena_printf(m, "sekisho-time\n%s\n%s\n", clock_rfc3339(r.at, at), a->errand_nonce);
    *ret_at = r.at;
    return crypto_ed25519_verify(a->state.time_key, slice_of(text), signature);
}

static void timed(void *ctx, const struct http_answer *answer)
{
    struct agent *a = ctx;
    usec_t at;
    if (answer->trouble != HTTP_FINE || answer->status != 200) {
        contact_failed(a, ERRAND_TIME, answer);
    } else if (!token_good(a, a->errand_memory, answer->body, &at)) {
        ev_error(AREA_AGENT, "the server's time is not signed by the pinned key");
        a->not_before = ms_now() + 600000 + random_below(600000);
    } else {
        contact_server_time(a, at);
        ev_warn(AREA_AGENT, "this computer's clock is wrong; the server's time is used",
                EV_INT("seconds", a->skew / USEC_PER_SEC));
        a->not_before = ms_now();
    }
    tls_client_ignore_dates(a->tls, false);
    a->want_reset = true; /* a connection whose dates were not looked at serves nothing else */
    errand_end(a);
}

void time_start(struct agent *a)
{
    struct arena *m = errand_begin(a, ERRAND_TIME);
    uint8_t random[16];
    a->want_time = false;
    a->time_tried = true;
    random_bytes(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(a->errand_nonce + 2 * i, 3, "%02x", random[i]);
    tls_client_ignore_dates(a->tls, true);
    a->request = http_get(a->http, arena_printf(m, "/agent/v1/time?nonce=%s", a->errand_nonce), SECONDS, timed, a);
}
