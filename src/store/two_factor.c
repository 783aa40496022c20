/* SPDX-License-Identifier: Apache-2.0 */
/* two_factor.c - see two_factor.h. */
#include "store/two_factor.h"

static enum rc one(struct tx *tx, enum sql_id id, struct sql_args *args)
{
    struct rows r;
    enum rc rc = tx_run(tx, id, args, &r);
    return rc != RC_OK ? rc : rows_affected(&r) == 1 ? RC_OK : RC_NOT_FOUND;
}

enum rc two_factor_begin(struct tx *tx, struct arena *a, struct uuid account, struct slice sealed)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, account);
    args_bytes(&args, sealed);
    return one(tx, SQL_two_factor_begin, &args);
}

static struct slice hex_literal(struct arena *a, const struct sha256 *h)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 2 + 2 * sizeof h->b);
    strbuf_add(&b, SLICE("\\x"));
    strbuf_add_hex(&b, h->b, sizeof h->b);
    return strbuf_slice(&b);
}

enum rc two_factor_confirm(struct tx *tx, struct arena *a, struct uuid account, struct slice sealed, usec_t now,
                           int64_t step, const struct sha256 *recovery, size_t n)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, account);
    args_bytes(&args, sealed);
    args_time(&args, now);
    args_int(&args, step);
    struct sql_array *x = args_array(&args);
    for (size_t i = 0; i < n; i++)
        array_slice(x, hex_literal(a, &recovery[i]));
    return one(tx, SQL_two_factor_confirm, &args);
}

enum rc two_factor_use(struct tx *tx, struct arena *a, struct uuid account, int64_t step)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, account);
    args_int(&args, step);
    return one(tx, SQL_two_factor_use, &args);
}

enum rc two_factor_recover(struct tx *tx, struct arena *a, struct uuid account, const struct sha256 *code,
                           int64_t *ret_left)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, account);
    args_bytes(&args, slice_mem(code->b, sizeof code->b));
    enum rc rc = tx_one(tx, SQL_two_factor_recover, &args, &r);
    if (rc == RC_OK)
        *ret_left = rows_int(&r, 0, 0);
    return rc;
}

enum rc two_factor_end(struct tx *tx, struct arena *a, struct uuid account)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, account);
    return one(tx, SQL_two_factor_end, &args);
}
