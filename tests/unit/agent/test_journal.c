/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c - the spool: whatever is done to its files or its process, what was confirmed is there again, once,
 * and what is not there is shown by a gap record. */
#include "agent/journal.h"
#include "agent/segment.h"
#include "common/event.h"
#include "common/strbuf.h"
#include "wire/digest.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* after the headers that it needs */
#include <cmocka.h>

static const struct journal_limits wide = {.size = 50 << 20, .age = 30 * 86400};

static char base[64];

static int make_base(void **state)
{
    (void)state;
    /* thousands of journals are opened here: in memory, where syncing costs nothing */
    snprintf(base, sizeof(base), "%s/sekisho-journal-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(base) ? 0 : -1;
}

static void remove_all(const char *path)
{
    DIR *d = opendir(path);
    if (!d) {
        unlink(path);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        char sub[512];
        snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
        remove_all(sub);
    }
    closedir(d);
    rmdir(path);
}

static int drop_base(void **state)
{
    (void)state;
    remove_all(base);
    return 0;
}

static void copy_all(const char *from, const char *to)
{
    mkdir(to, 0700);
    DIR *d = opendir(from);
    assert_non_null(d);
    struct dirent *e;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        char a[512], b[512];
        snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
        snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
        struct stat st;
        assert_int_equal(stat(a, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            copy_all(a, b);
            continue;
        }
        char buffer[65536];
        int in = open(a, O_RDONLY), out = open(b, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ssize_t n;
        while ((n = read(in, buffer, sizeof(buffer))) > 0)
            assert_int_equal(write(out, buffer, (size_t)n), n);
        close(in);
        close(out);
    }
    closedir(d);
}

static const char *sub(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", base, name);
    return path[turn];
}

/* The only file below dir whose name ends like that. */
static const char *find_file(const char *dir, const char *end)
{
    static char found[512];
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            if (find_file(path, end)) {
                closedir(d);
                return found;
            }
        } else if (slice_ends(slice_of(path), slice_of(end))) {
            snprintf(found, sizeof(found), "%s", path);
            closedir(d);
            return found;
        }
    }
    if (d)
        closedir(d);
    return NULL;
}

static struct journal *must_open(const char *dir, struct journal_limits limits)
{
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, limits, &j), RC_OK);
    return j;
}

/* A record whose content can be told from its number alone. */
static struct slice body_of(struct arena *a, unsigned i)
{
    struct strbuf b;
    strbuf_init_arena(&b, a, 4096);
    strbuf_printf(&b, "{\"n\":%u,\"pad\":\"", i);
    for (unsigned k = 0; k < i * 7 % 90; k++)
        strbuf_add_char(&b, (char)('a' + k % 26));
    strbuf_add_str(&b, "\"}");
    return strbuf_slice(&b);
}

static struct uuid id_of(unsigned i)
{
    struct uuid u = {{1, 2, 3}};
    u.b[14] = (uint8_t)(i >> 8);
    u.b[15] = (uint8_t)i;
    return u;
}

static uint64_t add(struct journal *j, unsigned i, enum journal_priority priority)
{
    struct arena *a = arena_new(65536);
    uint64_t seq = 0;
    struct slice kind = priority == JOURNAL_DETECTION ? SLICE("detection") : SLICE("audit");
    assert_int_equal(
        journal_append(j, kind, priority, id_of(i), USEC_PER_SEC * (1000 + (usec_t)i), body_of(a, i), &seq), RC_OK);
    arena_free(&a);
    return seq;
}

static size_t read_all(struct journal *j, struct arena *a, struct journal_record **ret)
{
    size_t n;
    assert_int_equal(journal_read(j, 0, 100000, 1 << 30, a, ret, &n), RC_OK);
    return n;
}

/* Numbers follow each other from tail to head, and every hash is right. */
static void assert_sound(struct journal *j)
{
    struct arena *a = arena_new(64 << 20);
    struct journal_record *r;
    size_t n = read_all(j, a, &r);
    uint64_t expect = journal_tail(j);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 || !slice_eq(r[i].kind, SLICE("gap")))
            assert_int_equal(r[i].first, expect);
        struct sha256 h = wire_event_hash(r[i].id, r[i].kind, r[i].occurred, r[i].body);
        assert_memory_equal(h.b, r[i].hash.b, 32);
        expect = r[i].seq + 1;
    }
    assert_int_equal(expect, journal_head(j) + 1);
    arena_free(&a);
}

