/* SPDX-License-Identifier: Apache-2.0 */
/* segment.c - see segment.h. */
#include "agent/segment.h"
#include "common/file.h"
#include "common/json.h"
#include "common/must.h"
#include "wire/digest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define SEGMENT_MAGIC "SEKSPOOL"
#define RECORD_MAGIC  0x31524b53u /* "SKR1" */
#define RECORD_HEADER 16          /* magic, payload length, payload CRC, CRC of these three */
#define PAYLOAD_FIXED (SEGMENT_RECORD_FIXED - RECORD_HEADER)
#define PAYLOAD_MAX   (SEGMENT_RECORD_MAX - RECORD_HEADER)
#define WINDOW        (SEGMENT_RECORD_MAX * 2)

/* --- bytes */

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t segment_crc(const void *p, size_t n)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)n);
}

/* --- records */

void segment_encode(struct strbuf *out, const struct journal_record *r)
{
    uint8_t fixed[PAYLOAD_FIXED], header[RECORD_HEADER];
    put64(fixed, r->first);
    put64(fixed + 8, r->seq);
    memcpy(fixed + 16, r->id.b, 16);
    put64(fixed + 32, (uint64_t)r->occurred);
    memcpy(fixed + 40, r->hash.b, 32);
    fixed[72] = (uint8_t)r->priority;
    fixed[73] = (uint8_t)r->kind.n;
    uint32_t crc = segment_crc(fixed, sizeof(fixed));
    crc = (uint32_t)crc32(crc, (const Bytef *)r->kind.p, (uInt)r->kind.n);
    crc = (uint32_t)crc32(crc, (const Bytef *)r->body.p, (uInt)r->body.n);
    put32(header, RECORD_MAGIC);
    put32(header + 4, (uint32_t)(sizeof(fixed) + r->kind.n + r->body.n));
    put32(header + 8, crc);
    put32(header + 12, segment_crc(header, 12));
    strbuf_add(out, slice_mem(header, sizeof(header)));
    strbuf_add(out, slice_mem(fixed, sizeof(fixed)));
    strbuf_add(out, r->kind);
    strbuf_add(out, r->body);
}

static bool decode_payload(const uint8_t *p, size_t n, struct journal_record *ret)
{
    if (n < PAYLOAD_FIXED || n > PAYLOAD_MAX)
        return false;
    struct journal_record r = {.first = get64(p), .seq = get64(p + 8), .occurred = (usec_t)get64(p + 32)};
    memcpy(r.id.b, p + 16, 16);
    memcpy(r.hash.b, p + 40, 32);
    size_t kind = p[73];
    if (p[72] >= JOURNAL_PRIORITIES || kind > JOURNAL_KIND_MAX || PAYLOAD_FIXED + kind > n || r.first == 0 ||
        r.first > r.seq || r.seq > INT64_MAX)
        return false;
    r.priority = p[72];
    r.kind = slice_mem(p + PAYLOAD_FIXED, kind);
    r.body = slice_mem(p + PAYLOAD_FIXED + kind, n - PAYLOAD_FIXED - kind);
    if (r.body.n > JOURNAL_BODY_MAX || (r.first != r.seq && !slice_eq(r.kind, SLICE("gap"))))
        return false;
    *ret = r;
    return true;
}

/* --- reading one segment file through a window */

void segment_reader_init(struct segment_reader *r, int fd, uint64_t at)
{
    struct stat st;
    *r = (struct segment_reader){.fd = fd, .at = at};
    r->size = fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    r->window = must_alloc(WINDOW);
}

void segment_reader_done(struct segment_reader *r)
{
    free(r->window);
    r->window = NULL;
}

