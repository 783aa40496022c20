# SPDX-License-Identifier: Apache-2.0
"""What a browser asks for: the console's files and the API, over TLS and HTTP/2, by h2load."""
import re
import subprocess

from limits import Nginx
from meter import own_us
from table import Sample, alone, bench, compare, pairs


class Browsers:
    """h2load against one path: `clients` connections, one request at a time on each."""

    def __init__(self, h, port, path, meter, token=None, clients=8):
        self.h, self.meter = h, meter
        self.argv = ["h2load", "-c", str(clients), "-m", "1", "-t", "1", f"--log-file={h.dir}/h2load.log", f"https://localhost:{port}{path}"]
        if token:
            self.argv[1:1] = ["-H", f"authorization: Bearer {token}"]

    def round(self, n):
        log = self.h.dir / "h2load.log"
        log.unlink(missing_ok=True)
        before, own = self.meter.read(), own_us()
        done = subprocess.run([*self.argv, "-n", str(n)], capture_output=True, text=True, check=True, timeout=120)
        cpu, client = self.meter.since(before), own_us() - own
        took = re.search(r"finished in ([\d.]+)(us|ms|s)", done.stdout)
        seconds = float(took.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1}[took.group(2)]
        ok = int(re.search(r"status codes: (\d+) 2xx", done.stdout).group(1))
        times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
        if not ok or not times:
            raise RuntimeError(f"h2load: {done.stdout[-400:]}")
        return Sample(ok, seconds, cpu, times[len(times) // 2] / 1000, times[-max(1, len(times) // 100)] / 1000, client / ok, n - ok, self.meter.memory_mb())


@bench("reads", house="plain")
def reads(h):
    """A static file of the console, a page of the device list and one's own account, on 8 connections."""
    h.fleet("devices", h.scale.devices, 80)
    token = h.administrator("bench")
    with Nginx(h) as nginx:
        n = h.scale.n(20000, 200)
        ours, theirs = Browsers(h, h.service.console_port, "/index.html", h.meter), Browsers(h, nginx.files_port, "/index.html", nginx.meter)
        a, b = pairs(h, lambda: ours.round(n), lambda: theirs.round(n))
    yield compare("static file (index.html)", a, b, "nginx, the same file")
    for what, path, n in ((f"page of 50 of {h.scale.devices:,} devices", "/api/v1/devices?limit=50", 1500), ("one's own account", "/api/v1/me", 3000)):
        asks, n = Browsers(h, h.service.console_port, path, h.meter, token), h.scale.n(n, 40)
        asks.round(max(8, n // 10))
        yield alone(f"API: {what}", [asks.round(n) for _ in range(h.scale.rounds)])
