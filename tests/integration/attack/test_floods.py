# SPDX-License-Identifier: Apache-2.0
"""Floods against the real server, on both ports. Each time two innocent clients are served within a bound, the server's memory
grows by no more than is said, and the attacker's connection is ended."""
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import PORTS, House, innocent  # noqa: E402
from client import forget_rates  # noqa: E402
from floods import BODY, ESH, GET, GROWTH, POST, SIGN_IN, WINDOW, Flood, stream  # noqa: E402
from h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PRIORITIZED, PRIORITY, RST_STREAM, SETTINGS,  # noqa: E402
                WINDOW_UPDATE, frame, setting, u32)

house = None


def setUpModule():
    global house
    Flood.house = house = House().__enter__()


def tearDownModule():
    house.__exit__()


class Resets(Flood):
    """Requests that are thrown away, by the client or by making the server do it."""

    def thrown(self, tail, head=None, **kw):
        self.on_both(lambda n: frame(HEADERS, ESH, stream(n), head or GET) + tail(stream(n)), **kw)

    def test_rapid_reset(self):
        self.thrown(lambda s: frame(RST_STREAM, 0, s, u32(8)))

    def test_rapid_reset_of_sign_ins(self):
        """Each would hash a password."""
        self.on("console", lambda n: frame(HEADERS, END_HEADERS, stream(n), SIGN_IN) + frame(DATA, END_STREAM, stream(n), BODY) + frame(
            RST_STREAM, 0, stream(n), u32(8)))
        forget_rates(house.service)

    def test_rapid_reset_of_open_bodies(self):
        """No request is ever whole, so nothing but frames shows them."""
        self.on_both(lambda n: frame(HEADERS, END_HEADERS, stream(n), POST) + frame(RST_STREAM, 0, stream(n), u32(8)))

    def test_made_by_window_0(self):
        self.thrown(lambda s: frame(WINDOW_UPDATE, 0, s, u32(0)))

    def test_made_by_window_0_on_open_bodies(self):
        self.on_both(lambda n: frame(HEADERS, END_HEADERS, stream(n), POST) + frame(WINDOW_UPDATE, 0, stream(n), u32(0)))

    def test_made_by_window_overflow(self):
        self.thrown(lambda s: frame(WINDOW_UPDATE, 0, s, u32(0x7FFFFFFF)), settings=setting(WINDOW, 0))
        self.thrown(lambda s: frame(WINDOW_UPDATE, 0, s, u32(0x7FFFFFFF)))

    def test_made_by_data(self):
        self.thrown(lambda s: frame(DATA, 0, s, b"x"))
        self.thrown(lambda s: frame(DATA, 0, s, b"x"), settings=setting(WINDOW, 0))

    def reconnecting(self, tail):
        """What ends the connection at once: the attacker comes again and again."""
        for port in PORTS:
            with self.subTest(port=port):
                before = house.rss_kb()
                with innocent(house):
                    until = time.monotonic() + 2
                    while time.monotonic() < until:
                        c = house.h2(port)
                        c.quiet(b"".join(frame(HEADERS, ESH, s, GET) for s in range(1, 181, 2)) + tail(181))
                        c.read(2, lambda: c.closed)
                        self.assertTrue(c.closed)
                        c.close()
                self.assertLess(house.rss_kb() - before, GROWTH)

    def test_made_by_headers(self):
        self.reconnecting(lambda s: frame(HEADERS, ESH, s - 2, GET))

    def test_made_by_self_dependency(self):
        self.reconnecting(lambda s: frame(PRIORITY, 0, s - 2, u32(s - 2) + b"\x10"))

    def test_made_by_wrong_lengths(self):
        for tail in (lambda s: frame(WINDOW_UPDATE, 0, s - 2, b"\0\0\1"), lambda s: frame(PRIORITY, 0, s - 2, b"\0" * 6), lambda s: frame(
                RST_STREAM, 0, s - 2, b"\0" * 3)):
            self.reconnecting(tail)


class Noise(Flood):
    """Frames that ask for nothing."""

    def test_continuation(self):
        for piece in (b"", b"\x00\x01a\x01b"):
            self.on_both(lambda n: frame(CONTINUATION, 0, 1, piece), begin=frame(HEADERS, END_STREAM, 1, GET))

    def test_large_continuation(self):
        text = b"\x00\x01a\x7f\x81\xff\x00" + b"x" * 16256
        self.on_both(lambda n: frame(CONTINUATION, 0, 1, text[:16384]), begin=frame(HEADERS, END_STREAM, 1, GET), at_once=5)

    def test_empty_data(self):
        self.on_both(lambda n: frame(DATA, 0, 1), begin=frame(HEADERS, END_HEADERS, 1, POST))

    def test_padding_alone(self):
        self.on_both(lambda n: frame(DATA, PADDED, 1, b"\xff" + b"\0" * 255), begin=frame(HEADERS, END_HEADERS, 1, POST))

    def test_empty_headers(self):
        self.on_both(lambda n: frame(HEADERS, END_STREAM, stream(n), b"") + frame(CONTINUATION, END_HEADERS, stream(n), GET))

    def test_settings(self):
        self.on_both(lambda n: frame(SETTINGS, 0, 0, setting(3, n)))

    def test_settings_of_many(self):
        self.on_both(lambda n: frame(SETTINGS, 0, 0, setting(WINDOW, 65535) * 2000), at_once=10)

    def test_settings_nobody_reads(self):
        self.on_both(lambda n: frame(SETTINGS, 0, 0), read=False)

    def test_ping(self):
        self.on_both(lambda n: frame(PING, 0, 0, b"12345678"))

    def test_ping_nobody_reads(self):
        self.on_both(lambda n: frame(PING, 0, 0, b"12345678"), read=False, receive_buffer=4096)

    def test_priority(self):
        self.on_both(lambda n: frame(PRIORITY, 0, 1 + 2 * (n % 15), u32((1 + 2 * ((n * 7) % 15)) | 0x80000000) + bytes([n % 256]))
                     if (n % 15) != (n * 7) % 15 else b"")

    def test_priority_with_requests(self):
        self.on_both(lambda n: frame(HEADERS, ESH | PRIORITIZED, stream(n), u32(0x80000000 | max(0, stream(n) - 2)) + bytes([n % 256]) + GET) + frame(
            PRIORITY, 0, max(1, stream(n) - 4), u32(stream(n)) + b"\xff") * 20)

    def test_unknown_frames(self):
        self.on_both(lambda n: frame(0xE0, 0, 0, b"x" * 20))

    def test_window_updates(self):
        self.on_both(lambda n: frame(WINDOW_UPDATE, 0, 0, u32(1)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
