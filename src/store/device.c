/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - see device.h; the column numbers follow device.sql. */
#include "store/device.h"

/* Which statement searches: with three characters there is a trigram to look up. */
enum searching { SEARCH_NONE, SEARCH_SHORT, SEARCH_LONG };

static enum searching searching(const struct device_filter *f)
{
    size_t characters = 0;
    for (size_t i = 0; i < f->search.n; i++)
        characters += ((unsigned char)f->search.p[i] & 0xc0) != 0x80;
    return !f->search.p ? SEARCH_NONE : characters < 3 ? SEARCH_SHORT : SEARCH_LONG;
}

static bool filtering(const struct device_filter *f)
{
    return !uuid_is_nil(f->group) || f->status >= 0 || f->os.p || f->problems_only || f->isolated >= 0;
}

/* %text%, with what LIKE takes for more than itself escaped. */
static struct slice pattern(struct arena *a, struct slice text)
{
    struct strbuf out;
    strbuf_init_arena(&out, a, 2 * text.n + 3);
    strbuf_add_char(&out, '%');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' || text.p[i] == '_' || text.p[i] == '\\')
            strbuf_add_char(&out, '\\');
        strbuf_add_char(&out, text.p[i]);
    }
    strbuf_add_char(&out, '%');
    return strbuf_slice(&out);
}

static void filter_args(struct sql_args *args, const struct device_filter *f)
{
    args_uuid(args, f->group);
    if (f->status < 0)
        args_null(args);
    else
        args_int(args, f->status);
    args_slice(args, f->os);
    args_bool(args, f->problems_only);
    if (f->isolated < 0)
        args_null(args);
    else
        args_bool(args, f->isolated != 0);
    if (searching(f) == SEARCH_LONG)
        args_slice(args, pattern(args->arena, f->search));
    else
        args_slice(args, f->search);
}

static void row_read(const struct rows *r, int i, struct device_row *d)
{
    d->id = rows_uuid(r, i, 0);
    d->name = rows_slice(r, i, 1);
    d->description = rows_slice(r, i, 2);
    d->group_id = rows_uuid(r, i, 3);
    d->group_name = rows_slice(r, i, 4);
    d->status = (int)rows_int(r, i, 5);
    d->os_family = rows_slice(r, i, 6);
    d->os_name = rows_slice(r, i, 7);
    d->os_version = rows_slice(r, i, 8);
    d->ip = rows_slice(r, i, 9);
    d->last_seen = rows_time(r, i, 10);
    d->interval = (int)rows_int(r, i, 11);
    d->problems = (int)rows_int(r, i, 12);
    d->unresolved = rows_int(r, i, 13);
    d->isolated = rows_bool(r, i, 14);
    d->protection = rows_slice(r, i, 15);
    d->agent_version = rows_slice(r, i, 16);
    d->enrolled_at = rows_time(r, i, 17);
}

enum rc device_page(struct tx *tx, struct arena *a, const struct device_filter *f, enum device_sort sort,
                    bool descending, struct slice after_key, struct uuid after_id, int limit, struct device_row **ret,
                    size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    filter_args(&args, f);
    args_slice(&args, after_key);
    args_uuid(&args, after_id);
    args_int(&args, limit);
    struct rows r;
    static const unsigned sorts[] = {[DEVICE_BY_NAME] = 0,
                                     [DEVICE_BY_OS_NAME] = 1,
                                     [DEVICE_BY_PROBLEMS] = 2,
                                     [DEVICE_BY_UNRESOLVED] = 3,
                                     [DEVICE_BY_ENROLLED_AT] = 4};
    bool next = after_key.p != NULL;
    enum sql_id id = sort == DEVICE_BY_LAST_SEEN
                         ? sql_device_page_seen(0, descending, next, filtering(f), searching(f))
                         : sql_device_page(sorts[sort], descending, next, filtering(f), searching(f));
    enum rc rc = tx_run(tx, id, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct device_row *rows = ARENA_ARRAY(a, struct device_row, r.n + 1);
    bool is_time = sort == DEVICE_BY_LAST_SEEN || sort == DEVICE_BY_ENROLLED_AT;
    for (int i = 0; i < r.n; i++) {
        row_read(&r, i, &rows[i]);
        rows[i].sort_key = is_time ? slice_of(clock_rfc3339(rows_time(&r, i, 18), arena_alloc(a, CLOCK_RFC3339_SIZE)))
                                   : rows_slice(&r, i, 18);
    }
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc device_count(struct tx *tx, struct arena *a, const struct device_filter *f, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    filter_args(&args, f);
    struct rows r;
    enum rc rc = tx_one(tx, sql_device_count(filtering(f), searching(f)), &args, &r);
    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

enum rc device_find(struct tx *tx, struct arena *a, struct uuid id, struct device_more *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_device_find, &args, &r);
    if (rc != RC_OK)
        return rc;
    *ret = (struct device_more){0};
    row_read(&r, 0, &ret->row);
    ret->fqdn = rows_slice(&r, 0, 18);
    ret->lost_records = rows_int(&r, 0, 19);
    ret->identity_question = rows_bool(&r, 0, 20);
    ret->addresses = rows_slice(&r, 0, 21);
    ret->certificate_expires_at = rows_null(&r, 0, 22) ? 0 : rows_time(&r, 0, 22);
    ret->certificate_revoked = !rows_null(&r, 0, 23);
    return RC_OK;
}

static enum rc facts_read(const struct rows *r, struct arena *a, int first, struct slice kind, struct fact_row **ret,
                          size_t *ret_n)
{
    struct fact_row *rows = ARENA_ARRAY(a, struct fact_row, r->n + 1);
    for (int i = 0; i < r->n; i++) {
        rows[i].kind = first ? rows_slice(r, i, 0) : kind;
        rows[i].key = rows_slice(r, i, first);
        rows[i].value = rows_slice(r, i, first + 1);
    }
    *ret = rows;
    *ret_n = (size_t)r->n;
    return RC_OK;
}

enum rc device_facts(struct tx *tx, struct arena *a, struct uuid id, struct fact_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_device_facts, &args, &r);
    return rc == RC_OK ? facts_read(&r, a, 1, SLICE_NONE, ret, ret_n) : rc;
}

enum rc device_software_page(struct tx *tx, struct arena *a, struct uuid id, struct slice search,
                             struct slice after_key, int limit, struct fact_row **ret, size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    args_slice(&args, search);
    args_slice(&args, after_key);
    args_int(&args, limit);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_device_software_page, &args, &r);
    return rc == RC_OK ? facts_read(&r, a, 0, SLICE("software"), ret, ret_n) : rc;
}

