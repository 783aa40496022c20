# SPDX-License-Identifier: Apache-2.0
"""Lists, searches and counts over 100,000 devices, as a person's browser asks for them."""
import itertools
import random
import time

from people import Line
from table import bench, figure, percentile

SORTS = ("name", "last_seen", "os_name", "problems", "unresolved", "enrolled_at")
FILTERS = ("", "status=ok", "status=attention", "status=problem", "os=windows", "os=linux", "os=macos", "problems_only=true", "isolated=true", "isolated=false",
           "group={group}")
SEARCHES = ("tokyo-01", "a", "10.77.", "no-such-name", "Replaced in 2019", "server-0999")
GOAL_MS = 50
KIND_SECONDS = 1.5  # for one kind of request, but at least three of it


def device_paths(group):
    for sort, direction in itertools.product(SORTS, ("asc", "desc")):
        yield "sorts", f"/api/v1/devices?sort={sort}&direction={direction}"
    for f, sort in itertools.product(FILTERS[1:], ("name", "last_seen", "problems")):
        yield "filters", f"/api/v1/devices?{f.format(group=group)}&sort={sort}&direction=desc"
    for words in SEARCHES:
        yield "search", f"/api/v1/devices?search={words.replace(' ', '%20')}"
        yield "search", f"/api/v1/devices?search={words.replace(' ', '%20')}&sort=last_seen&direction=desc&limit=10"


def other_paths():
    for sort, direction in itertools.product(("occurred_at", "name", "severity"), ("asc", "desc")):
        yield "detections", f"/api/v1/detections?sort={sort}&direction={direction}"
    for f in ("resolved=false", "severity=critical", "type=malware", "search=file49", "from=2026-01-01T00:00:00Z"):
        yield "detections", f"/api/v1/detections?{f}"
    for path in ("/api/v1/overview", "/api/v1/groups", "/api/v1/quarantine"):
        yield "counts", path


class Reader:
    def __init__(self, h, times):
        self.h, self.line, self.times = h, Line(h), times
        self.seen = {}  # (class, path) -> milliseconds

    def get(self, kind, path, name=None):
        token, until = self.h.administrator("big"), time.monotonic() + KIND_SECONDS
        for i in range(self.times):
            if i > 2 and time.monotonic() > until:
                break
            status, value, ms = self.line.ask("GET", path, token)
            if status != 200:
                raise RuntimeError(f"{path}: {status} {value}")
            self.seen.setdefault((kind, name or path), []).append(ms)
        return value

    def later_pages(self, path):
        """The second page, and one deep in the list: 10 pages further on."""
        value, token = self.get("sorts", path), self.h.administrator("big")
        for page in range(10):
            cursor = value.get("next_cursor")
            if not cursor:
                return
            status, value, ms = self.line.ask("GET", f"{path}&cursor={cursor}", token)
            if status != 200:
                raise RuntimeError(f"{path}, page {page + 2}: {status}")
            if page in (0, 9):
                self.seen.setdefault(("pages", f"{path} page {page + 2}"), []).append(ms)


def cut(text):
    return " ".join(text.split())[:160]


@bench("console", house="wide")
def console(h):
    """100,000 devices in one tenant: every sort and filter, search, counts."""
    s = h.schema("big")
    group = h.cell.value(f"SELECT id FROM {s}.device_group WHERE name = 'Servers'")
    r = Reader(h, 8 if h.scale.full else 2)
    for path in ("/api/v1/devices", "/api/v1/detections", "/api/v1/overview"):
        r.get("warm", path)
    r.seen.clear()
    scans = int(h.cell.value(f"SELECT seq_scan FROM pg_stat_user_tables WHERE relid = '{s}.device'::regclass"))
    h.statements(True)
    before, asked = h.meter.read(), 0
    for kind, path in itertools.chain(device_paths(group), other_paths()):
        r.get(kind, path)
    for sort in SORTS:
        r.later_pages(f"/api/v1/devices?sort={sort}&direction=asc")
    spent, counted = h.meter.since(before), h.statements(False)
    asked = sum(map(len, r.seen.values()))
    h.cell.sql("SELECT pg_stat_clear_snapshot()")
    scans = int(h.cell.value(f"SELECT seq_scan FROM pg_stat_user_tables WHERE relid = '{s}.device'::regclass")) - scans
    every = [ms for times in r.seen.values() for ms in times]
    worst = sorted(((percentile(t, 95), path) for (_, path), t in r.seen.items()), reverse=True)
    over = sum(percentile(t, 95) > GOAL_MS for t in r.seen.values())
    yield figure(f"lists, searches and counts over {h.scale.big:,} devices at the API: p95 of all", percentile(every, 95), "ms", at_most=GOAL_MS,
                 detail=f"p50 {percentile(every, 50):.1f} ms of {asked:,} requests of {len(r.seen)} kinds, one at a time; {over} kinds are over; "
                 f"{sum(spent.values()) / asked / 1000:.1f} ms of CPU each; worst: {worst[0][1]} ({worst[0][0]:.0f} ms)",
                 p50=percentile(every, 50), p99=percentile(every, 99), worst=worst[:20])
    for kind in ("sorts", "pages", "filters", "search", "detections", "counts"):
        mine = [(t, path) for (k, path), t in r.seen.items() if k == kind]
        if not mine:
            continue
        times = [ms for t, _ in mine for ms in t]
        slow = max(mine, key=lambda x: percentile(x[0], 95))
        yield figure(f"of these, {kind} ({len(mine)} kinds): p95", percentile(times, 95), "ms", at_most=GOAL_MS,
                     detail=f"p50 {percentile(times, 50):.1f} ms; worst: {slow[1]} ({percentile(slow[0], 95):.0f} ms)",
                     p50=percentile(times, 50), p99=percentile(times, 99))
    slow = [(q, c, m) for q, c, _, _, m in counted if m > 100]
    yield figure("statements that took over 100 ms", len(slow), "statements", at_most=0,
                 detail="; ".join(f"{m:.0f} ms, {c} times: {cut(q)}" for q, c, m in sorted(slow, key=lambda x: -x[2])[:3]), slow=[(cut(q), c, m) for q, c, m in slow])
    yield figure("reads of the whole device table meanwhile", scans, "scans", at_most=0, detail=f"of {asked:,} requests")


def small_requests(h, tokens, ids):
    """One random device of a random tenant, with all that is known of it."""
    names = list(tokens)

    def one(chance: random.Random):
        name = chance.choice(names)
        return tokens[name], f"/api/v1/devices/{chance.choice(ids[name])}"
    return one
