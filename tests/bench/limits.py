# SPDX-License-Identifier: Apache-2.0
"""What Sekisho is compared with: programs of the system that do the least of the same work, with the same certificates, TLS
settings, database settings and client."""
import os
import re
import subprocess
import time
from pathlib import Path

from meter import Meter, own_us
from table import Sample, percentile

HERE = Path(__file__).resolve().parent

NGINX = """daemon off;
{user}pid {dir}/nginx.pid;
error_log {dir}/nginx.log error;
worker_processes 1;
worker_rlimit_nofile 20000;
events {{ worker_connections 12000; }}
http {{
    access_log off;
    server_tokens off;
    {paths}
    keepalive_timeout 3600;
    keepalive_requests 1000000000;
    http2_max_concurrent_streams 128;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ecdh_curve X25519:prime256v1;
    ssl_session_tickets off;
    ssl_session_cache {sessions};
    ssl_session_timeout 8h;
    ssl_verify_client on;
    ssl_verify_depth 3;
    ssl_client_certificate {dir}/clients.pem;
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=4096;
        server_name localhost;
        location = /agent/v1/checkin {{ default_type application/json; return 200 '{answer}'; }}
    }}
    server {{
        listen 127.0.0.1:{files_port} ssl http2;
        ssl_verify_client off;
        root {web_root};
        types {{ text/html html; }}
    }}
}}
"""


class Nginx:
    """Answers check-ins with a fixed text of the size of ours, over mTLS and HTTP/2: it checks the client's certificate, reads the
    body and throws it away; on files_port it serves the console's files. One worker, as our one loop; as many sessions in its own memory as we keep: of nginx's ways to resume that
    was the cheapest. sessions: "off" where memory is compared."""

    name = "nginx, static reply"

    def __init__(self, h, sessions="builtin:4096"):
        from cell import end_with_parent, free_port
        self.dir = h.dir / "nginx"
        self.dir.mkdir(exist_ok=True)
        self.port, self.files_port = free_port(), free_port()
        self.ca = h.ca
        (self.dir / "clients.pem").write_text(h.client_authorities())
        answer = ('{"ack":0,"facts_digest":"' + "5e" * 32 + '","revision":1,"next_contact":3600,"interval":3600,"renew":false,'
                  '"server_time":"' + time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + '.123456Z"}')
        paths = " ".join(f"{p}_temp_path {self.dir}/{p};" for p in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.dir / "nginx.conf").write_text(NGINX.format(dir=self.dir, paths=paths, port=self.port, files_port=self.files_port, web_root=h.web,
                                                          sessions=sessions, answer=answer, cert=h.certificate, key=h.key,
                                                          user="user root;\n" if os.geteuid() == 0 else ""))
        self.process = subprocess.Popen(["nginx", "-c", str(self.dir / "nginx.conf"), "-e", str(self.dir / "nginx.log")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        preexec_fn=end_with_parent)
        self.meter = Meter(nginx=[self.process.pid])
        self.wait()

    @property
    def target(self):
        return f"localhost:{self.port}", self.ca

    def wait(self):
        import socket
        until = time.monotonic() + 15
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        log = self.dir / "nginx.log"
        raise RuntimeError("nginx does not start: " + (log.read_text()[-400:] if log.exists() else ""))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


class Commits:
    """pgbench in the same PostgreSQL: an UPDATE of one row by key, each committed before the next, on 8 connections."""

    name = "PostgreSQL, UPDATE by key, a commit each"
    ROWS = 20000

    def __init__(self, h, clients=8):
        self.h, self.clients = h, clients
        self.script = h.dir / "update.sql"
        h.cell.sql("DROP TABLE IF EXISTS public.bench_limit")
        h.cell.sql("CREATE TABLE public.bench_limit (id integer PRIMARY KEY, at timestamptz NOT NULL, text text NOT NULL) WITH (fillfactor = 70)")
        h.cell.sql(f"INSERT INTO public.bench_limit SELECT g, now(), repeat('x', 60) FROM generate_series(1, {self.ROWS}) AS g")
        h.cell.sql("VACUUM ANALYZE public.bench_limit")
        self.script.write_text(f"\\set id random(1, {self.ROWS})\nUPDATE public.bench_limit SET at = now(), text = repeat('y', 60) WHERE id = :id;\n")

    def round(self, seconds):
        from cell import pg_bin
        log = self.h.dir / "pgbench"
        before, own, began = self.h.meter.read(), own_us(), time.monotonic()
        done = subprocess.run([pg_bin("pgbench"), "-n", "-M", "prepared", "-c", str(self.clients), "-j", "1", "-T", str(max(2, round(seconds))),
                               "-f", str(self.script), "-l", f"--log-prefix={log}", "-h", str(self.h.cell.sockets), "-U", "postgres", "sekisho"],
                              capture_output=True, text=True, timeout=60, check=False, cwd="/")
        took, cpu, client = time.monotonic() - began, self.h.meter.since(before), own_us() - own
        found = re.search(r"number of transactions actually processed: (\d+)", done.stdout)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode or not found:
            raise RuntimeError(f"pgbench: {done.stderr[-300:]}")
        times = []
        for path in self.h.dir.glob("pgbench.*"):
            times += [int(line.split()[2]) for line in path.read_text().splitlines()]
            path.unlink()
        n = int(found.group(1))
        if not n:
            raise RuntimeError("pgbench did not get one transaction done")
        return Sample(n, took, {"postgres": cpu["postgres"]}, percentile(times, 50) / 1000, percentile(times, 99) / 1000, client / n,
                      int(failed.group(1)) if failed else 0, self.h.meter.memory_mb())


class RedisGet:
    """redis-benchmark in the same Redis: GET of one key, 16 in a pipeline."""

    name = "redis-benchmark, GET, 16 in a pipeline"

    def __init__(self, h):
        self.h = h

    def round(self, n):
        before, own, began = self.h.meter.read(), own_us(), time.monotonic()
        subprocess.run(["redis-benchmark", "-s", str(self.h.cell.redis_socket), "-n", str(n), "-c", "4", "-P", "16", "-t", "get", "-q"],
                       capture_output=True, timeout=60, check=True)
        return Sample(n, time.monotonic() - began, {"redis": self.h.meter.since(before)["redis"]}, client_us=(own_us() - own) / n)


class Handshakes:
    """OpenSSL alone, both ends in one process over memory: what a handshake of our settings costs the server's end."""

    name = "OpenSSL alone"

    def __init__(self, h):
        self.program = h.dir / "handshake"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(self.program), str(HERE / "handshake.c"), "-lssl", "-lcrypto"],
                       check=True, capture_output=True, timeout=60)
        self.args = [str(h.certificate), str(h.key)]

    def round(self, kind, n):
        done = subprocess.run([str(self.program), kind, str(n), *self.args], capture_output=True, text=True, check=True, timeout=60)
        server, client, seconds = map(float, done.stdout.split())
        return Sample(n, seconds, {"openssl": server * n}, client_us=client)
