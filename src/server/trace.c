/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - debug lines that an operator has asked for with sekishoctl trace. They come from a table of control, read
 * when control.revision changes: whoever can write there owns the cell already, every replica learns of it at once, a
 * server that starts later too, and no port takes orders. The end is a time, so a lost connection prolongs nothing. */
#include "common/event.h"
#include "server/server.h"
#include "store/tenant.h"
#include "tenant/tenant.h"
#include <string.h>

#define CEILING ((size_t)256 * 1024)

static void tell(const struct event_trace *list, size_t n)
{
    char until[CLOCK_RFC3339_SIZE];

    for (size_t i = 0; i < n; i++)
        ev_info(AREA_SERVER, "debug lines asked for", EV_STR("of", event_area_name(list[i].area)),
                EV_STR("for", list[i].tenant[0] ? list[i].tenant : "all"),
                EV_STR("until", clock_rfc3339(list[i].until, until)));
}

static void load(struct db *db, int64_t revision, void *arg)
{
    struct event_trace *list = NULL;
    struct arena *a = arena_new(CEILING);
    size_t n = 0;
    struct tx *tx;
    enum rc rc = tx_begin_control(db, NULL, a, &tx);

    (void)revision;
    (void)arg;
    if (rc == RC_OK) {
        rc = trace_read(tx, a, clock_now(), &list, &n);
        tx_abort(&tx); /* nothing was written */
    }
    if (rc == RC_OK) {
        event_trace_set(list, n);
        tell(list, n);
    } else {
        ev_info(AREA_SERVER, "what debug lines are asked for is not known", EV_RC(rc));
    }
    arena_free(&a);
}

void trace_start(void)
{
    tenant_on_change(load, NULL);
}
