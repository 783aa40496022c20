# SPDX-License-Identifier: Apache-2.0
"""Who is calling: sign-in, sessions, refresh tokens, enrolment, certificates, over a real server, PostgreSQL and Redis. Each
named bad input gets its stable code. The tests share one cell; each takes a tenant or a device of its own."""
import http.client
import json
import re
import ssl
import subprocess
import time
import unittest

from service import Service, checkin

PASSWORD = "Brisk-Otter-41-swims"
service = None


def setUpModule():
    global service
    service = Service()
    service.__enter__()
    for tenant, seats in (("lock", 20), ("tiny", 2), ("paused", 10), ("away", 10), ("certs", 50)):
        made = service.cell.ctl_json("tenant", "create", tenant, "--name", tenant, "--plan", "enterprise", "--seats", seats)
        service.made["changes"].append({"kind": "tenant", "id": tenant, **made})
    wait(lambda: service.sign_in("certs/nobody", "x").status == 401, 10)


def tearDownModule():
    log, code = service.log_text(), service.stop()
    service.__exit__()
    assert code == 0, f"the server ended with {code}:\n{log[-3000:]}"


def wait(condition, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class Person:
    """Signed in, with the first password changed."""

    known = {}

    def __init__(self, tenant):
        password = self.known.get(tenant) or service.first_password(tenant)
        answer = service.sign_in(f"{tenant}/admin", password)
        assert answer.status == 200, answer
        self.tenant, self.token, self.cookie = tenant, answer.json["access_token"], answer.cookie
        if answer.json["must_change_password"]:
            answer = self.call("POST", "/api/v1/session/password", {"current": password, "new": PASSWORD})
            assert answer.status == 200, answer
            self.token = answer.json["access_token"]
            self.known[tenant] = PASSWORD

    def call(self, method, path, body=None, **kw):
        return service.console(method, path, body, token=self.token, **kw)

    def refresh(self, cookie=None, **kw):
        return service.console("POST", "/api/v1/session/refresh", cookie=cookie or self.cookie, **kw)


class Case(unittest.TestCase):
    callers = 1

    def setUp(self):
        Case.callers += 1
        service.caller = f"127.0.0.{Case.callers}"

    def refused(self, answer, code, status=None):
        self.assertEqual(answer.code, code, answer)
        if status:
            self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        return answer


class SignIn(Case):
    def test_wrong_names_look_the_same(self):
        answers = [service.sign_in(n, "wrong wrong wrong") for n in ("certs/admin", "certs/nobody", "nowhere/admin", "admin", "certs/", "/")]
        bodies = {re.sub(r'"trace_id":"[^"]*"', "", a.text) for a in answers}
        self.assertEqual(len(bodies), 1, bodies)
        self.refused(answers[0], "sign_in_failed", 401)

    def test_floods_of_an_address(self):
        for _ in range(40):
            answer = service.sign_in("", "")
            if answer.status == 429:
                break
        self.refused(answer, "rate_limited", 429)
        self.assertIn("ratelimit", answer.headers)
        service.caller = "127.0.0.200"
        self.refused(service.sign_in("nowhere/x", "x"), "sign_in_failed", 401)

    def test_locks_known_and_unknown_names(self):
        for name in ("lock/admin", "lock/nobody"):
            for _ in range(5):
                self.refused(service.sign_in(name, "wrong wrong wrong"), "sign_in_failed", 401)
            answer = self.refused(service.sign_in(name, service.first_password("lock")), "sign_in_locked", 429)
            self.assertGreater(int(answer.headers["retry-after"]), 1)
            self.assertIn("resets_at", answer.json)
        self.assertEqual(service.cell.value(f"SELECT count(*) FROM t_{no('lock')}.audit WHERE action = 'session.sign_in' AND result = 'denied'"), "10")

    def test_first_password_must_be_changed(self):
        password = service.first_password("kaede")
        answer = service.sign_in("kaede/admin", password, language="ja")
        self.assertTrue(answer.json["must_change_password"])
        token = answer.json["access_token"]
        call = lambda m, p, b=None: service.console(m, p, b, token=token)
        self.refused(call("GET", "/api/v1/devices"), "password_change_required", 403)
        self.assertEqual(call("GET", "/api/v1/me").json["language"], "ja")
        change = lambda current, new: call("POST", "/api/v1/session/password", {"current": current, "new": new})
        self.refused(change("wrong wrong wrong", PASSWORD), "password_wrong", 422)
        for weak in ("password12345", "kaedekaede12", "aaaaaaaaaaaaaa"):
            self.assertEqual(self.refused(change(password, weak), "password_weak", 422).json["field"], "new")
        self.refused(change(password, password), "password_weak", 422)
        self.refused(change(password, "short"), "field_length", 422)
        other = service.sign_in("kaede/admin", password)
        answer = change(password, PASSWORD)
        self.assertEqual(answer.status, 200, answer)
        Person.known["kaede"] = PASSWORD
        self.assertEqual(service.console("GET", "/api/v1/devices", token=answer.json["access_token"]).status, 200)
        # The other session of the account has ended.
        self.assertTrue(wait(lambda: service.console("GET", "/api/v1/me", token=other.json["access_token"]).code == "session_ended", 2))
        self.refused(service.console("POST", "/api/v1/session/refresh", cookie=other.cookie), "session_ended", 401)
        self.refused(service.sign_in("kaede/admin", password), "sign_in_failed", 401)

    def test_suspended_tenant_says_why(self):
        password = service.first_password("paused")
        person = Person("paused")
        answer, cert, key = service.enrol(token_of("paused"), "paused-1")
        self.assertEqual(answer.status, 200, answer)
        service.cell.ctl("tenant", "suspend", "paused", "--reason", "invoice 7 is open")
        self.assertTrue(wait(lambda: person.call("GET", "/api/v1/devices").code == "tenant_suspended", 3))
        answer = self.refused(service.sign_in("paused/admin", PASSWORD), "tenant_suspended", 403)
        self.assertIn("invoice 7 is open", answer.json["title"])
        self.refused(service.sign_in("paused/admin", password), "sign_in_failed", 401)
        self.refused(person.refresh(), "tenant_suspended", 403)
        self.refused(service.enrol(token_of("paused"), "paused-2")[0], "tenant_suspended", 403)
        self.assertEqual(service.agent("POST", "/agent/v1/checkin", checkin(), cert, key).status, 200)
        self.assertEqual(service.console("POST", "/api/v1/sign-out", cookie=person.cookie).status, 204)
        service.cell.ctl("tenant", "resume", "paused")
        self.assertTrue(wait(lambda: service.sign_in("paused/admin", PASSWORD).status == 200, 5))

    def test_other_sites_are_refused(self):
        body = {"name": "certs/admin", "password": "x"}
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            self.refused(service.console("POST", "/api/v1/sign-in", body, headers=headers), "origin_refused", 403)
            self.refused(service.console("POST", "/api/v1/session/refresh", cookie="x", headers=headers), "origin_refused", 403)
        ours = {"origin": f"https://localhost:{service.console_port}", "sec-fetch-site": "same-origin"}
        self.refused(service.console("POST", "/api/v1/sign-in", body, headers=ours), "sign_in_failed", 401)


class Tokens(Case):
    def test_bad_access_tokens(self):
        good = Person("acme").token
        head, body, mac = good.split(".")
        self.refused(service.console("GET", "/api/v1/me"), "unauthenticated", 401)
        for bad in ("x", f"{head}.{body}.", f"{head}.{body}.{'A' * 43}", f"eyJhbGciOiJub25lIn0.{body}.", f"{head}.{body}x.{mac}", good + "x"):
            answer = self.refused(service.console("GET", "/api/v1/me", token=bad), "token_invalid", 401)
            self.assertEqual(answer.headers["www-authenticate"], "Bearer")
        self.refused(service.console("GET", "/api/v1/me", headers={"authorization": f"Basic {good}"}), "unauthenticated", 401)
        self.assertEqual(service.console("GET", "/api/v1/me", token=good).status, 200)

    def test_refresh_rotates(self):
        person = Person("acme")
        first = person.refresh()
        self.assertEqual(first.status, 200, first)
        self.assertNotEqual(first.cookie, person.cookie)
        flags = first.headers["set-cookie"]
        for flag in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
            self.assertIn(flag, flags)
        # The one before, within ten seconds: the same successor. (Two tabs, or a lost answer.)
        self.assertEqual(person.refresh().cookie, first.cookie)
        second = person.refresh(first.cookie)
        self.assertNotEqual(second.cookie, first.cookie)
        self.assertEqual(service.console("GET", "/api/v1/me", token=second.json["access_token"]).status, 200)

    def test_stolen_cookie_ends_the_session(self):
        person = Person("acme")
        thief = person.cookie
        mine = person.refresh()
        service.cell.sql(f"UPDATE t_{no('acme')}.session SET rotated_at = rotated_at - interval '11 s'")
        self.refused(person.refresh(thief), "refresh_reused", 401)
        self.refused(person.refresh(mine.cookie), "session_ended", 401)
        self.refused(service.console("GET", "/api/v1/me", token=mine.json["access_token"]), "session_ended", 401)

    def test_made_up_cookies(self):
        person, other = Person("acme"), Person("certs")
        number, session, counter, mac = person.cookie.split(".")
        for bad in ("x", f"{number}.{session}.{counter}", f"{number}.{session}.7.{mac}", f"{no('certs')}.{session}.{counter}.{mac}",
                    f"{number}.{other.cookie.split('.')[1]}.{counter}.{mac}", f"999.{session}.{counter}.{mac}", person.cookie[:-2] + "AA"):
            answer = person.refresh(bad)
            self.assertIn(answer.code, ("unauthenticated", "session_ended"), (bad, answer))
            self.assertEqual(answer.status, 401)
        self.refused(service.console("POST", "/api/v1/session/refresh"), "unauthenticated", 401)
        self.assertEqual(person.refresh().status, 200)

    def test_sessions_listed_and_revoked(self):
        one, two = Person("acme"), Person("acme")
        stranger = Person("certs")
        items = one.call("GET", "/api/v1/sessions").json["items"]
        self.assertEqual(sum(i["current"] for i in items), 1)
        second = two.cookie.split(".")[1]
        self.assertIn(second, [i["id"] for i in items])
        self.refused(stranger.call("DELETE", f"/api/v1/sessions/{second}"), "not_found", 404)
        self.assertEqual(two.call("GET", "/api/v1/me").status, 200)
        self.assertEqual(one.call("DELETE", f"/api/v1/sessions/{second}").status, 204)
        self.refused(two.call("GET", "/api/v1/me"), "session_ended", 401)
        self.refused(two.refresh(), "session_ended", 401)
        self.assertEqual(one.call("GET", "/api/v1/me").status, 200)

    def test_sign_out(self):
        person = Person("acme")
        answer = service.console("POST", "/api/v1/sign-out", cookie=person.cookie)
        self.assertEqual(answer.status, 204)
        self.assertIn("Max-Age=0", answer.headers["set-cookie"])
        self.refused(person.call("GET", "/api/v1/me"), "session_ended", 401)
        self.refused(person.refresh(), "session_ended", 401)


class Enrolment(Case):
    def test_bad_tokens(self):
        person = Person("certs")
        made = person.call("POST", "/api/v1/enrolment-tokens", {"name": "one", "max_uses": 1}).json
        secret, ident = made["secret"], made["token"]["id"]
        self.assertIn("BEGIN CERTIFICATE", made["ca_pem"])
        wrong = secret[:-3] + ("AAA" if not secret.endswith("AAA") else "BBB")
        for bad in ("x", wrong, "sek1_" + "A" * 43):
            self.refused(service.enrol(bad, "bad-1")[0], "enrolment_token_unknown", 403)
        self.assertEqual(service.enrol(secret, "bad-2")[0].status, 200)
        answer = self.refused(service.enrol(secret, "bad-3")[0], "enrolment_token_used_up", 403)
        self.assertEqual(answer.json["limit"], 1)
        service.cell.sql(f"UPDATE t_{no('certs')}.enrolment_token SET expires_at = now() - interval '1 day' WHERE id = '{ident}'")
        self.refused(service.enrol(secret, "bad-4")[0], "enrolment_token_expired", 403)
        self.assertEqual(person.call("DELETE", f"/api/v1/enrolment-tokens/{ident}").status, 204)
        self.refused(service.enrol(secret, "bad-5")[0], "enrolment_token_revoked", 403)
        listed = next(t for t in person.call("GET", "/api/v1/enrolment-tokens").json["items"] if t["id"] == ident)
        self.assertTrue(listed["revoked"])
        self.assertEqual(listed["uses"], 1)
        self.assertNotIn(secret, person.call("GET", "/api/v1/enrolment-tokens").text)

    def test_bad_requests(self):
        token = token_of("certs")
        weak = service.key("weak", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        answer = self.refused(service.enrol(token, "weak", key=weak)[0], "csr_weak_key", 422)
        self.assertTrue(answer.json["allowed"])
        good = service.csr(service.key("good"))
        lines = good.splitlines()
        lines[3] = lines[3][:10] + ("A" if lines[3][10] != "A" else "B") + lines[3][11:]
        for bad in ("hello", "\n".join(lines)):
            self.refused(service.enrol(token, "bad-csr", csr=bad)[0], "csr_invalid", 422)
        self.refused(service.agent("POST", "/agent/v1/enrol", {"token": token}), "field_missing", 422)

    def test_lost_answer_makes_no_second_device(self):
        token, key = token_of("certs"), service.key("twice")
        first, again = service.enrol(token, "twice", key=key)[0], service.enrol(token, "twice", key=key)[0]
        self.assertEqual(first.json["device_id"], again.json["device_id"])
        other = service.enrol(token, "twice")[0]  # the same machine with a new key: enrolled anew
        self.assertNotEqual(first.json["device_id"], other.json["device_id"])

    def test_seats_and_grace(self):
        token = token_of("tiny")
        for i in range(2):
            self.assertNotIn("over_seats", service.enrol(token, f"tiny-{i}")[0].json)
        self.assertTrue(service.enrol(token, "tiny-over")[0].json["over_seats"])
        service.cell.sql("UPDATE control.tenant SET over_seats_since = now() - interval '15 days' WHERE id = 'tiny'")
        answer = self.refused(service.enrol(token, "tiny-late")[0], "seats_exceeded", 403)
        self.assertEqual((answer.json["limit"], answer.json["used"]), (2, 3))
        # Devices that are there stay served.
        cert, key = service.cell.dir / "tiny-over.pem", service.cell.dir / "tiny-over.key"
        self.assertEqual(service.agent("POST", "/agent/v1/checkin", checkin(), cert, key).status, 200)


class Live:
    """One TLS connection that stays open."""

    def __init__(self, case, port, cert, key):
        context = ssl.create_default_context(cafile=str(service.cell.dir / "ca.pem"))
        context.load_cert_chain(cert, key)
        self.c = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        case.addCleanup(self.c.close)

    def checkin(self, reason="wake"):
        self.c.request("POST", "/agent/v1/checkin", json.dumps(checkin(reason)), {"content-type": "application/json"})
        r = self.c.getresponse()
        return r.status, json.loads(r.read()).get("code")


class Certificates(Case):
    def device(self, name):
        answer, cert, key = service.enrol(token_of("certs"), name)
        self.assertEqual(answer.status, 200, answer)
        return answer.json["device_id"], cert, key

    def test_none_and_foreign(self):
        self.refused(service.agent("POST", "/agent/v1/checkin", checkin()), "certificate_missing", 401)
        device, _, _ = self.device("real")
        # Self-made, with the name of a real device.
        cert, key = service.cell.dir / "fake.pem", service.cell.dir / "fake.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                        "-subj", "/CN=x", "-days", "9", "-addext", f"subjectAltName=URI:sekisho://certs.agent.sekisho.internal/{device}"],
                       check=True, capture_output=True, timeout=60)
        self.refused(service.agent("POST", "/agent/v1/checkin", checkin(), cert, key), "certificate_foreign", 403)
        self.refused(service.agent("POST", "/agent/v1/renew", {"csr_pem": service.csr(key), "agent_version": "1"}, cert, key), "certificate_foreign", 403)
        # A server's certificate of the platform is no device.
        self.refused(service.agent("POST", "/agent/v1/checkin", checkin(), service.cell.dir / "server.pem", service.cell.dir / "server.key"),
                     "certificate_foreign", 403)

    def test_revoked_on_a_live_connection(self):
        person = Person("certs")
        device, cert, key = self.device("live")
        live = Live(self, service.agent_port, cert, key)
        self.assertEqual(live.checkin(), (200, None))
        self.refused(Person("acme").call("DELETE", f"/api/v1/devices/{device}/certificate"), "not_found", 404)
        self.assertEqual(person.call("DELETE", f"/api/v1/devices/{device}/certificate").status, 204)
        self.assertEqual(live.checkin(), (403, "certificate_revoked"))
        self.refused(service.agent("POST", "/agent/v1/renew", {"csr_pem": service.csr(key), "agent_version": "1"}, cert, key), "certificate_revoked", 403)

    def test_removed_device_is_unknown(self):
        person = Person("certs")
        device, cert, key = self.device("gone")
        live = Live(self, service.agent_port, cert, key)
        self.assertEqual(live.checkin(), (200, None))
        self.assertEqual(person.call("DELETE", f"/api/v1/devices/{device}").status, 204)
        self.assertEqual(live.checkin(), (403, "certificate_unknown"))
        self.refused(service.agent("POST", "/agent/v1/checkin", checkin(), cert, key), "certificate_unknown", 403)

    def test_renewed(self):
        device, cert, key = self.device("renew")
        fresh = service.key("renew-2")
        answer = service.agent("POST", "/agent/v1/renew", {"csr_pem": service.csr(fresh), "agent_version": "1"}, cert, key)
        self.assertEqual(answer.status, 200, answer)
        new = service.cell.dir / "renew-2.pem"
        new.write_text(answer.json["certificate_pem"], encoding="utf-8")
        self.assertEqual(service.agent("POST", "/agent/v1/checkin", checkin("wake"), new, fresh).status, 200)
        self.assertEqual(service.agent("POST", "/agent/v1/checkin", checkin("wake"), cert, key).status, 200)
        text = subprocess.run(["openssl", "x509", "-in", new, "-noout", "-ext", "subjectAltName"], check=True, capture_output=True, text=True).stdout
        self.assertIn(f"URI:sekisho://certs.agent.sekisho.internal/{device}", text)
        self.refused(service.agent("POST", "/agent/v1/renew", {"csr_pem": service.csr(fresh), "agent_version": "1"}), "certificate_missing", 401)

    def test_expired_renews_within_the_grace(self):
        _, cert, key = self.device("old")
        body = {"csr_pem": service.csr(service.key("old-2")), "agent_version": "1"}
        try:
            service.stop()
            service.start(SEKISHO_CLOCK_OFFSET=str(100 * 86400))
            self.refused(service.agent("POST", "/agent/v1/checkin", checkin(), cert, key), "certificate_expired", 403)
            answer = service.agent("POST", "/agent/v1/renew", body, cert, key)
            self.assertEqual(answer.status, 200, answer)
            service.stop()
            service.start(SEKISHO_CLOCK_OFFSET=str(500 * 86400))
            answer = self.refused(service.agent("POST", "/agent/v1/renew", body, cert, key), "renewal_too_late", 403)
            self.assertEqual(answer.json["limit"], 365)
        finally:
            service.stop()
            service.cell.sql("DELETE FROM control.signing_key WHERE created_at > now()")  # made in the future
            service.start()

    def test_time_is_signed(self):
        answer, _, _ = service.enrol(token_of("certs"), "clock")
        public = bytes.fromhex(answer.json["time_key"])
        t = service.agent("GET", "/agent/v1/time?nonce=n0-_x").json
        self.assertEqual(t["nonce"], "n0-_x")
        d = service.cell.dir
        (d / "t.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        (d / "t.msg").write_bytes(f"sekisho-time\n{t['at']}\n{t['nonce']}\n".encode())
        (d / "t.sig").write_bytes(bytes.fromhex(t["signature"]))
        check = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", d / "t.der", "-in", d / "t.msg", "-sigfile", d / "t.sig"]
        self.assertEqual(subprocess.run(check, capture_output=True, timeout=30, check=False).returncode, 0)
        self.refused(service.agent("GET", "/agent/v1/time?nonce=a%20b"), "field_format", 422)


class Replicas(Case):
    def test_revocation_and_session_end_cross_replicas(self):
        person = Person("certs")
        other = service.replica()
        try:
            for redis_away in (False, True):
                answer, cert, key = service.enrol(token_of("certs"), f"replica-{redis_away}")
                live = Live(self, other.agent_port, cert, key)
                if redis_away:
                    service.cell.redis_kill()
                    self.assertTrue(wait(lambda: service.sign_in("certs/admin", PASSWORD).code == "sign_in_unavailable", 5))
                self.assertEqual(live.checkin(), (200, None))
                self.assertEqual(person.call("DELETE", f"/api/v1/devices/{answer.json['device_id']}/certificate").status, 204)
                self.assertTrue(wait(lambda live=live: live.checkin() == (403, "certificate_revoked"), 4 if redis_away else 1))
            # People who are signed in and agents go on without Redis; refresh works from the row.
            self.assertEqual(person.call("GET", "/api/v1/devices").status, 200)
            refreshed = person.refresh()
            self.assertEqual(refreshed.status, 200, refreshed)
            self.assertEqual(other.console("GET", "/api/v1/me", token=person.token).status, 200)
            self.assertEqual(service.console("POST", "/api/v1/sign-out", cookie=refreshed.cookie).status, 204)
            self.assertTrue(wait(lambda: other.console("GET", "/api/v1/me", token=person.token).code == "session_ended", 1))
        finally:
            code = other.stop()
            service.cell.redis_start()
        self.assertEqual(code, 0)
        self.assertTrue(wait(lambda: service.sign_in("certs/admin", PASSWORD).status == 200, 15))


def no(tenant):
    return service.cell.value(f"SELECT no FROM control.tenant WHERE id = '{tenant}'")


def token_of(tenant):
    cache = token_of.__dict__.setdefault("cache", {})
    if tenant not in cache:
        cache[tenant] = service.cell.ctl_json("token", "create", "--tenant", tenant, "--name", "tests", "--days", 30)["token"]
    return cache[tenant]


if __name__ == "__main__":
    unittest.main(verbosity=2)
