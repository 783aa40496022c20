# SPDX-License-Identifier: Apache-2.0
"""Two companies on one cell, each with a mark in every text that it owns. Every route of both contracts is driven as one of
them with ids, cursors, tokens, cookies and certificates of the other; no byte that comes back may hold the other's mark or
ids, an id of the other must look like one that never was, and the other's rows stay as they are. The routes are read from
the contracts: a new route, path parameter, id in a query or id in a body that nobody drives here fails a test."""
import base64
import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path
from urllib.parse import quote

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cell import Failed  # noqa: E402
from client import COOKIE, ROOT, Device, Line, Person, Service, detection, forget_rates, number_of, redis, wait  # noqa: E402
from totp import code_of, step_now  # noqa: E402

API = yaml.safe_load((ROOT / "src/handler/openapi.yaml").read_text(encoding="utf-8"))
AGENT = yaml.safe_load((ROOT / "src/wire/agent.yaml").read_text(encoding="utf-8"))
service = folder = one = two = None
known_secrets = set()
typed = set()  # names of the other's that a company gave its own things: its own audit keeps what it typed itself


def setUpModule():
    global service, folder, one, two
    folder = tempfile.TemporaryDirectory()
    marks = ["mikan" + secrets.token_hex(5), "budou" + secrets.token_hex(5)]
    for mark in marks:
        (Path(folder.name) / f"{mark}.json").write_text(json.dumps(tenant_file(mark)), encoding="utf-8")
    modules = Path(folder.name) / "modules"
    modules.mkdir()
    (modules / "local.ndb").write_bytes(b"Test:0:*:00")
    Path(folder.name).chmod(0o755)
    service = Service(tenants=[str(Path(folder.name) / f"{m}.json") for m in marks], log_debug="true", modules=modules)
    service.__enter__()
    service.cell.ctl("module", "sign", modules, "--name", "local", "--version", 1)
    one, two = (Tenant(m) for m in marks)


def tearDownModule():
    try:
        for t in (one, two):
            if t:
                known_secrets.update(t.secrets())
        code = service.stop()
        logs = {f: (service.cell.dir / f).read_text(encoding="utf-8", errors="replace") for f in ("server.log", "pg.log")}
        assert code == 0, f"the server ended with {code}:\n{logs['server.log'][-3000:]}"
        if one and two:  # all secrets of the run, with debug lines on
            assert '"msg":"call answered"' in logs["server.log"]
            assert len(known_secrets) > 20
            for name, text in logs.items():
                for s in known_secrets:
                    assert s not in text, f"{name} holds a secret: {next(x for x in text.splitlines() if s in x)[:600]}"
    finally:
        service.__exit__()
        folder.cleanup()


def tenant_file(m):
    return {"id": f"x-{m}", "name": f"{m} company", "plan": "enterprise", "seats": 50, "language": "en", "hosts": [f"{m}.example.com"],
            "groups": [f"{m} group"], "accounts": [{"name": "admin", "display_name": f"{m} admin"}, {"name": f"{m}.second", "display_name": f"{m} two"}],
            "enrolment_tokens": [{"name": f"{m} token", "group": f"{m} group"}]}


def facts(d, m, n):
    at = "2026-01-02T03:04:05.000000Z"
    return [
        d.fact("identity", {"-": {"hostname": f"{m}-pc-{n}", "fqdn": f"{m}-pc-{n}.example.com", "machine_id": f"{m}-machine", "agent_version": f"{m}"}}),
        d.fact("os", {"-": {"family": "linux", "name": f"{m} os", "version": f"{m} v", "kernel": f"{m} k", "architecture": f"{m} arch",
                            "time_zone": f"{m} zone", "locale": f"{m} locale", "boot_at": at}}),
        d.fact("hardware", {"-": {"vendor": f"{m} vendor", "model": f"{m} model", "serial": f"{m} serial", "cpu": f"{m} cpu", "cpu_cores": 2, "memory": 1},
                            f"disk:{m}": {"model": f"{m} disk", "size": 1}, f"fs:/{m}": {"type": f"{m} fs", "size": 2, "free": 1}}),
        d.fact("network", {f"{m}0": {"mac": f"{m}", "state": "up", "speed": 10, "addresses": [f"10.0.0.{n}", f"{m}"]}}),
        d.fact("software", {f"{m} package {i}": {"version": f"{m}", "vendor": f"{m}", "architecture": f"{m}", "size": 1, "installed_at": at}
                            for i in range(3)}),
        d.fact("users", {f"{m} user": {"terminal": f"{m}", "since": at}}),
        d.fact("protection", {"-": {"engine": f"{m}", "version": f"{m}", "signature_version": f"{m}", "signature_at": at, "state": "on",
                                    "on_access": True, "isolated": False, "watched_folders": [f"/{m}"]}}),
        d.fact("problems", {f"{m}_code": {"severity": "warning", "since": at, "args": [f"{m}"]}}),
    ]


def marked_detection(m, n, **more):
    return detection(f"{m} name {n}", action_error=f"{m} error", object=f"/{m}/object", sha256=f"{m}sha", size=7, process=f"/{m}/process",
                     user=f"{m} user", engine=f"{m} engine", engine_version=f"{m} ev", signature_version=f"{m} sv", **more)


