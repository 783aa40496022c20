/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - see journal.h. On disk:
 *   lock                  flock of the owning process
 *   current               text: the epoch in force
 *   <epoch>/mark          text: acknowledged and highest number, count of lost records, CRC; replaced atomically
 *   <epoch>/<n>.seg       a segment: 40-byte header, then records; n grows
 * A segment is only appended to, or rewritten beside and renamed over (dropping records, inserting gap records). The
 * mark is durable before an acknowledged segment is deleted, so a hole at the start is damage, never an old
 * acknowledgement. */
#include "agent/journal.h"
#include "agent/segment.h"
#include "common/event.h"
#include "common/file.h"
#include "common/json.h"
#include "common/map.h"
#include "common/must.h"
#include "common/strbuf.h"
#include "wire/digest.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define SEGMENT_DEFAULT (4u << 20)
#define RECENT          4096

struct journal {
    char *dir;
    int lock;
    struct journal_limits limits;
    struct uuid epoch;
    char *epoch_dir;
    struct segment *segments; /* in order of numbers; the last one is appended to */
    size_t n_segments;
    int active; /* fd of the last segment; -1: none yet */
    uint64_t ack;
    uint64_t head;
    uint64_t lost;
    usec_t lost_at;
    /* where a sequential reader went on: segment number, offset, number of the record there */
    uint64_t cursor_segment;
    uint64_t cursor_offset;
    uint64_t cursor_seq;
    /* ids of the latest records, oldest first from recent_at on */
    struct map *known;
    struct uuid *recent;
    size_t recent_at;
};

static void remember(struct journal *j, struct uuid id)
{
    if (map_put(j->known, MAP_KEY(id), j))
        return;
    struct uuid *place = &j->recent[j->recent_at];
    if (!uuid_is_nil(*place))
        map_remove(j->known, MAP_KEY(*place));
    *place = id;
    j->recent_at = (j->recent_at + 1) % RECENT;
}

bool journal_knows(const struct journal *j, struct uuid id)
{
    return map_get(j->known, MAP_KEY(id)) != NULL;
}

/* --- segments */

static struct segment *segment_add(struct journal *j, uint64_t number)
{
    j->segments = must_realloc(j->segments, (j->n_segments + 1) * sizeof(*j->segments));
    struct segment *s = &j->segments[j->n_segments++];
    *s = (struct segment){.number = number};
    return s;
}

/* A new last segment, durable with its name. */
static enum rc rotate(struct journal *j)
{
    uint64_t number = j->n_segments ? j->segments[j->n_segments - 1].number + 1 : 1;
    char *path = segment_path(j->epoch_dir, number);
    int fd = segment_create(path, j->epoch, j->head + 1);
    bool ok = fd >= 0 && fsync(fd) == 0 && file_sync_folder(j->epoch_dir);
    if (!ok && fd >= 0) {
        close(fd);
        unlink(path);
    }
    free(path);
    if (!ok)
        return RC_UNAVAILABLE;
    if (j->active >= 0)
        close(j->active);
    j->active = fd;
    segment_add(j, number)->size = SEGMENT_HEADER;
    return RC_OK;
}

