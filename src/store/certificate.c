/* SPDX-License-Identifier: Apache-2.0 */
/* certificate.c - see certificate.h; the column numbers follow certificate.sql. */
#include "store/certificate.h"

static bool hash_read(const struct rows *r, int i, struct sha256 *ret)
{
    size_t n;
    return slice_unhex(rows_slice(r, i, 0), ret->b, sizeof ret->b, &n) && n == sizeof ret->b;
}

enum rc certificate_find(struct tx *tx, struct arena *a, const struct sha256 *leaf, struct certificate_row *ret)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_bytes(&args, slice_mem(leaf->b, sizeof leaf->b));
    enum rc rc = tx_one(tx, SQL_certificate_find, &args, &r);
    if (rc == RC_OK)
        *ret = (struct certificate_row){rows_uuid(&r, 0, 0), rows_time(&r, 0, 1), !rows_null(&r, 0, 2)};
    return rc;
}

enum rc certificate_insert(struct tx *tx, struct arena *a, const struct sha256 *leaf, struct uuid device,
                           const char *serial, const struct sha256 *key, usec_t issued, usec_t expires)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_bytes(&args, slice_mem(leaf->b, sizeof leaf->b));
    args_uuid(&args, device);
    args_str(&args, serial);
    args_bytes(&args, slice_mem(key->b, sizeof key->b));
    args_time(&args, issued);
    args_time(&args, expires);
    return tx_run(tx, SQL_certificate_insert, &args, &r);
}

enum rc certificate_revoke(struct tx *tx, struct arena *a, struct uuid device, usec_t now, struct sha256 **ret,
                           size_t *ret_n)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, device);
    args_time(&args, now);
    enum rc rc = tx_run(tx, SQL_certificate_revoke, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = ARENA_ARRAY(a, struct sha256, r.n + 1);
    *ret_n = 0;
    for (int i = 0; i < r.n; i++)
        *ret_n += hash_read(&r, i, &(*ret)[*ret_n]);
    return RC_OK;
}

enum rc certificate_live(struct tx *tx, struct arena *a, const struct sha256 *leaves, size_t n, bool *ret_live)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    struct sql_array *list = args_array(&args);
    for (size_t i = 0; i < n; i++) {
        struct strbuf hex;
        strbuf_init_arena(&hex, a, 64);
        strbuf_add_hex(&hex, leaves[i].b, sizeof leaves[i].b);
        array_slice(list, strbuf_slice(&hex));
    }
    enum rc rc = tx_run(tx, SQL_certificate_live, &args, &r);
    if (rc != RC_OK)
        return rc;
    memset(ret_live, 0, n * sizeof *ret_live);
    for (int k = 0; k < r.n; k++) {
        struct sha256 h;
        if (!hash_read(&r, k, &h))
            return RC_INTERNAL;
        for (size_t i = 0; i < n; i++)
            ret_live[i] = ret_live[i] || memcmp(&h, &leaves[i], sizeof h) == 0;
    }
    return RC_OK;
}

enum rc certificate_device(struct tx *tx, struct arena *a, struct uuid device, struct slice *ret_name)
{
    struct sql_args args;
    struct rows r;
    args_init(&args, a);
    args_uuid(&args, device);
    enum rc rc = tx_one(tx, SQL_certificate_device, &args, &r);
    if (rc == RC_OK)
        *ret_name = rows_slice(&r, 0, 0);
    return rc;
}
