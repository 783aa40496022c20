/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - see audit.h. */
#include "store/audit.h"
#include "common/must.h"

enum rc audit_insert(struct tx *tx, struct arena *a, const struct audit_row *row)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, uuid_new());
    args_time(&args, clock_now());
    args_uuid(&args, row->account);
    args_slice(&args, row->name.p ? row->name : SLICE(""));
    args_uuid(&args, row->session);
    args_str(&args, row->address);
    args_str(&args, row->action);
    args_str(&args, row->object_type ? row->object_type : "");
    args_uuid(&args, row->object_id);
    args_slice(&args, row->object_name.p ? row->object_name : SLICE(""));
    args_str(&args, row->result);
    args_slice(&args, row->detail_json);
    return tx_run(tx, SQL_audit_insert, &args, &r);
}

enum rc audit_write(struct call *c)
{
    if (!c->route->audit)
        return RC_OK;
    must(c->tx && c->principal); /* handlers without c->tx write their row themselves */
    bool user = principal_kind(c->principal) == PRINCIPAL_USER;
    struct audit_row row = {.account = user ? principal_subject(c->principal) : (struct uuid){{0}},
                            .session = user ? principal_session(c->principal) : (struct uuid){{0}},
                            .address = c->address,
                            .action = c->route->audit,
                            .object_type = c->audit.object_type,
                            .object_id = c->audit.object_id,
                            .object_name = c->audit.object_name,
                            .result = "done",
                            .detail_json = c->audit.detail_json};
    return audit_insert(c->tx, c->arena, &row);
}
