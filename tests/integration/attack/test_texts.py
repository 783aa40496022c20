# SPDX-License-Identifier: Apache-2.0
"""Hostile texts in every place of the console's contract where a text may stand: bodies, queries, addresses, made from
src/handler/openapi.yaml itself, so that a new field is attacked from its first day. And in the header fields that come back."""
import json
import re
import socket
import ssl
import sys
import time
import unittest
import uuid
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import House, Person, context  # noqa: E402
import yaml  # noqa: E402
from client import COOKIE, ROOT, forget_rates  # noqa: E402

SPEC = yaml.safe_load((ROOT / "src/handler/openapi.yaml").read_text(encoding="utf-8"))
# bytes: put into the JSON as they are
TEXTS = ["' OR '1'='1", "'; DROP TABLE device; --", "\\'; DROP SCHEMA public CASCADE; --", "$$; SELECT pg_sleep(20); $$", "%' UNION SELECT password_hash FROM account --",
         "1); COMMIT; DELETE FROM detection; --", "/* {t} :x $1 */", "E'\\\\x27'||(SELECT version())||'", "a\r\nX-Injected: 1\r\n\r\nbody", "\u2028\u2029\ufeff\u202e",
         "%s%n%x%p", "../../../../etc/passwd", "<img src=x onerror=alert(1)>", b"\xc0\xaf", b"\xff", b"\\ud800", b"\\u0000", b"\xf4\x90\x80\x80"]
SQL_ERRORS = re.compile(r"syntax error|unterminated|invalid byte sequence|does not exist|invalid input syntax|permission denied|out of range|cannot be cast|duplicate key")
SLOWEST = 10

house = person = None


def setUpModule():
    global house, person
    house = House().__enter__()
    made = house.service.cell.ctl_json("tenant", "create", "texts", "--name", "texts", "--plan", "enterprise", "--seats", 50)
    house.service.made["changes"].append({"kind": "tenant", "id": "texts", **made})
    for _ in range(100):
        try:
            person = Person(house.service, "texts")
            break
        except AssertionError:
            time.sleep(0.1)


def tearDownModule():
    house.__exit__()


