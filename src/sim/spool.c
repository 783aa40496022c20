/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - see spool.h. */
#include "sim/spool.h"
#include "common/must.h"
#include "wire/digest.h"
#include <stdlib.h>

void spool_init(struct spool *s)
{
    *s = (struct spool){.epoch = uuid_new()};
    s->last = &s->first;
}

void spool_done(struct spool *s)
{
    while (s->first) {
        struct spool_record *r = s->first;
        s->first = r->next;
        free(r);
    }
    s->last = &s->first;
    s->waiting = 0;
}

bool spool_full(const struct spool *s)
{
    return s->waiting >= SPOOL_MAX;
}

struct spool_record *spool_add(struct spool *s, struct uuid id, enum wire_event_kind kind, usec_t occurred,
                               struct slice body)
{
    struct spool_record *r = must_alloc(sizeof(*r) + body.n + 1);
    *r = (struct spool_record){.seq = ++s->head, .id = id, .kind = kind, .occurred = occurred, .n = body.n};
    memcpy(r->body, body.p, body.n);
    *s->last = r;
    s->last = &r->next;
    s->waiting++;
    return r;
}

int64_t spool_tail(const struct spool *s)
{
    return s->first ? s->first->seq : s->head + 1;
}

unsigned spool_ack(struct spool *s, int64_t seq, void (*told)(void *, const struct spool_record *), void *ctx)
{
    unsigned n = 0;
    while (s->first && s->first->seq <= seq) {
        struct spool_record *r = s->first;
        if (told)
            told(ctx, r);
        s->first = r->next;
        free(r);
        n++;
    }
    if (!s->first)
        s->last = &s->first;
    s->waiting -= n;
    return n;
}

void spool_renew(struct spool *s)
{
    s->epoch = uuid_new();
    s->head = 0;
    for (struct spool_record *r = s->first; r; r = r->next)
        r->seq = ++s->head;
}

size_t spool_batch(const struct spool *s, struct arena *a, size_t max, size_t bytes, struct wire_event **ret)
{
    size_t n = 0, used = 0;
    *ret = ARENA_ARRAY(a, struct wire_event, s->waiting < max ? s->waiting + 1 : max);
    for (const struct spool_record *r = s->first; r && n < max && (n == 0 || used + r->n < bytes); r = r->next) {
        struct slice body = slice_mem(r->body, r->n);
        struct sha256 h = wire_event_hash(r->id, slice_of(wire_event_kind_text(r->kind)), r->occurred, body);
        (*ret)[n++] = (struct wire_event){.seq = r->seq,
                                          .id = r->id,
                                          .kind = r->kind,
                                          .occurred = r->occurred,
                                          .hash = slice_of(wire_hex(&h, arena_alloc(a, WIRE_HEX_SIZE))),
                                          .body = body};
        used += r->n;
    }
    return n;
}
