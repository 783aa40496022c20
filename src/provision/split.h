/* SPDX-License-Identifier: Apache-2.0 */
/* split.h - a migration file as single statements. Pure functions; memory of the arena. */
#ifndef SEKISHO_SPLIT_H
#define SEKISHO_SPLIT_H

#include "common/arena.h"
#include "common/rc.h"

/* Cuts at each ';' outside of comments, quotes and dollar quotes. Comments are left out; empty statements too.
 * RC_INVALID: something is not closed, or text follows the last ';'; *ret_line is where it begins. */
enum rc split_statements(struct arena *a, struct slice text, struct slice **ret, size_t *ret_n,
                         int *ret_line) MUST_CHECK;
/* {t} and {r} -> t_<no>. tenant_no 0: there must be none; RC_INVALID then. */
enum rc split_place(struct arena *a, struct slice statement, int tenant_no, const char **ret) MUST_CHECK;

#endif
