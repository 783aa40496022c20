# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL and Redis for tests, in a temporary folder, on sockets only; nothing of the machine's own is touched.

    with Cell() as cell:                 # both are running
        cell.bootstrap()                 # roles, database, migrations, keys
        made = cell.ctl_json("apply", "-f", cell.source("tenants/samples"))
        cell.sql("SELECT count(*) FROM control.tenant")    # as the superuser: a list of tuples of text
        cell.postgres_kill(); cell.postgres_start()        # kill -9, and up again

As root, PostgreSQL runs as the user postgres and Redis as redis (or nobody), since PostgreSQL refuses root. Programs come
from $SEKISHO_BUILD, else from the newest folder below build/ that has a sekishoctl. Every wait has a time-out.
"""
import atexit
import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60


def end_with_parent():
    """In a child: SIGQUIT when the test dies, however it dies (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def pg_bin(name):
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        raise RuntimeError(f"{name} is not installed (package postgresql)")
    return found


def program(name):
    """The path of one of our programs."""
    build = os.environ.get("SEKISHO_BUILD")
    folders = [Path(build)] if build else [ROOT / "build"]
    found = [p for f in folders for p in f.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    if not found:
        raise RuntimeError(f"{name} is not built (looked below {folders[0]})")
    return str(max(found, key=lambda p: p.stat().st_mtime))


def end_on_sigterm(cell):
    """A test that is cut off by a time-out still removes its cell; unittest would swallow a SystemExit."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(*_):
        cell.close()
        os._exit(143)
    signal.signal(signal.SIGTERM, end)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Failed(Exception):
    """A program of ours ended with an exit code other than the expected one."""

    def __init__(self, args, done):
        super().__init__(f"{' '.join(map(str, args))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


class Cell:
    def __init__(self, slices=2, settings=None, redis=True):
        if threading.current_thread() is threading.main_thread():
            end_on_sigterm(self)
        atexit.register(self.close)
        self.slices = slices
        self.with_redis = redis
        self.settings = settings or {}  # of postgresql.conf
        self.dir = Path(tempfile.mkdtemp(prefix="sk-", dir="/tmp"))  # short: socket paths have 107 bytes
        self.dir.chmod(0o711)
        self.root = os.geteuid() == 0
        self.data = self.dir / "pg"
        self.sockets = self.dir / "s"
        self.redis_socket = self.dir / "r" / "redis.sock"
        self.postgres_process = self.redis_process = None
        self.frozen = []
        self.config = self.dir / "sekisho.conf"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def source(self, path):
        return str(ROOT / path)

    # ---- the machine's users

    def _as(self, user):
        """Arguments of subprocess that make a program run as user."""
        if not self.root:
            return {}
        who = pwd.getpwnam(user)
        return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": [], "cwd": "/"}

    def _own(self, path, user, mode=0o700):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if self.root:
            who = pwd.getpwnam(user)
            os.chown(path, who.pw_uid, who.pw_gid)

    def _run(self, args, **kw):
        kw.setdefault("timeout", TIMEOUT)
        done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
        if done.returncode:
            raise Failed(args, done)
        return done.stdout

    # ---- PostgreSQL

    def start(self):
        self._own(self.data, "postgres")
        self._own(self.sockets, "postgres", 0o711)
        if not (self.data / "PG_VERSION").exists():
            self._run([pg_bin("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
                       "--locale=C.UTF-8", "--no-sync"], **self._as("postgres"))
            conf = {
                "listen_addresses": "", "unix_socket_directories": str(self.sockets), "unix_socket_permissions": "0777",
                "fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "max_connections": "200",
                "max_locks_per_transaction": "256", "shared_buffers": "64MB", "autovacuum_naptime": "5min",
                "log_min_messages": "warning", "logging_collector": "off",
            }
            conf.update(self.settings)
            with open(self.data / "postgresql.conf", "a", encoding="utf-8") as f:
                f.writelines(f"{k} = '{v}'\n" for k, v in conf.items())
        self.postgres_start()
        if self.with_redis:
            self.redis_start()

    def postgres_start(self):
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for _ in range(20):
            with open(self.dir / "pg.log", "a", encoding="utf-8") as log:
                self.postgres_process = subprocess.Popen([pg_bin("postgres"), "-D", str(self.data)], stdin=subprocess.DEVNULL,
                                                         stdout=log, stderr=log, preexec_fn=end_with_parent, **self._as("postgres"))
            if self._postgres_ready():
                return
            # After a kill -9 the last backends may still hold the shared memory for a moment.
            time.sleep(0.2)
        raise RuntimeError("PostgreSQL does not start:\n" + (self.dir / "pg.log").read_text()[-2000:])

    def _postgres_ready(self):
        until = time.monotonic() + 30
        while self.postgres_process.poll() is None and time.monotonic() < until:
            try:
                self.sql("SELECT 1", database="postgres")
                return True
            except Failed:
                time.sleep(0.05)
        return False

    def _family(self):
        pid = self.postgres_process.pid
        kids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid] + [int(k) for k in kids]

    def postgres_kill(self):
        """kill -9 of the postmaster and of every backend."""
        for pid in self._family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.postgres_process.wait(TIMEOUT)

    def postgres_freeze(self):
        """SIGSTOP: sockets accept, nothing answers."""
        self.frozen = self._family()
        for pid in self.frozen:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                pass

    def postgres_thaw(self):
        for pid in self.frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def postgres_stop(self, sig=signal.SIGINT):
        """SIGINT: fast shutdown; SIGQUIT: at once, with recovery at the next start."""
        if self.postgres_process and self.postgres_process.poll() is None:
            self.postgres_process.send_signal(sig)
            self.postgres_process.wait(TIMEOUT)

    def conninfo(self, user=None, database="sekisho"):
        return f"host={self.sockets} dbname={database}" + (f" user={user}" if user else "")

    def sql(self, text, user="postgres", database="sekisho", role=None):
        """Runs SQL by psql; rows as tuples of text, NULL as None. An error raises Failed with its text in .err."""
        before = ["-c", f"SET ROLE {role}"] if role else []
        out = self._run([pg_bin("psql"), "-X", "-q", "-At", "-F", "\x1f", "-R", "\x1d", "-P", "null=\x1e", "-v", "ON_ERROR_STOP=1", "-v",
                         "VERBOSITY=verbose", *before, "-c", text, self.conninfo(user, database)], cwd="/")
        return [tuple(None if c == "\x1e" else c for c in line.split("\x1f")) for line in out.removesuffix("\n").split("\x1d") if out]

    def value(self, text, **kw):
        return self.sql(text, **kw)[0][0]

    # ---- Redis

    def redis_start(self):
        user = "redis"
        try:
            pwd.getpwnam(user)
        except KeyError:
            user = "nobody"
        self._own(self.redis_socket.parent, user, 0o711)
        self.redis_process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", str(self.redis_socket), "--unixsocketperm", "777",
                              "--save", "", "--appendonly", "no", "--dir", str(self.redis_socket.parent), "--loglevel", "warning"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent, **self._as(user))
        until = time.monotonic() + 10
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(1)
                    s.connect(str(self.redis_socket))
                    s.sendall(b"PING\r\n")
                    if s.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.05)

    def redis_kill(self):
        self.redis_process.kill()
        self.redis_process.wait(TIMEOUT)
        self.redis_socket.unlink(missing_ok=True)

    # ---- Sekisho

    def write_config(self, **more):
        values = {
            "database": self.conninfo(), "owner_database": self.conninfo("sekisho_owner"),
            "redis": str(self.redis_socket), "keyring": str(self.dir / "keyring"), "migrations": self.source("migrations"),
            "slices": self.slices, "tls_certificate": str(self.dir / "server.pem"), "tls_key": str(self.dir / "server.key"),
            "ca_file": str(self.dir / "ca.pem"),
        }
        values.update(more)
        self.config.write_text("".join(f"{k} = {v}\n" for k, v in values.items()), encoding="utf-8")
        return self.config

    def ctl(self, *args, expect=0, timeout=TIMEOUT):
        """sekishoctl; its standard output. Another exit code than expect raises Failed."""
        argv = [program("sekishoctl"), "--config", str(self.config), *map(str, args)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, check=False)
        if done.returncode != expect:
            raise Failed(argv, done)
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def ctl_json(self, *args, **kw):
        return json.loads(self.ctl("--json", *args, **kw))

    def bootstrap(self, **config):
        """Keyring, roles, database, migrations, platform keys."""
        if not self.config.exists() or config:
            self.write_config(**config)
        if not (self.dir / "keyring").exists():
            self.ctl("key", "init")
        self.ctl("bootstrap", "--admin", self.conninfo("postgres", "postgres"))

    def close(self):
        atexit.unregister(self.close)
        if self.redis_process:
            try:
                self.redis_kill()
            except (OSError, IndexError, subprocess.TimeoutExpired):
                pass
        if self.postgres_process and self.postgres_process.poll() is None:
            self.postgres_thaw()
            self.postgres_stop(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)


if __name__ == "__main__":  # a cell to look at: prints its folder and configuration, ends at Ctrl-C
    with Cell() as it:
        it.bootstrap()
        print(f"{it.dir}\npsql '{it.conninfo('postgres')}'\nsekishoctl --config {it.config}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
