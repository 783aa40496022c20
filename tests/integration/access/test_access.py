# SPDX-License-Identifier: Apache-2.0
"""Who may do what. Every route of the contract that needs a right is driven as every built-in permission set and some made
ones, on an object inside and on one outside of the groups where the set holds. What must come out is computed here, from a
table of its own. A route that needs a right and is not driven fails a test."""
import json
import random
import re
import secrets
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from client import ROOT, Device, Person, Service, detection, forget_rates, wait  # noqa: E402

API = yaml.safe_load((ROOT / "src/handler/openapi.yaml").read_text(encoding="utf-8"))
LEVELS = ("none", "read", "use", "write")
NOBODY = "00000000-0000-4000-8000-00000000dead"
BUILT_IN = {name: f"5e000000-0000-4000-8000-{n:012}" for n, name in enumerate(
    ("administrator", "reviewer", "operator", "branch_administrator", "installer", "auditor"), 1)}
ALL = ("devices", "detections", "tasks", "enrolment", "users", "permission_sets", "audit")
EVERYWHERE, OSAKA = "everywhere", "osaka"
# Who -> (rights, where). Written by hand, from what the sets are for.
RIGHTS = {
    "administrator": (dict.fromkeys(ALL, "write"), EVERYWHERE),
    "reviewer": (dict.fromkeys(ALL, "read"), EVERYWHERE),
    "operator": ({"devices": "read", "detections": "write", "tasks": "write", "enrolment": "read"}, EVERYWHERE),
    "branch_administrator": ({"devices": "write", "detections": "write", "tasks": "write", "enrolment": "write", "users": "read"}, OSAKA),
    "installer": ({"enrolment": "write"}, EVERYWHERE),
    "auditor": ({"audit": "read"}, EVERYWHERE),
    "osaka": ({"tasks": "write"}, OSAKA),                       # the user's own example
    "osaka_all": (dict.fromkeys(ALL, "write"), OSAKA),
    "osaka_viewer": ({"devices": "read", "detections": "use"}, OSAKA),
}
CUSTOM = ("osaka", "osaka_all", "osaka_viewer")
service = folder = world = None


def setUpModule():
    global service, folder, world
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name)
    for name, plan in (("acme", "enterprise"), ("petit", "lite")):
        (path / f"{name}.json").write_text(json.dumps({
            "id": name, "name": name, "plan": plan, "seats": 200, "language": "en", "hosts": [], "groups": ["Tokyo", "Osaka"],
            "accounts": [{"name": "admin", "display_name": "Admin"}], "enrolment_tokens": [{"name": "t", "group": "Osaka"}]}))
    path.chmod(0o755)
    service = Service(tenants=[str(path / "acme.json"), str(path / "petit.json")])
    service.__enter__()
    world = World()


def tearDownModule():
    code = service.stop()
    log = (service.cell.dir / "server.log").read_text(errors="replace")
    service.__exit__()
    folder.cleanup()
    assert code == 0, log[-3000:]


class World:
    """Two branches of one company with the same in each; and its people."""

    def __init__(self):
        self.admin = Person(service, "acme")
        groups = self.admin.get("/api/v1/groups")["items"]
        self.groups = {"inside": next(g["id"] for g in groups if g["name"] == "Osaka"), "outside": next(g["id"] for g in groups if g["name"] == "Tokyo")}
        self.all = next(g["id"] for g in groups if g["name"] == "group.all")
        # Osaka has a shop below it: rights hold there too.
        self.shop = self.admin.post("/api/v1/groups", {"name": "Shop", "parent_id": self.groups["inside"]})["id"]
        self.secrets = {}
        self.devices, self.detections = {}, {}
        for where in self.groups:
            self.devices[where] = self.device(where, f"canary-{where}")
            self.report(where)
        self.tasks = {w: self.task(w) for w in self.groups}
        self.sets = dict(BUILT_IN)
        for name in CUSTOM:
            self.sets[name] = self.made_set(name, RIGHTS[name][0], [self.groups["inside"]])
        self.people = {}
        for name in RIGHTS:
            self.people[name] = self.person(f"u.{name}", [self.sets[name]], self.groups["inside"])

    def made_set(self, name, rights, groups, deny=None, person=None):
        return (person or self.admin).post("/api/v1/permission-sets", set_body(name, rights, groups, deny))["id"]

    def person(self, name, sets, home=None, **more):
        made = self.admin.post("/api/v1/users", {"name": name, "display_name": f"canary {name}", "language": "en", "set_ids": sets,
                                                 **({"home_group_id": home} if home else {}), **more})
        return self.sign_in(name, made)

    def sign_in(self, name, made):
        forget_rates(service)
        first = service.first_password

        def password(tenant, account):
            return made["password"] if account == name else first(tenant, account)
        service.first_password = password
        try:
            p = Person(service, "acme", name)
        finally:
            service.first_password = first
        p.user = made["user"]["id"]
        return p

    def token(self, where):
        if where not in self.secrets:
            made = self.admin.post("/api/v1/enrolment-tokens", {"name": f"canary token {where}", "group_id": self.groups[where]})
            self.secrets[where] = made["secret"]
        return self.secrets[where]

    def device(self, where, name=None):
        forget_rates(service)
        return Device(service, self.token(where), name or f"pc-{secrets.token_hex(4)}")

    def report(self, where):
        d = self.devices[where]
        e = d.event("detection", detection(f"canary-{where}-virus"))
        d.report([e, d.event("quarantine", {"change": "added", "id": e["id"], "name": f"canary-{where}-held", "object": "/x", "sha256": "a", "size": 1})])
        self.detections[where] = e["id"]

    def task(self, where):
        return self.admin.post("/api/v1/tasks", {"type": "show_message", "name": f"canary-{where}-task", "devices": [self.devices[where].id],
                                                 "message": {"text": "x"}})["id"]

    def execution(self, where):
        return self.admin.get(f"/api/v1/executions?task={self.tasks[where]}")["items"][0]["id"]


