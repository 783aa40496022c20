# SPDX-License-Identifier: Apache-2.0
"""A running server for attacks: its memory, its counters, and an innocent client that is timed all the while."""
import contextlib
import http.client
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "edge")]
from cell import program  # noqa: E402
from client import Device, Line, Person, Service  # noqa: E402
from h2 import H2, WINDOW_UPDATE, context, frame, u32  # noqa: E402

SLOW_BUILD = any(x in str(Path(program("sekishod"))) for x in ("asan", "tsan"))
PORTS = ("console", "agent")


class House:
    """One server over a private cell, with a console of two files. Entered once per test file."""

    def __init__(self, **config):
        self.web = tempfile.TemporaryDirectory(prefix="web-", dir="/tmp")
        os.chmod(self.web.name, 0o755)
        Path(self.web.name, "index.html").write_text("<!doctype html><title>console</title>")
        Path(self.web.name, "large.css").write_bytes(bytes(range(256)) * 4096)
        Path(self.web.name, "medium.css").write_bytes(bytes(range(256)) * 80)
        if "quarantine_size_mb" not in os.environ.get("ASAN_OPTIONS", ""):  # these tests look at memory in use
            os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        self.service = Service(web_root=self.web.name, **config)

    def __enter__(self):
        self.service.__enter__()
        return self

    def __exit__(self, *_):
        log = self.service.log_text()
        code = self.service.stop()
        self.service.__exit__()
        self.web.cleanup()
        assert code == 0, f"the server ended with {code}:\n{log[-4000:]}"
        for word in ("must failed", "AddressSanitizer", "ThreadSanitizer", "runtime error", "Assertion"):
            assert word not in log, log[max(0, log.find(word) - 2000):][:6000]

    def port(self, name):
        return {"console": self.service.console_port, "agent": self.service.agent_port}[name]

    def alive(self):
        return self.service.process.poll() is None

    def metric(self, name):
        c = http.client.HTTPConnection("127.0.0.1", self.service.ops_port, timeout=10)
        try:
            c.request("GET", "/metrics")
            text = c.getresponse().read().decode()
        finally:
            c.close()
        return int(float(re.search(rf"^sekisho_{name} (\S+)$", text, re.M).group(1)))

    def rss_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.service.process.pid}/status").read_text()).group(1))

    def h2(self, port="console", **kw):
        kw.setdefault("timeout", 30)
        return H2(self.port(port), **kw)


class Innocent(threading.Thread):
    """Asks again and again on a connection of its own; keeps how long each answer took. An answer that is none, or takes
    longer than `patience`, is an error."""

    def __init__(self, house, port="console", path="/api/v1/me", status=401, patience=30):
        super().__init__(daemon=True)
        self.house, self.port, self.path, self.status, self.patience = house, port, path, status, patience
        self.took, self.error, self.ended = [], None, threading.Event()

    def run(self):
        try:
            c = self.house.h2(self.port)
            c.send(frame(WINDOW_UPDATE, 0, 0, u32(1 << 30)))
            while not self.ended.is_set():
                began = time.monotonic()
                s = c.request(self.path)
                if c.answer(s, self.patience) is None or c.statuses.get(s) != self.status:
                    raise AssertionError(f"no good answer: {c.statuses.get(s)}, closed {c.closed}, {c.goaways}")
                self.took.append(time.monotonic() - began)
                self.ended.wait(0.01)
            c.close()
        except Exception as e:  # noqa: BLE001
            self.error = e

    def stop(self):
        self.ended.set()
        self.join(self.patience + 5)
        return self.took


@contextlib.contextmanager
def innocent(house, bound=None, **kw):
    """While the block runs, innocent clients of both ports are served, each answer within bound seconds."""
    bound = bound or (20 if SLOW_BUILD else 6)
    clients = [Innocent(house, port, **({"path": "/agent/v1/none", "status": 404} if port == "agent" else {}), **kw) for port in PORTS]
    for c in clients:
        c.start()
    time.sleep(0.3)
    try:
        yield clients
    finally:
        for c in clients:
            c.stop()
    for c in clients:
        assert c.error is None, f"the innocent client of the {c.port}: {c.error}"
        assert len(c.took) >= 3, f"the innocent client of the {c.port} had {len(c.took)} answers"
        assert max(c.took) < bound, f"the innocent client of the {c.port} waited {max(c.took):.2f} s"


def wait_closed(c, seconds):
    c.read(seconds, lambda: c.closed)
    return c.closed


__all__ = ["Device", "H2", "House", "Innocent", "Line", "PORTS", "Person", "SLOW_BUILD", "context", "innocent", "wait_closed"]

if __name__ == "__main__":
    with House() as it:
        print(json.dumps({"console": it.port("console"), "agent": it.port("agent"), "ops": it.service.ops_port, "pid": it.service.process.pid,
                          "folder": str(it.service.cell.dir)}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