static enum rc mark_write(const char *epoch_dir, uint64_t ack, uint64_t head, uint64_t lost, usec_t lost_at)
{
    struct strbuf b;
    strbuf_init(&b, 256);
    strbuf_printf(&b, "1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " ", ack, head, lost, lost_at);
    uint32_t crc = segment_crc(b.p, b.n);
    strbuf_printf(&b, "%" PRIu32 "\n", crc);
    char *path = must_printf("%s/mark", epoch_dir);
    enum rc rc = file_write(path, strbuf_slice(&b), 0600);
    free(path);
    strbuf_done(&b);
    return rc;
}

static bool mark_read(struct journal *j, const char *epoch_dir)
{
    struct arena *a = arena_new(4096);
    struct slice text = SLICE_NONE;
    enum rc rc = file_read(a, arena_printf(a, "%s/mark", epoch_dir), 1024, &text);
    uint64_t v[4], crc;
    int64_t at;
    bool ok = rc == RC_OK;
    if (ok) {
        struct slice rest = slice_trim(text);
        size_t n = 0;
        ok = slice_eq(slice_cut(&rest, ' '), SLICE("1")) && slice_u64(slice_cut(&rest, ' '), &v[0]) &&
             slice_u64(slice_cut(&rest, ' '), &v[1]) && slice_u64(slice_cut(&rest, ' '), &v[2]) &&
             slice_i64(slice_cut(&rest, ' '), &at) && slice_u64(rest, &crc);
        n = ok ? (size_t)(rest.p - text.p) : 0;
        ok = ok && crc == segment_crc(text.p, n) && v[0] <= v[1];
    }
    if (ok) {
        j->ack = v[0];
        j->head = v[1];
        j->lost = v[2];
        j->lost_at = at;
    }
    arena_free(&a);
    return ok;
}

static enum rc mark_save(struct journal *j)
{
    return mark_write(j->epoch_dir, j->ack, j->head, j->lost, j->lost_at);
}

static void remove_tree(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(dir);
}

/* --- writing records into a segment beside, for rewriting and renumbering */

struct gap {
    uint64_t first; /* 0: none pending */
    uint64_t last;
    const char *reason;
};

static bool is_gap(const struct journal_record *r)
{
    return slice_eq(r->kind, SLICE("gap"));
}

struct drop {
    int priority;  /* this one and lower; -1: none */
    uint64_t only; /* this number alone; 0: not by number */
    usec_t before; /* 0: whatever the age */
    const char *reason;
    uint64_t expect;    /* repairing: number that the first record should have, 0: not known */
    uint64_t gap_first; /* repairing: numbers to mark as lost at the end; 0: none */
    uint64_t gap_last;
};

static void gap_extend(struct gap *g, uint64_t first, uint64_t last, const char *reason)
{
    if (g->first == 0) {
        *g = (struct gap){first, last, reason};
        return;
    }
    g->last = last;
}

/* Rewrites segment i without the records that *d drops; their places are taken by gap records, and so are holes.
 * Returns the number of records newly lost by *ret_lost. The fd of the last segment is renewed. */
static enum rc rewrite(struct journal *j, size_t i, const struct drop *d, uint64_t *ret_lost)
{
    struct segment *old = &j->segments[i];
    bool last_one = i + 1 == j->n_segments;
    char *path = segment_path(j->epoch_dir, old->number);
    char *beside = must_printf("%s.new", path);
    enum rc rc = RC_UNAVAILABLE;
    uint64_t lost = 0;
    struct segment fresh = {.number = old->number};
    struct strbuf out;
    strbuf_init(&out, 65536 + 2 * SEGMENT_RECORD_MAX);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int fd = in < 0 ? -1 : segment_create(beside, j->epoch, d->expect ? d->expect : old->first);
    if (fd < 0)
        goto done;

