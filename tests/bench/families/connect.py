# SPDX-License-Identifier: Apache-2.0
"""Connections: what it costs to come back, and what it costs to stay."""
import time

from limits import Handshakes, Nginx
from meter import children, rss_kib
from table import bench, compare, figure, pairs

from families.checkin import fleet


def two_fleets(h):
    """The many connections, in two client processes."""
    return [h.fleet(f"many-{x}", h.scale.many // 2, 5) for x in "ab"]


@bench("connect", house="plain")
def connect(h):
    """Connect with mutual TLS, check in, leave: full and resumed."""
    f = fleet(h)
    with Nginx(h) as nginx:
        for kind, n, goal in (("full", 1500, 0.7), ("resumed", 2500, 0.5)):
            args = ("--operations", h.scale.n(n, 40), "--parallel", 16, *(["--resume"] if kind == "resumed" else []))
            with f.sim("visit", *args) as ours, f.sim("visit", *args, at=nginx) as theirs:
                ours.round()
                theirs.round()
                a, b = pairs(h, ours.round, theirs.round)
            for name, samples in (("ours", a), ("nginx", b)):
                resumed = sum(s.more["resumed"] for s in samples) / sum(s.n for s in samples)
                if (kind == "resumed") != (resumed > 0.5):
                    raise RuntimeError(f"{name}: {resumed:.0%} of the connections were resumed")
            yield compare(f"connect, check in, leave: {kind} handshake", a, b, Nginx.name, at_most=goal)


@bench("handshake", house="plain")
def handshake(h):
    """The handshake alone beside OpenSSL alone."""
    f, limit = fleet(h), Handshakes(h)
    for kind, n in (("full", 800), ("resumed", 1500)):
        args = ("--operations", h.scale.n(n, 40), "--parallel", 16, *(["--resume"] if kind == "resumed" else []))
        with f.sim("connect", *args) as sim:
            sim.round()
            a, b = pairs(h, sim.round, lambda kind=kind: limit.round(kind, h.scale.n(800, 50)))
        yield compare(f"mTLS handshake: {kind}", a, b, Handshakes.name + " (its server's end)")


def settle_rss(h, pid, seconds):
    """Resident memory when it has stopped falling."""
    least, until = rss_kib(pid), time.monotonic() + seconds * (1 if h.scale.full else 0.2)
    while time.monotonic() < until:
        time.sleep(0.5)
        least = min(least, rss_kib(pid))
    return least


def slope(h, pid, fleets, at, *args, share=1):
    """KB of resident memory of the server per connection: between a few and a share of the fleets' connections."""
    each = min(f.devices for f in fleets) // share
    few = max(4, each // 50)
    with fleets[0].sim("idle", *args, "--duration", 1, at=at, devices=few):
        time.sleep(2)
        bare = rss_kib(pid())
    with (fleets[0].sim("idle", *args, "--duration", 5, at=at, devices=each) as one,
          fleets[1].sim("idle", *args, "--duration", 5, at=at, devices=each) as two):
        time.sleep(3)
        loaded = rss_kib(pid())
        meter = at.meter if at else h.meter
        before, began = meter.read(), time.monotonic()
        time.sleep(10 if h.scale.full else 1)
        cpu, seconds = sum(meter.since(before).values()), time.monotonic() - began
        assert one.process.poll() is None and two.process.poll() is None
    n = each * len(fleets)
    return (loaded - bare) / (n - few), cpu / seconds / n, bare, loaded


@bench("idle", house="plain")
def idle(h):
    """Memory per agent connection at rest, and what is left after waves of them."""
    fleets = two_fleets(h)
    n = sum(f.devices for f in fleets)
    h.restart()
    thousand, _, bare, loaded = slope(h, lambda: h.service.process.pid, fleets, None, share=8)
    yield figure(f"idle agent connection with its wake-up stream, {n // 8:,} of them: resident memory", thousand, "KB",
                 detail=f"sekishod {bare / 1024:.0f} -> {loaded / 1024:.0f} MB")
    h.restart()
    ours, cpu, bare, loaded = slope(h, lambda: h.service.process.pid, fleets, None)
    with Nginx(h, sessions="off") as nginx:
        theirs, _, _, _ = slope(h, lambda: max(children(nginx.process.pid), key=rss_kib), fleets, nginx, "--no-wake")
    yield figure(f"idle agent connection with its wake-up stream, {n:,} of them: resident memory", ours, "KB", at_most=22,
                 limit_name="nginx, the same connections without a stream", limit_value=theirs, ratio=ours / theirs,
                 detail=f"sekishod {bare / 1024:.0f} -> {loaded / 1024:.0f} MB; all processes use {cpu:.2f} us of CPU a second per connection")
    h.restart()
    with fleets[0].sim("idle", "--no-wake", "--duration", 1, devices=10):
        time.sleep(1)
        start = rss_kib(h.service.process.pid)
    count = 10 if h.scale.full else 2
    with fleets[0].sim("waves", "--operations", 1, "--resume") as one, fleets[1].sim("waves", "--operations", 1, "--resume") as two:
        first = settle_rss(h, h.service.process.pid, 15)
        took = time.monotonic()
        for _ in range(count):
            before = h.meter.read()
            one.begin()
            two.begin()
            one.finish(before)
            two.finish(before)
        took = time.monotonic() - took
    after = settle_rss(h, h.service.process.pid, 40)
    open_now = h.counters().get("connections_agent")
    yield figure(f"resident memory after {count} waves of {n:,} connections, above that of the server that had just started", (after - start) / 1024, "MB",
                 at_most=20, detail=f"{start / 1024:.0f} MB at the start, {first / 1024:.0f} MB after the first wave, {after / 1024:.0f} MB after the last; "
                 f"{count * n / took:,.0f} connections a second, resumed; {open_now:.0f} open at the end")
