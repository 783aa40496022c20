# SPDX-License-Identifier: Apache-2.0
"""A server over a private cell, and clients of it: people by HTTP/1.1, agents by curl with a certificate made by openssl."""
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import ROOT, Cell, free_port, program  # noqa: E402

COOKIE = "__Host-sekisho_refresh"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.text = status, headers, body
        self.json = json.loads(body) if body and "json" in headers.get("content-type", "") else None

    @property
    def code(self):
        return self.json.get("code") if isinstance(self.json, dict) else None

    @property
    def cookie(self):
        for part in self.headers.get("set-cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return value
        return None

    def __repr__(self):
        return f"<{self.status} {self.text[:300]}>"


class Service:
    """with Service() as s: s.console("POST", "/api/v1/sign-in", {...})"""

    caller = "127.0.0.1"

    def __init__(self, tenants=("tenants/samples",), cell=None, **config):
        self.config, self.tenant_files = config, tenants
        self.cell = cell or Cell()
        self.console_port, self.agent_port, self.ops_port = free_port(), free_port(), free_port()
        self.process, self.overrides = None, ()

    def __enter__(self):
        try:
            self.cell.start()
            self.cell.bootstrap(console_listen=f"127.0.0.1:{self.console_port}", agent_listen=f"127.0.0.1:{self.agent_port}",
                                ops_listen=f"127.0.0.1:{self.ops_port}", console_url=f"https://localhost:{self.console_port}",
                                agent_port=self.agent_port, **self.config)
            (self.cell.dir / "ca.pem").write_text(self.cell.ctl("certificate", "root"), encoding="utf-8")
            self.cell.ctl("certificate", "server", "--name", "localhost", "--name", "127.0.0.1", "--cert", self.cell.dir / "server.pem",
                          "--key", self.cell.dir / "server.key")
            self.made = self.cell.ctl_json("apply", *[a for f in ("tenants/plans", *self.tenant_files) for a in ("-f", self.cell.source(f))])
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.cell.close()

    def start(self, ready=True, **env):
        self.process = self._process(**env)
        if ready:
            self.wait_ready()

    def _process(self, **env):
        env.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0")
        with open(self.cell.dir / "server.log", "a", encoding="utf-8") as log:
            return subprocess.Popen([program("sekishod"), "-c", str(self.cell.config), *self.overrides], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=dict(os.environ, **env))

    def replica(self):
        """A second server over the same cell, with ports of its own; stop() it, do not close it."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.console_port, other.agent_port, other.ops_port = free_port(), free_port(), free_port()
        other.overrides = (f"console_listen=127.0.0.1:{other.console_port}", f"agent_listen=127.0.0.1:{other.agent_port}",
                           f"ops_listen=127.0.0.1:{other.ops_port}", "replica=b")
        other.start()
        return other

    def wait_ready(self, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            c = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=5)
            try:
                c.request("GET", "/readyz")
                if c.getresponse().status == 200:
                    return
            except OSError:
                pass
            finally:
                c.close()
            time.sleep(0.1)
        raise RuntimeError("the server is not ready:\n" + self.log_text()[-4000:])

    def log_text(self):
        return (self.cell.dir / "server.log").read_text(encoding="utf-8")

    def stop(self):
        """SIGTERM; its exit code."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(10)
        self.process = None
        return code

    # ---- people

    def console(self, method, path, body=None, token=None, cookie=None, headers=None, timeout=30):
        context = ssl.create_default_context(cafile=str(self.cell.dir / "ca.pem"))
        # An address of its own for each caller that wants one: the sign-in rate is per address.
        c = http.client.HTTPSConnection("localhost", self.console_port, context=context, timeout=timeout,
                                        source_address=(self.caller, 0))
        h = {"accept-language": "en", **(headers or {})}
        if body is not None:
            h["content-type"] = "application/json"
            body = json.dumps(body)
        if token:
            h["authorization"] = f"Bearer {token}"
        if cookie:
            h["cookie"] = f"{COOKIE}={cookie}"
        c.request(method, path, body=body, headers=h)
        r = c.getresponse()
        answer = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode())
        c.close()
        return answer

    def sign_in(self, name, password, **more):
        return self.console("POST", "/api/v1/sign-in", {"name": name, "password": password, **more})

    def first_password(self, tenant, account="admin"):
        return next(a["password"] for a in self.tenant(tenant)["accounts"] if a["name"] == account)

    def tenant(self, tenant):
        return next(c for c in self.made["changes"] if c["kind"] == "tenant" and c["id"] == tenant)

    def enrolment_token(self, tenant):
        return self.tenant(tenant)["enrolment_tokens"][0]["token"]

    # ---- agents

    def key(self, name, *how):
        path = self.cell.dir / f"{name}.key"
        how = how or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        subprocess.run(["openssl", "genpkey", *how, "-out", path], check=True, capture_output=True, timeout=60)
        return path

    def csr(self, key):
        return subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=whoever"], check=True, capture_output=True, text=True,
                              timeout=60).stdout

    def agent(self, method, path, body=None, cert=None, key=None, timeout=30):
        args = ["curl", "-s", "--http2", "--max-time", str(timeout), "--cacert", str(self.cell.dir / "ca.pem"), "-i", "-X", method,
                "-H", "accept-language: en", f"https://localhost:{self.agent_port}{path}"]
        if cert:
            args += ["--cert", str(cert), "--key", str(key)]
        if body is not None:
            args += ["-H", "content-type: application/json", "--data-binary", json.dumps(body)]
        done = subprocess.run(args, capture_output=True, timeout=timeout + 10, check=False)
        if done.returncode:
            raise RuntimeError(f"curl ended with {done.returncode}: {done.stderr} {done.stdout}")
        head, _, text = done.stdout.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        return Answer(int(lines[0].split()[1]), dict(x.lower().split(": ", 1) for x in lines[1:] if ": " in x), text)

    def enrol(self, token, name, key=None, csr=None, **more):
        key = key or self.key(name)
        body = {"token": token, "csr_pem": csr or self.csr(key), "hostname": name, "os_family": "linux", "agent_version": "0.1.0",
                "machine_id": f"machine-{name}", **more}
        answer = self.agent("POST", "/agent/v1/enrol", body)
        cert = self.cell.dir / f"{name}.pem"
        if answer.status == 200:
            cert.write_text(answer.json["certificate_pem"], encoding="utf-8")
        return answer, cert, key


def checkin(reason="start", **more):
    return {"agent_version": "0.1.0", "reason": reason, "clock": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "revision": 0,
            "facts_digest": "", "spool": {"epoch": "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "head": 0, "tail": 1}, **more}


__all__ = ["COOKIE", "ROOT", "Answer", "Service", "checkin"]