    struct segment_reader r;
    segment_reader_init(&r, in, SEGMENT_HEADER);
    if (!segment_header_good(&r, &j->epoch))
        r.at = 0;
    struct journal_record rec;
    struct gap gap = {0};
    enum segment_found f;
    uint64_t expect = d->expect;
    bool ok = true;
    while (ok && ((f = segment_reader_next(&r, &rec)) == SEGMENT_FOUND || f == SEGMENT_BAD)) {
        if (f == SEGMENT_BAD)
            continue;
        if (rec.seq <= j->ack || (expect && rec.seq < expect)) {
            if (rec.seq >= expect)
                expect = rec.seq + 1;
            continue; /* acknowledged, or there already */
        }
        if (expect && rec.first > expect) {
            lost += rec.first - expect;
            gap_extend(&gap, expect, rec.first - 1, "damage");
        }
        expect = rec.seq + 1;
        bool old_gap = is_gap(&rec);
        bool drop = d->only
                        ? rec.seq == d->only
                        : !old_gap && (int)rec.priority <= d->priority && (d->before == 0 || rec.occurred < d->before);
        if (drop || (old_gap && gap.first)) {
            lost += drop ? 1 : 0;
            gap_extend(&gap, rec.first, rec.seq, drop ? d->reason : "damage");
            continue;
        }
        if (old_gap && d->priority >= 0) { /* may grow by what follows */
            gap = (struct gap){rec.first, rec.seq, d->reason};
            continue;
        }
        if (gap.first)
            segment_encode_gap(&out, gap.first, gap.last, gap.reason, &fresh);
        gap.first = 0;
        segment_encode(&out, &rec);
        segment_note(&fresh, &rec);
        ok = segment_flush(fd, &out, false);
    }
    if (d->gap_first) {
        lost += d->gap_last - d->gap_first + 1;
        gap_extend(&gap, d->gap_first, d->gap_last, "damage");
    }
    if (gap.first)
        segment_encode_gap(&out, gap.first, gap.last, gap.reason, &fresh);
    segment_reader_done(&r);
    ok = ok && segment_flush(fd, &out, true) && fsync(fd) == 0;
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (!ok || end < 0)
        goto done;
    fresh.size = (uint64_t)end;
    if (rename(beside, path) < 0 || !file_sync_folder(j->epoch_dir))
        goto done;
    *old = fresh;
    j->cursor_seq = 0;
    if (last_one) {
        if (j->active >= 0)
            close(j->active);
        j->active = fd;
        fd = -1;
    }
    *ret_lost += lost;
    rc = RC_OK;
done:
    if (fd >= 0)
        close(fd);
    if (in >= 0)
        close(in);
    if (rc != RC_OK)
        unlink(beside);
    free(beside);
    free(path);
    strbuf_done(&out);
    return rc;
}

static void forget_segment(struct journal *j, size_t i)
{
    char *path = segment_path(j->epoch_dir, j->segments[i].number);
    unlink(path);
    free(path);
    memmove(&j->segments[i], &j->segments[i + 1], (j->n_segments - i - 1) * sizeof(*j->segments));
    j->n_segments--;
}

/* Deletes whole acknowledged segments but the last. */
static void drop_acknowledged(struct journal *j)
{
    while (j->n_segments > 1 && j->segments[0].last <= j->ack)
        forget_segment(j, 0);
}

/* --- opening */

struct import {
    struct strbuf out;
    int fd;
    struct segment segment;
    uint64_t next;
    bool ok;
    struct map *seen; /* ids, when several epochs are put together */
    char *dir;
    struct uuid epoch;
    uint64_t segment_size;
    uint64_t lost;
};

static bool import_rotate(struct import *m)
{
    if (m->fd >= 0) {
        if (!segment_flush(m->fd, &m->out, true) || fsync(m->fd) < 0)
            return false;
        close(m->fd);
    }
    char *path = segment_path(m->dir, ++m->segment.number);
    m->fd = segment_create(path, m->epoch, m->next);
    free(path);
    m->segment.size = SEGMENT_HEADER;
    return m->fd >= 0;
}

static void import_record(struct import *m, const struct journal_record *r)
{
    if (!m->ok)
        return;
    if (m->seen && map_get(m->seen, MAP_KEY(r->id)))
        return;
    if (m->seen)
        map_put(m->seen, MAP_KEY(r->id), m);
    if (m->fd < 0 || m->segment.size >= m->segment_size) {
        m->ok = import_rotate(m);
        if (!m->ok)
            return;
    }
    size_t before = m->out.n;
    struct journal_record copy = *r;
    copy.first = m->next;
    copy.seq = m->next + (r->seq - r->first);
    struct strbuf body;
    strbuf_init(&body, 512);
    if (is_gap(r)) {
        /* its numbers move along with it, so its text and hash change: it is about this epoch */
        struct arena *a = arena_new(65536);
        struct json_error e;
        json_t *v = json_parse(a, r->body, JSON_LIMITS_DEFAULT, &e);
        const char *reason = json_string_value(json_object_get(v, "reason"));
        segment_gap_body(&body, copy.first, copy.seq, reason ? reason : "damage");
        arena_free(&a);
        copy.body = strbuf_slice(&body);
        copy.hash = wire_event_hash(copy.id, copy.kind, copy.occurred, copy.body);
    }
    segment_encode(&m->out, &copy);
    strbuf_done(&body);
    m->segment.size += m->out.n - before;
    m->next = copy.seq + 1;
    m->ok = segment_flush(m->fd, &m->out, false);
}

static void import_gap(struct import *m, uint64_t first, uint64_t last)
{
    struct journal_record r = {.first = first,
                               .seq = last,
                               .id = uuid_new(),
                               .occurred = clock_now(),
                               .priority = JOURNAL_DETECTION,
                               .kind = SLICE("gap"),
                               .body = SLICE("{\"reason\":\"damage\"}")};
    m->lost += last - first + 1;
    import_record(m, &r);
}

/* ack and head: what the folder's mark says, 0 when it is not known. */
static void import_dir(struct import *m, const char *dir, uint64_t ack, uint64_t head)
{
    uint64_t *numbers, expect = ack ? ack + 1 : 0;
    size_t n = segment_list(dir, &numbers);
    for (size_t i = 0; i < n && m->ok; i++) {
        char *path = segment_path(dir, numbers[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        free(path);
        if (fd < 0)
            continue;
        struct segment_reader r;
        segment_reader_init(&r, fd, SEGMENT_HEADER);
        if (!segment_header_good(&r, NULL))
            r.at = 0;
        struct journal_record rec;
        enum segment_found f;
        while (m->ok && ((f = segment_reader_next(&r, &rec)) == SEGMENT_FOUND || f == SEGMENT_BAD))
            if (f == SEGMENT_FOUND && rec.seq > ack) {
                if (expect && rec.first > expect)
                    import_gap(m, expect, rec.first - 1);
                import_record(m, &rec);
                if (rec.seq >= expect)
                    expect = rec.seq + 1;
            }
        segment_reader_done(&r);
        close(fd);
    }
    if (m->ok && head && (expect ? expect : 1) <= head)
        import_gap(m, expect ? expect : 1, head);
    free(numbers);
}

static uint64_t segment_limit(const struct journal *j)
{
    if (j->limits.segment)
        return j->limits.segment;
    uint64_t quarter = j->limits.size / 4;
    return quarter < SEGMENT_DEFAULT ? quarter : SEGMENT_DEFAULT;
}

/* Loads the segments of the epoch in force; RC_INVALID: so damaged that a new epoch is the only way. */
static enum rc load(struct journal *j)
{
    uint64_t *numbers;
    size_t n = segment_list(j->epoch_dir, &numbers);
    uint64_t expect = j->ack + 1, repaired = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        char *path = segment_path(j->epoch_dir, numbers[i]);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        free(path);
        if (fd < 0) {
            rc = errno == EACCES ? RC_DENIED : RC_UNAVAILABLE;
            break;
        }
        struct segment *s = segment_add(j, numbers[i]);
        bool last_one = i + 1 == n, bad = false, torn = false;
        struct segment_reader r;
        segment_reader_init(&r, fd, SEGMENT_HEADER);
        if (!segment_header_good(&r, &j->epoch)) {
            bad = true;
            r.at = 0;
        }
        struct journal_record rec;
        enum segment_found f;
        uint64_t from = expect, end = r.at;
        while ((f = segment_reader_next(&r, &rec)) == SEGMENT_FOUND || f == SEGMENT_BAD) {
            if (f == SEGMENT_BAD) {
                bad = true;
                continue;
            }
            end = r.at;
            if (rec.seq < expect && rec.seq > j->ack) {
                rc = RC_INVALID; /* a number twice: only an epoch of its own can tell them apart */
                break;
            }
            segment_note(s, &rec);
            remember(j, rec.id);
            if (rec.seq < expect)
                continue; /* acknowledged */
            if (rec.first > expect)
                bad = true;
            expect = rec.seq + 1;
        }
        torn = f == SEGMENT_TORN;
        s->size = r.size;
        segment_reader_done(&r);
        if (rc == RC_OK && torn && !bad && last_one) {
            /* never confirmed to anyone: the cut-off end of an append */
            if (end < SEGMENT_HEADER || ftruncate(fd, (off_t)end) < 0 || fsync(fd) < 0)
                rc = RC_UNAVAILABLE;
            s->size = end;
            torn = false;
        }
        if (last_one) {
            j->active = fd;
            if (lseek(fd, 0, SEEK_END) < 0)
                rc = RC_UNAVAILABLE;
        } else {
            close(fd);
        }
        if (rc == RC_OK && (bad || torn)) {
            struct drop d = {.priority = -1, .expect = from};
            /* Bytes that once were a record stand at the end: its number must not be given out again. */
            if (last_one && !torn && end < s->size && s->size > SEGMENT_HEADER)
                d.gap_first = d.gap_last = expect;
            rc = rewrite(j, i, &d, &repaired);
            if (j->segments[i].last >= expect)
                expect = j->segments[i].last + 1;
        }
    }
    free(numbers);
    if (rc != RC_OK)
        return rc;
    if (expect <= j->head) { /* the mark knows of more than the segments hold */
        if (j->n_segments == 0)
            rc = rotate(j);
        struct drop d = {.priority = -1, .gap_first = expect, .gap_last = j->head};
        if (rc == RC_OK)
            rc = rewrite(j, j->n_segments - 1, &d, &repaired);
    } else {
        j->head = expect - 1;
    }
    if (rc == RC_OK && repaired) {
        ev_warn(AREA_AGENT, "journal repaired", EV_INT("lost", repaired));
        j->lost += repaired;
        j->lost_at = clock_now();
        rc = mark_save(j);
    }
    return rc;
}

static void unload(struct journal *j)
{
    if (j->active >= 0)
        close(j->active);
    j->active = -1;
    free(j->segments);
    j->segments = NULL;
    j->n_segments = 0;
    free(j->epoch_dir);
    j->epoch_dir = NULL;
    j->ack = j->head = j->cursor_seq = 0;
}

static enum rc current_write(struct journal *j, struct uuid epoch)
{
    char text[UUID_TEXT_SIZE + 1];
    uuid_text(epoch, text);
    text[UUID_TEXT_SIZE - 1] = '\n';
    char *path = must_printf("%s/current", j->dir);
    enum rc rc = file_write(path, slice_mem(text, UUID_TEXT_SIZE), 0600);
    free(path);
    return rc;
}

static bool current_read(struct journal *j, struct uuid *ret)
{
    struct arena *a = arena_new(4096);
    struct slice text;
    bool ok =
        file_read(a, arena_printf(a, "%s/current", j->dir), 256, &text) == RC_OK && uuid_parse(slice_trim(text), ret);
    arena_free(&a);
    return ok;
}

/* Calls fn for each epoch's folder. */
static void each_epoch(struct journal *j, void (*fn)(struct journal *, struct uuid, const char *, void *), void *ctx)
{
    DIR *d = opendir(j->dir);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        struct uuid u;
        if (!uuid_parse(slice_of(e->d_name), &u))
            continue;
        char *path = must_printf("%s/%s", j->dir, e->d_name);
        fn(j, u, path, ctx);
        free(path);
    }
    if (d)
        closedir(d);
}

static void remove_others(struct journal *j, struct uuid u, const char *path, void *ctx)
{
    (void)ctx;
    if (!uuid_eq(u, j->epoch))
        remove_tree(path);
}

static void import_epoch(struct journal *j, struct uuid u, const char *path, void *ctx)
{
    struct import *m = ctx;
    if (uuid_eq(u, m->epoch))
        return;
    struct journal tmp = {0};
    bool known = mark_read(&tmp, path);
    import_dir(m, path, known ? tmp.ack : 0, known ? tmp.head : 0);
    if (tmp.lost > j->lost)
        j->lost = tmp.lost;
    if (tmp.lost_at > j->lost_at)
        j->lost_at = tmp.lost_at;
}

/* Puts what is not acknowledged in any epoch's folder (normally there is one) under a new epoch, and switches to it. */
static enum rc renumber(struct journal *j)
{
    struct import m = {.fd = -1, .next = 1, .ok = true, .epoch = {{0}}, .segment_size = segment_limit(j)};
    random_bytes(m.epoch.b, sizeof(m.epoch.b));
    char text[UUID_TEXT_SIZE];
    m.dir = must_printf("%s/%s", j->dir, uuid_text(m.epoch, text));
    strbuf_init(&m.out, 65536 + 2 * SEGMENT_RECORD_MAX);
    m.seen = map_new(0);
    enum rc rc = file_mkdirs(m.dir, 0700);
    if (rc != RC_OK)
        goto done;
    each_epoch(j, import_epoch, &m);
    rc = RC_UNAVAILABLE;
    if (m.fd >= 0) {
        m.ok = m.ok && segment_flush(m.fd, &m.out, true) && fsync(m.fd) == 0;
        close(m.fd);
    }
    if (m.lost) {
        j->lost += m.lost;
        j->lost_at = clock_now();
    }
    if (!m.ok || mark_write(m.dir, 0, m.next - 1, j->lost, j->lost_at) != RC_OK || !file_sync_folder(m.dir) ||
        !file_sync_folder(j->dir))
        goto done;
    rc = current_write(j, m.epoch);
done:
    if (rc != RC_OK)
        remove_tree(m.dir);
    map_free(&m.seen, NULL);
    strbuf_done(&m.out);
    free(m.dir);
    if (rc == RC_OK) {
        unload(j);
        j->epoch = m.epoch;
    }
    return rc;
}

static enum rc enter_epoch(struct journal *j)
{
    char text[UUID_TEXT_SIZE];
    j->epoch_dir = must_printf("%s/%s", j->dir, uuid_text(j->epoch, text));
    if (!mark_read(j, j->epoch_dir))
        return RC_INVALID;
    return load(j);
}

enum rc journal_open(const char *dir, struct journal_limits limits, struct journal **ret)
{
    enum rc rc = file_mkdirs(dir, 0700);
    if (rc != RC_OK)
        return rc;
    struct journal *j = must_alloc(sizeof(*j));
    j->dir = must_strdup(dir);
    j->limits = limits;
    j->active = -1;
    j->known = map_new(0);
    j->recent = must_alloc(RECENT * sizeof(*j->recent));
    char *lock = must_printf("%s/lock", dir);
    j->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(lock);
    if (j->lock < 0) {
        rc = errno == EACCES || errno == EROFS ? RC_DENIED : RC_UNAVAILABLE;
        goto fail;
    }
    if (flock(j->lock, LOCK_EX | LOCK_NB) < 0) {
        rc = RC_CONFLICT;
        goto fail;
    }
    rc = current_read(j, &j->epoch) ? enter_epoch(j) : RC_INVALID;
    if (rc == RC_INVALID) {
        unload(j);
        rc = renumber(j);
        if (rc == RC_OK)
            rc = enter_epoch(j);
    }
    if (rc != RC_OK) {
        if (rc == RC_INVALID)
            rc = RC_INTERNAL;
        goto fail;
    }
    each_epoch(j, remove_others, NULL);
    drop_acknowledged(j);
    *ret = j;
    return RC_OK;
fail:
    journal_close(&j);
    return rc;
}

void journal_close(struct journal **jp)
{
    struct journal *j = *jp;
    if (!j)
        return;
    *jp = NULL;
    unload(j);
    if (j->lock >= 0)
        close(j->lock);
    map_free(&j->known, NULL);
    free(j->recent);
    free(j->dir);
    free(j);
}

struct uuid journal_epoch(const struct journal *j)
{
    return j->epoch;
}

uint64_t journal_head(const struct journal *j)
{
    return j->head;
}

uint64_t journal_tail(const struct journal *j)
{
    return j->ack + 1;
}

uint64_t journal_size(const struct journal *j)
{
    uint64_t n = 0;
    for (size_t i = 0; i < j->n_segments; i++)
        n += j->segments[i].size;
    return n;
}

uint64_t journal_lost(const struct journal *j, usec_t *ret_at)
{
    *ret_at = j->lost_at;
    return j->lost;
}

/* --- limits */

static enum rc count_lost(struct journal *j, uint64_t lost)
{
    if (!lost)
        return RC_OK;
    ev_warn(AREA_AGENT, "journal dropped records", EV_INT("lost", lost));
    j->lost += lost;
    j->lost_at = clock_now();
    return mark_save(j);
}

/* Makes room for `more` bytes: first what is acknowledged, then the least important oldest records. */
static enum rc make_room(struct journal *j, uint64_t more)
{
    uint64_t limit = j->limits.size, lost = 0;
    if (journal_size(j) + more <= limit)
        return RC_OK;
    drop_acknowledged(j);
    uint64_t goal = limit - limit / 8;
    enum rc rc = RC_OK;
    if (j->n_segments && j->segments[0].first && j->segments[0].first <= j->ack)
        rc = rewrite(j, 0, &(struct drop){.priority = -1}, &lost);
    for (int priority = 0; priority < JOURNAL_PRIORITIES && rc == RC_OK; priority++) {
        struct drop d = {.priority = priority, .reason = "size"};
        for (size_t i = 0; i < j->n_segments && rc == RC_OK && journal_size(j) + more > goal; i++) {
            uint64_t victims = 0;
            for (int p = 0; p <= priority; p++)
                victims += j->segments[i].count[p];
            if (victims)
                rc = rewrite(j, i, &d, &lost);
        }
    }
    enum rc counted = count_lost(j, lost);
    return rc == RC_OK ? counted : rc;
}

enum rc journal_trim(struct journal *j, usec_t now)
{
    usec_t before = now - j->limits.age * USEC_PER_SEC;
    uint64_t lost = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; i < j->n_segments && rc == RC_OK; i++) {
        const struct segment *s = &j->segments[i];
        bool old = false;
        for (int p = 0; p < JOURNAL_DETECTION; p++)
            old = old || (s->count[p] && s->oldest[p] < before);
        if (!old || s->last <= j->ack)
            continue;
        struct drop d = {.priority = JOURNAL_DETECTION - 1, .before = before, .reason = "age"};
        rc = rewrite(j, i, &d, &lost);
    }
    enum rc counted = count_lost(j, lost);
    return rc == RC_OK ? counted : rc;
}

