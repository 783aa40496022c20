# SPDX-License-Identifier: Apache-2.0
"""What operators see: metrics, trace ids from the agent to SQL, top, trace. One cell for all; debug lines are asked for by test."""
import http.client
import json
import re
import secrets
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "agent")]
import prometheus  # noqa: E402
from cell import Failed, program  # noqa: E402
from client import Device, Line, Person, Service, detection, forget_rates, wait  # noqa: E402
from fleet import Agent  # noqa: E402

service = other = person = None
hidden = []


def setUpModule():
    global service, other, person
    service = Service(default_interval=5)
    service.cell.settings = {"log_line_prefix": "app=[%a] ", "log_statement": "all", "logging_collector": "off"}
    service.__enter__()
    other = service.replica()
    forget_rates(service)
    person = Person(service, "acme")
    hidden.extend(person.secrets)


def tearDownModule():
    code = [other.stop(), service.stop()]
    log = service.log_text()
    service.__exit__()
    assert code == [0, 0], f"the servers ended with {code}:\n{log[-3000:]}"


def ops(path, port=None):
    c = http.client.HTTPConnection("127.0.0.1", port or service.ops_port, timeout=10)
    c.request("GET", path)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.getheader("content-type"), text


def metrics(port=None):
    status, kind, text = ops("/metrics", port)
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8"), (status, kind)
    return prometheus.parse(text)


def lines(text, **fields):
    """Log lines (JSON) with these fields."""
    out = []
    for line in text.splitlines():
        if line.startswith("{"):
            x = json.loads(line)
            if all(x.get(k) == v for k, v in fields.items()):
                out.append(x)
    return out


def ctl_fails(*args):
    try:
        service.cell.ctl(*args)
    except Failed as e:
        return e.code
    return 0


class Parser(unittest.TestCase):
    """It refuses what it is for."""

    def test_malformed(self):
        head = "# HELP x y\n# TYPE x counter\n"
        for text in ("x 1\n", "# TYPE x counter\nx 1\n", head + "x 1", head + "x  1\n", head + "x -1\n", head + "x one\n", head + "x 1\nx 1\n",
                     head + 'x{a="b" } 1\n', head + 'x{a="b\\t"} 1\n', head + 'x{a="b} 1\n', head + "y 1\n", head, head + "x 1\n\n",
                     head + "x 1\n" + head + "x 1\n", head + 'x{a="1",a="2"} 1\n', head + 'x{le="1"} 1\n', "# HELP x y\n# TYPE x number\nx 1\n"):
            with self.assertRaises(prometheus.Malformed, msg=text):
                prometheus.parse(text)
        histogram = '# HELP h y\n# TYPE h histogram\nh_bucket{le="1"} %d\nh_bucket{le="%s"} 3\nh_sum 2\nh_count %d\n'
        prometheus.parse(histogram % (2, "+Inf", 3))
        for values in ((4, "+Inf", 3), (2, "2", 3), (2, "+Inf", 4), (2, "0.5", 3)):
            with self.assertRaises(prometheus.Malformed, msg=values):
                prometheus.parse(histogram % values)
        self.assertEqual(prometheus.parse(head + 'x{a="b\\"\\\\\\n,}"} 1.5e3\n')["x"].value(a='b"\\\n,}'), 1500)


