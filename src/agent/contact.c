/* SPDX-License-Identifier: Apache-2.0 */
/* contact.c - what failures mean, as tables: network troubles and the server's problem codes. Every wait has jitter, so
 * that many agents do not come back together. */
#include "agent/agent.h"
#include "common/event.h"
#include <inttypes.h>
#include <stdio.h>

#define BACKOFF_FIRST_MS 2000
#define BACKOFF_MAX_MS   15000 /* the server back after an outage finds all its agents within so long */
#define SLOW_SECONDS     3600
#define HOLD_MAX_SECONDS 86400

enum action {
    ACT_RETRY, /* with growing pauses, or when the server said */
    ACT_SLOW,  /* nothing that we do will change it soon: each hour */
    ACT_STOP,  /* contact ends until the device is enrolled again */
    ACT_RENEW,
    ACT_EARLY, /* only this reason has to wait */
    ACT_SPLIT, /* send less at once */
    ACT_GAP,   /* send from another record */
    ACT_FORM   /* the server cannot read what we send */
};

static const struct {
    const char *code;
    enum action action;
} actions[] = {
    {"certificate_expired", ACT_RENEW},
    {"certificate_revoked", ACT_STOP},
    {"certificate_foreign", ACT_STOP},
    {"certificate_unknown", ACT_STOP},
    {"certificate_missing", ACT_RETRY},
    {"renewal_too_late", ACT_STOP},
    {"device_removed", ACT_STOP},
    {"enrolment_token_unknown", ACT_STOP},
    {"enrolment_token_expired", ACT_STOP},
    {"enrolment_token_used_up", ACT_STOP},
    {"enrolment_token_revoked", ACT_STOP},
    {"seats_exceeded", ACT_SLOW},
    {"tenant_suspended", ACT_SLOW},
    {"agent_too_old", ACT_SLOW},
    {"too_early", ACT_EARLY},
    {"rate_limited", ACT_EARLY},
    {"body_too_large", ACT_SPLIT},
    {"json_too_many_values", ACT_SPLIT},
    {"sequence_gap", ACT_GAP},
    {"json_malformed", ACT_FORM},
    {"json_too_deep", ACT_FORM},
    {"json_duplicate_key", ACT_FORM},
    {"request_malformed", ACT_FORM},
    {"gzip_malformed", ACT_FORM},
    {"csr_invalid", ACT_SLOW},
    {"csr_weak_key", ACT_SLOW},
};

void contact_problem(const struct http_answer *answer, struct problem_answer *ret)
{
    *ret = (struct problem_answer){0};
    struct arena *a = arena_new(256 * 1024);
    struct wire_problem p;
    struct decode_error err;
    if (answer->body.n && wire_problem_parse(a, answer->body, &p, &err) == RC_OK) {
        snprintf(ret->code, sizeof(ret->code), SLICE_FMT, SLICE_ARG(p.code));
        snprintf(ret->title, sizeof(ret->title), SLICE_FMT, SLICE_ARG(p.title));
        snprintf(ret->field, sizeof(ret->field), SLICE_FMT, SLICE_ARG(p.field));
        ret->has_limit = p.has_limit;
        ret->limit = p.limit;
    }
    arena_free(&a);
}

static enum action action_of(const struct problem_answer *p, int status)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(p->code, actions[i].code) == 0)
            return actions[i].action;
    if (status == 413)
        return ACT_SPLIT;
    if (status == 422 || status == 400 || status == 415)
        return ACT_FORM;
    return ACT_RETRY;
}

static void note(struct agent *a, const char *code, const char *text)
{
    if (strcmp(a->trouble, code) != 0)
        ev_warn(AREA_AGENT, "no contact", EV_STR("code", code), EV_STR("detail", text));
    snprintf(a->trouble, sizeof(a->trouble), "%s", code);
    snprintf(a->trouble_text, sizeof(a->trouble_text), "%s", text);
    a->trouble_at = agent_now(a);
    a->status_at = ms_now();
}

/* Nothing before `seconds` from now, spread by a quarter; 0: growing from failure to failure. */
static void back_off(struct agent *a, int64_t seconds)
{
    uint64_t wait;
    a->failures++;
    if (seconds > 0) {
        wait = (uint64_t)(seconds < HOLD_MAX_SECONDS ? seconds : HOLD_MAX_SECONDS) * 1000;
        wait += random_below(wait / 4 + 1);
    } else {
        unsigned steps = a->failures < 12 ? a->failures - 1 : 11;
        wait = (uint64_t)BACKOFF_FIRST_MS << steps;
        if (wait > BACKOFF_MAX_MS)
            wait = BACKOFF_MAX_MS;
        wait = wait / 2 + random_below(wait / 2 + 1);
    }
    a->not_before = ms_now() + wait;
}

