/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - SIGHUP. The live values are written one by one, each in one store, so readers on other threads see the old
 * or the new one. Old strings are kept: a reader may hold one. */
#include "common/event.h"
#include "edge/edge.h"
#include "server/server.h"

static void take_reloadable(struct params *live, const struct params *fresh)
{
#define PARAM_STR(name, def, flags, help) \
    if ((flags)&PARAM_RELOADABLE)         \
        __atomic_store_n(&live->name, fresh->name, __ATOMIC_RELEASE);
#define PARAM_INT(name, def, min, max, unit, flags, help) \
    if ((flags)&PARAM_RELOADABLE)                         \
        __atomic_store_n(&live->name, fresh->name, __ATOMIC_RELEASE);
#define PARAM_BOOL(name, def, flags, help) \
    if ((flags)&PARAM_RELOADABLE)          \
        __atomic_store_n(&live->name, fresh->name, __ATOMIC_RELEASE);
#include "common/params.def"
#undef PARAM_STR
#undef PARAM_INT
#undef PARAM_BOOL
}

void server_reload(struct server *s)
{
    struct params fresh;
    char why[512];

    if (params_load(&fresh, s->config_file, s->overrides, s->n_overrides, why, sizeof(why)) != RC_OK) {
        ev_error(AREA_SERVER, "configuration not reloaded, the old one stays", EV_STR("why", why));
        return;
    }
    take_reloadable(&s->params, &fresh);
    for (int a = 0; a < AREA_COUNT; a++)
        event_debug_set((enum event_area)a, s->params.log_debug);
    if (edge_reload(s->edge, why, sizeof(why)) != RC_OK)
        ev_error(AREA_SERVER, "certificate not reloaded, the old one stays", EV_STR("why", why));
    else
        ev_info(AREA_SERVER, "configuration and certificate reloaded");
}
