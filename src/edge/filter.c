/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - stands between a socket and the library's HTTP/2 code, which believes what clients send. It looks at each
 * frame first and ends the connection when there is something the library would not survive or pay too much for:
 *  - an assertion (the whole process) when the window of a stream opens while its last bytes wait for the kernel;
 *  - a loop without end on a header block that is finished after the drain has said goodbye;
 *  - what frames.c refuses.
 * It relies on two things inside 2.2.5: sock->_cb.read is what is called with new bytes, and sock->data is the
 * connection, as its installed header http2_internal.h describes it. */
#include "common/must.h"
#include "edge/edge_private.h"
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include <limits.h>

_Static_assert(H2O_VERSION_MAJOR == 2 && H2O_VERSION_MINOR == 2 && H2O_VERSION_PATCH == 5,
               "look at the library's HTTP/2 code again before trusting another version");

#define RESETS_AT_ONCE 16
#define PREFACE_SIZE   24

/* What the frames before it in the same bytes have done to the streams: the library has not seen them yet. */
struct batch {
    uint32_t reset[RESETS_AT_ONCE]; /* streams with an answer on its way that will be reset */
    unsigned resets, window_changes;
};

static h2o_http2_conn_t *library_conn(const struct conn *c)
{
    return c->sock->data;
}

static bool waits_for_kernel(const h2o_http2_stream_t *s)
{
    return h2o_linklist_is_linked((h2o_linklist_t *)(uintptr_t)&s->_refs.link);
}

/* Its last bytes are with the kernel and the library must not be told that its window opens. */
static bool is_ending(const struct batch *b, const h2o_http2_stream_t *s)
{
    if (s->state == H2O_HTTP2_STREAM_STATE_END_STREAM)
        return true;
    for (unsigned i = 0; i < b->resets; i++)
        if (b->reset[i] == s->stream_id)
            return true;
    return false;
}

static const char *note_reset(struct conn *c, struct batch *b, uint32_t stream)
{
    const h2o_http2_stream_t *s = h2o_http2_conn_get_stream(library_conn(c), stream);

    if (!s || !waits_for_kernel(s) || is_ending(b, s))
        return NULL;
    if (b->resets == RESETS_AT_ONCE)
        return "throws away too many answers at once";
    b->reset[b->resets++] = stream;
    return NULL;
}

static const char *window_update(struct conn *c, struct batch *b, const struct frame *f)
{
    const h2o_http2_stream_t *s;
    uint32_t more;

    if (f->stream == 0 || f->length != 4)
        return NULL;
    more = frame_u31(f->payload);
    s = h2o_http2_conn_get_stream(library_conn(c), f->stream);
    if (!s)
        return NULL;
    if (more == 0 || s->output_window._avail + (ssize_t)more > INT32_MAX)
        return note_reset(c, b, f->stream);
    if (is_ending(b, s))
        /* Too late to matter; a reset of such a stream does nothing. */
        ((uint8_t *)(uintptr_t)f->payload)[3 - (ssize_t)FRAME_HEAD] = FRAME_RST_STREAM;
    return NULL;
}

static bool changes_window(const struct conn *c, const struct frame *f)
{
    for (uint32_t at = 0; at + 6 <= f->length; at += 6)
        if (f->payload[at] == 0 && f->payload[at + 1] == H2O_HTTP2_SETTINGS_INITIAL_WINDOW_SIZE &&
            h2o_http2_decode32u(f->payload + at + 2) != library_conn(c)->peer_settings.initial_window_size)
            return true;
    return false;
}

/* Opens or closes the windows of all streams at once. Honest clients do it before they ask for anything. */
static const char *settings(struct conn *c, struct batch *b, const struct frame *f)
{
    const khash_t(h2o_http2_stream_t) *streams = library_conn(c)->streams;
    bool some_end = b->resets > 0;

    if (f->flags & FRAME_ACK || !changes_window(c, f))
        return NULL;
    if (++b->window_changes > 1)
        return "changes its window twice at once";
    for (khiter_t at = 0; at < kh_end(streams) && !some_end; at++)
        some_end = kh_exist(streams, at) && is_ending(b, kh_val(streams, at));
    return some_end ? "changes its window while answers are ending" : NULL;
}

static const char *guard(struct conn *c, struct batch *b, const struct frame *f)
{
    switch (f->type) {
    case FRAME_DATA:
    case FRAME_RST_STREAM:
        return note_reset(c, b, f->stream);
    case FRAME_WINDOW_UPDATE:
        return window_update(c, b, f);
    case FRAME_SETTINGS:
        return settings(c, b, f);
    case FRAME_CONTINUATION:
        return library_conn(c)->state >= H2O_HTTP2_CONN_STATE_HALF_CLOSED ? "ends a header block after the goodbye"
                                                                          : NULL;
    default:
        return NULL;
    }
}

