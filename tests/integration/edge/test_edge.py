#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The edge alone, by edge_probe: ports, TLS, limits, abuse, static files, streams, drain. Times are short by its patience_*
arguments. Loopback only; every wait has a time-out."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import h2  # noqa: E402
from cell import ROOT, free_port, program  # noqa: E402
from h2 import H2, context, frame  # noqa: E402

DEVICE = "0190a3c2-1111-7222-8333-444455556666"


def make_certificate(folder, name, san):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={san}"], check=True, capture_output=True, timeout=20)


class Probe:
    """One edge_probe, its files and its ports."""

    def __init__(self, *args):
        self.dir = Path(tempfile.mkdtemp(prefix="edge-", dir="/tmp"))
        make_certificate(self.dir, "server", "DNS:localhost,IP:127.0.0.1")
        make_certificate(self.dir, "device", f"URI:sekisho://acme.agent.sekisho.internal/{DEVICE}")
        assets = self.dir / "web" / "assets"
        assets.mkdir(parents=True)
        (self.dir / "web" / "index.html").write_text("<!doctype html><title>console</title>")
        (assets / "app-3Fq9a1Bc.js").write_text("let a = 1;\n" * 500)
        (assets / "app-3Fq9a1Bc.js.br").write_bytes(b"not really brotli")
        (self.dir / "secret.txt").write_text("secret")
        (self.dir / "large.bin").write_bytes(os.urandom(5_000_000))
        self.console, self.agent, self.ops = free_port(), free_port(), free_port()
        self.err = open(self.dir / "err.log", "wb")
        env = dict(os.environ, LSAN_OPTIONS=f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0")
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"  # tests look at memory in use
        self.process = subprocess.Popen(
            [program("edge_probe"), f"tls_certificate={self.dir}/server.pem", f"tls_key={self.dir}/server.key", "ca_file=x",
             "keyring=x", "database=x", "migrations=x", f"web_root={self.dir}/web", f"modules={self.dir}",
             f"console_listen=127.0.0.1:{self.console}", f"agent_listen=127.0.0.1:{self.agent}",
             f"ops_listen=127.0.0.1:{self.ops}", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.err, env=env)
        line = self.process.stdout.readline()
        if line != b"ready\n":
            log = self.log()
            self.close()
            raise RuntimeError("edge_probe did not start: " + log)

    def log(self):
        self.err.flush()
        return (self.dir / "err.log").read_text(errors="replace")

    def curl(self, *args, port=None, path="/", timeout=10, text=True):
        done = subprocess.run(["curl", "-sk", "--max-time", str(timeout), *args,
                               f"https://127.0.0.1:{port or self.console}{path}"], capture_output=True, timeout=timeout + 5)
        return done.stdout.decode(errors="replace") if text else done.stdout

    def head(self, path="/", *args):
        """Status and header fields."""
        out = self.curl("-D", "-", "-o", os.devnull, *args, path=path).replace("\r", "")
        block = [b for b in out.split("\n\n") if b.strip()][-1].splitlines()
        return int(block[0].split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in block[1:] if ": " in line)}

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/metrics", timeout=5) as f:
            return int(re.search(rf"^sekisho_{name} (-?\d+)$", f.read().decode(), re.M).group(1))

    def rss_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text()).group(1))

    def plain(self, data, seconds=5, port=None):
        """Raw HTTP/1.1 over TLS: everything that comes back until the end or the time is over."""
        with socket.create_connection(("127.0.0.1", port or self.console), timeout=seconds) as raw:
            with context(("http/1.1",)).wrap_socket(raw) as s:
                s.sendall(data)
                out, end = b"", time.monotonic() + seconds
                while time.monotonic() < end:
                    s.settimeout(max(0.05, end - time.monotonic()))
                    try:
                        more = s.recv(65536)
                    except OSError:
                        break
                    if not more:
                        break
                    out += more
                return out

    def terminate(self, seconds=30):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()
        self.err.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class EdgeTest(unittest.TestCase):
    args = ()

    @classmethod
    def setUpClass(cls):
        cls.probe = Probe(*cls.args)

    @classmethod
    def tearDownClass(cls):
        alive = cls.probe.process.poll() is None
        log = cls.probe.log()
        cls.probe.close()
        assert alive, "edge_probe ended: " + log[-4000:]
        assert "must failed" not in log and "ERROR: AddressSanitizer" not in log and "runtime error" not in log, log[-4000:]


