/* SPDX-License-Identifier: Apache-2.0 */
/* make_permit.h - maker of permits; quota/ only. */
#ifndef SEKISHO_MAKE_PERMIT_H
#define SEKISHO_MAKE_PERMIT_H
#include "call/passes.h"

const struct permit *permit_make(struct arena *a, const struct tenant_scope *s);
#endif