class Metrics(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def test_figures(self):
        before = metrics()
        d = Device(service, service.enrolment_token("acme"), "figures")
        for i in range(5):
            d.report([d.event("detection", detection(f"n{i}"))])
        quiet = {"revision": d.revision, "facts_digest": d.facts_digest}
        unchanged = 0
        for _ in range(60):
            r = d.checkin("wake", **quiet)
            unchanged += r.status == 200
            if r.status == 429:
                break
        self.assertEqual(person.call("GET", "/api/v1/devices/nonsense").status, 404)
        for _ in range(40):
            if service.sign_in("acme/nobody", "x").status == 429:
                break
        after = metrics()
        grown = lambda name, suffix="", **labels: (after["sekisho_" + name].value(suffix, **labels)
                                                   - before["sekisho_" + name].samples.get(("sekisho_" + name + suffix, tuple(sorted(labels.items()))), 0))
        self.assertGreaterEqual(grown("checkins"), 5 + unchanged)
        self.assertGreaterEqual(grown("checkin_written_seconds", "_count"), 5)
        self.assertGreaterEqual(grown("checkin_unchanged_seconds", "_count"), 10)
        # An unchanged check-in costs no SQL: the histogram says so, and the sum is that of the written ones.
        self.assertEqual(grown("checkin_statements", "_count"), grown("checkin_written_seconds", "_count") + grown("checkin_unchanged_seconds", "_count"))
        self.assertEqual(grown("checkin_statements", "_bucket", le="0"), grown("checkin_unchanged_seconds", "_count"))
        self.assertGreaterEqual(grown("checkin_statements", "_sum"), 2 * 5)
        self.assertEqual(grown("batch_size", "_count"), grown("batches"))
        self.assertEqual(grown("batch_size", "_sum"), grown("batch_items"))
        self.assertGreaterEqual(grown("answers", status="4xx"), 2)
        self.assertGreaterEqual(grown("answers", status="2xx"), 15)
        self.assertGreaterEqual(grown("permits_refused", cause="checkin_rate") + grown("permits_refused", cause="sign_in"), 1)
        self.assertGreaterEqual(grown("api_seconds", "_count"), 2)
        self.assertEqual({dict(k[1])["pool"] for k in after["sekisho_queue_age_seconds"].samples}, {"batch", "blocking", "slow"})
        self.assertGreater(after["sekisho_memory_resident_bytes"].value(), 5e6)
        acme = {n: after["sekisho_tenant_" + n].value(tenant="acme") for n in ("cpu_seconds", "database_seconds", "bytes", "requests")}
        self.assertGreaterEqual(acme["requests"], 15)
        self.assertGreater(acme["bytes"], 5000)
        self.assertGreater(acme["cpu_seconds"], 0.001)
        self.assertGreater(acme["database_seconds"], 0.001)
        self.assertLess(acme["cpu_seconds"], 60)
        for name, f in before.items():  # nothing that only grows has fallen
            if f.kind != "gauge":
                for key, value in f.samples.items():
                    if key in after[name].samples:
                        self.assertGreaterEqual(after[name].samples[key], value, key)

    def test_queue_age(self):
        """While PostgreSQL stands still, what waits grows old, and the gauge says how old."""
        d = Device(service, service.enrolment_token("acme"), "waits")
        ports = service.ops_port
        service.cell.postgres_freeze()
        try:
            threads = [threading.Thread(target=lambda: d.__class__.call(d, "POST", "/agent/v1/checkin", d.body("urgent")), daemon=True)]
            for _ in range(6):
                threads.append(threading.Thread(target=lambda: Line(service, service.console_port).send(
                    "GET", "/api/v1/devices", headers={"authorization": f"Bearer {person.token}"}), daemon=True))
            for t in threads:
                t.start()
            self.assertTrue(wait(lambda: metrics(ports)["sekisho_queue_age_seconds"].value(pool="blocking") > 0.5, 8))
        finally:
            service.cell.postgres_thaw()
        for t in threads:
            t.join(60)
        self.assertTrue(wait(lambda: metrics(ports)["sekisho_queue_age_seconds"].value(pool="blocking") == 0, 20))

    def test_documentation(self):
        text = subprocess.run([program("sekishod"), "--metrics-help"], capture_output=True, text=True, check=True, timeout=20).stdout
        page = subprocess.run([program("sekishod"), "--metrics-markdown"], capture_output=True, text=True, check=True, timeout=20).stdout
        for name, f in metrics().items():
            self.assertIn(f"{name} ({f.kind})\n    {f.help}\n", text)
            self.assertIn(f"| `{name}` | {f.kind} |", page)

    def test_only_known_paths(self):
        for path in ("/", "/metrics/", "/ops", "/ops/topp", "/ops/trace"):
            self.assertEqual(ops(path)[0], 404, path)


class TraceIds(unittest.TestCase):
    """One id in the agent's log, the server's, and the database's."""

    def test_from_agent_to_sql(self):
        service.cell.ctl("trace", "on", "edge", "--for", "5m")
        self.addCleanup(service.cell.ctl, "trace", "off", "all")
        with Agent(service, prevention="off") as agent:
            agent.wait_state("connected")
            log = agent.log
            asked = wait(lambda: [x["trace"] for x in lines(log(), msg="request") if x["path"] == "/agent/v1/checkin" and x["status"] == 200], 30)
            self.assertTrue(asked, log()[-2000:])
            postgres = lambda: (service.cell.dir / "pg.log").read_text(errors="replace")
            # The first check-in brings facts, so it is written; alone in its batch it gives the batch its id.
            found = wait(lambda: [t for t in asked if f"app=[{t}]" in postgres()], 10)
            self.assertTrue(found, asked)
            answered = lines(service.log_text(), msg="call answered", trace=found[0])
            self.assertTrue(answered)
            self.assertEqual((answered[0]["operation"], answered[0]["tenant"]), ("agent_checkin", "acme"))

    def test_several_in_a_batch(self):
        """Items that share a batch show its id in the database; a debug line names it with each item's own id."""
        service.cell.ctl("trace", "on", "store", "--tenant", "acme", "--for", "5m")
        self.addCleanup(service.cell.ctl, "trace", "off", "all")
        devices = [Device(service, service.enrolment_token("acme"), f"batch-{i}") for i in range(8)]

        def report(d, trace):
            for i in range(6):
                d.checkin("spool", headers={"traceparent": f"00-{trace}-00000000000000aa-01"}, events=[d.event("detection", detection(f"b{i}"))])
        traces = [secrets.token_hex(16) for _ in devices]

        def together():
            threads = [threading.Thread(target=report, args=x) for x in zip(devices, traces)]
            for t in threads:
                t.start()
            for t in threads:
                t.join(60)
            return [x for x in lines(service.log_text(), msg="batch item", outcome="committed") if x["items"] > 1]
        shared = wait(together, 40)
        self.assertTrue(shared)
        batch = shared[0]["batch"]
        items = [x for x in shared if x["batch"] == batch]
        self.assertEqual(len(items), items[0]["items"])
        self.assertLessEqual({x["trace"] for x in items}, set(traces))
        self.assertTrue(wait(lambda: f"app=[{batch}]" in (service.cell.dir / "pg.log").read_text(errors="replace"), 10), batch)

    def test_problem_and_console(self):
        trace = secrets.token_hex(16)
        r = person.call("GET", "/api/v1/devices/nonsense", headers={"traceparent": f"00-{trace}-00000000000000aa-01"})
        self.assertEqual((r.status, r.json["trace_id"], r.headers["x-trace-id"]), (404, trace, trace))
        for bad in (f"00-{trace.upper()}-00000000000000aa-01", f"00-{trace}-0000000000000000-01", f"00-{trace}-00000000000000aa-01-x", "x" * 55):
            r = person.call("GET", "/api/v1/devices/nonsense", headers={"traceparent": bad})
            self.assertNotEqual(r.json["trace_id"], trace, bad)
            self.assertRegex(r.json["trace_id"], "^[0-9a-f]{32}$")
        trace = secrets.token_hex(16)
        self.assertEqual(person.call("GET", "/api/v1/devices", headers={"traceparent": f"00-{trace}-00000000000000aa-01"}).status, 200)
        self.assertIn(f"app=[{trace}]", (service.cell.dir / "pg.log").read_text(errors="replace"))


class Top(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def top(self, *args):
        servers = [x for s in (service, other) for x in ("--server", f"127.0.0.1:{s.ops_port}")]
        return service.cell.ctl_json("top", *servers, "--once", *args)

    def test_two_servers(self):
        """What both servers do for a tenant is added up."""
        token = service.enrolment_token("acme")
        devices = [Device(s, token, f"top-{i}") for i, s in enumerate((service, other))]
        end = time.monotonic() + 6
        sent = []

        def report(d):
            n = 0
            while time.monotonic() < end:
                d.checkin("spool", events=[d.event("detection", detection("t"))])  # refused ones are requests too
                n += 1
            sent.append(n)
        threads = [threading.Thread(target=report, args=(d,)) for d in devices]
        for t in threads:
            t.start()
        time.sleep(0.7)
        both = self.top("--interval", "2")
        one = service.cell.ctl_json("top", "--server", f"127.0.0.1:{service.ops_port}", "--interval", "1")
        for t in threads:
            t.join(30)
        self.assertEqual([(s["answers"], s["replica"]) for s in both["servers"]], [(True, "a"), (True, "b")])
        acme, alone = both["tenants"][0], one["tenants"][0]
        self.assertEqual((acme["tenant"], alone["tenant"]), ("acme", "acme"))
        rate = sum(sent) / 6
        self.assertGreater(acme["requests_per_second"], rate / 3)
        self.assertLess(acme["requests_per_second"], rate * 3)
        self.assertGreater(acme["requests_per_second"], alone["requests_per_second"] / 2)
        self.assertGreater(acme["bytes_per_second"], acme["requests_per_second"] * 200)
        self.assertTrue(0.0001 < acme["cpu"] < 4, acme)
        self.assertTrue(0.0001 < acme["db"] < 8, acme)

    def test_text_and_refusals(self):
        text = service.cell.ctl("top", "--once", "--interval", "1", "--by", "requests", "--server", f"127.0.0.1:{service.ops_port}", "--server", "127.0.0.1:1")
        self.assertIn("127.0.0.1:1 does not answer\n", text)
        self.assertRegex(text, r"(?m)^TENANT +CPU % +DB % +BYTES/S +REQUESTS/S$")
        self.assertNotIn("\033", text)  # no terminal
        self.assertEqual(ctl_fails("top", "--once", "--server", "127.0.0.1:1"), 4)
        self.assertEqual(ctl_fails("top", "--by", "beauty"), 2)
        self.assertEqual(ctl_fails("top", "--interval", "0"), 2)
        # The server of the configuration, and no database is needed for it.
        done = subprocess.run([program("sekishoctl"), "--config", str(service.cell.config), "--set", "owner_database=", "top", "--once", "--interval", "1"],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Trace(unittest.TestCase):
    def tearDown(self):
        service.cell.ctl("trace", "off", "all")

    def answered(self, tenant):
        return lines(service.log_text(), msg="call answered", tenant=tenant)

    def test_one_tenant_until_its_end(self):
        forget_rates(service)
        kaede = Person(service, "kaede")
        hidden.extend(kaede.secrets)
        self.assertEqual(person.call("GET", "/api/v1/devices").status, 200)
        before = len(self.answered("acme"))
        made = service.cell.ctl_json("trace", "on", "edge", "--tenant", "acme", "--for", "4s")
        self.assertEqual((made["area"], made["tenant"]), ("edge", "acme"))
        self.assertEqual([x["area"] for x in service.cell.ctl_json("trace", "list")["traces"]], ["edge"])

        def both():
            kaede.call("GET", "/api/v1/devices")
            person.call("GET", "/api/v1/devices")
            return len(self.answered("acme")) > before
        self.assertTrue(wait(both, 3.5))
        self.assertEqual(self.answered("kaede"), [])
        time.sleep(4)
        seen = len(self.answered("acme"))
        for _ in range(3):
            both()
        self.assertEqual(len(self.answered("acme")), seen)
        self.assertTrue(lines(service.log_text(), msg="debug lines ended"))
        self.assertEqual(service.cell.ctl_json("trace", "list")["traces"], [])
        audit = service.cell.sql("SELECT action, tenant, detail->>'area' FROM control.operator_audit WHERE action LIKE 'trace.%' ORDER BY at DESC LIMIT 1")
        self.assertEqual(audit, [("trace.on", "acme", "edge")])

    def test_off_and_every_server(self):
        service.cell.ctl("trace", "on", "handler", "--for", "5m")
        self.assertTrue(wait(lambda: len(lines(service.log_text(), msg="debug lines asked for", of="handler")) >= 2, 5))  # both servers
        d = Device(service, service.enrolment_token("acme"), "handler")
        self.assertTrue(wait(lambda: d.checkin("spool").status == 200 and lines(service.log_text(), msg="check-in", device=d.id), 5))
        service.cell.ctl("trace", "off", "handler")

        def silent():
            n = len(lines(service.log_text(), msg="check-in", device=d.id))
            d.checkin("spool")
            return len(lines(service.log_text(), msg="check-in", device=d.id)) == n
        self.assertTrue(wait(silent, 5, 0.3))

    def test_refusals(self):
        for args, code in ((("trace", "on", "kitchen"), 2), (("trace", "on", "agent"), 2), (("trace", "on"), 2), (("trace", "on", "edge", "--for", "25h"), 2),
                           (("trace", "on", "edge", "--for", "0"), 2), (("trace", "on", "edge", "--for", "-1m"), 2), (("trace", "on", "all"), 2),
                           (("trace", "on", "edge", "--tenant", "nobody-here"), 1), (("trace", "off", "kitchen"), 2), (("trace", "list", "x"), 2)):
            self.assertEqual(ctl_fails(*args), code, args)

    def test_nothing_secret(self):
        """Everything is traced while people sign in and devices enrol: the log holds no password, token, cookie or key."""
        forget_rates(service)
        areas = ("edge", "identity", "tenant", "quota", "handler", "store", "cache", "worker", "server")
        for area in areas:
            service.cell.ctl("trace", "on", area, "--for", "5m")
        self.assertTrue(wait(lambda: {x["of"] for x in lines(service.log_text(), msg="debug lines asked for")} >= set(areas), 5))
        token = service.enrolment_token("acme")
        p = Person(service, "acme")
        p.refresh()
        made = p.post("/api/v1/enrolment-tokens", {"name": "secret-" + secrets.token_hex(4), "max_uses": 1})
        d = Device(service, made["secret"], "quiet")
        word = "sesame-" + secrets.token_hex(8)
        d.report([d.event("detection", detection(word))], [d.fact("identity", {"-": {"hostname": word, "agent_version": "0.1.0"}})])
        service.sign_in("acme/admin", word)
        log = service.log_text()
        self.assertGreater(len(lines(log, msg="statement")), 10)
        self.assertGreater(len(lines(log, msg="job begins")), 3)
        self.assertGreater(len(lines(log, msg="script")), 3)
        self.assertTrue(lines(log, msg="batch item"))
        key = Path(d.key).read_text().splitlines()[1]
        for secret in [*p.secrets, *hidden, token, made["secret"], word, key]:
            self.assertNotIn(secret, log)
            if secret.count(".") == 2:  # a token's signature, or a cookie's secret part
                self.assertNotIn(secret.rsplit(".", 1)[1], log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
