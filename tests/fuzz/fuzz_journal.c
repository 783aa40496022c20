/* SPDX-License-Identifier: Apache-2.0 */
/* links: agent wire common */
/* fuzz_journal.c - any bytes as the agent's journal segment: the reader finds only sound records, and a journal that is
 * opened over them is repaired into one whose numbers follow each other, takes another record, and opens again the
 * same. Seeds: corpus/fuzz_journal. */
#include "agent/journal.h"
#include "agent/segment.h"
#include "common/event.h"
#include "common/must.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *ctx, const struct journal_record *r)
{
    size_t *n = ctx;
    must(r->first >= 1 && r->first <= r->seq && r->kind.n <= JOURNAL_KIND_MAX && r->body.n <= JOURNAL_BODY_MAX);
    ++*n;
}

static void scan(const uint8_t *data, size_t size)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    size_t n = 0;
    bool torn;
    segment_scan(fd, look, &n, &torn);
    must(n <= size / 90 + 1);
    close(fd);
}

static void remove_files(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char sub[600];
        if (e->d_name[0] == '.')
            continue;
        snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
        if (unlink(sub) < 0)
            remove_files(sub);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

/* The numbers of what waits follow each other, and reach the head. */
static uint64_t sound(struct journal *j)
{
    uint64_t next = journal_tail(j);
    bool first = true;
    for (;;) {
        struct arena *a = arena_new(8u << 20);
        struct journal_record *r;
        size_t n;
        must(journal_read(j, next, 50, 1 << 20, a, &r, &n) == RC_OK);
        for (size_t i = 0; i < n; i++) {
            must(r[i].first == next || (first && r[i].first <= next));
            first = false;
            next = r[i].seq + 1;
        }
        arena_free(&a);
        if (n == 0)
            break;
    }
    must(next == journal_head(j) + 1);
    return next;
}

static void open_over(const uint8_t *data, size_t size)
{
    static char dir[64];
    static const struct journal_limits limits = {.size = 4 << 20, .age = 1 << 30};
    char path[256], epoch[UUID_TEXT_SIZE];
    struct journal *j = NULL;
    snprintf(dir, sizeof(dir), "%s/sekisho-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(dir));
    must(journal_open(dir, limits, &j) == RC_OK);
    uuid_text(journal_epoch(j), epoch);
    journal_close(&j);
    snprintf(path, sizeof(path), "%s/%s/0000000000000001.seg", dir, epoch);
    FILE *f = fopen(path, "w");
    must(f && (size == 0 || fwrite(data, size, 1, f) == 1) && fclose(f) == 0);

    must(journal_open(dir, limits, &j) == RC_OK);
    sound(j);
    uint64_t seq = 0;
    if (journal_head(j) < INT64_MAX)
        must(journal_append(j, SLICE("audit"), JOURNAL_LOW, uuid_new(), clock_now(), SLICE("{}"), &seq) == RC_OK);
    uint64_t end = sound(j);
    journal_close(&j);
    must(journal_open(dir, limits, &j) == RC_OK);
    must(sound(j) == end);
    journal_close(&j);
    remove_files(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool quiet;
    if (!quiet)
        event_setup(EVENT_ERROR, "/dev/null");
    quiet = true;
    if (size > 300000)
        return 0;
    scan(data, size);
    open_over(data, size);
    return 0;
}
