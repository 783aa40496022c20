# SPDX-License-Identifier: Apache-2.0
"""Bad input by name, at a running server: each has a stable code, a status, the field at fault, and its text in English and
Japanese; nothing of it harms what is good. One cell for all; the tests that stop the server, PostgreSQL or Redis come last."""
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import program  # noqa: E402
from client import (COOKIE, PROBLEMS, ROOT, Device, Line, Person, Service, compact, detection, enrolment, forget_rates, now,  # noqa: E402
                    number_of, squeeze, title_fits, wait)

service = console = person = None
TENANTS = {"bad": ("enterprise", 500), "seats": ("enterprise", 2), "locked": ("enterprise", 5), "asleep": ("enterprise", 9), "slow": ("lite", 9)}


def setUpModule():
    global service, console, person
    service = Service()
    service.__enter__()
    for tenant, (plan, seats) in TENANTS.items():
        made = service.cell.ctl_json("tenant", "create", tenant, "--name", tenant, "--plan", plan, "--seats", seats)
        service.made["changes"].append({"kind": "tenant", "id": tenant, **made})
    console = Line(service, service.console_port)
    assert wait(lambda: console.send("POST", "/api/v1/sign-in", {"name": "slow/nobody", "password": "x"}).status == 401)
    person = Person(service, "bad")


def tearDownModule():
    log, code = service.log_text(), service.stop()
    service.__exit__()
    assert code == 0, f"the server ended with {code}:\n{log[-3000:]}"


def token_of(tenant, _cache={}):  # noqa: B006
    if tenant not in _cache:
        _cache[tenant] = service.cell.ctl_json("token", "create", "--tenant", tenant, "--name", "tests", "--days", 30)["token"]
    return _cache[tenant]


class Case(unittest.TestCase):
    def setUp(self):
        if service.process is None:
            service.start()
        forget_rates(service)

    def refused(self, ask, code, field=None, **more):
        """ask(headers) in both languages: code and status of problems.yaml, its text, the field; the last answer."""
        for language in ("ja", "en"):
            r = ask({"accept-language": language})
            self.assertEqual((r.code, r.status), (code, PROBLEMS[code]["status"]), r)
            self.assertEqual(r.headers["content-type"], "application/problem+json")
            self.assertTrue(title_fits(code, language, r.json["title"]), (language, r))
            self.assertEqual(r.json["type"], f"urn:sekisho:problem:{code}")
            self.assertTrue(r.json["trace_id"])
            if field is not None:
                self.assertEqual(r.json.get("field"), field, r)
            for k, v in more.items():
                self.assertEqual(r.json.get(k), v, r)
            if r.status in (429, 503):
                self.assertGreater(int(r.headers["retry-after"]), 0, r.headers)
            if r.status == 429:
                self.assertIn("ratelimit", r.headers)
        return r


def enrol(token, csr, name="pc", **more):
    line = Line(service, service.agent_port)
    return lambda h: line.send("POST", "/agent/v1/enrol", {**enrolment(token, csr, name), **more}, h)


class Enrolment(Case):
    @classmethod
    def setUpClass(cls):
        cls.key = service.key("enrolment")
        cls.csr = service.csr(cls.key)

    def test_tokens(self):
        made = person.post("/api/v1/enrolment-tokens", {"name": "once", "max_uses": 1})
        secret, ident = made["secret"], made["token"]["id"]
        for bad in ("x", "sek1_" + "A" * 43, secret[:-4] + "AAAA", secret + "A"):
            self.refused(enrol(bad, self.csr), "enrolment_token_unknown")
        self.refused(enrol("", self.csr), "enrolment_token_unknown")
        d = Device(service, secret, "once")
        self.refused(enrol(secret, self.csr), "enrolment_token_used_up", limit=1)
        no = number_of(service, "bad")
        service.cell.sql(f"UPDATE t_{no}.enrolment_token SET expires_at = now() - interval '1 day' WHERE id = '{ident}'")
        self.assertIn("resets_at", self.refused(enrol(secret, self.csr), "enrolment_token_expired").json)
        self.assertEqual(person.call("DELETE", f"/api/v1/enrolment-tokens/{ident}").status, 204)
        self.refused(enrol(secret, self.csr), "enrolment_token_revoked")
        d.report(reason="start")  # who has joined stays

    def test_requests(self):
        token = token_of("bad")
        for n, how in enumerate((("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-192"),
                                 ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp224r1"), ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"),
                                 ("-algorithm", "ED448",))):
            csr = service.csr(service.key(f"weak-{n}", *how))
            r = self.refused(enrol(token, csr), "csr_weak_key", "csr_pem")
            self.assertTrue(r.json["allowed"])
        lines = self.csr.splitlines()
        damaged = "\n".join([*lines[:3], lines[3][:10] + ("A" if lines[3][10] != "A" else "B") + lines[3][11:], *lines[4:]])
        cut = "\n".join(lines[:3] + lines[-1:])
        other = service.cell.dir / "enrolment.crt"
        subprocess.run(["openssl", "req", "-x509", "-key", self.key, "-subj", "/CN=x", "-out", other], check=True, capture_output=True)
        for bad in ("", "hello", damaged, cut, other.read_text(), self.key.read_text(), "-----BEGIN CERTIFICATE REQUEST-----\n"):
            r = self.refused(enrol(token, bad), "csr_invalid", "csr_pem")
            self.assertNotIn("-", r.json["title"].split(":")[-1].strip()[:1])  # a reason stands there
        good = dict(enrolment(token, self.csr, "pc"))
        line = Line(service, service.agent_port)
        for name in ("token", "csr_pem", "hostname", "os_family", "agent_version"):
            self.refused(lambda h, n=name: line.send("POST", "/agent/v1/enrol", {k: v for k, v in good.items() if k != n}, h), "field_missing", name)
        for name, value, code in (("hostname", "x" * 256, "field_length"), ("hostname", "", "field_length"), ("hostname", 7, "field_type"),
                                  ("hostname", "a\u0001b", "field_format"), ("os_family", "amiga", "field_value"), ("csr_pem", "x" * 8193, "field_length")):
            self.refused(enrol(token, self.csr, **{name: value}), code, name)

    def test_seats(self):
        token = token_of("seats")
        devices = [Device(service, token, f"seat-{n}") for n in range(2)]
        late = Device(service, token, "seat-over", enrol=False)
        r = late.enrol()
        self.assertEqual((r.status, r.json["over_seats"]), (200, True), r)
        service.cell.sql("UPDATE control.tenant SET over_seats_since = now() - interval '15 days' WHERE id = 'seats'")
        self.refused(enrol(token, self.csr), "seats_exceeded", limit=2, used=3)
        for d in [*devices, late]:
            d.report(reason="start")
        p = Person(service, "seats")
        self.assertEqual(p.call("DELETE", f"/api/v1/devices/{late.id}").status, 204)
        self.assertEqual(p.call("DELETE", f"/api/v1/devices/{devices[1].id}").status, 204)
        Device(service, token, "seat-again")

    def test_grace_ends(self):
        """Whoever is within the seats again has no clock running: the next time over them, the grace is whole."""
        service.cell.ctl_json("tenant", "create", "grace", "--name", "grace", "--plan", "enterprise", "--seats", 1)
        token = service.cell.ctl_json("token", "create", "--tenant", "grace", "--name", "tests", "--days", 30)["token"]
        since = lambda: service.cell.value("SELECT over_seats_since FROM control.tenant WHERE id = 'grace'")
        age = lambda: service.cell.sql("UPDATE control.tenant SET over_seats_since = now() - interval '15 days' WHERE id = 'grace'")
        first = wait(lambda: enrol(token, self.csr, "grace-1")({}).status == 200)
        self.assertTrue(first)
        second, third = Device(service, token, "grace-2"), Device(service, token, "grace-3")
        self.assertIsNotNone(since())
        age()
        made = service.cell.ctl_json("password", "reset", "--tenant", "grace", "--account", "admin")
        service.made["changes"].append({"kind": "tenant", "id": "grace", "accounts": [{"name": "admin", "password": made["password"]}]})
        p = Person(service, "grace")
        self.assertEqual(p.call("DELETE", f"/api/v1/devices/{third.id}").status, 204)
        self.assertIsNotNone(since())  # still one too many
        self.assertEqual(p.call("DELETE", f"/api/v1/devices/{second.id}").status, 204)
        self.assertIsNone(since())
        over = Device(service, token, "grace-4")  # all seats are in use: a grace of its own begins
        age()
        service.cell.sql("UPDATE control.tenant SET seats = 2 WHERE id = 'grace'; UPDATE control.revision SET value = value + 1")
        self.assertTrue(wait(lambda: since() is None, 90, 1))  # raised seats are noticed by a chore
        over.report(reason="start")


