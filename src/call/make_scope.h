/* SPDX-License-Identifier: Apache-2.0 */
/* make_scope.h - maker of scopes; tenant/ only. release is called with snapshot when the arena is freed. */
#ifndef SEKISHO_MAKE_SCOPE_H
#define SEKISHO_MAKE_SCOPE_H
#include "call/passes.h"

/* must(principal_tenant_no(p) == t->no). */
const struct tenant_scope *scope_make(struct arena *a, const struct principal *p, const struct tenant *t,
                                      void (*release)(void *), void *snapshot);
/* Where the tenant is what a verified enrolment token or sign-in name says, before there is a principal of it. */
const struct tenant_scope *scope_make_named(struct arena *a, const struct tenant *t, void (*release)(void *),
                                            void *snapshot);
#endif
