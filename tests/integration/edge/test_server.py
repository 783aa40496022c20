#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The process as a whole: waiting for its components, saying so, reload, refusals to start, the end in order."""
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "identity"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import program  # noqa: E402
from service import Service  # noqa: E402


def ops(service, path):
    c = http.client.HTTPConnection("127.0.0.1", service.ops_port, timeout=5)
    c.request("GET", path)
    r = c.getresponse()
    return r.status, r.read().decode()


def eventually(fn, seconds=20, what="it"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if fn():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(drain_deadline=4).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.service.__exit__()

    def setUp(self):
        if self.service.process is None:
            self.service.start()

    def refused(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.service.console_port)) != 0

    def waits_for(self, word, away, back):
        s = self.service
        self.assertEqual(s.stop(), 0)
        away()
        try:
            s.start(ready=False)
            eventually(lambda: ops(s, "/healthz")[0] == 200, what="/healthz")
            eventually(lambda: word in ops(s, "/readyz")[1], what=f"/readyz naming {word}")
            self.assertEqual(ops(s, "/readyz")[0], 503)
            self.assertTrue(self.refused())
            eventually(lambda: '"for":"' + word in s.log_text(), what="a line in the log")
        finally:
            back()
        eventually(lambda: ops(s, "/readyz")[0] == 200, 40, "ready")
        self.assertEqual(s.console("GET", "/api/v1/me").code, "unauthenticated")

    def test_postgresql_away_at_start(self):
        self.waits_for("PostgreSQL", self.service.cell.postgres_stop, self.service.cell.postgres_start)

    def test_redis_away_at_start(self):
        self.waits_for("Redis", self.service.cell.redis_kill, self.service.cell.redis_start)

    def test_ended_while_waiting(self):
        s = self.service
        s.stop()
        s.cell.postgres_stop()
        try:
            s.start(ready=False)
            eventually(lambda: ops(s, "/healthz")[0] == 200)
            began = time.monotonic()
            self.assertEqual(s.stop(), 0)
            self.assertLess(time.monotonic() - began, 8)
        finally:
            s.cell.postgres_start()

    def test_postgresql_away_later(self):
        s = self.service
        r = s.sign_in("kaede/admin", s.first_password("kaede"))
        self.assertEqual(r.status, 200, r)
        token = r.json["access_token"]
        s.cell.postgres_kill()
        try:
            eventually(lambda: ops(s, "/readyz") == (503, "waiting for PostgreSQL\n"))
            self.assertEqual(ops(s, "/healthz")[0], 200)
            r = s.console("GET", "/api/v1/me", token=token)
            self.assertEqual((r.status, r.code), (503, "unavailable"), r)
            self.assertIn("retry-after", r.headers)
        finally:
            s.cell.postgres_start()
        eventually(lambda: ops(s, "/readyz")[0] == 200)
        eventually(lambda: s.console("GET", "/api/v1/me", token=token).status == 200)

    def test_redis_away_later(self):
        s = self.service
        s.cell.redis_kill()
        try:
            time.sleep(1)
            self.assertEqual(ops(s, "/readyz")[0], 200)
            self.assertEqual(s.console("GET", "/api/v1/me").code, "unauthenticated")
        finally:
            s.cell.redis_start()

    def test_reload(self):
        s = self.service
        text = s.cell.config.read_text()
        try:
            s.cell.config.write_text(text + "inflight_per_connection = 7\nlog_debug = true\n")
            s.process.send_signal(signal.SIGHUP)
            eventually(lambda: "configuration and certificate reloaded" in s.log_text())
            s.console("GET", "/api/v1/me")
            eventually(lambda: '"msg":"call answered"' in s.log_text(), what="a debug line")
            s.cell.config.write_text(text + "nonsense = 1\n")
            s.process.send_signal(signal.SIGHUP)
            eventually(lambda: "configuration not reloaded" in s.log_text())
            self.assertEqual(s.console("GET", "/api/v1/me").status, 401)
        finally:
            s.cell.config.write_text(text)
            s.process.send_signal(signal.SIGHUP)

    def run_server(self, *args):
        done = subprocess.run([program("sekishod"), *args], capture_output=True, timeout=60, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def test_refusals_to_start(self):
        config = str(self.service.cell.config)
        code, text = self.run_server("--config", config, "no_such_parameter=1")
        self.assertEqual(code, 2)
        self.assertIn("no_such_parameter", text)
        code, text = self.run_server("--config", config, "keyring=/nowhere")
        self.assertEqual(code, 2)
        self.assertIn("/nowhere", text)
        code, text = self.run_server("--config", config, "tls_key=/nowhere", "ops_listen=127.0.0.1:0")
        self.assertEqual(code, 1)
        self.assertIn("cannot use the key /nowhere", text)
        code, text = self.run_server("--config", config)
        self.assertEqual(code, 1)
        self.assertIn("the port is in use", text)
        self.assertEqual(self.run_server("--config", config, "--check")[0], 0)
        code, text = self.run_server("--config", config, "--print")
        self.assertIn("drain_deadline", text)
        for option in ("--help", "--help-markdown", "--version"):
            self.assertEqual(self.run_server(option)[0], 0)
        self.assertEqual(self.run_server("--nonsense")[0], 2)

    def test_frozen_database_does_not_keep_the_process(self):
        s = self.service
        asked = []
        s.cell.postgres_freeze()
        try:
            t = threading.Thread(target=lambda: asked.append(s.sign_in("acme/admin", "wrong wrong wrong")))
            t.start()
            time.sleep(0.5)
            began = time.monotonic()
            s.process.terminate()
            self.assertIn(s.process.wait(20), (0, 3))
            self.assertLess(time.monotonic() - began, 11)
            s.process = None
            t.join(20)
        except (http.client.HTTPException, OSError):
            pass
        finally:
            s.cell.postgres_thaw()


if __name__ == "__main__":
    os.environ.setdefault("LSAN_OPTIONS", f"suppressions={Path(__file__).resolve().parents[2]}/lsan.supp:print_suppressions=0")
    unittest.main(verbosity=2)
