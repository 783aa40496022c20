# SPDX-License-Identifier: Apache-2.0
"""The faults. Each is a function of the world that makes one, ends it, and returns the moment (time.monotonic()) from which
the service has to recover: when what was missing is back; or two moments, the second being when it had recovered. It raises
Trouble when something on the way is not as it must be.

    @fault("server-kill", "kill -9 of the server, started again after 2 s")
    def server_kill(w): ...
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

from world import AS_ROOT, Failed, Relay, Trouble, demand, pg_bin, program, sh, signal_all, until, wait_gone

FAULTS = []
HOUR, DAY = 3600, 86400
LIMIT = 10  # seconds to steady state


class Fault:
    def __init__(self, name, text, run, root, real, last, limit, seconds):
        self.name, self.text, self.run, self.root, self.real, self.last = name, text, run, root, real, last
        self.limit, self.seconds = limit, seconds


def fault(name, text, root=False, real=False, last=False, limit=LIMIT, seconds=150):
    """root: needs rights; real: needs the real agent; last: the world is of no use afterwards; seconds: hard limit in all."""
    def note(run):
        FAULTS.append(Fault(name, text, run, root, real, last, limit, seconds))
        return run
    return note


def now():
    return time.monotonic()


def must_stand(w, seconds, grace=1.5):
    """While what is missing is missing, nothing may be acknowledged; but what was on its way may still come."""
    def acknowledged():
        asked = now()
        demand(lambda: all(f.heard > asked for f in w.fleets), 10, "the devices said nothing")  # no figure from before
        return w.count("events_acknowledged")
    time.sleep(grace)
    before = acknowledged()
    time.sleep(seconds)
    got = acknowledged() - before
    if got:
        raise Trouble(f"{got} events were acknowledged although they cannot have been written")


# ---- kill -9

@fault("server-kill", "kill -9 of the server, started again after 2 s")
def server_kill(w):
    w.service.kill()
    time.sleep(2)
    back = now()
    w.service.start()
    return back


@fault("postgres-kill", "kill -9 of PostgreSQL and its backends, started again after some 4 s")
def postgres_kill(w):
    w.cell.postgres_kill()
    must_stand(w, 2)
    w.cell.postgres_start()
    return now()


@fault("redis-kill", "kill -9 of Redis, started again empty after 3 s")
def redis_kill(w):
    before = w.count("events_acknowledged")
    w.cell.redis_kill()
    time.sleep(3)
    if w.count("events_acknowledged") == before:
        raise Trouble("agents do not go on without Redis")
    w.cell.redis_start()
    return now()


@fault("agent-kill", "kill -9 of all processes of the real agent, started again after 1 s; four times", real=True)
def agent_kill(w):
    agent = w.computer.agent
    back = 0.0
    for pause in (0.3, 1.1, 2.3, 0.7):
        agent.kill()
        time.sleep(1)
        back = now()
        agent.start()
        demand(lambda: (agent.status() or {}).get("state") == "connected", 20, "the agent did not connect")
        time.sleep(pause)
    return back


@fault("agent-net-kill", "kill -9 of the real agent's network process, which its supervisor replaces; three times", real=True)
def agent_net_kill(w):
    back = 0.0
    for _ in range(3):
        old = demand(w.computer.agent.network_pid, 10, "the agent did not name its network process")
        os.kill(old, signal.SIGKILL)
        back = now()
        demand(lambda o=old: w.computer.agent.network_pid() not in (None, o), 20, "the network process was not replaced")
        time.sleep(1)
    return back


@fault("fleet-kill", "kill -9 of all simulated devices, which go on from an old state: new epochs, records sent again")
def fleet_kill(w):
    for f in w.fleets:
        f.kill()
    time.sleep(1)
    for f in w.fleets:
        f.start()
    back = now()
    demand(lambda: w.count("new_epochs") > 0, 30, "no device was told to begin a new epoch")
    return back


# ---- SIGSTOP and SIGCONT

@fault("server-stop", "SIGSTOP of the server for 6 s")
def server_stop(w):
    signal_all([w.service.process.pid], signal.SIGSTOP)
    try:
        time.sleep(6)
    finally:
        signal_all([w.service.process.pid], signal.SIGCONT)
    return now()


@fault("postgres-stop", "SIGSTOP of PostgreSQL and its backends for some 7 s")
def postgres_stop(w):
    w.cell.postgres_freeze()
    try:
        must_stand(w, 5)
    finally:
        w.cell.postgres_thaw()
    return now()


@fault("redis-stop", "SIGSTOP of Redis for 6 s")
def redis_stop(w):
    before = w.count("events_acknowledged")
    w.cell.redis_process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(6)
        if w.count("events_acknowledged") == before:
            raise Trouble("agents do not go on while Redis stands still")
    finally:
        w.cell.redis_process.send_signal(signal.SIGCONT)
    return now()


@fault("agent-stop", "SIGSTOP of the real agent's network process and of all simulated devices for 6 s")
def agent_stop(w):
    pids = [f.process.pid for f in w.fleets] + (w.computer.pids("sekisho-net") if w.computer else [])
    signal_all(pids, signal.SIGSTOP)
    try:
        time.sleep(6)
    finally:
        signal_all(pids, signal.SIGCONT)
    return now()


# ---- several servers

@fault("two-servers-kill", "two servers on one database, one killed by kill -9 and left dead")
def two_servers_kill(w):
    second = w.second_server()
    w.relay.order("cut")  # so that both get devices
    w.relay.order("mend")
    w.steady(30)
    second.kill()
    back = now()
    w.replica = None
    steady = w.steady(30)
    w.relay.order("to", w.service.agent_port)
    return back, steady


@fault("rolling-restart", "two servers, each ended by SIGTERM and started again during the load")
def rolling_restart(w):
    w.second_server()
    w.steady(30)
    back = steady = 0.0
    for s in w.servers():
        code = s.stop()
        if code != 0:
            raise Trouble(f"a server ended with {code}")
        s.start()
        back = now()
        steady = w.steady(30)
    w.end_second_server()
    return back, steady


# ---- the database's schema

def next_version(folder):
    return max(int(p.name[:4]) for p in folder.glob("[0-9]*.sql") if ".verify." not in p.name) + 1


@fault("migration-kill", "a migration of all companies killed by kill -9 half-way, three times, and run again")
def migration_kill(w):
    folder = w.migrations / "tenant"
    version = next_version(folder)
    column = f"chaos_{version}"
    # The pause comes before the lock: a migration that is killed must not have stopped anybody's agents either.
    (folder / f"{version:04d}-add-{column.replace('_', '-')}.sql").write_text(
        f"-- A column for the test of killed migrations.\nSELECT pg_catalog.pg_sleep(0.3);\nALTER TABLE {{t}}.device ADD COLUMN {column} integer;\n"
        f"ALTER TABLE {{t}}.device ALTER COLUMN {column} SET DEFAULT 0;\n", encoding="utf-8")
    where = f"FROM control.tenant_migration WHERE version = {version}"
    done = []
    for seconds in (0.75, 0.5, 1.0):
        argv = [program("sekishoctl"), "--config", str(w.cell.config), "migrate", "run", "--connections", "1"]
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(seconds)
        if p.poll() is not None:
            raise Trouble("the migration ended before it could be killed")
        p.kill()
        p.wait(10)
        done.append(int(w.cell.value(f"SELECT count(*) {where}")))
    tenants = int(w.cell.value("SELECT count(*) FROM control.tenant"))
    if not 0 < done[-1] < tenants:
        raise Trouble(f"{done[-1]} of {tenants} companies were migrated when it was killed: not half-way")
    back = now()
    w.cell.ctl("migrate", "run", timeout=60)
    columns = int(w.cell.value(f"SELECT count(*) FROM information_schema.columns WHERE table_name = 'device' AND column_name = '{column}'"))
    rows, different = map(int, w.cell.sql(f"SELECT count(*), count(DISTINCT tenant_no) {where}")[0])
    behind = int(w.cell.value(f"SELECT count(*) FROM control.tenant WHERE schema_version <> {version}"))
    if not (columns == rows == different) or rows < tenants or behind:
        raise Trouble(f"after the run {columns} columns, {rows} notes of {different} companies, {behind} companies behind, of {tenants}")
    if w.cell.ctl_json("migrate", "run")["tenants_migrated"] != 0:
        raise Trouble("a run after the run migrated again")
    return back


# ---- disks

def fill(folder):
    """A file that takes all that is left, to the last block."""
    ballast = folder / "ballast"
    with open(ballast, "ab") as f:
        size = 64 << 20
        while size >= 4096:
            try:
                os.posix_fallocate(f.fileno(), f.seek(0, os.SEEK_END), size)
            except OSError:
                size //= 4
    return ballast


@fault("postgres-disk-full", "PostgreSQL's disk is full for 8 s", root=True)
def postgres_disk_full(w):
    if not w.disk or not w.cell.data.is_relative_to(w.disk):
        raise Trouble("PostgreSQL is not on its small disk any more (after a fail-over)")
    ballast = fill(w.disk)
    try:
        refused = w.count("checkins_refused")
        end = now() + 8
        while now() < end:
            if w.cell.postgres_process.poll() is not None:  # as its supervisor would
                with contextlib.suppress(RuntimeError):
                    w.cell.postgres_start()
            time.sleep(0.2)
        w.log(f"{w.count('checkins_refused') - refused} check-ins were refused")
        if w.count("checkins_refused") == refused and w.count("oldest_waiting_ms") < 2000:
            raise Trouble("a full disk was not noticed")
    finally:
        ballast.unlink()
    if w.cell.postgres_process.poll() is not None:
        w.cell.postgres_start()
    return now()


@fault("spool-disk-full", "the file system of the real agent's journal is full for 8 s", root=True, real=True)
def spool_disk_full(w):
    head = w.computer.journal()["head"]
    ballast = fill(w.computer.spool)
    try:
        time.sleep(1)
        first = w.computer.number
        time.sleep(7)
        if w.computer.number == first:
            raise Trouble("no file was dropped meanwhile")
    finally:
        ballast.unlink()
    back = now()
    demand(lambda: w.computer.journal().get("head", 0) > head + 2, 20, "the journal did not go on")
    return back


# ---- a standby

def make_standby(w):
    """A synchronous streaming standby of w.cell's PostgreSQL; its process and data folder. Undone with the world."""
    cell = w.cell
    data = cell.dir / f"standby-{int(now() * 1000)}"
    sockets = cell.second if cell.sockets != cell.second else cell.dir / "s"
    cell._own(data, "postgres")
    cell._own(sockets, "postgres", 0o711)
    cell._run([pg_bin("pg_basebackup"), "-h", str(cell.sockets), "-U", "postgres", "-D", str(data), "-X", "stream", "-c", "fast", "-R"],
              **cell._as("postgres"))
    with open(data / "postgresql.auto.conf", "a", encoding="utf-8") as f:
        f.write(f"primary_conninfo = 'host={cell.sockets} user=postgres application_name=standby'\nsynchronous_standby_names = ''\n")
    with open(cell.dir / "standby.log", "a", encoding="utf-8") as log:
        p = subprocess.Popen([pg_bin("postgres"), "-D", str(data), "-c", f"unix_socket_directories={sockets}"], stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log, start_new_session=True, **cell._as("postgres"))
    w.undo.callback(end_postgres, p)
    primary(w, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary(w, "SELECT pg_reload_conf()")
    demand(lambda: primary(w, "SELECT sync_state FROM pg_stat_replication").strip() == "sync", 30, "the standby did not become synchronous", 0.2)
    return p, data, sockets


def end_postgres(process):
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGQUIT)
        wait_gone(process)


