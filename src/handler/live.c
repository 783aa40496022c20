/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - opens a console's stream of change hints. On the home loop. */
#include "push/live.h"
#include "handler/api.gen.h"

enum rc api_live_open(struct call *c)
{
    return live_open(c);
}
