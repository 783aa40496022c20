/* SPDX-License-Identifier: Apache-2.0 */
/* agent_wake.c - opens the wake-up stream of an agent. On the home loop. The query ?revision=N says what the agent
 * holds; the cached revision answers at once when it is newer, which closes the race between the last check-in and the
 * stream; without a cached one the next sweep (worker/) compares with the database. */
#include "cache/cache.h"
#include "handler/api.gen.h"
#include "push/wake.h"

static enum rc known_revision(struct call *c, int64_t *ret)
{
    struct slice rest = c->query;
    *ret = 0;
    while (rest.n) {
        struct slice value = slice_cut(&rest, '&'), name = slice_cut(&value, '=');
        if (!slice_eq(name, SLICE("revision")))
            continue;
        if (!slice_i64(value, ret) || *ret < 0)
            return fault_field(c, PROBLEM_field_type, "revision", "a number from 0");
    }
    return RC_OK;
}

/* The cache answers at once (it is away) or later; only then the call is ours to finish. */
struct opening {
    int64_t known;
    enum rc rc;
    bool later;
    bool answered;
};

static void found(struct call *c, const struct cache_revision *r, void *arg)
{
    struct opening *o = arg;
    o->answered = true;
    if (!atomic_load(&c->cancelled))
        o->rc = wake_open(c, o->known, r->known ? r->revision : -1);
    if (!o->later)
        return;
    if (o->rc != RC_OK)
        answer_problem(c, o->rc);
    call_finish(c);
}

enum rc agent_wake(struct call *c)
{
    struct opening *o = ARENA_NEW(c->arena, struct opening);
    enum rc rc = known_revision(c, &o->known);
    if (rc != RC_OK)
        return rc;
    cache_revision_get(c, principal_tenant_no(c->principal), principal_subject(c->principal), found, o);
    o->later = !o->answered;
    return o->rc;
}
