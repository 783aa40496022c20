# SPDX-License-Identifier: Apache-2.0
"""Frames in orders that the HTTP library does not survive without what stands before it: an assertion on a stream that ends
while its window opens, a loop over the drain, another stream's header block, TLS bytes behind a goodbye; and random frames."""
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import PORTS, SLOW_BUILD, House, context, wait_closed  # noqa: E402
import h2  # noqa: E402
from h2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, setting, u32  # noqa: E402

WINDOW = 4
house = None


def setUpModule():
    global house
    house = House(drain_deadline=4).__enter__()


def tearDownModule():
    house.__exit__()


def served():
    for port in PORTS:
        c = house.h2(port)
        s = c.request("/api/none")
        assert c.answer(s, 15) is not None and c.statuses[s] == 404, f"{port} is not served"
        c.close()


def fields(path, method="GET"):
    return [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]


def get(stream, path, extra=()):
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block([*fields(path), *extra]))


class EndingStreams(unittest.TestCase):
    """The reader takes nothing, so a write waits for the kernel with the last bytes of some answers in it; then the window of
    their streams opens: by a setting, update by update, or behind a reset in the same bytes."""

    def attack(self, port, frames, window=0x7FFFFFFF):
        """More answers, each in a write of its own, than the kernel has room for; then what frames(streams) gives, piece by piece."""
        path, at_once, rounds = ("/medium.css", 1, 260) if port == "console" else ("/api/none", 20, 600)
        c = house.h2(port, receive_buffer=4096, settings=setting(WINDOW, window))
        c.send(frame(WINDOW_UPDATE, 0, 0, u32(0x7FFFFFFF - 65535)))
        streams = range(1, 2 * at_once * rounds, 2)
        try:
            for at in range(0, len(streams), at_once):
                c.send(b"".join(get(s, path) for s in streams[at:at + at_once]))
                time.sleep(0.006 if port == "console" else 0.003)
            time.sleep(0.3)
            for piece in frames(streams):
                c.send(piece)
                time.sleep(0.05)
        except OSError:
            pass
        time.sleep(0.2)
        c.close()
        self.assertTrue(house.alive(), house.service.log_text()[-3000:])
        served()

    def on(self, ports, frames, **kw):
        for port in ports:
            with self.subTest(port=port):
                self.attack(port, frames, **kw)

    def test_setting_closes_and_opens(self):
        self.on(PORTS, lambda streams: [frame(SETTINGS, 0, 0, setting(WINDOW, 0)), frame(SETTINGS, 0, 0, setting(WINDOW, 0x7FFFFFFF))])

    def test_setting_closes_and_opens_at_once(self):
        self.on(("console",), lambda streams: [frame(SETTINGS, 0, 0, setting(WINDOW, 0)) + frame(SETTINGS, 0, 0, setting(WINDOW, 0x7FFFFFFF))])

    def test_update_after_the_last_byte(self):
        """Windows that are exactly as long as the answers."""
        for port, path in (("console", "/medium.css"), ("agent", "/api/none")):
            with self.subTest(port=port):
                c = house.h2(port)
                n = len(c.get(path))
                c.close()
                self.attack(port, lambda streams: [b"".join(frame(WINDOW_UPDATE, 0, s, u32(1)) for s in streams[at:at + 500])
                                                   for at in range(0, len(streams), 500)], window=n)

    def test_update_behind_a_reset(self):
        """The reset ends a stream that the library has not reset yet when its window's update is looked at."""
        self.on(("console",), lambda streams: [frame(RST_STREAM, 0, s, u32(8)) + frame(WINDOW_UPDATE, 0, s, u32(1)) for s in streams[-140:-40]][:60], window=15000)
        self.on(("console",), lambda streams: [frame(SETTINGS, 0, 0, setting(WINDOW, 0))] + [b"".join(frame(RST_STREAM, 0, s, u32(8)) for s in streams[-130:-110])
                                     + frame(SETTINGS, 0, 0, setting(WINDOW, 0x7FFFFFFF))], window=70000)

    def test_honest_updates_are_kept(self):
        """A slow reader of many answers whose windows it opens as it reads gets every byte."""
        c = house.h2("console", receive_buffer=65536, settings=setting(WINDOW, 30000))
        want = len(Path(house.web.name, "large.css").read_bytes())
        streams = [c.request("/large.css") for _ in range(4)]
        seen = {0: 0}
        until = time.monotonic() + 60
        while not all(s in c.ended for s in streams) and not c.closed and time.monotonic() < until:
            c.read(0.05, lambda: any(len(c.bodies.get(s, b"")) - seen.get(s, 0) > 15000 for s in streams))
            out = b""
            for s in streams:
                more = len(c.bodies.get(s, b"")) - seen.get(s, 0)
                if more > 0:
                    seen[s] = seen.get(s, 0) + more
                    out += frame(WINDOW_UPDATE, 0, s, u32(more)) + frame(WINDOW_UPDATE, 0, 0, u32(more))
            c.quiet(out)
        self.assertEqual([len(c.bodies.get(s, b"")) for s in streams], [want] * 4, (c.closed, c.goaways, c.resets))
        c.close()