static bool holds(const struct journal_record *r, size_t n, unsigned i)
{
    struct arena *a = arena_new(65536);
    struct slice body = body_of(a, i);
    size_t found = 0;
    for (size_t k = 0; k < n; k++)
        if (uuid_eq(r[k].id, id_of(i))) {
            assert_true(slice_eq(r[k].body, body));
            found++;
        }
    assert_true(found <= 1);
    arena_free(&a);
    return found == 1;
}

static void test_append_read_ack(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct journal *j = must_open(sub("one"), wide);
    assert_int_equal(journal_head(j), 0);
    assert_int_equal(journal_tail(j), 1);
    struct uuid epoch = journal_epoch(j);
    for (unsigned i = 1; i <= 10; i++)
        assert_int_equal(add(j, i, JOURNAL_NORMAL), i);
    struct journal *second = NULL;
    assert_int_equal(journal_open(sub("one"), wide, &second), RC_CONFLICT);

    struct journal_record *r;
    size_t n;
    assert_int_equal(journal_read(j, 4, 3, 1 << 20, a, &r, &n), RC_OK);
    assert_int_equal(n, 3);
    assert_int_equal(r[0].seq, 4);
    assert_int_equal(r[2].seq, 6);
    assert_int_equal(journal_read(j, 7, 100, 1 << 20, a, &r, &n), RC_OK);
    assert_int_equal(n, 4);
    assert_int_equal(journal_read(j, 1, 100, 1, a, &r, &n), RC_OK);
    assert_int_equal(n, 1);

    assert_int_equal(journal_ack(j, 11), RC_INVALID);
    assert_int_equal(journal_ack(j, 7), RC_OK);
    assert_int_equal(journal_ack(j, 3), RC_OK);
    assert_int_equal(journal_tail(j), 8);
    journal_close(&j);

    j = must_open(sub("one"), wide);
    assert_true(uuid_eq(epoch, journal_epoch(j)));
    assert_int_equal(journal_tail(j), 8);
    assert_int_equal(journal_head(j), 10);
    assert_int_equal(read_all(j, a, &r), 3);
    assert_true(holds(r, 3, 8) && holds(r, 3, 9) && holds(r, 3, 10));
    assert_int_equal(journal_ack(j, 10), RC_OK);
    journal_close(&j);

    j = must_open(sub("one"), wide);
    assert_int_equal(journal_head(j), 10);
    assert_int_equal(read_all(j, a, &r), 0);
    assert_int_equal(add(j, 11, JOURNAL_NORMAL), 11);
    assert_sound(j);
    journal_close(&j);
    arena_free(&a);
}

static void test_refuses_what_is_too_long(void **state)
{
    (void)state;
    struct journal *j = must_open(sub("long"), wide);
    char *big = malloc(JOURNAL_BODY_MAX + 1);
    memset(big, 'x', JOURNAL_BODY_MAX + 1);
    uint64_t seq;
    assert_int_equal(
        journal_append(j, SLICE("audit"), JOURNAL_LOW, id_of(1), 1, slice_mem(big, JOURNAL_BODY_MAX + 1), &seq),
        RC_INVALID);
    assert_int_equal(
        journal_append(j, SLICE("audit"), JOURNAL_LOW, id_of(1), 1, slice_mem(big, JOURNAL_BODY_MAX), &seq), RC_OK);
    assert_int_equal(journal_append(j, SLICE(""), JOURNAL_LOW, id_of(1), 1, SLICE("{}"), &seq), RC_INVALID);
    free(big);
    assert_sound(j);
    journal_close(&j);
}