def family(pid):
    return [pid] + [int(k) for k in open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()]


def at(sockets, text):
    return sh(pg_bin("psql"), "-X", "-q", "-At", "-c", text, f"host={sockets} user=postgres dbname=postgres", check=False, seconds=10)


def primary(w, text):
    return at(w.cell.sockets, text)


@fault("standby-stop", "the synchronous standby stands still for 12 s: nothing may be acknowledged meanwhile, not what is sent again either", root=True)
def standby_stop(w):
    process, data, _ = make_standby(w)
    w.steady(20)
    kids = family(process.pid)
    signal_all(kids, signal.SIGSTOP)
    try:
        must_stand(w, 10.5)
    finally:
        signal_all(kids, signal.SIGCONT)
    back = now()
    steady = w.steady(30)
    primary(w, "ALTER SYSTEM RESET synchronous_standby_names")
    primary(w, "SELECT pg_reload_conf()")
    end_postgres(process)
    shutil.rmtree(data, ignore_errors=True)
    return back, steady


def promote(w, process, data, sockets):
    """The standby becomes the database; when it takes writes."""
    w.cell._run([pg_bin("pg_ctl"), "promote", "-D", str(data), "-W"], **w.cell._as("postgres"))
    demand(lambda: at(sockets, "SELECT pg_is_in_recovery()").strip() == "f", 20, "the standby was not promoted")
    back = now()
    old = w.cell.data
    w.cell.data, w.cell.sockets, w.cell.postgres_process = data, sockets, process
    shutil.rmtree(old, ignore_errors=True)  # it must not come back as a second truth
    with open(data / "postgresql.auto.conf", "a", encoding="utf-8") as f:
        f.write(f"unix_socket_directories = '{sockets}'\n")
    return back