class HeaderBlocks(unittest.TestCase):
    def test_rest_on_another_stream(self):
        """Would be taken as the trailer of the other request, which would run without its body."""
        for port in PORTS:
            c = house.h2(port)
            c.send(frame(HEADERS, END_HEADERS, 1, block(fields("/api/none", "POST"))) + frame(HEADERS, END_STREAM, 3, block(fields("/api/none"))) + frame(
                CONTINUATION, END_HEADERS, 1, block([("x-a", "b")])))
            self.assertTrue(wait_closed(c, 10))
            self.assertNotIn(1, c.ended)
            c.close()
        served()

    def test_many_fields_of_one_byte(self):
        """A table entry of 4,000 bytes, used 60,000 times in requests whose body never comes: a hundred streams, ten clients."""
        before = house.rss_kb()
        for port in PORTS:
            for _ in range(10):
                c = house.h2(port)
                first = block(fields("/api/none")) + b"\x40\x01a" + h2.integer(3900, 7) + b"b" * 3900
                c.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, first))
                many = block(fields("/api/none", "POST")) + b"\xbe" * 60000
                for s in range(3, 201, 2):
                    c.quiet(frame(HEADERS, 0, s, many[:16384]) + frame(CONTINUATION, 0, s, many[16384:32768]) + frame(
                        CONTINUATION, 0, s, many[32768:49152]) + frame(CONTINUATION, END_HEADERS, s, many[49152:]))
                    if c.closed:
                        break
                self.assertTrue(wait_closed(c, 10))
                c.close()
        self.assertLess(house.rss_kb() - before, 60_000 if not SLOW_BUILD else 400_000)
        served()

    def test_as_many_as_are_allowed(self):
        """500 fields and no body, on a hundred streams of ten clients."""
        before = house.rss_kb()
        clients = []
        for _ in range(10):
            c = house.h2("agent")
            many = block(fields("/api/none", "POST")) + b"\x82"[:0] + b"\x00\x01a\x01b" * 500
            for s in range(1, 201, 2):
                c.quiet(frame(HEADERS, END_HEADERS, s, many))
            c.read(0.1)
            clients.append(c)
        self.assertLess(house.rss_kb() - before, 120_000 if not SLOW_BUILD else 600_000)
        for c in clients:
            c.close()
        served()


