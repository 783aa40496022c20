# SPDX-License-Identifier: Apache-2.0
"""People at the API: keep-alive connections in threads, requests one after the other on each. Slower than a client in C, which is
why the server's CPU time and the latencies are measured and not the rate."""
import http.client
import json
import random
import ssl
import threading
import time

from house import PASSWORD
from meter import own_us
from table import Sample, percentile


class Line:
    """One connection, reopened when the server has closed it."""

    def __init__(self, h, address="127.0.0.1"):
        self.context = ssl.create_default_context(cafile=str(h.ca))
        self.port, self.address, self.c = h.service.console_port, address, None

    def ask(self, method, path, token=None, body=None):
        """(status, value, milliseconds); status 0: no answer."""
        headers = {"accept-language": "en"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body)
        began = time.perf_counter()
        try:
            if not self.c:
                self.c = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=30, source_address=(self.address, 0))
                self.c.connect()
                began = time.perf_counter()
            self.c.request(method, path, body, headers)
            r = self.c.getresponse()
            text = r.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, None, (time.perf_counter() - began) * 1000
        took = (time.perf_counter() - began) * 1000
        return r.status, json.loads(text) if text and "json" in (r.getheader("content-type") or "") else None, took

    def close(self):
        if self.c:
            self.c.close()
        self.c = None


def sign_in(h, tenants):
    """Tokens of the small tenants' administrators. The sign-in rate is per address, so they come from many."""
    tokens, line = {}, None
    for i, name in enumerate(tenants):
        if i % 25 == 0:
            if line:
                line.close()
            line = Line(h, f"127.0.1.{1 + i // 25 % 250}")
        status, value, _ = line.ask("POST", "/api/v1/sign-in", body={"name": f"{name}/admin", "password": PASSWORD})
        if status != 200:
            raise RuntimeError(f"sign-in at {name}: {status} {value}")
        tokens[name] = value["access_token"]
    line.close()
    return tokens


class Crowd:
    """n people who ask without end, or `rate` times a second in all, for what next(random) gives: (token, path)."""

    def __init__(self, h, n, next_request, rate=None, meter=None):
        self.h, self.n, self.next, self.rate, self.meter = h, n, next_request, rate, meter or h.meter
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.times, self.bad, self.issued = [], [], 0

    def run(self, seconds=None, operations=None):
        """One measured part, by whichever ends first."""
        before, own, began = self.meter.read(), own_us(), time.perf_counter()
        self.start(operations)
        if seconds and not operations:
            time.sleep(seconds)
            self.stop.set()
        self.join()
        took = time.perf_counter() - began
        return self.sample(took, self.meter.since(before), own_us() - own)

    def start(self, operations=None):
        self.times, self.bad, self.issued, self.operations = [], [], 0, operations
        self.stop.clear()
        self.began = time.perf_counter()
        self.threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(self.n)]
        for t in self.threads:
            t.start()

    def join(self):
        for t in self.threads:
            t.join(60)

    def sample(self, took, cpu, client_us):
        n = len(self.times)
        if not n:
            raise RuntimeError(f"no request was answered: {self.bad[:1]}")
        return Sample(n, took, cpu, percentile(self.times, 50), percentile(self.times, 99), client_us / n, len(self.bad), self.meter.memory_mb(),
                      {"p95": percentile(self.times, 95), "greatest": max(self.times)})

    def take_turn(self):
        """When the next request is due, as seconds from the start; None: enough."""
        with self.lock:
            if self.operations and self.issued >= self.operations:
                return None
            self.issued += 1
            return (self.issued - 1) / self.rate if self.rate else 0.0

    def work(self, i):
        line, chance = Line(self.h), random.Random(i + 1)
        while not self.stop.is_set():
            due = self.take_turn()
            if due is None:
                break
            wait = self.began + due - time.perf_counter()
            if wait > 0 and self.stop.wait(wait):
                break
            token, path = self.next(chance)
            late = max(0.0, time.perf_counter() - self.began - due) * 1000 if self.rate else 0.0
            status, value, ms = line.ask("GET", path, token)
            with self.lock:
                if status == 200:
                    self.times.append(ms + late)
                else:
                    self.bad.append((status, path, (value or {}).get("code") if isinstance(value, dict) else None))
        line.close()
