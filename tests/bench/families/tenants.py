# SPDX-License-Identifier: Apache-2.0
"""A thousand tenants: what it costs that they are many, that one is loud, that they are made and migrated."""
import json
import shutil
import statistics
import subprocess
import threading
import time

from cell import program
from house import ROOT, tenant
from meter import anonymous_kib, children, own_us
from people import Crowd, sign_in
from table import Sample, bench, check, compare, figure, middle, pairs, words

from families.console import small_requests


def spread_and_single(h):
    """As many devices with certificates over all small tenants as in the one big tenant."""
    return (h.fleet("spread", max(h.scale.devices, len(h.small)), 100, h.small), h.fleet("single", max(h.scale.devices, len(h.small)), 100, ["big"]))


def tokens_and_ids(h):
    """Access tokens of all small tenants, ids of some of each one's devices, and ids of the big one's. Kept with the house; the
    tokens are made anew before they expire."""
    if not h.readers:
        ids = {name: [] for name in h.small}
        for i in range(0, len(h.small), 200):
            text = " UNION ALL ".join(f"(SELECT '{n}', id::text FROM {h.schema(n)}.device ORDER BY id LIMIT 20)" for n in h.small[i:i + 200])
            for name, ident in h.cell.sql(text):
                ids[name].append(ident)
        big = [r[0] for r in h.cell.sql(f"SELECT id FROM {h.schema('big')}.device ORDER BY md5(id::text) LIMIT 20000")]
        h.readers = {"ids": ids, "big": big, "at": -1000}
    if time.monotonic() > h.readers["at"] + 300:
        h.readers.update(tokens=sign_in(h, h.small), at=time.monotonic())
    return h.readers["tokens"], h.readers["ids"], h.readers["big"]


def greatest_backend(h):
    return max(map(anonymous_kib, children(h.cell.postgres_process.pid))) / 1024


@bench("spread", house="wide")
def spread(h):
    """The same work over 1,000 tenants as in one."""
    many, one = spread_and_single(h)
    ops = len(h.small)
    for operation, what, args, per, goal in (
            ("detection, in batches of 10", "detections", ("--batch", 10), 10, 1.8), ("check-in with 1 changed fact", "inventory", ("--changed", 1), 1, 1.5),
            ("unchanged check-in", "checkin", (), 1, 1.5)):
        n = ops * (4 if what == "checkin" else 1)
        with many.sim(what, *args, "--operations", n, "--parallel", 64, per=per) as ours, \
                one.sim(what, *args, "--operations", n, "--parallel", 64, per=per) as theirs:
            ours.round()
            theirs.round()
            a, b = pairs(h, ours.round, theirs.round)
        yield compare(f"{operation}, over {len(h.small):,} tenants", a, b, "the same in one tenant", at_most=goal)
    tokens, ids, big = tokens_and_ids(h)
    token = h.administrator("big")
    n = h.scale.n(1500, 40)
    over_many = Crowd(h, 4, small_requests(h, tokens, ids))
    in_one = Crowd(h, 4, lambda chance: (token, f"/api/v1/devices/{chance.choice(big)}"))
    over_many.run(operations=n)
    in_one.run(operations=n)
    a, b = pairs(h, lambda: over_many.run(operations=n), lambda: in_one.run(operations=n))
    yield compare(f"API: one random device of {len(h.small):,} tenants with {h.scale.per_tenant} devices each", a, b,
                  f"the same in one tenant with {h.scale.big:,}", at_most=1.5)
    yield figure("greatest PostgreSQL backend after all that (anonymous memory)", greatest_backend(h), "MB", at_most=128,
                 detail=f"{len(children(h.cell.postgres_process.pid))} processes")