class Tenant:
    """A company with something marked in every table."""

    def __init__(self, mark):
        m = self.mark = mark
        self.id = f"x-{m}"
        self.no = number_of(service, self.id)
        agent = {"user-agent": f"{m} browser"}
        forget_rates(service)
        self.person = Person(service, self.id, headers=agent)
        self.second = Person(service, self.id, account=f"{m}.second", headers=agent)
        self.other = Person(service, self.id, headers=agent)  # a second session of the same account
        p, self.token = self.person, service.enrolment_token(self.id)
        self.devices = [Device(service, self.token, f"{m}-pc-{n}", version=m) for n in range(3)]
        self.group = p.post("/api/v1/groups", {"name": f"{m} made group"})["id"]
        made = p.post("/api/v1/enrolment-tokens", {"name": f"{m} made token", "group_id": self.group})
        self.made_token, self.made_secret = made["token"]["id"], made["secret"]
        self.set = p.post("/api/v1/permission-sets", {"name": f"{m} set", "description": f"{m} set for all", "group_ids": [self.group],
                                                      "rights": [{"functionality": "tasks", "allow": "read", "deny": "none"}]})["id"]
        p.post("/api/v1/users", {"name": f"{m}.third", "display_name": f"{m} three", "email": f"{m}@example.com", "language": "en",
                                 "set_ids": [self.set], "home_group_id": self.group})
        self.user = p.get(f"/api/v1/users?search={m}.second")["items"][0]["id"]  # who is signed in
        self.quarantined = str(uuid.uuid4())
        for n, d in enumerate(self.devices):
            at = "2026-01-02T03:04:05.000000Z"
            d.report([d.event("detection", marked_detection(m, n)), d.event("detection", marked_detection(m, n + 10)),
                      d.event("scan", {"started": at, "ended": at, "targets": [f"/{m}"], "files_scanned": 1, "found": 1, "errors": 0}),
                      d.event("quarantine", {"change": "added", "id": self.quarantined if n == 0 else str(uuid.uuid4()), "name": f"{m} held",
                                             "object": f"/{m}/held", "sha256": f"{m}", "size": 1}),
                      d.event("audit", {"action": f"{m}_action", "detail": f"{m} detail"})], facts(d, m, n))
            d.report(reason="start")
            r = p.call("PATCH", f"/api/v1/devices/{d.id}", {"description": f"{m} description", **({"group_id": self.group} if n else {})})
            assert r.status == 200, r
        ids = [d.id for d in self.devices]
        p = self.second  # whose name is marked: it stands in what people did
        found = p.get(f"/api/v1/detections?device={ids[0]}")["items"]
        self.detection = found[0]["id"]
        p.post("/api/v1/detections/resolve", {"ids": [found[1]["id"]], "resolved": True}, 200)
        self.message = p.post("/api/v1/tasks", {"type": "show_message", "name": f"{m} task", "devices": ids,
                                                "message": {"title": f"{m} title", "text": f"{m} text"}})["id"]
        self.task = p.post("/api/v1/tasks", {"type": "scan", "name": f"{m} scan", "devices": ids[:2], "detection_id": self.detection,
                                             "scan": {"targets": [f"/{m}/target"]}})["id"]
        p.post("/api/v1/tasks", {"type": "update_modules", "name": f"{m} modules", "devices": ids[:1]})
        d = self.devices[0]
        mine = [t for t in d.report(reason="wake")["tasks"] if t["type"] == "show_message"]
        d.report([d.event("execution", {"execution_id": mine[0]["execution_id"], "state": "done", "progress": 100, "result_code": f"{m}_result",
                                        "result_args": [f"{m} argument"]})])
        self.execution = next(e["id"] for e in p.get(f"/api/v1/executions?task={self.task}")["items"] if e["device_id"] == d.id)

    def ids(self):
        """What may stand in a path, a query or a body, by name of the parameter or field."""
        return {"session_id": self.other.session, "device_id": self.devices[0].id, "detection_id": self.detection, "task_id": self.task,
                "execution_id": self.execution, "token_id": self.made_token, "group": self.group, "device": self.devices[0].id, "task": self.task,
                "group_id": self.group, "parent_id": self.group, "devices": [self.devices[1].id], "ids": [self.detection], "user_id": self.user,
                "user": self.user, "set_id": self.set, "set": self.set, "set_ids": [self.set], "home_group_id": self.group, "group_ids": [self.group],
                "object": self.devices[0].id}

    def everything(self):
        """All ids of rows of the company, as text."""
        rows = service.cell.sql(" UNION ALL ".join(f"SELECT id::text FROM t_{self.no}.{t}" for t in (
            "device", "device_group", "detection", "quarantine", "task", "execution", "enrolment_token", "account", "session", "event", "audit", "permission_set")))
        return {r[0] for r in rows}

    def secrets(self):
        keys = [line for d in self.devices for line in d.key.read_text().splitlines()[1:2]]
        return {self.token, self.made_secret, *keys, *(s for p in (self.person, self.second, self.other) for s in p.secrets)}

    def fingerprint(self):
        """Every row but what passes by itself (seen; when a session was last used)."""
        tables = [r[0] for r in service.cell.sql(f"SELECT table_name FROM information_schema.tables WHERE table_schema = 't_{self.no}'")]
        text = []
        for t in sorted(set(tables) - {"seen"}):
            columns = "x.id, x.counter, x.ended_at" if t == "session" else "x.*"
            text.append(f"SELECT '{t}', count(*), md5(coalesce(string_agg(r::text, ' ' ORDER BY r::text), '')) FROM (SELECT {columns} FROM t_{self.no}.{t} x) r")
        return service.cell.sql(" UNION ALL ".join(text))


def nobody(known):
    """The same names with ids that never were."""
    return {k: [str(uuid.uuid4()) for _ in v] if isinstance(v, list) else str(uuid.uuid4()) for k, v in known.items()}


def operations():
    for path, methods in API["paths"].items():
        for method, op in methods.items():
            yield path, method.upper(), op


def resolved(node):
    while "$ref" in node:
        at = API
        for part in node["$ref"][2:].split("/"):
            at = at[part]
        node = at
    return node


def uuid_fields(node, name=None):
    node = resolved(node)
    if node.get("format") == "uuid":
        yield name
    for k, v in node.get("properties", {}).items():
        yield from uuid_fields(v, k)
    if "items" in node:
        yield from uuid_fields(node["items"], name)