class Certificates(Case):
    def test_absent_foreign_revoked_removed(self):
        d = Device(service, token_of("bad"), "cert")
        ask = lambda line: lambda h: line.send("POST", "/agent/v1/checkin", d.body("start"), h)
        self.refused(ask(Line(service, service.agent_port)), "certificate_missing")
        folder = service.cell.dir
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "f.key", "-out",
                        folder / "f.pem", "-subj", "/CN=x", "-days", "9", "-addext", f"subjectAltName=URI:sekisho://bad.agent.sekisho.internal/{d.id}"],
                       check=True, capture_output=True, timeout=60)
        self.refused(ask(Line(service, service.agent_port, folder / "f.pem", folder / "f.key")), "certificate_foreign")
        self.assertEqual(person.call("DELETE", f"/api/v1/devices/{d.id}/certificate").status, 204)
        self.refused(ask(d.line), "certificate_revoked")
        self.refused(ask(Line(service, service.agent_port, d.cert, d.key)), "certificate_revoked")
        gone = Device(service, token_of("bad"), "gone")
        self.assertEqual(person.call("DELETE", f"/api/v1/devices/{gone.id}").status, 204)
        self.refused(ask(Line(service, service.agent_port, gone.cert, gone.key)), "certificate_unknown")


class Checkin(Case):
    """What a device sends. `found` is what the console shows of it afterwards."""

    def setUp(self):
        super().setUp()
        self.d = Device(service, token_of("bad"), f"check-{self._testMethodName[5:]}")

    def found(self, d=None):
        page = person.get(f"/api/v1/detections?limit=200&device={(d or self.d).id}")
        self.assertEqual(page["total"], len(page["items"]))
        return sorted(x["name"] for x in page["items"])

    def ask(self, body=None, headers=None):
        body = body if body is not None else self.d.body()
        return lambda h: self.d.call("POST", "/agent/v1/checkin", body, {**h, **(headers or {})})

    def question(self):
        return person.get(f"/api/v1/devices/{self.d.id}")["identity_question"]

    def test_replayed(self):
        d = self.d
        body = d.body(events=[d.event("detection", detection(f"n{i}")) for i in range(3)])
        first, again = (d.call("POST", "/agent/v1/checkin", body) for _ in range(2))
        self.assertEqual((first.status, again.status), (200, 200))
        self.assertEqual((first.json["ack"], again.json["ack"]), (3, 3))
        self.assertFalse(again.json.get("new_epoch"))
        self.assertEqual(self.found(), ["n0", "n1", "n2"])
        self.assertEqual(person.get(f"/api/v1/devices/{d.id}")["device"]["unresolved"], 3)
        self.assertFalse(self.question())

    def test_gap_and_filling(self):
        d = self.d
        events = [d.event("detection", detection(f"n{i}")) for i in range(5)]
        self.assertEqual(d.report(events[:1])["ack"], 1)
        self.assertEqual(d.report(events[2:4])["ack"], 1)  # 2 is missing: what came is kept, the mark stays
        self.assertEqual(d.report(events[4:])["ack"], 1)
        self.assertEqual(d.report(events[1:])["ack"], 5)
        self.assertEqual(self.found(), [f"n{i}" for i in range(5)])
        self.assertFalse(self.question())

    def test_gap_at_the_beginning(self):
        d = self.d
        events = [d.event("detection", detection(f"n{i}")) for i in range(2)]
        self.assertEqual(d.report(events[1:])["ack"], 0)
        self.assertEqual(d.report(events)["ack"], 2)
        self.assertEqual(self.found(), ["n0", "n1"])

    def test_not_in_order(self):
        d = self.d
        a, b, c = (d.event("detection", detection(f"n{i}")) for i in range(3))
        for events, field in (([b, a], "events[1].seq"), ([a, c], "events[1].seq"), ([a, a], "events[1].seq")):
            self.refused(self.ask(d.body(events=events)), "field_range", field)
        self.refused(self.ask({**d.body(events=[a, b, c]), "spool": {"epoch": d.epoch, "head": 2, "tail": 1}}), "field_range", "events[2].seq")
        self.refused(self.ask(d.body(events=[{**a, "hash": "0" * 64}])), "field_value", "events[0].hash")
        self.refused(self.ask(d.body(events=[{**a, "body": {**a["body"], "name": "changed"}}])), "field_value", "events[0].hash")
        self.assertEqual(self.found(), [])

    def test_future(self):
        """A clock that runs ahead pins nothing to the top of the list; the record itself is kept once."""
        d = self.d
        year = 365 * 86400
        e = d.event("detection", detection("ahead"), occurred=now(10 * year))
        past = d.event("detection", detection("behind"), occurred="1999-01-01T00:00:00.000001Z")
        body = d.body(events=[e, past], clock=now(10 * year))
        for _ in range(2):
            r = d.call("POST", "/agent/v1/checkin", body)
            self.assertEqual(r.status, 200, r)
            self.assertEqual((r.json["ack"], r.json.get("new_epoch", False)), (2, False), r)
        items = {x["name"]: x for x in person.get(f"/api/v1/detections?device={d.id}")["items"]}
        self.assertEqual(len(items), 2)
        self.assertLess(items["ahead"]["occurred_at"], now(120))
        self.assertTrue(items["behind"]["occurred_at"].startswith("1999"))

    def test_same_number_other_hash(self):
        d = self.d
        d.report([d.event("detection", detection("n0")), d.event("detection", detection("n1"))])
        other = d.event("detection", detection("other"), seq=2)
        r = d.call("POST", "/agent/v1/checkin", d.body(events=[other]))
        self.assertEqual((r.status, r.json["new_epoch"]), (200, True), r)
        self.assertTrue(self.question())
        self.assertEqual(self.found(), ["n0", "n1"])
        d.epoch, d.seq, d.acked = str(uuid.uuid4()), 1, 0
        e = d.event("detection", other["body"], seq=1, ident=other["id"], occurred=other["occurred"])
        self.assertEqual(d.report([e])["ack"], 1)
        self.assertEqual(self.found(), ["n0", "n1", "other"])

    def test_restored_snapshot(self):
        """The journal is older than what was acknowledged: new numbers under a new epoch, nothing lost, nothing twice."""
        d = self.d
        events = [d.event("detection", detection(f"n{i}")) for i in range(4)]
        self.assertEqual(d.report(events)["ack"], 4)
        d.seq, d.acked = 2, 1  # the snapshot: number 2 not yet acknowledged, 3 and 4 not yet written
        r = d.call("POST", "/agent/v1/checkin", d.body(events=events[1:2]))
        self.assertEqual((r.status, r.json["new_epoch"]), (200, True), r)
        self.assertTrue(self.question())
        d.epoch, d.seq, d.acked = str(uuid.uuid4()), 0, 0
        again = [d.event(e["kind"], e["body"], ident=e["id"], occurred=e["occurred"]) for e in events[1:2]] + [d.event("detection", detection("new"))]
        body = d.body(events=again)
        for _ in range(2):  # and the renumbered ones may be sent twice as well
            r = d.call("POST", "/agent/v1/checkin", body)
            self.assertEqual((r.status, r.json["ack"], r.json.get("new_epoch", False)), (200, 2, False), r)
        self.assertEqual(self.found(), ["n0", "n1", "n2", "n3", "new"])
        self.assertEqual(person.get(f"/api/v1/devices/{d.id}")["device"]["unresolved"], 5)

    def test_removed_on_a_live_connection(self):
        d = self.d
        d.report(reason="start")
        self.assertEqual(person.call("DELETE", f"/api/v1/devices/{d.id}").status, 204)
        e = d.event("detection", detection("late"))
        r = d.call("POST", "/agent/v1/checkin", d.body(events=[e]))
        self.assertIn((r.status, r.code), {(410, "device_removed"), (403, "certificate_unknown")}, r)
        self.assertEqual(self.found(), [])

    def test_gzip(self):
        d = self.d
        good = squeeze(d.body(events=[d.event("detection", detection("packed"))]))
        packed = lambda text: lambda h: d.packed(text, **h)
        for bad in (b"hello", good[:-1], good[:30], good[:-8] + b"\0" * 8, good + b"x", good[:12] + b"\xff\xff" + good[14:], b"\x1f\x8b" + b"\0" * 30):
            self.refused(packed(bad), "gzip_malformed")
        self.refused(packed(squeeze(b"[" + b"0," * 600000 + b"0]")), "body_too_large", limit=1048576)
        bomb = squeeze(b" " * (100 << 20))
        self.assertLess(len(bomb), 200_000)
        began = time.monotonic()
        self.refused(packed(bomb), "body_too_large", limit=1048576)
        self.assertLess(time.monotonic() - began, 20)
        lie = bomb[:-4] + (1000).to_bytes(4, "little")  # a trailer that says 1,000 bytes
        self.refused(packed(lie), "gzip_malformed")
        for name in ("br", "deflate", "gzip, gzip", "identity;"):
            self.refused(self.ask(good, {"content-encoding": name}), "encoding_unsupported")
        r = d.packed(good)
        self.assertEqual((r.status, r.json["ack"]), (200, 1), r)
        self.assertEqual(self.found(), ["packed"])

    def test_content_type(self):
        """Only JSON, however large the body, packed or not; the same answer as on every other route."""
        d = self.d
        small, packed = compact(d.body()).encode(), squeeze(d.body())
        large = compact({**d.body(), "more": "x" * 8000}).encode()
        for kind in ("text/plain", "application/xml", "application/jsonp", "application/x-www-form-urlencoded", "application", "", "json;application/json"):
            for body, more in ((small, {}), (large, {}), (packed, {"content-encoding": "gzip"})):
                r = self.refused(self.ask(body, {"content-type": kind, **more}), "media_type_unsupported")
                self.assertEqual(r.json["allowed"], ["application/json"])
        self.assertEqual(self.found(), [])
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON ;x=1"):
            self.assertEqual(d.checkin("spool", headers={"content-type": kind}).status, 200, kind)

    def test_large_body(self):
        """Up to the limit and 64 KiB: a problem; beyond, the connection may be cut. The server lives, the next request too."""
        self.refused(self.ask(b" " * (1048576 + 1000)), "body_too_large", limit=1048576)
        for size in (2 << 20, 10 << 20):
            try:
                r = Line(service, service.agent_port, self.d.cert, self.d.key).send("POST", "/agent/v1/checkin", b" " * size)
                self.assertEqual(r.status, 413)
            except (OSError, http.client.HTTPException):
                pass
        self.d.report(reason="start")

    def test_hostile_json(self):
        d = self.d
        text = compact(d.body("spool"))
        put = lambda member: (text[:-1] + "," + member + "}").encode()
        for body, code, field in (
                (b"", "json_malformed", None), (b"{", "json_malformed", None), (b"{}x", "json_malformed", None), (b"nul", "json_malformed", None),
                (b"\xff\xfe{}", "json_malformed", None), (put('"x":"\xff"').replace(b"\xc3\xbf", b"\xff"), "json_malformed", None),
                (put('"x":"\\u0000"'), "json_malformed", None), (put('"x\\u0000":1'), "json_malformed", None), (put('"x":"\\ud800"'), "json_malformed", None),
                (put('"x":' + "9" * 400), "json_malformed", None), (put('"x":1e999'), "json_malformed", None), (put('"x":9007199254740993'), "json_malformed", None),
                (put('"x":NaN'), "json_malformed", None), (b"\x00" + text.encode(), "json_malformed", None),
                (b"[" * 100000, "json_too_deep", None), (put('"x":' + "[" * 64 + "]" * 64), "json_too_deep", None), (b'{"a":' * 70 + b"1" + b"}" * 70, "json_too_deep", None),
                (put('"x":[' + "0," * 200001 + "0]"), "json_too_many_values", None),
                (put('"reason":"spool"'), "json_duplicate_key", "reason"), (put('"x":{"a":1,"a":2}'), "json_duplicate_key", "a"),
                (b"[]", "field_type", None), (b"null", "field_type", None), (b'"x"', "field_type", None), (b"{}", "field_missing", "agent_version")):
            r = self.refused(self.ask(body), code, field)
            self.assertLess(len(r.body), 2000)
        wrong = (("revision", -1, "field_range"), ("revision", 9007199254740992, "field_range"), ("revision", 1.5, "field_type"), ("revision", "1", "field_type"),
                 ("revision", None, "field_type"), ("clock", "yesterday", "field_format"), ("clock", 0, "field_type"), ("clock", "2026-13-01T00:00:00Z", "field_format"),
                 ("spool", [], "field_type"), ("spool", {"epoch": "x", "head": 0, "tail": 1}, "field_format"), ("interval", 0, "field_range"),
                 ("facts", {}, "field_type"), ("facts", [{}] * 17, "field_length"), ("events", [{}] * 201, "field_length"), ("agent_version", "x" * 41, "field_length"),
                 ("facts_digest", "x" * 65, "field_length"), ("agent_version", True, "field_type"))
        for name, value, code in wrong:
            r = self.refused(self.ask({**d.body(), name: value}), code)
            self.assertTrue(r.json["field"].startswith(name), r)
        self.refused(self.ask({**d.body(), "facts": [{"kind": "shoes", "digest": "", "set": []}]}), "field_value", "facts[0].kind")
        self.refused(self.ask({**d.body(), "facts": [d.fact("os", {"-": {"name": "x"}})]}), "field_missing", "facts[0].set[0].value.family")
        twice = d.fact("software", {"a": {"version": "1"}})
        twice["set"] *= 2
        self.refused(self.ask({**d.body(), "facts": [twice]}), "field_value", "facts[0].set")
        self.refused(self.ask({**d.body(), "facts": [d.fact("os", {}), d.fact("os", {})]}), "field_value", "facts[1].kind")
        e = d.event("detection", {"name": "x"})
        self.refused(self.ask(d.body(events=[e])), "field_missing", "events[0].body.type")
        self.refused(self.ask(d.body(events=[d.event("party", {}, seq=1)])), "field_value")
        d.seq = 0
        # Unknown fields and reasons are of a newer agent, and welcome.
        r = d.call("POST", "/agent/v1/checkin", {**d.body(), "new_in_2": {"a": [1]}, "reason": "moonlight"})
        self.assertEqual(r.status, 200, r)

    def test_words_of_a_newer_agent(self):
        """Unknown words inside records and facts: the record is kept, and every page that shows it still works."""
        d = self.d
        made = person.post("/api/v1/tasks", {"type": "scan", "devices": [d.id]})["id"]
        execution = person.get(f"/api/v1/executions?task={made}")["items"][0]["id"]
        r = d.report([
            d.event("detection", detection("newer", type="quantum", severity="fatal", scanner="by_ear", action="exorcised")),
            d.event("detection", detection("unknown", type="unknown", severity="unknown", scanner="unknown", action="unknown")),
            d.event("execution", {"execution_id": execution, "state": "meditating", "progress": 50}),
            d.event("execution", {"execution_id": execution, "state": "unknown", "progress": 50}),
            d.event("quarantine", {"change": "polished", "id": str(uuid.uuid4()), "name": "x", "object": "/x", "sha256": "0", "size": 1})], [
            d.fact("os", {"-": {"family": "plan9", "name": "Plan 9"}}),
            d.fact("protection", {"-": {"engine": "x", "state": "dancing", "on_access": False, "isolated": False}}),
            d.fact("problems", {"p": {"severity": "apocalyptic", "since": now()}})])
        self.assertEqual(r["ack"], 5)
        device = person.get(f"/api/v1/devices/{d.id}")
        self.assertEqual((device["device"]["os_family"], device["device"]["protection"], device["problem_list"][0]["severity"]), ("linux", "unknown", "info"))
        self.assertIn(d.id, [x["id"] for x in person.get("/api/v1/devices?limit=200&search=check-words")["items"]])
        items = person.get(f"/api/v1/detections?device={d.id}")["items"]
        self.assertEqual(sorted((x["name"], x["type"], x["severity"], x["scanner"], x["action"]) for x in items),
                         [(n, "suspicious", "info", "on_demand", "reported") for n in ("newer", "unknown")])
        for x in items:
            self.assertEqual(person.get(f"/api/v1/detections/{x['id']}")["name"], x["name"])
        self.assertEqual([x["state"] for x in person.get(f"/api/v1/executions?device={d.id}")["items"]], ["pending"])
        self.assertEqual(person.get(f"/api/v1/quarantine?device={d.id}")["items"], [])
        self.assertEqual(person.call("GET", "/api/v1/overview").status, 200)

    def test_more_than_the_console_shows(self):
        """Facts at the limits of the agent's contract that are beyond the console's are cut, not an error of the page."""
        d, at = self.d, now()
        long = "ん" * 290
        gap = d.event("gap", {"first": 1, "last": 9007199254740991, "reason": "size"}, seq=9007199254740991)
        d.seq = 9007199254740991
        r = d.report([gap], [
            d.fact("identity", {"-": {"hostname": "check-more" + "ん" * 245, "agent_version": "1"}}),
            d.fact("hardware", {f"disk:{long}{i}": {"size": i} for i in range(70)} | {f"fs:{long}": {"type": "x", "size": 1, "free": 9007199254740991}}),
            d.fact("network", {f"{long}{i}": {"addresses": ["x" * 64] * 32} for i in range(3)}),
            d.fact("users", {f"{long}{i}": {} for i in range(70)}),
            d.fact("software", {f"{long}{i}": {"version": "v" * 100} for i in range(3)}),
            d.fact("problems", {f"{long if i < 5 else 'p'}{i:04}": {"severity": "critical", "since": at} for i in range(1100)})])
        self.assertEqual(r["ack"], 9007199254740991)
        d.epoch, d.seq, d.acked = str(uuid.uuid4()), 9007199254740991, 0
        d.report([d.event("gap", {"first": 1, "last": 9007199254740991, "reason": "size"}, seq=9007199254740991)])
        shown = person.get(f"/api/v1/devices/{d.id}")
        self.assertEqual((len(shown["disks"]), len(shown["users"]), shown["device"]["problems"]), (64, 64, 1000))
        self.assertEqual(shown["lost_records"], 9007199254740991)
        names, cursor = [], ""
        for _ in range(5):
            page = person.get(f"/api/v1/devices/{d.id}/software?limit=1{cursor}")
            names += [x["name"] for x in page["items"]]
            if not page.get("next_cursor"):
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual(len(names), 3)
        # Device names of 255 characters page as well.
        more = Device(service, token_of("bad"), "check-more" + "ん" * 244 + "を")
        seen, cursor = [], ""
        for _ in range(5):
            page = person.get(f"/api/v1/devices?limit=1&search=check-more{cursor}")
            seen += [x["id"] for x in page["items"]]
            if not page.get("next_cursor"):
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual(sorted(seen), sorted([d.id, more.id]))

    def test_floor(self):
        """The plan's interval: a wish below it is raised, one at it stands; a scheduled contact that comes too soon is refused."""
        d = Device(service, token_of("slow"), "floor")
        for wish, got in ((1199, 1200), (1200, 1200), (1, 1200), (3600, 3600)):
            r = d.report(reason="spool") if wish is None else d.checkin("spool", interval=wish).json
            self.assertEqual(r["interval"], got)
            self.assertTrue(got <= r["next_contact"] <= got * 1.05 + 1)
        self.assertEqual(Person(service, "slow").get("/api/v1/me")["min_interval"], 1200)
        self.assertEqual(d.checkin("scheduled").status, 200)
        r = self.refused(lambda h: d.call("POST", "/agent/v1/checkin", d.body("scheduled"), h), "too_early")
        self.assertIn('q=1;w=1200', r.headers["ratelimit-policy"])
        self.assertTrue(0 < int(r.headers["retry-after"]) <= 1200)
        # The floor is for scheduled contacts: what is urgent comes through.
        self.assertEqual(d.checkin("urgent", events=[d.event("detection", detection("urgent"))]).json["ack"], 1)

    def test_unscheduled_are_limited(self):
        d = self.d
        for _ in range(40):
            r = d.checkin("start")
            if r.status != 200:
                break
        self.refused(lambda h: d.call("POST", "/agent/v1/checkin", d.body("start"), h), "rate_limited")
        self.assertEqual(d.checkin("wake").status, 200)


