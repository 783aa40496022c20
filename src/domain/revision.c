/* SPDX-License-Identifier: Apache-2.0 */
/* revision.c - see revision.h. */
#include "domain/revision.h"
#include "cache/cache.h"
#include "push/wake.h"

enum rc revision_block(struct call *c, const struct uuid *devices, size_t n)
{
    return cache_revision_block(scope_tenant(c->scope)->no, devices, n);
}

struct telling {
    int tenant_no;
    const struct task_target *targets;
    size_t n;
};

static void tell(void *arg)
{
    const struct telling *t = arg;
    for (size_t i = 0; i < t->n; i++)
        wake_device(t->tenant_no, t->targets[i].device, t->targets[i].revision);
}

void revision_tell(struct call *c, const struct task_target *targets, size_t n)
{
    struct telling *t = ARENA_NEW(c->arena, struct telling);
    *t = (struct telling){scope_tenant(c->scope)->no, targets, n};
    call_after_commit(c, tell, t);
}
