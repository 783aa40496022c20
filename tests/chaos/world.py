# SPDX-License-Identifier: Apache-2.0
"""What the faults happen to: PostgreSQL and Redis of our own, one or two servers behind a relay, two companies with simulated
devices that record what was acknowledged, a real agent with a real engine, and companies without traffic.

    with World(devices=500) as world:
        world.steady(30)         # all are connected, and nothing waits for longer than a moment
        world.ledger.check()     # see ledger.py

Whatever is mounted, started or changed goes on world.undo (last in, first out), which is worked off however the block ends.
"""
import contextlib
import json
import mmap
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in ("tests/integration", "tests/integration/identity", "tests/integration/agent", "tests/integration/agent_protect"):
    sys.path.insert(0, str(ROOT / folder))
from cell import Cell, Failed, end_with_parent, free_port, pg_bin, program  # noqa: E402
from fleet import EICAR, Agent  # noqa: E402
from service import Service  # noqa: E402
from test_protect import Clamd  # noqa: E402
from ledger import Ledger  # noqa: E402

AS_ROOT = os.geteuid() == 0
TENANTS = ("east", "west")
WAITS_MS = 1500   # an event that waits for longer is late
QUIET_S = 2.0     # longer than an event may wait, so that what has just stopped is noticed
DISK_MIB = 1500   # of PostgreSQL's small file system
SPOOL = "1m"      # of the agent's
SETTINGS = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "128MB", "max_wal_size": "256MB",
            "wal_level": "replica", "max_wal_senders": "4", "wal_keep_size": "64MB", "restart_after_crash": "on"}


class Trouble(Exception):
    """Something did not become as it should within its time."""


def until(what, seconds, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step)
    return what()


def demand(what, seconds, sentence, step=0.05):
    value = until(what, seconds, step)
    if not value:
        raise Trouble(f"{sentence} within {seconds:g} s")
    return value


