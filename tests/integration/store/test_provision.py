# SPDX-License-Identifier: Apache-2.0
"""The operator's command, migrations, the life of a tenant, plan and tenant files, the snapshot's loader."""
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import jsonschema

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import Cell, Failed, program  # noqa: E402


class Base(unittest.TestCase):
    """One cell per class, with plans and the two samples where PLANS says so."""
    PLANS = True

    @classmethod
    def setUpClass(cls):
        cls.cell = Cell(slices=2)
        cls.addClassCleanup(cls.cell.close)
        cls.cell.start()
        cls.migrations = cls.cell.dir / "migrations"
        shutil.copytree(cls.cell.source("migrations"), cls.migrations)
        cls.cell.bootstrap(migrations=str(cls.migrations))
        if cls.PLANS:
            cls.cell.ctl("apply", "-f", cls.cell.source("tenants/plans"))

    def refused(self, code, sentence, *args):
        out = self.cell.ctl(*args, expect=code)
        self.assertIn(sentence, out)
        return out

    def create(self, name, plan="enterprise", seats=10):
        return self.cell.ctl_json("tenant", "create", name, "--name", name, "--plan", plan, "--seats", seats)

    def file(self, name, value):
        path = self.cell.dir / name
        path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), encoding="utf-8")
        return str(path)


