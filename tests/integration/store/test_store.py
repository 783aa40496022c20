# SPDX-License-Identifier: Apache-2.0
"""Storage: statements against the migrated schema, isolation at the database, transactions, batches."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import Cell, Failed, program  # noqa: E402


def setUpModule():
    global cell, TENANTS
    cell = Cell(slices=2)
    try:
        cell.start()
        cell.bootstrap()
        cell.ctl("apply", "-f", cell.source("tenants/plans"), "-f", cell.source("tenants/samples"))
        for name in ("third", "fourth"):
            cell.ctl("tenant", "create", name, "--name", name, "--plan", "enterprise", "--seats", 10)
        TENANTS = {r[0]: (int(r[1]), int(r[2])) for r in cell.sql("SELECT id, no, slice FROM control.tenant WHERE status = 'active'")}
    except BaseException:
        cell.close()
        raise


def tearDownModule():
    cell.close()


def tenant(name):
    return "%d:%d" % TENANTS[name]


def pair():
    """Two tenants of one slice."""
    by_slice = {}
    for name, (_, s) in sorted(TENANTS.items()):
        by_slice.setdefault(s, []).append(name)
    return next(v for v in by_slice.values() if len(v) >= 2)[:2]


def schema(name):
    return f"t_{TENANTS[name][0]}"


class Tool:
    """tool_store with pipes; every wait ends."""

    def __init__(self, *args):
        env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "detect_leaks=1"))
        self.p = subprocess.Popen([program("tool_store"), str(cell.config), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=env)

    def line(self, timeout=30):
        old = signal.signal(signal.SIGALRM, lambda *_: self.p.kill())
        signal.alarm(timeout)
        try:
            text = self.p.stdout.readline()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, old)
        if not text:
            self.p.kill()
            raise AssertionError(f"the tool ended early: {self.p.stderr.read()}")
        return json.loads(text)

    def go(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()

    def end(self, timeout=60):
        if self.p.stdin:
            self.p.stdin.close()
        got, until = [], time.monotonic() + timeout
        for text in self.p.stdout:  # readline has buffered some of it already, so no communicate()
            got.append(json.loads(text))
            if time.monotonic() > until:
                self.p.kill()
        err = self.p.stderr.read()
        self.p.stdout.close()
        self.p.stderr.close()
        if self.p.wait(timeout) != 0:
            raise AssertionError(f"the tool ended with {self.p.returncode}: {err}")
        return got

    def close(self):
        self.p.kill()
        self.p.wait(10)
        for pipe in (self.p.stdin, self.p.stdout, self.p.stderr):
            pipe.close()


def run(*args, timeout=60):
    return Tool(*args).end(timeout)


class Statements(unittest.TestCase):
    def test_sql_prepare(self):
        """Every statement of store/*.sql can be prepared and planned, and its role has the rights it needs."""
        out = subprocess.run([program("tool_store"), "dump"], stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout
        statements = [json.loads(x) for x in out.splitlines()]
        self.assertGreater(len(statements), 80)
        owner_files = cell.source("src/store/provision.sql")
        lines = Path(owner_files).read_text(encoding="utf-8").splitlines()
        owners = {line.split(":")[1].strip() for line in lines if line.startswith("-- name:")}
        groups = {"owner": [], "control": [], "tenant": []}
        for s in statements:
            base = s["name"]
            kind = "owner" if base in owners else "control" if s["control"] else "tenant"
            groups[kind].append(s)
        self.assertTrue(all(groups.values()))
        users = {"owner": ("sekisho_owner", None), "control": ("sekisho_s0", "sekisho_service"),
                 "tenant": (f"sekisho_s{TENANTS['acme'][1]}", schema("acme"))}
        for kind, members in groups.items():
            user, role = users[kind]
            text = ["SET search_path = pg_catalog; SET plan_cache_mode = force_generic_plan;"]
            for s in members:
                nulls = ", ".join(["NULL"] * s["params"])
                text.append(f"\\echo {s['name']}\nPREPARE {s['name']} AS {s['text'].replace('{t}', schema('acme'))};\n"
                            f"EXPLAIN (COSTS OFF) EXECUTE {s['name']}{'(' + nulls + ')' if nulls else ''};\n")
            file = cell.dir / f"{kind}.sql"
            file.write_text("".join(text), encoding="utf-8")
            env = dict(os.environ, PGOPTIONS=f"-c role={role}" if role else "")
            done = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=0", "-f", str(file), cell.conninfo(user)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, timeout=60, check=False)
            self.assertEqual(done.stderr, "", f"as {user} {role or ''}")


class Isolation(unittest.TestCase):
    def refused(self, text, user, role=None, state="42501"):
        with self.assertRaises(Failed) as e:
            cell.sql(text, user=user, role=role)
        self.assertIn(state, e.exception.err)

    def test_forgotten_tenant(self):
        """The login role alone reads nothing: neither a tenant's tables nor control."""
        for name, (no, s) in TENANTS.items():
            self.refused(f"SELECT id FROM t_{no}.device", f"sekisho_s{s}")
            self.refused(f"SELECT id FROM t_{no}.account", f"sekisho_s{s}")
        self.refused("SELECT no FROM control.tenant", "sekisho_s0")

    def test_role_reads_own_schema_only(self):
        a, b = pair()
        s = TENANTS[a][1]
        self.assertEqual(cell.sql(f"SELECT count(*) FROM {schema(a)}.device", user=f"sekisho_s{s}", role=schema(a)), [("0",)])
        tables = cell.sql(f"SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = '{schema(b)}' AND relkind = 'r'")
        self.assertGreater(len(tables), 10)
        for (table,) in tables:
            self.refused(f"SELECT 1 FROM {schema(b)}.{table}", f"sekisho_s{s}", schema(a))
        for (table,) in cell.sql("SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'control' AND relkind = 'r'"):
            self.refused(f"SELECT 1 FROM control.{table}", f"sekisho_s{s}", schema(a))

    def test_no_rights_by_catalogue(self):
        """As PostgreSQL sees it: no tenant's role has any right on another schema's tables."""
        got = cell.sql(r"""SELECT r.rolname, n.nspname, c.relname FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE r.rolname ~ '^t_\d+$' AND c.relkind = 'r' AND (n.nspname ~ '^t_\d+$' OR n.nspname = 'control') AND n.nspname <> r.rolname
              AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')""")
        self.assertEqual(got, [])

    def test_role_of_another_slice(self):
        """A slice's login role cannot become a tenant of another slice, the owner, or a superuser."""
        other = next(n for n, (_, s) in TENANTS.items() if s == 1)
        self.refused("SELECT 1", "sekisho_s0", schema(other), "42501")
        self.refused("SELECT 1", "sekisho_s0", "sekisho_owner", "42501")
        self.refused("SELECT 1", "sekisho_s0", "postgres", "42501")

    def test_no_ddl_and_no_audit_change(self):
        s = TENANTS["acme"][1]
        self.refused(f"CREATE TABLE {schema('acme')}.x (i int)", f"sekisho_s{s}", schema("acme"))
        self.refused(f"DROP TABLE {schema('acme')}.device", f"sekisho_s{s}", schema("acme"))
        self.refused(f"UPDATE {schema('acme')}.audit SET action = ''", f"sekisho_s{s}", schema("acme"))
        self.refused(f"DELETE FROM {schema('acme')}.audit", f"sekisho_s{s}", schema("acme"))
        self.refused("CREATE TABLE public.x (i int)", f"sekisho_s{s}", schema("acme"))
        self.refused("CREATE TEMP TABLE x (i int)", f"sekisho_s{s}", schema("acme"))

    def test_service_cannot_touch_tenants(self):
        self.refused("UPDATE control.tenant SET seats = 1000", "sekisho_s0", "sekisho_service")
        self.refused("UPDATE control.plan SET body = '{}'", "sekisho_s0", "sekisho_service")
        self.refused("DELETE FROM control.operator_audit", "sekisho_s0", "sekisho_service")
        self.refused(f"SELECT 1 FROM {schema('acme')}.device", "sekisho_s0", "sekisho_service")

    def test_canary(self):
        """A tenant's strings are found in its own schema only, in every text and JSON column of the database."""
        canary = "canary-7f3a91"
        cell.sql(f"INSERT INTO {schema('acme')}.device_group (id, name, created_at) VALUES (gen_random_uuid(), '{canary}', now())")
        columns = cell.sql("""SELECT n.nspname, c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
              AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'""")
        found = []
        for n, c, a in columns:
            if cell.value(f"SELECT count(*) FROM {n}.{c} WHERE {a}::text LIKE '%{canary}%'") != "0":
                found.append((n, c, a))
        self.assertEqual(found, [(schema("acme"), "device_group", "name")])
        cell.sql(f"DELETE FROM {schema('acme')}.device_group WHERE name = '{canary}'")


class Transactions(unittest.TestCase):
    def expect(self, tool, step, rc, timeout=30):
        self.assertEqual(tool.line(timeout), {"step": step, "rc": rc})

    def kill_backends(self):
        n = cell.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'sekisho_s%'")
        self.assertNotEqual(n, [("0",)])
        time.sleep(0.2)

    def groups(self, name):
        return cell.value(f"SELECT count(*) FROM {schema('acme')}.device_group WHERE name = '{name}'")

    def test_ladder(self):
        before = int(cell.value(f"SELECT count(*) FROM {schema('acme')}.device_group"))
        t = Tool("tx", tenant("acme"))
        self.addCleanup(t.close)
        self.expect(t, "insert", "ok")
        self.expect(t, "duplicate", "conflict")
        self.expect(t, "empty", "ok")
        self.assertEqual(t.line(), {"groups": before + 1})
        self.expect(t, "commit", "ok")
        self.expect(t, "deallocated", "ok")
        self.expect(t, "control", "ok")
        self.expect(t, "kill backend", "ok")
        self.kill_backends()
        t.go()
        self.expect(t, "after loss", "ok")
        self.expect(t, "kill backend", "ok")
        self.kill_backends()
        t.go()
        self.expect(t, "lost commit", "uncertain")
        self.expect(t, "kill backend", "ok")
        self.kill_backends()
        t.go()
        self.expect(t, "lost inside", "unavailable")
        self.expect(t, "freeze", "ok")
        cell.postgres_freeze()
        try:
            began = time.monotonic()
            t.go()
            self.expect(t, "frozen", "unavailable", timeout=40)
            self.assertLess(time.monotonic() - began, 25)
            self.expect(t, "thaw", "ok")
        finally:
            cell.postgres_thaw()
        t.go()
        self.expect(t, "thawed", "ok")
        self.expect(t, "timeout", "ok")
        t.end()
        for name, n in (("tx", "1"), ("aborted", "0"), ("deallocated", "1"), ("after loss", "1"), ("lost", "0"), ("thawed", "1")):
            self.assertEqual(self.groups(name), n, name)

    def test_wide(self):
        """Many tenants on one connection: statements are forgotten, the backend is reopened, nothing fails."""
        cell.ctl("pool", "fill", "--to", "200", timeout=240)
        first, last = cell.sql("SELECT min(no), max(no) FROM control.tenant WHERE status = 'pooled' AND slice = no % 2")[0]
        cell.write_config(slices=1)  # all on one login role
        try:
            cell.sql("; ".join(f"GRANT t_{no} TO sekisho_s0" for no in range(int(first), int(last) + 1)))
            (got,) = run("wide", first, last, timeout=240)
        finally:
            cell.write_config()
        self.assertEqual(got["rc"], "ok")
        self.assertGreater(got["most"], 1900)
        self.assertLessEqual(got["most"], 2001)
        self.assertGreaterEqual(got["connects"], 2, "reopened after 3,500 preparations")


class Batches(unittest.TestCase):
    def ids(self, name):
        return {r[0] for r in cell.sql(f"SELECT id FROM {schema(name)}.device_group")}

    def check(self, got, a, b):
        """What was acknowledged is there, what was refused is not."""
        in_a, in_b = self.ids(a), self.ids(b)
        for x in got:
            where = in_b if x["tag"] == "other" else in_a
            if x["rc"] == "ok":
                self.assertIn(x["id"], where)
            elif x["rc"] in ("conflict", "invalid") and x["tag"] != "second":
                self.assertNotIn(x["id"], where)

    def test_bad_items(self):
        a, b = pair()
        got = run("bad", tenant(a), tenant(b))
        tail = got.pop()
        self.assertEqual(len(got), 45)
        by = {}
        for x in got:
            by.setdefault(x["tag"], []).append((x["rc"], x["sqlstate"]))
        self.assertEqual(set(by["good"]), {("ok", "")})
        self.assertEqual(set(by["other"]), {("ok", "")})
        self.assertEqual(by["orphan"], [("conflict", "23503")])
        self.assertEqual(sorted([by["first"][0][0], by["second"][0][0]]), ["conflict", "ok"])
        self.assertEqual(by["half"], [("conflict", "23503")])
        self.assertEqual(by["nul"], [("invalid", "22021")])
        self.check(got, a, b)
        self.assertGreaterEqual(tail["retries"], 1)

    def test_poisoned_lane(self):
        a, b = pair()
        got = run("lanes", tenant(a), tenant(b))
        tail = got.pop()
        self.assertEqual(tail["more"], 0, "a poisoned tenant's failures cost others no retry")
        self.assertEqual({x["rc"] for x in got if x["tag"] == "other"}, {"ok"})
        self.assertEqual({x["rc"] for x in got if x["tag"] == "good"}, {"ok"})
        self.assertEqual({x["rc"] for x in got if x["tag"] == "poison"}, {"conflict"})
        self.check(got, a, b)

    def stream(self, trouble):
        a, b = pair()
        t = Tool("stream", tenant(a), tenant(b))
        self.addCleanup(t.close)
        got = [t.line() for _ in range(50)]
        trouble()
        until = time.monotonic() + 40
        fine = 0
        while fine < 50 and time.monotonic() < until:
            got.append(t.line())
            fine = fine + 1 if got[-1]["rc"] == "ok" else 0
        got += t.end()
        self.assertTrue(got.pop()["end"])
        self.assertGreaterEqual(fine, 50, "writes go on after the trouble")
        self.check(got, a, b)
        return got

    def test_kill_9(self):
        """kill -9 of PostgreSQL in the middle of batches: acknowledged = present."""
        for _ in range(3):
            def trouble():
                cell.postgres_kill()
                cell.postgres_start()
            got = self.stream(trouble)
            self.assertTrue({x["rc"] for x in got} <= {"ok", "uncertain", "unavailable"}, {x["rc"] for x in got})

    def test_freeze(self):
        """A PostgreSQL that stands still makes batches fail, not hang; they go on when it does."""
        def trouble():
            cell.postgres_freeze()
            time.sleep(7)
            cell.postgres_thaw()
        got = self.stream(trouble)
        self.assertTrue({x["rc"] for x in got} <= {"ok", "uncertain", "unavailable"})

    def test_terminated_backend(self):
        self.stream(lambda: cell.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'sekisho_s%'"))

    def test_locked_row(self):
        """Another session holds a table: the tenant's items end as unavailable or wait for their turn; the other's commit."""
        a, b = pair()
        lock = subprocess.Popen(["psql", "-X", "-q", cell.conninfo("postgres")], stdin=subprocess.PIPE, text=True)
        try:
            lock.stdin.write(f"BEGIN; LOCK TABLE {schema(a)}.device_group;\n")
            lock.stdin.flush()
            time.sleep(0.5)
            got = run("lanes", tenant(a), tenant(b))
            got.pop()
            self.assertEqual({x["rc"] for x in got if x["tag"] == "other"}, {"ok"})
            self.assertEqual({x["rc"] for x in got if x["tag"] == "good"}, {"unavailable"})
        finally:
            lock.stdin.close()
            lock.wait(20)

    def test_commit_failure(self):
        """A failure that shows at the commit only (a deferred constraint): nothing of the item is kept, others are."""
        a, b = pair()
        cell.sql(f"ALTER TABLE {schema(a)}.device_group ADD CONSTRAINT late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
        try:
            got = run("lanes", tenant(a), tenant(b))
            got.pop()
            self.assertEqual({x["rc"] for x in got if x["tag"] == "other"}, {"ok"})
            good = [x["rc"] for x in got if x["tag"] == "good"]
            self.assertLessEqual(good.count("ok"), 1)
            self.assertEqual(set(good) - {"ok"}, {"conflict"})
            self.check(got, a, b)
        finally:
            cell.sql(f"ALTER TABLE {schema(a)}.device_group DROP CONSTRAINT late")

    def setUp(self):
        # Deferred uniqueness needs distinct names to begin with.
        for name in pair():
            cell.sql(f"DELETE FROM {schema(name)}.device_group WHERE name IN ('good', 'other', 'first', 'second', 'half')")


if __name__ == "__main__":
    unittest.main(verbosity=2)