def resolve(x):
    while "$ref" in x:
        at = SPEC
        for part in x["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        x = at
    return x


def good(schema):
    """A value that the contract allows."""
    s = resolve(schema)
    kind = s.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {k: good(v) for k, v in s.get("properties", {}).items()}
    if kind == "array":
        return [good(s["items"])]
    if kind == "string":
        if "enum" in s:
            return s["enum"][0]
        return {"uuid": str(uuid.uuid4()), "date-time": "2026-01-01T00:00:00Z"}.get(s.get("format"), "x" * max(1, s.get("minLength", 1)))
    if kind in ("integer", "number"):
        return s.get("minimum", 1)
    return True if kind == "boolean" else None


def places(schema, at=()):
    """Paths of all strings inside a body."""
    s = resolve(schema)
    kind = s.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        for k, v in s.get("properties", {}).items():
            yield from places(v, (*at, k))
    elif kind == "array":
        yield from places(s["items"], (*at, 0))
    elif kind == "string":
        yield at


def put(value, at, text):
    if not at:
        return text
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = put(value[at[0]], at[1:], text)
    return copy


def operations():
    for path, methods in SPEC["paths"].items():
        shared = methods.get("parameters", [])
        for method, op in methods.items():
            if method == "parameters" or op.get("x-stream"):
                continue
            yield path, method.upper(), op, [resolve(p) for p in shared + op.get("parameters", [])]


def encode(body, text):
    """The body as JSON; a text of bytes stands in it as it is."""
    if isinstance(text, bytes):
        return json.dumps(body).encode().replace(b"@@HERE@@", text)
    return json.dumps(body, ensure_ascii=False).encode()


class Texts(unittest.TestCase):
    count = 0

    def look(self, method, path, body, what):
        """One request, and what must not come back."""
        Texts.count += 1
        if Texts.count % 40 == 0:
            forget_rates(house.service)
        began = time.monotonic()
        r = person.call(method, path, body)
        self.assertLess(time.monotonic() - began, SLOWEST, what)
        self.assertLess(r.status, 500, (what, r))
        self.assertNotIn(r.status, (0, 101), what)
        self.assertFalse([k for k, _ in r.fields if k.lower() == "x-injected"], what)
        self.assertNotRegex(r.body.decode(errors="replace"), r"pg_|SQLSTATE|syntax error|stack|/src/", what)
        if r.status == 401 and r.code != "sign_in_failed":
            self.fail(f"the session was lost: {what} {r}")
        return r

    def test_bodies(self):
        n = 0
        for path, method, op, _ in operations():
            content = op.get("requestBody", {}).get("content", {}).get("application/json")
            if not content:
                continue
            address = re.sub(r"\{\w+\}", lambda _: str(uuid.uuid4()), path)
            for at in places(content["schema"]):
                for text in TEXTS if op["x-where"] != "slow" else TEXTS[::9]:  # slow: hashes a password
                    body = put(good(content["schema"]), at, "@@HERE@@" if isinstance(text, bytes) else text)
                    self.look(method, address, encode(body, text), (op["operationId"], at, text))
                    n += 1
        self.assertGreater(n, 200)

    def test_queries_and_addresses(self):
        n = 0
        for path, method, op, params in operations():
            body = op.get("requestBody", {}).get("content", {}).get("application/json")
            body = json.dumps(good(body["schema"])).encode() if body else None
            if op["operationId"] in ("sign_in", "sign_out", "session_refresh"):
                continue
            for p in params:
                for text in TEXTS:
                    value = quote(text if isinstance(text, bytes) else text.encode(), safe="")
                    address = re.sub(r"\{(\w+)\}", lambda m: value if m[1] == p["name"] else str(uuid.uuid4()), path)
                    if p["in"] == "query":
                        address += f"?{p['name']}={value}"
                    self.look(method, address, body, (op["operationId"], p["name"], text))
                    n += 1
        self.assertGreater(n, 400)

    def test_z_nothing_was_harmed(self):
        no = house.service.cell.value("SELECT no FROM control.tenant WHERE id = 'texts'")
        self.assertEqual(house.service.cell.value(f"SELECT count(*) FROM t_{no}.account"), "1")
        self.assertEqual(person.call("GET", "/api/v1/devices").status, 200)
        log = (house.service.cell.dir / "pg.log").read_text(errors="replace")
        bad = [x for x in log.splitlines() if SQL_ERRORS.search(x)]
        self.assertEqual(bad, [], "PostgreSQL saw a text as something else")


class Fields(unittest.TestCase):
    """Header fields of a request that come back in some form, or decide something."""

    HOSTILE = ("a\r\nX-Injected: 1", "a\nX-Injected: 1", "a\rX-Injected: 1", "a\0b", "'; --", "\x7f", "é", "(" * 2000, "a;q=" + "9" * 400, ",".join(["en"] * 500))

    def raw(self, data):
        with socket.create_connection(("127.0.0.1", house.port("console")), timeout=15) as raw:
            with context(("http/1.1",)).wrap_socket(raw) as s:
                s.sendall(data)
                out = b""
                try:
                    while more := s.recv(65536):
                        out += more
                except (OSError, ssl.SSLError):
                    pass
                return out

    def test_fields(self):
        names = ("host", "origin", "accept", "accept-language", "accept-encoding", "authorization", "cookie", "content-type", "content-encoding", "if-none-match",
                 "traceparent", "tracestate", "user-agent", "referer", "x-forwarded-for", "forwarded", "range", "te", "expect")
        for name in names:
            for text in self.HOSTILE:
                prefix = {"cookie": f"{COOKIE}=", "authorization": "Bearer "}.get(name, "")
                host = b"" if name == "host" else b"Host: localhost\r\n"
                out = self.raw(b"GET /api/v1/me HTTP/1.1\r\n" + host + f"{name}: {prefix}{text}\r\nConnection: close\r\n\r\n".encode("latin-1"))
                head = out.partition(b"\r\n\r\n")[0].lower()
                self.assertRegex(out[:13], rb"^HTTP/1\.1 [1-4]", (name, text, out[:200]))
                self.assertNotIn(b"\nx-injected", head, (name, text))

    def test_trace_id(self):
        for text in ("00-" + "a" * 32 + "-" + "b" * 16 + "-01\r\nX-Injected: 1", "00-" + "é" * 16 + "-" + "b" * 16 + "-01", "00-" + "'" * 32 + "-" + "b" * 16 + "-01"):
            out = self.raw(f"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\ntraceparent: {text}\r\nConnection: close\r\n\r\n".encode("latin-1"))
            found = re.search(rb"x-trace-id: (\S+)\r\n", out)
            self.assertTrue(found and re.fullmatch(rb"[0-9a-f]{32}", found[1]), out[:300])

    def test_smuggling(self):
        """Two readings of one HTTP/1.1 request: one answer, or an end of the connection; never a second request."""
        second = b"GET /api/none HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for first in (b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n",
                      b"POST /api/v1/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x0\r\n\r\n"):
            with self.subTest(first=first):
                out = self.raw(first + second.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                self.assertRegex(out, rb"^HTTP/1\.1 400 ")
                self.assertEqual(out.count(b"HTTP/1.1 "), 1, out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
