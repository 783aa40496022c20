# SPDX-License-Identifier: Apache-2.0
"""The second factor: set up, asked for at sign-in, used once, lost and given up. Codes are computed here, from the secret that
the service shows, as an authenticator app does."""
import base64
import hashlib
import json
import os
import struct
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import parse_qs, urlparse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from client import Line, Person, Service, forget_rates, number_of, wait  # noqa: E402
from totp import code_of, step_now  # noqa: E402

NAMES = [f"user{n}" for n in range(9)]
service = folder = None


def setUpModule():
    global service, folder
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name)
    path.chmod(0o755)
    (path / "factor.json").write_text(json.dumps({
        "id": "factor", "name": "factor", "plan": "enterprise", "seats": 50, "language": "en",
        "accounts": [{"name": n, "display_name": n} for n in ("admin", *NAMES)]}), encoding="utf-8")
    clock = path / "clock"
    clock.write_bytes(struct.pack("q", 0))
    clock.chmod(0o600)
    os.environ.update(SEKISHO_TESTING="1", SEKISHO_CLOCK_FILE=str(clock))
    service = Service(tenants=[str(path / "factor.json")])
    service.__enter__()


def tearDownModule():
    try:
        code = service.stop()
        assert code == 0, f"the server ended with {code}:\n{service.log_text()[-3000:]}"
    finally:
        service.__exit__()
        folder.cleanup()


def clock_offset(seconds=None):
    with open(os.environ["SEKISHO_CLOCK_FILE"], "r+b") as f:
        if seconds is not None:
            f.write(struct.pack("q", seconds))
        else:
            return struct.unpack("q", f.read(8))[0]
    return seconds


def schema():
    return f"t_{number_of(service, 'factor')}"


class Holder:
    """Someone with a second factor."""

    def __init__(self, name):
        self.name, self.person = name, Person(service, "factor", name)
        self.password = self.person.password
        r = self.person.call("POST", "/api/v1/me/two-factor", {"password": self.password})
        assert r.status == 200, r
        self.secret, self.uri = r.json["secret"], r.json["uri"]

    def confirm(self, code=None):
        return self.person.call("POST", "/api/v1/me/two-factor/confirm", {"code": code or self.code()})

    def set_up(self):
        r = self.confirm()
        assert r.status == 200, r
        self.codes = r.json["codes"]
        return self

    def code(self, skew=0):
        return code_of(self.secret, step_now(clock_offset()) + skew)

    def next_step(self):
        """Codes of now are new again."""
        clock_offset(clock_offset() + 90)

    def sign_in(self, code=None, password=None, line=None):
        return (line or Line(service, service.console_port)).send("POST", "/api/v1/sign-in", {
            "name": f"factor/{self.name}", "password": password or self.password, **({"code": code} if code else {})})

    def row(self, columns):
        return service.cell.sql(f"SELECT {columns} FROM {schema()}.account WHERE name = '{self.name}'")[0]