def set_body(name, rights, groups, deny=None, **more):
    return {"name": name, "description": "", "group_ids": groups, **more,
            "rights": [{"functionality": f, "allow": rights.get(f, "none"), "deny": (deny or {}).get(f, "none")} for f in {**rights, **(deny or {})}]}


def user_body(u, **more):
    b = {"display_name": u["display_name"], "email": u["email"], "language": u["language"], "set_ids": [s["id"] for s in u["sets"]],
         "enabled": u["enabled"], "revision": u["revision"], **({"home_group_id": u["home_group"]["id"]} if "home_group" in u else {})}
    return {**b, **more}


def operations():
    for path, item in API["paths"].items():
        for method, op in item.items():
            if op["x-permission"] != "none":
                yield op["operationId"], method.upper(), path, op["x-permission"]


def nowhere(path):
    return re.sub(r"{\w+}", NOBODY, path)


def fresh_user(where):
    n = secrets.token_hex(4)
    return world.admin.post("/api/v1/users", {"name": f"f.{n}", "display_name": f"canary {where} {n}", "language": "en",
                                              "set_ids": [], "home_group_id": world.groups[where]})["user"]


def fresh_set(where):
    return world.admin.post("/api/v1/permission-sets", set_body(f"set {secrets.token_hex(4)}", {"tasks": "read"}, [world.groups[where]]))


def fresh_token(where):
    return world.admin.post("/api/v1/enrolment-tokens", {"name": f"k {secrets.token_hex(4)}", "group_id": world.groups[where]})["token"]["id"]


# How each route is driven on an object of one of the branches: path and body. A list shows what it shows (LISTS).
DRIVE = {
    "device_show": lambda w: (f"/api/v1/devices/{world.devices[w].id}", None),
    "device_software_list": lambda w: (f"/api/v1/devices/{world.devices[w].id}/software", None),
    "device_update": lambda w: (f"/api/v1/devices/{world.devices[w].id}", {"description": "seen"}),
    "device_remove": lambda w: (f"/api/v1/devices/{world.device(w).id}", None),
    "device_certificate_revoke": lambda w: (f"/api/v1/devices/{world.device(w).id}/certificate", None),
    "group_create": lambda w: ("/api/v1/groups", {"name": secrets.token_hex(6), "parent_id": world.groups[w]}),
    "detection_show": lambda w: (f"/api/v1/detections/{world.detections[w]}", None),
    "task_show": lambda w: (f"/api/v1/tasks/{world.tasks[w]}", None),
    "task_create": lambda w: ("/api/v1/tasks", {"type": "show_message", "devices": [world.devices[w].id], "message": {"text": "x"}}),
    "task_cancel": lambda w: (f"/api/v1/tasks/{world.task(w)}/cancel", None),
    "execution_cancel": lambda w: (f"/api/v1/executions/{world.execution(w)}/cancel", None),
    "enrolment_token_create": lambda w: ("/api/v1/enrolment-tokens", {"name": secrets.token_hex(6), "group_id": world.groups[w]}),
    "enrolment_token_revoke": lambda w: (f"/api/v1/enrolment-tokens/{fresh_token(w)}", None),
    "user_show": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}", None),
    "user_session_list": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}/sessions", None),
    "user_session_end": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}/sessions", None),
    "user_create": lambda w: ("/api/v1/users", {"name": f"n.{secrets.token_hex(4)}", "display_name": "n", "language": "en", "set_ids": [],
                                                "home_group_id": world.groups[w]}),
    "user_update": lambda w: (lambda u: (f"/api/v1/users/{u['id']}", user_body(u, display_name="changed")))(fresh_user(w)),
    "user_remove": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}", None),
    "user_password_reset": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}/password", None),
    "user_two_factor_reset": lambda w: (f"/api/v1/users/{fresh_user(w)['id']}/two-factor", None),
    "permission_set_show": lambda w: (f"/api/v1/permission-sets/{fresh_set(w)['id']}", None),
    "permission_set_create": lambda w: ("/api/v1/permission-sets", set_body(f"c {secrets.token_hex(4)}", {"tasks": "read"}, [world.groups[w]])),
    "permission_set_update": lambda w: (lambda s: (f"/api/v1/permission-sets/{s['id']}", set_body(
        s["name"] + " new", {"tasks": "use"}, [world.groups[w]], revision=s["revision"])))(fresh_set(w)),
    "permission_set_remove": lambda w: (f"/api/v1/permission-sets/{fresh_set(w)['id']}", None),
}
# Lists and figures: path -> what is of a branch in it.
LISTS = {
    "device_list": ("/api/v1/devices", "canary-{}"), "group_list": ("/api/v1/groups", "{group}"), "detection_list": ("/api/v1/detections", "canary-{}-virus"),
    "quarantine_list": ("/api/v1/quarantine", "canary-{}-held"), "task_list": ("/api/v1/tasks", "canary-{}-task"),
    "execution_list": ("/api/v1/executions", "canary-{}"), "target_list": ("/api/v1/targets", "canary-{}"),
    "enrolment_token_list": ("/api/v1/enrolment-tokens", "canary token {}"), "user_list": ("/api/v1/users?limit=200", "{user}"),
    "permission_set_list": ("/api/v1/permission-sets", "{set}"),
}
OTHERS = ("overview_show", "detection_resolve", "audit_list", "audit_head")  # have tests of their own below


