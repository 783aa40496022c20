/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - one file of the journal: a header, then records that carry CRCs. Reading survives damage: it goes on at
 * the next sound record and says that something was skipped. Blocks for disk; not thread-safe. Only the journal, tests
 * and fuzzers use it. */
#ifndef SEKISHO_AGENT_SEGMENT_H
#define SEKISHO_AGENT_SEGMENT_H

#include "agent/journal.h"
#include "common/strbuf.h"

#define SEGMENT_HEADER       40                                 /* bytes before the first record */
#define SEGMENT_RECORD_FIXED (16 + 8 + 8 + 16 + 8 + 32 + 1 + 1) /* bytes of a record beside its kind and body */
#define SEGMENT_RECORD_MAX   (SEGMENT_RECORD_FIXED + JOURNAL_KIND_MAX + JOURNAL_BODY_MAX)

/* What the journal knows of a segment without reading it. */
struct segment {
    uint64_t number; /* of the file */
    uint64_t first;  /* number of the first record, also when that is a gap; 0 when empty */
    uint64_t last;
    uint64_t size; /* bytes */
    uint64_t count[JOURNAL_PRIORITIES];
    usec_t oldest[JOURNAL_PRIORITIES];
};

void segment_note(struct segment *s, const struct journal_record *r); /* r was appended, or found */

/* Files. The path is the caller's, to free. segment_create gives an fd behind the header, or -1 with errno;
 * segment_list the numbers of a folder's segments, in order, to free, and removes what an interrupted rewrite left. */
char *segment_path(const char *dir, uint64_t number);
int segment_create(const char *path, struct uuid epoch, uint64_t first);
size_t segment_list(const char *dir, uint64_t **ret);

/* Writing: records are gathered in out; segment_flush writes them, unforced only when they are many. false: errno. */
void segment_encode(struct strbuf *out, const struct journal_record *r);
void segment_encode_gap(struct strbuf *out, uint64_t first, uint64_t last, const char *reason, struct segment *s);
void segment_gap_body(struct strbuf *out, uint64_t first, uint64_t last, const char *reason);
bool segment_flush(int fd, struct strbuf *out, bool force);

/* Reading through a window. The fd stays the caller's. */
struct segment_reader {
    int fd;
    uint64_t at; /* offset of the next record */
    uint64_t size;
    uint64_t window_at;
    size_t window_n;
    uint8_t *window;
};

enum segment_found { SEGMENT_FOUND, SEGMENT_END, SEGMENT_TORN, SEGMENT_BAD };

void segment_reader_init(struct segment_reader *r, int fd, uint64_t at);
void segment_reader_done(struct segment_reader *r);
/* epoch NULL: any. false: the header is damaged or another epoch's; then records are searched from offset 0 on. */
bool segment_header_good(struct segment_reader *r, const struct uuid *epoch);
/* The next record. After SEGMENT_BAD the place is behind the damage, at the next sound record or the end. SEGMENT_TORN:
 * the rest is an append that was cut off. Slices of *ret point into the window: good until the next call. */
enum segment_found segment_reader_next(struct segment_reader *r, struct journal_record *ret);

/* Calls fn for each whole record. Returns the number of damaged places; *ret_torn as above. */
size_t segment_scan(int fd, void (*fn)(void *ctx, const struct journal_record *r), void *ctx, bool *ret_torn);

uint32_t segment_crc(const void *p, size_t n);

#endif