static void test_many_segments(void **state)
{
    (void)state;
    struct journal_limits small = {.size = 1 << 20, .age = 1 << 30, .segment = 700};
    struct arena *a = arena_new(1 << 22);
    struct journal *j = must_open(sub("many"), small);
    for (unsigned i = 1; i <= 100; i++)
        add(j, i, JOURNAL_NORMAL);
    assert_sound(j);
    journal_close(&j);
    j = must_open(sub("many"), small);
    assert_sound(j);
    /* drained in requests, as the check-in does it */
    unsigned next = 1;
    while (next <= 100) {
        struct journal_record *r;
        size_t n;
        assert_int_equal(journal_read(j, next, 7, 1 << 20, a, &r, &n), RC_OK);
        assert_true(n > 0 && r[0].seq == next);
        next = (unsigned)r[n - 1].seq + 1;
        if (next % 2)
            assert_int_equal(journal_ack(j, next - 1), RC_OK);
    }
    assert_int_equal(journal_ack(j, 100), RC_OK);
    assert_true(journal_size(j) <= 2 * 700);
    journal_close(&j);
    arena_free(&a);
}

/* Where each record of the only segment ends. */
struct ends {
    uint64_t seq[32];
    size_t n;
};

static void note(void *ctx, const struct journal_record *r)
{
    struct ends *e = ctx;
    e->seq[e->n++] = r->seq;
}

#define RECORDS 6

static void make_sample(const char *dir)
{
    struct journal *j = must_open(dir, wide);
    for (unsigned i = 1; i <= RECORDS; i++)
        add(j, i, i % 2 ? JOURNAL_DETECTION : JOURNAL_LOW);
    journal_close(&j);
}

static void test_cut_at_every_byte(void **state)
{
    (void)state;
    make_sample(sub("sample"));
    struct stat st;
    assert_int_equal(stat(find_file(sub("sample"), ".seg"), &st), 0);
    for (off_t cut = 0; cut <= st.st_size; cut++) {
        remove_all(sub("cut"));
        copy_all(sub("sample"), sub("cut"));
        const char *seg = find_file(sub("cut"), ".seg");
        assert_int_equal(truncate(seg, cut), 0);
        /* what a reader can see at all before the cut must survive opening */
        int fd = open(seg, O_RDONLY);
        struct ends e = {.n = 0};
        bool torn;
        size_t bad = segment_scan(fd, note, &e, &torn);
        close(fd);
        assert_true(bad == 0 || cut < 40);
        struct journal *j = must_open(sub("cut"), wide);
        assert_int_equal(journal_head(j), e.n);
        struct arena *a = arena_new(1 << 20);
        struct journal_record *r;
        size_t n = read_all(j, a, &r);
        assert_int_equal(n, e.n);
        for (unsigned i = 1; i <= n; i++)
            assert_true(holds(r, n, i));
        usec_t at;
        assert_int_equal(journal_lost(j, &at), 0);
        assert_int_equal(add(j, 100, JOURNAL_LOW), e.n + 1);
        assert_sound(j);
        journal_close(&j);
        j = must_open(sub("cut"), wide);
        assert_int_equal(journal_head(j), e.n + 1);
        assert_sound(j);
        journal_close(&j);
        arena_free(&a);
    }
    assert_true(st.st_size > 500);
}