# Bodies of every route that takes one: me (the attacker), ids of the other (or of nobody). The first answer is the expectation.
BODIES = {
    "password_change": lambda me, ids, it: [{"current": it.person.password, "new": "a new password of mine"}],
    "two_factor_begin": lambda me, ids, it: [{"password": it.person.password}],
    "two_factor_confirm": lambda me, ids, it: [{"code": "123456"}],
    "two_factor_end": lambda me, ids, it: [{"password": it.person.password}],
    "me_update": lambda me, ids, it: [{"language": "en"}],
    "device_update": lambda me, ids, it: [{"group_id": ids["group_id"]}, {"description": "moved"}],
    "group_create": lambda me, ids, it: [{"name": "below yours", "parent_id": ids["parent_id"]}],
    "detection_resolve": lambda me, ids, it: [{"ids": ids["ids"], "resolved": True}, {"ids": ids["ids"], "resolved": False}],
    "task_create": lambda me, ids, it: [
        {"type": "scan", "devices": ids["devices"]}, {"type": "scan", "devices": [me.devices[0].id, *ids["devices"]]},
        {"type": "isolate", "devices": ids["devices"]},
        {"type": "scan", "devices": [me.devices[2].id], "detection_id": ids["detection_id"]}],
    "user_create": lambda me, ids, it: [
        {"name": "mine", "display_name": "x", "language": "en", "set_ids": ids["set_ids"], "home_group_id": ids["home_group_id"]},
        {"name": "mine", "display_name": "x", "language": "en", "set_ids": ids["set_ids"]}],
    "user_update": lambda me, ids, it: [
        {"display_name": "x", "language": "en", "set_ids": ids["set_ids"], "home_group_id": ids["home_group_id"], "enabled": True, "revision": 1}],
    "permission_set_create": lambda me, ids, it: [
        {"name": "mine", "group_ids": ids["group_ids"], "rights": [{"functionality": "tasks", "allow": "read", "deny": "none"}]}],
    "permission_set_update": lambda me, ids, it: [
        {"name": "mine", "group_ids": ids["group_ids"], "rights": [{"functionality": "tasks", "allow": "read", "deny": "none"}], "revision": 1}],
    "enrolment_token_create": lambda me, ids, it: [{"name": "mine", "group_id": ids["group_id"]}],
}
# Routes that are driven by a test of their own.
SPECIAL = {"sign_in": "Sessions.test_sign_in", "session_refresh": "Sessions.test_cookies", "sign_out": "Sessions.test_cookies",
           "live_open": "Live.test_streams", "two_factor_begin": "Sessions.test_two_factor", "two_factor_confirm": "Sessions.test_two_factor",
           "two_factor_end": "Sessions.test_two_factor"}
NO_TEXT = {"overview_show"}  # answers without a text of the company