def may(who, permission):
    f, _, level = permission.partition(".")
    return LEVELS.index(RIGHTS[who][0].get(f, "none")) >= LEVELS.index(level)


class Matrix(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def refused(self, person, method, path, permission):
        """Before anything of the request is looked at."""
        r = person.call(method, path)
        self.assertEqual((r.status, r.code, r.json["allowed"]), (403, "permission_denied", [permission]), (method, path, r))

    def test_every_route_is_driven(self):
        self.assertEqual({o for o, *_ in operations()}, {*DRIVE, *LISTS, *OTHERS})

    def test_functionalities_are_those_of_the_contract(self):
        self.assertEqual(API["components"]["schemas"]["Functionality"]["enum"], list(ALL))
        self.assertEqual({p.partition(".")[0] for *_, p in operations()}, set(ALL))

    def test_single_objects(self):
        """403 without the right, 404 or an unknown id outside of the groups, done inside."""
        for operation, method, template, permission in operations():
            if operation not in DRIVE:
                continue
            for who in RIGHTS:
                if not may(who, permission):
                    with self.subTest(operation=operation, who=who):
                        self.refused(world.people[who], method, nowhere(template), permission)
                    continue
                for where in ("inside", "outside"):
                    with self.subTest(operation=operation, who=who, where=where):
                        path, body = DRIVE[operation](where)
                        r = world.people[who].call(method, path, body)
                        if where == "inside" or RIGHTS[who][1] == EVERYWHERE:
                            self.assertIn(r.status, (200, 201, 204), r)
                        else:
                            self.assertIn((r.status, r.code), ((404, "not_found"), (422, "group_unknown"), (422, "device_not_in_tenant")), r)
            forget_rates(service)

    def test_lists(self):
        """A list shows what is inside, and no byte of what is outside."""
        users = {w: fresh_user(w)["name"] for w in ("inside", "outside")}
        sets = {w: fresh_set(w)["name"] for w in ("inside", "outside")}
        for operation, _, _, permission in operations():
            if operation not in LISTS:
                continue
            path, mark = LISTS[operation]
            for who in RIGHTS:
                with self.subTest(operation=operation, who=who):
                    r = world.people[who].call("GET", path)
                    if not may(who, permission):
                        self.assertEqual((r.status, r.code), (403, "permission_denied"), r)
                        continue
                    self.assertEqual(r.status, 200, r)
                    for where in ("inside", "outside"):
                        text = mark.format(where, group=world.groups[where], user=users[where], set=sets[where])
                        seen = where == "inside" or RIGHTS[who][1] == EVERYWHERE
                        self.assertEqual(text.encode() in r.body, seen, f"{text} in {r.body[:2000]}")
            forget_rates(service)

    def test_counts_and_figures(self):
        for who, devices in (("administrator", 2), ("osaka_viewer", 1), ("branch_administrator", 1)):
            p = world.people[who]
            with self.subTest(who=who):
                listed, figures = p.get("/api/v1/devices?limit=200"), p.get("/api/v1/overview")
                self.assertEqual(listed["total"], len(listed["items"]))
                self.assertEqual(figures["devices"], listed["total"])
                self.assertGreaterEqual(listed["total"], devices)
                found = p.get("/api/v1/detections?limit=200")
                self.assertEqual(found["total"], len(found["items"]))
                self.assertEqual(figures["detections_unresolved"], sum(not x["resolved"] for x in found["items"]))
                self.assertEqual(figures["detections_today"], found["total"])
        self.assertEqual(world.people["osaka_viewer"].get("/api/v1/overview")["tasks_running"], 0)  # has no right on tasks
        self.assertGreater(world.people["administrator"].get("/api/v1/overview")["tasks_running"], 0)
        self.assertEqual(world.people["osaka_viewer"].get("/api/v1/devices?search=canary-outside")["items"], [])

    def test_filters_and_searches_do_not_leak(self):
        p = world.people["osaka_all"]
        for path in (f"/api/v1/devices?group={world.groups['outside']}", f"/api/v1/detections?device={world.devices['outside'].id}",
                     f"/api/v1/quarantine?device={world.devices['outside'].id}", f"/api/v1/executions?task={world.tasks['outside']}",
                     f"/api/v1/executions?device={world.devices['outside'].id}", "/api/v1/detections?search=canary-outside",
                     f"/api/v1/targets?group={world.groups['outside']}", "/api/v1/targets?search=canary-outside", "/api/v1/users?search=u.auditor.none"):
            with self.subTest(path=path):
                value = p.get(path)
                self.assertEqual((value["items"], value.get("total", 0)), ([], 0))

    def test_resolving_changes_only_what_is_in_reach(self):
        ids = list(world.detections.values())
        p = world.people["branch_administrator"]
        self.assertEqual(p.post("/api/v1/detections/resolve", {"ids": ids, "resolved": True}, 200)["changed"], 1)
        state = {w: world.admin.get(f"/api/v1/detections/{i}")["resolved"] for w, i in world.detections.items()}
        self.assertEqual(state, {"inside": True, "outside": False})
        self.assertEqual(p.post("/api/v1/detections/resolve", {"ids": ids, "resolved": False}, 200)["changed"], 1)
        r = world.people["osaka_viewer"].call("POST", "/api/v1/detections/resolve", {"ids": ids, "resolved": True})
        self.assertEqual((r.status, r.json["allowed"]), (403, ["detections.write"]))

    def test_a_task_over_both_branches_shows_half(self):
        both = [d.id for d in world.devices.values()]
        t = world.admin.post("/api/v1/tasks", {"type": "show_message", "name": "both", "devices": both, "message": {"text": "x"}})
        self.assertEqual(t["executions"]["total"], 2)
        osaka = world.people["osaka"]
        self.assertEqual(osaka.get(f"/api/v1/tasks/{t['id']}")["executions"]["total"], 1)
        self.assertEqual(osaka.post(f"/api/v1/tasks/{t['id']}/cancel", None, 200)["changed"], 1)
        states = sorted(e["state"] for e in world.admin.get(f"/api/v1/executions?task={t['id']}")["items"])
        self.assertEqual(states, ["cancelled", "pending"])
        r = osaka.call("POST", "/api/v1/tasks", {"type": "show_message", "devices": both, "message": {"text": "x"}})
        self.assertEqual((r.status, r.code), (422, "device_not_in_tenant"))

    def test_moving_a_device_out_of_reach_is_refused(self):
        d = world.device("inside")
        p = world.people["osaka_all"]
        r = p.call("PATCH", f"/api/v1/devices/{d.id}", {"group_id": world.groups["outside"]})
        self.assertEqual((r.status, r.code, r.json["field"]), (422, "group_unknown", "group_id"))
        self.assertEqual(p.call("PATCH", f"/api/v1/devices/{d.id}", {"group_id": world.shop}).status, 200)
        self.assertEqual(p.call("GET", f"/api/v1/devices/{d.id}").status, 200)  # below Osaka

    def test_what_me_says(self):
        for who, (rights, _) in RIGHTS.items():
            names = world.people[who].get("/api/v1/me")["permissions"]
            self.assertEqual(sorted(names), sorted(f"{f}.{l}" for f, most in rights.items() for l in LEVELS[1:LEVELS.index(most) + 1]), who)


class Denials(unittest.TestCase):
    """Rights add up; a denial wins, below its group too."""

    def setUp(self):
        forget_rates(service)

    def test_a_denial_wins_over_the_administrator(self):
        deny = world.made_set(f"no writing {secrets.token_hex(3)}", {}, [world.groups["inside"]], {"devices": "write"})
        p = world.person(f"d.{secrets.token_hex(3)}", [BUILT_IN["administrator"], deny])
        inside, outside = (f"/api/v1/devices/{world.devices[w].id}" for w in ("inside", "outside"))
        self.assertEqual(p.call("GET", inside).status, 200)
        self.assertEqual(p.call("PATCH", inside, {"description": "x"}).status, 404)
        self.assertEqual(p.call("PATCH", outside, {"description": "x"}).status, 200)
        r = p.call("PATCH", outside, {"group_id": world.shop})  # below the group of the denial
        self.assertEqual((r.status, r.code), (422, "group_unknown"))

    def test_denying_read_denies_all_of_it(self):
        deny = world.made_set(f"no tasks {secrets.token_hex(3)}", {}, [world.all], {"tasks": "read"})
        p = world.person(f"d.{secrets.token_hex(3)}", [BUILT_IN["operator"], deny])
        for path in ("/api/v1/tasks", "/api/v1/targets"):
            r = p.call("GET", path)
            self.assertEqual((r.status, r.code), (403, "permission_denied"))
        self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)
        self.assertNotIn("tasks.read", p.get("/api/v1/me")["permissions"])

    def test_two_branches_add_up(self):
        a = world.made_set(f"a {secrets.token_hex(3)}", {"devices": "read"}, [world.groups["inside"]])
        b = world.made_set(f"b {secrets.token_hex(3)}", {"devices": "read"}, [world.groups["outside"]])
        p = world.person(f"d.{secrets.token_hex(3)}", [a, b])
        names = {d["name"] for d in p.get("/api/v1/devices?limit=200")["items"]}
        self.assertLessEqual({"canary-inside", "canary-outside"}, names)
        self.assertNotIn(world.all, [g["id"] for g in p.get("/api/v1/groups")["items"]])
        # On the group All, made by hand, is everywhere.
        c = world.made_set(f"c {secrets.token_hex(3)}", {"devices": "read"}, [world.all])
        q = world.person(f"d.{secrets.token_hex(3)}", [c])
        self.assertIn(world.all, [g["id"] for g in q.get("/api/v1/groups")["items"]])

    def test_nobody_without_sets_may_anything(self):
        p = world.person(f"d.{secrets.token_hex(3)}", [])
        self.assertEqual(p.get("/api/v1/me")["permissions"], [])
        for _, method, path, _ in operations():
            r = p.call(method, nowhere(path))
            self.assertEqual((r.status, r.code), (403, "permission_denied"), (method, path, r))

    def test_a_change_counts_within_a_second(self):
        p = world.person(f"d.{secrets.token_hex(3)}", [BUILT_IN["reviewer"]])
        self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)
        u = world.admin.get(f"/api/v1/users/{p.user}")
        r = world.admin.call("PUT", f"/api/v1/users/{p.user}", user_body(u, set_ids=[]))
        self.assertEqual(r.status, 200, r)
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").status == 403, 2))