static void damage(const char *path, off_t at, uint8_t flip)
{
    int fd = open(path, O_RDWR);
    uint8_t b;
    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= flip;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void test_damage_at_every_byte(void **state)
{
    (void)state;
    make_sample(sub("sample2"));
    struct stat st;
    assert_int_equal(stat(find_file(sub("sample2"), ".seg"), &st), 0);
    for (off_t at = 0; at < st.st_size; at++) {
        remove_all(sub("hit"));
        copy_all(sub("sample2"), sub("hit"));
        damage(find_file(sub("hit"), ".seg"), at, (uint8_t)(1u << (at % 8)));
        struct journal *j = must_open(sub("hit"), wide);
        struct arena *a = arena_new(1 << 20);
        struct journal_record *r;
        size_t n = read_all(j, a, &r), gaps = 0, whole = 0;
        for (size_t i = 0; i < n; i++)
            gaps += slice_eq(r[i].kind, SLICE("gap"));
        for (unsigned i = 1; i <= RECORDS; i++)
            whole += holds(r, n, i);
        /* one byte hits one record at most, and its loss is shown */
        assert_true(whole >= RECORDS - 1);
        assert_int_equal(gaps, RECORDS - whole);
        assert_int_equal(n, RECORDS);
        usec_t when;
        assert_int_equal(journal_lost(j, &when), RECORDS - whole);
        assert_int_equal(journal_head(j), RECORDS);
        assert_int_equal(add(j, 100, JOURNAL_LOW), RECORDS + 1);
        assert_sound(j);
        journal_close(&j);
        j = must_open(sub("hit"), wide);
        assert_sound(j);
        assert_int_equal(journal_head(j), RECORDS + 1);
        journal_close(&j);
        arena_free(&a);
    }
}

/* Damage to mark or current: a new epoch, but every record is still there once. */
static void test_damaged_bookkeeping(void **state)
{
    (void)state;
    static const char *const names[] = {"/mark", "/current"};
    for (int which = 0; which < 2; which++) {
        remove_all(sub("sample3"));
        make_sample(sub("sample3"));
        struct journal *j = must_open(sub("sample3"), wide);
        struct uuid epoch = journal_epoch(j);
        assert_int_equal(journal_ack(j, 2), RC_OK);
        journal_close(&j);
        struct stat st;
        assert_int_equal(stat(find_file(sub("sample3"), names[which]), &st), 0);
        for (off_t at = -1; at < 2 * st.st_size; at++) {
            remove_all(sub("book"));
            copy_all(sub("sample3"), sub("book"));
            const char *path = find_file(sub("book"), names[which]);
            if (at < 0)
                unlink(path);
            else if (at < st.st_size)
                damage(path, at, 4);
            else
                assert_int_equal(truncate(path, at - st.st_size), 0);
            j = must_open(sub("book"), wide);
            struct arena *a = arena_new(1 << 20);
            struct journal_record *r;
            size_t n = read_all(j, a, &r);
            for (unsigned i = 3; i <= RECORDS; i++)
                assert_true(holds(r, n, i));
            if (at >= 0 && at < st.st_size - 1)
                assert_false(uuid_eq(epoch, journal_epoch(j)));
            assert_sound(j);
            add(j, 100, JOURNAL_LOW);
            journal_close(&j);
            j = must_open(sub("book"), wide);
            assert_sound(j);
            journal_close(&j);
            arena_free(&a);
        }
    }
}

static void test_lost_segments(void **state)
{
    (void)state;
    struct journal_limits small = {.size = 1 << 20, .age = 1 << 30, .segment = 500};
    struct journal *j = must_open(sub("gone"), small);
    for (unsigned i = 1; i <= 40; i++)
        add(j, i, JOURNAL_NORMAL);
    journal_close(&j);
    unlink(find_file(sub("gone"), "0000000000000003.seg"));
    j = must_open(sub("gone"), small);
    assert_sound(j);
    usec_t at;
    assert_true(journal_lost(j, &at) > 0);
    assert_true(at > 0);
    assert_int_equal(journal_head(j), 40);
    journal_close(&j);
    /* all gone, but the mark knows that there was more */
    j = must_open(sub("gone"), small);
    assert_int_equal(journal_ack(j, 10), RC_OK);
    uint64_t before = journal_lost(j, &at);
    journal_close(&j);
    const char *seg;
    while ((seg = find_file(sub("gone"), ".seg")))
        unlink(seg);
    j = must_open(sub("gone"), small);
    assert_int_equal(journal_head(j), 40);
    assert_int_equal(journal_lost(j, &at), before + 30);
    assert_sound(j);
    assert_int_equal(add(j, 41, JOURNAL_NORMAL), 41);
    journal_close(&j);
}

static void test_new_epoch(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 22);
    struct journal_limits small = {.size = 1 << 20, .age = 1 << 30, .segment = 900};
    struct journal *j = must_open(sub("epoch"), small);
    for (unsigned i = 1; i <= 30; i++)
        add(j, i, JOURNAL_NORMAL);
    assert_int_equal(journal_ack(j, 12), RC_OK);
    struct uuid old = journal_epoch(j);
    struct journal_record *was, *is;
    size_t n_was = read_all(j, a, &was);
    assert_int_equal(journal_new_epoch(j), RC_OK);
    assert_false(uuid_eq(old, journal_epoch(j)));
    assert_int_equal(journal_tail(j), 1);
    assert_int_equal(journal_head(j), 18);
    size_t n_is = read_all(j, a, &is);
    assert_int_equal(n_was, n_is);
    for (size_t i = 0; i < n_is; i++) {
        assert_true(uuid_eq(was[i].id, is[i].id));
        assert_memory_equal(was[i].hash.b, is[i].hash.b, 32);
        assert_int_equal(is[i].seq, i + 1);
    }
    assert_int_equal(add(j, 31, JOURNAL_NORMAL), 19);
    assert_sound(j);
    struct uuid young = journal_epoch(j);
    journal_close(&j);
    j = must_open(sub("epoch"), small);
    assert_true(uuid_eq(young, journal_epoch(j)));
    assert_sound(j);
    journal_close(&j);
    arena_free(&a);
}