/* Up to n bytes at offset off; fewer at the end of the file. */
static const uint8_t *peek(struct segment_reader *r, uint64_t off, size_t n, size_t *ret_n)
{
    if (off < r->window_at || off + n > r->window_at + r->window_n) {
        r->window_at = off;
        r->window_n = 0;
        while (r->window_n < WINDOW) {
            ssize_t did = pread(r->fd, r->window + r->window_n, WINDOW - r->window_n, (off_t)(off + r->window_n));
            if (did < 0 && errno == EINTR)
                continue;
            if (did <= 0)
                break; /* an unreadable block reads as the end: it is damage like any other */
            r->window_n += (size_t)did;
        }
    }
    size_t skip = (size_t)(off - r->window_at);
    size_t left = skip < r->window_n ? r->window_n - skip : 0;
    *ret_n = left < n ? left : n;
    return r->window + skip;
}

static bool all_zero(struct segment_reader *r, uint64_t off)
{
    for (;;) {
        size_t n;
        const uint8_t *p = peek(r, off, SEGMENT_RECORD_MAX, &n);
        if (n == 0)
            return true;
        for (size_t i = 0; i < n; i++)
            if (p[i])
                return false;
        off += n;
    }
}

/* The record at offset off, when there is a whole and sound one. */
static enum segment_found record_at(struct segment_reader *r, uint64_t off, struct journal_record *ret,
                                    uint64_t *ret_next)
{
    size_t n;
    const uint8_t *p = peek(r, off, SEGMENT_RECORD_MAX, &n);
    if (n == 0)
        return SEGMENT_END;
    if (n < RECORD_HEADER) {
        uint8_t magic[4];
        put32(magic, RECORD_MAGIC);
        return memcmp(p, magic, n < 4 ? n : 4) == 0 || all_zero(r, off) ? SEGMENT_TORN : SEGMENT_BAD;
    }
    if (get32(p) != RECORD_MAGIC || get32(p + 12) != segment_crc(p, 12))
        return all_zero(r, off) ? SEGMENT_TORN : SEGMENT_BAD;
    size_t len = get32(p + 4);
    if (len < PAYLOAD_FIXED || len > PAYLOAD_MAX)
        return SEGMENT_BAD;
    if (n < RECORD_HEADER + len)
        return SEGMENT_TORN;
    if (get32(p + 8) != segment_crc(p + RECORD_HEADER, len) || !decode_payload(p + RECORD_HEADER, len, ret))
        return SEGMENT_BAD;
    *ret_next = off + RECORD_HEADER + len;
    return SEGMENT_FOUND;
}

/* Moves to the next record. After SEGMENT_BAD the place is behind the damage, at the next sound record or the end.
 * Slices of *ret point into the window: good until the next call. */
enum segment_found segment_reader_next(struct segment_reader *r, struct journal_record *ret)
{
    uint64_t next;
    enum segment_found f = record_at(r, r->at, ret, &next);
    if (f == SEGMENT_FOUND)
        r->at = next;
    if (f != SEGMENT_BAD)
        return f;
    uint64_t off = r->at + 1;
    for (;; off++) {
        size_t n;
        const uint8_t *p = peek(r, off, RECORD_HEADER, &n);
        if (n < RECORD_HEADER) {
            r->at = r->size;
            return SEGMENT_BAD;
        }
        struct journal_record skip;
        if (get32(p) == RECORD_MAGIC && get32(p + 12) == segment_crc(p, 12) &&
            record_at(r, off, &skip, &next) != SEGMENT_BAD) {
            r->at = off;
            return SEGMENT_BAD;
        }
    }
}

/* Header good: records start behind it. Damaged: the caller finds them by searching. */
bool segment_header_good(struct segment_reader *r, const struct uuid *epoch)
{
    size_t n;
    const uint8_t *p = peek(r, 0, SEGMENT_HEADER, &n);
    return n == SEGMENT_HEADER && memcmp(p, SEGMENT_MAGIC, 8) == 0 && get32(p + 32) == segment_crc(p, 32) &&
           (!epoch || memcmp(p + 8, epoch->b, 16) == 0);
}

/* --- files */

char *segment_path(const char *dir, uint64_t number)
{
    return must_printf("%s/%016" PRIx64 ".seg", dir, number);
}