class SignIn(Case):
    def sign_in(self, name, password, **more):
        return lambda h: console.send("POST", "/api/v1/sign-in", {"name": name, "password": password, **more}, h)

    def test_wrong_locked_and_unlocked(self):
        password = service.first_password("locked")
        wrong = self.sign_in("locked/admin", "wrong wrong wrong")
        self.refused(wrong, "sign_in_failed")
        self.refused(wrong, "sign_in_failed")
        self.assertEqual(wrong({}).code, "sign_in_failed")
        r = self.refused(self.sign_in("locked/admin", password), "sign_in_locked")
        self.assertIn("resets_at", r.json)
        self.assertTrue(0 < int(r.headers["retry-after"]) <= 31)
        # The time is over: the right password opens, and the count begins anew.
        service.cell.sql(f"UPDATE t_{number_of(service, 'locked')}.account SET locked_until = now() - interval '1 s'")
        self.assertEqual(self.sign_in("locked/admin", password)({}).status, 200)
        self.assertEqual(wrong({}).code, "sign_in_failed")
        self.assertEqual(self.sign_in("locked/admin", password)({}).status, 200)

    def test_forms(self):
        for body, code, field in (({"name": "bad/admin"}, "field_missing", "password"), ({"name": 1, "password": "x"}, "field_type", "name"),
                                  ({"name": "", "password": "x"}, "field_length", "name"), ({"name": "x" * 201, "password": "x"}, "field_length", "name"),
                                  ({"name": "bad/admin", "password": "x", "admin": True}, "field_unknown", "admin"),
                                  ({"name": "bad/admin", "password": "x", "language": "fr"}, "field_value", "language"),
                                  ({"name": "bad/admin", "password": "x" * 257}, "field_length", "password")):
            r = self.refused(lambda h, b=body: console.send("POST", "/api/v1/sign-in", b, h), code, field)
            self.assertNotIn("xxxx", r.body.decode())
        for name in ("bad/admin' OR '1'='1", "bad/admin'--", "bad\r\n/admin", "bad/adm\tin", "../bad/admin", "bad/admin/x", "BAD/admin%00", "/", "//", "bad/", "ｂａｄ/admin"):
            self.refused(self.sign_in(name, "wrong wrong wrong"), "sign_in_failed")
            forget_rates(service)
        ask = lambda ct: lambda h: console.send("POST", "/api/v1/sign-in", b'{"name":"a","password":"b"}', {**h, "content-type": ct})
        for ct in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            self.refused(ask(ct), "media_type_unsupported")
        self.refused(lambda h: console.send("POST", "/api/v1/sign-in", b" " * 5000, h), "body_too_large", limit=4096)
        self.refused(lambda h: console.send("GET", "/api/v1/sign-in", None, h), "method_not_allowed")
        self.refused(lambda h: console.send("GET", "/api/v1/nothing", None, h), "path_unknown")
        self.refused(lambda h: console.send("GET", "/api/v1/me", None, h), "unauthenticated")
        self.refused(lambda h: console.send("GET", "/api/v1/me", None, {**h, "authorization": "Bearer x.y.z"}), "token_invalid")

    def test_suspended(self):
        """The company's people read why; its devices go on, slower, and lose nothing."""
        p, d = Person(service, "asleep"), Device(service, token_of("asleep"), "asleep-1")
        self.assertLess(d.report(reason="start")["interval"], 3600)
        service.cell.ctl("tenant", "suspend", "asleep", "--reason", "invoice 7 'is' {open}")
        try:
            self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").code == "tenant_suspended"))
            for ask in (self.sign_in("asleep/admin", p.password), lambda h: p.call("GET", "/api/v1/devices", headers=h),
                        lambda h: console.send("POST", "/api/v1/session/refresh", headers={**h, "cookie": f"{COOKIE}={p.cookie}"}),
                        enrol(token_of("asleep"), service.csr(d.key), "asleep-2")):
                self.assertIn("invoice 7 'is' {open}", self.refused(ask, "tenant_suspended").json["title"])
            self.refused(self.sign_in("asleep/admin", "wrong wrong wrong"), "sign_in_failed")  # the reason is for those who belong there
            r = d.report([d.event("detection", detection("in suspension"))])
            self.assertEqual((r["ack"], r["interval"]), (1, 3600))
            self.assertGreaterEqual(r["next_contact"], 3600)
            r = d.call("POST", "/agent/v1/renew", {"csr_pem": service.csr(d.key), "agent_version": "1"})
            self.assertEqual(r.status, 200, r)
        finally:
            service.cell.ctl("tenant", "resume", "asleep")
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").status == 200))
        self.assertEqual([x["name"] for x in p.get("/api/v1/detections")["items"]], ["in suspension"])

    def test_stolen_cookie(self):
        p = Person(service, "bad")
        ask = lambda cookie: lambda h: console.send("POST", "/api/v1/session/refresh", headers={**h, "cookie": f"{COOKIE}={cookie}"})
        old = p.cookie
        self.assertEqual(p.refresh().status, 200)
        new = p.cookie
        self.assertEqual(ask(old)({}).cookie, new)  # within ten seconds: the same successor
        self.assertEqual(ask(old)({}).cookie, new)
        service.cell.sql(f"UPDATE t_{number_of(service, 'bad')}.session SET rotated_at = rotated_at - interval '11 s' WHERE id = '{p.session}'")
        r = ask(old)({"accept-language": "ja"})
        self.assertEqual((r.status, r.code), (401, "refresh_reused"), r)
        self.assertTrue(title_fits("refresh_reused", "ja", r.json["title"]))
        self.assertIn("Max-Age=0", r.headers["set-cookie"])
        self.refused(ask(new), "session_ended")
        self.refused(lambda h: p.call("GET", "/api/v1/me", headers=h), "session_ended")
        # Two rotations back is reuse at any time.
        q = Person(service, "bad")
        first = q.cookie
        self.assertEqual((q.refresh().status, q.refresh().status), (200, 200))
        r = ask(first)({"accept-language": "en"})
        self.assertEqual((r.status, r.code), (401, "refresh_reused"), r)
        self.assertTrue(title_fits("refresh_reused", "en", r.json["title"]))
        self.refused(ask(q.cookie), "session_ended")


