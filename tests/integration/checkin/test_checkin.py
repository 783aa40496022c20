# SPDX-License-Identifier: Apache-2.0
"""The hot path over a real server: an unchanged check-in costs no SQL, and what is new is told at once all the same."""
import hashlib
import http.client
import json
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "identity"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "agent"))
from fleet import Administrator  # noqa: E402
from service import Service, checkin  # noqa: E402


def kind_digest(rows):
    """As wire/digest.c: rows in order of their keys, key and value ended by a newline each."""
    text = "".join(f"{r['key']}\n{json.dumps(r['value'], separators=(',', ':'), ensure_ascii=False)}\n" for r in sorted(rows, key=lambda r: r["key"]))
    return hashlib.sha256(text.encode()).hexdigest()


def facts_digest(*kinds):
    return hashlib.sha256("".join(kinds).encode()).hexdigest()


class CheckinTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service().__enter__()
        cls.admin = Administrator(cls.service)
        answer, cls.cert, cls.key = cls.service.enrol(cls.service.enrolment_token("acme"), "pc-1")
        assert answer.status == 200, answer
        cls.device = answer.json["device_id"]

    @classmethod
    def tearDownClass(cls):
        cls.service.__exit__()

    def metric(self, name):
        c = http.client.HTTPConnection("127.0.0.1", self.service.ops_port, timeout=10)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        return int(re.search(rf"^sekisho_{name} (\d+)$", text, re.M)[1])

    def check_in(self, **more):
        answer = self.service.agent("POST", "/agent/v1/checkin", checkin("urgent", **more), self.cert, self.key)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def test_unchanged_costs_no_sql(self):
        first = self.check_in()
        held = {"revision": first["revision"], "facts_digest": first["facts_digest"]}
        until = time.monotonic() + 10
        while self.metric("checkins_unchanged") == 0 and time.monotonic() < until:
            self.check_in(**held)  # the entry is filled behind the answer; one in fifty goes to the database on purpose
        items, unchanged, rounds = self.metric("batch_items"), self.metric("checkins_unchanged"), 5
        for _ in range(rounds):
            self.check_in(**held)
        written, spared = self.metric("batch_items") - items, self.metric("checkins_unchanged") - unchanged
        self.assertEqual(written + spared, rounds)
        self.assertLessEqual(written, 1)

    def test_facts_are_merged_or_wanted_whole(self):
        rows = [{"key": "alpha:amd64", "value": {"version": "1"}}, {"key": "beta:amd64", "value": {"version": "2"}}]
        whole = kind_digest(rows)
        before = self.check_in()
        a = self.check_in(revision=before["revision"], facts_digest=before["facts_digest"],
                          facts=[{"kind": "software", "digest": whole, "set": rows}])
        self.assertEqual(a["facts_digest"], facts_digest(whole))
        changed = [{"key": "alpha:amd64", "value": {"version": "3"}}]
        after = kind_digest(changed)
        b = self.check_in(revision=a["revision"], facts_digest=a["facts_digest"],
                          facts=[{"kind": "software", "digest": after, "base": whole, "set": changed, "remove": ["beta:amd64"]}])
        self.assertEqual(b["facts_digest"], facts_digest(after))
        self.assertFalse(b.get("want_facts"))
        c = self.check_in(revision=b["revision"], facts_digest=b["facts_digest"],
                          facts=[{"kind": "software", "digest": "0" * 64, "base": whole, "set": rows}])
        self.assertEqual(c["want_facts"], ["software"])
        page = self.admin.get(f"/api/v1/devices/{self.device}/software")
        self.assertEqual([(s["name"], s["version"]) for s in page["items"]], [("alpha", "3")])

    def test_a_new_task_is_told_by_the_next_check_in(self):
        held = self.check_in()
        held = {"revision": held["revision"], "facts_digest": held["facts_digest"]}
        for _ in range(3):
            self.check_in(**held)
        made = self.admin.call("POST", "/api/v1/tasks", {"type": "scan", "devices": [self.device], "scan": {"targets": ["/srv"]}})
        self.assertEqual(made.status, 201, made)
        told = self.check_in(**held)
        self.assertGreater(told["revision"], held["revision"])
        self.assertEqual([(t["type"], t["targets"], t["clean"]) for t in told["tasks"]], [("scan", ["/srv"], True)])
        self.assertEqual(self.admin.call("POST", f"/api/v1/tasks/{made.json['id']}/cancel").json["changed"], 1)
        self.assertFalse(self.check_in(**held).get("tasks"))

    def test_the_task_is_told_although_the_hint_and_the_server_die(self):
        held = self.check_in()
        self.check_in(revision=held["revision"], facts_digest=held["facts_digest"])
        # what a kill between COMMIT and the hint leaves: the row is there, the tombstone stands, nobody was woken
        self.service.cell.redis_kill()
        self.service.cell.redis_start()
        tenant = self.service.tenant("acme")["no"]
        self.service.cell.sql(f"UPDATE t_{tenant}.device SET revision = revision + 1 WHERE id = '{self.device}'")
        self.service.process.kill()
        self.service.process.wait(30)
        self.service.start()
        told = self.check_in(revision=held["revision"], facts_digest=held["facts_digest"])
        self.assertEqual(told["revision"], held["revision"] + 1)


if __name__ == "__main__":
    unittest.main()
