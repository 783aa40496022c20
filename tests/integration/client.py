# SPDX-License-Identifier: Apache-2.0
"""Clients of a running server for the suites of isolation/ and bad_input/: people with a session, and simulated devices that
speak the agent protocol with the hashes of src/wire/digest.h. Each keeps one TLS connection (HTTP/1.1), so that hundreds of
requests cost one handshake. What came back is kept as it came (Reply.raw), so that a test can look at every byte.

    with Service(tenants=(file,)) as service:      # of identity/service.py
        person = Person(service, "acme")           # signs in, changes the first password
        device = Device(service, token, "pc-1")    # key, request, enrolment
        device.report([device.event("detection", detection("EICAR"))])
"""
import gzip
import hashlib
import http.client
import json
import re
import secrets
import ssl
import subprocess
import sys
import time
import uuid
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "identity"))
from service import COOKIE, ROOT, Service  # noqa: E402

PROBLEMS = yaml.safe_load((ROOT / "src/call/problems.yaml").read_text(encoding="utf-8"))
TIMEOUT = 40


def wait(condition, seconds=10, step=0.05):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(step)
    return condition()


def now(offset=0):
    """As common/clock.c writes it, which the hash of a record is made of: a fraction only when there is one."""
    t = time.time() + offset
    part = int(t % 1 * 1e6)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + (f".{part:06d}" if part else "") + "Z"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def sha256_lines(*lines):
    return hashlib.sha256("".join(f"{x}\n" for x in lines).encode()).hexdigest()


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.fields, self.body = status, headers, body
        self.headers = {k.lower(): v for k, v in headers}
        self.raw = b"".join(f"{k}: {v}\r\n".encode() for k, v in headers) + b"\r\n" + body
        self.json = json.loads(body) if body and "json" in self.headers.get("content-type", "") else None

    @property
    def code(self):
        return self.json.get("code") if isinstance(self.json, dict) else None

    @property
    def cookie(self):
        found = re.search(rf"{COOKIE}=([^;\r\n]*)", self.raw.decode("latin-1"))
        return found.group(1) if found else None

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