enum rc device_software_count(struct tx *tx, struct arena *a, struct uuid id, struct slice search, int64_t *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    args_slice(&args, search);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_device_software_count, &args, &r);
    if (rc == RC_OK)
        *ret = rows_int(&r, 0, 0);
    return rc;
}

enum rc device_update(struct tx *tx, struct arena *a, struct uuid id, struct slice name, struct slice description,
                      struct uuid group, struct slice *ret_name)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    args_slice(&args, name);
    args_slice(&args, description);
    args_uuid(&args, group);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_device_update, &args, &r);
    if (rc == RC_OK)
        *ret_name = rows_slice(&r, 0, 0);
    return rc;
}

enum rc device_remove(struct tx *tx, struct arena *a, struct uuid id, struct slice *ret_name)
{
    struct sql_args args;
    args_init(&args, a);
    args_uuid(&args, id);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_device_lock, &args, &r);
    if (rc == RC_OK)
        rc = tx_one(tx, SQL_device_remove, &args, &r);
    if (rc == RC_OK)
        *ret_name = rows_slice(&r, 0, 0);
    return rc;
}

enum rc device_figures(struct tx *tx, struct arena *a, usec_t now, struct device_figures *ret)
{
    struct sql_args args;
    args_init(&args, a);
    args_time(&args, now);
    struct rows r;
    enum rc rc = tx_one(tx, SQL_device_counts, &args, &r);
    if (rc == RC_OK)
        *ret = (struct device_figures){rows_int(&r, 0, 0), rows_int(&r, 0, 1), rows_int(&r, 0, 2), rows_int(&r, 0, 3),
                                       rows_int(&r, 0, 4)};
    return rc;
}

enum rc device_revisions(struct tx *tx, struct arena *a, const struct uuid *ids, size_t n, struct device_revision **ret,
                         size_t *ret_n)
{
    struct sql_args args;
    args_init(&args, a);
    struct sql_array *x = args_array(&args);
    for (size_t i = 0; i < n; i++)
        array_uuid(x, ids[i]);
    struct rows r;
    enum rc rc = tx_run(tx, SQL_device_revisions, &args, &r);
    if (rc != RC_OK)
        return rc;
    struct device_revision *rows = ARENA_ARRAY(a, struct device_revision, r.n + 1);
    for (int i = 0; i < r.n; i++)
        rows[i] = (struct device_revision){rows_uuid(&r, i, 0), rows_int(&r, i, 1)};
    *ret = rows;
    *ret_n = (size_t)r.n;
    return RC_OK;
}

enum rc seen_flush(struct tx *tx, struct arena *a, const struct seen_row *rows, size_t n)
{
    struct sql_args args;
    args_init(&args, a);
    struct sql_array *devices = args_array(&args), *times = args_array(&args), *addresses = args_array(&args);
    for (size_t i = 0; i < n; i++) {
        array_uuid(devices, rows[i].device);
        array_time(times, rows[i].at);
        array_slice(addresses, slice_of(rows[i].address));
    }
    struct rows r;
    return tx_run(tx, SQL_seen_flush, &args, &r);
}
