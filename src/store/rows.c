/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - values of a result by row and column. A row or column that does not exist is our mistake and aborts; a value
 * of an unexpected form reads as empty. */
#include "common/must.h"
#include "store/pg.h"
#include "store/pgtext.h"

int64_t rows_affected(const struct rows *r)
{
    int64_t n = 0;

    return slice_i64(pg_affected(r->result), &n) ? n : 0;
}

bool rows_null(const struct rows *r, int row, int col)
{
    return rows_slice(r, row, col).p == NULL;
}

struct slice rows_slice(const struct rows *r, int row, int col)
{
    must(row >= 0 && row < r->n);
    return pg_value(r->result, row, col);
}

int64_t rows_int(const struct rows *r, int row, int col)
{
    int64_t v = 0;

    return slice_i64(rows_slice(r, row, col), &v) ? v : 0;
}

bool rows_bool(const struct rows *r, int row, int col)
{
    return slice_eq(rows_slice(r, row, col), SLICE("t"));
}

struct uuid rows_uuid(const struct rows *r, int row, int col)
{
    struct uuid u = {0};

    return uuid_parse(rows_slice(r, row, col), &u) ? u : (struct uuid){0};
}

usec_t rows_time(const struct rows *r, int row, int col)
{
    return pgtext_time(rows_slice(r, row, col));
}

struct slice rows_bytes(const struct rows *r, struct arena *a, int row, int col)
{
    return pgtext_bytes(a, rows_slice(r, row, col));
}

size_t rows_array(const struct rows *r, struct arena *a, int row, int col, struct slice **ret_items)
{
    return pgtext_array(a, rows_slice(r, row, col), ret_items);
}
