# SPDX-License-Identifier: Apache-2.0
"""How the agent takes refusals and nonsense: a scripted server that enrols it for real and then answers as told. Counts
requests, for no answer may make a storm."""
import gzip
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fleet import Agent, until  # noqa: E402

KEY = "00" * 32


def now(offset=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset))


class Script:
    """One server: `answer` is called with each check-in (parsed) and gives (status, headers, object or bytes), or None for
    the ordinary answer, which acknowledges everything."""

    def __init__(self, folder):
        self.folder, self.answer = Path(folder), None
        self.requests, self.checkins, self.tasks, self.revision = [], [], [], 0
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test root", "-keyout",
                     "ca.key", "-out", "ca.pem", "-days", "30")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key",
                     "-out", "server.csr")
        self.sign("server.csr", "server.pem", "DNS:localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        context.load_verify_locations(self.folder / "ca.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler(), bind_and_activate=True)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.agent_port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    class cell:  # what fleet.Agent asks of a service
        dir = None

    def enrolment_token(self, _tenant):
        return "sek1_test"

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def sign(self, csr, out, san):
        (self.folder / "ext").write_text(f"subjectAltName={san}\n")
        self.openssl("x509", "-req", "-in", csr, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "ext",
                     "-out", out)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def enrol(self, body):
        device = str(uuid.uuid4())
        (self.folder / "agent.csr").write_text(body["csr_pem"])
        self.sign("agent.csr", "agent.pem", f"URI:sekisho://acme.agent.test/{device}")
        return 200, {}, {"device_id": device, "tenant": "acme", "certificate_pem": (self.folder / "agent.pem").read_text(),
                         "expires_at": now(86400 * 30), "time_key": KEY, "module_key": KEY, "interval": 60, "server_time": now()}

    def ordinary(self, r, **more):
        kinds = {f["kind"]: f["digest"] for f in r.get("facts", [])}
        self.facts.update(kinds)
        import hashlib
        order = ["identity", "os", "hardware", "network", "software", "users", "protection", "problems"]
        digest = hashlib.sha256("".join(self.facts[k] for k in order if k in self.facts).encode()).hexdigest() if self.facts else ""
        events = r.get("events", [])
        answer = {"ack": events[-1]["seq"] if events else r["spool"]["tail"] - 1, "facts_digest": digest, "revision": self.revision,
                  "next_contact": 60, "interval": 60, "server_time": now()}
        if r["revision"] != self.revision:
            answer["tasks"] = self.tasks
        answer.update(more)
        return 200, {}, answer

    facts = {}

    def checkin(self, r):
        r["at"] = time.monotonic()
        self.checkins.append(r)
        told = self.answer(r) if self.answer else None
        return told or self.ordinary(r)

    def handler(self):
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                script.requests.append(self.path)
                if self.path.startswith("/agent/v1/wake"):
                    self.send_response(200)
                    self.send_header("Content-Type", "application/x-ndjson")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    while True:
                        line = json.dumps({"wake": script.revision}).encode() + b"\n"
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                        time.sleep(0.5)
                self.reply(404, {}, {"status": 404, "code": "path_unknown"})

            def do_POST(self):
                script.requests.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                r = json.loads(body)
                self.reply(*(script.enrol(r) if self.path.endswith("enrol") else script.checkin(r)))

            def reply(self, status, headers, body):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for k, v in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.write(data)

        return Handler


def problem(status, code, headers=None, **more):
    return status, {"Content-Type": "application/problem+json", **(headers or {})}, {"status": status, "code": code, "title": code, **more}


class ContactTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skp-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.script = Script(self.folder)
        self.script.facts = {}
        self.script.cell = type("cell", (), {"dir": self.folder})
        self.addCleanup(self.script.close)
        self.a = Agent(self.script, None, prevention="off", notify_send="")
        self.addCleanup(self.a.__exit__)

    def start(self):
        self.a.start()
        self.a.wait_state("connected")

    def message(self):
        """A task whose execution leaves records in the journal."""
        self.script.revision += 1
        self.script.tasks = [{"execution_id": str(uuid.uuid4()), "type": "show_message", "text": "hello"}]

    def settled(self, seconds=30):
        self.assertTrue(until(lambda: self.script.checkins and self.a.status() and self.a.status()["state"] == "connected" and
                              self.a.status()["journal"]["waiting"] == 0, seconds), self.a.log()[-3000:])

    def test_ordinary_and_quiet(self):
        self.start()
        self.message()
        self.assertTrue(until(lambda: any(e["kind"] == "execution" and e["body"]["state"] in ("done", "failed", "refused")
                                          for r in self.script.checkins for e in r.get("events", []))), self.a.log()[-2000:])
        time.sleep(3)
        n = len(self.script.checkins)
        time.sleep(5)
        self.assertEqual(len(self.script.checkins), n)  # at rest
        self.assertEqual(self.script.checkins[0]["reason"], "start")
        self.assertNotIn("facts", self.script.checkins[-1])

    def test_busy(self):
        times = []

        def busy(_r):
            times.append(time.monotonic())
            return problem(503, "busy", {"Retry-After": "2"}, retry_after=2) if len(times) < 3 else None

        self.script.answer = busy
        self.start()
        self.assertGreaterEqual(times[1] - times[0], 1.9)
        self.assertLess(times[1] - times[0], 5)

    def test_too_large_is_split(self):
        def small(r):
            return problem(413, "body_too_large", limit=60000) if len(json.dumps(r)) > 60000 else None

        self.script.answer = small
        self.start()
        packages = subprocess.run(["dpkg-query", "-f", "${db:Status-Status} ${Package}:${Architecture}\n", "-W"], capture_output=True,
                                  text=True, check=True, timeout=30).stdout.split("\n")
        packages = {p.split()[1] for p in packages if p.startswith("installed ")}

        def arrived():
            return {row["key"] for r in list(self.script.checkins) if len(json.dumps(r)) <= 60000
                    for f in r.get("facts", []) if f["kind"] == "software" for row in f.get("set", [])}

        self.assertTrue(until(lambda: arrived() >= packages, 60, 0.5), self.a.log()[-2000:])
        self.assertLess(sum(len(json.dumps(r)) > 60000 for r in self.script.checkins), 4)
        self.assertEqual(self.a.status()["trouble"], "")

    def test_nonsense(self):
        nonsense = [(200, {}, b"<html>a proxy's page</html>"), (200, {}, b"{}"), (200, {}, b'{"ack":"x"}'), (502, {}, b"Bad Gateway"),
                    (200, {}, b"[" * 100000), (301, {"Location": "https://elsewhere.invalid/"}, b""), (200, {}, b"")]
        for answer in nonsense:
            with self.subTest(answer=answer[2][:20]):
                shutil.rmtree(self.a.state / "agent", ignore_errors=True)
                self.script.checkins.clear()
                self.script.answer = lambda _r, answer=answer: answer
                self.a.start()
                self.a.wait_state("retrying")
                time.sleep(2)
                self.assertLessEqual(len(self.script.checkins), 3)
                self.assertEqual(self.a.stop(), 0)

    def test_refused_facts(self):
        self.script.answer = lambda r: problem(422, "field_value", field="facts[2].set[0].value.size") if r.get("facts") else None
        self.start()
        self.message()
        self.settled()
        self.assertLess(sum("facts" in r for r in self.script.checkins), 4)  # records go on without facts

    def test_refused_record(self):
        bad = []

        def refuse(r):
            for i, e in enumerate(r.get("events", [])):
                if e["kind"] == "execution" and (not bad or e["id"] in bad):
                    bad.append(e["id"])
                    return problem(422, "field_value", field=f"events[{i}].body.state")
            return None

        self.script.answer = refuse
        self.start()
        self.message()
        self.assertTrue(until(lambda: any(e["kind"] == "gap" for r in self.script.checkins for e in r.get("events", [])), 30), self.a.log()[-2000:])
        self.settled()
        self.assertEqual(len(set(bad)), 1)
        self.assertLess(len(self.script.checkins), 20)
        self.assertEqual(self.a.status()["journal"]["lost"], 1)

    def test_new_epoch_and_gap(self):
        asked = []

        def again(r):
            if r.get("events") and len(asked) < 2:
                asked.append(r["spool"]["epoch"])
                return self.script.ordinary(r, new_epoch=True, ack=0) if len(asked) == 1 else problem(409, "sequence_gap", limit=7)
            return None

        self.script.answer = again
        self.start()
        self.message()
        self.assertTrue(until(lambda: len(asked) == 2, 30), self.a.log()[-2000:])
        self.assertTrue(until(lambda: len({r["spool"]["epoch"] for r in list(self.script.checkins) if r.get("events")}) == 3, 30))
        self.settled()
        seen = {}
        for r in self.script.checkins:  # the same records, under the same ids and hashes
            for e in r.get("events", []):
                self.assertEqual(seen.setdefault(e["id"], (e["hash"], e["body"])), (e["hash"], e["body"]))

    def test_too_early(self):
        self.script.answer = lambda r: problem(429, "too_early", {"Retry-After": "30"}) if r["reason"] == "scheduled" else \
            self.script.ordinary(r, next_contact=1)
        self.start()
        time.sleep(6)
        self.assertLessEqual(sum(r["reason"] == "scheduled" for r in self.script.checkins), 1)
        self.message()
        self.settled()  # other reasons are not held back
        self.assertEqual(self.a.status()["state"], "connected")

    def test_slow_and_cut(self):
        def slow(_r):
            time.sleep(100)

        self.script.answer = slow
        self.a.start()
        self.assertTrue(until(lambda: len(self.script.checkins) == 1))
        time.sleep(3)
        self.assertEqual(len(self.script.checkins), 1)
        began = time.monotonic()
        self.assertEqual(self.a.stop(), 0)  # it does not wait for the answer
        self.assertLess(time.monotonic() - began, 10)

    def test_stops(self):
        for code, status in (("certificate_revoked", 403), ("device_removed", 410)):
            with self.subTest(code=code):
                self.script.checkins.clear()
                self.script.answer = lambda _r, c=code, s=status: problem(s, c)
                self.a.start()
                self.a.wait_state("stopped")
                self.assertEqual(self.a.status()["trouble"], code)
                time.sleep(3)
                self.assertEqual(len(self.script.checkins), 1)
                self.assertEqual(self.a.stop(), 0)
                self.a.start()  # it stays so over a restart
                self.a.wait_state("stopped")
                self.assertEqual(len(self.script.checkins), 1)
                self.assertEqual(self.a.stop(), 0)
                shutil.rmtree(self.a.state / "agent")


if __name__ == "__main__":
    unittest.main(verbosity=2)