static void test_size_limit(void **state)
{
    (void)state;
    struct journal_limits tight = {.size = 40000, .age = 1 << 30};
    struct arena *a = arena_new(1 << 24);
    struct journal *j = must_open(sub("tight"), tight);
    for (unsigned i = 1; i <= 1000; i++) {
        add(j, i, i % 20 == 0 ? JOURNAL_DETECTION : (i % 3 ? JOURNAL_LOW : JOURNAL_NORMAL));
        assert_true(journal_size(j) <= tight.size);
    }
    assert_sound(j);
    struct journal_record *r;
    size_t n = read_all(j, a, &r);
    for (unsigned i = 20; i <= 1000; i += 20)
        assert_true(holds(r, n, i));
    assert_true(holds(r, n, 1000) && holds(r, n, 999));
    usec_t at;
    uint64_t lost = journal_lost(j, &at), counted = 0, whole = 0;
    for (size_t i = 0; i < n; i++)
        if (slice_eq(r[i].kind, SLICE("gap")))
            counted += r[i].seq - r[i].first + 1;
        else
            whole++;
    assert_int_equal(lost, counted);
    assert_int_equal(whole + counted, 1000);
    journal_close(&j);
    j = must_open(sub("tight"), tight);
    assert_sound(j);
    assert_int_equal(journal_lost(j, &at), lost);
    /* nothing but detections: the oldest of them give way at last */
    for (unsigned i = 2000; i < 2600; i++) {
        add(j, i, JOURNAL_DETECTION);
        assert_true(journal_size(j) <= tight.size);
    }
    assert_sound(j);
    n = read_all(j, a, &r);
    assert_true(holds(r, n, 2599));
    /* acknowledged records make room before anything is lost */
    lost = journal_lost(j, &at);
    assert_int_equal(journal_ack(j, journal_head(j)), RC_OK);
    for (unsigned i = 3000; i < 3050; i++)
        add(j, i, JOURNAL_LOW);
    assert_int_equal(journal_lost(j, &at), lost);
    journal_close(&j);
    arena_free(&a);
}

static void test_age_limit(void **state)
{
    (void)state;
    struct journal_limits limits = {.size = 1 << 20, .age = 100, .segment = 600};
    struct arena *a = arena_new(1 << 22);
    struct journal *j = must_open(sub("age"), limits);
    for (unsigned i = 1; i <= 60; i++) /* occurred at 1000 + i seconds */
        add(j, i, i % 10 == 0 ? JOURNAL_DETECTION : JOURNAL_NORMAL);
    assert_int_equal(journal_trim(j, USEC_PER_SEC * 1100), RC_OK);
    struct journal_record *r;
    assert_int_equal(read_all(j, a, &r), 60);
    assert_int_equal(journal_trim(j, USEC_PER_SEC * 1141), RC_OK);
    assert_sound(j);
    size_t n = read_all(j, a, &r);
    for (unsigned i = 1; i <= 60; i++)
        assert_int_equal(holds(r, n, i), i % 10 == 0 || i >= 41);
    usec_t at;
    assert_int_equal(journal_lost(j, &at), 36);
    journal_close(&j);
    arena_free(&a);
}