class Case(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def refused(self, r, status, code):
        self.assertEqual((r.status, r.code), (status, code), r)
        return r


class SetUp(Case):
    def test_set_up(self):
        p = Person(service, "factor", NAMES[0])
        self.refused(p.call("POST", "/api/v1/me/two-factor/confirm", {"code": "123456"}), 409, "second_factor_absent")
        r = self.refused(p.call("POST", "/api/v1/me/two-factor", {"password": "wrong wrong wrong"}), 422, "password_wrong")
        self.assertEqual(r.json["field"], "password")
        h = Holder(NAMES[0])
        q = parse_qs(urlparse(h.uri).query)
        self.assertEqual((q["secret"], q["issuer"], q["digits"], q["period"], q["algorithm"]), ([h.secret], ["Sekisho"], ["6"], ["30"], ["SHA1"]))
        self.assertEqual(len(base64.b32decode(h.secret)), 20)
        # It does not count until it is confirmed.
        self.assertEqual(h.sign_in().status, 200)
        self.assertFalse(h.person.get("/api/v1/me")["two_factor"])
        self.refused(h.confirm("000000" if h.code() != "000000" else "000001"), 401, "second_factor_wrong")
        first = h.secret
        h = Holder(NAMES[0])  # replaces the one that was not confirmed
        self.assertNotEqual(h.secret, first)
        self.refused(h.confirm(code_of(first, step_now(clock_offset()))), 401, "second_factor_wrong")
        codes = h.set_up().codes
        self.assertEqual(len(set(codes)), 10)
        for c in codes:
            self.assertRegex(c, r"^[a-z2-9]{5}-[a-z2-9]{5}$")
        self.assertTrue(h.person.get("/api/v1/me")["two_factor"])
        self.refused(h.confirm(), 409, "second_factor_absent")
        self.refused(h.person.call("POST", "/api/v1/me/two-factor", {"password": h.password}), 409, "second_factor_absent")
        # Nothing of it is stored as it is.
        sealed, hashes = h.row("encode(two_factor_sealed, 'hex'), recovery_hashes::text")
        self.assertNotIn(base64.b32decode(h.secret).hex(), sealed)
        for c in codes:
            self.assertNotIn(hashlib.sha256(c.encode()).hexdigest(), hashes)
        log = service.log_text()
        for secret in (h.secret, *codes):
            self.assertNotIn(secret, log)

    def test_give_up(self):
        h = Holder(NAMES[1]).set_up()
        self.refused(h.person.call("DELETE", "/api/v1/me/two-factor", {"password": "wrong wrong wrong"}), 422, "password_wrong")
        self.assertEqual(h.person.call("DELETE", "/api/v1/me/two-factor", {"password": h.password}).status, 204)
        self.assertEqual(h.sign_in().status, 200)
        self.assertEqual(h.row("two_factor_sealed, two_factor_at, two_factor_step, recovery_hashes::text"), (None, None, None, "{}"))
        self.refused(h.person.call("DELETE", "/api/v1/me/two-factor", {"password": h.password}), 409, "second_factor_absent")

    def test_wrong_passwords_lock(self):
        h = Holder(NAMES[2])
        for _ in range(5):
            self.refused(h.person.call("DELETE", "/api/v1/me/two-factor", {"password": "wrong wrong wrong"}), 422, "password_wrong")
        self.refused(h.person.call("DELETE", "/api/v1/me/two-factor", {"password": h.password}), 429, "sign_in_locked")

    def test_required(self):
        p = Person(service, "factor", NAMES[3])
        service.cell.sql(f"UPDATE {schema()}.account SET two_factor_required = true WHERE name = '{NAMES[3]}'")
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").code == "second_factor_setup_required", 5))
        for method, path, body in (("GET", "/api/v1/overview", None), ("GET", "/api/v1/sessions", None), ("GET", "/api/v1/audit", None),
                                   ("POST", "/api/v1/groups", {"name": "x"}), ("GET", "/api/v1/users", None)):
            self.refused(p.call(method, path, body), 403, "second_factor_setup_required")
        self.assertTrue(p.get("/api/v1/me")["two_factor_required"])
        h = Holder(NAMES[3])
        h.person = p
        h.set_up()
        self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)  # at once, in the same session
        self.refused(p.call("DELETE", "/api/v1/me/two-factor", {"password": h.password}), 403, "second_factor_kept")
        self.refused(h.sign_in(), 401, "second_factor_required")