/* --- appending, reading, acknowledging */

enum rc journal_append(struct journal *j, struct slice kind, enum journal_priority priority, struct uuid id,
                       usec_t occurred, struct slice body, uint64_t *ret_seq)
{
    if (kind.n == 0 || kind.n > JOURNAL_KIND_MAX || body.n > JOURNAL_BODY_MAX)
        return RC_INVALID;
    uint64_t need = SEGMENT_RECORD_FIXED + kind.n + body.n;
    enum rc rc = make_room(j, need);
    if (rc != RC_OK)
        return rc;
    struct segment *s = j->n_segments ? &j->segments[j->n_segments - 1] : NULL;
    if (j->active < 0 || !s || s->size + need > segment_limit(j)) {
        if ((rc = rotate(j)) != RC_OK)
            return rc;
        drop_acknowledged(j);
        s = &j->segments[j->n_segments - 1];
    }
    struct journal_record r = {.first = j->head + 1,
                               .seq = j->head + 1,
                               .id = id,
                               .occurred = occurred,
                               .priority = priority,
                               .kind = kind,
                               .body = body};
    r.hash = wire_event_hash(id, kind, occurred, body);
    struct strbuf out;
    strbuf_init(&out, SEGMENT_RECORD_MAX + 1);
    segment_encode(&out, &r);
    must(!out.over && out.n == need);
    bool ok = file_write_all(j->active, slice_mem(out.p, out.n)) && fdatasync(j->active) == 0;
    strbuf_done(&out);
    if (!ok) {
        int e = errno;
        /* What a failed sync left on disk is not known: cut it off and go on in another file. */
        if (ftruncate(j->active, (off_t)s->size) < 0 || lseek(j->active, 0, SEEK_END) < 0 || rotate(j) != RC_OK) {
            close(j->active);
            j->active = -1;
        }
        ev_error(AREA_AGENT, "journal cannot be written", EV_STR("error", strerror(e)));
        return RC_UNAVAILABLE;
    }
    s->size += need;
    segment_note(s, &r);
    j->head = r.seq;
    remember(j, id);
    *ret_seq = r.seq;
    return RC_OK;
}

