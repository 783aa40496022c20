# SPDX-License-Identifier: Apache-2.0
"""The short version of ops/chaos: a small fleet and a real agent, the faults that happen most. tests/chaos/ has the whole matrix."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "chaos"))
from faults import FAULTS  # noqa: E402
from relay_probe import echo_through_relay  # noqa: E402
from trial import one  # noqa: E402
from world import World  # noqa: E402

SLOW = 3  # checked builds beside other tests: times are not what is tested here


class Short(unittest.TestCase):
    """In order of their names; the last one needs the world no more."""

    @classmethod
    def setUpClass(cls):
        cls.world = World(devices=30, rate=0.5, quiet=2, calm=1).__enter__()
        cls.addClassCleanup(cls.world.close)

    def survives(self, name):
        fault = next(f for f in FAULTS if f.name == name)
        fault.limit *= SLOW
        row = one(self.world, fault)
        self.assertTrue(row.passed, "\n".join([*row.why, self.world.logs()]))

    def test_server_kill(self):
        self.survives("server-kill")

    def test_postgres_kill(self):
        self.survives("postgres-kill")

    def test_redis_kill(self):
        self.survives("redis-kill")

    def test_zz_damage_is_found(self):
        """The books would find what they are for: they are shown damage that was done on purpose."""
        world, ledger = self.world, self.world.ledger
        self.assertGreater(world.count("events_acknowledged"), 0)
        for fleet in world.fleets:
            self.assertEqual(fleet.stop(), 0)
        clean = ledger.check()
        self.assertEqual(clean.problems, [])
        self.assertGreater(len(ledger.acked), 0)
        east, west, quiet = (f"t_{ledger.numbers[t]}" for t in ("east", "west", "quiet-1"))
        sql = world.cell.sql
        ident, device = sql(f"SELECT id, device_id FROM {east}.event WHERE kind = 'detection' ORDER BY id LIMIT 1")[0]
        sql(f"CREATE TABLE public.kept AS SELECT * FROM {east}.event WHERE id = '{ident}'")
        sql(f"DELETE FROM {east}.event WHERE id = '{ident}'")
        self.assertEqual(ledger.check().lost, 1)
        sql(f"INSERT INTO {east}.event SELECT * FROM public.kept")
        self.assertEqual(ledger.check().problems, [])
        other = sql(f"SELECT id FROM {west}.device LIMIT 1")[0][0]
        sql(f"UPDATE public.kept SET device_id = '{other}'")
        sql(f"INSERT INTO {west}.event SELECT * FROM public.kept")
        found = ledger.check()
        self.assertGreater(found.foreign, 0)
        self.assertGreater(found.doubled, 0)
        sql(f"DELETE FROM {west}.event WHERE id = '{ident}'")
        sql(f"UPDATE {quiet}.device SET description = 'touched' WHERE id = (SELECT id FROM {quiet}.device LIMIT 1)")
        self.assertEqual(ledger.check().foreign, 1)
        sql(f"UPDATE {east}.device SET unresolved = unresolved + 1 WHERE id = '{device}'")
        self.assertEqual(ledger.check().doubled, 1)
        sql(f"UPDATE {east}.device SET unresolved = unresolved - 1 WHERE id = '{device}'")
        sql(f"UPDATE {east}.detection SET object = (SELECT object FROM {east}.detection WHERE id = '{ident}') WHERE id = (SELECT id FROM "
            f"{east}.detection WHERE device_id = '{device}' AND id <> '{ident}' LIMIT 1)")
        self.assertEqual(ledger.check().doubled, 1)


class Relaying(unittest.TestCase):
    def test_relay(self):
        echo_through_relay(self)


if __name__ == "__main__":
    unittest.main(verbosity=2)
