/* SPDX-License-Identifier: Apache-2.0 */
/* agent_module.c - files of the module mirror. On the home loop. Names are plain ([a-z0-9._-], no leading dot), so that
 * none leads out of the folder. */
#include "common/params.h"
#include "handler/agent.h"
#include "handler/api.gen.h"

static const struct params *params;

void agent_module_start(const struct params *p)
{
    params = p;
}

static bool plain(struct slice name)
{
    if (name.n == 0 || name.n > 100 || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9') && ch != '.' && ch != '_' && ch != '-')
            return false;
    }
    return true;
}

enum rc agent_module(struct call *c)
{
    struct slice name = c->args[0];
    if (!params->modules[0] || !plain(name))
        return fault(c, RC_NOT_FOUND, PROBLEM_not_found);
    const char *type = slice_ends(name, SLICE(".json")) ? "application/json" : "application/octet-stream";
    return answer_file(c, arena_printf(c->arena, "%s/" SLICE_FMT, params->modules, SLICE_ARG(name)), type);
}