enum rc journal_read(struct journal *j, uint64_t from, size_t max_records, size_t max_bytes, struct arena *a,
                     struct journal_record **ret, size_t *ret_n)
{
    if (from <= j->ack)
        from = j->ack + 1;
    uint64_t waiting = from <= j->head ? j->head - from + 1 : 0;
    if (max_records > waiting)
        max_records = (size_t)waiting;
    struct journal_record *list = ARENA_ARRAY(a, struct journal_record, max_records + 1);
    size_t n = 0, bytes = 0;
    bool full = max_records == 0;
    for (size_t i = 0; i < j->n_segments && !full; i++) {
        struct segment *s = &j->segments[i];
        if (s->last < from)
            continue;
        char *path = segment_path(j->epoch_dir, s->number);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        free(path);
        if (fd < 0)
            return RC_UNAVAILABLE;
        struct segment_reader r;
        bool here = j->cursor_seq && j->cursor_segment == s->number && j->cursor_seq <= from;
        segment_reader_init(&r, fd, here ? j->cursor_offset : SEGMENT_HEADER);
        struct journal_record rec;
        uint64_t at = r.at;
        while (!full && segment_reader_next(&r, &rec) == SEGMENT_FOUND) {
            if (rec.seq >= from) {
                if (n == max_records || (n && bytes + rec.body.n > max_bytes)) {
                    full = true;
                    j->cursor_segment = s->number;
                    j->cursor_offset = at;
                    j->cursor_seq = rec.seq;
                    break;
                }
                list[n] = rec;
                list[n].kind = arena_copy(a, rec.kind);
                list[n].body = arena_copy(a, rec.body);
                bytes += rec.body.n;
                n++;
            }
            at = r.at;
        }
        segment_reader_done(&r);
        close(fd);
    }
    *ret = list;
    *ret_n = n;
    return RC_OK;
}