class Case(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def clean(self, it, raw, what="", allowed=()):
        """Nothing of the company `it` in these bytes, not inside base64 either."""
        text = raw.lower()
        for name in typed:
            text = text.replace(f'"object_name":"{name}"'.encode(), b"")
        self.assertNotIn(it.mark.encode(), text, what)
        for ident in self.foreign(it):
            if ident not in allowed:
                self.assertNotIn(ident.encode(), text, what)

    def foreign(self, it):
        if not hasattr(it, "known"):
            it.known = it.everything()
        return it.known

    def ask(self, me, method, path, body=None, **kw):
        r = me.person.call(method, path, body, **kw)
        if r.status == 429:
            forget_rates(service)
            r = me.person.call(method, path, body, **kw)
        return r

    def both_ways(self, fn):
        for me, it in ((one, two), (two, one)):
            with self.subTest(attacker=me.mark):
                fn(me, it)


def without_trace(reply):
    if not isinstance(reply.json, dict):
        return reply.status, reply.body
    return reply.status, {k: v for k, v in reply.json.items() if k != "trace_id"}


class Contract(Case):
    """Is every route, every id, driven?"""

    def test_every_console_route_has_a_driver(self):
        names = set(one.ids())
        for path, method, op in operations():
            name = op["operationId"]
            for p in map(resolved, op.get("parameters", [])):
                if p["in"] == "path" or p["schema"].get("format") == "uuid":
                    self.assertIn(p["name"], names, f"{method} {path}: nobody has an id of the other company for {p['name']}")
            if name in SPECIAL:
                continue
            if "requestBody" in op:
                self.assertIn(name, BODIES, f"{method} {path} has no body here")
                schema = op["requestBody"]["content"]["application/json"]["schema"]
                sent = json.dumps(BODIES[name](one, two.ids(), two))
                for field in uuid_fields(schema):
                    self.assertIn(f'"{field}"', sent, f"{method} {path}: the id {field} is not driven")
        self.assertLessEqual(set(BODIES) | set(SPECIAL), {op["operationId"] for _, _, op in operations()})

    def test_every_agent_route_has_a_driver(self):
        self.assertEqual({r["id"] for r in AGENT["routes"]}, set(Agents.DRIVEN))

    def test_seeds_are_everywhere(self):
        """Each text column of a company holds its mark, or is one that holds codes and hashes: the seeds are complete."""
        codes = {"device_group.built_in", "device.os_family", "device.protection", "device.facts_digest", "device.ip", "seen.address", "fact.kind",
                 "fact_digest.kind", "fact_digest.digest", "event.kind", "event.hash", "detection.type", "detection.scanner", "detection.action",
                 "task.type", "execution.state", "enrolment_token.created_by", "certificate.serial", "account.password_hash", "account.language",
                 "session.address", "audit.address", "audit.action", "audit.object_type", "audit.result", "account.set_ids",
                 "account.recovery_hashes", "permission_set.group_ids"}
        for t in (one, two):
            columns = service.cell.sql(f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 't_{t.no}' "
                                       "AND (data_type IN ('text', 'jsonb') OR data_type = 'ARRAY')")
            counts = service.cell.sql(" UNION ALL ".join(
                f"SELECT '{table}.{column}', count(*) FROM t_{t.no}.{table} WHERE position('{t.mark}' IN lower({column}::text)) > 0"
                for table, column in columns if f"{table}.{column}" not in codes))
            self.assertGreater(len(counts), 30)
            self.assertEqual([c for c, n in counts if n == "0"], [])


class Console(Case):
    def requests(self, me, it, ids, cursors):
        """Every route with the ids: (operation, method, path, body)."""
        own = me.ids()
        for path, method, op in operations():
            name = op["operationId"]
            if name in SPECIAL:
                continue
            parameters = [resolved(p) for p in op.get("parameters", [])]
            in_path = [p["name"] for p in parameters if p["in"] == "path"]
            bodies = BODIES[name](me, ids, it) if "requestBody" in op else [None]
            fill = lambda names, path=path: [path := path.replace(f"{{{k}}}", names[k]) for k in in_path][-1] if in_path else path
            if in_path:
                for body in bodies:
                    yield op, method, fill(ids), body
            if not in_path or "requestBody" in op:
                for body in bodies:
                    yield op, method, fill(own), body
            for p in parameters:
                if p["in"] == "query" and p["schema"].get("format") == "uuid":
                    yield op, method, f"{fill(own)}?{p['name']}={ids[p['name']]}", None
                if p["in"] == "query" and p["name"] == "search":
                    yield op, method, f"{fill(own)}?search={it.mark}", None
            for query, cursor in cursors.get(name, []):
                yield op, method, f"{fill(own)}?{query}&cursor={cursor}", None

    def cursors(self, it):
        """A cursor of every list, in every order."""
        found = {}
        own = it.ids()
        for path, _, op in operations():
            parameters = {p["name"]: p for p in map(resolved, op.get("parameters", []))}
            if "cursor" not in parameters:
                continue
            sorts = parameters.get("sort", {}).get("schema", {}).get("enum", [None])
            for k in own:
                path = path.replace(f"{{{k}}}", own[k]) if isinstance(own[k], str) else path
            for sort in sorts:
                for direction in ("asc", "desc") if sort else (None,):
                    query = f"limit=1&sort={sort}&direction={direction}" if sort else "limit=1"
                    page = it.person.get(f"{path}?{query}")
                    self.assertIn("next_cursor", page, f"{path}?{query} has no second page")
                    self.assertEqual(it.person.call("GET", f"{path}?{query}&cursor={page['next_cursor']}").status, 200, f"{path}?{query}")
                    found.setdefault(op["operationId"], []).append((query, page["next_cursor"]))
        return found

    def test_own_lists_hold_only_own(self):
        def run(me, it):
            for path, method, op in operations():
                if method != "GET" or op["operationId"] in SPECIAL:
                    continue
                for k, v in me.ids().items():
                    path = path.replace(f"{{{k}}}", v) if isinstance(v, str) else path
                r = self.ask(me, method, path)
                self.assertEqual(r.status, 200, (path, r))
                self.clean(it, r.raw, path)
                if op["operationId"] not in NO_TEXT:
                    self.assertIn(me.mark.encode(), r.raw.lower(), f"{path} shows nothing of one's own")

        self.both_ways(run)

    def test_with_everything_of_the_other(self):
        def run(me, it):
            cursors = self.cursors(it)
            before = it.fingerprint()
            pairs = zip(self.requests(me, it, it.ids(), cursors), self.requests(me, it, nobody(it.ids()), cursors))
            seen = set()
            for (op, method, path, body), (_, _, path0, body0) in pairs:
                what = f"{method} {path} {body}"
                seen.add(op["operationId"])
                r = self.ask(me, method, path, body)
                self.assertLess(r.status, 500, (what, r))
                self.clean(it, r.raw, what, allowed=it_sent(body))
                if path != path0 or body != body0:
                    r0 = self.ask(me, method, path0, body0)
                    if method == "GET" or r.status >= 400 or r0.status >= 400:  # what never was looks the same
                        strip = lambda x: without_trace(x) if x.status >= 400 or method == "GET" else (x.status, None)
                        self.assertEqual(strip(r), strip(r0), what)
                    else:
                        self.assertEqual(r.status, r0.status, what)
                    if any(i in path for i in it.ids().values() if isinstance(i, str)) and "?" not in path:
                        self.assertIn((r.status, r.code), {(404, "not_found"), (422, "group_unknown") if body else None}, (what, r))
                if "search=" in path:
                    self.assertEqual([x for x in r.json["items"] if x.get("object_name") not in typed], [], what)
                    self.assertEqual(r.json.get("total", 0), 0, what)
            self.assertEqual(seen, {op["operationId"] for _, _, op in operations()} - set(SPECIAL))
            self.assertEqual(it.fingerprint(), before)

        def it_sent(body):
            """Ids that the attacker named itself, and that its own row may repeat."""
            return set(json.dumps(body or {}).replace('"', " ").replace("]", " ").replace("[", " ").split())

        self.both_ways(run)

    def test_expected_refusals(self):
        def run(me, it):
            ids = it.ids()
            for body, code, field in (({"type": "scan", "devices": ids["devices"]}, "device_not_in_tenant", "devices[0]"),
                                      ({"type": "scan", "devices": [me.devices[0].id, *ids["devices"]]}, "device_not_in_tenant", "devices["),
                                      ({"type": "scan", "devices": [me.devices[0].id], "detection_id": ids["detection_id"]}, "detection_unknown", "detection_id")):
                r = self.ask(me, "POST", "/api/v1/tasks", body)
                self.assertEqual((r.status, r.code), (422, code), r)
                self.assertTrue(r.json["field"].startswith(field), r)
            for method, path, body, field in (("PATCH", f"/api/v1/devices/{me.devices[0].id}", {"group_id": it.group}, "group_id"),
                                              ("POST", "/api/v1/groups", {"name": "x", "parent_id": it.group}, "parent_id"),
                                              ("POST", "/api/v1/enrolment-tokens", {"name": "x", "group_id": it.group}, "group_id")):
                r = self.ask(me, method, path, body)
                self.assertEqual((r.status, r.code, r.json["field"]), (422, "group_unknown", field), r)
            r = self.ask(me, "POST", "/api/v1/detections/resolve", {"ids": [it.detection], "resolved": True})
            self.assertEqual((r.status, r.json), (200, {"changed": 0}))

        self.both_ways(run)

    def test_cursor_shows_nothing(self):
        """A cursor is of one's own page only; no text of the other, and not the other's position."""
        def run(me, it):
            for name, found in self.cursors(me).items():
                for _, cursor in found:
                    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
                    self.clean(it, raw, name)
                    for ident in self.foreign(it):
                        self.assertNotIn(uuid.UUID(ident).bytes, raw, name)

        self.both_ways(run)


def forge(token, **claims):
    head, body, mac = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    payload.update(claims)
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip('=')}.{mac}"


