# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 and HPACK, case by case. A case says what a client sends (bytes, or a function of the connection) and which outcomes
the RFC allows. Outcomes are texts:

    goaway CODE     the connection was ended with that code        rst CODE        the stream was reset
    closed          the connection was ended without a GOAWAY      answer STATUS   the stream was answered
    alive           nothing of these, and a later PING was answered

`fatal("X")` allows what a connection error may look like, `fault("X")` a stream error (also the stricter connection error,
and for malformed requests an answer of 400). OK is the answer of an address that does not exist: the request was understood.
"""
from dataclasses import dataclass

from h2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ERRORS, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITIZED, PRIORITY,
                PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, setting, u32)

OK = "answer 404"
PATH = "/api/none"  # exists on neither port
ES, EH, ESH = END_STREAM, END_HEADERS, END_STREAM | END_HEADERS
HEADER_TABLE_SIZE, ENABLE_PUSH, WINDOW, MAX_FRAME = 1, 2, 4, 5
EMPTY = frame(SETTINGS, 0, 0)


def fatal(*codes):
    return {f"goaway {c}" for c in codes} | {"closed"}


def fault(*codes):
    return fatal(*codes) | {f"rst {c}" for c in codes}


def malformed():
    return fault("PROTOCOL_ERROR") | {"answer 400"}


@dataclass
class Case:
    section: str
    title: str
    send: object                # bytes, or a function of the connection that gives bytes (it may read and send itself)
    allowed: object             # an outcome, or a set of them
    stream: int = 1             # whose outcome counts, 0: the connection's
    known: tuple = None         # (outcome, reason): what the library does instead
    begin: bytes = PREFACE + EMPTY
    check: object = None        # a further look at the connection: a text when it is not good
    ports: tuple = ("console", "agent")

    @property
    def name(self):
        return f"{self.section} {self.title}"


# ---- pieces

def fields(method="GET", path=PATH, scheme="https", authority="localhost", extra=(), without=()):
    out = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
    return [f for f in out if f[0] not in without] + list(extra)


def head(stream=1, flags=ESH, pairs=None, **kw):
    return frame(HEADERS, flags, stream, block(pairs if pairs is not None else fields(**kw)))


def post(stream=1, extra=(), flags=EH):
    return head(stream, flags, method="POST", extra=extra)


def data(text=b"x", stream=1, flags=ES):
    return frame(DATA, flags, stream, text)


def held(then, stream=1):
    """The stream is half closed and stays open: its answer has no window."""
    def send(c):
        c.send(head(stream))
        c.read(10, lambda: stream in c.headers)
        return then
    return send


HOLD = PREFACE + frame(SETTINGS, 0, 0, setting(WINDOW, 0))


def done(then, stream=1, request=None):
    """The stream was answered and is closed."""
    def send(c):
        c.send(request or head(stream))
        c.read(10, lambda: stream in c.ended or stream in c.resets)
        c.headers.discard(stream), c.ended.discard(stream), c.statuses.pop(stream, None)
        return then
    return send


def hpack(raw, flags=ESH):
    """A header block whose good fields are followed by raw."""
    return frame(HEADERS, flags, 1, block(fields()) + raw)


def dynamic(c):
    """Puts a field into the table with one request, uses it in the next."""
    c.send(frame(HEADERS, ESH, 1, block(fields()) + b"\x40\x03x-a\x03one"))
    c.read(10, lambda: 1 in c.ended)
    return frame(HEADERS, ESH, 3, block(fields()) + b"\xbe")


def references(c):
    """Does a header block of an answer use the dynamic table?"""
    for b in c.blocks:
        at = 0
        while at < len(b):
            first, at = b[at], at + 1
            bits = 7 if first & 0x80 else 6 if first & 0x40 else 5 if first & 0x20 else 4
            value, most = first & ((1 << bits) - 1), (1 << bits) - 1
            if value == most:
                shift = 0
                while True:
                    value += (b[at] & 0x7F) << shift
                    shift, at = shift + 7, at + 1
                    if not b[at - 1] & 0x80:
                        break
            if (first & 0x80 or first & 0x40) and value >= 62:
                return True
            if first & 0x80 or first & 0xE0 == 0x20:
                continue
            for _ in range(1 if value else 2):
                n, at = b[at] & 0x7F, at + 1
                if n == 0x7F:
                    shift = 0
                    while True:
                        n += (b[at] & 0x7F) << shift
                        shift, at = shift + 7, at + 1
                        if not b[at - 1] & 0x80:
                            break
                at += n
    return False


def twice(c):
    c.send(head(1))
    c.read(10, lambda: 1 in c.ended)
    return head(3)


def tiny_window(c):
    c.send(head(1))
    c.read(10, lambda: c.bodies.get(1))
    first = len(c.bodies.get(1, b""))
    c.read(0.3, lambda: len(c.bodies.get(1, b"")) > 1)
    c.first, c.second = first, len(c.bodies.get(1, b""))
    return frame(WINDOW_UPDATE, 0, 1, u32(100_000))


def negative_window(c):
    """The window shrinks below what was sent: nothing more comes until it is above zero again."""
    c.send(head(1))
    c.read(10, lambda: len(c.bodies.get(1, b"")) == 100)
    c.send(frame(SETTINGS, 0, 0, setting(WINDOW, 50)) + frame(WINDOW_UPDATE, 0, 1, u32(50)))
    c.read(0.3, lambda: len(c.bodies.get(1, b"")) > 100)
    c.second = len(c.bodies.get(1, b""))
    return frame(WINDOW_UPDATE, 0, 1, u32(100_000))


def connection_window(c):
    """65,535 bytes in all, whatever the streams may have."""
    c.send(head(1, path="/large.css"))
    c.read(10, lambda: len(c.bodies.get(1, b"")) >= 65_535)
    c.read(0.3, lambda: len(c.bodies.get(1, b"")) > 65_535)
    c.second = len(c.bodies.get(1, b""))
    return frame(WINDOW_UPDATE, 0, 0, u32(10_000_000))


def too_many_streams(c):
    c.send(b"".join(post(s) for s in range(1, 203, 2)))
    return b""


BIG = frame(PING, 0, 0, b"12345678")
PRIO = u32(0) + b"\x10"

CASES = [
    # ---- 3.4 preface
    Case("3.4", "preface and settings", b"", "alive", 0),
    Case("3.4", "preface byte by byte", lambda c: [c.send(bytes([b])) for b in PREFACE + EMPTY] and b"", "alive", 0, begin=b""),
    Case("3.4", "another preface", b"", fatal("PROTOCOL_ERROR"), 0, begin=b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + EMPTY),
    Case("3.4", "HTTP/1.1 in the place of the preface", b"", fatal("PROTOCOL_ERROR"), 0, begin=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    Case("3.4", "a PING before the settings", b"", fatal("PROTOCOL_ERROR"), 0, begin=PREFACE + BIG),
    Case("3.4", "a request before the settings", b"", fatal("PROTOCOL_ERROR"), 1, begin=PREFACE + head()),
    Case("3.4", "an acknowledgement before the settings", b"", fatal("PROTOCOL_ERROR"), 0, begin=PREFACE + frame(SETTINGS, ACK, 0)),
    # ---- 4 frames
    Case("4.1", "an unknown type", frame(0x42, 0xFF, 0, b"what") + head(), OK),
    Case("4.1", "an unknown type on a stream", post() + frame(0x42, 0, 1, b"what") + data(), OK),
    Case("4.1", "unknown flags of PING", frame(PING, 0xFE, 0, b"12345678"), "alive", 0),
    Case("4.1", "unknown flags of DATA", post() + data(flags=ES | 0xF6), OK),
    Case("4.1", "the reserved bit", frame(PING, 0, 0x80000000, b"12345678"), "alive", 0),
    Case("4.1", "the reserved bit of a request", frame(HEADERS, ESH, 0x80000001, block(fields())), OK),
    Case("4.2", "DATA of 16,384 bytes", post() + data(b"a" * 16384), {OK, "answer 413"}),
    Case("4.2", "DATA of 16,385 bytes", post() + data(b"a" * 16385), fault("FRAME_SIZE_ERROR")),
    Case("4.2", "HEADERS of 16,385 bytes", frame(HEADERS, ESH, 1, b"\x82" * 16385), fatal("FRAME_SIZE_ERROR")),
    Case("4.2", "SETTINGS of 16,386 bytes", frame(SETTINGS, 0, 0, setting(3, 100) * 2731), fatal("FRAME_SIZE_ERROR"), 0),
    Case("4.2", "an unknown type of 16,385 bytes", frame(0x42, 0, 0, b"a" * 16385), fatal("FRAME_SIZE_ERROR"), 0),
    Case("4.2", "a length of 16 MiB, the rest never comes", b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", fault("FRAME_SIZE_ERROR")),
    Case("4.3", "PRIORITY inside a header block", head(flags=ES) + frame(PRIORITY, 0, 3, PRIO), fatal("PROTOCOL_ERROR")),
    Case("4.3", "HEADERS inside a header block", head(flags=ES) + head(3), fatal("PROTOCOL_ERROR")),
    Case("4.3", "DATA inside a header block", head(flags=0) + data(), fatal("PROTOCOL_ERROR")),
    Case("4.3", "PING inside a header block", head(flags=ES) + BIG, fatal("PROTOCOL_ERROR")),
    Case("4.3", "an unknown type inside a header block", head(flags=ES) + frame(0x42, 0, 1), fatal("PROTOCOL_ERROR")),
    Case("4.3", "the block goes on with another stream", post(1) + head(3, ES) + frame(CONTINUATION, EH, 1, block([("x-a", "b")])),
         fatal("PROTOCOL_ERROR")),
    # ---- 5.1 streams
    Case("5.1", "idle: DATA", data(), fatal("PROTOCOL_ERROR")),
    Case("5.1", "idle: RST_STREAM", frame(RST_STREAM, 0, 1, u32(8)), fatal("PROTOCOL_ERROR")),
    Case("5.1", "idle: WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, u32(100)), fatal("PROTOCOL_ERROR")),
    Case("5.1", "idle: CONTINUATION", frame(CONTINUATION, EH, 1, block(fields())), fatal("PROTOCOL_ERROR")),
    Case("5.1", "idle by PRIORITY: DATA", frame(PRIORITY, 0, 1, PRIO) + data(), fatal("PROTOCOL_ERROR"),
         known=("rst STREAM_CLOSED", "a stream that was named by PRIORITY is no longer idle for the library; it is reset, nothing is kept")),
    Case("5.1", "half closed: DATA", held(data()), fault("STREAM_CLOSED"), begin=HOLD),
    Case("5.1", "half closed: HEADERS", held(head()), fault("STREAM_CLOSED"), begin=HOLD),
    Case("5.1", "half closed: CONTINUATION", held(frame(CONTINUATION, EH, 1, block(fields()))), fault("STREAM_CLOSED", "PROTOCOL_ERROR"), begin=HOLD),
    Case("5.1", "half closed: WINDOW_UPDATE opens it", held(frame(WINDOW_UPDATE, 0, 1, u32(100_000))), OK, begin=HOLD),
    Case("5.1", "half closed: PRIORITY", held(frame(PRIORITY, 0, 1, PRIO) + frame(WINDOW_UPDATE, 0, 1, u32(100_000))), OK, begin=HOLD),
    Case("5.1", "half closed: RST_STREAM", held(frame(RST_STREAM, 0, 1, u32(8))), "alive", 0, begin=HOLD),
    Case("5.1", "closed: DATA", done(data()), fault("STREAM_CLOSED")),
    Case("5.1", "closed: HEADERS", done(head()), fatal("STREAM_CLOSED")),
    Case("5.1", "closed: CONTINUATION", done(frame(CONTINUATION, EH, 1, block(fields()))), fatal("STREAM_CLOSED", "PROTOCOL_ERROR")),
    Case("5.1", "closed: WINDOW_UPDATE, PRIORITY, RST_STREAM", done(
        frame(WINDOW_UPDATE, 0, 1, u32(100)) + frame(PRIORITY, 0, 1, PRIO) + frame(RST_STREAM, 0, 1, u32(8))), "alive", 0),
    Case("5.1", "reset by us: DATA", post() + frame(RST_STREAM, 0, 1, u32(8)) + data(), fault("STREAM_CLOSED")),
    Case("5.1", "reset by us: HEADERS", post() + frame(RST_STREAM, 0, 1, u32(8)) + head(), fatal("STREAM_CLOSED", "PROTOCOL_ERROR")),
    Case("5.1.1", "an even number", head(2), fatal("PROTOCOL_ERROR"), 2),
    Case("5.1.1", "a number below the last", done(head(3), 5, head(5)), fatal("PROTOCOL_ERROR", "STREAM_CLOSED"), 3),
    Case("5.1.1", "a number below the last, named by PRIORITY before", lambda c: frame(PRIORITY, 0, 3, PRIO) + done(head(3), 5, head(5))(c),
         fatal("PROTOCOL_ERROR", "STREAM_CLOSED"), 3),
    Case("5.1.1", "the highest number", head(0x7FFFFFFF), OK, 0x7FFFFFFF),
    Case("5.1.1", "numbers may be left out", head(1001), OK, 1001),
    Case("5.1.2", "101 open streams", too_many_streams, fault("REFUSED_STREAM", "PROTOCOL_ERROR"), 201),
    Case("5.3.1", "HEADERS that depend on themselves", frame(HEADERS, ESH | PRIORITIZED, 1, u32(1) + b"\x10" + block(fields())),
         fault("PROTOCOL_ERROR") | {OK}),
    Case("5.3.1", "PRIORITY that depends on itself", frame(PRIORITY, 0, 1, u32(1) + b"\x10"), fault("PROTOCOL_ERROR") | {"alive"}, 0),
    Case("5.3.2", "PRIORITY in a circle", frame(PRIORITY, 0, 1, u32(3) + b"\1") + frame(PRIORITY, 0, 3, u32(5) + b"\1") + frame(
        PRIORITY, 0, 5, u32(1) + b"\1") + head(7), OK, 7),
    Case("5.3.2", "PRIORITY, exclusive, back and forth", b"".join(frame(PRIORITY, 0, s, u32(0x80000000 | d) + b"\xff") for s, d in (
        (1, 0), (3, 1), (5, 3), (1, 5), (3, 0), (5, 1), (1, 3))) + head(7), OK, 7),
    Case("5.5", "an unknown setting", frame(SETTINGS, 0, 0, setting(0xABCD, 1)) + head(), OK),
    # ---- 6.1 DATA
    Case("6.1", "DATA on stream 0", data(stream=0), fatal("PROTOCOL_ERROR"), 0),
    Case("6.1", "padding as long as the frame", post() + frame(DATA, ES | PADDED, 1, b"\x04abc"), fatal("PROTOCOL_ERROR")),
    Case("6.1", "padding without its length", post() + frame(DATA, ES | PADDED, 1, b""), fatal("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
    Case("6.1", "padding", post() + frame(DATA, ES | PADDED, 1, b"\x03abc\0\0\0"), OK),
    Case("6.1", "padding alone", post() + frame(DATA, PADDED, 1, b"\x03\0\0\0") + data(b""), OK),
    Case("6.1", "no padding, but said so", post() + frame(DATA, ES | PADDED, 1, b"\0abc"), OK),
    Case("6.1", "DATA without bytes", post() + data(b""), OK),
    # ---- 6.2 HEADERS
    Case("6.2", "HEADERS on stream 0", head(0), fatal("PROTOCOL_ERROR"), 0),
    Case("6.2", "padding as long as the frame", frame(HEADERS, ESH | PADDED, 1, b"\xff" + block(fields())), fatal("PROTOCOL_ERROR")),
    Case("6.2", "padding without its length", frame(HEADERS, ESH | PADDED, 1, b""), fatal("PROTOCOL_ERROR", "FRAME_SIZE_ERROR")),
    Case("6.2", "padding", frame(HEADERS, ESH | PADDED, 1, b"\x05" + block(fields()) + b"\0" * 5), OK),
    Case("6.2", "priority", frame(HEADERS, ESH | PRIORITIZED, 1, u32(0x80000000) + b"\xff" + block(fields())), OK),
    Case("6.2", "priority that is cut short", frame(HEADERS, ESH | PRIORITIZED, 1, b"\0\0\0"), fatal("FRAME_SIZE_ERROR", "PROTOCOL_ERROR")),
    Case("6.2", "priority and padding", frame(HEADERS, ESH | PRIORITIZED | PADDED, 1, b"\x02" + u32(0) + b"\x10" + block(fields()) + b"\0\0"), OK),
    Case("6.2", "without a header block", frame(HEADERS, ESH, 1, b""), malformed()),
    # ---- 6.3 PRIORITY
    Case("6.3", "on stream 0", frame(PRIORITY, 0, 0, PRIO), fatal("PROTOCOL_ERROR"), 0),
    Case("6.3", "of 4 bytes", frame(PRIORITY, 0, 1, PRIO[:4]), fault("FRAME_SIZE_ERROR")),
    Case("6.3", "of 6 bytes", frame(PRIORITY, 0, 1, PRIO + b"\0"), fault("FRAME_SIZE_ERROR")),
    Case("6.3", "on an idle stream", frame(PRIORITY, 0, 9, PRIO) + head(9), OK, 9),
    # ---- 6.4 RST_STREAM
    Case("6.4", "on stream 0", frame(RST_STREAM, 0, 0, u32(8)), fatal("PROTOCOL_ERROR"), 0),
    Case("6.4", "of 3 bytes", post() + frame(RST_STREAM, 0, 1, b"\0\0\0"), fatal("FRAME_SIZE_ERROR")),
    Case("6.4", "of 5 bytes", post() + frame(RST_STREAM, 0, 1, b"\0\0\0\0\0"), fatal("FRAME_SIZE_ERROR")),
    Case("6.4", "of an open stream, the next is served", post() + frame(RST_STREAM, 0, 1, u32(8)) + head(3), OK, 3),
    # ---- 6.5 SETTINGS
    Case("6.5", "an acknowledgement with settings", frame(SETTINGS, ACK, 0, setting(3, 1)), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.5", "on a stream", frame(SETTINGS, 0, 1), fatal("PROTOCOL_ERROR"), 0),
    Case("6.5", "of 5 bytes", frame(SETTINGS, 0, 0, b"\0\3\0\0\0"), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.5", "of 7 bytes", frame(SETTINGS, 0, 0, setting(3, 1) + b"\0"), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.5.2", "ENABLE_PUSH 2", frame(SETTINGS, 0, 0, setting(ENABLE_PUSH, 2)), fatal("PROTOCOL_ERROR"), 0),
    Case("6.5.2", "INITIAL_WINDOW_SIZE 2^31", frame(SETTINGS, 0, 0, setting(WINDOW, 1 << 31)), fatal("FLOW_CONTROL_ERROR"), 0),
    Case("6.5.2", "MAX_FRAME_SIZE 16,383", frame(SETTINGS, 0, 0, setting(MAX_FRAME, 16383)), fatal("PROTOCOL_ERROR"), 0),
    Case("6.5.2", "MAX_FRAME_SIZE 2^24", frame(SETTINGS, 0, 0, setting(MAX_FRAME, 1 << 24)), fatal("PROTOCOL_ERROR"), 0),
    Case("6.5.2", "the greatest values", frame(SETTINGS, 0, 0, setting(MAX_FRAME, (1 << 24) - 1) + setting(WINDOW, (1 << 31) - 1) + setting(
        3, 0xFFFFFFFF) + setting(6, 0xFFFFFFFF)) + head(), OK),
    Case("6.5.2", "HEADER_TABLE_SIZE 0 is kept to", twice, OK, 3, begin=PREFACE + frame(SETTINGS, 0, 0, setting(HEADER_TABLE_SIZE, 0)),
         known=("answer 404 beside the table", "the library ignores SETTINGS_HEADER_TABLE_SIZE (its source says so); such a client cannot read the second answer"),
         check=lambda c: "beside the table" if references(c) else None),
    Case("6.5.3", "settings are acknowledged", lambda c: EMPTY * 3 + head(), OK, check=lambda c: None if c.acks == 4 else f"{c.acks} acknowledgements"),
    # ---- 6.6 - 6.8
    Case("6.6", "PUSH_PROMISE", post() + frame(PUSH_PROMISE, EH, 1, u32(2) + block(fields())), fatal("PROTOCOL_ERROR")),
    Case("6.7", "PING is answered with its bytes", frame(PING, 0, 0, b"abcdefgh") + head(), OK, check=lambda c: None if b"abcdefgh" in c.pongs else "no answer"),
    Case("6.7", "an answer to no PING", frame(PING, ACK, 0, b"abcdefgh"), "alive", 0, check=lambda c: "answered" if b"abcdefgh" in c.pongs else None),
    Case("6.7", "on a stream", frame(PING, 0, 1, b"12345678"), fatal("PROTOCOL_ERROR"), 0),
    Case("6.7", "of 6 bytes", frame(PING, 0, 0, b"123456"), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.8", "on a stream", frame(GOAWAY, 0, 1, u32(0) * 2), fatal("PROTOCOL_ERROR"), 0),
    Case("6.8", "of 4 bytes", frame(GOAWAY, 0, 0, u32(0)), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.8", "what was asked before is answered", post() + frame(GOAWAY, 0, 0, u32(0) * 2) + data(), OK),
    # ---- 6.9 WINDOW_UPDATE and flow control
    Case("6.9", "by 0 on the connection", frame(WINDOW_UPDATE, 0, 0, u32(0)), fatal("PROTOCOL_ERROR"), 0),
    Case("6.9", "by 0 on a stream", post() + frame(WINDOW_UPDATE, 0, 1, u32(0)), fault("PROTOCOL_ERROR")),
    Case("6.9", "by 0 on an idle stream", frame(WINDOW_UPDATE, 0, 1, u32(0)), fatal("PROTOCOL_ERROR"),
         known=("rst PROTOCOL_ERROR", "the library looks at the increment before the stream")),
    Case("6.9", "of 3 bytes", frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), fatal("FRAME_SIZE_ERROR"), 0),
    Case("6.9", "of 5 bytes on a stream", post() + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0\1"), fatal("FRAME_SIZE_ERROR")),
    Case("6.9.1", "the connection's window beyond 2^31-1", frame(WINDOW_UPDATE, 0, 0, u32(0x7FFFFFFF)), fatal("FLOW_CONTROL_ERROR"), 0),
    Case("6.9.1", "a stream's window beyond 2^31-1", post() + frame(WINDOW_UPDATE, 0, 1, u32(0x7FFFFFFF)), fault("FLOW_CONTROL_ERROR")),
    Case("6.9.1", "a window of one byte", tiny_window, OK, begin=PREFACE + frame(SETTINGS, 0, 0, setting(WINDOW, 1)),
         check=lambda c: None if (c.first, c.second) == (1, 1) else f"{c.first}, then {c.second} bytes"),
    Case("6.9.1", "the connection's window of 65,535 bytes", connection_window, "answer 200", ports=("console",),
         begin=PREFACE + frame(SETTINGS, 0, 0, setting(WINDOW, 10_000_000)), check=lambda c: None if c.second == 65_535 else f"{c.second} bytes"),
    Case("6.9.2", "a window below zero", negative_window, OK, begin=PREFACE + frame(SETTINGS, 0, 0, setting(WINDOW, 100)),
         check=lambda c: None if c.second == 100 else f"{c.second} bytes"),
    Case("6.9.2", "a setting opens waiting streams", held(frame(SETTINGS, 0, 0, setting(WINDOW, 100_000))), OK, begin=HOLD),
    Case("6.9.2", "a setting lifts a stream's window beyond 2^31-1", post() + frame(WINDOW_UPDATE, 0, 1, u32(0x7FFFFFFF - 65535)) + frame(
        SETTINGS, 0, 0, setting(WINDOW, 65536)), fatal("FLOW_CONTROL_ERROR"),
        known=("alive", "the library leaves such a stream's window as it was")),
    # ---- 6.10 CONTINUATION
    Case("6.10", "in three pieces", lambda c: (lambda b: frame(HEADERS, ES, 1, b[:5]) + frame(CONTINUATION, 0, 1, b[5:30]) + frame(CONTINUATION, EH, 1, b[30:]))(
        block(fields())), OK),
    Case("6.10", "empty pieces", head(flags=ES) + frame(CONTINUATION, 0, 1) * 5 + frame(CONTINUATION, EH, 1), OK),
    Case("6.10", "after the block's end", post() + frame(CONTINUATION, EH, 1, block([("a", "b")])), fatal("PROTOCOL_ERROR")),
    Case("6.10", "on stream 0", head(flags=ES) + frame(CONTINUATION, EH, 0, block([("a", "b")])), fatal("PROTOCOL_ERROR")),
    Case("6.10", "after DATA", post() + data(flags=0) + frame(CONTINUATION, EH, 1, block([("a", "b")])), fatal("PROTOCOL_ERROR")),
    Case("6.10", "a trailer in pieces", post() + data(flags=0) + frame(HEADERS, ES, 1, block([("x-a", "b")])) + frame(CONTINUATION, EH, 1, block(
        [("x-b", "c")])), OK),
    # ---- 7 codes
    Case("7", "RST_STREAM with an unknown code", post() + frame(RST_STREAM, 0, 1, u32(0xFEDCBA98)) + head(3), OK, 3),
    Case("7", "GOAWAY with an unknown code", frame(GOAWAY, 0, 0, u32(0) + u32(0xFEDCBA98)), {"alive", "closed"}, 0),
    # ---- 8 requests
    Case("8.1", "a second HEADERS that ends nothing", post() + head(flags=EH, pairs=[("x-a", "b")]), malformed()),
    Case("8.1", "a trailer", post() + data(flags=0) + head(pairs=[("x-a", "b")]), OK),
    Case("8.1", "a trailer with a pseudo field", post() + data(flags=0) + head(pairs=[(":path", "/")]), malformed()),
    Case("8.1", "a trailer that damages itself", post() + data(flags=0) + head(pairs=[("x-a", b"b\0")]), malformed() | {OK},
         known=("goaway 254", "the library ends the connection with a number of its own")),
    Case("8.1.1", "content-length above the body", post(extra=[("content-length", "5")]) + data(b"four"), malformed()),
    Case("8.1.1", "content-length below the body", post(extra=[("content-length", "3")]) + data(b"four"), malformed()),
    Case("8.1.1", "content-length over several DATA", post(extra=[("content-length", "5")]) + data(b"ab", flags=0) + data(b"cd"), malformed()),
    Case("8.1.1", "content-length that is right", post(extra=[("content-length", "4")]) + data(b"ab", flags=0) + data(b"cd"), OK),
    Case("8.1.1", "content-length and a trailer, too short", post(extra=[("content-length", "5")]) + data(b"ab", flags=0) + head(pairs=[("x-a", "b")]), malformed()),
    Case("8.1.1", "content-length without a body", head(method="POST", extra=[("content-length", "5")]), malformed(),
         known=(OK, "the library drops the field when nothing follows; nothing behind us parses the request again")),
    Case("8.1.1", "content-length twice, differing", post(extra=[("content-length", "4"), ("content-length", "5")]) + data(b"four"), malformed(),
         known=("rst PROTOCOL_ERROR", "by chance: the last one counts")),
    Case("8.1.1", "content-length -1", post(extra=[("content-length", "-1")]) + data(), malformed()),
    Case("8.1.1", "content-length +1", post(extra=[("content-length", "+1")]) + data(), malformed()),
    Case("8.1.1", "content-length 1x", post(extra=[("content-length", "1x")]) + data(), malformed()),
    Case("8.1.1", "content-length 2^64+1", post(extra=[("content-length", "18446744073709551617")]) + data(), malformed()),
    Case("8.2", "a name in capitals", head(extra=[("X-A", "b")]), malformed()),
    Case("8.2.1", "a name with a blank", head(extra=[("x a", "b")]), malformed()),
    Case("8.2.1", "a name with a colon", head(extra=[("x:a", "b")]), malformed()),
    Case("8.2.1", "a name with NUL", head(extra=[("x\0a", "b")]), malformed()),
    Case("8.2.1", "a name with a line end", head(extra=[("x\r\na", "b")]), malformed()),
    Case("8.2.1", "a name with bytes above 127", head(extra=[("x-é", "b")]), malformed()),
    Case("8.2.1", "no name", head(extra=[("", "b")]), malformed()),
    Case("8.2.1", "a value with NUL", head(extra=[("x-a", b"b\0c")]), malformed()),
    Case("8.2.1", "a value with CR", head(extra=[("x-a", b"b\rc")]), malformed()),
    Case("8.2.1", "a value with LF", head(extra=[("x-a", b"b\nc: d")]), malformed()),
    Case("8.2.1", "a value that begins with a blank", head(extra=[("x-a", " b")]), malformed()),
    Case("8.2.1", "a value that ends with a tab", head(extra=[("x-a", "b\t")]), malformed()),
    Case("8.2.2", "connection", head(extra=[("connection", "keep-alive")]), malformed()),
    Case("8.2.2", "keep-alive", head(extra=[("keep-alive", "1")]), malformed()),
    Case("8.2.2", "proxy-connection", head(extra=[("proxy-connection", "x")]), malformed()),
    Case("8.2.2", "transfer-encoding", post(extra=[("transfer-encoding", "chunked")]) + data(), malformed()),
    Case("8.2.2", "upgrade", head(extra=[("upgrade", "h2c")]), malformed()),
    Case("8.2.2", "te: gzip", head(extra=[("te", "trailers, gzip")]), malformed()),
    Case("8.2.2", "te: trailers", head(extra=[("te", "trailers")]), OK),
    Case("8.2.3", "a cookie in crumbs", head(extra=[("cookie", "a=b"), ("cookie", "c=d")]), OK),
    Case("8.3", "an unknown pseudo field", head(extra=[(":x", "b")]), malformed()),
    Case("8.3", "a pseudo field of answers", head(extra=[(":status", "200")]), malformed()),
    Case("8.3", "a pseudo field after others", head(pairs=[("x-a", "b"), *fields()]), malformed()),
    Case("8.3.1", "no :method", head(without=[":method"]), malformed()),
    Case("8.3.1", "no :scheme", head(without=[":scheme"]), malformed()),
    Case("8.3.1", "no :path", head(without=[":path"]), malformed()),
    Case("8.3.1", "no :authority", head(without=[":authority"]), OK),
    Case("8.3.1", ":method twice", head(pairs=[(":method", "GET"), *fields()]), malformed()),
    Case("8.3.1", ":scheme twice", head(pairs=[(":scheme", "https"), *fields()]), malformed()),
    Case("8.3.1", ":path twice", head(pairs=[(":path", "/"), *fields()]), malformed()),
    Case("8.3.1", ":authority twice", head(pairs=[(":authority", "a"), *fields()]), malformed()),
    Case("8.3.1", "an empty :path", head(path=""), malformed()),
    Case("8.3.1", "a :path without a slash", head(path="api/none"), malformed()),
    Case("8.3.1", "a :path with a blank", head(path="/a b"), malformed()),
    Case("8.3.1", "a :path with a line end", head(path="/a\r\nb"), malformed()),
    Case("8.3.1", "a :path with NUL", head(path="/a\0b"), malformed()),
    Case("8.3.1", "a :path of a whole address", head(path="https://localhost/api/none"), malformed()),
    Case("8.3.1", "an empty :method", head(method=""), malformed()),
    Case("8.3.1", "a :method with a blank", head(method="GE T"), malformed()),
    Case("8.3.1", "an :authority with a user", head(authority="user:word@localhost"), malformed()),
    Case("8.3.1", "an :authority with a line end", head(authority="a\r\nb: c"), malformed()),
    Case("8.3.1", "an :authority with a path", head(authority="localhost/x"), malformed()),
    Case("8.3.1", "another scheme", head(scheme="ftp"), {OK} | malformed()),
    Case("8.3.1", "host in the place of :authority", head(without=[":authority"], extra=[("host", "localhost")]), OK),
    Case("8.3.1", "host and :authority that differ", head(extra=[("host", "elsewhere")]), {OK} | malformed()),
    Case("8.5", "CONNECT", head(pairs=[(":method", "CONNECT"), (":authority", "localhost:1")]), malformed()),
    Case("8.5", "CONNECT with a path", head(method="CONNECT"), malformed()),
    # ---- HPACK (RFC 7541)
    Case("7541 2.3.3", "index 0", hpack(b"\x80"), fatal("COMPRESSION_ERROR")),
    Case("7541 2.3.3", "an index beyond the tables", hpack(b"\xff\x80\x01"), fatal("COMPRESSION_ERROR")),
    Case("7541 2.3.3", "index 62 of an empty table", hpack(b"\xbe"), fatal("COMPRESSION_ERROR")),
    Case("7541 2.3.3", "a name's index beyond the tables", hpack(b"\x7f\x80\x01\x01a"), fatal("COMPRESSION_ERROR")),
    Case("7541 2.3.2", "a field of the table", dynamic, OK, 3),
    Case("7541 4.1", "a field larger than the table empties it", lambda c: frame(HEADERS, ESH, 1, block(fields()) + b"\x40\x03x-a\x03one" + (
        b"\x40\x03x-b\x7f\x81\x1f" + b"a" * 4096) + b"\xbe"), fatal("COMPRESSION_ERROR")),
    Case("7541 4.2", "the table's size as an update", frame(HEADERS, ESH, 1, b"\x3f\xe1\x1f" + block(fields())), OK),
    Case("7541 4.2", "the table's size to 0 and back", frame(HEADERS, ESH, 1, b"\x20\x3f\xe1\x1f" + block(fields())), OK),
    Case("7541 4.2", "an update behind a field", hpack(b"\x20\x82"[:1] + b"\x00\x01a\x01b"), fatal("COMPRESSION_ERROR"),
         known=(OK, "the library takes an update anywhere in a block; it stays in step with the client")),
    Case("7541 4.3", "a field that size 0 has dropped", lambda c: dynamic(c)[:0] + frame(HEADERS, ESH, 3, b"\x20" + block(fields()) + b"\xbe"),
         fatal("COMPRESSION_ERROR"), 3),
    Case("7541 5.1", "an integer of six bytes", hpack(b"\xff\x80\x80\x80\x80\x80\x01"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.1", "an integer without an end", hpack(b"\xff\x80\x80"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "a name longer than the block", hpack(b"\x00\x7fabc"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "a value longer than the block", hpack(b"\x00\x01a\x7e"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "a length of 2^28", hpack(b"\x00\x01a\x7f\xff\xff\xff\x7f"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "Huffman: good", hpack(b"\x00\x01a\x81\x1f"), OK),
    Case("7541 5.2", "Huffman: padding of more than 7 bits", hpack(b"\x00\x01a\x82\x1f\xff"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "Huffman: padding of zeros", hpack(b"\x00\x01a\x81\x18"), fatal("COMPRESSION_ERROR")),
    Case("7541 5.2", "Huffman: the end mark", hpack(b"\x00\x01a\x84\xff\xff\xff\xff"), fatal("COMPRESSION_ERROR")),
    Case("7541 6.2", "a literal that is cut short", hpack(b"\x40"), fatal("COMPRESSION_ERROR")),
    Case("7541 6.2.3", "never to be indexed", hpack(b"\x10\x03x-a\x01b"), OK),
    Case("7541 6.3", "an update beyond the limit", frame(HEADERS, ESH, 1, b"\x3f\xe2\x1f" + block(fields())), fatal("COMPRESSION_ERROR")),
    # ---- ours: what a client may not cost
    Case("10.5.1", "a header block of 64 KiB and more", lambda c: frame(HEADERS, ES, 1, block(fields())) + frame(
        CONTINUATION, 0, 1, (b"\x00\x01a\x7f\x81\xff\x00" + b"x" * 16256)[:16384]) * 5, fatal("ENHANCE_YOUR_CALM")),
    Case("10.5.1", "600 fields", hpack(b"\x82"[:0] + b"\x00\x01a\x00" * 600), fatal("ENHANCE_YOUR_CALM") | {"answer 431"}),
    Case("10.5.1", "a field of 9 KB", head(extra=[("x-a", "b" * 9000)]), "answer 431"),
    Case("10.5.1", "fields of 40 KB", lambda c: (lambda b: frame(HEADERS, ES, 1, b[:16384]) + frame(CONTINUATION, 0, 1, b[16384:32768]) + frame(
        CONTINUATION, EH, 1, b[32768:]))(block(fields(extra=[(f"x-{i}", "a" * 4000) for i in range(10)]))), "answer 431"),
    Case("10.5", "17 idle streams by PRIORITY", b"".join(frame(PRIORITY, 0, s, PRIO) for s in range(1, 100, 2)), {"alive"} | fatal("ENHANCE_YOUR_CALM"), 0),
]


def outcome(c, case):
    """Reads what the server makes of it."""
    probe = b"?probe?!"

    def seen():
        if case.stream and (case.stream in c.resets or case.stream in c.ended):
            return True
        return bool(c.goaways) or probe in c.pongs

    c.quiet(frame(PING, 0, 0, probe))
    c.read(15, lambda: c.closed or seen())
    if case.stream and probe in c.pongs and not c.goaways:
        c.read(0.4, lambda: c.closed or bool(c.goaways) or case.stream in c.resets or case.stream in c.ended)
    if c.goaways:
        c.read(5, lambda: c.closed)
        code = c.goaways[-1][1]
        text = "goaway " + (ERRORS[code] if code < len(ERRORS) else str(code))
        return text if c.closed else text + ", and left open"
    if c.closed:
        return "closed"
    if case.stream in c.resets:
        code = c.resets[case.stream]
        return "rst " + (ERRORS[code] if code < len(ERRORS) else str(code))
    if case.stream and case.stream in c.ended:
        return f"answer {c.statuses.get(case.stream)}"
    return "alive" if probe in c.pongs else "silent"
