/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline.h - where a new call begins. Only this room sees all stages. */
#ifndef SEKISHO_PIPELINE_H
#define SEKISHO_PIPELINE_H

struct call;

/* The edge's dispatch: runs the call's stages from the first; takes the call over. On its home loop thread. */
void pipeline_begin(struct call *c);

#endif
