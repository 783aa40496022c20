# SPDX-License-Identifier: Apache-2.0
"""The plans of what people's lists ask: an order that has an index is read from it, words are looked up by trigrams, and no plan starts
workers. The statements are those of the product, planned as the product plans them."""
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/integration"))
sys.path.insert(0, str(ROOT / "src/generate"))
import sql  # noqa: E402
from cell import Cell, pg_bin  # noqa: E402

DEVICES = 20000
ROWS = f"""
INSERT INTO $s.device (id, name, group_id, os_family, os_name, ip, addresses, status, problems, check_interval, enrolled_at)
SELECT md5('d' || i)::uuid, 'pc-' || md5('n' || i), g.id, 'linux', 'os ' || i % 7, '10.0.' || i % 250 || '.' || i % 99, '', i % 3, i % 3, 3600,
       now() - i * interval '1 minute'
FROM generate_series(1, {DEVICES}) AS i, (SELECT id FROM $s.device_group WHERE built_in = 'all') g;
INSERT INTO $s.seen (device_id, at) SELECT id, enrolled_at FROM $s.device;
INSERT INTO $s.detection (id, device_id, name, type, severity, scanner, action, object, occurred_at, received_at)
SELECT md5('x' || row_number() OVER ())::uuid, id, 'Test', 'malware', 1, 'on_access', 'blocked', '/x', enrolled_at, enrolled_at FROM $s.device;
VACUUM ANALYZE $s.device;
VACUUM ANALYZE $s.seen;
VACUUM ANALYZE $s.detection;
"""


class Plans(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cell = Cell(slices=1)
        cls.addClassCleanup(cls.cell.close)
        cls.cell.start()
        cls.cell.bootstrap()
        cls.cell.ctl("apply", "-f", cls.cell.source("tenants/plans"))
        no = cls.cell.ctl_json("tenant", "create", "acme", "--name", "acme", "--plan", "enterprise", "--seats", 10)["no"]
        cls.schema = f"t_{no}"
        cls.psql(ROWS.replace("$s", cls.schema))
        cls.statements = {s.name: s for s in sql.read(sorted(str(p) for p in (ROOT / "src/store").glob("*.sql")))[0]}

    @classmethod
    def psql(cls, text):
        done = subprocess.run([pg_bin("psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", cls.cell.conninfo("postgres")], input=text, capture_output=True,
                              text=True, timeout=120, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def plan(self, name, values):
        s = self.statements[name]
        given = ", ".join(values.get(i, "NULL") for i in range(1, s.n_params + 1))
        text = s.text.strip().rstrip(";").replace("{t}", self.schema)
        return self.psql("SET plan_cache_mode = force_generic_plan; SET max_parallel_workers_per_gather = 0; SET jit = off;\n"
                         f"PREPARE p AS {text};\nEXPLAIN (COSTS OFF) EXECUTE p({given});")

    def reads(self, name, index, values):
        plan = self.plan(name, values)
        self.assertIn(index, plan, name)
        for table in ("device d", "seen z", "seen s", "detection x"):
            self.assertNotIn(f"Seq Scan on {table}\n", plan, name)

    def test_orders_of_devices(self):
        for order, index in (("name", "device_name"), ("os_name", "device_os_name"), ("enrolled_at", "device_enrolled_at")):
            for direction in ("asc", "desc"):
                with self.subTest(order=order, direction=direction):
                    self.reads(f"device_page_by_{order}_{direction}_first_none_none", index, {9: "51"})
        for direction in ("asc", "desc"):
            self.reads(f"device_page_seen_by_last_seen_{direction}_first_none_none", "seen_at", {9: "51"})

    def test_next_pages(self):
        key = "'pc-8'", "'00000000-0000-4000-8000-000000000000'"
        self.reads("device_page_by_name_asc_next_none_none", "device_name", {7: key[0], 8: key[1], 9: "51"})
        self.reads("device_page_seen_by_last_seen_desc_next_none_none", "seen_at", {7: "'2026-01-01T00:00:00Z'", 8: key[1], 9: "51"})

    def test_words(self):
        for name in ("device_page_by_name_asc_first_none_long", "device_count_by_none_long"):
            self.reads(name, "device_search", {6: "'%pc-0a1%'", 9: "51"})

    def test_counts_and_detections(self):
        self.reads("device_count_by_none_none", "Index Only Scan using device_group_id", {})
        self.reads("detection_page_by_occurred_at_desc_first_none", "detection_occurred_at", {10: "51"})
        self.reads("device_find", "device_pkey", {1: "'00000000-0000-4000-8000-000000000000'"})

    def test_words_are_found_wherever_they_stand(self):
        """The pattern of LIKE is a text of the reader: its own signs mean themselves."""
        self.psql(f"UPDATE {self.schema}.device SET description = '100%_sure\\now' WHERE id = md5('d1')::uuid")
        for text, found in (("100\\%\\_SURE", "1"), ("%%%", str(DEVICES)), ("sure\\\\now", "1"), ("no such thing", "0"), ("10.0.7.", None)):
            s = self.statements["device_count_by_none_long"]
            pattern = text if text.startswith("%") else f"%{text}%"
            out = self.psql(f"PREPARE p AS {s.text.strip().rstrip(';').replace('{t}', self.schema)};\n"
                            f"EXECUTE p(NULL, NULL, NULL, NULL, NULL, '{pattern}', NULL);").strip()
            if found is None:
                self.assertGreater(int(out), 0, text)
            else:
                self.assertEqual(out, found, text)


if __name__ == "__main__":
    unittest.main()