class Escalation(unittest.TestCase):
    """Nobody gives, or gets at, more than he has."""

    def setUp(self):
        forget_rates(service)

    def boss(self):
        """May manage users and sets in Osaka, and tasks there; no more."""
        s = world.made_set(f"boss {secrets.token_hex(3)}", {"users": "write", "permission_sets": "write", "tasks": "write"}, [world.groups["inside"]])
        return world.person(f"b.{secrets.token_hex(3)}", [s], world.groups["inside"])

    def create(self, p, sets, where="inside"):
        return p.call("POST", "/api/v1/users", {"name": f"e.{secrets.token_hex(4)}", "display_name": "e", "language": "en", "set_ids": sets,
                                                "home_group_id": world.groups[where]})

    def exceeded(self, r, right):
        self.assertEqual((r.status, r.code, r.json["allowed"]), (403, "rights_exceeded", [right]), r)

    def test_giving_more_than_one_has(self):
        p = self.boss()
        self.exceeded(self.create(p, [BUILT_IN["administrator"]]), "audit.write")
        self.exceeded(self.create(p, [BUILT_IN["installer"]]), "enrolment.write")
        r = self.create(p, [world.sets["osaka_viewer"]])
        self.assertEqual((r.status, r.code), (403, "rights_exceeded"))
        self.assertEqual(self.create(p, [world.sets["osaka"]]).status, 201)
        body = set_body(f"x {secrets.token_hex(3)}", {"devices": "read"}, [world.groups["inside"]])
        self.exceeded(p.call("POST", "/api/v1/permission-sets", body), "devices.read")
        r = p.call("POST", "/api/v1/permission-sets", set_body("x", {"tasks": "read"}, [world.all]))
        self.assertEqual((r.status, r.code, r.json["field"]), (422, "group_unknown", "group_ids[0]"))
        r = p.call("POST", "/api/v1/users", {"name": "no.home", "display_name": "e", "language": "en", "set_ids": []})
        self.assertEqual((r.status, r.code, r.json["field"]), (422, "group_unknown", "home_group_id"))

    def test_getting_at_somebody_stronger(self):
        p = self.boss()
        strong = world.person(f"s.{secrets.token_hex(3)}", [BUILT_IN["operator"]], world.groups["inside"])
        u = world.admin.get(f"/api/v1/users/{strong.user}")
        for method, path, body in (("POST", "/password", None), ("DELETE", "/two-factor", None), ("DELETE", "/sessions", None), ("DELETE", "", None),
                                   ("PUT", "", user_body(u, display_name="mine"))):
            r = p.call(method, f"/api/v1/users/{strong.user}{path}", body)
            self.assertEqual((r.status, r.code), (403, "rights_exceeded"), (path, r))
        self.assertFalse(p.get(f"/api/v1/users/{strong.user}")["editable"])
        self.assertEqual(strong.call("GET", "/api/v1/devices").status, 200)  # the session lives

    def test_one_s_own_account_and_sets(self):
        p = self.boss()
        me = p.get(f"/api/v1/users/{p.user}")
        self.assertTrue(me["own"])
        for change in ({"enabled": False}, {"set_ids": []}, {"home_group_id": world.shop}, {"two_factor_required": True}):
            r = p.call("PUT", f"/api/v1/users/{p.user}", user_body(me, **change))
            self.assertEqual((r.status, r.code), (403, "own_rights"), (change, r))
        self.assertEqual(p.call("PUT", f"/api/v1/users/{p.user}", user_body(me, display_name="Me")).status, 200)
        for method, path in (("DELETE", ""), ("POST", "/password"), ("DELETE", "/two-factor")):
            r = p.call(method, f"/api/v1/users/{p.user}{path}")
            self.assertEqual((r.status, r.code), (403, "own_rights"), r)
        s = p.get(f"/api/v1/permission-sets/{me['sets'][0]['id']}")
        self.assertFalse(s["editable"])
        r = p.call("PUT", f"/api/v1/permission-sets/{s['id']}", set_body(s["name"], {"tasks": "write"}, [world.groups["inside"]], revision=s["revision"]))
        self.assertEqual((r.status, r.code), (403, "own_rights"))

    def test_a_set_that_others_have(self):
        p = self.boss()
        s = world.admin.post("/api/v1/permission-sets", set_body(f"t {secrets.token_hex(3)}", {"tasks": "read"}, [world.groups["inside"]]))
        world.person(f"h.{secrets.token_hex(3)}", [s["id"]], world.groups["inside"])
        path = f"/api/v1/permission-sets/{s['id']}"
        self.exceeded(p.call("PUT", path, set_body(s["name"], {"tasks": "read", "detections": "write"}, [world.groups["inside"]], revision=s["revision"])),
                      "detections.write")
        r = p.call("PUT", path, set_body(s["name"], {"tasks": "write"}, [world.groups["inside"]], revision=s["revision"]))
        self.assertEqual(r.status, 200, r)
        self.assertEqual(p.call("PUT", path, set_body(s["name"], {"tasks": "use"}, [world.groups["inside"]], revision=s["revision"])).code, "conflict")
        r = p.call("DELETE", path)
        self.assertEqual((r.status, r.code, r.json["used"]), (409, "set_in_use", 1))

    def test_lifting_a_denial(self):
        """Taking a denial away gives what it denied: only those who have that may do it."""
        deny = world.made_set(f"deny {secrets.token_hex(3)}", {"tasks": "read"}, [world.groups["inside"]], {"devices": "read"})
        held = world.person(f"h.{secrets.token_hex(3)}", [world.sets["osaka_viewer"], deny], world.groups["inside"])
        self.assertEqual(held.call("GET", f"/api/v1/devices/{world.devices['inside'].id}").status, 404)
        p = self.boss()
        s = world.admin.get(f"/api/v1/permission-sets/{deny}")
        r = p.call("PUT", f"/api/v1/permission-sets/{deny}", set_body(s["name"], {"tasks": "read"}, [world.groups["inside"]], revision=s["revision"]))
        self.exceeded(r, "devices.read")

    def test_random_grants_never_exceed(self):
        """Two branch people give and take at random for a while: what anybody may stays within what the two have."""
        chance = random.Random(7)
        bosses = [self.boss(), self.boss()]
        roof = {f"{f}.{l}" for f in ("users", "permission_sets", "tasks") for l in LEVELS[1:]}
        made_sets, made_users = [], []
        for step in range(120):
            if step % 20 == 0:
                forget_rates(service)
            p, groups = chance.choice(bosses), [chance.choice([world.groups["inside"], world.shop, world.groups["outside"], world.all])]
            wish = {chance.choice(ALL): chance.choice(LEVELS) for _ in range(chance.randint(1, 3))}
            deny = {chance.choice(ALL): chance.choice(LEVELS)} if chance.random() < 0.3 else {}
            what = chance.random()
            if what < 0.3 or not made_sets:
                r = p.call("POST", "/api/v1/permission-sets", set_body(f"r{step} {secrets.token_hex(3)}", wish, groups, deny))
                if r.status == 201:
                    made_sets.append(r.json["id"])
            elif what < 0.5:
                i = chance.choice(made_sets)
                s = world.admin.get(f"/api/v1/permission-sets/{i}")
                r = p.call("PUT", f"/api/v1/permission-sets/{i}", set_body(s["name"], wish, groups, deny, revision=s["revision"]))
            elif what < 0.75 or not made_users:
                sets = chance.sample(made_sets + list(BUILT_IN.values()), min(2, len(made_sets) + 6))
                r = self.create(p, sets, chance.choice(["inside", "outside"]))
                if r.status == 201:
                    made_users.append((r.json["user"]["id"], r.json))
            else:
                i = chance.choice(made_users)[0]
                u = world.admin.get(f"/api/v1/users/{i}")
                r = p.call("PUT", f"/api/v1/users/{i}", user_body(u, set_ids=chance.sample(made_sets + list(BUILT_IN.values()), 2)))
            self.assertIn(r.status, (200, 201, 403, 404, 409, 422), r)
        self.assertTrue(made_sets)
        for b in bosses:
            self.assertEqual(set(b.get("/api/v1/me")["permissions"]), roof)
        for i, made in made_users[:12]:
            u = world.admin.get(f"/api/v1/users/{i}")
            r = world.admin.call("POST", f"/api/v1/users/{i}/password")
            p = world.sign_in(u["name"], r.json)
            self.assertLessEqual(set(p.get("/api/v1/me")["permissions"]), roof, made)
            for path in ("/api/v1/targets?limit=200", "/api/v1/users?limit=200"):
                reply = p.call("GET", path)
                if reply.status == 200:
                    self.assertNotIn(b"canary-outside", reply.body)
            self.assertEqual(p.call("GET", f"/api/v1/devices/{world.devices['outside'].id}").status, 403)