class Queries(Case):
    def get(self, path):
        return lambda h: person.call("GET", path, headers=h)

    def test_cursors(self):
        d = Device(service, token_of("bad"), "cursor-1")
        Device(service, token_of("bad"), "cursor-2")
        d.report([d.event("detection", detection(f"c{i}")) for i in range(2)])
        good = person.get("/api/v1/devices?limit=1")["next_cursor"]
        by_time = person.get("/api/v1/devices?limit=1&sort=last_seen")["next_cursor"]
        other = person.get("/api/v1/detections?limit=1")["next_cursor"]
        raw = base64.urlsafe_b64decode(good + "=" * (-len(good) % 4))
        code = lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")
        for bad in ("x", "!", "%00", "%ff%fe", "../..", "A" * 400, other, by_time, good[:-2], "=" + good, code(b"\x02" + raw[1:]), code(raw[:20]),
                    code(raw[:1] + bytes([raw[1] ^ 1]) + raw[2:]), code(raw + b"\xff\xfe"), code(raw + b"\0"), code(raw[:21] + b"\r\n\x01")):
            r = person.call("GET", f"/api/v1/devices?limit=1&cursor={bad}")
            self.assertEqual((r.status, r.json.get("field")), (422, "cursor"), (bad, r))
            self.assertIn(r.code, ("cursor_invalid", "field_format", "field_length"), (bad, r))
        self.refused(self.get(f"/api/v1/devices?limit=1&cursor={other}"), "cursor_invalid", "cursor")
        # Of this list, with other filters, another order.
        for more in ("&search=x", "&status=ok", "&sort=name&direction=desc", "&sort=last_seen", "&problems_only=true"):
            self.refused(self.get(f"/api/v1/devices?limit=1{more}&cursor={good}"), "cursor_invalid", "cursor")
        self.refused(self.get("/api/v1/devices?cursor="), "field_length", "cursor")
        # Inside the form, a key that is no time or number.
        for sort in ("last_seen", "problems", "enrolled_at"):
            c = person.get(f"/api/v1/devices?limit=1&sort={sort}")["next_cursor"]
            raw = base64.urlsafe_b64decode(c + "=" * (-len(c) % 4))
            for key in (b"", b"'", b"99999999999999999999", b"infinity", b"2026-99-01T00:00:00Z", b"1e5", b"; DROP TABLE x"):
                self.refused(self.get(f"/api/v1/devices?limit=1&sort={sort}&cursor={code(raw[:21] + key)}"), "cursor_invalid", "cursor")
        self.assertEqual(person.call("GET", f"/api/v1/devices?limit=200&cursor={good}").code, None)

    def test_filters(self):
        for query, code, field in (("colour=red", "query_unknown", "colour"), ("Status=ok", "query_unknown", "Status"), ("status=ok&status=ok", "field_value", "status"),
                                   ("status=ok&status=problem", "field_value", "status"), ("limit=0", "field_range", "limit"), ("limit=201", "field_range", "limit"),
                                   ("limit=-1", "field_range", "limit"), ("limit=ten", "field_type", "limit"), ("limit=1.5", "field_type", "limit"), ("limit=", "field_type", "limit"),
                                   ("limit=99999999999999999999", "field_type", "limit"), ("status=bad", "field_value", "status"), ("status=OK", "field_value", "status"),
                                   ("isolated=1", "field_type", "isolated"), ("isolated=TRUE", "field_type", "isolated"), ("group=x", "field_format", "group"),
                                   ("group=00000000-0000-0000-0000-00000000000g", "field_format", "group"), ("search=", "field_length", "search"),
                                   (f"search={'x' * 101}", "field_length", "search"), ("search=%ff", "field_format", "search"), ("search=%00", "field_format", "search"),
                                   ("search=%zz", "field_format", "search"), ("sort=password_hash", "field_value", "sort"), ("direction=sideways", "field_value", "direction"),
                                   ("sort=name;%20drop%20table", "field_value", "sort"), ("%ff=1", "query_unknown", None), ("=1", "query_unknown", None)):
            self.refused(self.get(f"/api/v1/devices?{query}"), code, field)
        for query, code in (("from=yesterday", "field_format"), ("from=2026-02-30T00:00:00Z", "field_format"), ("to=1", "field_format")):
            self.refused(self.get(f"/api/v1/detections?{query}"), code, query.split("=")[0])
        self.refused(lambda h: person.call("GET", "/api/v1/overview?x=1", headers=h), "query_unknown", "x")
        for path in ("/api/v1/devices/x", "/api/v1/devices/%00", "/api/v1/devices/..%2fdevices", f"/api/v1/devices/{uuid.uuid4()}x", "/api/v1/tasks/'"):
            r = person.call("GET", path)
            self.assertEqual((r.status, r.code), (404, "not_found") if r.code == "not_found" else (404, "path_unknown"), (path, r))

    def test_texts_come_back_unharmed(self):
        """SQL's and HTML's and a terminal's favourites, in every text that people may write: what is typed stays as typed."""
        texts = ["'; DROP TABLE device; --", "\" OR 1=1 --", "100%_\\", "$1 {t}.device $$ E'\\x00'", "<script>alert(1)</script>", "a\r\nSet-Cookie: x=1\r\n\r\nb", "tab\tnew\nline",
                 "関所 ー 🦊 é", "{field} {reason} %s %n", "=cmd|'/C calc'!A0", "\u202eright-to-left", "\\u0000 \\", "'||(SELECT 1)||'"]
        d = Device(service, token_of("bad"), "texts")
        for n, t in enumerate(texts):
            r = person.call("PATCH", f"/api/v1/devices/{d.id}", {"name": t, "description": t})
            self.assertEqual((r.status, r.json and r.json["device"]["name"], r.json["device"]["description"]), (200, t, t), t)
            self.assertEqual(person.post("/api/v1/groups", {"name": t})["name"], t)
            self.refused(lambda h, t=t: person.call("POST", "/api/v1/groups", {"name": t}, headers=h), "name_taken", "name")
            task = person.post("/api/v1/tasks", {"type": "show_message", "name": t, "devices": [d.id], "message": {"title": t, "text": t}})
            self.assertEqual((task["name"], task["message"]), (t, {"title": t, "text": t}))
            scan = person.post("/api/v1/tasks", {"type": "scan", "devices": [d.id], "scan": {"targets": ["/" + t]}})
            self.assertEqual(scan["scan"]["targets"], ["/" + t])
            token = person.post("/api/v1/enrolment-tokens", {"name": t})["token"]
            self.assertEqual(token["name"], t)
            e = d.event("detection", detection(t, action_error=t, object=t, process=t, user=t, engine=t[:40], engine_version=t[:40], signature_version=t[:40]))
            d.report([e], [d.fact("software", {f"{n} {t}".replace(":", ";"): {"version": t, "vendor": t}})] if n % 3 == 0 else None)
            got = person.get(f"/api/v1/detections/{e['id']}")
            self.assertEqual([got[k] for k in ("name", "action_error", "object", "process", "user", "device_name")], [t] * 6)
            found = person.get(f"/api/v1/detections?search={quote(t, safe='')}")["items"]
            self.assertIn(e["id"], [x["id"] for x in found], t)
            self.assertTrue(all("set-cookie" not in x.lower() for x, _ in r.fields))
            if n % 4 == 3:
                forget_rates(service)
        d.revision = 0  # an agent that has just started: all its tasks
        sent = [x for x in d.report(reason="wake")["tasks"] if x["type"] == "show_message"]
        self.assertEqual([x["text"] for x in sent], texts)
        self.assertEqual({g["name"] for g in person.get("/api/v1/groups")["items"]} & set(texts), set(texts))
        for bad in ("nul\0", "bell\a", "\x1b[2J", "\x01"):
            r = person.call("PATCH", f"/api/v1/devices/{d.id}", {"name": bad})
            self.assertIn((r.status, r.code), {(422, "field_format"), (400, "json_malformed")}, (bad, r))
        self.assertEqual(person.get(f"/api/v1/devices/{d.id}")["device"]["name"], texts[-1])

    def test_bodies(self):
        d = Device(service, token_of("bad"), "bodies")
        post = lambda body: lambda h: person.call("POST", "/api/v1/tasks", body, headers=h)
        for body, code, field in (({"type": "scan"}, "field_missing", "devices"), ({"type": "scan", "devices": []}, "field_length", "devices"),
                                  ({"type": "format_disk", "devices": [d.id]}, "field_value", "type"), ({"type": "scan", "devices": [d.id], "x": 1}, "field_unknown", "x"),
                                  ({"type": "scan", "devices": [d.id, d.id]}, "field_value", "devices"), ({"type": "scan", "devices": ["x"]}, "field_format", "devices[0]"),
                                  ({"type": "scan", "devices": [d.id, str(uuid.uuid4())]}, "device_not_in_tenant", "devices[1]"),
                                  ({"type": "scan", "devices": [d.id], "detection_id": str(uuid.uuid4())}, "detection_unknown", "detection_id"),
                                  ({"type": "scan", "devices": [str(uuid.uuid4())] * 501}, "field_length", "devices"),
                                  ({"type": "scan", "devices": [d.id], "scan": {"targets": ["relative"]}}, "field_format", "scan.targets[0]"),
                                  ({"type": "scan", "devices": [d.id], "scan": {"targets": ["/a", "/a/../../etc"]}}, "field_format", "scan.targets[1]"),
                                  ({"type": "scan", "devices": [d.id], "scan": {"clean": "yes"}}, "field_type", "scan.clean"),
                                  ({"type": "isolate", "devices": [d.id], "scan": {}}, "settings_mismatch", "scan"),
                                  ({"type": "show_message", "devices": [d.id]}, "field_missing", "message"),
                                  ({"type": "show_message", "devices": [d.id], "message": {"text": ""}}, "field_length", "message.text")):
            r = person.call("POST", "/api/v1/tasks", body)
            if code == "device_not_in_tenant":
                self.assertEqual((r.code, r.json["field"].startswith("devices[")), (code, True), r)
                continue
            self.refused(post(body), code, field)
        self.assertEqual(person.get(f"/api/v1/executions?device={d.id}")["items"], [])
        deep = b'{"name":' + b"[" * 500 + b"]" * 500 + b"}"
        self.refused(lambda h: person.call("POST", "/api/v1/groups", deep, headers=h), "json_too_deep")
        self.refused(lambda h: person.call("POST", "/api/v1/groups", b'{"name":"a","name":"b"}', headers=h), "json_duplicate_key", "name")
        self.refused(lambda h: person.call("PATCH", f"/api/v1/devices/{d.id}", b'{"name":"\xff"}', headers=h), "json_malformed")

    def test_rates(self):
        """The API's rate: what is left is said on each answer, a refusal says when; another session is not touched."""
        p = Person(service, "slow")
        r = p.call("GET", "/api/v1/me")
        self.assertRegex(r.headers["ratelimit"], r'^"api";r=\d+;t=\d+$')
        self.assertRegex(r.headers["ratelimit-policy"], r'^"api";q=\d+;w=\d+$')
        for _ in range(400):
            r = p.call("GET", "/api/v1/me")
            if r.status != 200:
                break
        self.refused(lambda h: p.call("GET", "/api/v1/me", headers=h), "rate_limited")
        self.assertEqual(person.call("GET", "/api/v1/me").status, 200)