class Sessions(Case):
    def test_tokens_on_every_route(self):
        """A token that says to be of the other company opens no route, and neither do one's own with the other's parts."""
        def run(me, it):
            a, b = me.person.token.split("."), it.person.token.split(".")
            mixed = [forge(me.person.token, tenant=it.id, tno=int(it.no)), forge(me.person.token, sid=it.person.session),
                     f"{a[0]}.{b[1]}.{a[2]}", f"{b[0]}.{a[1]}.{b[2]}"]
            ids = it.ids()
            for n, (path, method, op) in enumerate(x for x in operations() if x[2]["x-auth"] == "user"):
                for k, v in ids.items():
                    path = path.replace(f"{{{k}}}", v) if isinstance(v, str) else path
                body = BODIES[op["operationId"]](me, ids, it)[0] if "requestBody" in op else None
                r = me.person.line.send(method, path, body, {"authorization": f"Bearer {mixed[n % len(mixed)]}"})
                self.assertEqual((r.status, r.code), (401, "token_invalid"), (path, r))
                self.clean(it, r.raw, path)

        self.both_ways(run)

    def test_cookies(self):
        """session_refresh and sign_out with cookies put together from both; the sessions of the other live on."""
        def run(me, it):
            a, b = me.person.cookie.split("."), it.person.cookie.split(".")
            before = it.fingerprint()
            for parts in ((b[0], a[1], a[2], a[3]), (a[0], b[1], b[2], a[3]), (a[0], b[1], b[2], b[3]), (b[0], b[1], b[2], a[3]),
                          (b[0], a[1], b[2], b[3]), (b[0], b[1], "7", b[3])):
                for path in ("/api/v1/session/refresh", "/api/v1/sign-out"):
                    r = me.person.line.send("POST", path, headers={"cookie": f"{COOKIE}={'.'.join(parts)}", "authorization": f"Bearer {me.person.token}"})
                    if path.endswith("refresh"):
                        self.assertEqual(r.status, 401, (parts, r))
                    self.assertIn(r.status, (401, 204), (parts, r))
                    self.clean(it, r.raw, parts)
            self.assertEqual(it.fingerprint(), before)
            # The cookie decides on these routes, the token on all others: with the other's cookie one stays oneself.
            r = self.ask(me, "GET", "/api/v1/me", headers={"cookie": f"{COOKIE}={it.person.cookie}"})
            self.assertEqual(r.json["tenant"], me.id)
            self.clean(it, r.raw)
            self.assertEqual(it.person.call("GET", "/api/v1/me").status, 200)

        self.both_ways(run)

    def test_two_factor(self):
        """With the other's password and the other's codes nothing begins, counts or ends."""
        def run(me, it):
            where = "/api/v1/me/two-factor"
            for t in (me, it):  # other tests have tried passwords
                service.cell.sql(f"UPDATE t_{t.no}.account SET failures = 0, locked_until = NULL")
            begin = lambda t: self.ask(t, "POST", where, {"password": t.person.password})
            theirs = begin(it)
            self.assertEqual(theirs.status, 200, theirs)
            code = code_of(theirs.json["secret"], step_now())
            before = it.fingerprint()
            for method in ("POST", "DELETE"):
                r = self.ask(me, method, where, {"password": it.person.password})
                self.assertEqual((r.status, r.code), (422, "password_wrong"), r)
                self.clean(it, r.raw)
            r = self.ask(me, "POST", f"{where}/confirm", {"code": code})
            self.assertEqual((r.status, r.code), (409, "second_factor_absent"), r)
            mine = begin(me)
            self.assertEqual(mine.status, 200, mine)
            self.clean(it, mine.raw)
            r = self.ask(me, "POST", f"{where}/confirm", {"code": code})
            self.assertEqual((r.status, r.code), (401, "second_factor_wrong"), r)
            self.assertEqual(it.fingerprint(), before)
            for t in (me, it):
                self.assertEqual(self.ask(t, "DELETE", where, {"password": t.person.password}).status, 204)
                service.cell.sql(f"UPDATE t_{t.no}.account SET failures = 0, locked_until = NULL")

        self.both_ways(run)

    def test_sign_in(self):
        """Both have an account admin; a password is good at home only, whatever the host name says."""
        def run(me, it):
            password = me.person.password
            host = {"host": f"{it.mark}.example.com"}
            for body, headers in (({"name": f"{it.id}/admin", "password": password}, {}), ({"name": "admin", "password": password}, host),
                                  ({"name": f"{me.id}/{it.mark}.second", "password": it.second.password}, {})):
                r = Line(service, service.console_port).send("POST", "/api/v1/sign-in", body, headers)
                self.assertEqual((r.status, r.code), (401, "sign_in_failed"), (body, r))
                self.clean(it, r.raw, body)
            r = me.person.call("GET", "/api/v1/me", headers=host)
            self.clean(it, r.raw)
            self.assertIn(r.status, (200, 401, 403, 404))

        self.both_ways(run)


