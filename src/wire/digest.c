/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - see digest.h. Everything is streamed, so that 20,000 rows need no copy. */
#include "wire/digest.h"
#include <stdlib.h>

static void add_line(struct sha256_stream *h, struct slice s)
{
    if (s.n)
        sha256_stream_add(h, s.p, s.n);
    sha256_stream_add(h, "\n", 1);
}

struct sha256 wire_event_hash(struct uuid id, struct slice kind, usec_t occurred, struct slice body)
{
    char id_text[UUID_TEXT_SIZE], time_text[CLOCK_RFC3339_SIZE];
    struct sha256_stream *h = sha256_stream_new();
    add_line(h, slice_of(uuid_text(id, id_text)));
    add_line(h, kind);
    add_line(h, slice_of(clock_rfc3339(occurred, time_text)));
    add_line(h, body);
    return sha256_stream_end(&h);
}

static int compare_rows(const void *a, const void *b)
{
    const struct wire_digest_row *x = a, *y = b;
    return slice_cmp(x->key, y->key);
}

struct sha256 wire_kind_digest(struct wire_digest_row *rows, size_t n)
{
    if (n > 1)
        qsort(rows, n, sizeof(*rows), compare_rows);
    struct sha256_stream *h = sha256_stream_new();
    for (size_t i = 0; i < n; i++) {
        add_line(h, rows[i].key);
        add_line(h, rows[i].value);
    }
    return sha256_stream_end(&h);
}

void wire_facts_digest(const struct slice *digests, size_t n, char ret[WIRE_HEX_SIZE])
{
    bool any = false;
    struct sha256_stream *h = sha256_stream_new();
    for (size_t i = 0; i < n; i++) {
        if (digests[i].n == 0)
            continue;
        any = true;
        sha256_stream_add(h, digests[i].p, digests[i].n);
    }
    struct sha256 sum = sha256_stream_end(&h);
    wire_hex(&sum, ret);
    if (!any)
        ret[0] = '\0';
}

char *wire_hex(const struct sha256 *h, char ret[WIRE_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(h->b); i++) {
        ret[2 * i] = digits[h->b[i] >> 4];
        ret[2 * i + 1] = digits[h->b[i] & 15];
    }
    ret[2 * sizeof(h->b)] = '\0';
    return ret;
}