/* Kills a writer in the middle, again and again; what it had confirmed over the pipe must be there. */
static void test_kill(void **state)
{
    (void)state;
    unsigned confirmed = 0;
    for (int round = 0; round < 40; round++) {
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fd[0]);
            struct journal_limits limits = {.size = 1 << 20, .age = 1 << 30, .segment = 2000};
            struct journal *j;
            if (journal_open(sub("kill"), limits, &j) != RC_OK)
                _exit(1);
            for (unsigned i = confirmed + 1;; i++) {
                add(j, i, JOURNAL_DETECTION);
                if (write(fd[1], &i, sizeof(i)) != sizeof(i))
                    _exit(2);
                if (i % 11 == 0 && journal_new_epoch(j) != RC_OK)
                    _exit(3);
                if (i % 17 == 0 && journal_ack(j, journal_tail(j)) != RC_OK)
                    _exit(4);
            }
        }
        close(fd[1]);
        unsigned goal = confirmed + 1 + (unsigned)random_below(30), i;
        while (confirmed < goal && read(fd[0], &i, sizeof(i)) == sizeof(i))
            confirmed = i;
        usleep((useconds_t)random_below(3000));
        kill(child, SIGKILL);
        while (read(fd[0], &i, sizeof(i)) == sizeof(i))
            confirmed = i;
        close(fd[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));

        struct journal_limits limits = {.size = 1 << 20, .age = 1 << 30, .segment = 2000};
        struct journal *j = must_open(sub("kill"), limits);
        assert_sound(j);
        struct arena *a = arena_new(1 << 24);
        struct journal_record *r;
        size_t n = read_all(j, a, &r);
        /* one acknowledgement each 17 records takes the oldest away; the last record may not have been confirmed to us
         */
        unsigned newest = 0, oldest = UINT32_MAX;
        for (size_t k = 0; k < n; k++) {
            unsigned v = (unsigned)r[k].id.b[14] << 8 | r[k].id.b[15];
            newest = v > newest ? v : newest;
            oldest = v < oldest ? v : oldest;
        }
        assert_true(newest >= confirmed && newest <= confirmed + 1);
        assert_int_equal(n, newest - oldest + 1);
        assert_true(oldest <= confirmed / 17 + 2);
        for (unsigned k = oldest; k <= newest; k++)
            assert_true(holds(r, n, k));
        usec_t at;
        assert_int_equal(journal_lost(j, &at), 0);
        confirmed = newest;
        journal_close(&j);
        arena_free(&a);
    }
}

/* A restored snapshot: the same epoch again, with a lower head than the server has seen. The server says new_epoch. */
static void test_snapshot(void **state)
{
    (void)state;
    make_sample(sub("snap"));
    copy_all(sub("snap"), sub("snap-old"));
    struct journal *j = must_open(sub("snap"), wide);
    struct uuid epoch = journal_epoch(j);
    add(j, 7, JOURNAL_DETECTION);
    journal_close(&j);
    j = must_open(sub("snap-old"), wide);
    assert_true(uuid_eq(epoch, journal_epoch(j)));
    assert_int_equal(journal_ack(j, 7), RC_INVALID); /* the server's mark is above our head */
    assert_int_equal(journal_new_epoch(j), RC_OK);
    assert_int_equal(journal_head(j), RECORDS);
    assert_sound(j);
    journal_close(&j);
}

static void test_known_and_refused(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct journal *j = must_open(sub("known"), wide);
    for (unsigned i = 1; i <= 9; i++)
        add(j, i, JOURNAL_NORMAL);
    assert_true(journal_knows(j, id_of(9)));
    assert_false(journal_knows(j, id_of(10)));
    assert_int_equal(journal_ack(j, 3), RC_OK);
    assert_int_equal(journal_refuse(j, 3), RC_INVALID);
    assert_int_equal(journal_refuse(j, 10), RC_INVALID);
    assert_int_equal(journal_refuse(j, 5), RC_OK);
    assert_sound(j);
    struct journal_record *r;
    size_t n = read_all(j, a, &r);
    assert_int_equal(n, 6);
    assert_true(slice_eq(r[1].kind, SLICE("gap")));
    assert_int_equal(r[1].seq, 5);
    assert_int_equal(add(j, 10, JOURNAL_NORMAL), 10);
    assert_int_equal(journal_new_epoch(j), RC_OK);
    journal_close(&j);
    j = must_open(sub("known"), wide);
    assert_true(journal_knows(j, id_of(10)) && journal_knows(j, id_of(4)));
    assert_sound(j);
    journal_close(&j);
    arena_free(&a);
}

