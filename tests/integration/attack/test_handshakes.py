# SPDX-License-Identifier: Apache-2.0
"""TLS: handshakes that are not finished, certificates and chains that are too large, what one port gives used on the other."""
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from house import PORTS, SLOW_BUILD, House, Line, context  # noqa: E402

house = None


def setUpModule():
    global house
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    house = House().__enter__()


def tearDownModule():
    house.__exit__()


def hello():
    """A client's first flight."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


class HalfOpen(unittest.TestCase):
    def test_a_thousand(self):
        """Silent ones, half a hello, a whole one that is never followed up; new innocent clients connect all the while. After
        the time for handshakes all are gone."""
        for port in PORTS:
            with self.subTest(port=port):
                before = house.rss_kb()
                first = hello()
                held = []
                for n in range(1000):
                    s = socket.create_connection(("127.0.0.1", house.port(port)), timeout=10)
                    if n % 3:
                        s.sendall(first if n % 3 == 1 else first[:100])
                    held.append(s)
                opened = time.monotonic()
                slowest = 0
                for _ in range(20):
                    began = time.monotonic()
                    c = house.h2(port)
                    s = c.request("/api/none")
                    self.assertIsNotNone(c.answer(s, 15))
                    c.close()
                    slowest = max(slowest, time.monotonic() - began)
                self.assertLess(slowest, 20 if SLOW_BUILD else 6)
                self.assertLess(house.rss_kb() - before, 60_000 if not SLOW_BUILD else 250_000)
                left = set(held)
                while left and time.monotonic() < opened + 40:
                    for s in list(left):
                        s.setblocking(False)
                        try:
                            while s.recv(65536):
                                pass
                            left.discard(s)
                        except BlockingIOError:
                            pass
                        except OSError:
                            left.discard(s)
                    time.sleep(0.2)
                self.assertFalse(left, f"{len(left)} are still open")
                for s in held:
                    s.close()

    def test_full_handshakes_at_once(self):
        """Connect, shake hands, leave, as fast as six threads can: those who are connected already do not wait."""
        c = house.h2("console")
        until, done = time.monotonic() + 3, []

        def run():
            while time.monotonic() < until:
                house.h2("agent").close()
                done.append(1)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for t in threads:
            t.start()
        slowest = 0
        while time.monotonic() < until:
            began = time.monotonic()
            self.assertIsNotNone(c.answer(c.request("/api/none"), 15))
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.01)
        for t in threads:
            t.join(20)
        self.assertGreater(len(done), 20)
        self.assertLess(slowest, 20 if SLOW_BUILD else 6)

    def test_nonsense(self):
        for first in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x80\x2e\x01\x03\x01" + b"\0" * 60, b"\x15\x03\x03\0\2\2\x28", b"\0" * 100):
            for port in PORTS:
                with socket.create_connection(("127.0.0.1", house.port(port)), timeout=15) as s:
                    try:
                        s.sendall(first)
                        while s.recv(65536):
                            pass
                    except ConnectionResetError:
                        pass


class Certificates(unittest.TestCase):
    def make(self, name, *extensions):
        folder = house.service.cell.dir
        config = folder / f"{name}.conf"
        config.write_text("[req]\ndistinguished_name = d\nx509_extensions = e\n[d]\n[e]\n" + "\n".join(extensions) + "\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-config", config, "-keyout",
                        folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", "/CN=x"], check=True, capture_output=True, timeout=60)
        return folder / f"{name}.pem", folder / f"{name}.key"

    def ask(self, cert, key):
        """The problem's code, or "handshake" when it does not come to a request."""
        try:
            return Line(house.service, house.port("agent"), cert, key).send("GET", "/agent/v1/wake").code
        except (OSError, ssl.SSLError):
            return "handshake"

    def test_sizes(self):
        names = lambda n: "subjectAltName = " + ",".join(f"DNS:host-{i:06}.example.org" for i in range(n))
        small = self.make("small", names(100))
        self.assertEqual(self.ask(*small), "certificate_foreign")
        for n in (1000, 5000, 100_000):
            before = house.rss_kb()
            large = self.make("large", names(n))
            for _ in range(5):
                self.assertEqual(self.ask(*large), "handshake", n)
            self.assertLess(house.rss_kb() - before, 30_000)

    def test_chains(self):
        cert, key = self.make("leaf")
        pem = cert.read_text()
        chain = house.service.cell.dir / "chain.pem"
        chain.write_text(pem * 10)
        self.assertEqual(self.ask(chain, key), "certificate_foreign")
        for n in (200, 5000):
            before = house.rss_kb()
            chain.write_text(pem * n)
            for _ in range(5):
                self.assertEqual(self.ask(chain, key), "handshake")
            self.assertLess(house.rss_kb() - before, 30_000)

    def test_strange_names(self):
        uri = "sekisho://acme.agent.sekisho.internal/0190a3c2-1111-7222-8333-444455556666"
        for n, names in enumerate(("URI:" + uri.replace("acme", "a" * 200), "URI:" + uri + "x", f"URI:{uri},URI:{uri.replace('acme', 'kaede')}", "URI:sekisho://",
                                   "email:a@b.c", "IP:127.0.0.1", "RID:1.2.3.4", "otherName:1.2.3.4;UTF8:x", "dirName:d_sect\n[d_sect]\nCN = x")):
            self.assertEqual(self.ask(*self.make(f"name-{n}", "subjectAltName = " + names)), "certificate_foreign", names)

    def test_session_of_the_console(self):
        """Got without a certificate; on the agents' port it must not resume."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            ctx = context(("http/1.1",))
            ctx.minimum_version = ctx.maximum_version = version
            session = None
            for port in ("console", "agent"):
                with socket.create_connection(("127.0.0.1", house.port(port)), timeout=15) as raw:
                    with ctx.wrap_socket(raw, session=session) as s:
                        s.sendall(b"GET /agent/v1/wake HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        answer = b""
                        while more := s.recv(65536):
                            answer += more
                        session = session or s.session
                        reused = s.session_reused
            self.assertFalse(reused, version)
            self.assertIn(b"certificate_missing", answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)