class SignIn(Case):
    def test_code(self):
        h = Holder(NAMES[4]).set_up()
        used = h.code()
        self.refused(h.sign_in(), 401, "second_factor_required")
        self.refused(h.sign_in(password="wrong wrong wrong"), 401, "sign_in_failed")  # says nothing of the factor
        self.refused(h.sign_in(h.code(), password="wrong wrong wrong"), 401, "sign_in_failed")
        self.assertEqual(h.row("failures"), ("2",))  # a missing code is none
        self.refused(h.sign_in(used), 401, "second_factor_wrong")  # the one that confirmed
        h.next_step()
        now = h.code()
        r = h.sign_in(now)
        self.assertEqual(r.status, 200, r)
        self.assertEqual(h.row("failures"), ("0",))
        self.refused(h.sign_in(now), 401, "second_factor_wrong")  # used
        self.refused(h.sign_in(h.code(-1)), 401, "second_factor_wrong")  # older than the one used
        token = r.json["access_token"]
        records = service.cell.sql(f"SELECT result, detail FROM {schema()}.audit WHERE action = 'session.sign_in' AND account = '{h.name}' "
                                   "AND detail <> '{}' ORDER BY seq")
        said = [(result, {c["field"]: c.get("after") for c in json.loads(d)["changes"]}["second_factor"]) for result, d in records]
        self.assertEqual(said, [("denied", "wrong"), ("done", "code"), ("denied", "wrong"), ("denied", "wrong")])
        self.assertEqual(service.console("GET", "/api/v1/me", token=token).json["two_factor"], True)

    def test_skew(self):
        h = Holder(NAMES[5]).set_up()
        for skew in (2, -2, 3, -3):
            h.next_step()
            h.next_step()
            forget_rates(service)
            service.cell.sql(f"UPDATE {schema()}.account SET failures = 0, locked_until = NULL WHERE name = '{h.name}'")
            self.settle()
            self.refused(h.sign_in(h.code(skew)), 401, "second_factor_wrong")
        for skew in (-1, 0, 1):
            for _ in range(2):
                h.next_step()
            forget_rates(service)
            self.settle()
            r = h.sign_in(h.code(skew))
            self.assertEqual(r.status, 200, (skew, r))

    def settle(self):
        """Not at the end of a step: it must not turn between here and there."""
        while (time.time() + clock_offset()) % 30 > 20:
            clock_offset(clock_offset() + 15)

    def test_of_many_one_gets_in(self):
        h = Holder(NAMES[6]).set_up()
        h.next_step()
        self.settle()
        code, answers = h.code(), []
        threads = [threading.Thread(target=lambda: answers.append(h.sign_in(code))) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(sorted((r.status, r.code) for r in answers), [(200, None)] + [(401, "second_factor_wrong")] * 3)

    def test_recovery_codes(self):
        h = Holder(NAMES[7]).set_up()
        self.assertEqual(h.sign_in(h.codes[3]).status, 200)
        self.refused(h.sign_in(h.codes[3]), 401, "second_factor_wrong")
        self.assertEqual(h.sign_in(h.codes[0].upper().replace("-", " ")).status, 200)
        self.assertEqual(h.row("cardinality(recovery_hashes), failures"), ("8", "0"))
        self.refused(h.sign_in("aaaaa-aaaaa"), 401, "second_factor_wrong")
        detail = service.cell.value(f"SELECT detail FROM {schema()}.audit WHERE account = '{h.name}' AND detail LIKE '%recovery_codes%' ORDER BY seq LIMIT 1")
        self.assertIn({"field": "recovery_codes", "before": "10", "after": "9"}, json.loads(detail)["changes"])

    def test_wrong_codes_lock(self):
        h = Holder(NAMES[8]).set_up()
        h.next_step()
        wrong = next(f"{n:06d}" for n in range(100) if f"{n:06d}" not in {h.code(s) for s in range(-3, 9)})
        for n in range(5):
            self.refused(h.sign_in(wrong if n % 2 else "aaaaa-bbbbb"), 401, "second_factor_wrong")
        self.refused(h.sign_in(h.code()), 429, "sign_in_locked")
        self.refused(h.sign_in(h.codes[0]), 429, "sign_in_locked")


class Zz_Keys(Case):
    def test_reseal(self):
        """After a new key of the keyring the factor opens with it alone."""
        h = Holder("admin").set_up()
        before = h.row("encode(two_factor_sealed, 'hex')")[0]
        service.cell.ctl("key", "rotate")
        dry = service.cell.ctl_json("key", "reseal", "--dry-run")["secrets"]
        self.assertEqual(service.cell.ctl_json("key", "reseal")["secrets"], dry)
        self.assertNotEqual(h.row("encode(two_factor_sealed, 'hex')")[0], before)
        ring = service.cell.dir / "keyring"
        lines = ring.read_text(encoding="utf-8").splitlines()
        ring.write_text("\n".join([x for x in lines if x and not x.startswith("#")][-1:]) + "\n", encoding="utf-8")
        code = service.stop()
        self.assertEqual(code, 0)
        service.start()
        h.next_step()
        forget_rates(service)
        r = h.sign_in(h.code())
        self.assertEqual(r.status, 200, r)


if __name__ == "__main__":
    unittest.main()
