/* SPDX-License-Identifier: Apache-2.0 */
/* wake.c - see wake.h. */
#include "agent/wake.h"
#include "common/event.h"
#include "common/must.h"
#include <inttypes.h>
#include <stdlib.h>

#define NS_PER_MS     UINT64_C(1000000)
#define SILENCE_MS    150000 /* heartbeats come each 45 to 60 s */
#define ANSWER_MS     30000  /* for the first line */
#define WAIT_FIRST_MS 1000
#define WAIT_MAX_MS   300000

void wake_feed(struct wake_lines *l, struct slice bytes, void (*fn)(void *ctx, const struct wire_wake_line *line),
               void *ctx)
{
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];
        if (c != '\n') {
            if (l->n == sizeof(l->line))
                l->skip = true;
            else
                l->line[l->n++] = c;
            continue;
        }
        struct slice text = slice_trim((struct slice){l->line, l->n});
        if (!l->skip && text.n) {
            struct arena *a = arena_new(65536);
            struct wire_wake_line line;
            struct decode_error err;
            if (wire_wake_line_parse(a, text, &line, &err) == RC_OK)
                fn(ctx, &line);
            arena_free(&a);
        }
        l->n = 0;
        l->skip = false;
    }
}

struct wake {
    struct http *h;
    struct wake_callbacks cb;
    void *ctx;
    struct http_request *request;
    struct wake_lines lines;
    uint64_t heard;   /* monotonic ms */
    uint64_t next;    /* not opened before */
    uint64_t wait_ms; /* of the next pause */
    bool open;
    char path[96];
};

static uint64_t now_ms(void)
{
    return clock_mono_ns() / NS_PER_MS;
}

struct wake *wake_new(struct http *h, const struct wake_callbacks *cb, void *ctx)
{
    struct wake *w = must_alloc(sizeof(*w));
    w->h = h;
    w->cb = *cb;
    w->ctx = ctx;
    w->wait_ms = WAIT_FIRST_MS;
    return w;
}

void wake_free(struct wake **wp)
{
    struct wake *w = *wp;
    if (!w)
        return;
    *wp = NULL;
    wake_close(w);
    free(w);
}

static void on_line(void *ctx, const struct wire_wake_line *line)
{
    struct wake *w = ctx;
    w->open = true;
    w->wait_ms = WAIT_FIRST_MS;
    if (line->has_wake)
        w->cb.woken(w->ctx, line->wake);
}

static bool on_data(void *ctx, struct slice bytes)
{
    struct wake *w = ctx;
    w->heard = now_ms();
    wake_feed(&w->lines, bytes, on_line, w);
    return true;
}

static void pause_stream(struct wake *w)
{
    w->open = false;
    w->request = NULL;
    w->next = now_ms() + w->wait_ms / 2 + random_below(w->wait_ms);
    w->wait_ms = w->wait_ms * 2 < WAIT_MAX_MS ? w->wait_ms * 2 : WAIT_MAX_MS;
}

static void on_done(void *ctx, const struct http_answer *answer)
{
    struct wake *w = ctx;
    pause_stream(w);
    ev_debug(AREA_AGENT, "wake-up stream ended", EV_INT("status", answer->status), EV_STR("error", answer->error));
    if (answer->retry_after > 0)
        wake_hold(w, answer->retry_after);
    if (answer->trouble == HTTP_FINE && answer->status != 200)
        w->cb.refused(w->ctx, answer);
}

void wake_hold(struct wake *w, int64_t seconds)
{
    uint64_t until = now_ms() + (uint64_t)seconds * 1000 + random_below(2000);
    if (until > w->next)
        w->next = until;
}

int wake_tick(struct wake *w, int64_t revision)
{
    uint64_t now = now_ms();
    if (w->request) {
        if (now - w->heard < SILENCE_MS)
            return (int)(SILENCE_MS - (now - w->heard)) + 1;
        ev_warn(AREA_AGENT, "wake-up stream is silent");
        wake_close(w);
        pause_stream(w);
        w->cb.silent(w->ctx);
    }
    if (now < w->next)
        return (int)(w->next - now) + 1;
    snprintf(w->path, sizeof(w->path), "/agent/v1/wake?revision=%" PRId64, revision);
    w->lines.n = 0;
    w->lines.skip = false;
    w->heard = now;
    w->request = http_stream(w->h, w->path, on_data, on_done, w);
    return SILENCE_MS;
}

bool wake_is_open(const struct wake *w)
{
    return w->open;
}

void wake_close(struct wake *w)
{
    http_cancel(w->request);
    w->request = NULL;
    w->open = false;
}

void wake_dropped(struct wake *w)
{
    w->request = NULL;
    w->open = false;
}
