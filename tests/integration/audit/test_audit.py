# SPDX-License-Identifier: Apache-2.0
"""Who did what: every deed is one record of a chain per company; nobody can change it without being found out."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from cell import Failed  # noqa: E402
from chain import SELECT, follow, start  # noqa: E402
from client import Device, Line, Person, Service, detection, forget_rates, number_of, wait  # noqa: E402

ADMINISTRATOR, INSTALLER = (f"5e000000-0000-4000-8000-00000000000{n}" for n in (1, 5))
service = folder = None


def setUpModule():
    global service, folder
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name)
    path.chmod(0o755)
    for name, plan in (("one", "enterprise"), ("two", "enterprise"), ("broken", "enterprise"), ("busy", "enterprise"), ("small", "lite")):
        (path / f"{name}.json").write_text(json.dumps({
            "id": name, "name": name, "plan": plan, "seats": 50 if plan != "lite" else 20, "language": "en", "groups": ["Tokyo"],
            "accounts": [{"name": n, "display_name": n} for n in ("admin", "second", "third")[: 1 if plan == "lite" else 3]],
            "enrolment_tokens": [{"name": "first", "group": "Tokyo"}]}), encoding="utf-8")
    clock = path / "clock"
    clock.write_bytes(struct.pack("q", 0))
    clock.chmod(0o600)
    os.environ.update(SEKISHO_TESTING="1", SEKISHO_CLOCK_FILE=str(clock))
    service = Service(tenants=[str(path / f"{n}.json") for n in ("one", "two", "broken", "busy", "small")])
    service.__enter__()


def tearDownModule():
    try:
        code = service.stop()
        assert code == 0, f"the server ended with {code}:\n{service.log_text()[-3000:]}"
    finally:
        service.__exit__()
        folder.cleanup()


def step_clock(seconds):
    with open(os.environ["SEKISHO_CLOCK_FILE"], "r+b") as f:
        f.write(struct.pack("q", seconds))


def schema(tenant):
    return f"t_{number_of(service, tenant)}"


def sets(tenant, account, *ids, home=None):
    """Which permission sets the account has, as the users' page would set it."""
    group = f"(SELECT id FROM {schema(tenant)}.device_group WHERE name = '{home}')" if home else "NULL"
    service.cell.sql(f"UPDATE {schema(tenant)}.account SET home_group_id = {group}, set_ids = ARRAY[{','.join(repr(i) for i in ids)}]::uuid[] "
                     f"WHERE name = '{account}'")
    time.sleep(1.1)  # what is known of a session is asked again


def verify(tenant, *more, expect=0):
    return service.cell.ctl_json("audit", "verify", tenant, *more) if expect == 0 else json.loads(
        re.search(r"^\{.*\}$", service.cell.ctl("--json", "audit", "verify", tenant, *more, expect=expect), re.M)[0])


