# SPDX-License-Identifier: Apache-2.0
"""The scripts that run inside Redis (src/cache/scripts), with a Redis and its clock: buckets, floors, revision entries."""
import re
import subprocess
import time
import unittest

from service import ROOT, Cell

SCRIPTS = ROOT / "src/cache/scripts"


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = Cell()
        cls.cell.redis_start()

    @classmethod
    def tearDownClass(cls):
        cls.cell.close()

    def redis(self, *words):
        out = subprocess.run(["redis-cli", "-s", str(self.cell.redis_socket), "--no-raw", *map(str, words)], check=True, capture_output=True,
                             text=True, timeout=20).stdout
        values = []
        for line in out.strip().splitlines():
            value = re.sub(r"^ *\d+\) ", "", line)
            values.append(int(value.split()[1]) if value.startswith("(integer)") else value.strip('"'))
        return values

    def run_script(self, name, keys, *args):
        return self.redis("EVAL", (SCRIPTS / f"{name}.lua").read_text(encoding="utf-8"), len(keys), *keys, *args)

    def test_bucket(self):
        take = lambda: self.run_script("rate", ["bucket"], 2, 3)
        self.assertEqual([take()[:2] for _ in range(3)], [[1, 2], [1, 1], [1, 0]])
        allowed, left, refused, wait = take()
        self.assertEqual((allowed, left, refused), (0, 0, 1))
        self.assertTrue(0 < wait <= 500, wait)
        time.sleep(wait / 1000 + 0.02)
        self.assertEqual(take()[0], 1)

    def test_all_or_none(self):
        both = lambda: self.run_script("rate", ["one", "two"], 1, 9, 0.001, 1)
        self.assertEqual(both()[0], 1)
        self.assertEqual(both()[:3], [0, 0, 2])
        self.assertEqual(self.run_script("rate", ["one"], 0.001, 9)[1], 7)  # the refusal has not charged it

    def test_keys_do_not_stay(self):
        self.run_script("rate", ["short"], 100, 1)
        self.assertLessEqual(self.redis("PTTL", "short")[0], 1100)

    def test_damaged_state_begins_anew(self):
        self.redis("SET", "damaged", "hello")
        self.assertEqual(self.run_script("rate", ["damaged"], 1, 2)[:2], [1, 1])

    def test_floor(self):
        keys = ["rev", "floor", "era"]
        self.assertEqual(self.run_script("checkin", keys, "floor", 300), [1, 0, "", ""])
        allowed, wait, _, _ = self.run_script("checkin", keys, "floor", 300)
        self.assertEqual(allowed, 0)
        self.assertTrue(0 < wait <= 300, wait)
        time.sleep(0.32)
        self.assertEqual(self.run_script("checkin", keys, "floor", 300)[0], 1)

    def test_checkin_bucket(self):
        keys = ["rev", "urgent", "era"]
        got = [self.run_script("checkin", keys, "bucket", 0.5, 2)[0] for _ in range(3)]
        self.assertEqual(got, [1, 1, 0])

    def test_revision_entries(self):
        fill = lambda r: self.run_script("revision_fill", ["e", "era2"], r, "digest", 900)[0]
        get = lambda: self.run_script("revision_get", ["e", "era2"])
        self.assertEqual(get(), ["", ""])
        self.assertEqual(fill(5), 1)
        self.assertEqual(get(), ["5", "digest"])
        self.assertEqual(self.run_script("checkin", ["e", "f2", "era2"], "floor", 1000)[2:], ["5", "digest"])
        self.assertEqual(fill(4), 0)  # an older one does not come back
        self.assertEqual(get()[0], "5")
        self.redis("SET", "e", "!")
        self.assertEqual(fill(6), 0)  # a tombstone blocks refills
        self.assertEqual(get(), ["", ""])
        self.redis("DEL", "e")
        self.assertEqual(fill(6), 1)
        self.redis("INCR", "era2")  # all older entries are doubtful
        self.assertEqual(get(), ["", ""])
        self.assertEqual(fill(3), 1)
        self.assertEqual(get()[0], "3")


if __name__ == "__main__":
    unittest.main(verbosity=2)