enum rc journal_ack(struct journal *j, uint64_t seq)
{
    if (seq > j->head)
        return RC_INVALID;
    if (seq <= j->ack)
        return RC_OK;
    enum rc rc = mark_write(j->epoch_dir, seq, j->head, j->lost, j->lost_at);
    if (rc != RC_OK)
        return rc;
    j->ack = seq;
    drop_acknowledged(j);
    return RC_OK;
}

enum rc journal_refuse(struct journal *j, uint64_t seq)
{
    if (seq <= j->ack || seq > j->head)
        return RC_INVALID;
    struct drop d = {.priority = -1, .only = seq, .reason = "damage"};
    uint64_t lost = 0;
    enum rc rc = RC_NOT_FOUND;
    for (size_t i = 0; i < j->n_segments; i++)
        if (j->segments[i].first <= seq && seq <= j->segments[i].last) {
            rc = rewrite(j, i, &d, &lost);
            break;
        }
    enum rc counted = count_lost(j, lost);
    return rc == RC_OK ? counted : rc;
}

enum rc journal_new_epoch(struct journal *j)
{
    enum rc rc = renumber(j);
    if (rc != RC_OK)
        return rc;
    rc = enter_epoch(j);
    if (rc == RC_OK)
        each_epoch(j, remove_others, NULL);
    return rc == RC_INVALID ? RC_INTERNAL : rc;
}
