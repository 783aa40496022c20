# SPDX-License-Identifier: Apache-2.0
"""A private cell to measure: durable PostgreSQL with pg_stat_statements, Redis, sekishod, and what benches ask of it.

A plain house has one tenant, `bench`. A wide one also has a thousand small tenants with devices, and `big` with a hundred
thousand; their schemas come from the product's own pool, their devices' rows are generated in SQL as the tenant's role. All of
that is made with fsync off and measured with fsync on.
"""
import ctypes
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in ("tests/integration", "tests/integration/identity", "tests/integration/agent"):
    sys.path.insert(0, str(ROOT / folder))

from cell import Cell, pg_bin, program  # noqa: E402
from service import Service  # noqa: E402

from load import Pace, Run, Sim  # noqa: E402
from meter import Meter  # noqa: E402

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min", "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.max": "20000", "pg_stat_statements.track": "none", "max_connections": "120"}
ENTITLEMENTS = ("android", "ios", "notifications", "scheduled_reports", "multi_user", "audit_screen", "tenant_backup")
PLAN = {"id": "bench-plan", "seats": {"min": 1, "max": None}, "limits": {"min_interval": 1, "api_per_minute": 1000000},
        "entitlements": {k: True for k in ENTITLEMENTS}}
PASSWORD = "correct horse battery 7"


def tenant(name, accounts=()):
    return {"id": name, "name": name, "plan": "bench-plan", "seats": 1000000, "time_zone": "Asia/Tokyo", "language": "en", "hosts": [],
            "groups": ["Office", "Servers", "Field"], "accounts": [{"name": a, "display_name": a, "language": "en"} for a in accounts],
            "enrolment_tokens": [{"name": "Fleet", "group": "Office"}]}