@fault("failover", "kill -9 of PostgreSQL during the load, its synchronous standby is promoted and serves from then on", root=True)
def failover(w):
    standby = make_standby(w)
    w.steady(20)
    time.sleep(2)
    w.cell.postgres_kill()
    return promote(w, *standby)


@fault("failover-behind", "the same after the standby stood still for 8 s: what PostgreSQL had written meanwhile is gone, and was not acknowledged",
       root=True)
def failover_behind(w):
    standby = make_standby(w)
    w.steady(20)
    kids = family(standby[0].pid)
    signal_all(kids, signal.SIGSTOP)
    try:
        must_stand(w, 6.5)
        w.cell.postgres_kill()
    finally:
        signal_all(kids, signal.SIGCONT)
    return promote(w, *standby)


# ---- clocks

def steps(w, clock, size):
    back, sign = 0.0, 1 if clock is w.server_clock else -1
    try:
        for offset in (size, -size, 0):
            clock.step(offset)
            back = now()
            if offset:
                began = w.steady(LIMIT + 5) - back
                if began > LIMIT:
                    raise Trouble(f"with the clock at {offset:+d} s it took {began:.1f} s until all was well")
                if w.computer:  # has it stepped at all?
                    demand(lambda o=offset * sign: abs((w.computer.agent.status() or {}).get("clock_skew_seconds", 0) - o) < 60, 15,
                           "the agent did not see that its clock and the server's are apart")
                time.sleep(1.5)
                w.steady(LIMIT)
    finally:
        clock.step(0)
    return back