/* The library leaves what is not a whole frame at the beginning of the buffer, so each frame is seen whole once. */
static const char *examine(struct conn *c)
{
    const uint8_t *p = (const uint8_t *)c->sock->input->bytes, *end = p + c->sock->input->size;
    struct batch b = {.resets = 0};
    uint64_t now_ms = clock_mono_ns() / 1000000;
    const char *why = NULL;
    struct frame f;

    if (!c->prefaced) {
        if (end - p < PREFACE_SIZE)
            return NULL;
        c->prefaced = true;
        p += PREFACE_SIZE;
    }
    while (!why && frame_cut(p, (size_t)(end - p), &f)) {
        why = frames_check(&c->frames, &f, now_ms, c->sock->bytes_written);
        if (!why)
            why = guard(c, &b, &f);
        p += FRAME_HEAD + f.length;
    }
    return why;
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    struct conn *c = sock->on_close.data;
    bool gone = false;

    if (!err && !c->cut && library_conn(c)->state != H2O_HTTP2_CONN_STATE_IS_CLOSING) {
        const char *why = examine(c);

        if (why)
            conn_cut(c, why);
    }
    /* Of a connection that is closing the library would keep all that comes. */
    if (!err && (c->cut || library_conn(c)->state == H2O_HTTP2_CONN_STATE_IS_CLOSING))
        err = "closing";
    c->gone = &gone;
    c->library_read(sock, err);
    if (gone)
        return;
    c->gone = NULL;
    if (!err)
        filter_keep(c);
}

/* The library frees its connection before the socket has said goodbye and is closed. */
static bool library_lives(const struct conn *c)
{
    h2o_linklist_t *all = &c->el->sites[c->listener].context.http2._conns;
    const h2o_http2_conn_t *mine = library_conn(c);

    for (h2o_linklist_t *at = all->next; at != all; at = at->next)
        if (H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, at) == mine)
            return true;
    return false;
}

void filter_keep(struct conn *c)
{
    if (!c->library_read || c->sock->_cb.read == on_read || c->cut || !library_lives(c) ||
        library_conn(c)->state == H2O_HTTP2_CONN_STATE_IS_CLOSING)
        return;
    /* It has stopped reading: half a megabyte of acknowledgements and resets waits for a client that reads nothing.
     * When it goes on it would do so without us. */
    conn_cut(c, "reads none of the answers to its frames");
}

/* ---- from the handshake to HTTP */

static void begin_http2(struct conn *c, h2o_accept_ctx_t *accept, struct timeval connected_at)
{
    h2o_socket_t *sock = c->sock;
    bool gone = false;
    h2o_buffer_t *early = sock->input;

    /* What came with the handshake would be worked on before we are in between. */
    h2o_buffer_init(&sock->input, &h2o_socket_buffer_prototype);
    c->gone = &gone;
    h2o_http2_accept(accept, sock, connected_at);
    must(!gone && sock->_cb.read);
    c->gone = NULL;
    h2o_buffer_dispose(&sock->input);
    sock->input = early;
    c->library_read = sock->_cb.read;
    sock->_cb.read = on_read;
    if (sock->input->size)
        on_read(sock, NULL);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
    struct conn *c = sock->on_close.data;
    h2o_accept_ctx_t *accept = &c->el->sites[c->listener].accept;
    struct timeval connected_at;

    h2o_timeout_unlink(&c->handshake_timer);
    sock->data = NULL;
    if (err) {
        h2o_socket_close(sock);
        return;
    }
    connected_at = *h2o_get_timestamp(accept->ctx, NULL, NULL);
    if (c->http2)
        begin_http2(c, accept, connected_at);
    else
        h2o_http1_accept(accept, sock, connected_at);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    struct conn *c = H2O_STRUCT_FROM_MEMBER(struct conn, handshake_timer, entry);

    h2o_socket_close(c->sock);
}

void filter_accept(struct conn *c, struct site *s)
{
    if (!s->accept.ssl_ctx) {
        h2o_accept(&s->accept, c->sock);
        return;
    }
    c->handshake_timer.cb = on_timeout;
    h2o_timeout_link(s->accept.ctx->loop, &s->accept.ctx->handshake_timeout, &c->handshake_timer);
    h2o_socket_ssl_handshake(c->sock, s->accept.ssl_ctx, NULL, on_handshake);
}