class Users(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def test_life_of_a_user(self):
        a = world.admin
        name = f"life.{secrets.token_hex(3)}"
        made = a.post("/api/v1/users", {"name": name, "display_name": "Life", "language": "ja", "email": "life@example.com",
                                        "set_ids": [BUILT_IN["reviewer"]], "home_group_id": world.groups["inside"]})
        u = made["user"]
        self.assertEqual((u["email"], u["language"], u["must_change_password"], u["enabled"], u["own"], u["editable"]),
                         ("life@example.com", "ja", True, True, False, True))
        self.assertEqual((u["home_group"]["name"], u["sets"]), ("Osaka", [{"id": BUILT_IN["reviewer"], "name": "permission_set.reviewer", "built_in": True}]))
        self.assertNotIn("last_sign_in_at", u)
        p = world.sign_in(name, made)
        self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)
        u = a.get(f"/api/v1/users/{u['id']}")
        self.assertIn("last_sign_in_at", u)
        self.assertFalse(u["must_change_password"])
        self.assertEqual(len(a.get(f"/api/v1/users/{u['id']}/sessions")["items"]), 1)
        # disabled: out within a second, and no way in
        u = a.call("PUT", f"/api/v1/users/{u['id']}", user_body(u, enabled=False)).json
        self.assertFalse(u["enabled"])
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").code == "session_ended", 2))
        r = p.line.send("POST", "/api/v1/sign-in", {"name": f"acme/{name}", "password": p.password})
        self.assertEqual((r.status, r.code), (401, "sign_in_failed"))
        u = a.call("PUT", f"/api/v1/users/{u['id']}", user_body(u, enabled=True)).json
        r = p.line.send("POST", "/api/v1/sign-in", {"name": f"acme/{name}", "password": p.password})
        self.assertEqual(r.status, 200, r)
        p.token = r.json["access_token"]
        # a new password: the old one and all sessions are over
        fresh = a.call("POST", f"/api/v1/users/{u['id']}/password").json["password"]
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/devices").code == "session_ended", 2))
        r = p.line.send("POST", "/api/v1/sign-in", {"name": f"acme/{name}", "password": fresh})
        self.assertTrue(r.json["must_change_password"])
        p.token = r.json["access_token"]
        self.assertEqual(a.call("DELETE", f"/api/v1/users/{u['id']}/sessions").json["changed"], 1)
        self.assertTrue(wait(lambda: p.call("GET", "/api/v1/me").code == "session_ended", 2))
        self.assertEqual(a.call("DELETE", f"/api/v1/users/{u['id']}").status, 204)
        self.assertEqual(a.call("GET", f"/api/v1/users/{u['id']}").status, 404)

    def test_bad_input(self):
        good = {"name": "good.name", "display_name": "x", "language": "en", "set_ids": []}
        for change, field, code in (({"name": "a b"}, "name", "field_format"), ({"name": "a/b"}, "name", "field_format"), ({"name": ""}, "name", "field_length"),
                                    ({"name": "é"}, "name", "field_format"), ({"email": "nobody"}, "email", "field_format"),
                                    ({"email": "a@b@c.d"}, "email", "field_format"), ({"set_ids": [NOBODY]}, "set_ids[0]", "set_unknown"),
                                    ({"set_ids": [BUILT_IN["auditor"]] * 2}, "set_ids", "field_value"), ({"set_ids": ["x"]}, "set_ids[0]", "field_format"),
                                    ({"home_group_id": NOBODY}, "home_group_id", "group_unknown"), ({"language": "fr"}, "language", "field_value"),
                                    ({"password": "x"}, "password", "field_unknown"), ({"name": "ADMIN"}, "name", "name_taken")):
            with self.subTest(change=change):
                r = world.admin.call("POST", "/api/v1/users", {**good, **change})
                self.assertEqual((r.code, r.json.get("field")), (code, field), r)
        u = fresh_user("inside")
        r = world.admin.call("PUT", f"/api/v1/users/{u['id']}", user_body(u, revision=u["revision"] + 1))
        self.assertEqual((r.status, r.code), (409, "conflict"))
        for path in ("", "/password", "/sessions", "/two-factor"):
            r = world.admin.call("POST" if path == "/password" else "DELETE", f"/api/v1/users/{NOBODY}{path}")
            self.assertEqual((r.status, r.code), (404, "not_found"), path)

    def test_list_search_and_pages(self):
        tag = secrets.token_hex(3)
        for i in range(5):
            world.admin.post("/api/v1/users", {"name": f"page.{tag}.{i}", "display_name": f"P {i}", "language": "en", "set_ids": [BUILT_IN["auditor"]]})
        seen, cursor = [], ""
        while True:
            page = world.admin.get(f"/api/v1/users?search={tag}&limit=2{cursor}")
            self.assertEqual(page["total"], 5)
            seen += [u["name"] for u in page["items"]]
            if "next_cursor" not in page:
                break
            cursor = f"&cursor={page['next_cursor']}"
        self.assertEqual(seen, [f"page.{tag}.{i}" for i in range(5)])
        self.assertEqual(world.admin.get(f"/api/v1/users?search={tag}&set={BUILT_IN['reviewer']}")["total"], 0)
        self.assertEqual(world.admin.get(f"/api/v1/users?search={tag}&set={BUILT_IN['auditor']}&enabled=true")["total"], 5)
        self.assertEqual(world.admin.get(f"/api/v1/users?search={tag}&enabled=false")["total"], 0)


