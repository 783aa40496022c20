# SPDX-License-Identifier: Apache-2.0
"""Floods of what is honest one by one: windows that hardly open, answers that nobody takes, requests and bodies that cost us more
than their sender. The innocent are served, memory is bounded; nobody has to be cut."""
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import Device, House, Line, innocent  # noqa: E402
from client import enrolment, forget_rates, squeeze  # noqa: E402
from floods import ESH, GET, GROWTH, WINDOW, Flood, fields, stream  # noqa: E402
from h2 import HEADERS, WINDOW_UPDATE, frame, setting, u32  # noqa: E402

house = None


def setUpModule():
    global house
    Flood.house = house = House().__enter__()


def tearDownModule():
    house.__exit__()


class Windows(Flood):
    def test_one_byte_at_a_time(self):
        """A window that opens by one byte each time: a frame and a record for each byte of ours."""
        self.on("console", lambda n: frame(WINDOW_UPDATE, 0, 1, u32(1)), settings=setting(WINDOW, 1), begin=frame(
            HEADERS, ESH, 1, fields("GET", "/large.css")), at_once=50, rounds=600)

    def test_held_at_zero(self):
        """Sixty clients with a hundred answers of 1 MB each that they do not take: 6 GB if we kept copies."""
        before = house.rss_kb()
        clients = []
        with innocent(house):
            for n in range(60):
                c = house.h2("console", settings=setting(WINDOW, 0))
                c.send(b"".join(frame(HEADERS, ESH, s, fields("GET", "/large.css")) for s in range(1, 201, 2)))
                clients.append(c)
            time.sleep(1)
            self.assertLess(house.rss_kb() - before, 3 * GROWTH)
        for c in clients:
            c.close()

    def test_nobody_reads(self):
        before = house.rss_kb()
        clients = []
        with innocent(house):
            for n in range(60):
                c = house.h2("console", settings=setting(WINDOW, 0x7FFFFFFF), receive_buffer=4096)
                c.send(frame(WINDOW_UPDATE, 0, 0, u32(0x7FFFFFFF - 65535)) + b"".join(frame(HEADERS, ESH, s, fields("GET", "/large.css"))
                                                                                       for s in range(1, 201, 2)))
                clients.append(c)
            time.sleep(1)
            self.assertLess(house.rss_kb() - before, 3 * GROWTH)
        for c in clients:
            c.close()


class Requests(Flood):
    """Honest frames, too many of them: nobody needs to be cut."""

    def test_empty_paths(self):
        self.on_both(lambda n: frame(HEADERS, ESH, stream(n), fields("GET", "")), ended=False, rounds=60, at_once=80)

    def test_table_churn(self):
        """Each request replaces the whole dynamic table with fields of its own."""
        def piece(n):
            return frame(HEADERS, ESH, stream(n), GET + b"".join(b"\x40\x02" + f"{i:02}".encode() + b"\x20" + f"{n:032}".encode() for i in range(60)))
        self.on_both(piece, ended=False, rounds=60, at_once=50)

    def test_invalid_fields(self):
        """Answered by the library itself."""
        self.on_both(lambda n: frame(HEADERS, ESH, stream(n), GET + b"\x00\x01a\x01\n"), ended=False, rounds=60, at_once=80)

    def crowd(self, work, threads=6, seconds=3):
        until, errors = time.monotonic() + seconds, []

        def run(i):
            try:
                while time.monotonic() < until:
                    work(i)
            except Exception as e:  # noqa: BLE001
                errors.append(e)

        with innocent(house):
            crowd = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
            for t in crowd:
                t.start()
            for t in crowd:
                t.join(60)
        self.assertEqual(errors, [])
        self.assertTrue(house.alive())

    def test_sign_ins(self):
        lines = [Line(house.service, house.port("console")) for _ in range(6)]
        seen = set()
        self.crowd(lambda i: seen.add(lines[i].send("POST", "/api/v1/sign-in", {"name": f"tenant{i}/x", "password": "wrong wrong"}).status))
        self.assertLessEqual(seen, {401, 429, 503}, seen)
        forget_rates(house.service)

    def test_enrolments(self):
        key = house.service.key("flood")
        csr = house.service.csr(key)
        lines = [Line(house.service, house.port("agent")) for _ in range(6)]
        seen = set()
        self.crowd(lambda i: seen.add(lines[i].send("POST", "/agent/v1/enrol", enrolment("sek1_" + "A" * 43, csr, "pc")).status))
        self.assertLessEqual(seen, {403, 429, 503}, seen)
        forget_rates(house.service)

    def device(self):
        if not hasattr(Requests, "_device"):
            made = next(c for c in house.service.made["changes"] if c["kind"] == "tenant" and c.get("enrolment_tokens"))
            Requests._device = Device(house.service, made["enrolment_tokens"][0]["token"], "attacker")
        return Requests._device

    def bodies(self, body, expected, **headers):
        d = self.device()
        lines = [Line(house.service, house.port("agent"), d.cert, d.key) for _ in range(6)]
        before, seen = house.rss_kb(), set()
        self.crowd(lambda i: seen.add(lines[i].send("POST", "/agent/v1/checkin", body, headers).status))
        self.assertLessEqual(seen, expected | {429, 503}, seen)
        self.assertLess(house.rss_kb() - before, 2 * GROWTH)
        forget_rates(house.service)

    def test_gzip_bombs(self):
        self.bodies(squeeze(b" " * (100 << 20)), {413}, **{"content-encoding": "gzip"})

    def test_deep_json(self):
        self.bodies(b"[" * 1_000_000, {400})

    def test_wide_json(self):
        self.bodies(b'{"x":[' + b"0," * 500_000 + b"0]}", {400})

    def test_large_strings(self):
        self.bodies(b'{"x":"' + b"\\u3042" * 170_000 + b'"}', {422})

    def test_many_keys(self):
        """A table whose keys could be made to collide, were its hash not seeded."""
        self.bodies(("{" + ",".join(f'"k{i}":0' for i in range(90_000)) + "}").encode(), {400, 422})


if __name__ == "__main__":
    unittest.main(verbosity=2)
