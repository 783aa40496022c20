/* SPDX-License-Identifier: Apache-2.0 */
/* uplink.c - see uplink.h. */
#define _GNU_SOURCE
#include "agent/uplink.h"
#include "common/must.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct uplink {
    int sock;
    void (*on_reloaded)(void *);
    void *ctx;
    pthread_mutex_t turn; /* one event is under way at a time */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct uuid waiting; /* nil: none */
    bool cancelled;
};

static void take(struct uplink *u, struct packet *in)
{
    enum verb verb = packet_verb(in);
    if (verb == VERB_VERDICT_EVENT) {
        struct uuid id = packet_uuid(in);
        pthread_mutex_lock(&u->lock);
        if (packet_u8(in) == 1 && uuid_eq(id, u->waiting)) {
            u->waiting = (struct uuid){0};
            pthread_cond_signal(&u->answered);
        }
        pthread_mutex_unlock(&u->lock);
    } else if (verb == VERB_CANCEL) {
        pthread_mutex_lock(&u->lock);
        u->cancelled = true;
        pthread_mutex_unlock(&u->lock);
    } else if (verb == VERB_RELOADED && u->on_reloaded) {
        u->on_reloaded(u->ctx);
    }
}

static void *read_orders(void *arg)
{
    struct uplink *u = arg;
    struct packet *in = must_alloc(sizeof(*in));
    while (packet_receive(u->sock, in, true) == RC_OK) {
        take(u, in);
        packet_close_fds(in);
    }
    /* Without the privileged process nothing may be done any more. */
    _exit(0);
}

struct uplink *uplink_open(int sock, void (*on_reloaded)(void *ctx), void *ctx)
{
    struct uplink *u = must_alloc(sizeof(*u));
    pthread_t t;
    u->sock = sock;
    u->on_reloaded = on_reloaded;
    u->ctx = ctx;
    pthread_mutex_init(&u->turn, NULL);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->answered, NULL);
    must(pthread_create(&t, NULL, read_orders, u) == 0);
    pthread_detach(t);
    return u;
}

void uplink_send(struct uplink *u, const struct packet *p)
{
    if (packet_send(u->sock, p) == RC_UNAVAILABLE)
        _exit(0);
}

enum rc uplink_event(struct uplink *u, struct uuid id, enum wire_event_kind kind, struct slice body, usec_t occurred,
                     bool urgent)
{
    struct packet *p = must_alloc(sizeof(*p));
    packet_start(p, VERB_EVENT);
    packet_put_uuid(p, id);
    packet_put_u8(p, (uint8_t)kind);
    packet_put_i64(p, occurred);
    packet_put_u8(p, urgent);
    packet_put_str(p, body);
    enum rc rc = p->bad ? RC_INVALID : RC_OK;
    if (rc == RC_OK) {
        pthread_mutex_lock(&u->turn);
        pthread_mutex_lock(&u->lock);
        u->waiting = id;
        uplink_send(u, p);
        while (!uuid_is_nil(u->waiting))
            pthread_cond_wait(&u->answered, &u->lock);
        pthread_mutex_unlock(&u->lock);
        pthread_mutex_unlock(&u->turn);
    }
    free(p);
    return rc;
}

void uplink_progress(struct uplink *u, const struct protect_progress *p)
{
    struct packet *out = must_alloc(sizeof(*out));
    progress_put(out, p);
    uplink_send(u, out);
    free(out);
}

bool uplink_cancelled(struct uplink *u)
{
    pthread_mutex_lock(&u->lock);
    bool c = u->cancelled;
    pthread_mutex_unlock(&u->lock);
    return c;
}

void progress_put(struct packet *out, const struct protect_progress *p)
{
    packet_start(out, VERB_PROGRESS);
    packet_put_uuid(out, p->execution_id);
    packet_put_u8(out, (uint8_t)p->state);
    packet_put_u8(out, (uint8_t)p->progress);
    packet_put_i64(out, p->files_scanned);
    packet_put_i64(out, p->files_total);
    packet_put_i64(out, p->found);
    packet_put_cstr(out, p->result_code);
    packet_put_u8(out, (uint8_t)p->n_result_args);
    for (size_t i = 0; i < p->n_result_args; i++)
        packet_put_cstr(out, p->result_args[i]);
}

bool progress_get(struct packet *in, struct arena *a, struct protect_progress *ret)
{
    struct protect_progress p = {.execution_id = packet_uuid(in)};
    p.state = (enum wire_execution_state)packet_u8(in);
    p.progress = packet_u8(in);
    p.files_scanned = packet_i64(in);
    p.files_total = packet_i64(in);
    p.found = packet_i64(in);
    p.result_code = arena_cstr(a, packet_str(in));
    if (p.result_code[0] == '\0')
        p.result_code = NULL;
    p.n_result_args = packet_u8(in);
    if (p.n_result_args > 8)
        return false;
    for (size_t i = 0; i < p.n_result_args; i++)
        p.result_args[i] = arena_cstr(a, packet_str(in));
    if (!packet_done(in) || p.progress > 100)
        return false;
    *ret = p;
    return true;
}