class Sets(unittest.TestCase):
    def setUp(self):
        forget_rates(service)

    def test_what_a_set_says(self):
        body = set_body(f"says {secrets.token_hex(3)}", {"devices": "use", "tasks": "write"}, [world.groups["inside"], world.shop], {"audit": "use"})
        s = world.admin.post("/api/v1/permission-sets", {**body, "description": "d"})
        self.assertEqual({r["functionality"]: (r["allow"], r["deny"]) for r in s["rights"] if r["allow"] != "none" or r["deny"] != "none"},
                         {"devices": ("use", "none"), "tasks": ("write", "none"), "audit": ("none", "use")})
        self.assertEqual(sorted(g["name"] for g in s["groups"]), ["Osaka", "Shop"])
        self.assertEqual((s["description"], s["users"], s["editable"], s["built_in"], s["revision"]), ("d", 0, True, False, 1))
        self.assertEqual(world.admin.call("DELETE", f"/api/v1/permission-sets/{s['id']}").status, 204)

    def test_built_in_sets(self):
        items = world.admin.get("/api/v1/permission-sets")["items"]
        self.assertEqual([s["name"] for s in items[:6]], [f"permission_set.{n}" for n in BUILT_IN])
        for s in items[:6]:
            self.assertTrue(s["built_in"])
            self.assertEqual(s["on_home_group"], s["name"].endswith("branch_administrator"))
            rights = {r["functionality"]: r["allow"] for r in s["rights"] if r["allow"] != "none"}
            self.assertEqual(rights, RIGHTS[s["name"].partition(".")[2]][0], s["name"])
            for method in ("PUT", "DELETE"):
                r = world.admin.call(method, f"/api/v1/permission-sets/{s['id']}", set_body("x", {"tasks": "read"}, [world.all], revision=1) if method == "PUT" else None)
                self.assertEqual((r.status, r.code), (403, "built_in"))

    def test_bad_input(self):
        good = set_body("good", {"tasks": "read"}, [world.all])
        right = good["rights"][0]
        for change, field, code in (({"group_ids": []}, "group_ids", "field_length"), ({"group_ids": [NOBODY]}, "group_ids[0]", "group_unknown"),
                                    ({"group_ids": [world.all, world.all]}, "group_ids[1]", "field_value"), ({"rights": [right, right]}, "rights[1].functionality", "field_value"),
                                    ({"rights": [{**right, "functionality": "magic"}]}, "rights[0].functionality", "field_value"),
                                    ({"rights": [{**right, "allow": "all"}]}, "rights[0].allow", "field_value"), ({"rights": []}, "rights", "field_length"),
                                    ({"name": ""}, "name", "field_length"), ({"name": "OSAKA"}, "name", "name_taken")):
            with self.subTest(change=change):
                r = world.admin.call("POST", "/api/v1/permission-sets", {**good, **change})
                self.assertEqual((r.code, r.json.get("field")), (code, field), r)
        s = fresh_set("inside")
        r = world.admin.call("PUT", f"/api/v1/permission-sets/{s['id']}", good)
        self.assertEqual((r.code, r.json["field"]), ("field_missing", "revision"))


class Entitlements(unittest.TestCase):
    def test_a_plan_without_users(self):
        p = Person(service, "petit")
        self.assertNotIn("multi_user", p.get("/api/v1/me")["entitlements"])
        for path in ("/api/v1/users", "/api/v1/permission-sets", "/api/v1/audit", "/api/v1/audit/head"):
            r = p.call("GET", path)
            self.assertEqual((r.status, r.code), (403, "plan_lacks"), path)
        self.assertEqual(p.call("GET", "/api/v1/users").json["allowed"], ["multi_user"])
        self.assertEqual(p.call("GET", "/api/v1/devices").status, 200)
        self.assertEqual(p.call("GET", "/api/v1/sessions").status, 200)

    def test_an_entitlement_is_data(self):
        self.assertIn("multi_user", world.admin.get("/api/v1/me")["entitlements"])
        self.assertIn("audit_screen", world.admin.get("/api/v1/me")["entitlements"])


if __name__ == "__main__":
    unittest.main()