static void test_random_operations(void **state)
{
    (void)state;
    random_seed(20250101);
    struct journal_limits limits = {.size = 1 << 20, .age = 1 << 30, .segment = 1500};
    struct journal *j = must_open(sub("random"), limits);
    unsigned given = 0, acked = 0;
    for (int step = 0; step < 600; step++) {
        uint64_t what = random_below(20);
        if (what < 14) {
            add(j, ++given, JOURNAL_NORMAL);
        } else if (what < 17) {
            uint64_t waiting = journal_head(j) - journal_tail(j) + 1, n = waiting ? random_below(waiting + 1) : 0;
            assert_int_equal(journal_ack(j, journal_tail(j) - 1 + n), RC_OK);
            acked += (unsigned)n;
        } else if (what < 19) {
            journal_close(&j);
            j = must_open(sub("random"), limits);
        } else {
            assert_int_equal(journal_new_epoch(j), RC_OK);
        }
        assert_int_equal(journal_head(j) - journal_tail(j) + 1, given - acked);
    }
    assert_sound(j);
    struct arena *a = arena_new(1 << 24);
    struct journal_record *r;
    size_t n = read_all(j, a, &r);
    assert_int_equal(n, given - acked);
    for (unsigned i = acked + 1; i <= given; i++)
        assert_true(holds(r, n, i));
    journal_close(&j);
    arena_free(&a);
    random_seed(0);
}

/* A disk that takes no more: refused, nothing half-recorded, and it goes on when there is room again. */
static void test_full_disk(void **state)
{
    (void)state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        struct journal *j = NULL;
        unsigned bad = 0, i = 1;
        if (journal_open(sub("full"), wide, &j) != RC_OK)
            _exit(1);
        for (; i <= 5; i++)
            add(j, i, JOURNAL_NORMAL);
        signal(SIGXFSZ, SIG_IGN);
        struct stat st;
        stat(find_file(sub("full"), ".seg"), &st);
        struct rlimit old, l;
        getrlimit(RLIMIT_FSIZE, &old);
        l = (struct rlimit){(rlim_t)st.st_size + 40, old.rlim_max};
        setrlimit(RLIMIT_FSIZE, &l);
        uint64_t seq;
        char body[400];
        memset(body, ' ', sizeof(body));
        if (journal_append(j, SLICE("audit"), JOURNAL_NORMAL, id_of(6), 1, slice_mem(body, sizeof(body)), &seq) !=
            RC_UNAVAILABLE)
            bad = 10;
        setrlimit(RLIMIT_FSIZE, &old);
        if (add(j, 6, JOURNAL_NORMAL) != 6)
            bad = 11;
        journal_close(&j);
        _exit((int)bad);
    }
    close(fd[0]);
    close(fd[1]);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    struct journal *j = must_open(sub("full"), wide);
    assert_int_equal(journal_head(j), 6);
    assert_sound(j);
    usec_t at;
    assert_int_equal(journal_lost(j, &at), 0);
    journal_close(&j);
}

int main(void)
{
    event_setup(EVENT_ERROR, "/dev/null"); /* damage is made on purpose here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_read_ack),
        cmocka_unit_test(test_refuses_what_is_too_long),
        cmocka_unit_test(test_many_segments),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_damage_at_every_byte),
        cmocka_unit_test(test_damaged_bookkeeping),
        cmocka_unit_test(test_lost_segments),
        cmocka_unit_test(test_new_epoch),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_age_limit),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_known_and_refused),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, make_base, drop_base);
}
