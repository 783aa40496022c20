# SPDX-License-Identifier: Apache-2.0
"""A real agent, engine and server: what the agent says arrives once, whatever is killed, restored, skewed or taken away."""
import json
import os
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from fleet import EICAR, ROOT, Administrator, Agent, until  # noqa: E402
from cell import free_port  # noqa: E402
from service import Service  # noqa: E402
from test_protect import Clamd  # noqa: E402

AS_ROOT = os.geteuid() == 0
FIXTURE = ROOT / "tests/fixtures/agent-root"


def drop_test_virus(folder, name):
    """Writes the test virus by another process: a watched folder may block it."""
    subprocess.run(["timeout", "--kill-after=2", "20", "/usr/bin/python3", "-c",
                    "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", str(Path(folder, name)), EICAR], check=False, capture_output=True)


class AgentTest(unittest.TestCase):
    service = None

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="skc-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.clamd = Clamd(cls.folder)
        cls.service = Service(default_interval=5, heartbeat=5).__enter__()
        cls.admin = Administrator(cls.service)

    @classmethod
    def tearDownClass(cls):
        cls.clamd.stop()
        cls.service.__exit__()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def agent(self, **values):
        a = Agent(self.service, self.clamd, **values)
        self.addCleanup(a.__exit__)
        return a

    def running(self, **values):
        a = self.agent(**values)
        a.start()
        a.wait_state("connected")
        self.assertTrue(until(lambda: a.status().get("wake_up")), a.log()[-2000:])
        return a

    def found(self, agent, name=None):
        return [d for d in self.admin.detections(agent.device_id()) if name is None or d["object"].endswith("/" + name)]

    def device(self, agent):
        return self.admin.get(f"/api/v1/devices/{agent.device_id()}")

    def executions(self, task):
        return self.admin.get(f"/api/v1/executions?task={task['id']}")["items"]

    def task(self, agent, **what):
        answer = self.admin.call("POST", "/api/v1/tasks", {"devices": [agent.device_id()], **what})
        self.assertEqual(answer.status, 201, answer)
        return answer.json

    def ended(self, task, seconds=30):
        def look():
            e = self.executions(task)[0]
            return e if e["state"] in ("done", "failed", "cancelled", "refused") else None
        found = until(look, seconds, 0.2)
        self.assertTrue(found, self.executions(task))
        return found

    # ---- the ordinary way

    def test_facts(self):
        a = self.running(root=FIXTURE)
        d = self.device(a)
        self.assertEqual(d["device"]["name"], "desk-07")
        self.assertEqual(d["fqdn"], "desk-07.office.example")
        self.assertEqual((d["vendor"], d["model"], d["cpu_cores"]), ("Example Corp", "Desk 9000", 2))
        self.assertEqual(d["software_count"], 4)
        self.assertIn("192.0.2.17", d["addresses"])
        self.assertEqual({x["name"] for x in d["disks"]}, {"sda", "nvme0n1"})
        self.assertEqual({x["mount"] for x in d["filesystems"]}, {"/", "/home"})
        status = a.run("status")
        self.assertEqual(status.returncode, 0, status)
        self.assertIn("connected to the server", status.stdout)
        self.assertEqual(json.loads(a.run("status", "--json").stdout)["tenant"], "acme")
        self.assertEqual(a.stop(), 0)
        self.assertEqual(a.run("status").returncode, 3)

    def test_facts_of_this_machine(self):
        a = self.running()
        d = self.device(a)
        self.assertEqual(d["device"]["name"], socket.gethostname())
        self.assertGreater(d["software_count"], 100)
        self.assertEqual(a.stop(), 0)

    @unittest.skipUnless(AS_ROOT, "the guard needs root")
    def test_main_job(self):
        a = self.running()
        began = time.monotonic()
        drop_test_virus(a.watched, "invoice.pdf")
        self.assertTrue(until(lambda: self.found(a, "invoice.pdf"), 10, 0.1), a.log()[-3000:])
        took = time.monotonic() - began
        d = self.found(a, "invoice.pdf")[0]
        self.assertLess(took, 5)
        self.assertIn(d["action"], ("blocked", "quarantined"))
        self.assertEqual((d["type"], d["scanner"]), ("test", "on_access"))
        self.assertEqual(len(d["sha256"]), 64)
        self.assertEqual(len(self.found(a, "invoice.pdf")), 1)
        self.assertEqual(Administrator(self.service, "kaede").get("/api/v1/detections?limit=200")["items"], [])

    def test_scan_task(self):
        a = self.running(prevention="off")
        for i in range(5):
            drop_test_virus(a.watched, f"v{i}")
            (a.watched / f"clean{i}").write_text("hello")
        began = time.monotonic()
        task = self.task(a, type="scan", scan={"targets": [str(a.watched)], "clean": True})
        e = self.ended(task)
        self.assertEqual(e["state"], "done", e)
        self.assertEqual(e["found"], 5)
        self.assertEqual(e["progress"], 100)
        self.assertLess(time.monotonic() - began, 8)
        self.assertTrue(until(lambda: len(self.found(a)) == 5))
        self.assertEqual({d["scanner"] for d in self.found(a)}, {"on_demand"})

    def test_scan_is_cancelled(self):
        a = self.running(prevention="off")
        for i in range(1500):
            (a.watched / f"f{i}").write_bytes(os.urandom(100) * 3000)
        task = self.task(a, type="scan", scan={"targets": [str(a.watched)]})
        self.assertTrue(until(lambda: self.executions(task)[0]["state"] == "running"), self.executions(task))
        self.assertLess(self.admin.call("POST", f"/api/v1/tasks/{task['id']}/cancel").status, 300)
        self.assertEqual(self.ended(task)["state"], "cancelled")

    @unittest.skipUnless(AS_ROOT, "network namespaces need root")
    def test_isolation_by_the_console(self):
        """From the API call to the packet that does not get through, and back; a restart of the agent changes nothing."""
        ns = f"skiso{os.getpid() % 100000}"
        other = f"{ns}o"
        ip = lambda *args: subprocess.run(["ip", *args], check=True, capture_output=True, timeout=10)
        for name in (ns, other):
            ip("netns", "add", name)
            self.addCleanup(ip, "netns", "del", name)
        ip("link", "add", "skv0", "netns", ns, "type", "veth", "peer", "name", "skv1", "netns", other)
        for name, dev, address in ((ns, "skv0", "10.98.0.1/24"), (other, "skv1", "10.98.0.2/24")):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "addr", "add", address, "dev", dev)
            ip("-n", name, "link", "set", dev, "up")
        inside = lambda name, *args: ["ip", "netns", "exec", name, "/usr/bin/python3", *args]
        web = subprocess.Popen(inside(other, "-m", "http.server", "8080", "--bind", "10.98.0.2"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (web.kill(), web.wait(10)))
        call = "import socket; socket.create_connection(('10.98.0.2', 8080), 1).close()"
        neighbour = lambda: subprocess.run(inside(ns, "-c", call), check=False, capture_output=True, timeout=10).returncode == 0
        self.assertTrue(until(neighbour, 10))
        a = self.running(prevention="off", isolation_netns=ns)
        self.assertEqual(self.ended(self.task(a, type="isolate"))["state"], "done")
        self.assertFalse(neighbour())
        self.assertTrue(until(lambda: self.device(a)["device"]["isolated"]), self.device(a))
        a.kill()
        a.start()
        a.wait_state("connected")  # the server stays reachable
        self.assertFalse(neighbour())
        self.assertEqual(self.ended(self.task(a, type="end_isolation"))["state"], "done")
        self.assertTrue(until(neighbour, 5))
        self.assertTrue(until(lambda: not self.device(a)["device"]["isolated"]))

    # ---- nothing lost, nothing doubled

    def expect_exactly(self, agent, names, seconds=40):
        until(lambda: len(self.found(agent)) >= len(names), seconds, 0.2)
        time.sleep(1)
        objects = sorted(Path(d["object"]).name for d in self.found(agent))
        self.assertEqual(objects, sorted(names), agent.log()[-3000:])

    def scan_once(self, agent, name):
        """A detection by an on-demand scan; returns the task."""
        drop_test_virus(agent.watched, name)
        return self.task(agent, type="scan", scan={"targets": [str(agent.watched)], "clean": True})

    @unittest.skipUnless(AS_ROOT, "the guard needs root")
    def test_kill_agent(self):
        a = self.running()
        names = []
        for i in range(8):
            names.append(f"k{i}")
            drop_test_virus(a.watched, names[-1])
            if i % 2:
                time.sleep(0.05 * i)
            a.kill()
            a.start()
            a.wait_state("connected")
            until(lambda: "guard" in a.log(), 1)
            time.sleep(1)
        # what fell between the guard's death and its return is not seen by anyone: only no doubles are certain
        objects = [Path(d["object"]).name for d in self.found(a)]
        self.assertEqual(len(objects), len(set(objects)))

    def test_kill_network_process(self):
        a = self.running(prevention="off")
        task = self.scan_once(a, "n0")
        os.kill(a.network_pid(), signal.SIGKILL)
        before = a.network_pid()
        self.assertTrue(until(lambda: a.network_pid() != before, 20), a.log()[-2000:])
        e = self.ended(task, 40)
        self.assertIn(e["state"], ("done", "failed"))
        self.expect_exactly(a, ["n0"])

    def test_server_away(self):
        a = self.running(prevention="off")
        task = self.scan_once(a, "s0")
        self.ended(task)
        self.service.process.kill()
        self.service.process.wait(20)
        self.service.process = None
        try:
            a.wait_state("retrying")
            self.assertIn(a.status()["trouble"], ("no_connection", "connection_broken"))
            self.assertEqual(a.run("status").returncode, 1)
        finally:
            self.service.start()
        a.wait_state("connected", 60)
        self.ended(self.scan_once(a, "s1"))
        self.expect_exactly(a, ["s0", "s1"])
        self.assertEqual(a.status()["journal"]["lost"], 0)

    def test_database_and_redis_away(self):
        a = self.running(prevention="off")
        task = self.scan_once(a, "d0")
        self.service.cell.postgres_kill()
        self.service.cell.redis_kill()
        time.sleep(2)
        self.service.cell.redis_start()
        self.service.cell.postgres_start()
        e = until(lambda: self.quiet(lambda: self.ended(task, 1)), 60)
        self.assertTrue(e, a.log()[-3000:])
        self.expect_exactly(a, ["d0"])

    def quiet(self, fn):
        try:
            return fn()
        except (AssertionError, OSError, IndexError):
            return None

    def test_restored_snapshot(self):
        a = self.running(prevention="off")
        self.ended(self.scan_once(a, "r0"))
        self.expect_exactly(a, ["r0"])
        self.assertEqual(a.stop(), 0)
        shutil.copytree(a.state, a.dir / "snapshot", symlinks=True)
        a.start()
        a.wait_state("connected")
        self.ended(self.scan_once(a, "r1"))
        self.expect_exactly(a, ["r0", "r1"])
        epoch = a.status()["journal"]["epoch"]
        self.assertEqual(a.stop(), 0)
        shutil.rmtree(a.state)
        shutil.copytree(a.dir / "snapshot", a.state, symlinks=True)
        a.start()
        self.assertTrue(until(lambda: (a.status() or {}).get("journal", {}).get("epoch") not in (None, epoch), 30), a.log()[-2000:])
        self.assertTrue(until(lambda: self.device(a)["identity_question"]))
        a.wait_state("connected")
        self.ended(self.scan_once(a, "r2"))
        self.expect_exactly(a, ["r0", "r1", "r2"])

    # ---- certificates and clocks

    def restart_server(self, **env):
        self.service.stop()
        self.service.start(**env)

    def test_renewal(self):
        a = self.running(prevention="off")
        before = a.status()["certificate_expires_at"]
        self.restart_server(SEKISHO_CLOCK_OFFSET=str(62 * 86400))
        try:
            self.assertTrue(until(lambda: (a.status() or {}).get("certificate_expires_at") not in (None, before), 60), a.log()[-3000:])
            a.wait_state("connected", 60)
            self.assertIn("certificate renewed", a.log())
        finally:
            self.restart_server()

    def test_expired_certificate_renews(self):
        a = self.running(prevention="off")
        before = a.status()["certificate_expires_at"]
        self.assertEqual(a.stop(), 0)
        self.restart_server(SEKISHO_CLOCK_OFFSET=str(120 * 86400))
        try:
            a.start()
            self.assertTrue(until(lambda: (a.status() or {}).get("certificate_expires_at") not in (None, before), 60), a.log()[-3000:])
            a.wait_state("connected", 60)
        finally:
            self.restart_server()

    def test_wrong_clock(self):
        a = self.running(prevention="off")
        self.assertEqual(a.stop(), 0)
        for days in (-400, 3000):
            a.env["SEKISHO_CLOCK_OFFSET"] = str(days * 86400)
            a.start()
            a.wait_state("connected", 40)
            self.assertIn("the server's time is used", a.log())
            self.assertTrue(until(lambda: "clock_skew" in [p["code"] for p in self.device(a)["problem_list"]], 30, 0.3), self.device(a)["problem_list"])
            doctor = a.run("doctor")
            self.assertIn("clock", doctor.stdout)
            self.assertEqual(a.stop(), 0)
            (a.dir / "log").write_text("")

    # ---- the end of contact

    def test_removed_device(self):
        a = self.running(prevention="off")
        self.assertLess(self.admin.call("DELETE", f"/api/v1/devices/{a.device_id()}").status, 300)
        a.wait_state("stopped", 40)
        self.assertIn(a.status()["trouble"], ("device_removed", "certificate_revoked", "certificate_unknown"))
        self.assertIn("contact has ended", a.run("status").stdout)
        old = a.device_id()
        done = a.run("enrol")
        self.assertEqual(done.returncode, 0, done)
        os.kill(a.network_pid(), signal.SIGHUP)
        self.assertTrue(until(lambda: a.device_id() != old), a.log()[-2000:])
        a.wait_state("connected")

    def test_bad_token(self):
        a = self.agent(token="sek1_nonsense", prevention="off")
        done = a.run("enrol")
        self.assertEqual(done.returncode, 77, done)
        self.assertIn("enrolment_token_unknown", done.stderr)
        a.start()
        a.wait_state("stopped")
        self.assertEqual(a.status()["trouble"], "enrolment_token_unknown")

    def test_once(self):
        a = self.agent(prevention="off")
        done = a.run("run", "--once", timeout=90)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertGreater(self.device(a)["software_count"], 100)

    # ---- the way to the server

    def test_proxy(self):
        with Proxy() as proxy:
            a = self.running(prevention="off", proxy=f"http://127.0.0.1:{proxy.port}")
            self.assertGreater(proxy.connects, 0)
            task = self.scan_once(a, "p0")
            self.assertEqual(self.ended(task)["state"], "done")
            self.assertIn("CONNECT", a.run("doctor").stdout)
            self.assertLessEqual(proxy.connects, 8)
            proxy.refuse = True
            said = a.run("doctor")
            self.assertEqual(said.returncode, 1)
            self.assertIn("allow CONNECT", said.stdout)

    @unittest.skipUnless(shutil.which("squid"), "squid is not installed")
    def test_squid(self):
        port = free_port()
        conf = self.folder / "squid.conf"
        conf.write_text(f"http_port 127.0.0.1:{port}\npid_filename none\ncache_log {self.folder}/squid.log\naccess_log none\n"
                        f"coredump_dir {self.folder}\nnetdb_filename none\nshutdown_lifetime 1 seconds\ncache deny all\n"
                        f"acl agents port {self.service.agent_port}\nacl CONNECT method CONNECT\nacl here src 127.0.0.1/32\n"
                        "http_access allow here CONNECT agents\nhttp_access deny all\n")
        os.chmod(self.folder, 0o777)
        squid = subprocess.Popen(["squid", "-N", "-f", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.assertTrue(until(lambda: self.quiet(lambda: socket.create_connection(("127.0.0.1", port), 1).close() or True)))
            a = self.running(prevention="off", proxy=f"http://127.0.0.1:{port}")
            self.assertEqual(self.ended(self.scan_once(a, "q0"))["state"], "done")
            self.assertEqual(a.run("doctor").returncode, 0)
            refused = a.run("doctor", "--server-port", str(self.service.console_port))
            self.assertIn("allow CONNECT", refused.stdout)
        finally:
            squid.terminate()
            squid.wait(20)

    def test_doctor(self):
        a = self.running(prevention="off")
        said = a.run("doctor")
        self.assertEqual(said.returncode, 0, said.stdout)
        self.assertIn("signed by the pinned authority", said.stdout)
        self.assertTrue(all(c["ok"] for c in json.loads(a.run("doctor", "--json").stdout)))
        closed = a.run("doctor", "--server-port", str(free_port()))
        self.assertEqual(closed.returncode, 1)
        self.assertIn("open outgoing TCP", closed.stdout)
        self.assertIn("has no address", a.run("doctor", "--server-host", "no-such-host.invalid").stdout)

    def test_interception(self):
        a = self.running(prevention="off")
        self.assertEqual(a.stop(), 0)
        with Interceptor(self.folder) as other:
            a.values["server_port"] = other.port
            a.write()
            said = a.run("doctor")
            self.assertIn("Evil Inspection", said.stdout)
            self.assertIn("intercepted", said.stdout)
            a.start()
            a.wait_state("retrying")
            self.assertEqual(a.status()["trouble"], "tls_intercepted")
            self.assertIn("Evil Inspection", a.status()["trouble_text"])


class Proxy(threading.Thread):
    """CONNECT and nothing else, without signing in."""

    def __enter__(self):
        self.daemon, self.connects, self.refuse, self.open = True, 0, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for s in self.open:
            s.close()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(1)
            if not more:
                return
            head += more
        self.connects += 1
        if self.refuse or not head.startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        host, port = head.split()[1].decode().rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        self.open.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Interceptor(threading.Thread):
    """A TLS server with a certificate of another authority."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.cert, key = Path(folder, "evil.pem"), Path(folder, "evil.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/O=Evil Inspection/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.cert],
                       check=True, capture_output=True, timeout=30)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                client.settimeout(5)
                self.context.wrap_socket(client, server_side=True).recv(1)
            except OSError:
                client.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
