# SPDX-License-Identifier: Apache-2.0
"""The cases of conformance.py on both ports of the real server. After each, a new connection is served."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import PORTS, House  # noqa: E402  (first: it says where h2 is)
import conformance  # noqa: E402

house = None


def setUpModule():
    global house
    house = House().__enter__()


def tearDownModule():
    house.__exit__()


def outcome(port, case):
    c = house.h2(port, preface=False)
    try:
        if case.begin:
            c.send(case.begin)
            if case.begin.startswith(conformance.PREFACE) and len(case.begin) > len(conformance.PREFACE) and case.begin[27] == 4 and not case.begin[28]:
                c.read(10, lambda: c.acks or c.closed)
        more = case.send(c) if callable(case.send) else case.send
        c.quiet(more)
        got = conformance.outcome(c, case)
        wrong = case.check(c) if case.check else None
        return f"{got} {wrong}" if wrong else got
    finally:
        c.close()


class Conformance(unittest.TestCase):
    def look(self, port, case):
        got = outcome(port, case)
        allowed = case.allowed if isinstance(case.allowed, set) else {case.allowed}
        self.assertTrue(house.alive(), "the server has ended")
        if case.known:
            self.assertEqual(got, case.known[0], f"it was known to differ ({case.known[1]}); look again, the RFC allows {sorted(allowed)}")
        else:
            self.assertIn(got, allowed)
        c = house.h2(port)
        s = c.request(conformance.PATH)
        self.assertIsNotNone(c.answer(s, 15), "the next client is not served")
        self.assertEqual(c.statuses[s], 404)
        c.close()

    def test_table(self):
        names = [c.name for c in conformance.CASES]
        self.assertEqual(sorted(set(names)), sorted(names))
        self.assertGreaterEqual(len(names), 80)


def add(port, number, case):
    def test(self):
        self.look(port, case)
    test.__doc__ = f"{port}: {case.name}"
    setattr(Conformance, f"test_{port}_{number:03}", test)


for _number, _case in enumerate(conformance.CASES):
    for _port in PORTS:
        if _port in _case.ports:
            add(_port, _number, _case)

if __name__ == "__main__":
    unittest.main(verbosity=2)