class Goodbyes(unittest.TestCase):
    def closed_by(self, port, before, s, seconds):
        """Sends on until the server has let go; the kernel may keep the sender waiting even then."""
        end = time.monotonic() + seconds
        sent = 0
        junk = b"\x17\x03\x03\x40\x00" + b"x" * 16384
        s.settimeout(0.5)
        while time.monotonic() < end:
            try:
                sent += s.send(junk)
            except (TimeoutError, BlockingIOError):
                if house.metric(f"connections_{port}") <= before:
                    return True, sent
            except OSError:
                return True, sent
        return False, sent

    def test_bytes_behind_it(self):
        """TLS close_notify, then more: nobody looks at these bytes, so nobody may keep them."""
        for port in PORTS:
            for alpn in ("h2", "http/1.1"):
                for begun in (False, True):
                    with self.subTest(port=port, alpn=alpn, begun=begun):
                        before, others = house.rss_kb(), house.metric(f"connections_{port}")
                        raw = socket.create_connection(("127.0.0.1", house.port(port)), timeout=10)
                        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                        tls = context((alpn,)).wrap_bio(incoming, outgoing)
                        while True:
                            try:
                                tls.do_handshake()
                                break
                            except ssl.SSLWantReadError:
                                raw.sendall(outgoing.read())
                                incoming.write(raw.recv(65536))
                        if begun:
                            tls.write(h2.PREFACE + frame(SETTINGS, 0, 0) if alpn == "h2" else b"GET / HTTP/1.1\r\nHost: localhost\r\n")
                        try:
                            tls.unwrap()
                        except ssl.SSLWantReadError:
                            pass
                        raw.sendall(outgoing.read())
                        ended, sent = self.closed_by(port, others, raw, 20)
                        raw.close()
                        self.assertTrue(ended, f"{sent} bytes were taken")
                        self.assertLess(house.rss_kb() - before, 100_000)
        served()

    def test_bytes_behind_an_error(self):
        """The library says GOAWAY to a client that does not read, waits for room, and would keep all that comes meanwhile."""
        before = house.rss_kb()
        c = house.h2("console", receive_buffer=4096, settings=setting(WINDOW, 0x7FFFFFFF))
        c.send(frame(WINDOW_UPDATE, 0, 0, u32(0x7FFFFFFF - 65535)))
        for s in range(1, 21, 2):
            c.send(get(s, "/large.css"))
        time.sleep(0.5)
        c.send(frame(PING, 0, 1, b"12345678"))
        sent, end = 0, time.monotonic() + 3
        c.sock.settimeout(0.5)
        while time.monotonic() < end and sent < 300_000_000:
            try:
                sent += c.sock.send(b"x" * 65536)
            except (TimeoutError, ssl.SSLWantWriteError):
                continue
            except OSError:
                break
        self.assertLess(house.rss_kb() - before, 60_000 if not SLOW_BUILD else 100_000, f"{sent} bytes were taken")
        c.close()
        served()

    def test_asked_before_is_answered(self):
        for alpn, ask, want in (("http/1.1", b"GET /api/none HTTP/1.1\r\nHost: localhost\r\n\r\n", b"path_unknown"),
                                ("h2", h2.PREFACE + frame(SETTINGS, 0, 0) + get(1, "/api/none"), b"path_unknown")):
            raw = socket.create_connection(("127.0.0.1", house.port("console")), timeout=10)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context((alpn,)).wrap_bio(incoming, outgoing)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
            tls.write(ask)
            try:
                tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            raw.sendall(outgoing.read())
            got = b""
            while want not in got:
                try:
                    got += tls.read(65536)
                except ssl.SSLWantReadError:
                    more = raw.recv(65536)
                    if not more:
                        break
                    incoming.write(more)
                except ssl.SSLError:
                    break
            self.assertIn(want, got, alpn)
            raw.close()