class Files(Case):
    """Plan and tenant files: one exact sentence, its exit code, nothing done."""

    TENANT = {"id": "filed", "name": "Filed", "plan": "lite", "seats": 10, "accounts": [{"name": "admin", "display_name": "A"}]}
    PLAN = json.loads((ROOT / "tenants/plans/lite.json").read_text(encoding="utf-8"))

    def apply(self, value, expect, *sentences, dry=True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file.json"
            path.write_bytes(value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode())
            out = service.cell.ctl("apply", "-f", path, *(["--dry-run"] if dry else []), expect=expect)
        for s in sentences:
            self.assertIn(f"file.json: {s}" if expect else s, out)
        return out

    def test_tenant_files(self):
        t = self.TENANT
        for change, sentence in ((dict(id="Filed"), "id: must be "), (dict(id="x"), "id: must be "), (dict(seats="10"), "seats: must be a whole number from 1 to 1000000."),
                                 (dict(seats=1.5), "seats: must be a whole number"), (dict(seats=0), "seats: must be a whole number"), (dict(colour=1), "colour: is unknown; allowed are id, name"),
                                 (dict(language="fr"), "language: must be one of ja, en."), (dict(accounts={}), "accounts: must be a list of 0 to 500 items."),
                                 (dict(accounts=[{"name": "admin"}]), "accounts[0].display_name: is missing."), (dict(accounts=[{"name": "a b", "display_name": "x"}]), "accounts[0].name: must be letters"),
                                 (dict(accounts=t["accounts"] * 2), "accounts[1].name: is there twice."), (dict(hosts=["Not A Host"]), "hosts[0]: must be a host name"),
                                 (dict(groups=["A", "a"]), "groups[1]: is there twice."), (dict(enrolment_tokens=[{"name": "t", "group": "none"}]), "enrolment_tokens[0].group: is not one of groups."),
                                 (dict(name="a\nb"), "name: must have no control characters"), (dict(name=""), "name: must have 1 to 200 characters."), (dict(time_zone="/etc"), "time_zone: must be UTC or a time zone")):
            with self.subTest(change=change):
                self.apply({**t, **change}, 3, sentence)
        for key in ("id", "name", "seats"):
            self.apply({k: v for k, v in t.items() if k != key}, 3, f"{key}: is missing.")
        for raw, sentence in ((b"", "is not JSON"), (b"{", "is not JSON"), (b"[]", "must be an object."), (b"{}", "is neither a plan"), (b'{"id":"a","id":"b"}', "is not JSON"),
                              (b"\xff\xfe", "is not JSON"), (b"[" * 5000, "is not JSON")):
            self.apply(raw, 3, sentence)
        out = service.cell.ctl("apply", "-f", "/nowhere/file.json", "--dry-run", expect=1)
        self.assertIn("does not exist", out)
        out = self.apply({**t, "plan": "platinum"}, 1)
        self.assertIn("platinum", out)
        self.assertEqual(service.cell.sql("SELECT 1 FROM control.tenant WHERE id = 'filed'"), [])

    def test_plan_files(self):
        p = self.PLAN
        for change, sentence in ((dict(seats={"min": 9, "max": 6}), "seats.max: must not be less than seats.min."), (dict(seats={"min": 6}), "seats.max: is missing."),
                                 (dict(limits={**p["limits"], "min_interval": 0}), "limits.min_interval: must be a whole number from 1 to 604800."),
                                 (dict(limits={**p["limits"], "speed": 1}), "limits.speed: is unknown"), (dict(entitlements={}), "entitlements.android: is missing."),
                                 (dict(entitlements={**p["entitlements"], "ios": "no"}), "entitlements.ios: must be true or false."), (dict(seats=[]), "seats: must be an object.")):
            with self.subTest(change=change):
                self.apply({**p, **change}, 3, sentence)

    def test_seats_of_lite(self):
        for seats, code in ((5, 3), (250, 3), (6, 0), (249, 0)):
            out = self.apply({**self.TENANT, "seats": seats}, code)
            if code:
                self.assertIn(f"Plan lite allows 6 to 249 seats; {seats} were asked for.", out)
            out = service.cell.ctl("tenant", "create", "filed", "--name", "x", "--plan", "lite", "--seats", seats, "--dry-run", expect=code)
        self.apply({**self.TENANT, "accounts": [{"name": n, "display_name": n} for n in ("a", "b")]}, 3)
        # And a change of one that is there.
        for seats, code in ((250, 3), (5, 3), (249, 0), (6, 0)):
            self.apply({"id": "slow", "name": "slow", "plan": "lite", "seats": seats, "accounts": [{"name": "admin", "display_name": "admin"}]}, code)

    def test_arguments(self):
        for args, code in ((("tenant", "create"), 2), (("tenant", "fly"), 2), (("nothing",), 2), (("tenant", "show", "nobody"), 1), (("tenant", "create", "UPPER", "--name", "x", "--plan", "lite", "--seats", "6"), 3),
                           (("tenant", "create", "x-y-z", "--name", "x", "--plan", "lite", "--seats", "many"), (2, 3)), (("tenant", "erase", "slow", "--confirm", "other"), (1, 2, 3)),
                           (("tenant", "suspend", "slow"), 2), (("token", "create", "--tenant", "slow", "--name", "x", "--group", "none"), 1), (("password", "reset", "--tenant", "slow", "--account", "nobody"), 1)):
            with self.subTest(args=args):
                done = subprocess.run([program("sekishoctl"), "--config", str(service.cell.config), *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
                self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done)
                self.assertTrue(done.stderr.strip() or done.stdout.strip())
                self.assertEqual(len((done.stderr or done.stdout).strip().splitlines()), 1, done)


def ops(path):
    c = http.client.HTTPConnection("127.0.0.1", service.ops_port, timeout=5)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode()
    except OSError:
        return 0, ""
    finally:
        c.close()


class Weather(Case):
    """The last: what is away, and time that has passed. Named so that it runs after the others."""

    def test_1_redis_away(self):
        """Who is signed in goes on and may refresh, devices report and get tasks; only new sign-ins wait."""
        p, d = Person(service, "bad"), Device(service, token_of("bad"), "weather")
        d.report(reason="start")
        service.cell.redis_kill()
        try:
            sign_in = lambda h: console.send("POST", "/api/v1/sign-in", {"name": "bad/admin", "password": p.password}, h)
            self.assertTrue(wait(lambda: sign_in({}).code == "sign_in_unavailable"))
            self.refused(sign_in, "sign_in_unavailable")
            self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)
            self.assertEqual(p.refresh().status, 200)
            p.post("/api/v1/tasks", {"type": "scan", "devices": [d.id]})
            r = d.report([d.event("detection", detection("without Redis"))])
            self.assertEqual((r["ack"], [t["type"] for t in r["tasks"]]), (1, ["scan"]))
            self.assertEqual(ops("/readyz")[0], 200)
        finally:
            service.cell.redis_start()
        self.assertTrue(wait(lambda: console.send("POST", "/api/v1/sign-in", {"name": "bad/admin", "password": p.password}).status == 200, 20))
        self.assertEqual(len([x for x in p.get(f"/api/v1/detections?device={d.id}")["items"]]), 1)

    def test_2_postgresql_away(self):
        p, d = Person(service, "bad"), Device(service, token_of("bad"), "weather-2")
        d.report(reason="start")
        e = d.event("detection", detection("without PostgreSQL"))
        service.cell.postgres_kill()
        try:
            self.assertTrue(wait(lambda: ops("/readyz")[0] == 503, 20))
            self.assertIn("PostgreSQL", ops("/readyz")[1])
            self.assertEqual(ops("/healthz")[0], 200)
            for ask in (lambda h: p.call("GET", "/api/v1/devices", headers=h), lambda h: d.call("POST", "/agent/v1/checkin", d.body(events=[e]), h)):
                self.refused(ask, "unavailable")
        finally:
            service.cell.postgres_start()
        self.assertTrue(wait(lambda: ops("/readyz")[0] == 200, 30))
        r = wait(lambda: (x := d.call("POST", "/agent/v1/checkin", d.body(events=[e]))).status == 200 and x, 20)
        self.assertEqual(r.json["ack"], 1, r)
        self.assertEqual([x["name"] for x in p.get(f"/api/v1/detections?device={d.id}")["items"]], ["without PostgreSQL"])

    def test_2_floor_of_what_failed(self):
        """A scheduled check-in that we could not take is not too early afterwards; one that was taken is. Redis there or away."""
        d = Device(service, token_of("slow"), "weather-floor")
        for redis_away in (False, True):
            e = d.event("detection", detection(f"floor {redis_away}"))
            forget_rates(service)
            if redis_away:
                service.cell.redis_kill()
                self.assertTrue(wait(lambda: "sekisho_redis_up 0" in ops("/metrics")[1], 10))
            try:
                service.cell.postgres_kill()
                try:
                    self.assertTrue(wait(lambda: ops("/readyz")[0] == 503, 20))
                    for _ in range(2):
                        r = d.checkin("scheduled", events=[e])
                        self.assertIn((r.status, r.code), {(503, "unavailable"), (503, "uncertain")}, r)
                finally:
                    service.cell.postgres_start()
                self.assertTrue(wait(lambda: ops("/readyz")[0] == 200, 30))
                r = wait(lambda: (x := d.checkin("scheduled", events=[e])).status == 200 and x, 20)
                self.assertEqual(r and r.json["ack"], d.seq, r)
                self.refused(lambda h: d.call("POST", "/agent/v1/checkin", d.body("scheduled"), h), "too_early", limit=1)
            finally:
                if redis_away:
                    service.cell.redis_start()
                    self.assertTrue(wait(lambda: "sekisho_redis_up 1" in ops("/metrics")[1], 20))
                    # each worker looks for Redis by itself
                    unknown = {"name": "slow/nobody", "password": "x"}
                    self.assertTrue(wait(lambda: console.send("POST", "/api/v1/sign-in", unknown).status == 401, 20))

    def test_3_both_away_at_start(self):
        self.assertEqual(service.stop(), 0)
        service.cell.postgres_stop()
        service.cell.redis_kill()
        try:
            service.start(ready=False)
            self.assertTrue(wait(lambda: ops("/healthz")[0] == 200, 30))
            self.assertTrue(wait(lambda: "PostgreSQL" in ops("/readyz")[1]))
            self.assertEqual(ops("/readyz")[0], 503)
        finally:
            service.cell.postgres_start()
        try:
            self.assertTrue(wait(lambda: "Redis" in ops("/readyz")[1], 30), ops("/readyz"))
            self.assertEqual(ops("/readyz")[0], 503)
        finally:
            service.cell.redis_start()
        self.assertTrue(wait(lambda: ops("/readyz")[0] == 200, 40), ops("/readyz"))
        self.assertEqual(console.send("GET", "/api/v1/me").code, "unauthenticated")

    def test_4_expired_certificate(self):
        d = Device(service, token_of("bad"), "old")
        body = {"csr_pem": service.csr(d.key), "agent_version": "1"}
        try:
            service.stop()
            service.start(SEKISHO_CLOCK_OFFSET=str(100 * 86400))
            self.refused(lambda h: d.call("POST", "/agent/v1/checkin", d.body("start"), h), "certificate_expired")
            self.refused(lambda h: d.call("GET", "/agent/v1/wake", None, h), "certificate_expired")
            r = d.call("POST", "/agent/v1/renew", body)
            self.assertEqual(r.status, 200, r)
            service.stop()
            service.start(SEKISHO_CLOCK_OFFSET=str(500 * 86400))
            self.refused(lambda h: d.call("POST", "/agent/v1/renew", body, h), "renewal_too_late", limit=365)
        finally:
            service.stop()
            service.cell.sql("DELETE FROM control.signing_key WHERE created_at > now()")  # made in the future
            service.start()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    unittest.main(verbosity=2)
