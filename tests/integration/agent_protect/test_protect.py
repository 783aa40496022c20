# SPDX-License-Identifier: Apache-2.0
"""The agent's protection part against a real clamd, real fanotify and real nftables, driven by protect_probe. Only scratch
folders are marked; whatever touches them runs under a time-out, for a guard that fails would hold it."""
import json
import os
import pwd
import queue
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
TROJAN = "sekisho-test-threat-trojan"
AS_ROOT = os.geteuid() == 0


def program():
    if os.environ.get("SEKISHO_BUILD"):
        return Path(os.environ["SEKISHO_BUILD"]) / "protect_probe"
    found = list((ROOT / "build").glob("*/protect_probe"))
    return max(found, key=lambda p: p.stat().st_mtime) if found else Path("missing")


PROGRAM = program()


def sh(*args, check=True, seconds=20, **kw):
    """A command that may touch a watched folder: always under a time-out."""
    return subprocess.run(["timeout", "--kill-after=2", str(seconds), *args], capture_output=True, text=True, check=check, **kw)


def until(what, seconds=15, step=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step)
    return None


def read_or_nothing(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Clamd:
    """The engine as user clamav on a socket and signatures of our own."""

    def __init__(self, folder, as_root=False):
        self.folder = Path(folder)
        self.signatures, self.socket = self.folder / "db", self.folder / "clamd.sock"
        self.signatures.mkdir()
        for f in ("local.ndb", "local.hsb"):
            shutil.copy(ROOT / "tests/fixtures/clamav" / f, self.signatures)
        self.conf = self.folder / "clamd.conf"
        self.conf.write_text(
            f"LocalSocket {self.socket}\nLocalSocketMode 666\nDatabaseDirectory {self.signatures}\nForeground yes\n"
            f"LogFile {self.folder}/clamd.log\nTemporaryDirectory {self.folder}\nSelfCheck 3600\nConcurrentDatabaseReload yes\n"
            + ("User clamav\n" if AS_ROOT and not as_root else ""))
        if AS_ROOT and not as_root:
            user = pwd.getpwnam("clamav")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            os.chown(self.signatures, user.pw_uid, user.pw_gid)
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["clamd", "-c", str(self.conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not until(lambda: self.ask(b"zPING\0") == b"PONG\0"):
            raise AssertionError("clamd does not start: " + (self.folder / "clamd.log").read_text())

    def ask(self, command):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(str(self.socket))
                s.sendall(command)
                return s.recv(4096)
        except OSError:
            return b""

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None


class Probe:
    def __init__(self, clamd, state, watched, env=None, prefix=(), how=None, program=None, **values):
        defaults = dict(server_host="127.0.0.1", state_dir=state, watched_folders=watched, clamd_socket=clamd.socket,
                        signatures_dir=clamd.signatures, notify_send="", log_level="debug")
        defaults.update(values)
        args = [f"{k}={v}" for k, v in defaults.items()]
        os.makedirs(os.path.join(str(state), "agent"), exist_ok=True)
        self.log = open(os.path.join(str(state), "log"), "ab")
        self.process = subprocess.Popen([*prefix, str(program or PROGRAM), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, env={**os.environ, **(env or {})},
                                        **(how or dict(start_new_session=True)))
        self.lines, self.all, self.state = queue.Queue(), [], state
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            value = json.loads(line)
            self.all.append(value)
            self.lines.put(value)

    def tell(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def wait(self, match, seconds=15):
        """The first line, old or new, that matches and was not taken before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                line = self.lines.get(timeout=0.1)
            except queue.Empty:
                if self.process.poll() is not None:
                    break
                continue
            if match(line):
                return line
        raise AssertionError("not told; last lines: " + "\n".join(map(str, self.all[-8:])) + "\n" +
                             Path(self.state, "log").read_text()[-3000:])

    def event(self, kind, seconds=15, what="event"):
        return self.wait(lambda l: l["what"] == what and l["kind"] == kind, seconds)

    def detections(self):
        return [l for l in self.all if l["what"] == "event" and l["kind"] == "detection"]

    def end(self, task, seconds=60):
        return self.wait(lambda l: l["what"] == "progress" and l["id"] == task and
                         l["state"] in ("done", "failed", "cancelled", "refused"), seconds)

    def facts(self, match, seconds=10):
        """Asks until the answer fits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = len(self.all)
            self.tell("facts")
            if until(lambda: any(l["what"] == "facts" and match(l) for l in self.all[before:]), 0.5):
                return
        raise AssertionError(f"not so: {self.all[-1]}")

    def order(self, verb, *words):
        task = str(uuid.uuid4())
        self.tell(verb, task, *words)
        return task

    def ready(self, state="on"):
        self.wait(lambda l: l["what"] == "change" and l["facts"]["state"] == state)
        return self

    def children(self, name):
        out = subprocess.run(["ps", "-eo", "pid,sid,comm"], capture_output=True, text=True).stdout
        mine = {self.process.pid}
        return [int(l.split()[0]) for l in out.splitlines()[1:] if l.split()[2].startswith(name) and int(l.split()[1]) in mine]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for f in (self.process.stdin, self.process.stdout, self.log):
            try:
                f.close()
            except OSError:
                pass
        return self.process.returncode


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="sekisho-protect-")
        os.chmod(cls.top, 0o755)
        os.mkdir(os.path.join(cls.top, "engine"))
        cls.clamd = Clamd(os.path.join(cls.top, "engine"))

    @classmethod
    def tearDownClass(cls):
        cls.clamd.stop()
        shutil.rmtree(cls.top, ignore_errors=True)

    def setUp(self):
        self.place = Path(tempfile.mkdtemp(dir=self.top))
        os.chmod(self.place, 0o755)
        self.watched = self.place / "watched"
        self.outside = self.place / "outside"
        self.watched.mkdir(mode=0o777)
        os.chmod(self.watched, 0o777)
        self.outside.mkdir()
        self.state = self.place / "state"
        self.probes = []

    def tearDown(self):
        for p in self.probes:
            p.stop()
        sh("chattr", "-R", "-i", str(self.place), check=False)

    def probe(self, **kw):
        p = Probe(self.clamd, kw.pop("state", self.state), kw.pop("watched", self.watched), **kw)
        self.probes.append(p)
        return p

    def make(self, path, text=EICAR):
        Path(path).write_text(text)
        return Path(path)

    def drop(self, name="eicar.com", text=EICAR):
        """As a browser or a user would: written elsewhere, then copied in."""
        source = self.make(self.outside / name, text)
        sh("cp", str(source), str(self.watched / name), check=False)
        return self.watched / name


@unittest.skipUnless(AS_ROOT, "holding accesses needs root")
class OnAccess(Base):
    def test_dropped_file_is_quarantined_with_one_detection(self):
        p = self.probe().ready()
        target = self.drop()
        e = p.event("detection", 5)
        body = e["body"]
        self.assertEqual(body["name"], "Eicar-Signature")
        self.assertEqual(body["type"], "test")
        self.assertEqual(body["scanner"], "on_access")
        self.assertEqual(body["action"], "quarantined")
        self.assertEqual(body["object"], str(target))
        self.assertEqual(body["size"], len(EICAR))
        self.assertEqual(body["sha256"], "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")
        self.assertEqual(body["process"], os.path.realpath("/bin/cp"))
        self.assertEqual(body["user"], "root")
        self.assertEqual(body["engine"], "clamav")
        self.assertTrue(body["engine_version"].startswith("1."))
        self.assertTrue(e["urgent"])
        q = p.event("quarantine", 5)
        self.assertEqual(q["body"]["change"], "added")
        self.assertTrue(until(lambda: not target.exists(), 5))
        store = self.state / "protect/quarantine"
        kept = until(lambda: [f for f in os.listdir(store) if f.endswith(".q")], 5) or []
        self.assertEqual(len(kept), 1)
        self.assertEqual(stat.S_IMODE(os.stat(store).st_mode), 0o700)
        self.assertNotIn(b"EICAR", (store / kept[0]).read_bytes())
        time.sleep(1)
        self.assertEqual(len(p.detections()), 1)
        # a second file that gets the same inode is another incident
        self.drop()
        p.event("detection", 5)

    def test_open_of_a_file_that_was_there_before_is_refused(self):
        target = self.make(self.watched / "old.com")
        os.chmod(target, 0o644)
        p = self.probe(cleaning="none").ready()
        self.assertNotIn("EICAR", sh("cat", str(target), check=False).stdout)
        r = sh("cat", str(target), check=False, user=65534, group=65534)
        self.assertEqual(r.returncode, 1)
        self.assertIn("not permitted", r.stderr)
        body = p.event("detection", 5)["body"]
        self.assertEqual(body["action"], "blocked")
        self.assertEqual(body["process"], os.path.realpath("/bin/cat"))
        for _ in range(20):
            sh("cat", str(target), check=False)
        time.sleep(1)
        self.assertEqual(len(p.detections()), 1)
        self.assertTrue(target.exists())

    def test_execution_is_refused_and_clean_programs_run(self):
        p = self.probe(cleaning="none").ready()
        good, bad = self.watched / "good", self.watched / "bad"
        shutil.copy("/bin/true", good)
        shutil.copy("/bin/true", self.outside / "bad")
        with open(self.outside / "bad", "ab") as f:
            f.write(EICAR.encode())
        sh("mv", str(self.outside / "bad"), str(bad))
        self.assertEqual(sh(str(good), check=False).returncode, 0)
        self.assertEqual(sh("sh", "-c", f"exec {bad}", check=False).returncode, 126)
        p.event("detection", 5)

    def test_moved_in_and_new_folders(self):
        p = self.probe().ready()
        source = self.make(self.outside / "moved.com")
        sh("mv", str(source), str(self.watched / "moved.com"))
        self.assertEqual(p.event("detection", 5)["body"]["object"], str(self.watched / "moved.com"))
        sh("mkdir", "-p", str(self.watched / "a/b/c"))
        sh("cp", str(self.make(self.outside / "deep.com")), str(self.watched / "a/b/c/deep.com"), check=False)
        self.assertEqual(p.event("detection", 5)["body"]["object"], str(self.watched / "a/b/c/deep.com"))
        tree = self.outside / "tree"
        (tree / "x").mkdir(parents=True)
        self.make(tree / "x/in.com")
        sh("mv", str(tree), str(self.watched / "tree"))
        self.assertEqual(p.event("detection", 5)["body"]["object"], str(self.watched / "tree/x/in.com"))

    def test_file_that_cannot_be_removed_stays_blocked(self):
        target = self.make(self.watched / "fixed.com")
        if sh("chattr", "+i", str(target), check=False).returncode != 0:
            self.skipTest("no immutable files here")
        p = self.probe().ready()
        self.assertNotEqual(sh("cat", str(target), check=False).returncode, 0)
        body = p.event("detection", 5)["body"]
        self.assertEqual(body["action"], "blocked")
        self.assertIn("immutable", body["action_error"])
        self.assertTrue(target.exists())
        self.assertEqual(os.listdir(self.state / "protect/quarantine"), [".key"])

    def test_nothing_is_removed_before_the_journal_has_it(self):
        p = self.probe().ready()
        p.tell("journal off")
        time.sleep(0.2)
        target = self.drop()
        first = p.event("detection", 5, "refused_event")
        time.sleep(1)
        self.assertTrue(target.exists())
        self.assertNotIn("EICAR", sh("cat", str(target), check=False).stdout)
        p.tell("journal on")
        again = p.event("detection", 10)
        self.assertEqual(first["id"], again["id"])
        self.assertTrue(until(lambda: not target.exists(), 5))
        self.assertEqual(len(p.detections()), 1)

    def test_crash_between_journal_and_removal_is_finished_at_the_next_start(self):
        p = self.probe().ready()
        p.tell("journal off")
        time.sleep(0.2)
        target = self.drop()
        first = p.event("detection", 5, "refused_event")
        os.killpg(p.process.pid, signal.SIGKILL)
        p.process.wait()
        self.assertTrue(target.exists())
        p = self.probe()
        again = p.event("detection", 10)
        self.assertEqual(first["id"], again["id"])
        p.event("quarantine", 5)
        self.assertTrue(until(lambda: not target.exists(), 5))
        self.assertEqual(len(p.detections()), 1)

    def test_network_process_that_dies_gets_the_event_again(self):
        p = self.probe().ready()
        p.tell("journal off")
        time.sleep(0.2)
        target = self.drop()
        first = p.event("detection", 5, "refused_event")
        p.tell("die")
        again = p.event("detection", 15)
        self.assertEqual(first["id"], again["id"])
        self.assertTrue(until(lambda: not target.exists(), 5))

    def test_guard_that_stops_is_killed_and_nobody_hangs(self):
        target = self.make(self.watched / "clean.txt", "hello")
        p = self.probe().ready()
        guard = p.children("sekisho-guard")
        self.assertEqual(len(guard), 1)
        os.kill(guard[0], signal.SIGSTOP)
        began = time.monotonic()
        self.assertEqual(sh("cat", str(target)).stdout, "hello")
        self.assertLess(time.monotonic() - began, 6)
        p.wait(lambda l: l["what"] == "change" and "protection_off" in l["problems"], 10)
        p.ready()
        self.assertTrue(until(lambda: p.children("sekisho-guard") and p.children("sekisho-guard") != guard, 10))
        self.assertNotIn("EICAR", sh("cat", str(self.drop()), check=False).stdout)

    def test_engine_that_hangs_or_dies_lets_everyone_work(self):
        p = self.probe().ready()
        os.kill(self.clamd.process.pid, signal.SIGSTOP)
        try:
            target = self.watched / "work.txt"
            began = time.monotonic()
            sh("sh", "-c", f"echo one > {target}")
            self.assertEqual(sh("cat", str(target)).stdout, "one\n")
            self.assertLess(time.monotonic() - began, 5)
        finally:
            os.kill(self.clamd.process.pid, signal.SIGCONT)
        self.clamd.stop()
        p.wait(lambda l: l["what"] == "change" and "engine_missing" in l["problems"], 10)
        began = time.monotonic()
        self.assertEqual(sh("cat", str(target)).stdout, "one\n")
        self.assertLess(time.monotonic() - began, 1)
        self.clamd.start()
        p.ready()
        self.drop("again.com")
        p.event("detection", 5)

    def test_repeated_opens_are_answered_from_memory(self):
        target = self.make(self.watched / "clean.txt", "hello" * 1000)
        time.sleep(0.2)
        self.probe().ready()
        sh("cat", str(target))
        script = "import sys,time\nb=time.perf_counter()\nfor i in range(2000): open(sys.argv[1]).close()\nprint((time.perf_counter()-b)/2000*1e6)"
        cost = float(sh("/usr/bin/python3", "-c", script, str(target)).stdout)
        print(f"an open answered from memory: {cost:.0f} us", file=sys.stderr)
        self.assertLess(cost, 1500)

    def test_names_chosen_to_hurt(self):
        p = self.probe().ready()
        names = [b"line\nbreak\x01\x1b[2J.com", b"not-utf8-\xff\xfe.com", b"\"quote\\.com", b"x" * 240 + b".com", b" (deleted)"]
        for name in names:
            source, target = os.fsencode(self.outside) + b"/" + name, os.fsencode(self.watched) + b"/" + name
            with open(source, "w") as f:
                f.write(EICAR)
            sh("cp", "--", source, target, check=False)
            body = p.event("detection", 5)["body"]
            self.assertEqual(body["action"], "quarantined", body)
            shown = body["object"]
            self.assertFalse(any(ord(c) < 32 for c in shown), shown)
            self.assertTrue(until(lambda: not os.path.lexists(target), 5))

    def test_detect_only_by_wish(self):
        p = self.probe(prevention="detect", cleaning="none").ready("detect_only")
        target = self.drop()
        self.assertEqual(p.event("detection", 5)["body"]["action"], "reported")
        self.assertIn("EICAR", sh("cat", str(target)).stdout)
        p.tell("facts")
        self.assertEqual(p.wait(lambda l: l["what"] == "facts")["problems"]["prevention_off"], "detect")

    def test_without_any_right(self):
        shutil.copy(program(), self.place / "probe")
        os.makedirs(self.state / "agent")
        for d in (self.state, self.state / "agent", self.outside):
            os.chown(d, 65534, 65534)
        os.chmod(self.outside, 0o777)
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        p = self.probe(prefix=prefix, watched=self.outside, program=self.place / "probe").ready("detect_only")
        sh("sh", "-c", f"umask 0; cat > {self.outside}/own.com <<'X'\n{EICAR}\nX", user=65534, group=65534)
        body = p.event("detection", 5)["body"]
        self.assertEqual((body["action"], body["user"]), ("quarantined", "nobody"))
        end = p.end(p.order("isolate"))
        self.assertEqual((end["state"], end["code"]), ("failed", "isolation_failed"))

    def test_engine_as_root_is_never_waited_for(self):
        (self.place / "root-engine").mkdir()
        engine = Clamd(self.place / "root-engine", as_root=True)
        self.addCleanup(engine.stop)
        p = Probe(engine, self.state, self.watched)
        self.probes.append(p)
        p.ready("detect_only")
        target = self.drop()
        self.assertEqual(p.event("detection", 5)["body"]["action"], "quarantined")
        self.assertTrue(until(lambda: not target.exists(), 5))
        p.facts(lambda l: l["problems"] == {"prevention_off": "engine_as_root"})

    def test_signals_reach_it_as_a_job_of_a_shell(self):
        p = self.probe(how=dict(process_group=0)).ready()
        self.assertNotIn("EICAR", sh("cat", str(self.drop()), check=False).stdout)
        p.process.terminate()
        self.assertIsNotNone(until(lambda: p.process.poll() is not None, 10))
        mine = f"state_dir={self.state}".encode()
        left = [c for c in Path("/proc").glob("[0-9]*/cmdline") if mine in read_or_nothing(c)]
        self.assertEqual(left, [])

    def test_off_and_without_folders(self):
        p = self.probe(prevention="off").ready("off")
        p.tell("facts")
        f = p.wait(lambda l: l["what"] == "facts")
        self.assertEqual(f["problems"], {"protection_off": "switched_off"})
        self.assertFalse(f["facts"]["on_access"])

    def test_without_the_right_to_hold_it_watches(self):
        prefix = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", "--ambient-caps", "-all"]
        p = self.probe(prefix=prefix).ready("detect_only")
        target = self.drop()
        body = p.event("detection", 5)["body"]
        self.assertEqual(body["action"], "quarantined")
        self.assertEqual(body["object"], str(target))
        p.tell("facts")
        f = p.wait(lambda l: l["what"] == "facts")
        self.assertEqual(f["problems"], {"prevention_off": "no_right"})


class Scans(Base):
    def values(self):
        return dict(watched="", prevention="off")

    def test_scan_reports_and_leaves(self):
        (self.outside / "sub").mkdir()
        for i in range(30):
            self.make(self.outside / f"clean{i}.txt", f"text {i}")
        bad = self.make(self.outside / "sub/bad.com")
        self.make(self.outside / "sub/trojan.bin", TROJAN)
        self.make(self.outside / "sub/hash.bin", "sekisho-test-threat-by-hash\n")
        os.symlink("/etc", self.outside / "link")
        os.mkfifo(self.outside / "pipe")
        p = self.probe(**self.values())
        task = p.order("scan", self.outside)
        found = [p.event("detection") for _ in range(3)]
        record = p.event("scan")["body"]
        end = p.end(task)
        self.assertEqual((end["state"], end["progress"], end["scanned"], end["total"], end["found"], end["code"]),
                         ("done", 100, 33, 33, 3, "scan_done"))
        self.assertEqual(end["args"], ["33", "3"])
        self.assertEqual((record["files_scanned"], record["found"], record["errors"], record["execution_id"]), (33, 3, 0, task))
        by_name = {f["body"]["name"]: f["body"] for f in found}
        self.assertEqual(set(by_name), {"Eicar-Signature", "Sekisho.Trojan.Sample", "Sekisho.Worm.ByHash"})
        self.assertEqual(by_name["Eicar-Signature"]["scanner"], "on_demand")
        self.assertEqual(by_name["Eicar-Signature"]["action"], "reported")
        self.assertEqual(by_name["Eicar-Signature"]["execution_id"], task)
        self.assertEqual(by_name["Sekisho.Trojan.Sample"]["type"], "malware")
        self.assertEqual(by_name["Sekisho.Trojan.Sample"]["severity"], "critical")
        self.assertTrue(bad.exists())

    def test_clean_scan_quarantines_and_restores(self):
        bad = self.make(self.outside / "bad.com")
        os.chmod(bad, 0o640)
        p = self.probe(**self.values())
        end = p.end(p.order("clean", self.outside))
        self.assertEqual((end["found"], end["code"]), (1, "scan_done"))
        self.assertFalse(bad.exists())
        self.assertEqual(p.end(p.order("scan", self.outside))["found"], 0)
        agent = program().parent / "sekisho-agent"
        if not agent.exists():
            return
        item = sh(str(agent), "quarantine", "list", f"--state-dir={self.state}").stdout.split()
        self.assertIn(str(bad), item)
        sh(str(agent), "quarantine", "restore", item[0], f"--state-dir={self.state}")
        self.assertEqual(bad.read_text(), EICAR)
        self.assertEqual(stat.S_IMODE(bad.stat().st_mode), 0o640)
        self.assertEqual(sh(str(agent), "quarantine", "list", f"--state-dir={self.state}").stdout, "")

    def test_cancel_missing_target_and_missing_engine(self):
        for d in range(20):
            (self.outside / str(d)).mkdir()
            for i in range(200):
                self.make(self.outside / f"{d}/{i}", f"{d} {i} " * 2000)
        p = self.probe(**self.values())
        task = p.order("scan", self.outside)
        p.wait(lambda l: l["what"] == "progress" and l["id"] == task)
        time.sleep(0.3)
        p.tell("cancel", task)
        self.assertEqual(p.end(task)["state"], "cancelled")
        end = p.end(p.order("scan", self.outside / "nowhere"))
        self.assertEqual((end["state"], end["code"]), ("failed", "target_missing"))
        self.clamd.stop()
        try:
            end = p.end(p.order("scan", self.outside))
            self.assertEqual((end["state"], end["code"]), ("failed", "engine_unavailable"))
        finally:
            self.clamd.start()

    def test_message_on_a_terminal(self):
        root, (master, slave) = self.place / "root", os.openpty()
        (root / "run").mkdir(parents=True)
        (root / "dev").symlink_to("/dev")
        line = os.ttyname(slave).removeprefix("/dev/").encode()
        user = struct.pack("h2xi32s4s32s", 7, os.getpid(), line, b"x", b"root").ljust(384, b"\0")
        gone = struct.pack("h2xi32s4s32s", 8, 1, b"../etc/passwd", b"x", b"root").ljust(384, b"\0")
        (root / "run/utmp").write_bytes(user + gone)
        p = self.probe(root=root, **self.values())
        end = p.end(p.order("message", "hello \x1b[2J there"))
        self.assertEqual((end["state"], end["code"], end["args"]), ("done", "message_shown", ["1"]))
        shown = os.read(master, 4096)
        self.assertIn(b"*** Title ***", shown)
        self.assertIn(b"hello  [2J there", shown)
        os.close(master)
        os.close(slave)

    def test_message_without_session(self):
        root = self.place / "root"
        root.mkdir()
        p = self.probe(root=root, **self.values())
        end = p.end(p.order("message", "hello"))
        self.assertEqual((end["state"], end["code"]), ("failed", "no_session"))


class Modules(Base):
    def mirror(self, version, extra="", name="extra.ndb"):
        files = self.place / f"files{version}"
        files.mkdir()
        (files / name).write_text(extra)
        sh("/usr/bin/python3", str(ROOT / "ops/modules/build"), "--key", str(self.key), "--version", str(version), "--out",
           str(self.place / "mirror"), str(files / name))

    def setUp(self):
        super().setUp()
        self.key = self.place / "key"
        public = sh("/usr/bin/python3", str(ROOT / "ops/modules/build"), "--new-key", str(self.key)).stdout
        (self.place / "public").write_text(public)
        self.env = {"MIRROR": str(self.place / "mirror"), "MODULE_KEY": str(self.place / "public")}

    def tearDown(self):
        super().tearDown()
        for f in self.clamd.signatures.glob("extra*"):
            f.unlink()

    def update(self, p):
        end = p.end(p.order("update"), 90)
        return end["state"], end["code"], end["args"]

    def test_update_current_older_damaged_rejected(self):
        word = "sekisho-test-threat-new"
        self.mirror(5, f"Sekisho.New.Five:0:*:{word.encode().hex()}\n")
        p = self.probe(watched="", prevention="off", env=self.env)
        self.make(self.outside / "new.bin", word)
        self.assertEqual(p.end(p.order("scan", self.outside))["found"], 0)
        self.assertEqual(self.update(p), ("done", "modules_updated", ["5"]))
        self.assertEqual(p.end(p.order("scan", self.outside))["found"], 1)
        self.assertEqual(p.detections()[-1]["body"]["signature_version"], "5")
        p.facts(lambda l: l["facts"].get("signature_version") == "5")
        self.assertEqual(self.update(p), ("done", "modules_current", ["5"]))
        # a set that does not load is refused, the old one stays
        self.mirror(6, "Sekisho.Broken:0:*:zz-not-hex\n")
        state, code, args = self.update(p)
        self.assertEqual((state, code), ("failed", "modules_rejected"))
        self.assertEqual(p.end(p.order("scan", self.outside))["found"], 1)
        self.assertEqual(sorted(f.name for f in self.clamd.signatures.iterdir() if "extra" in f.name), ["extra.ndb"])
        # a file other than the manifest says
        self.mirror(7, "Sekisho.Other:0:*:616263646566\n")
        (self.place / "mirror/extra.ndb").write_text("Sekisho.Other:0:*:616263646567\n")
        self.assertEqual(self.update(p), ("failed", "modules_damaged", ["extra.ndb"]))
        # a manifest changed behind its signature
        manifest = self.place / "mirror/manifest.json"
        manifest.write_text(manifest.read_text().replace('"version":7', '"version":8'))
        self.assertEqual(self.update(p)[:2], ("failed", "modules_signature_invalid"))
        # an older one, well signed
        shutil.rmtree(self.place / "mirror")
        self.mirror(4, "Sekisho.Old:0:*:616263646566\n")
        self.assertEqual(self.update(p), ("failed", "modules_older", ["4", "5"]))
        shutil.rmtree(self.place / "mirror")
        self.assertEqual(self.update(p), ("failed", "no_modules", []))

    def test_without_key_and_with_another_key(self):
        self.mirror(1, "Sekisho.X:0:*:616263646566\n")
        p = self.probe(watched="", prevention="off", env={"MIRROR": self.env["MIRROR"]})
        self.assertEqual(self.update(p), ("failed", "no_module_key", []))
        (self.state / "protect").mkdir(exist_ok=True)
        (self.state / "protect/module.key").write_bytes(b"k" * 32)
        p.stop()
        p = self.probe(watched="", prevention="off", env=self.env)
        self.assertEqual(self.update(p), ("failed", "module_key_changed", []))

    def test_old_signatures_are_a_problem(self):
        p = self.probe(watched="", prevention="off", env={"SEKISHO_CLOCK_OFFSET": str(20 * 86400)})
        line = p.wait(lambda l: l["what"] == "change" and "modules_outdated" in l["problems"])
        self.assertIn(line["problems"]["modules_outdated"], ("19", "20"))


@unittest.skipUnless(AS_ROOT, "network namespaces need root")
class Isolation(Base):
    """Three namespaces on a bridge: computer, server, other."""

    def ip(self, *args, check=True):
        return sh("ip", *args, check=check)

    def setUp(self):
        super().setUp()
        self.tag = f"sk{os.getpid() % 10000}"
        self.names = [f"{self.tag}{c}" for c in "bcso"]
        bridge = self.names[0]
        for n in self.names:
            self.ip("netns", "add", n)
            self.ip("-n", n, "link", "set", "lo", "up")
        self.ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        self.ip("-n", bridge, "link", "set", "br0", "up")
        self.servers = []
        for i, n in enumerate(self.names[1:], 1):
            self.ip("link", "add", f"{n}v", "netns", n, "type", "veth", "peer", "name", f"{n}p", "netns", bridge)
            self.ip("-n", bridge, "link", "set", f"{n}p", "master", "br0", "up")
            self.ip("-n", n, "addr", "add", f"10.99.0.{i}/24", "dev", f"{n}v")
            self.ip("-n", n, "-6", "addr", "add", f"fd99::{i}/64", "dev", f"{n}v", "nodad")
            self.ip("-n", n, "link", "set", f"{n}v", "up")
        for n in self.names[1:]:
            self.servers.append(subprocess.Popen(["ip", "netns", "exec", n, "/usr/bin/python3", "-c", SERVE],
                                                 stdout=subprocess.PIPE))
        for s in self.servers:
            s.stdout.readline()

    def tearDown(self):
        for s in self.servers:
            s.kill()
            s.wait()
            s.stdout.close()
        super().tearDown()
        for n in self.names:
            self.ip("netns", "del", n, check=False)

    def reach(self, source, host, port):
        script = f"import socket; socket.create_connection(('{host}',{port}),0.7).close()"
        return sh("ip", "netns", "exec", source, "/usr/bin/python3", "-c", script, check=False).returncode == 0

    def picture(self):
        b, c, s, o = self.names
        return dict(server=self.reach(c, "10.99.0.2", 2222), server6=self.reach(c, "fd99::2", 2222),
                    server_other_port=self.reach(c, "10.99.0.2", 8080), other=self.reach(c, "10.99.0.3", 2222),
                    other6=self.reach(c, "fd99::3", 2222), incoming=self.reach(o, "10.99.0.1", 8080),
                    loopback=self.reach(c, "127.0.0.1", 8080))

    def start(self, **kw):
        kw = {"server_host": "10.99.0.2", "isolation_netns": self.names[1], "watched": "", "prevention": "off", **kw}
        return self.probe(**kw)

    def test_only_the_server_stays_and_a_restart_changes_nothing(self):
        open_all = dict.fromkeys(self.picture(), True)
        self.assertEqual(self.picture(), open_all)
        p = self.start()
        self.assertEqual(p.end(p.order("isolate", "[fd99::2]:2222"))["code"], "isolated")
        isolated = dict(server=True, server6=True, server_other_port=False, other=False, other6=False, incoming=False,
                        loopback=True)
        self.assertEqual(self.picture(), isolated)
        p.facts(lambda l: l["facts"]["isolated"])
        os.killpg(p.process.pid, signal.SIGKILL)
        p.process.wait()
        self.assertEqual(self.picture(), isolated)
        # as after a start of the computer: the rules are gone, the wish is not
        sh("ip", "netns", "exec", self.names[1], "nft", "flush", "ruleset")
        self.assertEqual(self.picture(), open_all)
        p = self.start()
        p.wait(lambda l: l["what"] == "started")
        self.assertEqual(self.picture(), isolated)
        self.assertEqual(p.end(p.order("isolate"))["code"], "isolated")
        self.assertEqual(self.picture(), dict(isolated, server6=False))
        self.assertEqual(p.end(p.order("end_isolation"))["code"], "isolation_ended")
        self.assertEqual(self.picture(), open_all)
        self.assertEqual(p.end(p.order("end_isolation"))["code"], "isolation_ended")
        self.assertFalse((self.state / "protect/isolation").exists())

    def test_connection_that_was_open_dies(self):
        script = ("import socket,sys,time\ns=socket.create_connection(('10.99.0.3',8080))\nprint('up',flush=True)\n"
                  "s.settimeout(3)\nsys.stdin.readline()\ns.sendall(b'x')\n"
                  "try: print(s.recv(9),flush=True)\nexcept Exception as e: print('cut',flush=True)")
        c = subprocess.Popen(["timeout", "30", "ip", "netns", "exec", self.names[1], "/usr/bin/python3", "-c", script],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(c.stdout.readline(), "up\n")
        p = self.start()
        self.assertEqual(p.end(p.order("isolate"))["code"], "isolated")
        out, _ = c.communicate("\n", timeout=20)
        self.assertEqual(out, "cut\n")

    def test_proxy_instead_of_server_and_failures(self):
        p = self.start(proxy="http://10.99.0.3:8080")
        self.assertEqual(p.end(p.order("isolate"))["code"], "isolated")
        c = self.names[1]
        self.assertTrue(self.reach(c, "10.99.0.3", 8080))
        self.assertFalse(self.reach(c, "10.99.0.2", 2222))
        self.assertEqual(p.end(p.order("end_isolation"))["code"], "isolation_ended")
        end = p.end(p.order("isolate", "no.such.name.invalid:80"), 60)
        self.assertEqual((end["code"], end["args"]), ("address_unknown", ["no.such.name.invalid:80"]))
        p.stop()
        p = self.start(nft="/nonexistent/nft")
        end = p.end(p.order("isolate"))
        self.assertEqual((end["state"], end["code"]), ("failed", "isolation_failed"))
        self.assertFalse((self.state / "protect/isolation").exists())


SERVE = """
import socket, threading
def serve(port):
    s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); s.bind(('::', port)); s.listen()
    keep.append(s)
    def run():
        while True:
            c, _ = s.accept(); keep.append(c)
            threading.Thread(target=lambda: (c.sendall(c.recv(9)) if True else None), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
keep = []
serve(2222); serve(8080)
print('ready', flush=True)
threading.Event().wait()
"""

if __name__ == "__main__":
    unittest.main(verbosity=2)