@fault("clock-server-hour", "the server's clock steps by +1 h, then -1 h, then back")
def clock_server_hour(w):
    return steps(w, w.server_clock, HOUR)


@fault("clock-server-day", "the server's clock steps by +1 day, then -1 day, then back")
def clock_server_day(w):
    return steps(w, w.server_clock, DAY)


@fault("clock-agent-hour", "all agents' clocks step by +1 h, then -1 h, then back")
def clock_agent_hour(w):
    return steps(w, w.agent_clock, HOUR)


@fault("clock-agent-day", "all agents' clocks step by +1 day, then -1 day, then back")
def clock_agent_day(w):
    return steps(w, w.agent_clock, DAY)


# ---- the network

@fault("net-delay", "200 ms more in each direction for 8 s")
def net_delay(w):
    w.relay.order("delay", 0.2)
    try:
        time.sleep(8)
        if w.count("connected") < w.devices // 2 * 2:
            raise Trouble("connections were lost only because the network was slow")
    finally:
        w.relay.order("delay", 0)
    return now()


@fault("net-hold", "nothing passes for 6 s, connections stay")
def net_hold(w):
    w.relay.order("hold")
    try:
        time.sleep(6)
    finally:
        w.relay.order("go")
    return now()


@fault("net-cut", "all connections are reset, and new ones for 5 s")
def net_cut(w):
    w.relay.order("cut")
    try:
        time.sleep(5)
    finally:
        w.relay.order("mend")
    return now()


class Namespace:
    """A network namespace whose only way out is a link to us."""

    def __init__(self, w):
        self.name = f"skchaos{os.getpid()}"
        number = os.getpid() % 200
        self.here, self.there = f"10.231.{number}.1", f"10.231.{number}.2"
        link = f"skc{os.getpid() % 100000}"
        self.prefix = ("ip", "netns", "exec", self.name)
        sh("ip", "netns", "add", self.name)
        w.undo.callback(self.delete)
        sh("ip", "link", "add", link, "type", "veth", "peer", "name", "way-out", "netns", self.name)
        sh("ip", "address", "add", f"{self.here}/30", "dev", link)
        sh("ip", "link", "set", link, "up")
        for words in (("address", "add", f"{self.there}/30", "dev", "way-out"), ("link", "set", "way-out", "up"), ("link", "set", "lo", "up")):
            sh(*self.prefix, "ip", *words)

    def delete(self):
        for pid in sh("ip", "netns", "pids", self.name, check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        sh("ip", "netns", "delete", self.name, check=False)

    def lose(self, percent):
        rules = "table inet chaos {\n" + "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; {which} \"way-out\" numgen random mod 100 < {percent} drop; }}\n"
            for hook, which in (("input", "iifname"), ("output", "oifname"))) + "}"
        sh(*self.prefix, "nft", rules)

    def lose_nothing(self):
        sh(*self.prefix, "nft", "delete", "table", "inet", "chaos")