class Ports(EdgeTest):
    def test_console_speaks_both(self):
        for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
            out = self.probe.curl(flag, "-w", "|%{http_version}|%{http_code}", path="/api/v1/echo", *())
            body, got, status = out.split("|")
            self.assertEqual((got, status), (version, "200"))
            self.assertEqual(json.loads(body)["path"], "/api/v1/echo")

    def test_no_server_field(self):
        self.assertNotIn("server", self.probe.head("/")[1])

    def test_tls_versions(self):
        for version, good in (("--tls-max 1.1", False), ("--tlsv1.2 --tls-max 1.2", True), ("--tlsv1.3", True)):
            out = self.probe.curl(*version.split(), "-o", os.devnull, "-w", "%{http_code}")
            self.assertEqual(out == "200", good, version)

    def test_client_certificate(self):
        d = self.probe.dir
        who = json.loads(self.probe.curl(port=self.probe.agent, path="/agent/v1/whoami"))
        self.assertEqual(who["verdict"], "none")
        for version in ("1.2", "1.3"):
            who = json.loads(self.probe.curl("--cert", f"{d}/device.pem", "--key", f"{d}/device.key", "--tlsv1.2", "--tls-max",
                                             version, port=self.probe.agent, path="/agent/v1/whoami"))
            self.assertEqual((who["verdict"], who["tenant"], who["device"]), ("present", "acme", DEVICE))
        who = json.loads(self.probe.curl("--cert", f"{d}/server.pem", "--key", f"{d}/server.key", port=self.probe.agent,
                                         path="/agent/v1/whoami"))
        self.assertEqual(who["verdict"], "garbled")

    def resume(self, version, first, second, cert):
        """Connects to first, then to second with the session; True when that was resumed, and what the answer says."""
        ctx = context(("http/1.1",), *((f"{self.probe.dir}/device.pem", f"{self.probe.dir}/device.key") if cert else ()))
        ctx.minimum_version = ctx.maximum_version = version
        session, reused, body = None, None, b""
        for port, path in ((first, "/"), (second, "/agent/v1/whoami")):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
                with ctx.wrap_socket(raw, session=session) as s:
                    s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    body = b""
                    while not re.search(rb"\r\n\r\n.", body, re.S):
                        more = s.recv(65536)
                        self.assertTrue(more)
                        body += more
                    session, reused = s.session, s.session_reused
        return reused, body

    def test_console_ticket_does_not_resume_on_agents_port(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            reused, _ = self.resume(version, self.probe.console, self.probe.console, False)
            self.assertTrue(reused, "the console resumes its own")
            reused, body = self.resume(version, self.probe.console, self.probe.agent, False)
            self.assertFalse(reused)
            self.assertIn(b'"verdict":"none"', body)

    def test_agent_resumes_with_identity(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            reused, body = self.resume(version, self.probe.agent, self.probe.agent, True)
            self.assertTrue(reused)
            self.assertIn(b'"resumed":true', body)
            self.assertIn(b'"tenant":"acme"', body)
            reused, _ = self.resume(version, self.probe.agent, self.probe.console, True)
            self.assertFalse(reused)

    def test_reload(self):
        d, p = self.probe.dir, self.probe

        def serial():
            return ssl.get_server_certificate(("127.0.0.1", p.console))

        before = serial()
        old = H2(p.console)
        silent = [socket.create_connection(("127.0.0.1", p.console), timeout=5) for _ in range(5)]  # no byte of TLS yet
        make_certificate(d, "server", "DNS:localhost")
        p.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while serial() == before and time.monotonic() < end:
            time.sleep(0.05)
        after = serial()
        self.assertNotEqual(after, before)
        self.assertIn(b'"path"', old.get("/api/v1/echo"))  # an open connection goes on
        old.close()
        for s in silent:
            with context(("http/1.1",)).wrap_socket(s) as t:
                t.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertIn(b" 200 ", t.recv(1000))
        (d / "server.pem").write_text("nonsense")
        p.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 5
        while "cannot use the certificate" not in p.log() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(serial(), after)

    def test_ops(self):
        for path, text in (("healthz", "ok\n"), ("readyz", "ready\n")):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe.ops}/{path}", timeout=5) as f:
                self.assertEqual(f.read().decode(), text)

    def test_port_in_use(self):
        with self.assertRaisesRegex(RuntimeError, "the port is in use"):
            Probe(f"console_listen=127.0.0.1:{self.probe.console}")


class Requests(EdgeTest):
    args = ("request_deadline=1", "inflight_per_connection=4")

    def test_call_fields(self):
        c = H2(self.probe.console)
        out = json.loads(c.answer(c.request("/api/v1/echo?a=b", method="POST", body=b"xyz", extra=[
            ("cookie", "a=1"), ("cookie", "b=2"), ("accept-language", "en-GB, ja;q=0.5")])))
        self.assertEqual(out, {"body_bytes": 3, "path": "/api/v1/echo", "query": "a=b", "host": "localhost",
                               "cookie": "a=1; b=2", "japanese": False})
        c.close()

    def test_trace_id(self):
        _, fields = self.probe.head("/api/v1/echo", "-H", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        self.assertEqual(fields["x-trace-id"], "0af7651916cd43dd8448eb211c80319c")
        _, fields = self.probe.head("/api/v1/echo", "-H", "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01")
        self.assertRegex(fields["x-trace-id"], "^(?!0{32})[0-9a-f]{32}$")

    def test_unknown_and_wrong_method(self):
        status, fields = self.probe.head("/api/v1/nothing")
        self.assertEqual((status, fields["content-type"]), (404, "application/problem+json"))
        status, fields = self.probe.head("/api/v1/echo", "-X", "DELETE")
        self.assertEqual(status, 405)
        self.assertIn(fields["allow"], ("GET", "POST", "GET, POST"))

    def refused(self, path="/api/v1/echo", method="GET", extra=()):
        c = H2(self.probe.console)
        out = c.answer(c.request(path, method=method, extra=extra))
        alive = c.get("/api/v1/echo") if not c.closed else None
        c.close()
        if out and not out.startswith(b"{"):
            return "by the library", alive is not None
        return json.loads(out)["code"] if out else "reset", alive is not None

    def test_what_the_library_lets_through(self):
        for path in ("/a\tb", "/a\x7fb"):
            self.assertIn(self.refused(path), (("by the library", True), ("request_malformed", True)), repr(path))
        for path in ("", "api/v1/echo", "*", "https://x/api", "/a b", "/a#b"):
            self.assertEqual(self.refused(path), ("request_malformed", True), repr(path))
        for method in ("CONNECT", "GE T", "get", "", "A" * 17):
            self.assertEqual(self.refused(method=method)[0], "request_malformed", repr(method))
        self.assertEqual(self.refused(extra=[("authorization", "a"), ("authorization", "b")])[0], "request_malformed")
        self.assertIn(self.refused(extra=[("keep-alive", "1")])[0], ("request_malformed", "reset"))
        self.assertIn(self.refused(extra=[("proxy-connection", "x")])[0], ("request_malformed", "reset"))
        self.assertIn(b" 400 ", self.probe.plain(b"GET http://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))

    def test_header_limits(self):
        self.assertEqual(self.refused(extra=[("x-large", "a" * 9000)]), ("header_too_large", True))
        self.assertEqual(self.refused(extra=[(f"x-{i}", "a" * 4000) for i in range(10)]), ("header_too_large", True))
        self.assertEqual(self.refused("/" + "a" * 9000), ("header_too_large", True))
        status, _ = self.probe.head("/api/v1/echo", "--http1.1", "-H", "x-large: " + "a" * 9000)
        self.assertEqual(status, 431)
        self.assertIn(b" 400 ", self.probe.plain(b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"a" * 500_000)[:100])

    def test_body_limits(self):
        c = H2(self.probe.console)
        self.assertEqual(json.loads(c.get("/api/v1/echo", method="POST", body=b"a" * 4096))["body_bytes"], 4096)
        for n in (4097, 100_000):
            out = json.loads(c.get("/api/v1/echo", method="POST", body=b"a" * n))
            self.assertEqual((out["status"], out["code"], out["limit"]), (413, "body_too_large", 4096))
        s = c.request("/api/v1/big", method="POST", body=b"a" * 200_000)
        self.assertIsNone(c.answer(s))
        self.assertEqual(c.resets[s], 7)  # REFUSED_STREAM, by the library, beyond limit + 64 KiB
        self.assertIn(b"path", c.get("/api/v1/echo"))
        c.close()
        for n, status in ((4097, 413), (200_000, 413)):
            (self.probe.dir / "body").write_bytes(b"a" * n)
            self.assertEqual(self.probe.head("/api/v1/echo", "--http1.1", "--data-binary", f"@{self.probe.dir}/body")[0], status)
        self.assertEqual(self.probe.head("/api/v1/echo", "-d", "x", "-H", "content-encoding: br")[0], 415)

    def test_deadline(self):
        began = time.monotonic()
        out = json.loads(self.probe.curl(path="/api/v1/slow?2500"))
        self.assertEqual((out["code"], out["status"]), ("deadline", 504))
        self.assertLess(time.monotonic() - began, 2.2)
        time.sleep(2)  # the late result comes home to nobody
        self.assertIn("slow", self.probe.curl(path="/api/v1/slow?1"))

    def test_inflight_cap(self):
        c = H2(self.probe.console)
        streams = [c.request("/api/v1/slow?100") for _ in range(10)]
        codes = [json.loads(c.answer(s) or b"{}").get("code", "ok") for s in streams]
        self.assertEqual(codes.count("busy"), 6, codes)
        self.assertEqual(codes.count("ok"), 4)
        self.assertIn(b"slow", c.get("/api/v1/slow?1"))  # room again
        c.close()

    def test_gone_client_is_cancelled(self):
        before = self.probe.metric("requests_cancelled")
        c = H2(self.probe.console)
        for _ in range(3):
            c.request("/api/v1/slow?100")
        time.sleep(0.05)
        c.close()
        time.sleep(0.6)
        self.assertGreaterEqual(self.probe.metric("requests_cancelled"), before + 2)
        self.assertIn("slow", self.probe.curl(path="/api/v1/slow?1"))

    def test_compression(self):
        status, fields = self.probe.head("/api/v1/large?10000", "--compressed")
        self.assertEqual((status, fields.get("content-encoding")), (200, "gzip"))
        self.assertEqual(len(json.loads(self.probe.curl("--compressed", path="/api/v1/large?10000"))[0]), 10000)
        self.assertNotIn("content-encoding", self.probe.head("/api/v1/large?10000")[1])
        self.assertNotIn("content-encoding", self.probe.head("/api/v1/large?500", "--compressed")[1])

    def test_odd_frames_do_not_fill_the_log(self):
        before = len(self.probe.log())
        c = H2(self.probe.console)
        for _ in range(50):
            c.send(frame(0xFA, 0, 0) * 100)
        self.assertIn(b"path", c.get("/api/v1/echo"))
        c.close()
        self.assertLess(len(self.probe.log()) - before, 3000)


class Static(EdgeTest):
    def test_index(self):
        status, fields = self.probe.head("/")
        self.assertEqual(status, 200)
        self.assertEqual(fields["content-security-policy"],
                         "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
        for name in ("strict-transport-security", "x-content-type-options", "referrer-policy", "permissions-policy",
                     "cross-origin-opener-policy"):
            self.assertIn(name, fields)
        self.assertEqual(fields["cache-control"], "no-cache")
        self.assertIn("<title>console", self.probe.curl(path="/devices/0190/overview"))  # a page of the console's own

    def test_assets(self):
        path = "/assets/app-3Fq9a1Bc.js"
        status, fields = self.probe.head(path)
        self.assertEqual((status, fields["cache-control"]), (200, "public, max-age=31536000, immutable"))
        self.assertEqual(fields["content-length"], "5500")
        self.assertEqual(self.probe.head(path, "-H", "accept-encoding: gzip, br")[1]["content-encoding"], "br")
        self.assertEqual(self.probe.curl("--compressed", "-H", "accept-encoding: gzip", path=path), "let a = 1;\n" * 500)
        self.assertEqual(self.probe.head(path, "-H", f"if-none-match: {fields['etag']}")[0], 304)
        self.assertEqual(self.probe.head(path, "--http1.1", "-H", f"if-none-match: W/{fields['etag']}")[0], 304)
        self.assertEqual(self.probe.curl("-I", path=path).count("200"), 1)
        self.assertEqual(self.probe.head(path, "-X", "POST")[0], 404)

    def test_api_is_never_the_console(self):
        for path in ("/api", "/api/", "/api/v1/none", "/agent/v1/none"):
            self.assertEqual(self.probe.head(path)[0], 404, path)

    def test_path_tricks(self):
        for path in ("/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "//secret.txt",
                     "/assets/..\\..\\secret.txt", "/./../secret.txt", "/secret.txt%00", "/assets/%2e%2e/%2e%2e/secret.txt"):
            out = self.probe.plain(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertNotIn(b"secret\n", out + b"\n", path)
            self.assertTrue(b"<title>console" in out or b" 400 " in out or b" 404 " in out, out)

    def test_file_from_disk(self):
        want = (self.probe.dir / "large.bin").read_bytes()
        for version in ("--http2", "--http1.1"):
            self.assertEqual(self.probe.curl(version, path="/api/v1/files/large.bin", text=False), want)
        self.assertEqual(self.probe.head("/api/v1/files/none")[0], 404)
        etag = self.probe.head("/api/v1/files/large.bin")[1]["etag"]
        self.assertEqual(self.probe.head("/api/v1/files/large.bin", "-H", f"if-none-match: {etag}")[0], 304)

    def test_file_waits_for_its_reader(self):
        before = self.probe.rss_kb()
        readers = [H2(self.probe.console) for _ in range(20)]
        for r in readers:
            r.request("/api/v1/files/large.bin")
        time.sleep(1)  # nobody reads: 65,535 bytes each may be on the way
        self.assertLess(self.probe.rss_kb() - before, 40_000)
        for r in readers:
            r.close()
        self.assertIn(b"path", H2(self.probe.console).get("/api/v1/echo"))


class Streams(EdgeTest):
    args = ("patience_stall=1500",)

    def test_events(self):
        c = H2(self.probe.console)
        s = c.request("/api/v1/live")
        c.read(5, lambda: b"data: 5\n" in c.bodies.get(s, b""))
        self.assertTrue(c.bodies[s].startswith(b":\n\ndata: 0\n\ndata: 1\n\n"))
        self.assertIn(b"path", c.get("/api/v1/echo"))  # beside the stream
        c.send(frame(h2.RST_STREAM, 0, s, (8).to_bytes(4, "big")))
        self.assertIn(b"path", c.get("/api/v1/echo"))
        c.close()
        out = self.probe.plain(b"GET /api/v1/live HTTP/1.1\r\nHost: x\r\n\r\n", 1)
        self.assertIn(b"transfer-encoding: chunked", out.lower())
        self.assertIn(b"data: 3", out)

    def test_reader_that_takes_nothing(self):
        cut = self.probe.metric("connections_cut")
        before = self.probe.rss_kb()
        zero = (4).to_bytes(2, "big") + (0).to_bytes(4, "big")  # SETTINGS_INITIAL_WINDOW_SIZE 0
        c = H2(self.probe.console, settings=zero)
        c.request("/api/v1/echo")
        c.read(12, lambda: c.closed)
        self.assertTrue(c.closed, "an answer that is not taken")
        c = H2(self.probe.console, settings=zero)
        c.request("/api/v1/live?flood")
        c.read(12, lambda: c.closed or c.resets)
        self.assertTrue(c.closed or c.resets, "a stream that is not taken")
        self.assertGreater(self.probe.metric("connections_cut"), cut)
        self.assertLess(self.probe.rss_kb() - before, 20_000)

    def test_reader_of_kernel_buffers(self):
        c = H2(self.probe.console, settings=(4).to_bytes(2, "big") + (0x7FFFFFFF).to_bytes(4, "big"))
        c.send(frame(h2.WINDOW_UPDATE, 0, 0, (0x7FFFFFFF - 65535).to_bytes(4, "big")))
        for _ in range(8):
            c.request("/api/v1/files/large.bin")  # 40 MB: more than the kernel keeps for us
        before = self.probe.metric("connections_cut")
        end = time.monotonic() + 15
        while self.probe.metric("connections_cut") == before and time.monotonic() < end:
            time.sleep(0.2)
        self.assertGreater(self.probe.metric("connections_cut"), before)
        c.close()


class Slow(EdgeTest):
    args = ("patience_receive=1500", "patience_handshake=1500", "patience_idle=4000")

    def wait_closed(self, c, seconds=10):
        c.read(seconds, lambda: c.closed)
        return c.closed

    def trickle(self, c, piece, seconds=10):
        """Sends one piece each 100 ms; the seconds until the connection ended."""
        began = time.monotonic()
        while time.monotonic() - began < seconds and not c.closed:
            c.quiet(piece)
            c.read(0.1)
        return time.monotonic() - began

    def test_slow_body(self):
        c = H2(self.probe.console)
        s = c.request("/api/v1/echo", method="POST", end=False)
        self.assertLess(self.trickle(c, frame(h2.DATA, 0, s, b"a")), 8)

    def test_empty_data(self):
        c = H2(self.probe.console)
        s = c.request("/api/v1/echo", method="POST", end=False)
        self.assertLess(self.trickle(c, frame(h2.DATA, 0, s, b"")), 8)

    def test_slow_headers(self):
        c = H2(self.probe.console)
        c.send(frame(h2.HEADERS, h2.END_STREAM, 1, h2.block(c.fields("GET", "/api/v1/echo"))))
        self.assertLess(self.trickle(c, frame(h2.CONTINUATION, 0, 1, h2.block([("x", "y")]))), 8)

    def test_silent_body(self):
        c = H2(self.probe.console)
        c.request("/api/v1/echo", method="POST", end=False)
        self.assertTrue(self.wait_closed(c))

    def test_innocent_beside(self):
        c = H2(self.probe.console)
        for _ in range(15):
            self.assertIn(b"path", c.get("/api/v1/echo"))
            time.sleep(0.2)
        c.close()

    def test_plain(self):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.probe.console), timeout=10) as raw:
            with context(("http/1.1",)).wrap_socket(raw) as s:
                s.sendall(b"POST /api/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
                try:
                    while time.monotonic() - began < 8:
                        s.sendall(b"a")
                        time.sleep(0.1)
                except OSError:
                    pass
        self.assertLess(time.monotonic() - began, 5)

    def test_handshake(self):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.probe.console), timeout=10) as s:
            s.sendall(b"\x16\x03\x01\x02")
            self.assertEqual(s.recv(100), b"")
        self.assertLess(time.monotonic() - began, 5)

    def test_idle(self):
        c = H2(self.probe.console)
        self.assertIn(b"path", c.get("/api/v1/echo"))
        self.assertTrue(self.wait_closed(c))

    def test_nothing_asked(self):
        began = time.monotonic()
        self.assertTrue(self.wait_closed(H2(self.probe.agent), 20))  # agents may be idle for 40 s here, once they have asked
        self.assertLess(time.monotonic() - began, 10)


class Abuse(EdgeTest):
    """What it costs others: an innocent client asks all the while for work of the same single worker."""

    def innocent(self, stop, slowest):
        c = H2(self.probe.console, timeout=20)
        while not stop.is_set():
            began = time.monotonic()
            if c.answer(c.request("/api/v1/slow?1"), 15) is None:
                slowest.append(99.0)
                return
            slowest.append(time.monotonic() - began)
            time.sleep(0.01)
        c.close()

    def attack(self, fn):
        stop, slowest = threading.Event(), []
        t = threading.Thread(target=self.innocent, args=(stop, slowest))
        t.start()
        time.sleep(0.2)
        cut = self.probe.metric("connections_cut")
        fn()
        time.sleep(0.3)
        stop.set()
        t.join(20)
        self.assertGreater(self.probe.metric("connections_cut"), cut, "the attacker was cut")
        self.assertGreater(len(slowest), 0)
        self.assertLess(max(slowest), 2.0, "the innocent client waited")

    def flood(self, path, tail, rounds=200):
        """Each request followed by tail(stream); until we are cut."""
        c = H2(self.probe.console)
        for _ in range(rounds):
            out = b""
            for _ in range(100):
                s, c.next = c.next, c.next + 2
                out += frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, s, h2.block(c.fields("GET", path))) + tail(s)
            try:
                c.send(out)
            except OSError:
                return
            c.read(0.01)
            if c.closed:
                return
        self.fail("never cut")

    def test_rapid_reset(self):
        self.attack(lambda: self.flood("/api/v1/slow?20", lambda s: frame(h2.RST_STREAM, 0, s, (8).to_bytes(4, "big"))))

    def test_rapid_reset_of_static_files(self):
        self.attack(lambda: self.flood("/", lambda s: frame(h2.RST_STREAM, 0, s, (8).to_bytes(4, "big"))))

    def test_rapid_reset_of_streams(self):
        self.attack(lambda: self.flood("/api/v1/live", lambda s: frame(h2.RST_STREAM, 0, s, (8).to_bytes(4, "big"))))

    def test_made_you_reset(self):
        self.attack(lambda: self.flood("/api/v1/slow?20", lambda s: frame(h2.WINDOW_UPDATE, 0, s, (0).to_bytes(4, "big"))))

    def test_made_you_reset_by_data(self):
        self.attack(lambda: self.flood("/api/v1/slow?20", lambda s: frame(h2.DATA, 0, s, b"x")))

    def test_many_bodies(self):
        before = self.probe.rss_kb()

        def upload():
            c = H2(self.probe.agent)
            streams = [c.request("/agent/v1/echo", method="POST", end=False) for _ in range(90)]
            try:
                for _ in range(60):
                    c.send(b"".join(frame(h2.DATA, 0, s, b"a" * 16384) for s in streams))
            except OSError:
                pass
            c.close()

        self.attack(upload)
        if "tsan" not in program("edge_probe"):  # its shadow memory counts too
            self.assertLess(self.probe.rss_kb() - before, 60_000)

    def test_an_honest_upload_passes(self):
        c = H2(self.probe.agent)
        for _ in range(20):
            self.assertEqual(json.loads(c.get("/agent/v1/echo", method="POST", body=b"a" * 1_000_000))["body_bytes"], 1_000_000)
        c.close()


class Drain(unittest.TestCase):
    def setUp(self):
        self.probe = Probe("drain_deadline=4")

    def tearDown(self):
        log = self.probe.log()
        self.probe.close()
        self.assertNotIn("must failed", log)
        self.assertNotIn("AddressSanitizer", log)

    def test_idle(self):
        idle, plain = H2(self.probe.console), H2(self.probe.agent)
        idle.read(0.2)
        began = time.monotonic()
        self.assertEqual(self.probe.terminate(), 0)
        self.assertLess(time.monotonic() - began, 3)
        idle.read(1, lambda: idle.closed)
        self.assertTrue(idle.goaways)
        plain.close()

    def test_open_request(self):
        c = H2(self.probe.console)
        s = c.request("/api/v1/slow?1500")
        live = H2(self.probe.console)
        t = live.request("/api/v1/live")
        live.read(0.3)
        self.probe.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.probe.console), timeout=2).close()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{self.probe.ops}/readyz", timeout=2)
        self.assertEqual(refused.exception.code, 503)
        self.assertEqual(c.answer(s), b'{"slow":true}')
        live.read(5, lambda: t in live.ended)
        self.assertIn(t, live.ended)  # the stream was ended, not cut
        self.assertEqual(self.probe.process.wait(10), 0)
        self.assertTrue(c.goaways)

    def test_plain_idle(self):
        with socket.create_connection(("127.0.0.1", self.probe.console), timeout=5) as raw:
            with context(("http/1.1",)).wrap_socket(raw) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertIn(b" 200 ", s.recv(65536))
                began = time.monotonic()
                self.assertEqual(self.probe.terminate(), 0)
                self.assertLess(time.monotonic() - began, 5)

    def test_request_beyond_the_deadline_is_cut(self):
        c = H2(self.probe.console)
        c.request("/api/v1/slow?20000")
        c.read(0.2)
        began = time.monotonic()
        self.assertIn(self.probe.terminate(), (0, 1, 3))
        self.assertLess(time.monotonic() - began, 7)

    def test_hang(self):
        """A header block left open over the drain would make the library spin: the connection is ended before it sees the rest."""
        c = H2(self.probe.console)
        c.request("/api/v1/slow?3500")
        c.read(0.3)  # acknowledges SETTINGS: nothing may come between a header block's frames
        s = c.next
        c.send(frame(h2.HEADERS, h2.END_STREAM, s, h2.block(c.fields("GET", "/api/v1/echo"))))
        c.read(0.3)
        began = time.monotonic()
        self.probe.process.send_signal(signal.SIGTERM)
        c.read(3, lambda: len(c.goaways) >= 2)
        self.assertGreaterEqual(len(c.goaways), 2)
        c.quiet(frame(h2.CONTINUATION, h2.END_HEADERS, s, h2.block([("x", "y")])))
        self.assertIn(self.probe.process.wait(15), (0, 1))  # 3 is the watchdog's
        self.assertLess(time.monotonic() - began, 8)


