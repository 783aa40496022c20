# SPDX-License-Identifier: Apache-2.0
"""Check-ins that bring something: changed facts, inventories, detections. All are committed before the answer."""
import time

from house import psql
from limits import Commits, Nginx
from meter import own_us
from table import Sample, alone, bench, compare, pairs

from families.checkin import fleet


@bench("change", house="plain")
def change(h):
    """A check-in with one changed fact, beside PostgreSQL's commit of one row."""
    f, limit = fleet(h), Commits(h)
    with f.sim("inventory", "--changed", 1, "--operations", h.scale.n(4000, 40), "--parallel", 256) as sim:
        sim.round()
        a, b = pairs(h, sim.round, lambda: limit.round(3 * h.scale.seconds))
    yield compare("check-in with 1 changed fact, 256 in flight", a, b, Commits.name + " (8 connections)", at_most=1.0)


INVENTORIES = "(the inventory servers that were measured: 12,000 to 186,000 us)"


@bench("inventory", house="plain")
def inventory(h):
    """A full inventory of 400 packages: for the first time, unchanged, and with 3 packages changed."""
    devices = 200 if h.scale.full else 12
    f = h.fleet("inventories", devices, 400)
    s = h.schema("bench")
    h.cell.sql("DROP TABLE IF EXISTS public.bench_ids")
    h.cell.sql(f"CREATE TABLE public.bench_ids AS SELECT f.device_id AS id FROM {s}.fact f WHERE f.kind = 'software' "
               "GROUP BY f.device_id HAVING count(*) = 400")
    if int(h.cell.value("SELECT count(*) FROM public.bench_ids")) != devices:
        raise RuntimeError("the fleet's inventories do not have 400 packages")
    first = [f"DELETE FROM {s}.{table} f USING public.bench_ids i WHERE f.device_id = i.id" for table in ("fact", "fact_digest")]
    # The files keep their size: of a table that has become empty the planner would believe that it stays so.
    first += [f"VACUUM (TRUNCATE false) {s}.{table}" for table in ("fact", "fact_digest")]

    def forget():
        for text in first:
            h.cell.sql(text)

    with Nginx(h) as nginx, f.sim("inventory", "--operations", h.scale.n(500, 12), "--parallel", 32, at=nginx) as discarded:
        discarded.round()
        with f.sim("inventory", "--operations", devices, "--parallel", 32) as sim:
            def once():
                forget()
                return sim.round()
            a, b = pairs(h, once, discarded.round)
        yield compare("inventory of 400 packages, the first", a, b, "nginx, discards the same POST", us_at_most=3000, detail=INVENTORIES)
        with f.sim("checkin", "--operations", h.scale.n(4000, 40), "--parallel", 64) as sim:
            a, b = pairs(h, sim.round, discarded.round)
        yield compare("the same, unchanged (its digest comes first; the body is not sent)", a, b, "nginx, discards the same POST", us_at_most=80)
        with f.sim("inventory", "--changed", 3, "--operations", h.scale.n(1500, 24), "--parallel", 64) as sim:
            sim.round()
            a, b = pairs(h, sim.round, discarded.round)
        yield compare("the same, 3 packages changed", a, b, "nginx, discards the whole POST", us_at_most=400)


class Copy:
    """COPY of rows that the service wrote, into tables of the same form, indexes and foreign keys, in one transaction."""

    name = "PostgreSQL, COPY of the same rows"
    TABLES = ("event", "detection")

    def __init__(self, h, schema):
        self.h, self.schema = h, schema
        sql = h.cell.sql
        sql("DROP SCHEMA IF EXISTS bench_copy CASCADE")
        sql("CREATE SCHEMA bench_copy")
        for table in ("device", *self.TABLES):
            sql(f"CREATE TABLE bench_copy.{table} (LIKE {schema}.{table} INCLUDING ALL)")
        sql(f"INSERT INTO bench_copy.device SELECT * FROM {schema}.device")
        for table in self.TABLES:
            sql(f"ALTER TABLE bench_copy.{table} ADD FOREIGN KEY (device_id) REFERENCES bench_copy.device (id) ON DELETE CASCADE")
        sql("ANALYZE bench_copy.device")
        self.since = None

    def mark(self):
        """Rows from now on are those to be copied."""
        self.since = self.h.cell.value("SELECT clock_timestamp()")

    def round(self):
        files, n = [], 0
        for table in self.TABLES:
            path = self.h.dir / f"{table}.copy"
            psql(self.h, "-c", f"\\copy (SELECT * FROM {self.schema}.{table} WHERE received_at >= '{self.since}') TO '{path}'")
            files.append((table, path))
            n = sum(1 for _ in open(path, "rb"))
        if not n:
            raise RuntimeError("no rows to copy")
        before, own, began = self.h.meter.read(), own_us(), time.monotonic()
        psql(self.h, "-1", *[x for t, p in files for x in ("-c", f"\\copy bench_copy.{t} FROM '{p}'")])
        return Sample(n, time.monotonic() - began, {"postgres": self.h.meter.since(before)["postgres"]}, client_us=(own_us() - own) / n)


@bench("detections", house="plain")
def detections(h):
    """Batches of 10 detections of a device, each committed before its answer."""
    f = fleet(h)
    copy = Copy(h, h.schema("bench"))
    with f.sim("detections", "--batch", 10, "--operations", h.scale.n(800, 12), "--parallel", 64, per=10) as sim:
        sim.round()
        a, b = [], []
        for _ in range(h.scale.rounds):  # always in this order: what is copied was written just before
            copy.mark()
            a.append(sim.round())
            b.append(copy.round())
    yield compare("detection, in batches of 10, 64 in flight", a, b, Copy.name, at_most=4, us_at_most=50,
                  detail="50 us are 20,000 a second and core")
    yield alone("the same per check-in", [Sample(s.n // 10, s.seconds, s.cpu, s.p50, s.p99, s.client_us * 10, s.errors, s.memory_mb) for s in a])
