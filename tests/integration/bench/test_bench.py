# SPDX-License-Identifier: Apache-2.0
"""Load at a small scale: counters only (served, refused, queues, statements), never times."""
import re
import sys
import time
import unittest
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "bench"), str(HERE.parent)]
from cell import program  # noqa: E402
from house import House  # noqa: E402
from table import QUICK  # noqa: E402

BUILD = Path(program("sekishod")).parent
DEVICES = 40


def empty_queues(h, seconds=10):
    """The last values of the gauges of queues: all 0, or not within the time."""
    until = time.monotonic() + seconds
    while True:
        left = {k: v for k, v in h.counters().items() if re.match(r"queue_(batch|blocking|slow|age_seconds)", k) and v}
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.h = House("plain", QUICK, BUILD)
        cls.h.__enter__()
        cls.addClassCleanup(cls.h.__exit__)
        cls.fleet = cls.h.fleet("devices", DEVICES, 100)

    def setUp(self):
        self.before = self.h.counters()

    def since(self, name):
        return self.h.counters()[name] - self.before[name]

    def check_calm(self):
        for name in ("jobs_shed", "requests_failed", "sql_errors", "batch_retries", "connections_cut"):
            self.assertEqual(self.since(name), 0, name)
        self.assertEqual(empty_queues(self.h), {})

    def test_unchanged_checkins_cost_no_sql(self):
        n = DEVICES * 28
        with self.fleet.sim("checkin", "--operations", n, "--parallel", DEVICES) as sim:
            sim.wait()
            self.h.statements(True)
            self.before = self.h.counters()
            done = sim.round()
            statements = self.h.statements(False)
        self.assertEqual((done.n, done.errors), (n, 0))
        self.assertEqual(self.since("checkins"), n)
        bypassed = self.since("checkins_bypassed")
        self.assertEqual(self.since("checkins_unchanged") + bypassed, n)
        self.assertLess(bypassed, n / 10)  # one in 50
        # Only those that went past the cache on purpose locked their device's row.
        locked = sum(calls for text, calls, _, _, _ in statements if ".device d" in text and "FOR UPDATE" in text)
        self.assertEqual(locked, bypassed)
        self.check_calm()

    def test_many_streams_of_one_connection(self):
        with self.fleet.sim("checkin", "--operations", DEVICES * 32, "--parallel", 256, "--streams", 32) as sim:
            done = sim.round()
        self.assertEqual((done.n, done.errors), (DEVICES * 32, 0))
        self.check_calm()

    def test_what_is_too_much_is_refused_and_counted(self):
        with self.fleet.sim("checkin", "--operations", DEVICES * 90, "--parallel", 256, "--streams", 30) as sim:
            self.fleet.pace.wait(50, 40)
            before = self.h.counters()
            sim.begin()
            done = sim.finish(sim.meter.read())
        refused = done.more["refused"]
        self.assertGreater(refused, 0)
        self.assertEqual(done.more["answers_5xx"], 0)
        self.assertEqual(done.n + refused, DEVICES * 90)
        self.assertEqual(self.h.counters()["permits_refused"] - before["permits_refused"], refused)
        self.check_calm()
        self.fleet.pace.left, self.fleet.pace.at = 0, time.monotonic()  # the next test waits until the devices may come again

    def test_changed_facts_are_written(self):
        with self.fleet.sim("inventory", "--changed", 1, "--operations", DEVICES * 4, "--parallel", DEVICES) as sim:
            self.before = self.h.counters()
            done = sim.round()
        self.assertEqual((done.n, done.errors), (DEVICES * 4, 0))
        self.assertGreaterEqual(self.since("batch_items"), DEVICES * 4 * 0.9)  # a package may come back to what it was
        self.check_calm()

    def test_detections_are_there_once(self):
        schema = self.h.schema("bench")
        count = f"SELECT (SELECT count(*) FROM {schema}.event), (SELECT count(DISTINCT (device_id, object)) FROM {schema}.detection)"
        events, found = map(int, self.h.cell.sql(count)[0])
        with self.fleet.sim("detections", "--batch", 10, "--operations", DEVICES * 3, "--parallel", DEVICES) as sim:
            self.before = self.h.counters()
            done = sim.round()
        self.assertEqual((done.n, done.errors), (DEVICES * 3, 0))
        self.assertEqual(self.since("events_committed"), DEVICES * 30)
        self.assertEqual(tuple(map(int, self.h.cell.sql(count)[0])), (events + DEVICES * 30, found + DEVICES * 30))
        self.check_calm()

    def test_visits_resume(self):
        with self.fleet.sim("visit", "--operations", DEVICES * 2, "--parallel", 8, "--resume") as sim:
            self.before = self.h.counters()
            done = sim.round()
        self.assertEqual((done.n, done.errors), (DEVICES * 2, 0))
        self.assertEqual(done.more["resumed"], DEVICES * 2)
        self.assertEqual(self.since("handshakes_resumed"), DEVICES * 2)
        self.check_calm()


class Tenants(unittest.TestCase):
    """The generated tenants of a wide house: their rows still fit the schema, and each gets its own devices' events."""

    def test_events_reach_their_own_tenant(self):
        scale = replace(QUICK, tenants=4, per_tenant=6, big=300)
        with House("wide", scale, BUILD) as h:
            fleet = h.fleet("spread", 8, 20, h.small)
            with fleet.sim("detections", "--batch", 5, "--operations", 24, "--parallel", 8) as sim:
                done = sim.round()
            self.assertEqual((done.n, done.errors), (24, 0))
            events = [int(h.cell.value(f"SELECT count(*) FROM {h.schema(name)}.event")) for name in h.small]
            self.assertEqual(sum(events), 24 * 5)
            for name, n in zip(h.small, events):
                s = h.schema(name)
                self.assertTrue(n > 0 and n % 5 == 0, (name, n))  # the batches of two devices of its own
                self.assertEqual(h.cell.value(f"SELECT count(DISTINCT device_id) FROM {s}.event"), "2")
                self.assertEqual(h.cell.sql(f"SELECT count(*), count(DISTINCT group_id) FROM {s}.device WHERE token_id IS NULL"), [("6", "3")])
            self.assertEqual(h.cell.sql(f"SELECT count(*) FROM {h.schema('big')}.device"), [("300",)])
            self.assertEqual(h.counters()["jobs_shed"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
