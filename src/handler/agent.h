/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - what the handlers of agents' routes need from the server at start. */
#ifndef SEKISHO_HANDLER_AGENT_H
#define SEKISHO_HANDLER_AGENT_H

#include "store/batch.h"

struct params;

/* Before the listeners open; p and b outlive the handlers. */
void agent_handlers_start(const struct params *p, struct batch_pool *b);
void agent_module_start(const struct params *p); /* called by agent_handlers_start */

#endif
