/* SPDX-License-Identifier: Apache-2.0 */
/* agent_wake.c - opens the wake-up stream of an agent. On the home loop. The query ?revision=N says what the agent holds; the
 * cached revision answers at once when it is newer, which closes the race between the last check-in and the stream; without
 * a cached one the next sweep (worker/) compares with the database. */
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

static void found(struct call *c, const struct cache_revision *r, void *arg)
{
    const int64_t *known = arg;
    enum rc rc = wake_open(c, *known, r->known ? r->revision : -1);
    if (rc != RC_OK) {
        answer_problem(c, rc);
        call_finish(c);
    }
}

enum rc agent_wake(struct call *c)
{
    int64_t *known = ARENA_NEW(c->arena, int64_t);
    enum rc rc = known_revision(c, known);
    if (rc != RC_OK)
        return rc;
    cache_revision_get(c, principal_tenant_no(c->principal), principal_subject(c->principal), found, known);
    return RC_OK;
}
