/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - pages of a bump allocator. The first page is part of the arena's own block, so a small call costs one
 * malloc. What is larger than a quarter page gets a block of its own. Under AddressSanitizer everything that was not
 * handed out is poisoned, and allocations stand apart by a gap, so that overruns inside an arena are found too. */
#include "common/arena.h"
#include "common/must.h"
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define poison(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define GAP            16
#else
#define poison(p, n)   ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#define GAP            0
#endif

#define ALIGN         16
#define FIRST_PAGE    (4096 - 256) /* with the arena itself and malloc's head below one memory page */
#define GREATEST_PAGE (64 * 1024)

/* A page, or a block for one large allocation; its bytes follow. */
struct page {
    struct page *next;
    size_t cap;
    size_t used;
    size_t unused_keeps_alignment;
};

struct release {
    struct release *next;
    void (*fn)(void *);
    void *ptr;
};

struct arena {
    size_t ceiling;
    size_t payload;
    struct page *pages; /* the newest first, from which is allocated; the last of the list is first */
    struct page *large; /* the newest first */
    struct release *releases;
    bool wiping;
    bool over;
    _Alignas(ALIGN) struct page first;
};

_Static_assert(sizeof(struct page) % ALIGN == 0, "bytes behind a page's head must be aligned");

static char *page_bytes(struct page *p)
{
    return (char *)(p + 1);
}

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static struct arena *create(size_t ceiling, bool wiping)
{
    struct arena *a = malloc(sizeof(*a) + FIRST_PAGE);

    must(a != NULL);
    *a = (struct arena){.ceiling = ceiling, .wiping = wiping, .first = {.cap = FIRST_PAGE}};
    a->pages = &a->first;
    poison(page_bytes(&a->first), FIRST_PAGE);
    return a;
}

struct arena *arena_new(size_t ceiling)
{
    return create(ceiling, false);
}

struct arena *arena_new_wiping(size_t ceiling)
{
    return create(ceiling, true);
}

static void page_clean(const struct arena *a, struct page *p)
{
    unpoison(page_bytes(p), p->cap);
    if (a->wiping)
        explicit_bzero(page_bytes(p), p->used);
}

static void list_free(const struct arena *a, struct page *p)
{
    while (p && p != &a->first) {
        struct page *next = p->next;

        page_clean(a, p);
        free(p);
        p = next;
    }
}

/* Releases may still use memory of the arena, so they run before anything is freed. */
static void empty(struct arena *a)
{
    while (a->releases) {
        struct release *r = a->releases;

        a->releases = r->next;
        r->fn(r->ptr);
    }
    list_free(a, a->pages);
    list_free(a, a->large);
    page_clean(a, &a->first);
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    empty(*a);
    free(*a);
    *a = NULL;
}

void arena_reset(struct arena *a)
{
    empty(a);
    a->pages = &a->first;
    a->large = NULL;
    a->first.used = 0;
    a->payload = 0;
    a->over = false;
    poison(page_bytes(&a->first), FIRST_PAGE);
}

static struct page *page_new(struct page *next, size_t cap)
{
    struct page *p;

    must(cap <= SIZE_MAX - sizeof(*p));
    p = malloc(sizeof(*p) + cap);
    must(p != NULL);
    *p = (struct page){.next = next, .cap = cap};
    poison(page_bytes(p), cap);
    return p;
}

static void *page_take(struct page *p, size_t n)
{
    char *at = page_bytes(p) + p->used;
    size_t step = round_up(n) + GAP;

    p->used = step < p->cap - p->used ? p->used + step : p->cap;
    unpoison(at, n);
    return memset(at, 0, n);
}

/* Memory that is not counted as payload. */
static void *take(struct arena *a, size_t n)
{
    struct page *p = a->pages;

    if (n <= p->cap - p->used)
        return page_take(p, n);
    if (n > FIRST_PAGE / 4) {
        a->large = page_new(a->large, round_up(n));
        return page_take(a->large, n);
    }
    a->pages = page_new(p, p->cap < GREATEST_PAGE / 2 ? p->cap * 2 : GREATEST_PAGE);
    return page_take(a->pages, n);
}

static void count_payload(struct arena *a, size_t n)
{
    must(n <= SIZE_MAX / 4 - a->payload);
    a->payload += n;
    if (a->payload > a->ceiling) {
        a->over = true;
        must(a->payload - a->ceiling <= a->ceiling);
    }
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n == 0)
        n = 1; /* distinct pointers, and never NULL */
    count_payload(a, n);
    return take(a, n);
}

void *arena_alloc_array(struct arena *a, size_t size, size_t n)
{
    size_t all;

    must(!__builtin_mul_overflow(size, n, &all));
    return arena_alloc(a, all);
}

/* In place at the end of the newest page. */
static bool grow_last(struct page *page, char *p, size_t old_n, size_t new_n)
{
    size_t at;

    if (p < page_bytes(page) || p >= page_bytes(page) + page->cap)
        return false;
    at = (size_t)(p - page_bytes(page));
    if (page->used != (at + round_up(old_n) + GAP < page->cap ? at + round_up(old_n) + GAP : page->cap))
        return false;
    if (new_n > page->cap - at)
        return false;
    page->used = at;
    unpoison(p, new_n);
    memset(p + old_n, 0, new_n - old_n);
    page->used = at + round_up(new_n) + GAP < page->cap ? at + round_up(new_n) + GAP : page->cap;
    return true;
}

/* The newest large block moves as a whole, so that a growing buffer leaves no trail of its smaller selves. */
static void *grow_large(struct arena *a, size_t old_n, size_t new_n)
{
    struct page *old = a->large;
    struct page *grown = page_new(old->next, round_up(new_n));
    char *p = page_take(grown, new_n);

    memcpy(p, page_bytes(old), old_n);
    a->large = grown;
    page_clean(a, old);
    free(old);
    return p;
}

void *arena_realloc(struct arena *a, void *p, size_t old_n, size_t new_n)
{
    void *q;

    if (!p)
        return arena_alloc(a, new_n);
    if (new_n <= old_n)
        return p;
    if (a->large && p == page_bytes(a->large) && new_n > FIRST_PAGE / 4) {
        count_payload(a, new_n - old_n);
        return grow_large(a, old_n, new_n);
    }
    if (grow_last(a->pages, p, old_n, new_n)) {
        count_payload(a, new_n - old_n);
        return p;
    }
    q = arena_alloc(a, new_n);
    memcpy(q, p, old_n);
    return q;
}

bool arena_over(const struct arena *a)
{
    return a->over;
}

size_t arena_used(const struct arena *a)
{
    return a->payload;
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *p;

    must(s.n < SIZE_MAX);
    p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_cstr(a, slice_of(s));
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    return (struct slice){arena_cstr(a, s), s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char small[256];
    va_list args;
    char *p;
    int n;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    must(n >= 0);
    p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof(small))
        return memcpy(p, small, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}

void arena_defer(struct arena *a, void (*fn)(void *), void *ptr)
{
    struct release *r = take(a, sizeof(*r));

    *r = (struct release){.next = a->releases, .fn = fn, .ptr = ptr};
    a->releases = r;
}