@bench("create", house="wide")
def create(h):
    """A tenant, out of the pool and without it."""
    def once(name, from_pool, file):
        before, own, began = h.meter.read(), own_us(), time.monotonic()
        if file:
            path = h.dir / f"{name}.json"
            path.write_text(json.dumps(tenant(name)))
            made = h.cell.ctl_json("apply", "-f", path)
        else:
            made = h.cell.ctl_json("tenant", "create", name, "--name", name, "--plan", "bench-plan", "--seats", 100)
        ms = (time.monotonic() - began) * 1000
        return Sample(1, ms / 1000, {**h.meter.since(before), "sekishoctl": own_us() - own}, ms, ms)

    kept = len(h.small)
    rounds = 5 if h.scale.full else 2
    for what, from_pool, file, n, goal in (("from the pool, with an administrator's first password", True, False, rounds, 300),
                                           ("from the pool, by file, without an account", True, True, rounds, None),
                                           ("without the pool, with an administrator's first password", False, False, max(1, rounds // 2), None)):
        if from_pool:
            h.cell.ctl("pool", "fill", "--to", n, timeout=300)
        samples = [once(f"made-{'f' if file else 'a'}{'p' if from_pool else 'c'}-{i}", from_pool, file) for i in range(n)]
        ms = statistics.median(s.p50 for s in samples)
        s = middle(samples)
        yield figure(f"tenant creation with {kept:,} others, {what}: p50", ms, "ms", at_most=goal, p50=ms, p99=max(x.p50 for x in samples),
                     detail=f"greatest {max(x.p50 for x in samples):.0f} ms of {n}; CPU: " + ", ".join(f"{k} {v / 1000:.0f} ms" for k, v in s.cpu.items()))


@bench("neighbour", house="wide")
def neighbour(h):
    """One tenant at 100 times its share; the others beside it."""
    many, one = spread_and_single(h)
    tokens, ids, big = tokens_and_ids(h)
    loud = h.administrator("big")
    seconds = 5 if h.scale.full else 2
    rate = 300 if h.scale.full else 30  # check-ins a second of all the others together; a tenth as many API requests
    share = rate / len(h.small)
    people = Crowd(h, 4, small_requests(h, tokens, ids), rate=max(4, rate // 10))
    loud_people = max(2.0, 2 * 100 * share / 10)  # its API requests, and as many that are as dear as reports
    paths = ("/api/v1/devices?sort=last_seen&direction=desc&limit=200", "/api/v1/devices?search=server-0", "/api/v1/detections?search=file4&limit=200",
             "/api/v1/overview")
    noise = Crowd(h, 4, lambda chance: (loud, chance.choice(paths) if chance.random() < 0.5 else f"/api/v1/devices/{chance.choice(big)}"),
                  rate=loud_people)
    alone, beside, api_alone, api_beside, noisy = [], [], [], [], []

    def victims(sim, checkins, api):
        before = h.meter.read()
        people.start()
        sim.begin()
        checkins.append(sim.finish(before))
        people.stop.set()
        people.join()
        api.append(people.sample(seconds, {"all": 0.0}, 0.0))

    with many.sim("inventory", "--changed", 1, "--rate", rate, "--duration", seconds, "--parallel", 500) as sim, \
            one.sim("detections", "--batch", 10, "--rate", max(1, round(100 * share)), "--duration", seconds + 2, "--parallel", 200) as flood:
        victims(sim, [], [])
        refused = h.counters()
        for i in range(h.scale.rounds):
            for quiet in ((True, False) if i % 2 == 0 else (False, True)):
                if quiet:
                    victims(sim, alone, api_alone)
                    continue
                before = h.meter.read()
                noise.start()
                flood.begin()
                time.sleep(0.5)
                victims(sim, beside, api_beside)
                noise.stop.set()
                noise.join()
                noisy.append(flood.finish(before))
                time.sleep(0.5)
        after = h.counters()
    detail = (f"{max(1, round(100 * share))} check-ins a second with 10 detections each, {loud_people:.0f} API requests a second, half of them long lists, "
              f"searches and counts over {h.scale.big:,} devices; {after['jobs_shed'] - refused['jobs_shed']:.0f} jobs shed")
    for what, quiet, loud_ in (("check-ins with a changed fact", alone, beside), ("API reads", api_alone, api_beside)):
        ratios = [b.p99 / a.p99 for a, b in zip(quiet, loud_)]
        a, b = middle(quiet, lambda s: s.p99), middle(loud_, lambda s: s.p99)
        yield figure(f"noisy neighbour at 100 times its share: the others' {what}, p99", b.p99, "ms", goal="<= 1.5 x", limit_name="the others alone",
                     limit_value=a.p99, ratio=statistics.median(ratios), ratios=ratios, p50=b.p50, p99=b.p99, detail=detail,
                     met=statistics.median(ratios) <= 1.5)
    yield figure("the others' requests that were refused or failed", sum(s.errors for s in (*beside, *api_beside)), "requests", at_most=0,
                 detail=f"of {sum(s.n for s in (*beside, *api_beside)):,}")


@bench("migrate", house="wide")
def migrate(h):
    """A migration over all tenants while devices check in."""
    many, _ = spread_and_single(h)
    rate, rounds = (200, 3) if h.scale.full else (20, 1)
    tenants = int(h.cell.value("SELECT count(*) FROM control.tenant WHERE status IN ('pooled', 'active', 'suspended')"))
    times, quiet, busy, seconds = [], [], [], 5 if h.scale.full else 2
    with many.sim("inventory", "--changed", 1, "--rate", rate, "--duration", seconds, "--parallel", 500) as sim:
        sim.round()
        for i in range(rounds):
            quiet.append(sim.round())
            number = 1 + max(int(p.name[:4]) for p in (h.migrations / "tenant").glob("*.sql"))
            name = h.migrations / f"tenant/{number:04}-add-bench-column.sql"
            name.write_text(f"-- A column, as most migrations add one.\nALTER TABLE {{t}}.device ADD COLUMN bench_{i} text;\n")
            result = {}

            def run():
                began = time.monotonic()
                result["out"] = h.cell.ctl_json("migrate", "run", "--connections", 2, timeout=300)
                result["took"] = time.monotonic() - began

            thread = threading.Thread(target=run)
            before = h.meter.read()
            sim.begin()
            time.sleep(0.3)
            thread.start()
            busy.append(sim.finish(before))
            while thread.is_alive():  # a long migration: the devices go on
                busy.append(sim.round())
            thread.join(300)
            if result.get("out", {}).get("tenants_migrated") != tenants:
                raise RuntimeError(f"not all {tenants} tenants were migrated: {result}")
            times.append(result["took"])
    refused = check([*quiet, *busy], "check-ins during a migration")
    worst = max(s.p99 for s in busy)
    usual = statistics.median(s.p99 for s in quiet)
    yield figure(f"migration (ADD COLUMN) over {tenants:,} tenants while {rate} devices a second check in", statistics.median(times), "s", at_most=60,
                 detail=f"of {rounds} migrations: {', '.join(f'{t:.1f}' for t in times)} s")
    yield figure("the devices' check-ins meanwhile: p99", worst, "ms", goal="<= 2 x", limit_name="without a migration", limit_value=usual,
                 ratio=worst / usual, met=worst <= 2 * usual, p99=worst, p50=middle(busy).p50, detail=words("the worst 5 s of all", refused))


@bench("start", house="wide")
def start(h):
    """What is shipped, and how soon a server with 1,000 tenants answers."""
    folder = h.dir / "image"
    folder.mkdir(exist_ok=True)
    subprocess.run(["strip", "-o", str(folder / "sekishod"), program("sekishod")], check=True, timeout=60)
    sizes = {"sekishod": (folder / "sekishod").stat().st_size}
    subprocess.run(["strip", "-o", str(folder / "sekishoctl"), program("sekishoctl")], check=True, timeout=60)
    sizes["sekishoctl"] = (folder / "sekishoctl").stat().st_size
    for name in ("web/dist", "migrations", "tenants/plans"):
        sizes[name] = sum(p.stat().st_size for p in (ROOT / name).rglob("*") if p.is_file())
    shutil.rmtree(folder)
    yield figure("content of the server's image beside libraries", sum(sizes.values()) / 1e6, "MB", at_most=25,
                 detail=", ".join(f"{k} {v / 1e6:.2f} MB" for k, v in sizes.items()) + ("" if sizes["web/dist"] else "; the console was not built"))
    times, stops = [], []
    for _ in range(max(2, h.scale.rounds)):
        began = time.monotonic()
        h.service.stop()
        stops.append(time.monotonic() - began)
        began = time.monotonic()
        h.service.start(ready=False)
        while not answers_ready(h):
            if time.monotonic() > began + 30:
                raise RuntimeError("the server does not become ready: " + h.service.log_text()[-500:])
            time.sleep(0.005)
        times.append(time.monotonic() - began)
    tenants = h.counters()["tenants"]
    yield figure(f"start until ready, {tenants:,.0f} tenants", statistics.median(times), "s", at_most=1,
                 detail=f"of {len(times)}: {', '.join(f'{t:.2f}' for t in times)} s; its end took {statistics.median(stops):.1f} s")


def answers_ready(h):
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", h.service.ops_port, timeout=5)
    try:
        c.request("GET", "/readyz")
        return c.getresponse().status == 200
    except OSError:
        return False
    finally:
        c.close()