/* A server that was restored from a backup may not know us now but later. */
bool contact_may_return(const struct agent *a)
{
    return strcmp(a->state.stopped, "certificate_foreign") == 0 || strcmp(a->state.stopped, "certificate_unknown") == 0;
}

void contact_stop(struct agent *a, const char *code, const char *text)
{
    ev_error(AREA_AGENT, "contact with the server has ended", EV_STR("code", code));
    note(a, code, text);
    a->phase = PHASE_STOPPED;
    snprintf(a->state.stopped, sizeof(a->state.stopped), "%s", code);
    a->state.stopped_at = agent_now(a);
    if (state_enrolled(&a->state) && state_save_contact(a->cfg, &a->state) != RC_OK)
        ev_warn(AREA_AGENT, "the end of contact is not saved");
    wake_close(a->wake);
    a->stamp = state_stamp(a->cfg);
    a->ask_again = ms_now() + SLOW_SECONDS * 1000 + random_below(SLOW_SECONDS * 1000);
}

/* Less at once, and not more again for a while: the server's limit does not change from one request to the next. */
static void split(struct agent *a, const struct problem_answer *p)
{
    size_t least = AGENT_REQUEST_LEAST, most = a->max_bytes / 2;
    if (p->has_limit && p->limit > 0 && (uint64_t)p->limit / 4 * 3 < a->max_bytes)
        most = (size_t)p->limit / 4 * 3;
    if (a->max_bytes > least) {
        a->max_bytes = a->bytes_ceiling = most > least ? most : least;
        a->ceiling_until = ms_now() + (uint64_t)SLOW_SECONDS * 1000;
    } else if (a->max_events > 1) {
        a->max_events /= 2;
    } else {
        back_off(a, SLOW_SECONDS);
        return;
    }
    a->not_before = ms_now() + 1000;
}

/* The server cannot read it: find the one record at fault, so that it does not block the others. */
static void form(struct agent *a, const struct problem_answer *p)
{
    struct slice field = slice_of(p->field);
    if (slice_starts(field, SLICE("facts"))) {
        a->facts_hold = ms_now() + (uint64_t)SLOW_SECONDS * 1000;
        a->not_before = ms_now() + 1000;
        return;
    }
    bool waiting = journal_tail(a->journal) <= journal_head(a->journal);
    if (!slice_starts(field, SLICE("events")) || !waiting) {
        back_off(a, SLOW_SECONDS / 6);
        return;
    }
    if (a->max_events > 1) {
        a->max_events = 1;
        a->not_before = ms_now() + 1000;
        return;
    }
    ev_error(AREA_AGENT, "the server refuses a record", EV_INT("seq", journal_tail(a->journal)),
             EV_STR("field", p->field));
    if (journal_refuse(a->journal, journal_tail(a->journal)) != RC_OK)
        back_off(a, SLOW_SECONDS / 6);
    a->max_events = AGENT_REQUEST_EVENTS;
    agent_due(a, WIRE_REASON_SPOOL, 1000);
}

/* The server expects another record. What it has not got but we have dropped after an acknowledgement cannot be sent:
 * then only a new epoch makes both agree. */
static void gap(struct agent *a, const struct problem_answer *p)
{
    if (journal_new_epoch(a->journal) != RC_OK) {
        back_off(a, 0);
        return;
    }
    ev_warn(AREA_AGENT, "new journal epoch", EV_INT("expected", p->limit));
    tasks_acked(a->tasks, UINT64_MAX);
    agent_due(a, WIRE_REASON_SPOOL, 1000);
    a->not_before = ms_now() + 1000;
}