class Stream:
    """Reads lines of a response that does not end."""

    def __init__(self, case, line, path, headers=None):
        self.lines, self.c = [], None
        self.c, self.r = line.stream(path, headers)
        case.addCleanup(self.c.close)
        case.assertEqual(self.r.status, 200)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while True:
                text = self.r.readline()
                if not text:
                    return
                self.lines.append(text)
        except (OSError, ValueError, AttributeError):
            pass

    def data(self):
        return [x for x in self.lines if x.startswith((b"data:", b'{"wake"'))]

    def topics(self):
        return {json.loads(x[5:])["topic"] for x in self.data()}


class Live(Case):
    def test_streams(self):
        """What one company does moves no stream of the other: neither consoles' hints nor agents' wake-ups."""
        def run(me, it):
            bearer = lambda t: {"authorization": f"Bearer {t.person.token}"}
            mine, theirs = (Stream(self, Line(service, service.console_port), "/api/v1/live", bearer(t)) for t in (me, it))
            wake = lambda t: Stream(self, Line(service, service.agent_port, t.devices[2].cert, t.devices[2].key), f"/agent/v1/wake?revision={t.devices[2].last['revision']}")
            me.devices[2].report(reason="wake")
            it.devices[2].report(reason="wake")
            my_wake, their_wake = wake(me), wake(it)
            time.sleep(1.2)  # one's own device has just connected
            base, base_wake = len(mine.data()), len(my_wake.data())
            p, d = it.person, it.devices[2]
            p.call("PATCH", f"/api/v1/devices/{d.id}", {"description": f"{it.mark} again"})
            d.report([d.event("detection", marked_detection(it.mark, 99)),
                      d.event("quarantine", {"change": "added", "id": str(uuid.uuid4()), "name": it.mark, "object": "/x", "sha256": "0", "size": 1})])
            p.post("/api/v1/tasks", {"type": "scan", "name": it.mark, "devices": [d.id]})
            p.post("/api/v1/enrolment-tokens", {"name": f"{it.mark} live"})
            it.known = it.everything()
            self.assertTrue(wait(lambda: theirs.topics() >= {"devices", "detections", "tasks", "quarantine", "enrolment"}), theirs.lines)
            self.assertTrue(wait(their_wake.data), their_wake.lines)
            time.sleep(1.5)
            self.assertEqual(mine.data()[base:], [])
            self.assertEqual(my_wake.data()[base_wake:], [])
            me.person.post("/api/v1/tasks", {"type": "scan", "name": me.mark, "devices": [me.devices[2].id]})
            me.known = me.everything()
            self.assertTrue(wait(lambda: len(mine.data()) > base), mine.lines)
            self.assertTrue(wait(lambda: len(my_wake.data()) > base_wake), my_wake.lines)
            self.clean(it, b"".join(mine.lines + my_wake.lines))
            for s in (mine, theirs, my_wake, their_wake):
                s.c.close()

        self.both_ways(run)