class Life(Base):
    def test_01_bootstrap_again_changes_nothing(self):
        before = self.cell.sql("SELECT name, public, sealed FROM control.platform ORDER BY name")
        self.assertEqual(len(before), 3)
        got = self.cell.ctl_json("bootstrap")
        self.assertEqual(got["done"], [])
        self.assertEqual(self.cell.sql("SELECT name, public, sealed FROM control.platform ORDER BY name"), before)

    def test_02_apply_creates_then_changes_nothing(self):
        dry = self.cell.ctl_json("apply", "-f", self.cell.source("tenants/samples"), "--dry-run")
        self.assertEqual([(c["id"], c["action"], c["dry_run"]) for c in dry["changes"]], [("acme", "created", True), ("kaede", "created", True)])
        self.assertEqual(self.cell.value("SELECT count(*) FROM control.tenant WHERE status = 'active'"), "0")
        got = self.cell.ctl_json("apply", "-f", self.cell.source("tenants/samples"))
        acme, kaede = got["changes"]
        self.assertEqual([a["name"] for a in acme["accounts"]], ["admin"])
        self.assertEqual([t["name"] for t in kaede["enrolment_tokens"]], ["本社のパソコン", "工場のパソコン"])
        self.assertTrue(all(t["token"].startswith("sek1_") and len(t["token"]) == 48 for t in acme["enrolment_tokens"]))
        again = self.cell.ctl_json("apply", "-f", self.cell.source("tenants"))
        self.assertEqual({c["action"] for c in again["changes"]}, {"unchanged"})
        for c in again["changes"]:
            self.assertFalse(c.get("accounts") or c.get("enrolment_tokens"))

    def test_03_what_a_tenant_has(self):
        no = self.cell.ctl_json("tenant", "show", "kaede")["no"]
        groups = dict(self.cell.sql(f"SELECT name, built_in FROM t_{no}.device_group"))
        self.assertEqual(groups["group.all"], "all")
        self.assertEqual(groups["group.lost_and_found"], "lost_and_found")
        self.assertIn("大阪支店", groups)
        self.assertEqual(self.cell.sql(f"SELECT count(*) FROM t_{no}.device_group WHERE parent_id IS NULL"), [("1",)])
        (account,) = self.cell.sql(f"SELECT name, display_name, language, must_change, left(password_hash, 9), set_ids FROM t_{no}.account")
        self.assertEqual(account, ("admin", "髙橋 葵", "ja", "t", "$argon2id", "{5e000000-0000-4000-8000-000000000001}"))
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM control.enrolment_index i JOIN t_{no}.enrolment_token t ON t.id = i.token_id WHERE i.tenant_no = {no}"), "2")
        ca = self.cell.value(f"SELECT ca_pem FROM control.tenant WHERE no = {no}")
        text = subprocess.run(["openssl", "x509", "-noout", "-text"], input=ca, text=True, stdout=subprocess.PIPE, check=True, timeout=20).stdout
        self.assertIn("kaede.agent.sekisho.internal", text)
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM control.operator_audit WHERE tenant = 'kaede' AND action = 'tenant.create'"), "1")

    def test_04_secrets_are_stored_as_hashes_only(self):
        got = self.cell.ctl_json("token", "create", "--tenant", "acme", "--name", "Hash", "--group", "Osaka", "--days", "3", "--uses", "2")
        word = self.cell.ctl_json("password", "reset", "--tenant", "acme", "--account", "ADMIN")["password"]
        dump = subprocess.run([shutil.which("pg_dump") or "/usr/lib/postgresql/15/bin/pg_dump", self.cell.conninfo("postgres")],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout
        for secret in (got["token"], got["token"][26:], word):
            self.assertNotIn(secret, dump)
        no = self.cell.ctl_json("tenant", "show", "acme")["no"]
        self.assertEqual(self.cell.sql(f"SELECT max_uses, expires_at - created_at, uses FROM t_{no}.enrolment_token WHERE name = 'Hash'"), [("2", "3 days", "0")])
        self.refused(1, "There is no group Nowhere.", "token", "create", "--tenant", "acme", "--name", "x", "--group", "Nowhere")
        self.refused(1, "There is no account nobody.", "password", "reset", "--tenant", "acme", "--account", "nobody")
        self.refused(1, "There is no tenant nix.", "token", "create", "--tenant", "nix", "--name", "x")

    def test_05_plan_limits(self):
        for n in (5, 250):
            self.refused(3, f"Plan lite allows 6 to 249 seats; {n} were asked for.", "tenant", "create", "small", "--name", "S", "--plan", "lite", "--seats", n)
        self.refused(3, "Plan dedicated allows 25 seats or more; 24 were asked for.", "tenant", "create", "small", "--name", "S", "--plan", "dedicated", "--seats", 24)
        self.create("lite-6", "lite", 6)
        self.create("lite-249", "lite", 249)
        self.refused(1, "There is no plan gold; there are: dedicated, enterprise, lite, onprem.", "tenant", "create", "small", "--name", "S", "--plan", "gold", "--seats", 9)
        two = {"id": "two-users", "name": "T", "plan": "lite", "seats": 10, "accounts": [{"name": a, "display_name": a} for a in ("a", "b")]}
        self.refused(3, "Plan lite allows one account; 2 were asked for.", "apply", "-f", self.file("two.json", two))
        # Up and down by a file: the same limits.
        f = {"id": "lite-6", "name": "lite-6", "plan": "lite", "seats": 250, "accounts": [{"name": "admin", "display_name": "admin"}]}
        self.refused(3, "Plan lite allows 6 to 249 seats; 250 were asked for.", "apply", "-f", self.file("up.json", f))
        f["seats"] = 100
        (change,) = self.cell.ctl_json("apply", "-f", self.file("up.json", f))["changes"]
        self.assertEqual((change["action"], change["details"]), ("updated", ["seats 6 -> 100"]))
        # A plan that would put its tenants outside is refused too.
        plan = json.loads(Path(self.cell.source("tenants/plans/lite.json")).read_text(encoding="utf-8"))
        plan["seats"]["max"] = 200
        self.refused(1, "has 249 seats, which the plan would no longer allow", "apply", "-f", self.file("plan.json", plan))

    def test_06_bad_files(self):
        for text, sentence in (("{", "is not JSON"), ('{"id":"x"}', "is neither a plan"), ('{"id":"acme","plan":"lite","seats":6,"name":"A","accounts":{}}', "accounts: must be a list of 0 to 500 items")):
            out = self.refused(3, sentence, "apply", "-f", self.file("bad.json", text))
            self.assertIn("bad.json: ", out)
        self.refused(1, "does not exist", "apply", "-f", "/nowhere")
        self.refused(3, "There is no time zone Asia/Edo", "tenant", "create", "edo", "--name", "E", "--plan", "enterprise", "--seats", 9, "--time-zone", "Asia/Edo")
        self.refused(3, "The id must be 3 to 40", "tenant", "create", "Edo", "--name", "E", "--plan", "enterprise", "--seats", 9)
        self.refused(2, "--seats must be a whole number", "tenant", "create", "edo", "--name", "E", "--plan", "enterprise", "--seats", "many")
        self.refused(2, "--sets is unknown here", "tenant", "create", "edo", "--name", "E", "--plan", "enterprise", "--seats", "9", "--sets", "9")
        self.refused(2, "there is no tenant destroy", "tenant", "destroy", "edo")
        self.refused(1, "There is a tenant acme already.", "tenant", "create", "acme", "--name", "A", "--plan", "enterprise", "--seats", 9)
        # A host name belongs to one tenant.
        f = {"id": "host-a", "name": "A", "plan": "enterprise", "seats": 9, "hosts": ["console.example.com"], "accounts": [{"name": "a", "display_name": "a"}]}
        self.cell.ctl("apply", "-f", self.file("a.json", f))
        f["id"] = "host-b"
        self.refused(1, "The host name console.example.com belongs to tenant host-a", "apply", "-f", self.file("b.json", f))

    def test_07_suspend_resume(self):
        self.cell.ctl("tenant", "suspend", "acme", "--reason", "未払い")
        self.assertEqual(self.cell.ctl_json("tenant", "show", "acme")["suspended_reason"], "未払い")
        self.refused(3, "The reason must have 1 to 200 bytes", "tenant", "suspend", "acme", "--reason", "")
        self.cell.ctl("tenant", "resume", "acme")
        self.cell.ctl("tenant", "resume", "acme")
        self.assertEqual(self.cell.ctl_json("tenant", "show", "acme")["status"], "active")

    def test_08_pool(self):
        self.cell.ctl("pool", "fill", "--to", "3")
        self.assertEqual(self.cell.value("SELECT count(*) FROM control.tenant WHERE status = 'pooled'"), "3")
        self.assertTrue(self.create("from-pool")["from_pool"])
        self.assertEqual(self.cell.ctl_json("pool", "fill", "--to", "3")["made"], 1)
        # A preparation that was cut off after its number was noted is finished under the same number.
        no = int(self.cell.value("SELECT max(no) + 1 FROM control.tenant"))
        self.cell.sql(f"INSERT INTO control.tenant (no, status, slice, created_at, changed_at) VALUES ({no}, 'preparing', {no % 2}, now(), now())")
        self.cell.ctl("pool", "fill", "--to", "4")
        self.assertEqual(self.cell.value(f"SELECT status FROM control.tenant WHERE no = {no}"), "pooled")

    def test_09_two_at_once(self):
        """Two creations at the same time get two schemas; two of one id, one tenant."""
        argv = [program("sekishoctl"), "--config", str(self.cell.config), "tenant", "create"]
        def start(name):
            return subprocess.Popen([*argv, name, "--name", "x", "--plan", "enterprise", "--seats", "5"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        jobs = [start(n) for n in ("race-a", "race-b", "race-c", "race-c")]
        ends = sorted((j.wait(90), j.stderr.read()) for j in jobs)
        for j in jobs:
            j.stderr.close()
        self.assertEqual([e[0] for e in ends], [0, 0, 0, 1], ends)
        self.assertIn("There is a tenant race-c already.", ends[3][1])
        self.assertEqual(self.cell.value("SELECT count(DISTINCT no) FROM control.tenant WHERE id LIKE 'race-%'"), "3")

    def test_10_erase(self):
        self.create("doomed")
        no = self.cell.ctl_json("tenant", "show", "doomed")["no"]
        self.refused(2, "--confirm must repeat the id", "tenant", "erase", "doomed", "--confirm", "acme")
        self.cell.ctl("tenant", "erase", "doomed", "--confirm", "doomed")
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM pg_namespace WHERE nspname = 't_{no}'"), "0")
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM pg_roles WHERE rolname = 't_{no}'"), "0")
        self.assertEqual(self.cell.sql(f"SELECT id, status, ca_pem, ca_key_sealed FROM control.tenant WHERE no = {no}"), [(None, "erased", None, None)])
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM control.enrolment_index WHERE tenant_no = {no}"), "0")
        self.refused(1, "There is no tenant doomed.", "tenant", "show", "doomed")
        self.assertNotEqual(self.create("doomed")["no"], no)

    def test_11_erase_cut_off(self):
        """An erasing that was cut off shows in the doctor and is finished by doing it again."""
        self.create("cut")
        no = self.cell.ctl_json("tenant", "show", "cut")["no"]
        self.cell.sql(f"UPDATE control.tenant SET status = 'erasing' WHERE no = {no}")
        self.cell.sql(f"DROP SCHEMA t_{no} CASCADE")
        self.refused(6, "an erasing was cut off", "doctor")
        self.refused(1, "is being erased", "tenant", "resume", "cut")
        self.cell.ctl("tenant", "erase", "cut", "--confirm", "cut")
        self.cell.ctl("doctor")

    def test_12_doctor(self):
        checks = {c["check"]: c["ok"] for c in self.cell.ctl_json("doctor")["checks"]}
        self.assertTrue(all(checks.values()), checks)
        out = json.loads(self.cell.ctl("--json", "doctor", "--replicas", "20", expect=6).split("\nsekishoctl")[0])
        self.assertEqual([c["check"] for c in out["checks"] if not c["ok"]], ["connections"])
        self.cell.sql("ALTER ROLE sekisho_s1 INHERIT")
        self.refused(6, "sekisho_s1 inherits its tenants' rights", "doctor")
        self.cell.ctl("bootstrap")
        self.cell.ctl("doctor")
        self.cell.redis_kill()
        self.refused(6, "does not answer", "doctor")
        self.cell.redis_start()

    def test_13_keys(self):
        self.cell.ctl("key", "rotate")
        self.refused(6, "sealed with an older key", "doctor")
        n = self.cell.ctl_json("key", "reseal", "--dry-run")["secrets"]
        self.assertGreater(n, 4)
        self.assertEqual(self.cell.ctl_json("key", "reseal")["secrets"], n)
        self.assertEqual(self.cell.ctl_json("key", "reseal")["secrets"], 0)
        self.create("after-rotation")
        self.refused(1, "exists already", "key", "init")
        other = self.cell.dir / "other-keyring"
        self.cell.ctl("--set", f"keyring={other}", "key", "init")
        self.refused(3, "does not open with", "--set", f"keyring={other}", "tenant", "create", "foreign-key", "--name", "x", "--plan", "enterprise", "--seats", 5)
        os.chmod(other, 0o644)
        self.refused(1, "mode 0600", "--set", f"keyring={other}", "key", "reseal")

    def test_14_database_away(self):
        self.cell.postgres_stop()
        try:
            self.refused(4, "PostgreSQL", "migrate", "status")
            self.refused(6, "BAD", "doctor")
        finally:
            self.cell.postgres_start()
        self.cell.ctl("migrate", "status")

    def test_15_certificates_and_modules(self):
        pem, key, root = (self.cell.dir / n for n in ("s.pem", "s.key", "root.pem"))
        root.write_text(self.cell.ctl("certificate", "root"), encoding="utf-8")
        self.cell.ctl("certificate", "server", "--name", "localhost", "--name", "127.0.0.1", "--cert", pem, "--key", key)
        out = subprocess.run(["openssl", "verify", "-CAfile", root, "-verify_hostname", "localhost", pem], stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout
        self.assertIn("OK", out)
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        folder = self.cell.dir / "modules"
        folder.mkdir()
        (folder / "test.hdb").write_text("44d88612fea8a8f36de82e1278abb02f:68:Test\n")
        self.cell.ctl("module", "sign", folder, "--version", "7")
        manifest = json.loads((folder / "manifest.json").read_text())
        self.assertEqual((manifest["version"], [f["name"] for f in manifest["files"]]), (7, ["test.hdb"]))
        public = bytes.fromhex(self.cell.value("SELECT public FROM control.platform WHERE name = 'module'"))
        der = bytes.fromhex("302a300506032b6570032100") + public
        (folder / "pub.der").write_bytes(der)
        (folder / "sig").write_bytes(bytes.fromhex((folder / "manifest.sig").read_text().strip()))
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", folder / "pub.der", "-rawin", "-in",
                        folder / "manifest.json", "-sigfile", folder / "sig"], check=True, stdout=subprocess.DEVNULL, timeout=20)

    def test_16_owner_password(self):
        """Passwords of connection strings become those of the roles, as SCRAM verifiers."""
        self.cell.write_config(migrations=str(self.migrations), database=self.cell.conninfo() + " password=svc-secret",
                               owner_database=self.cell.conninfo("sekisho_owner") + " password=own-secret")
        try:
            self.cell.ctl("bootstrap", "--admin", self.cell.conninfo("postgres", "postgres"))
        finally:
            self.cell.write_config(migrations=str(self.migrations))
        got = dict(self.cell.sql("SELECT rolname, left(rolpassword, 14) FROM pg_authid WHERE rolname LIKE 'sekisho_%' AND rolcanlogin"))
        self.assertEqual(set(got.values()), {"SCRAM-SHA-256$"})
        self.assertNotIn("secret", (self.cell.dir / "pg.log").read_text())


class Migrations(Base):
    def add(self, kind, name, text):
        (self.migrations / kind / name).write_text(text, encoding="utf-8")

    def status(self):
        return self.cell.ctl_json("migrate", "status")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shipped = set(cls.migrations.rglob("*.sql"))
        cls.control = len(list((cls.migrations / "control").glob("*.sql")))  # versions that there are
        cls.last = len(list((cls.migrations / "tenant").glob("*.sql")))
        cls.next = f"{cls.last + 1:04}"

    def setUp(self):
        for p in set(self.migrations.rglob("*.sql")) - self.shipped:
            p.unlink()

    def test_1_half_way_and_again(self):
        """A failure in one tenant stops neither the others nor a second run; each version is one transaction."""
        names = [f"m{i}x" for i in range(6)]
        for n in names:
            self.create(n)
        nos = {n: self.cell.ctl_json("tenant", "show", n)["no"] for n in names}
        self.cell.sql(f"CREATE TABLE t_{nos['m3x']}.marker (i int)")
        self.add("tenant", f"{self.next}-add-marker.sql", "ALTER TABLE {t}.device ADD COLUMN note text;\nCREATE TABLE {t}.marker (id uuid PRIMARY KEY);\nGRANT SELECT ON {t}.marker TO {r};\n")
        out = self.refused(1, "1 of ", "migrate", "run")
        self.assertIn(f"Tenant {nos['m3x']}: relation \"marker\" already exists", out)
        s = self.status()
        self.assertEqual((s["tenants_behind"], s["oldest_version"], s["tenant_latest"]), (1, self.last, self.last + 1))
        self.assertEqual(self.cell.value(f"SELECT count(*) FROM pg_attribute WHERE attrelid = 't_{nos['m3x']}.device'::regclass AND attname = 'note'"), "0")
        self.cell.sql(f"DROP TABLE t_{nos['m3x']}.marker")
        got = self.cell.ctl_json("migrate", "run", "--connections", "4")
        self.assertEqual(got["tenants_migrated"], 1)
        self.assertEqual(self.status()["tenants_behind"], 0)
        self.assertEqual(self.cell.ctl_json("migrate", "run")["tenants_migrated"], 0)
        # A new schema comes with all versions, each noted.
        no = self.create("later")["no"]
        self.assertEqual(self.cell.value(f"SELECT array_agg(version ORDER BY version) FROM control.tenant_migration WHERE tenant_no = {no}"),
                         "{" + ",".join(str(v) for v in range(1, self.last + 2)) + "}")

    def tearDown(self):
        """Puts the cell back to the version that it began with, as no product code would, for the next test."""
        for no, in self.cell.sql("SELECT no FROM control.tenant WHERE status IN ('pooled', 'active')"):
            self.cell.sql(f"DROP TABLE IF EXISTS t_{no}.marker; ALTER TABLE t_{no}.device DROP COLUMN IF EXISTS note; "
                          f"ALTER TABLE t_{no}.device_group DROP COLUMN IF EXISTS note")
        self.cell.sql(f"DELETE FROM control.tenant_migration WHERE version > {self.last}; "
                      f"UPDATE control.tenant SET schema_version = {self.last} WHERE schema_version > {self.last}; DELETE FROM control.migration WHERE version > {self.control}")

    def test_2_changed_file(self):
        """A file that was changed after it was applied is found and named, whichever it is."""
        for kind, name in (("tenant", "0001-create-tenant.sql"), ("control", "0001-create-control.sql")):
            path = self.migrations / kind / name
            before = path.read_text(encoding="utf-8")
            path.write_text(before + "-- one more line\n", encoding="utf-8")
            for verb in ("status", "run"):
                self.refused(1, f"{kind}/{name} was changed after it was applied", "migrate", verb)
            self.refused(6, "was changed after it was applied", "doctor")
            path.write_text(before, encoding="utf-8")
            self.cell.ctl("migrate", "status")

    def test_3_bad_files(self):
        for name, text, sentence in ((f"{self.last + 2:04}-skip-one.sql", "SELECT 1;", f"number {self.next} is missing"), (f"{self.next}_bad.sql", "SELECT 1;", "a migration is called NNNN-verb-noun.sql"),
                                     (f"{self.next}-no-end.sql", "SELECT 1", "line 1: a statement, quote or comment does not end")):
            self.add("tenant", name, text)
            self.refused(3, sentence, "migrate", "run")
            (self.migrations / "tenant" / name).unlink()
        self.add("control", f"{self.control + 1:04}-name-tenant.sql", "SELECT '{t}';")
        self.refused(3, "{t} and {r} belong to tenant migrations", "migrate", "run")

    def test_4_control(self):
        name = f"{self.control + 1:04}-add-note.sql"
        self.add("control", name, "ALTER TABLE control.plan ADD COLUMN note text;\nGRANT SELECT ON control.plan TO sekisho_service;")
        got = self.cell.ctl_json("migrate", "run")
        self.assertEqual((got["control_from"], got["control_to"]), (self.control, self.control + 1))
        rows = self.cell.sql("SELECT version, name, hash, previous_hash FROM control.migration ORDER BY version")
        self.assertEqual(rows[-1][3], rows[-2][2])
        (self.migrations / "control" / name).unlink()
        self.refused(1, "it is older than the database", "migrate", "run")
        self.cell.sql("ALTER TABLE control.plan DROP COLUMN note")

    def test_5_killed_half_way(self):
        """kill -9 of the command in the middle: run again, it goes on; no tenant is half migrated."""
        self.cell.ctl("pool", "fill", "--to", "40", timeout=120)
        self.add("tenant", f"{self.next}-add-marker.sql", "CREATE TABLE {t}.marker (id uuid PRIMARY KEY);\nSELECT pg_sleep(0.2);\nALTER TABLE {t}.device ADD COLUMN note text;\n")
        p = subprocess.Popen([program("sekishoctl"), "--config", str(self.cell.config), "migrate", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.cell.value(f"SELECT count(*) FROM control.tenant WHERE schema_version = {self.last + 1}") == "0":
            time.sleep(0.05)
        p.send_signal(signal.SIGKILL)
        p.wait(20)
        behind = self.status()["tenants_behind"]
        self.assertGreater(behind, 0)
        got = self.cell.ctl_json("migrate", "run", timeout=120)
        self.assertLessEqual(got["tenants_migrated"], behind)
        self.assertEqual(self.status()["tenants_behind"], 0)
        n = self.cell.value("SELECT count(*) FROM control.tenant WHERE status IN ('pooled', 'active')")
        self.assertEqual(self.cell.value("SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attname = 'note' AND c.relname = 'device'"), n)
        self.assertEqual(self.cell.value("SELECT count(*) FROM pg_class WHERE relname = 'marker'"), n)

    def test_6_two_runners(self):
        """Two runs at once: one waits for the other, each tenant is migrated once."""
        self.add("tenant", f"{self.next}-add-marker.sql", "CREATE TABLE {t}.marker (id uuid PRIMARY KEY);\n")
        jobs = [subprocess.Popen([program("sekishoctl"), "--config", str(self.cell.config), "migrate", "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
        for j in jobs:
            out, _ = j.communicate(timeout=90)
            self.assertEqual(j.returncode, 0, out)
        self.assertEqual(self.status()["tenants_behind"], 0)

    def test_7_lock_is_waited_for(self):
        """A tenant whose table is held is tried again, and does not make the run wait for ever."""
        no = self.cell.value("SELECT no FROM control.tenant WHERE id = 'm0x'")
        self.add("tenant", f"{self.next}-add-marker.sql", "ALTER TABLE {t}.device ADD COLUMN note text;\n")
        held = subprocess.Popen(["psql", "-X", "-q", self.cell.conninfo("postgres")], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        held.stdin.write(f"BEGIN; SELECT 1 FROM t_{no}.device; SELECT pg_sleep(3); COMMIT;\n")
        held.stdin.flush()
        time.sleep(0.5)
        try:
            got = self.cell.ctl_json("migrate", "run", timeout=60)
            self.assertGreater(got["tenants_migrated"], 1)
        finally:
            held.stdin.close()
            held.wait(20)

    def test_8_old_and_new_side_by_side(self):
        """The program's statements run on version v and on v - 1: a tenant that is behind is served all the same."""
        no = int(self.cell.value("SELECT no FROM control.tenant WHERE id = 'm0x'"))
        slice_ = int(self.cell.value(f"SELECT slice FROM control.tenant WHERE no = {no}"))
        self.add("tenant", f"{self.next}-add-note.sql", "ALTER TABLE {t}.device ADD COLUMN note text;\nALTER TABLE {t}.device_group ADD COLUMN note text;\n")
        for _ in range(2):  # before and after
            done = subprocess.run([program("tool_store"), str(self.cell.config), "bench", f"{no}:{slice_}", "50"], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
            self.assertEqual(json.loads(done.stdout)["committed"], 50)
            self.cell.ctl("migrate", "run")


class Files(Base):
    """The C check and the JSON Schemas say the same of one corpus."""
    PLANS = False

    def variants(self, good):
        yield good
        for path in list(self.walk(good)):
            for value in (None, True, 0, 1, -1, 6.5, 10**7, "", "x", "X y", " a", "a\u0001b", "ja", "x" * 300, [], {}, ["a"], [{}]):
                bad = copy.deepcopy(good)
                at = bad
                for step in path[:-1]:
                    at = at[step]
                at[path[-1]] = value
                yield bad
            bad = copy.deepcopy(good)
            at = bad
            for step in path[:-1]:
                at = at[step]
            del at[path[-1]]
            yield bad
            if isinstance(at, dict):
                bad = copy.deepcopy(bad)
                at2 = bad
                for step in path[:-1]:
                    at2 = at2[step]
                at2["unknown"] = 1
                yield bad

    def walk(self, v, path=()):
        items = v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, list) else ()
        for k, x in items:
            yield (*path, k)
            yield from self.walk(x, (*path, k))

    def test_same_verdict(self):
        schemas = {k: jsonschema.Draft202012Validator(json.loads(Path(self.cell.source(f"tenants/schema/{k}.json")).read_text(encoding="utf-8"))) for k in ("plan", "tenant")}
        folder = self.cell.dir / "corpus"
        folder.mkdir()
        good = {
            "plan": json.loads(Path(self.cell.source("tenants/plans/lite.json")).read_text(encoding="utf-8")),
            "tenant": {"id": "acme", "name": "Acme", "plan": "lite", "seats": 6, "time_zone": "Asia/Tokyo", "language": "ja", "hosts": ["a.example"], "groups": ["Tokyo"],
                       "accounts": [{"name": "admin", "display_name": "A", "language": "en"}], "enrolment_tokens": [{"name": "t", "group": "Tokyo", "valid_days": 3, "max_uses": 4}]},
        }
        cases = []
        for kind, value in good.items():
            for v in self.variants(value):
                path = folder / f"{len(cases):05d}.json"
                path.write_text(json.dumps(v), encoding="utf-8")
                cases.append((path, kind, v))
        out = []
        for i in range(0, len(cases), 200):
            out += subprocess.run([program("unit_provision_file"), *(str(c[0]) for c in cases[i:i + 200])], stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout.splitlines()
        self.assertEqual(len(out), len(cases))
        wrong = []
        for (path, kind, v), line in zip(cases, out):
            verdict, _, why = line.partition("\t")
            valid = schemas[kind].is_valid(v)
            # What JSON Schema cannot say: relations between fields.
            relation = "is not one of groups" in why or "must not be less" in why or "twice" in why
            if (verdict == "ok") != valid and not (valid and relation):
                wrong.append((v, why, valid))
            if verdict != "ok":
                self.assertIn(f"{path}: ", why)
        self.assertEqual(wrong[:3], [])
        self.assertGreater(len(cases), 300)

    def test_samples_fit(self):
        for kind, folder in (("plan", "plans"), ("tenant", "samples")):
            schema = json.loads(Path(self.cell.source(f"tenants/schema/{kind}.json")).read_text(encoding="utf-8"))
            for path in Path(self.cell.source(f"tenants/{folder}")).glob("*.json"):
                jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)


class Snapshot(Base):
    def next(self, p, timeout=20):
        old = signal.signal(signal.SIGALRM, lambda *_: p.kill())
        signal.alarm(timeout)
        try:
            line = p.stdout.readline()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, old)
        self.assertTrue(line, "no change was seen in time")
        return json.loads(line)["tenants"]

    def test_loader(self):
        self.create("first", "lite", 10)
        p = subprocess.Popen([program("tool_tenants"), str(self.cell.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.kill)
        got = self.next(p)
        self.assertEqual(set(got), {"first"})
        self.assertEqual({k: got["first"][k] for k in ("seats", "min_interval", "api_rate", "multi_user", "suspended")},
                         {"seats": 10, "min_interval": 1200, "api_rate": 600, "multi_user": False, "suspended": ""})
        self.assertGreater(got["first"]["ca_der"], 200)
        self.create("second")
        self.assertEqual(set(self.next(p)), {"first", "second"})
        began = time.monotonic()
        self.cell.ctl("tenant", "suspend", "second", "--reason", "unpaid")
        self.assertEqual(self.next(p)["second"]["suspended"], "unpaid")
        self.assertLess(time.monotonic() - began, 5)
        self.cell.postgres_kill()
        self.cell.postgres_start()
        self.cell.ctl("tenant", "erase", "first", "--confirm", "first")
        got = self.next(p)
        while "first" in got:
            got = self.next(p)
        self.assertEqual(set(got), {"second"})
        p.stdin.close()
        self.assertEqual(p.wait(20), 0)
        p.stdout.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