void segment_note(struct segment *s, const struct journal_record *r)
{
    if (s->first == 0)
        s->first = r->first;
    s->last = r->seq;
    if (s->count[r->priority]++ == 0 || r->occurred < s->oldest[r->priority])
        s->oldest[r->priority] = r->occurred;
}

int segment_create(const char *path, struct uuid epoch, uint64_t first)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    uint8_t header[SEGMENT_HEADER] = {0};
    memcpy(header, SEGMENT_MAGIC, 8);
    memcpy(header + 8, epoch.b, 16);
    put64(header + 24, first);
    put32(header + 32, segment_crc(header, 32));
    if (!file_write_all(fd, slice_mem(header, sizeof(header)))) {
        int e = errno;
        close(fd);
        unlink(path);
        errno = e;
        return -1;
    }
    return fd;
}

/* The numbers of the segment files in dir, in order. What an interrupted rewrite left behind is removed. */
size_t segment_list(const char *dir, uint64_t **ret)
{
    uint64_t *list = NULL;
    size_t n = 0;
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        struct slice name = slice_of(e->d_name);
        if (slice_ends(name, SLICE(".new")))
            unlinkat(dirfd(d), e->d_name, 0);
        uint8_t b[8];
        size_t got;
        if (name.n != 20 || !slice_ends(name, SLICE(".seg")) || !slice_unhex((struct slice){name.p, 16}, b, 8, &got))
            continue;
        uint64_t number = 0;
        for (int i = 0; i < 8; i++)
            number = number << 8 | b[i];
        list = must_realloc(list, (n + 1) * sizeof(*list));
        size_t at = n++;
        for (; at > 0 && list[at - 1] > number; at--)
            list[at] = list[at - 1];
        list[at] = number;
    }
    if (d)
        closedir(d);
    *ret = list;
    return n;
}

/* --- writing records */

void segment_gap_body(struct strbuf *out, uint64_t first, uint64_t last, const char *reason)
{
    struct json_writer w;
    json_start(&w, out);
    json_object_open(&w);
    json_key(&w, "first");
    json_int(&w, (int64_t)first);
    json_key(&w, "last");
    json_int(&w, (int64_t)last);
    json_key(&w, "reason");
    json_str(&w, slice_of(reason));
    json_object_close(&w);
}

void segment_encode_gap(struct strbuf *out, uint64_t first, uint64_t last, const char *reason, struct segment *s)
{
    struct strbuf body;
    strbuf_init(&body, 512);
    segment_gap_body(&body, first, last, reason);
    struct journal_record r = {.first = first,
                               .seq = last,
                               .id = uuid_new(),
                               .occurred = clock_now(),
                               .priority = JOURNAL_DETECTION,
                               .kind = SLICE("gap"),
                               .body = strbuf_slice(&body)};
    r.hash = wire_event_hash(r.id, r.kind, r.occurred, r.body);
    segment_encode(out, &r);
    segment_note(s, &r);
    strbuf_done(&body);
}

bool segment_flush(int fd, struct strbuf *out, bool force)
{
    if (out->n == 0 || (!force && out->n < 65536))
        return true;
    bool ok = !out->over && file_write_all(fd, strbuf_slice(out));
    strbuf_clear(out);
    return ok;
}

size_t segment_scan(int fd, void (*fn)(void *ctx, const struct journal_record *r), void *ctx, bool *ret_torn)
{
    struct segment_reader r;
    segment_reader_init(&r, fd, SEGMENT_HEADER);
    size_t bad = 0;
    if (!segment_header_good(&r, NULL)) {
        bad = 1;
        r.at = 0;
    }
    struct journal_record rec;
    enum segment_found f;
    while ((f = segment_reader_next(&r, &rec)) == SEGMENT_FOUND || f == SEGMENT_BAD) {
        if (f == SEGMENT_BAD)
            bad++;
        else
            fn(ctx, &rec);
    }
    *ret_torn = f == SEGMENT_TORN;
    segment_reader_done(&r);
    return bad;
}