@fault("net-loss", "a network that loses 10 % of all packets in each direction for 8 s (nftables numgen)", root=True)
def net_loss(w):
    ns = Namespace(w)
    outside = Relay(str(w.relay.port), listen=(ns.here,))
    inside = Relay(f"{ns.here}:{outside.port}", prefix=ns.prefix)
    w.undo.callback(outside.stop)
    w.undo.callback(inside.stop)
    try:
        for f in w.fleets:
            if f.stop() != 0:
                raise Trouble(f"the devices of {f.tenant} did not end in order")
            f.start(port=inside.port, prefix=ns.prefix)
        w.steady(40)
        before = w.count("events_acknowledged")
        ns.lose(10)
        time.sleep(8)
        ns.lose_nothing()
        back = now()
        w.log(f"{w.count('events_acknowledged') - before} events were acknowledged meanwhile")
        steady = w.steady(40)
    finally:
        for f in w.fleets:
            f.stop()
            f.start()
        inside.stop()
        outside.stop()
        ns.delete()
    return back, steady


# ---- the guard

@fault("guard-stop", "SIGSTOP of the process that holds file accesses; its supervisor has to replace it within 5 s", root=True, real=True)
def guard_stop(w):
    c = w.computer
    if (c.agent.status() or {}).get("protection", {}).get("state") != "on":
        raise Trouble("the guard does not hold accesses here")
    c.dropping.clear()
    time.sleep(1.2)
    old = c.pids("sekisho-guard")
    if len(old) != 1:
        raise Trouble(f"there are {len(old)} guards")
    signal_all(old, signal.SIGSTOP)
    stopped = now()
    try:
        _, took = c.drop()
        if took > 5:
            raise Trouble(f"an access was held for {took:.1f} s")
        demand(lambda: c.pids("sekisho-guard") not in ([], old), 15, "the guard was not replaced")
        w.log(f"an access was held for {took:.1f} s, the guard replaced after {now() - stopped:.1f} s")
        back = now()
        demand(lambda: (c.agent.status() or {}).get("protection", {}).get("state") == "on", 15, "the new guard does not hold accesses")
        number, _ = c.drop()
        demand(lambda: not c.file(number).exists(), 10, "the new guard finds nothing")
    finally:
        signal_all([p for p in old if until(lambda q=p: os.path.exists(f"/proc/{q}"), 0)], signal.SIGCONT)
        c.dropping.set()
    return back


# ---- certificates

# A device learns of it at its next contact, which comes within the 10 s between scheduled ones; the last one then has its 10 s.
@fault("certificate-expiry", "all certificates expire while their devices are connected (server's clock +91 days); each learns of it within 10 s",
       last=True, limit=2 * LIMIT)
def certificate_expiry(w):
    renewed = w.count("renewals")
    before = (w.computer.agent.status() or {}).get("certificate_expires_at") if w.computer else None
    w.server_clock.step(91 * DAY)
    back = now()
    demand(lambda: w.count("renewals") > renewed, 15, "no device has noticed")
    steady = w.steady(40)
    # Those that had nothing to tell learn of it with their next scheduled contact.
    demand(lambda: w.count("renewals") - renewed >= sum(f.devices for f in w.fleets), 60, "not all devices renewed their certificates", 0.1)
    if w.computer:
        demand(lambda: (w.computer.agent.status() or {}).get("certificate_expires_at") not in (None, before), 30, "the agent did not renew")
    return back, steady


NAMES = [f.name for f in FAULTS]
assert len(set(NAMES)) == len(NAMES) and all(re.fullmatch(r"[a-z0-9-]+", n) for n in NAMES)
__all__ = ["AS_ROOT", "FAULTS", "Failed", "Fault", "LIMIT", "NAMES"]