def metric(name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{service.ops_port}/metrics", timeout=10).read().decode()
    return float(re.search(rf"^sekisho_{name}(?:_total)? (\S+)$", text, re.M)[1])


class Case(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def person(self, tenant, account="admin"):
        return Person(service, tenant, account)

    def records(self, person, query=""):
        return person.get(f"/api/v1/audit?limit=200{query}")["items"]

    def chain_holds(self, tenant):
        """By the second implementation, over the rows themselves."""
        rows = service.cell.sql(SELECT.format(schema(tenant)))
        hashes = service.cell.sql(f"SELECT seq, encode(hash, 'hex') FROM {schema(tenant)}.audit WHERE seq IS NOT NULL ORDER BY seq")
        before = start(schema(tenant))
        for n, (row, (seq, stored)) in enumerate(zip(rows, hashes), 1):
            self.assertEqual(int(seq), n)
            before = follow(before, row)
            self.assertEqual(before.hex(), stored, row)
        head = service.cell.sql(f"SELECT seq, encode(hash, 'hex') FROM {schema(tenant)}.audit_head")[0]
        self.assertEqual(head, (str(len(rows)), before.hex()))
        return len(rows)


class Deeds(Case):
    def test_changes_before_and_after(self):
        p = self.person("one")
        d = Device(service, service.enrolment_token("one"), "pc-1")
        group = p.post("/api/v1/groups", {"name": "Osaka"})["id"]
        mine = p.get("/api/v1/audit?limit=1")["items"][0]["sequence"]  # everything from here on
        r = p.call("PATCH", f"/api/v1/devices/{d.id}", {"name": "finance-1", "description": "third floor", "group_id": group})
        self.assertEqual(r.status, 200, r)
        p.call("PATCH", f"/api/v1/devices/{d.id}", {"name": "finance-1"})
        token = p.post("/api/v1/enrolment-tokens", {"name": "laptops", "group_id": group, "max_uses": 3})
        task = p.post("/api/v1/tasks", {"type": "show_message", "devices": [d.id], "message": {"title": "Lunch", "text": "Now"}})
        d.report([d.event("detection", detection("EICAR"))])
        found = p.get("/api/v1/detections")["items"][0]["id"]
        self.assertEqual(p.post("/api/v1/detections/resolve", {"ids": [found], "resolved": True}, status=200)["changed"], 1)
        p.call("PATCH", "/api/v1/me", {"language": "ja"})
        self.assertEqual(p.call("DELETE", f"/api/v1/devices/{d.id}").status, 204)
        records = self.records(p)
        by = {}
        for r in reversed(records):
            if r.get("sequence", 0) >= mine or r["action"] == "tenant.create":
                by.setdefault(r["action"], []).append(r)
        changes = lambda action, n=0: {c["field"]: (c.get("before"), c.get("after")) for c in by[action][n]["changes"]}
        self.assertEqual(changes("device.update"), {"name": ("pc-1", "finance-1"), "description": ("", "third floor"), "group": ("Tokyo", "Osaka")})
        self.assertEqual(changes("device.update", 1), {})
        self.assertEqual(changes("group.create"), {"name": (None, "Osaka"), "parent": (None, "group.all")})
        made = changes("enrolment_token.create")
        self.assertEqual((made["name"], made["group"], made["max_uses"]), ((None, "laptops"), (None, "Osaka"), (None, "3")))
        self.assertEqual(changes("task.create"), {"type": (None, "show_message"), "devices": (None, "1"), "message.title": (None, "Lunch"),
                                                  "message.text": (None, "Now")})
        self.assertEqual(changes("detection.resolve")["resolved"], ("false", "true"))
        self.assertEqual(changes("user.own_update"), {"language": ("en", "ja")})
        update = by["device.update"][0]
        self.assertEqual((update["user"], update["domain"], update["object_id"], update["object_name"], update["result"], update["session_id"]),
                         ("admin", "device", d.id, "finance-1", "done", p.session))
        self.assertEqual(by["task.create"][0]["object_id"], task["id"])
        self.assertIn("tenant.create", by)
        self.assertTrue(by["tenant.create"][0]["user"].startswith("operator:"))
        self.assertNotIn(token["secret"], json.dumps(records))
        # A removed device's records still say where it belonged.
        self.assertEqual(service.cell.value(f"SELECT g.name FROM {schema('one')}.audit x JOIN {schema('one')}.device_group g ON g.id = x.group_id "
                                            f"WHERE x.action = 'device.remove' AND x.object_id = '{d.id}'"), "Osaka")
        self.chain_holds("one")
        self.assertTrue(verify("one")["whole"])

    def test_records_of_before(self):
        """Those without a place in the chain, and with another detail, are shown without changes."""
        ident = str(uuid.uuid4())
        service.cell.sql(f"INSERT INTO {schema('two')}.audit (id, at, account, address, action, result, detail) VALUES "
                         f"('{ident}', '2026-01-01T00:00:00Z', 'old', '192.0.2.1', 'task.create', 'done', '{{\"targets\": [\"/srv\"]}}')")
        r = next(r for r in self.records(self.person("two")) if r["id"] == ident)
        self.assertEqual((r["changes"], r.get("sequence"), r.get("hash")), ([], None, None))
        self.assertEqual(verify("two")["before_the_chain"], 1)

    def test_concurrent_writers(self):
        errors, people = [], [self.person("busy") for _ in range(8)]

        def write(n, p):
            try:
                for i in range(15):
                    p.post("/api/v1/groups", {"name": f"group {n} {i}"})
            except (AssertionError, OSError) as e:
                errors.append(e)

        threads = [threading.Thread(target=write, args=x) for x in enumerate(people)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(120)
        self.assertEqual(errors, [])
        self.assertGreaterEqual(self.chain_holds("busy"), 120)
        self.assertEqual(service.cell.value(f"SELECT count(*) FROM {schema('busy')}.audit WHERE action = 'group.create'"), "120")
        # Pages: every record once, newest first.
        p, seen, cursor = people[0], [], ""
        while True:
            page = p.get(f"/api/v1/audit?limit=50{cursor}")
            seen += [(r["at"], r["id"]) for r in page["items"]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual(len(set(seen)), len(seen))
        self.assertEqual(len(seen), int(service.cell.value(f"SELECT count(*) FROM {schema('busy')}.audit")))
        self.assertEqual([int(x) for (x,) in service.cell.sql(f"SELECT count(*) FROM {schema('busy')}.audit")], [len(seen)])
        r = p.call("GET", f"/api/v1/audit?limit=50&action=group.create{cursor}")
        self.assertEqual((r.status, r.code), (422, "cursor_invalid"))

    def test_filters(self):
        p = self.person("two")
        group = p.post("/api/v1/groups", {"name": "Nagoya"})["id"]
        service.sign_in("two/admin", "wrong wrong wrong")
        all_of = self.records(p)
        me = p.get("/api/v1/me")["user_id"]
        for query, keep in ((f"user={me}", lambda r: r.get("user_id") == me), (f"object={group}", lambda r: r.get("object_id") == group),
                            ("domain=group", lambda r: r["domain"] == "group"), ("action=group.create", lambda r: r["action"] == "group.create"),
                            ("result=denied", lambda r: r["result"] == "denied"), ("search=NAGO", lambda r: "nago" in r["object_name"].lower()),
                            ("search=operator", lambda r: "operator" in r["user"])):
            got = self.records(p, "&" + query)
            self.assertEqual(got, [r for r in all_of if keep(r)], query)
            self.assertTrue(got, query)
        at = all_of[1]["at"]
        self.assertEqual(self.records(p, f"&from={at}&result=done"), [r for r in all_of if r["at"] >= at and r["result"] == "done"])
        self.assertEqual(self.records(p, f"&to={at}"), [r for r in all_of if r["at"] < at])

    def test_operators(self):
        service.cell.ctl("tenant", "suspend", "two", "--reason", "invoice 9")
        service.cell.ctl("tenant", "resume", "two")
        service.cell.ctl("password", "reset", "--tenant", "two", "--account", "third")
        p = self.person("two")
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/me").status == 200))
        records = {r["action"]: r for r in self.records(p) if r["user"].startswith("operator:")}
        self.assertEqual(records["tenant.suspend"]["changes"], [{"field": "reason", "after": "invoice 9"}])
        self.assertEqual(records["user.password_reset"]["object_name"], "third")
        self.assertIn("tenant.resume", records)
        listed = service.cell.ctl_json("audit", "list", "two", "--rows", 3)["records"]
        self.assertEqual(len(listed), 3)
        self.assertIn("operator:", service.cell.ctl("audit", "list", "two", "--since", "2026-01-01T00:00:00Z"))
        self.chain_holds("two")


class Rights(Case):
    def test_other_company_sees_nothing(self):
        mark = f"mark{uuid.uuid4().hex}"
        self.person("one").post("/api/v1/groups", {"name": mark})
        self.assertIn(mark, json.dumps(self.records(self.person("one"))))
        self.assertNotIn(mark, json.dumps(self.records(self.person("two"))))

    def test_plan(self):
        p = self.person("small")
        for path in ("/api/v1/audit", "/api/v1/audit/head"):
            r = p.call("GET", path)
            self.assertEqual((r.status, r.code), (403, "plan_lacks"), r)
        # It is recorded there all the same.
        self.assertTrue(wait(lambda: service.cell.value(f"SELECT count(*) FROM {schema('small')}.audit WHERE action = 'audit_list' AND result = 'denied'") == "1"))
        self.chain_holds("small")

    def test_reach(self):
        """Who may see the audit of one group sees that of its devices, and nothing without a group."""
        p = self.person("one")
        d = Device(service, service.enrolment_token("one"), "tokyo-pc")
        other = p.post("/api/v1/groups", {"name": "Sapporo"})["id"]
        moved = Device(service, service.enrolment_token("one"), "sapporo-pc")
        for who, g in ((d, None), (moved, other)):
            r = p.call("PATCH", f"/api/v1/devices/{who.id}", {"description": "x", **({"group_id": g} if g else {})})
            self.assertEqual(r.status, 200, r)
        ident = str(uuid.uuid4())
        service.cell.sql(f"INSERT INTO {schema('one')}.permission_set (id, name, group_ids, allow, created_at, changed_at) SELECT '{ident}', 'Tokyo audit', "
                         f"ARRAY[id], {1 << 18}, now(), now() FROM {schema('one')}.device_group WHERE name = 'Tokyo'")
        q = self.person("one", "second")
        sets("one", "second", ident)
        seen = self.records(q)
        self.assertIn(("device.update", "tokyo-pc"), {(r["action"], r["object_name"]) for r in seen})
        self.assertNotIn("sapporo-pc", {r["object_name"] for r in seen if r["action"] == "device.update"})
        self.assertNotIn("session.sign_in", {r["action"] for r in seen})
        self.assertEqual(q.call("GET", "/api/v1/audit/head").status, 200)

    def test_refusals(self):
        d = Device(service, service.enrolment_token("two"), "pc-refused")
        q = self.person("two", "second")
        sets("two", "second", INSTALLER)
        r = q.call("PATCH", f"/api/v1/devices/{d.id}", {"name": "mine"})
        self.assertEqual((r.status, r.code), (403, "permission_denied"))
        p = self.person("two")
        denied = lambda: [r for r in self.records(p, "&result=denied") if r["action"] == "device.update"]
        self.assertTrue(wait(denied))
        r = denied()[0]
        self.assertEqual((r["user"], r["session_id"], r["object_id"], r["domain"]), ("second", q.session, d.id, "device"))
        self.assertEqual(r["changes"], [{"field": "permission", "after": "devices.write"}])
        self.chain_holds("two")

    def test_rights_exceeded(self):
        """Refused by the handler, on a worker."""
        ident = str(uuid.uuid4())
        service.cell.sql(f"INSERT INTO {schema('busy')}.permission_set (id, name, group_ids, allow, created_at, changed_at) SELECT '{ident}', 'Users', "
                         f"ARRAY[id], {7 << 12}, now(), now() FROM {schema('busy')}.device_group WHERE built_in = 'all'")
        q = self.person("busy", "second")
        sets("busy", "second", ident)
        r = q.call("POST", "/api/v1/users", {"name": "boss", "display_name": "Boss", "language": "en", "set_ids": [ADMINISTRATOR]})
        self.assertEqual((r.status, r.code), (403, "rights_exceeded"), r)
        p = self.person("busy")
        denied = lambda: self.records(p, "&result=denied&action=user.create")
        self.assertTrue(wait(denied))
        self.assertEqual([(r["user"], [c["field"] for c in r["changes"]]) for r in denied()], [("second", ["permission"])])

    def test_refusals_are_bounded(self):
        q = self.person("broken", "second")
        sets("broken", "second", INSTALLER)
        dropped, took = metric("audit_refusals_dropped"), []
        for _ in range(120):
            began = time.monotonic()
            self.assertEqual(q.call("GET", "/api/v1/detections").code, "permission_denied")
            took.append(time.monotonic() - began)
        count = lambda: int(service.cell.value(f"SELECT count(*) FROM {schema('broken')}.audit WHERE action = 'detection_list' AND result = 'denied'"))
        self.assertTrue(wait(lambda: count() >= 20))
        time.sleep(2)
        self.assertIn(count(), range(20, 41))  # a minute may have ended in between
        self.assertEqual(metric("audit_refusals_dropped") - dropped, 120 - count())
        self.assertLess(sorted(took)[60], 0.25)


class Proof(Case):
    def signed(self, statement, signature, public_key):
        """By openssl, which knows nothing of us."""
        with tempfile.TemporaryDirectory() as d:
            d = Path(d)
            (d / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100" + public_key))
            (d / "text").write_bytes(statement.encode())
            (d / "sig").write_bytes(bytes.fromhex(signature))
            return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", d / "key.der", "-rawin", "-in", d / "text",
                                   "-sigfile", d / "sig"], capture_output=True, check=False).returncode == 0

    def test_head(self):
        p = self.person("one")
        p.post("/api/v1/groups", {"name": f"g{uuid.uuid4().hex}"})
        head = p.get("/api/v1/audit/head")
        newest = self.records(p)[0]
        self.assertEqual((head["sequence"], head["hash"], head["tenant"]), (newest["sequence"], newest["hash"], "one"))
        self.assertEqual(head["statement"], f"sekisho-audit-head v1\ntenant=one\nsequence={head['sequence']}\nhash={head['hash']}\nat={head['at']}\n")
        self.assertTrue(self.signed(head["statement"], head["signature"], head["public_key"]))
        self.assertFalse(self.signed(head["statement"].replace("one", "two"), head["signature"], head["public_key"]))
        self.assertEqual(head["public_key"], service.cell.value("SELECT public FROM control.platform WHERE name = 'time'"))
        self.assertTrue(verify("one", "--head", f"{head['sequence']}:{head['hash']}")["whole"])
        wrong = verify("one", "--head", f"{head['sequence']}:{'0' * 64}", expect=6)
        self.assertEqual((wrong["whole"], wrong["broken_at"]), (False, head["sequence"]))

    def test_zz_seal(self):
        """Once a day, when something was added. Last: the clock moves."""
        p = self.person("one")
        seals = lambda: [r for r in service.cell.ctl_json("audit", "list", "one", "--rows", 1000)["records"] if r["action"] == "audit.seal"]
        self.assertEqual(seals(), [])
        try:
            step_clock(90000)
            self.assertTrue(wait(seals, 30))
            said = {c["field"]: c["after"] for c in json.loads(seals()[0]["detail"])["changes"]}
            statement = "sekisho-audit-head v1\ntenant=one\n" + "".join(f"{k}={said[k]}\n" for k in ("sequence", "hash", "at"))
            self.assertTrue(self.signed(statement, said["signature"], service.cell.value("SELECT public FROM control.platform WHERE name = 'time'")))
            self.assertEqual(int(said["sequence"]), seals()[0]["sequence"] - 1)
            whole = verify("one")
            self.assertEqual((whole["whole"], whole["seals"]), (True, 1))
            step_clock(180000)  # nothing was added: no further one
            time.sleep(6)
            self.assertEqual(len(seals()), 1)
            service.cell.ctl("password", "reset", "--tenant", "one", "--account", "third")
            step_clock(270000)
            self.assertTrue(wait(lambda: len(seals()) == 2, 30))
            # The whole chain written anew, with hashes that fit: the seals do not.
            with Tampered(self, "one") as t:
                t.sql("UPDATE {t}.audit SET account = 'nobody' WHERE seq = 2")
                t.rehash()
                self.assertIn("seal", t.broken())
        finally:
            step_clock(0)
        del p

    def test_manipulations(self):
        p = self.person("broken")
        for n in range(6):
            p.post("/api/v1/groups", {"name": f"group {n}"})
        self.assertTrue(wait(lambda: verify("broken")["whole"]))
        last = verify("broken")["sequence"]
        columns = ("at = at + interval '1 second'", "account = 'x'", "account_id = NULL", "session_id = NULL", "address = '192.0.2.99'", "action = 'group.remove'",
                   "object_type = 'user'", "object_id = gen_random_uuid()", "object_name = 'x'", "result = 'failed'", "group_id = NULL", "detail = '{}'",
                   "id = gen_random_uuid()", "hash = sha256('x')")
        at = int(service.cell.value(f"SELECT max(seq) - 2 FROM {schema('broken')}.audit WHERE action = 'group.create'"))
        for change in columns:
            with Tampered(self, "broken") as t:
                t.sql(f"UPDATE {{t}}.audit SET {change} WHERE seq = {at}")
                t.broken(at)
        with Tampered(self, "broken") as t:
            t.sql(f"DELETE FROM {{t}}.audit WHERE seq = {at}")
            self.assertIn("missing", t.broken(at))
        with Tampered(self, "broken") as t:
            t.sql(f"DELETE FROM {{t}}.audit WHERE seq BETWEEN {at - 1} AND {at}")
            self.assertIn("missing", t.broken(at - 1))
        with Tampered(self, "broken") as t:  # deleted, and those behind moved up
            t.sql(f"DELETE FROM {{t}}.audit WHERE seq = {at}")
            t.sql(f"UPDATE {{t}}.audit SET seq = seq - 1 WHERE seq = {at + 1}")
            t.broken(at)
        with Tampered(self, "broken") as t:
            t.sql(f"UPDATE {{t}}.audit SET seq = -1 WHERE seq = {at}")
            t.sql(f"UPDATE {{t}}.audit SET seq = {at} WHERE seq = {at + 1}")
            t.sql(f"UPDATE {{t}}.audit SET seq = {at + 1} WHERE seq = -1")
            t.broken(at)
        with Tampered(self, "broken") as t:
            t.sql(f"DELETE FROM {{t}}.audit WHERE seq > {last - 2}")
            self.assertIn("missing", t.broken(last - 1))
        with Tampered(self, "broken") as t:  # with the head: found by one that was kept
            hash_of = lambda n: service.cell.value(f"SELECT encode(hash, 'hex') FROM {schema('broken')}.audit WHERE seq = {n}")
            kept = f"{last}:{hash_of(last)}"
            t.sql(f"UPDATE {{t}}.audit_head SET seq = {last - 2}, hash = decode('{hash_of(last - 2)}', 'hex')")
            t.sql(f"DELETE FROM {{t}}.audit WHERE seq > {last - 2}")
            self.assertTrue(verify("broken")["whole"])
            self.assertEqual(verify("broken", "--head", kept, expect=6)["broken_at"], last - 1)
        new = "INSERT INTO {t}.audit (id, at, account, address, action, result, detail, seq, hash) VALUES (gen_random_uuid(), now(), 'x', '', 'y', 'done', '{{}}', %s, %s)"
        with Tampered(self, "broken") as t:
            t.sql(new % (last + 1, "sha256('x')"))
            self.assertIn("put in", t.broken(last + 1))
        with Tampered(self, "broken") as t:
            t.sql("UPDATE {t}.audit SET at = at - interval '2 hours' WHERE seq = 1")
            t.rehash()
            t.sql(new % ("NULL", "NULL"))
            self.assertIn("outside", t.broken(0))
        with Tampered(self, "broken") as t:
            t.sql("DELETE FROM {t}.audit_head")
            self.assertIn("head", t.broken(0))
        self.assertTrue(verify("broken")["whole"])

    def test_service_cannot_change_records(self):
        s = service.cell.value("SELECT slice FROM control.tenant WHERE id = 'one'")
        for statement in (f"UPDATE {schema('one')}.audit SET account = 'x'", f"DELETE FROM {schema('one')}.audit", f"DELETE FROM {schema('one')}.audit_head",
                          f"INSERT INTO {schema('one')}.audit_head (id, seq, hash) VALUES (true, 1, '')"):
            with self.assertRaises(Failed) as e:
                service.cell.sql(statement, f"sekisho_s{s}", role=schema("one"))
            self.assertIn("42501", e.exception.err)


class Tampered:
    """Keeps audit and head of a company and puts them back."""

    def __init__(self, case, tenant):
        self.case, self.tenant, self.t = case, tenant, schema(tenant)

    def __enter__(self):
        service.cell.sql(f"CREATE SCHEMA kept; CREATE TABLE kept.audit AS SELECT * FROM {self.t}.audit; CREATE TABLE kept.head AS SELECT * FROM {self.t}.audit_head")
        return self

    def __exit__(self, *_):
        service.cell.sql(f"BEGIN; DELETE FROM {self.t}.audit; DELETE FROM {self.t}.audit_head; INSERT INTO {self.t}.audit SELECT * FROM kept.audit; "
                         f"INSERT INTO {self.t}.audit_head SELECT * FROM kept.head; DROP SCHEMA kept CASCADE; COMMIT")

    def sql(self, text):
        service.cell.sql(text.replace("{t}", self.t).replace("{{}}", "{}"))

    def broken(self, at=None):
        v = verify(self.tenant, expect=6)
        self.case.assertFalse(v["whole"])
        if at is not None:
            self.case.assertEqual(v["broken_at"], at, v)
        self.case.assertRegex(v["why"], r"^[A-Z0-9].*\.$")
        self.case.assertIn("broken", service.cell.ctl("audit", "verify", self.tenant, expect=6))
        return v["why"]

    def rehash(self):
        """What someone does who knows the form: all hashes anew, and the head."""
        before = start(self.t)
        text = []
        for row in service.cell.sql(SELECT.format(self.t)):
            before = follow(before, row)
            text.append(f"UPDATE {self.t}.audit SET hash = decode('{before.hex()}', 'hex') WHERE seq = {row[0]};")
        text.append(f"UPDATE {self.t}.audit_head SET seq = {row[0]}, hash = decode('{before.hex()}', 'hex')")
        service.cell.sql("BEGIN; " + " ".join(text) + "; COMMIT")


if __name__ == "__main__":
    unittest.main()
