# SPDX-License-Identifier: Apache-2.0
"""The check-in of a device that has nothing new to tell: what nearly all requests are."""
import re
import time
from dataclasses import replace

from limits import Nginx, RedisGet
from table import bench, compare, figure, pairs

PACKAGES = 80  # the least of which each may be changed


def fleet(h):
    return h.fleet("devices", h.scale.devices, PACKAGES)


@bench("checkin", house="plain")
def checkin(h):
    """Unchanged check-in over mTLS and HTTP/2, 1,000 connections, one request at a time on each."""
    f, args = fleet(h), ("--operations", h.scale.n(20000, 800), "--parallel", 256)
    with Nginx(h) as nginx, f.sim("checkin", *args, at=nginx) as theirs:
        theirs.round()
        for more, what in (((), "each with its wake-up stream beside the request, as agents have it"), (("--no-wake",), "no stream but the request's")):
            with f.sim("checkin", *args, *more) as ours:
                ours.round()
                a, b = pairs(h, ours.round, theirs.round)
            yield compare(f"unchanged check-in, {f.devices:,} connections, one request at a time on each, {what}", a, b, Nginx.name, at_most=1.5,
                          detail="256 in flight; certificate, quota, revision, last contact: all of it")


@bench("streams", house="plain")
def streams(h):
    """The same with 32 requests at once on each connection."""
    f = fleet(h)
    # 32 are answered at once, then it is the next connection's turn.
    args = ("--operations", h.scale.n(16000, 128), "--parallel", 256, "--streams", 32)
    with Nginx(h) as nginx, f.sim("checkin", *args) as ours, f.sim("checkin", *args, at=nginx) as theirs:
        theirs.round()
        a, b = pairs(h, ours.round, theirs.round)
    yield compare(f"unchanged check-in, {f.devices:,} connections, 32 streams each, 256 in flight", a, b, Nginx.name, us_at_most=15)


def classify(text):
    """Which part of the service a counted statement belongs to."""
    if re.search(r"\.seen \(device_id, at, address\)", text):
        return "flush"
    if re.search(r"^(BEGIN|COMMIT|ROLLBACK|START|SET|SHOW|LISTEN|SELECT pg_catalog\.set_config|select set_config)", text, re.I):
        return "transaction"
    if re.search(r"\bcontrol\.", text):
        return "control"
    if re.search(r"\.(device|fact|fact_digest|event_mark|event|execution|task)\b", text):
        return "checkin"
    return "other"


@bench("statements", house="plain")
def statements(h):
    """SQL statements per unchanged check-in, counted by pg_stat_statements."""
    n = h.scale.n(30000, 1000)
    f = fleet(h)
    with f.sim("checkin", "--operations", n, "--parallel", 256) as sim:
        sim.round()
        h.statements(True)
        before = h.counters()
        # Long enough for a flush of last contacts, which comes once a minute.
        sim.wait()
        until = time.monotonic() + (62 if h.scale.full else 0)
        counted_round = sim.round()
        time.sleep(max(0.0, until - time.monotonic()))
        after, counted = h.counters(), h.statements(False)
    by = {}
    flushed = [(rows, ms) for text, _, rows, ms, _ in counted if classify(text) == "flush"]
    for text, calls, _, _, _ in counted:
        by.setdefault(classify(text), []).append((calls, " ".join(text.split())))
    calls = {k: sum(c for c, _ in v) for k, v in by.items()}
    bypassed = after["checkins_bypassed"] - before["checkins_bypassed"]
    unchanged = after["checkins_unchanged"] - before["checkins_unchanged"]
    if counted_round.errors:
        raise RuntimeError(f"{counted_round.errors} check-ins were refused")
    # A check-in that goes to PostgreSQL locks its device's row once: so many did.
    locked = sum(c for c, text in by.get("checkin", []) if "FOR UPDATE" in text)
    yield figure("SQL per unchanged check-in that the cache answered", max(0.0, (locked - bypassed) / unchanged), "transactions", at_most=0,
                 detail=f"of {n:,}: {unchanged:,.0f} by the cache, {bypassed:,.0f} past it on purpose (1 in 50), {locked:,} transactions in PostgreSQL")
    yield figure("SQL statements per check-in, of all kinds", sum(calls.values()) / n, "statements",
                 detail=", ".join(f"{k} {v:,}" for k, v in sorted(calls.items(), key=lambda x: -x[1])) + " in a minute: flush is that of last contacts", statements={k: [(c, t[:160]) for c, t in v] for k, v in by.items()})
    rows, ms = (sum(x) for x in zip(*flushed)) if flushed else (0, 0.0)
    if rows:
        yield figure("last contacts, written once a minute: each device", ms * 1000 / rows, "us",
                     detail=f"time of the statement in PostgreSQL, {rows:,} rows; a device that checks in each minute pays it for each check-in, one that does "
                     "so each second for every sixtieth")


@bench("redis", house="plain")
def redis(h):
    """What Redis does for a check-in that asks it (of a device without a wake-up stream), beside its cheapest command."""
    f, limit = fleet(h), RedisGet(h)

    def its_part(s):
        return replace(s, cpu={"redis": s.cpu["redis"]})

    with f.sim("checkin", "--operations", h.scale.n(20000, 800), "--parallel", 256, "--no-wake") as sim:
        sim.round()
        a, b = pairs(h, lambda: its_part(sim.round()), lambda: limit.round(h.scale.n(100000, 1000)))
    yield compare("Redis alone, per unchanged check-in without a wake-up stream (one script)", a, b, RedisGet.name)