class RandomFrames(unittest.TestCase):
    """From fixed seeds; what the server makes of them does not matter, but it goes on. SEKISHO_SEED tries others."""

    def one(self, port, seed):
        rng = random.Random(seed)
        c = house.h2(port, receive_buffer=rng.choice((0, 4096)), settings=setting(WINDOW, rng.choice((0, 1, 100, 179, 65535, 0x7FFFFFFF))))
        c.quiet(frame(WINDOW_UPDATE, 0, 0, u32(1 << 30)))
        opened = 1
        paths = ["/api/none", "/large.css", "/", "/api/v1/me", "", "/a b"]
        for _ in range(rng.randrange(5, 60)):
            out = b""
            for _ in range(rng.randrange(1, 40)):
                s = rng.choice((opened, opened, opened - 2, max(1, opened - rng.randrange(0, 40, 2)), 0, 2))
                kind = rng.randrange(12)
                if kind < 4:
                    opened += 2
                    extra = [("x-" + "abc"[rng.randrange(3)], "v" * rng.randrange(300))] * rng.randrange(3)
                    flags = END_HEADERS | (END_STREAM if rng.random() < 0.8 else 0)
                    if rng.random() < 0.2:
                        out += frame(HEADERS, flags | h2.PRIORITIZED, opened, u32(rng.choice((0, max(0, s), 0x80000000 | max(0, s)))) + bytes([rng.randrange(256)]) + block(
                            [*fields(rng.choice(paths)), *extra]))
                    else:
                        out += frame(HEADERS, flags, opened, block([*fields(rng.choice(paths), rng.choice(("GET", "POST"))), *extra]))
                elif kind == 4:
                    out += frame(DATA, rng.choice((0, END_STREAM)), max(0, s), b"d" * rng.choice((0, 1, 1000)))
                elif kind == 5:
                    out += frame(RST_STREAM, 0, max(0, s), u32(8)) if s > 0 else b""
                elif kind < 8:
                    out += frame(WINDOW_UPDATE, 0, max(0, s), u32(rng.choice((0, 1, 100, 1000, 65535, 1 << 30)) if s > 0 else 1))
                elif kind == 8:
                    out += frame(SETTINGS, 0, 0, setting(rng.choice((WINDOW, WINDOW, 1, 3, 5)), rng.choice((0, 1, 179, 16384, 65535, 100000))))
                elif kind == 9:
                    out += frame(PRIORITY, 0, max(1, s), u32(rng.choice((0, 1, max(0, s), 0x80000000 | opened))) + bytes([rng.randrange(256)]))
                elif kind == 10:
                    out += frame(PING, 0, 0, b"12345678")
                else:
                    out += frame(rng.randrange(256), rng.randrange(256), max(0, s), os.urandom(0) + bytes(rng.randrange(256) for _ in range(rng.randrange(12)))) \
                        if rng.random() < 0.1 else frame(SETTINGS, 0, 0, setting(WINDOW, rng.choice((0, 65535))))
            c.quiet(out)
            if rng.random() < 0.5:
                c.read(0.003)
            if c.closed:
                break
        c.close()

    def test_random(self):
        begin = int(os.environ.get("SEKISHO_SEED", "1"))
        until = time.monotonic() + (20 if SLOW_BUILD else 15)
        seeds = iter(range(begin, begin + 100_000))
        lock = threading.Lock()
        done = []

        def work():
            while time.monotonic() < until and house.alive():
                with lock:
                    seed = next(seeds)
                try:
                    self.one(PORTS[seed % 2], seed)
                except (OSError, AssertionError):
                    pass
                done.append(seed)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertTrue(house.alive(), f"one of the seeds {done[-8:]} ended the server:\n{house.service.log_text()[-3000:]}")
        self.assertGreater(len(done), 20)
        served()


class ZDrain(unittest.TestCase):
    """The last: ends the server and starts it again."""

    def test_header_block_open_over_the_drain(self):
        """A request that is not answered yet keeps the connection; then the block ends after the second GOAWAY."""
        for port in PORTS:
            with self.subTest(port=port):
                c = house.h2(port, settings=setting(WINDOW, 0))
                c.request("/api/none")
                c.read(5, lambda: c.headers)
                s = c.next
                c.send(frame(HEADERS, END_STREAM, s, block(fields("/api/none"))))
                c.read(0.3)
                house.service.process.send_signal(signal.SIGTERM)
                c.read(4, lambda: len(c.goaways) >= 2 or c.closed)
                c.quiet(frame(CONTINUATION, END_HEADERS, s, block([("x", "y")])))
                self.assertIn(house.service.process.wait(20), (0, 1))  # 3: the watchdog had to end it
                c.close()
                house.service.start()
        served()


if __name__ == "__main__":
    unittest.main(verbosity=2)
