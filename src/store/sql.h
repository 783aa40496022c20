/* SPDX-License-Identifier: Apache-2.0 */
/* sql.h - a statement of the generated table (store/sql.gen.h, from *.sql). Immutable. */
#ifndef SEKISHO_SQL_H
#define SEKISHO_SQL_H

#include <stdbool.h>
#include <stdint.h>

struct sql_statement {
    const char *name; /* "device_find" */
    const char *text; /* with {t} for the tenant's schema */
    uint8_t n_params; /* with that of reach */
    bool reach;       /* the last parameter is the groups that the caller's right reaches; tx_run adds it */
    bool control;     /* runs against the control schema, without a tenant */
    bool writes;
};

#endif