class Agents(Case):
    DRIVEN = {"enrol": "test_enrol", "renew": "test_renew", "checkin": "test_checkin", "wake": "Live.test_streams", "time": "test_others",
              "module": "test_others"}

    def subject(self, pem):
        return subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pem, check=True, capture_output=True, text=True).stdout

    def csr_for(self, key, tenant, device):
        return subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", f"/CN={device}", "-addext",
                               f"subjectAltName=URI:sekisho://{tenant}.agent.sekisho.internal/{device}"], check=True, capture_output=True, text=True).stdout

    def test_checkin(self):
        """Events, facts and epochs with ids and digests of the other's devices."""
        def run(me, it):
            d = Device(service, me.token, f"{me.mark}-attacker")
            victim = it.devices[0]
            held = service.cell.sql(f"SELECT id::text FROM t_{it.no}.event WHERE device_id = '{victim.id}' ORDER BY seq")
            before = it.fingerprint()
            raw = b""
            d.epoch = victim.epoch  # the other's epoch, and numbers it has used
            events = [
                d.event("execution", {"execution_id": it.execution, "state": "failed", "progress": 50, "result_code": "mine", "result_args": ["mine"]}),
                d.event("detection", detection("mine", execution_id=it.execution), ident=it.detection),
                d.event("quarantine", {"change": "removed", "id": it.quarantined, "name": "mine", "object": "/mine", "sha256": "00", "size": 1}),
                d.event("audit", {"action": "mine"}, ident=held[0][0]),
                d.event("scan", {"execution_id": it.execution, "started": "2026-01-01T00:00:00.000000Z", "ended": "2026-01-01T00:00:00.000000Z",
                                 "files_scanned": 1, "found": 0, "errors": 0})]
            r = d.checkin(events=events)
            self.assertEqual((r.status, r.json["ack"]), (200, 5), r)
            raw += r.raw
            # Facts on the base of the other's digests do not fit, and the other's sum shows nothing.
            r = d.checkin(facts_digest=victim.facts_digest, facts=[{"kind": k, "digest": v, "base": v, "set": []} for k, v in victim.digests.items()])
            self.assertEqual(r.status, 200, r)
            self.assertEqual(set(r.json["want_facts"]), set(victim.digests))
            raw += r.raw
            r = d.call("POST", "/agent/v1/checkin", d.body(revision=0, facts_digest=victim.facts_digest))
            self.assertEqual(r.json.get("tasks", []), [])
            raw += r.raw
            self.clean(it, raw)
            self.assertEqual(it.fingerprint(), before)
            # What was made of it stands at home, under one's own words.
            r = me.person.call("GET", f"/api/v1/detections/{it.detection}")
            self.assertEqual((r.status, r.json["name"], r.json["device_id"]), (200, "mine", d.id), r)
            self.assertEqual(me.person.call("DELETE", f"/api/v1/devices/{d.id}").status, 204)

        self.both_ways(run)

    def test_enrol(self):
        def run(me, it):
            victim, own = it.devices[0], me.devices[0]
            typed.add(victim.name)
            before = it.fingerprint()
            # The other's key, name and machine with one's own token: a device of one's own.
            line = Line(service, service.agent_port, own.cert, own.key)
            body = {"token": me.token, "csr_pem": self.csr_for(victim.key, it.id, victim.id), "hostname": victim.name, "os_family": "linux",
                    "agent_version": "0.1.0", "machine_id": f"machine-{victim.name}"}
            r = line.send("POST", "/agent/v1/enrol", body)
            self.assertEqual((r.status, r.json["tenant"]), (200, me.id), r)
            self.clean(it, r.raw)
            self.assertIn(f"sekisho://{me.id}.agent", self.subject(r.json["certificate_pem"]))
            self.clean(it, self.subject(r.json["certificate_pem"]).encode())
            me.person.call("DELETE", f"/api/v1/devices/{r.json['device_id']}")
            # Public half of the other's token with one's own secret.
            raw = [base64.urlsafe_b64decode(t.split("_", 1)[1] + "=") for t in (it.token, me.token)]
            mixed = "sek1_" + base64.urlsafe_b64encode(raw[0][:16] + raw[1][16:]).decode().rstrip("=")
            self.assertEqual(len(mixed), len(me.token))
            r = line.send("POST", "/agent/v1/enrol", {**body, "token": mixed})
            self.assertEqual((r.status, r.code), (403, "enrolment_token_unknown"), r)
            self.clean(it, r.raw)
            self.assertEqual(it.fingerprint(), before)
            # Who has the other's token joins the other, as a device of its own, whatever certificate it shows; its old one stays at home.
            r = line.send("POST", "/agent/v1/enrol", {**body, "token": it.token, "csr_pem": service.csr(service.key(f"two-{me.mark}"))})
            self.assertEqual((r.status, r.json["tenant"]), (200, it.id), r)
            self.assertNotIn(r.json["device_id"], [d.id for d in me.devices + it.devices])
            self.clean(me, r.raw)
            joined = r.json["device_id"]
            self.assertEqual(me.person.call("GET", f"/api/v1/devices/{joined}").status, 404)
            own.report(reason="wake")
            self.assertEqual(me.person.get(f"/api/v1/devices/{own.id}")["device"]["id"], own.id)
            self.assertEqual(it.person.call("DELETE", f"/api/v1/devices/{joined}").status, 204)
            it.known = me.known = None
            del it.known, me.known

        self.both_ways(run)

    def test_renew(self):
        """A request that names the other's device gives one's own name again; without a certificate there is nothing."""
        def run(me, it):
            own, victim = me.devices[1], it.devices[1]
            before = it.fingerprint()
            body = {"csr_pem": self.csr_for(victim.key, it.id, victim.id), "agent_version": "0.1.0"}
            r = own.call("POST", "/agent/v1/renew", body)
            self.assertEqual(r.status, 200, r)
            text = self.subject(r.json["certificate_pem"])
            self.assertIn(f"URI:sekisho://{me.id}.agent.sekisho.internal/{own.id}", text)
            self.clean(it, text.encode() + r.raw)
            self.assertEqual(it.fingerprint(), before)
            # The other's intermediate has not signed it, and a leaf of one's own cannot sign for the other.
            fake = service.cell.dir / f"fake-{me.mark}.pem"
            conf = service.cell.dir / "fake.cnf"
            conf.write_text(f"subjectAltName=URI:sekisho://{it.id}.agent.sekisho.internal/{victim.id}\n", encoding="utf-8")
            key = service.key(f"fake-{me.mark}")
            csr = service.cell.dir / "fake.csr"
            csr.write_text(service.csr(key), encoding="utf-8")
            subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", own.cert, "-CAkey", own.key, "-CAcreateserial", "-days", "9", "-extfile", conf,
                            "-out", fake], check=True, capture_output=True, timeout=60)
            line = Line(service, service.agent_port, fake, key)
            for path, b in (("/agent/v1/renew", body), ("/agent/v1/checkin", own.body("wake")), ("/agent/v1/wake", None), ("/agent/v1/modules/manifest.json", None)):
                r = line.send("POST" if b else "GET", path, b)
                self.assertEqual((r.status, r.code), (403, "certificate_foreign"), (path, r))
                self.clean(it, r.raw, path)

        self.both_ways(run)

    def test_others(self):
        """time and modules are the platform's; nothing of a company stands there, and no path leads out of the mirror."""
        def run(me, it):
            d = me.devices[0]
            r = d.call("GET", "/agent/v1/time?nonce=x")
            self.assertEqual(r.status, 200)
            self.clean(it, r.raw)
            for name in ("manifest.json", "manifest.sig", "local.ndb"):
                r = d.call("GET", f"/agent/v1/modules/{name}")
                self.assertEqual(r.status, 200, r)
                self.clean(it, r.raw)
            for name in ("../keyring", "..%2fkeyring", "%2e%2e/keyring", "..%2f..%2fetc%2fpasswd", f"..%2f{it.mark}.json", f"{it.mark}.json", "..", ".", "%00",
                         "manifest.json%00", "/etc/passwd", quote(f"{folder.name}/{it.mark}.json", safe="")):
                r = d.call("GET", f"/agent/v1/modules/{name}")
                self.assertIn(r.status, (400, 404), (name, r))
                self.clean(it, r.raw, name)
            # The two ports do not take each other's proofs.
            r = Line(service, service.agent_port).send("POST", "/agent/v1/checkin", d.body(), {"authorization": f"Bearer {it.person.token}"})
            self.assertEqual((r.status, r.code), (401, "certificate_missing"), r)
            r = d.call("GET", "/api/v1/devices", headers={"authorization": f"Bearer {it.person.token}"})
            self.assertEqual((r.status, r.code), (404, "path_unknown"), r)
            self.clean(it, r.raw)

        self.both_ways(run)


