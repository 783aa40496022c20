# SPDX-License-Identifier: Apache-2.0
"""A raw HTTP/2 client for tests that misbehave: frames as bytes, header blocks written as literals without Huffman coding.
Of the header blocks of answers only the status is decoded (the server writes it first, never Huffman-coded); what else tests
need to know is in the bodies (problem+json) and frame types."""
import socket
import ssl
import struct
import time

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
PUSH_PROMISE = 5
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITIZED = 1, 4, 1, 8, 0x20
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
          "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def integer(n, bits):
    most = (1 << bits) - 1
    if n < most:
        return bytes([n])
    out, n = [most], n - most
    while n >= 128:
        out.append(n % 128 + 128)
        n //= 128
    return bytes(out + [n])


def block(fields):
    out = b""
    for name, value in fields:
        name, value = name.encode(), value if isinstance(value, bytes) else value.encode()
        out += b"\x00" + integer(len(name), 7) + name + integer(len(value), 7) + value
    return out


def status_of(block):
    """:status, the first field of each answer."""
    known = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
    return known.get(block[0]) or int(block[2:5])


def u32(n):
    return struct.pack(">I", n)


def setting(ident, value):
    return struct.pack(">HI", ident, value)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def context(alpn=("h2",), cert=None, key=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if cert:
        c.load_cert_chain(cert, key)
    return c


class H2:
    def __init__(self, port, ctx=None, settings=b"", timeout=10, preface=True, receive_buffer=0):
        """preface False: the caller sends the first bytes. receive_buffer: bytes that the kernel keeps for a reader that is slow."""
        raw = socket.socket()
        raw.settimeout(timeout)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.connect(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = (ctx or context()).wrap_socket(raw)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.buffer = b""
        self.next = 1
        self.bodies, self.resets, self.ended, self.goaways, self.headers = {}, {}, set(), [], set()
        self.statuses, self.blocks, self.acks, self.pongs, self.updates = {}, [], 0, [], 0
        self.closed = False
        if preface:
            self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        self.sock.sendall(data)

    def fields(self, method, path, extra=()):
        return [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *extra]

    def request(self, path, method="GET", body=None, extra=(), end=True):
        """Sends it and returns the stream's number; with end=False the body stays open."""
        s, self.next = self.next, self.next + 2
        last = END_STREAM if body is None and end else 0
        fields = block(self.fields(method, path, extra))
        out = frame(HEADERS, last | (END_HEADERS if len(fields) <= 16384 else 0), s, fields[:16384])
        for at in range(16384, len(fields), 16384):
            out += frame(CONTINUATION, END_HEADERS if at + 16384 >= len(fields) else 0, s, fields[at : at + 16384])
        body = body or b""
        for at in range(0, len(body), 16384):
            part = body[at : at + 16384]
            out += frame(DATA, END_STREAM if end and at + 16384 >= len(body) else 0, s, part)
        self.send(out)
        return s

    def read(self, seconds=5, until=None):
        """Takes in frames until `until()` is true, the time is over or the connection ends."""
        end = time.monotonic() + seconds
        while not self.closed and not (until and until()) and time.monotonic() < end:
            self.sock.settimeout(max(0.01, min(0.2, end - time.monotonic())))
            try:
                more = self.sock.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                continue
            except OSError:
                more = b""
            if not more:
                self.closed = True
                break
            self.buffer += more
            self.take()
        return not until or until()

    def take(self):
        while len(self.buffer) >= 9:
            n = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + n:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
            payload, self.buffer = self.buffer[9 : 9 + n], self.buffer[9 + n :]
            if kind == DATA:
                self.bodies[stream] = self.bodies.get(stream, b"") + payload
            elif kind == HEADERS:
                self.headers.add(stream)
                self.statuses.setdefault(stream, status_of(payload))
                self.blocks.append(payload)
            elif kind == RST_STREAM:
                self.resets.setdefault(stream, int.from_bytes(payload, "big"))
            elif kind == GOAWAY:
                self.goaways.append((int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big")))
            elif kind == SETTINGS and not flags & ACK:
                self.quiet(frame(SETTINGS, ACK, 0))
            elif kind == SETTINGS:
                self.acks += 1
            elif kind == PING and flags & ACK:
                self.pongs.append(payload)
            elif kind == WINDOW_UPDATE:
                self.updates += 1
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                self.ended.add(stream)

    def quiet(self, data):
        try:
            self.send(data)
        except OSError:
            self.closed = True

    def answer(self, stream, seconds=5):
        """The body of one answer, whole; None when it was reset or the connection ended."""
        self.read(seconds, lambda: stream in self.ended or stream in self.resets)
        return self.bodies.get(stream, b"") if stream in self.ended else None

    def get(self, path, **kw):
        return self.answer(self.request(path, **kw))

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass
