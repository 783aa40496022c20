# SPDX-License-Identifier: Apache-2.0
"""A real agent for tests: `with Agent(service) as a:` enrols it by its token and runs it; a.status(), a.kill(), a.start()."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE.parent, HERE.parent / "identity", HERE.parent / "agent_protect"):
    sys.path.insert(0, str(folder))
from cell import ROOT, program  # noqa: E402

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def until(what, seconds=20, step=0.05):
    """The first true value of what() within the time, else None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step)
    return None


class Agent:
    def __init__(self, service, clamd=None, tenant="acme", env=None, **values):
        self.dir = Path(tempfile.mkdtemp(prefix="ska-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.state, self.watched = self.dir / "state", self.dir / "watched"
        self.watched.mkdir(mode=0o777)
        self.service, self.env, self.process = service, env or {}, None
        self.values = dict(server_host="localhost", server_port=service.agent_port, ca_file=service.cell.dir / "ca.pem",
                           token=service.enrolment_token(tenant), state_dir=self.state, watched_folders=self.watched, user="",
                           scan_targets=self.watched, clamd_socket=clamd.socket if clamd else self.dir / "none",
                           signatures_dir=clamd.signatures if clamd else self.dir, log_level="debug")
        self.values.update(values)
        self.config = self.dir / "agent.conf"
        self.write()

    def write(self):
        self.config.write_text("".join(f"{k} = {v}\n" for k, v in self.values.items()), encoding="utf-8")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _env(self):
        return dict(os.environ, LSAN_OPTIONS=f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0", **self.env)

    def start(self, *args):
        (self.state / "status/status.json").unlink(missing_ok=True)  # of the last run
        with open(self.dir / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([program("sekisho-agent"), "run", "--config", str(self.config), *args], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self._env(), start_new_session=True)

    def run(self, *args, timeout=60):
        return subprocess.run([program("sekisho-agent"), *args, "--config", str(self.config)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, check=False, env=self._env())

    def stop(self):
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            code = None
        self.process = None
        return code

    def family(self):
        """Pids of all of the agent's processes, by their session."""
        pids = []
        for p in Path("/proc").iterdir():
            try:
                if p.name.isdigit() and os.getsid(int(p.name)) == self.process.pid:
                    pids.append(int(p.name))
            except OSError:
                pass
        return pids

    def network_pid(self):
        return (self.status() or {}).get("pid")

    def kill(self):
        """kill -9 of every process of the agent, as a power cut would do it."""
        for pid in self.family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(20)
        self.process = None

    def status(self):
        try:
            return json.loads((self.state / "status/status.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def wait_state(self, state, seconds=30):
        found = until(lambda: (self.status() or {}).get("state") == state, seconds)
        if not found:
            raise AssertionError(f"state is not {state}: {self.status()}\n{self.log()[-3000:]}")

    def log(self):
        return (self.dir / "log").read_text(encoding="utf-8")

    def device_id(self):
        return (self.status() or {}).get("device_id")


class Administrator:
    """A signed-in person of a tenant."""

    PASSWORD = "correct horse battery 7"

    def __init__(self, service, tenant="acme"):
        self.service = service
        grant = service.sign_in(f"{tenant}/admin", service.first_password(tenant))
        if grant.status != 200:
            grant = service.sign_in(f"{tenant}/admin", self.PASSWORD)
        assert grant.status == 200, grant
        self.token = grant.json["access_token"]
        if grant.json["must_change_password"]:
            changed = self.call("POST", "/api/v1/session/password", {"current": service.first_password(tenant), "new": self.PASSWORD})
            assert changed.status in (200, 204), changed
            if changed.json:
                self.token = changed.json["access_token"]

    def call(self, method, path, body=None):
        return self.service.console(method, path, body, token=self.token)

    def get(self, path):
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def detections(self, device):
        items, cursor = [], ""
        while True:
            page = self.get(f"/api/v1/detections?limit=200&device={device}{cursor}")
            items += page["items"]
            if not page.get("next_cursor"):
                return items
            cursor = "&cursor=" + page["next_cursor"]