class Database(Case):
    def refused(self, text, **kw):
        with self.assertRaises(Failed, msg=text) as e:
            service.cell.sql(text, **kw)
        self.assertIn("42501", e.exception.err, text)

    def login(self, t):
        return f"sekisho_s{service.cell.value(f'SELECT slice FROM control.tenant WHERE no = {t.no}')}"

    def test_role_reads_only_its_schema(self):
        def run(me, it):
            login, role = self.login(me), f"t_{me.no}"
            self.assertNotEqual(service.cell.value(f"SELECT count(*) FROM t_{me.no}.device", user=login, role=role), "0")
            others = service.cell.sql("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND "
                                      f"table_schema NOT IN ('pg_catalog', 'information_schema', 't_{me.no}')")
            self.assertIn((f"t_{it.no}", "device"), others)
            self.assertIn(("control", "tenant"), others)
            any_right = " OR ".join(f"has_any_column_privilege('{role}', c.oid, '{r}')" for r in ("SELECT", "INSERT", "UPDATE", "REFERENCES"))
            whole = " OR ".join(f"has_table_privilege('{role}', c.oid, '{r}')" for r in ("DELETE", "TRUNCATE", "TRIGGER"))
            rights = service.cell.sql("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
                                      f"('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND ({any_right} OR {whole})")
            self.assertEqual({schema for schema, _ in rights}, {role})
            for text in (f"SELECT id FROM t_{it.no}.device", f"SELECT name FROM t_{it.no}.account", f"DELETE FROM t_{it.no}.detection",
                         f"UPDATE t_{it.no}.device SET name = 'x'", f"INSERT INTO t_{it.no}.seen (device_id, at) VALUES (gen_random_uuid(), now())",
                         "SELECT id FROM control.tenant", "SELECT secret_sealed FROM control.signing_key", "SELECT sealed FROM control.platform",
                         f"CREATE TABLE t_{me.no}.more (x int)", f"DELETE FROM t_{me.no}.audit", f"UPDATE t_{me.no}.audit SET result = 'x'"):
                self.refused(text, user=login, role=role)

        self.both_ways(run)

    def test_forgotten_tenant(self):
        """Without a role the login of a slice reads no company's table; with the wrong slice the role cannot be taken."""
        for t in (one, two):
            for table in ("device", "detection", "account", "session", "audit"):
                self.refused(f"SELECT count(*) FROM t_{t.no}.{table}", user=self.login(t))
        for (a,) in service.cell.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '^sekisho_s[0-9]+$'"):
            for t in (one, two):
                if a != self.login(t):
                    self.refused(f"SET ROLE t_{t.no}", user=a)
        flags = service.cell.sql("SELECT rolname, rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles "
                                 "WHERE rolname ~ '^t_[0-9]+$'")
        self.assertEqual({f for _, f in flags}, {"f"})
        self.assertEqual(service.cell.value("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname ~ '^t_[0-9]+$'"), "0")
        self.assertEqual(service.cell.value("SELECT bool_or(rolinherit OR rolsuper OR rolcreaterole) FROM pg_roles WHERE rolname ~ '^sekisho_s[0-9]+$'"), "f")


# Every key with what it holds, whatever its type.
ALL_OF_REDIS = """
local read = {string = {'GET'}, hash = {'HGETALL'}, set = {'SMEMBERS'}, list = {'LRANGE', 0, -1}, zset = {'ZRANGE', 0, -1}}
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
    local how = read[redis.call('TYPE', key).ok]
    local value = redis.call(how[1], key, unpack(how, 2))
    all[#all + 1] = key .. '\\t' .. (type(value) == 'table' and table.concat(value, ' ') or value)
end
return all
"""


class Redis(Case):
    def test_keys(self):
        """Redis holds numbers and digests: no text of a company, no secret, and no key of one with a device of the other."""
        one.devices[0].report(reason="wake")
        two.devices[0].report(reason="wake")
        self.assertTrue(wait(lambda: all(f"sk:r:{t.no}:{t.devices[0].id}" in redis(service, "KEYS", "sk:r:*") for t in (one, two))))
        dump = redis(service, "EVAL", ALL_OF_REDIS, "0")
        entries = [line.split(") ", 1)[1].strip('"').split("\\t", 1) for line in dump.splitlines() if ") " in line]
        self.assertGreater(len(entries), 1)
        mine = {t.no: {r[0] for r in service.cell.sql(f"SELECT id::text FROM t_{t.no}.device")} for t in (one, two)}
        everything = {t.no: t.everything() for t in (one, two)}
        hidden = one.secrets() | two.secrets()
        for key, value in entries:
            text = f"{key}\n{value}"
            for t in (one, two):
                self.assertNotIn(t.mark, text)
            for s in hidden:
                self.assertNotIn(s, text)
            if key.startswith("sk:r:"):
                no, device = key.split(":")[2:4]
                if no in mine:
                    self.assertFalse(any(device in mine[x] for x in mine if x != no), key)
                    self.assertFalse([i for x in everything if x != no for i in everything[x] if i in text], text)

    def test_figures(self):
        """The operator's figures carry no company's text but its id."""
        for path in ("/metrics", "/ops/top"):
            c = http.client.HTTPConnection("127.0.0.1", service.ops_port, timeout=10)
            c.request("GET", path)
            text = c.getresponse().read().decode()
            self.assertIn("tenant", text)
            for t in (one, two):
                self.assertNotIn(t.mark, text.replace(f'{{tenant="x-{t.mark}"}}', "").replace(f'["x-{t.mark}",', ""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