static void refused(struct agent *a, enum errand errand, const struct http_answer *answer)
{
    struct problem_answer p;
    contact_problem(answer, &p);
    if (!p.code[0]) {
        snprintf(p.code, sizeof(p.code), "answer_%d", answer->status);
        snprintf(p.title, sizeof(p.title), "the server or something before it answered with status %d", answer->status);
    }
    enum action action = action_of(&p, answer->status);
    switch (action) {
    case ACT_EARLY: {
        int64_t wait = answer->retry_after > 0 ? answer->retry_after : 60;
        uint64_t until = ms_now() + (uint64_t)wait * 1000 + random_below((uint64_t)wait * 100 + 1000);
        if (errand == ERRAND_CHECKIN)
            a->hold[a->sent_reason] = until;
        else
            a->not_before = until;
        if (errand == ERRAND_CHECKIN && a->sent_reason == WIRE_REASON_SCHEDULED)
            a->due[WIRE_REASON_SCHEDULED] = until;
        snprintf(a->trouble_text, sizeof(a->trouble_text), "%s", p.title);
        return; /* a limit, not a failure */
    }
    case ACT_STOP:
        contact_stop(a, p.code, p.title);
        return;
    case ACT_RENEW:
        note(a, p.code, p.title);
        if (errand == ERRAND_RENEW)
            back_off(a, SLOW_SECONDS);
        else
            a->renew_at = ms_now();
        return;
    case ACT_SPLIT:
        note(a, p.code, p.title);
        split(a, &p);
        return;
    case ACT_FORM:
        note(a, p.code, p.title);
        if (errand == ERRAND_CHECKIN)
            form(a, &p);
        else
            back_off(a, SLOW_SECONDS);
        return;
    case ACT_GAP:
        note(a, p.code, p.title);
        gap(a, &p);
        return;
    case ACT_SLOW:
        note(a, p.code, p.title);
        back_off(a, answer->retry_after > 0 ? answer->retry_after : SLOW_SECONDS);
        return;
    case ACT_RETRY:
        note(a, p.code, p.title);
        back_off(a, answer->retry_after);
        if (strcmp(p.code, "certificate_missing") == 0)
            a->want_reset = true;
        return;
    }
}

static void handshake_failed(struct agent *a, const struct http_answer *answer)
{
    char text[256];
    switch (answer->tls) {
    case TLS_CLOCK:
        note(a, "clock_skew", "the server's certificate is not valid at this computer's time");
        if (state_enrolled(&a->state) && !a->time_tried) {
            a->want_time = true; /* the signed time tells whose clock is wrong */
            return;
        }
        break;
    case TLS_UNTRUSTED:
        snprintf(text, sizeof(text), "the certificate shown was signed by %s, not by the pinned authority",
                 answer->signer && answer->signer[0] ? answer->signer : "someone else");
        note(a, "tls_intercepted", text);
        break;
    case TLS_NAME:
        note(a, "tls_name", "the server's certificate is for another name");
        break;
    case TLS_FINE:
        note(a, "tls_failed", answer->error);
        break;
    }
    back_off(a, 0);
}

void contact_failed(struct agent *a, enum errand errand, const struct http_answer *answer)
{
    switch (answer->trouble) {
    case HTTP_FINE:
        refused(a, errand, answer);
        return;
    case HTTP_TLS:
        handshake_failed(a, answer);
        return;
    case HTTP_NO_NAME:
        note(a, "name_unknown", answer->error);
        http_pin(a->http, a->state.address);
        break;
    case HTTP_PROXY:
        note(a, "proxy_refused", answer->error);
        break;
    case HTTP_TOO_LARGE:
        note(a, "answer_too_large", answer->error);
        break;
    case HTTP_NO_WAY:
        note(a, "no_connection", answer->error);
        http_pin(a->http, NULL); /* the name may have another address now */
        break;
    case HTTP_BROKEN:
    case HTTP_LOCAL:
        note(a, "connection_broken", answer->error);
        break;
    }
    back_off(a, 0);
}

void contact_fine(struct agent *a, const struct http_answer *answer)
{
    if (a->trouble[0] || a->contact_at == 0)
        ev_info(AREA_AGENT, "contact with the server", EV_STR("server", a->cfg->server_host));
    a->failures = 0;
    a->not_before = 0;
    a->trouble[0] = a->trouble_text[0] = '\0';
    if (a->state.stopped[0]) { /* it was asked again, and was taken back */
        a->state.stopped[0] = '\0';
        if (state_save_contact(a->cfg, &a->state) != RC_OK)
            ev_warn(AREA_AGENT, "the return of contact is not saved");
    }
    a->contact_at = agent_now(a);
    a->time_tried = false;
    if (!a->status_at)
        a->status_at = ms_now() + 200;
    if (answer->address[0] && strcmp(answer->address, a->state.address) != 0) {
        snprintf(a->state.address, sizeof(a->state.address), "%s", answer->address);
        if (state_enrolled(&a->state) && state_save_contact(a->cfg, &a->state) != RC_OK)
            ev_warn(AREA_AGENT, "the server's address is not saved");
    }
}

void contact_server_time(struct agent *a, usec_t server_time)
{
    uint64_t took = ms_now() - a->sent_at;
    if (took > 30000 || server_time == 0)
        return; /* too vague */
    usec_t middle = a->sent_clock + (usec_t)took * 500;
    a->skew = server_time - middle;
    a->skew_known = true;
    bool far = a->skew > AGENT_SKEW_MAX || a->skew < -AGENT_SKEW_MAX;
    tls_client_shift(a->tls, far ? a->skew : 0);
}
