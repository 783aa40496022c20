#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What idle agents cost: N HTTP/2 connections with a client certificate, each with an open wake-up stream; resident memory
of the server before, with them, and after they have left. Usage: memory.py [N]; only a release build says something."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from h2 import H2, context  # noqa: E402
from test_edge import Probe  # noqa: E402

n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
probe = Probe()
try:
    ctx = context(("h2",), f"{probe.dir}/device.pem", f"{probe.dir}/device.key")
    for _ in range(20):  # first uses of everything
        c = H2(probe.agent, ctx)
        c.get("/agent/v1/whoami")
        c.close()
    for wake in (False, True):
        time.sleep(1)
        before = probe.rss_kb()
        clients = []
        for _ in range(n):
            c = H2(probe.agent, ctx)
            c.get("/agent/v1/whoami")
            if wake:
                c.request("/agent/v1/wake?idle")
                c.read(0.5, lambda: c.headers and len(c.headers) > 1)
            clients.append(c)
        time.sleep(1)
        held = probe.rss_kb()
        for c in clients:
            c.close()
        time.sleep(6)
        print(f"{n} connections{', each with a stream' if wake else ''}: {(held - before) * 1024 / n:.0f} bytes each; "
              f"{before} KB before, {held} KB with them, {probe.rss_kb()} KB after they left")
finally:
    probe.close()