class Line:
    """One connection that is opened again when the server has closed it."""

    def __init__(self, service, port, cert=None, key=None):
        self.service, self.port, self.c = service, port, None
        self.context = ssl.create_default_context(cafile=str(service.cell.dir / "ca.pem"))
        if cert:
            self.context.load_cert_chain(cert, key)

    def open(self, timeout=TIMEOUT):
        self.close()
        self.c = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=timeout)
        self.c.connect()
        return self.c

    def close(self):
        if self.c:
            self.c.close()
        self.c = None

    def send(self, method, path, body=None, headers=None):
        """body: bytes as they are, anything else as JSON."""
        headers = {"accept-language": "en", "accept-encoding": "identity", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = compact(body).encode()
        if body is not None:
            headers.setdefault("content-type", "application/json")
        for again in (True, False):
            try:
                (self.c or self.open()).request(method, path, body=body, headers=headers)
                r = self.c.getresponse()
                reply = Reply(r.status, r.getheaders(), r.read())
                if r.will_close:
                    self.close()
                return reply
            except (http.client.HTTPException, OSError):
                fresh, self.c = self.c is None, None
                if fresh or not again:
                    raise
        return None

    def stream(self, path, headers=None):
        """A response that does not end: the connection and its open response, of which lines can be read."""
        c = self.open()
        c.request("GET", path, headers={"accept-language": "en", **(headers or {})})
        return c, c.getresponse()


class Person:
    """Signed in; the first password is changed when it must be. secrets: all that must never be seen in a log."""

    passwords = {}

    def __init__(self, service, tenant, account="admin", line=None, headers=None, language=None):
        self.service, self.tenant, self.account = service, tenant, account
        self.line = line or Line(service, service.console_port)
        self.secrets = []
        name = (id(service), tenant, account)
        password = self.passwords.get(name) or service.first_password(tenant, account)
        body = {"name": f"{tenant}/{account}", "password": password}
        r = self.line.send("POST", "/api/v1/sign-in", {**body, **({"language": language} if language else {})}, headers)
        assert r.status == 200, r
        self.token, self.cookie = r.json["access_token"], r.cookie
        self.password = password
        self.secrets += [password, self.token, self.cookie]
        if r.json["must_change_password"]:
            self.password = self.passwords[name] = f"Otter-{secrets.token_hex(8)}-swims"
            r = self.call("POST", "/api/v1/session/password", {"current": password, "new": self.password})
            assert r.status == 200, r
            self.token = r.json["access_token"]
            self.secrets += [self.password, self.token]

    @property
    def session(self):
        return self.cookie.split(".")[1]

    def call(self, method, path, body=None, headers=None, **kw):
        return self.line.send(method, path, body, {"authorization": f"Bearer {self.token}", **(headers or {})}, **kw)

    def get(self, path):
        r = self.call("GET", path)
        assert r.status == 200, (path, r)
        return r.json

    def post(self, path, body=None, status=201):
        r = self.call("POST", path, body)
        assert r.status == status, (path, r)
        return r.json

    def refresh(self, cookie=None):
        r = self.line.send("POST", "/api/v1/session/refresh", headers={"cookie": f"{COOKIE}={cookie or self.cookie}"})
        if r.status == 200 and not cookie:
            self.cookie, self.token = r.cookie, r.json["access_token"]
            self.secrets += [self.cookie, self.token]
        return r


def detection(name, **more):
    return {"name": name, "type": "test", "severity": "critical", "scanner": "on_demand", "action": "quarantined",
            "object": "/srv/share/eicar.com", **more}


KINDS = ["identity", "os", "hardware", "network", "software", "users", "protection", "problems"]


class Device:
    """An enrolled device with a journal of its own: numbers, hashes, acknowledgements."""

    def __init__(self, service, token, name, enrol=True, version="0.1.0"):
        self.service, self.name, self.token, self.version = service, name, token, version
        self.epoch, self.seq, self.acked, self.revision = str(uuid.uuid4()), 0, 0, 0
        self.digests, self.facts_digest, self.last = {}, "", None
        self.key = service.key(re.sub(r"[^A-Za-z0-9-]", "_", name)[:60] + "-" + secrets.token_hex(4))
        self.cert = self.key.with_suffix(".pem")
        self.line = None
        if enrol:
            r = self.enrol()
            assert r.status == 200, r

    def enrol(self, **more):
        r = Line(self.service, self.service.agent_port).send("POST", "/agent/v1/enrol", enrolment(
            self.token, self.service.csr(self.key), self.name, **more))
        if r.status == 200:
            self.id = r.json["device_id"]
            self.cert.write_text(r.json["certificate_pem"], encoding="utf-8")
            self.line = Line(self.service, self.service.agent_port, self.cert, self.key)
        return r

    def call(self, method, path, body=None, headers=None):
        return self.line.send(method, path, body, headers)

    # ---- records

    def event(self, kind, body, seq=None, ident=None, occurred=None):
        if seq is None:
            self.seq += 1
            seq = self.seq
        ident, occurred = ident or str(uuid.uuid4()), occurred or now()
        return {"seq": seq, "id": ident, "kind": kind, "occurred": occurred,
                "hash": sha256_lines(ident, kind, occurred, compact(body)), "body": body}

    def fact(self, kind, rows, base=None, remove=None):
        """All rows of a kind, or (base given) changed ones on what self.digests holds."""
        whole = dict(rows)
        if base is not None:
            whole = {k: v for k, v in {**self.rows[kind], **rows}.items() if k not in (remove or [])}
        self.rows = {**getattr(self, "rows", {}), kind: whole}
        digest = sha256_lines(*(x for k in sorted(whole, key=str.encode) for x in (k, compact(whole[k]))))
        f = {"kind": kind, "digest": digest, "set": [{"key": k, "value": v} for k, v in rows.items()]}
        if base is not None:
            f.update(base=base, remove=remove or [])
        self.digests[kind] = digest
        return f

    def body(self, reason="spool", **more):
        return {"agent_version": self.version, "reason": reason, "clock": now(), "revision": self.revision,
                "facts_digest": self.facts_digest, "spool": {"epoch": self.epoch, "head": self.seq, "tail": self.acked + 1}, **more}

    def checkin(self, reason="spool", headers=None, **more):
        """A check-in; takes over what the server acknowledges."""
        r = self.call("POST", "/agent/v1/checkin", self.body(reason, **more), headers)
        if r.status == 200:
            self.last = r.json
            self.acked, self.revision, self.facts_digest = max(self.acked, r.json["ack"]), r.json["revision"], r.json["facts_digest"]
        return r

    def report(self, events=None, facts=None, reason="spool"):
        r = self.checkin(reason, **({"events": events} if events else {}), **({"facts": facts} if facts else {}))
        assert r.status == 200, r
        return r.json

    def packed(self, text, **headers):
        """A check-in whose body is these bytes, said to be gzip."""
        return self.call("POST", "/agent/v1/checkin", text, {"content-encoding": "gzip", **headers})


def enrolment(token, csr, hostname, **more):
    return {"token": token, "csr_pem": csr, "hostname": hostname, "os_family": "linux", "agent_version": "0.1.0",
            "machine_id": f"machine-{hostname}"[:128], **more}


def forget_rates(service):
    """The suites sign in more often from one address than people do."""
    script = "for _,k in ipairs(redis.call('keys','sk:q:*')) do redis.call('del',k) end"
    redis(service, "EVAL", script, "0")


def redis(service, *words):
    return subprocess.run(["redis-cli", "-s", str(service.cell.redis_socket), "--no-raw", *map(str, words)], check=True,
                          capture_output=True, text=True, timeout=20).stdout


def title_fits(code, language, title):
    """Is it the text of problems.yaml, with something filled in for each argument?"""
    pattern = re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(PROBLEMS[code][language]))
    return re.fullmatch(pattern, title, re.S) is not None


def number_of(service, tenant):
    return service.cell.value(f"SELECT no FROM control.tenant WHERE id = '{tenant}'")


def squeeze(value):
    return gzip.compress(value if isinstance(value, bytes) else compact(value).encode(), 5)