def sh(*args, check=True, seconds=30):
    done = subprocess.run([str(a) for a in args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)
    if check and done.returncode:
        raise Trouble(f"{' '.join(map(str, args))} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def signal_all(pids, sig):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)


def wait_gone(process, seconds=20):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
        return None


def sweep():
    """What a run that was killed by SIGKILL left behind: its mounts and network namespaces name its process."""
    def dead(pid):
        return not Path(f"/proc/{pid}").exists()
    for line in reversed(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()):
        found = re.search(r"^\S+ (/tmp/skx-(\d+)-\S+)", line)
        if found and dead(found[2]):
            sh("umount", "-l", found[1], check=False)
    for name in re.findall(r"^skchaos(\d+)", sh("ip", "netns", "list", check=False) if AS_ROOT and shutil.which("ip") else "", re.M):
        if dead(name):
            sh("ip", "netns", "delete", f"skchaos{name}", check=False)
    for folder in Path("/tmp").glob("skx-*-*"):
        if dead(folder.name.split("-")[1]):
            shutil.rmtree(folder, ignore_errors=True)


class Clock:
    """An injected clock: processes that are started with env see each step at once (common/clock.h)."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(struct.pack("=q", 0))
        path.chmod(0o644)
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 8)
        self.env = {"SEKISHO_TESTING": "1", "SEKISHO_CLOCK_FILE": str(path)}

    def step(self, seconds):
        self.memory[0:8] = struct.pack("=q", seconds)


class Relay:
    """relay.py as a process; orders are answered before order() returns."""

    def __init__(self, targets, listen=("127.0.0.1",), port=None, prefix=()):
        self.port = port or free_port()
        args = [a for host in listen for a in ("--listen", f"{host}:{self.port}")]
        self.process = subprocess.Popen([*prefix, "/usr/bin/python3", str(HERE / "relay.py"), *args, "--to", targets], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        if self.process.stdout.readline() != "ready\n":
            raise Trouble("the relay does not start")

    def order(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "ok\n":
            raise Trouble(f"the relay has ended at the order {words}")

    def stop(self):
        self.process.kill()
        self.process.wait(10)


class ChaosCell(Cell):
    """Two places for PostgreSQL: the one that is not there or a standby is passed over."""

    def __init__(self):
        super().__init__(settings=SETTINGS)
        self.second = self.dir / "s2"

    def conninfo(self, user=None, database="sekisho"):
        return f"host={self.dir / 's'},{self.second} target_session_attrs=read-write dbname={database}" + (f" user={user}" if user else "")


class ChaosService(Service):
    """A server with the injected clock."""

    env = {}

    def _process(self, **env):
        return super()._process(**{**self.env, **env})

    def kill(self):
        self.process.kill()
        self.process.wait(20)
        self.process = None

    def ready(self):
        if not self.process or self.process.poll() is not None:
            return False
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.ops_port), 2) as s:
                s.sendall(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                return b" 200 " in s.recv(64)
        return False


class Fleet:
    """Simulated devices of one company: one process, its record of acknowledgements, its last report."""

    def __init__(self, world, tenant, devices, seed, rate):
        self.world, self.tenant, self.devices, self.seed, self.rate = world, tenant, devices, seed, rate
        self.record, self.state = world.dir / f"{tenant}.record", world.dir / f"{tenant}.state"
        self.log = world.dir / f"{tenant}.log"
        self.process, self.last, self.heard = None, {}, 0.0
        self.totals = {}

    def arguments(self, verb, port):
        s = self.world.service
        return [program("sekisho-sim"), verb, "--server", f"localhost:{port}", "--ca", str(s.cell.dir / "ca.pem"), "--token",
                s.enrolment_token(self.tenant), "--devices", str(self.devices), "--seed", str(self.seed), "--state", str(self.state),
                "--numbered", "--rate-detections", str(self.rate), "--rate-changes", "12", "--concurrency", "64", "--json"]

    def start(self, port=None, prefix=()):
        args = [*prefix, *self.arguments("run", port or self.world.relay.port), "--record", str(self.record), "--report", "0.2", "--ramp", "1",
                "--drain", "8"]
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                            env=dict(os.environ, **self.world.agent_clock.env), start_new_session=True, preexec_fn=end_with_parent)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process):
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                report = json.loads(line)
                if process is self.process:
                    self.last, self.heard = report, time.monotonic()

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self.last = {}

    def stop(self):
        """Lets it drain; its exit code, 0 when all was acknowledged."""
        if not self.process:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        code = wait_gone(self.process, 15)
        self.process, self.last = None, {}
        return code

    def count(self, name):
        return self.last.get(name, 0)

    def trouble(self):
        """Why it is not steady, or None."""
        if not self.process or self.process.poll() is not None:
            return f"the devices of {self.tenant} are not running"
        if time.monotonic() - self.heard > 1:
            return f"the devices of {self.tenant} say nothing"
        if self.count("gone"):
            return f"{self.count('gone')} devices of {self.tenant} were sent away"
        if self.count("connected") < self.devices:
            return f"{self.count('connected')} of {self.devices} devices of {self.tenant} are connected"
        late = self.count("oldest_waiting_ms")
        return f"an event of {self.tenant} waits for {late} ms" if late > WAITS_MS else None


class Computer:
    """The real agent, and somebody who puts a file with the test virus into its watched folder each second."""

    def __init__(self, world, tenant):
        self.world, self.tenant, self.number, self.stopped = world, tenant, 0, threading.Event()
        self.source = world.dir / "eicar"
        self.source.write_text(EICAR, encoding="utf-8")
        self.agent = Agent(world.service, world.clamd, tenant=tenant, env=dict(world.agent_clock.env), server_port=world.relay.port,
                           scan_targets="/nonexistent", spool_size=524288, log_level="info")
        self.dropping, self.pace, self.slowest = threading.Event(), 1.0, 0.0
        self.agent.state = world.dir / "agent"  # where sweep() finds its mount
        self.agent.values["state_dir"] = self.agent.state
        self.agent.write()
        self.spool = self.agent.state / "agent/spool"
        self.spool.mkdir(parents=True, mode=0o700)
        self.thread = threading.Thread(target=self._drop, daemon=True)

    def start(self):
        self.agent.start()
        self.dropping.set()
        if not self.thread.is_alive():
            self.thread.start()

    def file(self, number):
        return self.agent.watched / f"virus-{number}.txt"

    def _drop(self):
        while not self.stopped.wait(self.pace):
            if self.dropping.is_set():
                self.drop()

    def drop(self):
        """By another process and under a time-out: the guard may hold it. Returns its number and how long it took."""
        self.number += 1
        number, began = self.number, time.monotonic()
        subprocess.run(["timeout", "--kill-after=2", "15", "cp", self.source, self.file(number)], capture_output=True, check=False)
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        return number, took

    def journal(self):
        return (self.agent.status() or {}).get("journal") or {}

    def pids(self, name):
        """Of the agent's processes with that name: sekisho-guard, sekisho-net, ..."""
        found = []
        for pid in self.agent.family() if self.agent.process else []:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name:
                    found.append(pid)
        return found

    def trouble(self):
        status = self.agent.status()
        if not self.agent.process or self.agent.process.poll() is not None:
            return "the agent does not run"
        if not status or status["state"] != "connected":
            return f"the agent is {status['state'] if status else 'silent'}: {(status or {}).get('trouble_text', '')}"
        if status["journal"]["lost"]:
            return f"the agent has lost {status['journal']['lost']} records"
        return f"{status['journal']['waiting']} records of the agent wait" if status["journal"]["waiting"] > 4 else None

    def stop(self):
        self.stopped.set()
        if self.agent.process:
            signal_all(self.agent.family(), signal.SIGCONT)
        if self.thread.is_alive():
            self.thread.join(20)
        self.agent.stop()


class World:
    def __init__(self, devices=500, rate=0.2, real=True, quiet=8, calm=QUIET_S, log=lambda text: None, trace=False):
        """rate: events per second and simulated device; quiet: companies without traffic, 2 to 8; calm: seconds that all must be
        well to count as steady; trace: log what is waited for, while it changes."""
        self.undo = contextlib.ExitStack()
        self.devices, self.rate, self.real, self.quiet, self.calm, self.log = devices, rate, real, quiet, calm, log
        self.fleets, self.computer, self.replica = [], None, None
        self.trace = trace
        self.waited_for = ""  # what steady() saw last that was not well

    def __enter__(self):
        try:
            self._enter()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Not to be cut off: what is begun is ended."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
        kept = [signal.signal(s, signal.SIG_IGN) for s in signals]
        try:
            self.undo.close()
        finally:
            for s, handler in zip(signals, kept):
                signal.signal(s, handler)

    def _enter(self):
        self.dir = Path(tempfile.mkdtemp(prefix=f"skx-{os.getpid()}-", dir="/tmp"))
        self.undo.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)
        self.server_clock, self.agent_clock = Clock(self.dir / "server.clock"), Clock(self.dir / "agent.clock")
        self._cell()
        self._servers()
        self.ledger = Ledger(self)
        self._quiet_companies()
        for i, tenant in enumerate(TENANTS):
            self.fleets.append(Fleet(self, tenant, self.devices // 2, 100 + i, self.rate * 3600))
            self.undo.callback(self.fleets[-1].stop)
            self.fleets[-1].start()
        if self.real:
            self._computer()
        self.steady(60)
        self.ledger.begin()

    # ---- parts

    def _cell(self):
        cell = self.cell = ChaosCell()
        self.undo.callback(shutil.rmtree, cell.dir, ignore_errors=True)
        self.disk = None
        if AS_ROOT:
            self.disk = self.dir / "disk"
            self.disk.mkdir(mode=0o755)
            image = self.dir / "disk.image"
            with open(image, "wb") as f:
                f.truncate(DISK_MIB << 20)
            sh("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", image, seconds=60)
            self.mount("-o", "loop,noatime", image, self.disk)
            cell.data = self.disk / "pg"
        self.migrations = self.dir / "migrations"
        shutil.copytree(ROOT / "migrations", self.migrations)

    def mount(self, *args):
        """mount ARGS... with the mount point last; undone at the end."""
        sh("mount", *args)
        self.undo.callback(self.unmount, args[-1])

    def unmount(self, place):
        for how in ((), (), ("-l",)):
            if not os.path.ismount(place):
                return
            sh("umount", *how, place, check=False)
            time.sleep(0.2)

    def _servers(self):
        self.relay = None
        tenants = [f"tests/chaos/tenants/{t}.json" for t in (*TENANTS, *(f"quiet-{n}" for n in range(1, self.quiet + 1)))]
        self.service = ChaosService(tenants=tenants, cell=self.cell, migrations=self.migrations, default_interval=10,
                                    heartbeat=15)
        self.service.env = self.server_clock.env
        self.undo.callback(self.service.__exit__)
        self.service.__enter__()
        self.relay = Relay(str(self.service.agent_port))
        self.undo.callback(self.relay.stop)

    def _quiet_companies(self):
        """Rows that nobody has a reason to touch."""
        for tenant in ("quiet-1", "quiet-2"):
            fleet = Fleet(self, tenant, 4, 7, 3600)
            self.undo.callback(fleet.stop)
            fleet.start()
            demand(lambda f=fleet: f.count("events_acknowledged") >= 4, 30, f"events of {tenant} were not acknowledged")
            if fleet.stop() != 0:
                raise Trouble(f"the devices of {tenant} did not end")

    def _computer(self):
        engine = self.dir / "engine"
        engine.mkdir(mode=0o755)
        self.clamd = Clamd(engine)
        self.undo.callback(self.clamd.stop)
        self.computer = Computer(self, TENANTS[0])
        self.undo.callback(self.computer.agent.__exit__)
        self.undo.callback(self.computer.stop)
        if AS_ROOT:
            self.mount("-t", "tmpfs", "-o", f"size={SPOOL},mode=0700", "tmpfs", self.computer.spool)
        self.computer.start()

    def second_server(self):
        """The replica; the relay gives new connections to both in turn."""
        if not self.replica:
            self.replica = self.service.replica()
            self.undo.callback(self.end_second_server)
        self.relay.order("to", f"{self.service.agent_port},{self.replica.agent_port}")
        return self.replica

    def end_second_server(self):
        if self.replica:
            with contextlib.suppress(Trouble, OSError):
                self.relay.order("to", self.service.agent_port)
            self.replica.stop()
        self.replica = None

    # ---- state

    def servers(self):
        return [s for s in (self.service, self.replica) if s]

    def trouble(self):
        """Why all is not well, or None."""
        for s in self.servers():
            if not s.ready():
                return "a server is not ready"
        for part in [*self.fleets, *([self.computer] if self.computer else [])]:
            why = part.trouble()
            if why:
                return why
        return None

    def steady(self, seconds):
        """Waits until all has been well for self.calm seconds; the time (monotonic) when that began."""
        end, since, why = time.monotonic() + seconds, None, None
        while time.monotonic() < end + self.calm:
            now = time.monotonic()
            why = self.trouble()
            if why:
                if self.trace and why != self.waited_for:
                    self.log(f"{now - end + seconds:5.1f} s: {why}")
                since, self.waited_for = None, why
                if now > end:
                    break
            else:
                since = since or now
                if now - since >= self.calm:
                    return since
            time.sleep(0.1)
        raise Trouble(f"not steady within {seconds:g} s: {why}")

    def count(self, name):
        return sum(f.count(name) for f in self.fleets)

    def logs(self):
        """The ends of all logs, for a failure."""
        out = []
        places = [self.cell.dir / "server.log", self.cell.dir / "pg.log", *(f.log for f in self.fleets)]
        if self.computer:
            places.append(self.computer.agent.dir / "log")
        for place in places:
            with contextlib.suppress(OSError):
                out.append(f"---- {place.name} ({place.parent.name})\n" + place.read_text(encoding="utf-8", errors="replace")[-3000:])
        return "\n".join(out)


__all__ = ["AS_ROOT", "Failed", "Relay", "Trouble", "World", "demand", "pg_bin", "program", "sh", "signal_all", "sweep", "until", "wait_gone"]