class BehindBalancer(EdgeTest):
    """PROXY protocol v2 from 127.0.0.64/26; everybody else calls as before."""

    args = ("proxy_from=127.0.0.64/26, ::1", "patience_receive=2000")
    SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
    KNOWN = SIGNATURE + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 17, 127, 0, 0, 1, 0xd4, 0x31, 0x20, 0xfb])

    def ask(self, source, *parts, pause=0.1):
        """Who the server takes the caller for; None when it hung up."""
        with socket.create_connection(("127.0.0.1", self.probe.agent), timeout=5, source_address=(source, 0)) as raw:
            for part in parts:
                raw.sendall(part)
                time.sleep(pause)
            try:
                with context(("http/1.1",)).wrap_socket(raw) as s:
                    s.sendall(b"GET /agent/v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    out = b""
                    while more := s.recv(65536):
                        out += more
            except OSError:
                return None
            return json.loads(out.partition(b"\r\n\r\n")[2])["address"]

    def test_the_clients_address_counts(self):
        self.assertEqual(self.ask("127.0.0.70", self.KNOWN), "192.0.2.17")
        self.assertEqual(self.ask("127.0.0.70", self.KNOWN[:5], self.KNOWN[5:17], self.KNOWN[17:]), "192.0.2.17")
        v6 = self.SIGNATURE + b"\x21\x21\0\x24" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\x05" + bytes(20)
        self.assertEqual(self.ask("127.0.0.70", v6), "2001:db8::5")
        self.assertEqual(self.ask("127.0.0.70", self.SIGNATURE + b"\x20\0\0\0"), "127.0.0.70")  # LOCAL
        self.assertEqual(self.ask("127.0.0.1"), "127.0.0.1")

    def test_neither_missing_nor_forged(self):
        before = self.probe.metric("connections_cut")
        self.assertIsNone(self.ask("127.0.0.70"))  # a balancer that says nothing
        self.assertIsNone(self.ask("127.0.0.70", b"PROXY TCP4 192.0.2.17 127.0.0.1 1 2\r\n"))
        self.assertIsNone(self.ask("127.0.0.70", self.SIGNATURE + b"\x21\x11\xff\xff" + bytes(2000)))
        self.assertEqual(self.probe.metric("connections_cut"), before + 3)
        self.assertIsNone(self.ask("127.0.0.1", self.KNOWN))  # a client that says he is someone else

    def test_header_that_never_ends(self):
        with socket.create_connection(("127.0.0.1", self.probe.agent), timeout=5, source_address=("127.0.0.70", 0)) as slow:
            slow.sendall(self.KNOWN[:20])
            self.assertEqual(self.ask("127.0.0.70", self.KNOWN), "192.0.2.17")
            slow.settimeout(15)
            self.assertEqual(slow.recv(1), b"")  # patience_receive is over

    def test_wrong_networks(self):
        for networks, text in (("10.0.0.1/8", "10.0.0.1/8"), ("x", '"x" is not a network'), (",".join(["::1"] * 33), "more than 32")):
            with self.assertRaisesRegex(RuntimeError, text):
                Probe(f"proxy_from={networks}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