def cheap_hash(password):
    """An Argon2id hash of the least cost: signing in many people must not be what is measured."""
    encode = ctypes.CDLL("libargon2.so.1").argon2id_hash_encoded
    encode.argtypes = [ctypes.c_uint32] * 3 + [ctypes.c_char_p, ctypes.c_size_t] * 2 + [ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    out = ctypes.create_string_buffer(256)
    if encode(1, 8, 1, password.encode(), len(password), os.urandom(16), 16, 32, out, 256) != 0:
        raise RuntimeError("Argon2 does not work")
    return out.value.decode()


class House:
    def __init__(self, kind, scale, build):
        os.environ["SEKISHO_BUILD"] = str(build)
        self.kind, self.scale, self.build = kind, scale, build
        self.dir = Path(tempfile.mkdtemp(prefix="skb-", dir="/tmp"))
        self.dir.chmod(0o755)
        web = ROOT / "web/dist"
        if not (web / "index.html").exists():
            web = self.dir / "web"
            web.mkdir()
            (web / "index.html").write_text("<!doctype html><title>Sekisho</title>" + "<p>console</p>" * 60)
        self.web = web
        self.migrations = self.dir / "migrations"  # a copy: benches add to it
        shutil.copytree(ROOT / "migrations", self.migrations)
        files = self.dir / "tenants"
        files.mkdir()
        for value in (PLAN, tenant("bench", ["admin"]), *([tenant("big", ["admin"])] if kind == "wide" else [])):
            (files / f"{value['id']}.json").write_text(json.dumps(value))
        self.small = [f"small-{i:04}" for i in range(1, scale.tenants + 1)] if kind == "wide" else []
        self.service = Service(tenants=(str(files),), web_root=web, schema_pool=0, default_interval=3600, migrations=self.migrations,
                               slices=4 if kind == "wide" else 2)
        self.service.cell.close()
        self.service.cell = Cell(settings={**SETTINGS, "fsync": "off", "full_page_writes": "off"})
        self.service.cell.source = lambda path: str(ROOT / path)
        self.fleets, self.people, self.replicas, self.readers = {}, {}, [], None
        self.tenant_nos = {}
        self.n_logs = 0

    # ---- begin and end

    def __enter__(self):
        try:
            self.service.__enter__()
            self.cell.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            if self.kind == "wide":
                from generate import furnish
                self.service.stop()
                furnish(self)
                self.service.start()
            self.make_durable()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.service.__exit__()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def make_durable(self):
        """From here on as in production. What was written before is on its way to the disk and needs no care."""
        self.service.stop()
        self.cell.postgres_stop()
        with open(self.cell.data / "postgresql.conf", "a", encoding="utf-8") as f:
            f.writelines(f"{k} = '{v}'\n" for k, v in DURABLE.items())
        os.sync()
        self.cell.postgres_start()
        for name, wanted in DURABLE.items():
            if self.cell.value(f"SHOW {name}") != wanted:
                raise RuntimeError(f"PostgreSQL runs without {name}; that would flatter")
        self.service.start()

    @property
    def cell(self):
        return self.service.cell

    @property
    def ca(self):
        return self.cell.dir / "ca.pem"

    @property
    def certificate(self):
        return self.cell.dir / "server.pem"

    @property
    def key(self):
        return self.cell.dir / "server.key"

    @property
    def target(self):
        return f"localhost:{self.service.agent_port}", self.ca

    @property
    def meter(self):
        servers = [s.process.pid for s in (self.service, *self.replicas) if s.process]
        return Meter(sekishod=servers, postgres=[self.cell.postgres_process.pid], redis=[self.cell.redis_process.pid])

    def restart(self):
        self.service.stop()
        self.service.start()

    def client_authorities(self):
        """What a server needs to check the devices' certificates by their chain."""
        return self.cell.ctl("certificate", "root") + "".join(r[0] for r in self.cell.sql(
            "SELECT ca_pem FROM control.tenant WHERE id IN ('bench', 'big')"))

    def schema(self, tenant_id):
        if tenant_id not in self.tenant_nos:
            self.tenant_nos = {i: int(no) for i, no in self.cell.sql("SELECT id, no FROM control.tenant WHERE id IS NOT NULL")}
        return f"t_{self.tenant_nos[tenant_id]}"

    # ---- what the server says of itself

    def counters(self, service=None):
        """All metrics by their names without the prefix; series that differ by labels are added up."""
        c = http.client.HTTPConnection("127.0.0.1", (service or self.service).ops_port, timeout=20)
        try:
            c.request("GET", "/metrics")
            text = c.getresponse().read().decode()
        finally:
            c.close()
        found = {}
        for name, value in re.findall(r"^sekisho_(\w+)(?:{[^}]*})? ([-\d.e+]+)$", text, re.M):
            name = name.removesuffix("_total")
            found[name] = found.get(name, 0.0) + float(value)
        return found

    def statements(self, on):
        """Counting of statements by PostgreSQL itself; off while CPU time is measured, on both sides. Off gives what was counted:
        (text, calls, rows, total ms, greatest ms), the most frequent first."""
        found = []
        if not on:
            found = [(q, int(c), int(r), float(t), float(m)) for q, c, r, t, m in self.cell.sql(
                "SELECT query, calls, rows, total_exec_time, max_exec_time FROM pg_stat_statements WHERE query !~ 'pg_stat_statements' ORDER BY calls DESC")]
        self.cell.sql(f"ALTER SYSTEM SET pg_stat_statements.track = '{'top' if on else 'none'}'")
        self.cell.sql("SELECT pg_reload_conf()")
        if on:
            time.sleep(0.3)  # every backend reads it before its next statement
            self.cell.sql("SELECT pg_stat_statements_reset()")
        return found

    # ---- fleets

    def log(self):
        self.n_logs += 1
        return self.dir / f"client-{self.n_logs}.log"

    def fleet(self, name, devices, packages, tenants=("bench",)):
        """Enrolled devices that have told all of themselves once."""
        if name in self.fleets:
            return self.fleets[name]
        tokens = self.dir / f"{name}.tokens"
        tokens.write_text("".join(self.service.enrolment_token(t) + "\n" for t in tenants))
        fleet = self.fleets[name] = Fleet(self, name, devices, packages, tokens)
        try:
            with fleet.sim("checkin", "--operations", 1, "--parallel", 32) as sim:
                sim.round()
        except BaseException:
            del self.fleets[name]
            raise
        return fleet

    # ---- people

    def administrator(self, tenant_id):
        """Of tenants with an account from their file (its password is changed at the first sign-in)."""
        from fleet import Administrator
        made, token = self.people.get(tenant_id, (0, None))
        if not token or time.monotonic() > made + 400:
            Administrator.PASSWORD = PASSWORD
            token = Administrator(self.service, tenant_id).token
            self.people[tenant_id] = (time.monotonic(), token)
        return token


class Fleet:
    def __init__(self, h, name, devices, packages, tokens):
        self.h, self.name, self.devices, self.packages, self.tokens = h, name, devices, packages, tokens
        self.state = h.dir / f"{name}.fleet"
        self.pace = Pace()
        self.seed = zlib.crc32(name.encode())  # else all fleets would be the same machines

    def ids(self):
        """The devices' ids, out of the state that the load client keeps."""
        return [v["id"] for v in map(json.loads, self.state.read_text().splitlines()) if "id" in v]

    def sim(self, what, *args, per=1, at=None, devices=None, service=None):
        """A load client with these devices. at: another server than ours (limits.Nginx), for which the fleet's state is copied."""
        state = self.state
        if at:
            state = self.h.dir / f"{self.name}.copy"
            shutil.copyfile(self.state, state)
            args = (*args, "--no-wake")  # there is nobody to open that stream
        target = at.target if at else (f"localhost:{(service or self.h.service).agent_port}", self.h.ca)
        return Sim(program("sekisho-sim"), what, target, state, devices or self.devices, self.h.log(), at.meter if at else self.h.meter,
                   "--packages", self.packages, "--seed", self.seed, *args, per=per, token_file=None if at else self.tokens,
                   pace=None if at else self.pace)

    def run(self, *args, service=None):
        target = f"localhost:{(service or self.h.service).agent_port}", self.h.ca
        return Run(program("sekisho-sim"), target, self.state, self.devices, self.h.log(), "--packages", self.packages, "--seed", self.seed,
                   "--rate-detections", 0, "--rate-changes", 0, *args, token_file=self.tokens)


def psql(h, *args, timeout=300, **kw):
    """psql as the superuser, for what cell.sql cannot do (COPY); its CPU time is the client's."""
    return subprocess.run([pg_bin("psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *args, h.cell.conninfo("postgres")], cwd="/",
                          capture_output=True, text=True, timeout=timeout, check=True, **kw)
