# SPDX-License-Identifier: Apache-2.0
"""What the floods share: an attack is a function that gives bytes step by step."""
import unittest

from house import PORTS, SLOW_BUILD, innocent
from h2 import END_HEADERS, END_STREAM, block

ESH = END_STREAM | END_HEADERS
WINDOW = 4
GROWTH = 60_000 if not SLOW_BUILD else 250_000  # KB


def fields(method, path):
    return block([(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)])


GET = fields("GET", "/api/v1/me")
POST = fields("POST", "/api/v1/sign-in")
SIGN_IN = block([(":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", "/api/v1/sign-in"),
                 ("content-type", "application/json")])
BODY = b'{"name":"nobody/nobody","password":"wrong wrong wrong"}'


class Flood(unittest.TestCase):
    house = None  # of the module

    def on(self, port, piece, rounds=300, at_once=100, settings=b"", read=True, ended=True, begin=None, receive_buffer=0):
        """piece(n): bytes of the n-th step, n = 0, 1, ...; at_once of them in one write, until we are cut."""
        before, cut = self.house.rss_kb(), self.house.metric("connections_cut")
        with innocent(self.house):
            c = self.house.h2(port, settings=settings, receive_buffer=receive_buffer)
            c.sock.settimeout(10)
            if begin:
                c.send(begin)
            try:
                for i in range(rounds):
                    c.send(b"".join(piece(n) for n in range(i * at_once, (i + 1) * at_once)))
                    if read:
                        c.read(0.002)
                        c.sock.settimeout(10)
                    if c.closed:
                        break
            except OSError:
                c.closed = True
            if ended and not c.closed:
                c.read(3, lambda: c.closed)
            closed = c.closed
            c.close()
        self.assertTrue(self.house.alive(), self.house.service.log_text()[-3000:])
        if ended:
            self.assertTrue(closed, "never cut")
            self.assertTrue(self.house.metric("connections_cut") > cut or c.goaways, "not by us")
        self.assertLess(self.house.rss_kb() - before, GROWTH)

    def on_both(self, piece, **kw):
        for port in PORTS:
            with self.subTest(port=port):
                self.on(port, piece, **kw)


def stream(n):
    return 2 * n + 1
