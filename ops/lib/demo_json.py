# SPDX-License-Identifier: Apache-2.0
"""What ops/demo knows of its tenants: demo_json.py token TENANTS ID | write DEMO_JSON options | print DEMO_JSON"""
import argparse
import json
import os
import sys


def tenants(path):
    """By id, from the output of `sekishoctl --json apply`."""
    changes = json.load(open(path, encoding="utf-8"))["changes"]
    return {c["id"]: c for c in changes if c["kind"] == "tenant"}


def token(path, tenant):
    print(tenants(path)[tenant]["enrolment_tokens"][0]["token"])


def write(path, a):
    out = {
        "console_url": a.console_url, "agent_url": a.agent_url, "ops_url": a.ops_url, "ca_file": a.ca, "watched_folder": a.watched,
        "operator": {"program": a.operator_program, "config": a.operator_config},
        "tenants": {},
    }
    for tid, t in tenants(a.tenants).items():
        account = t["accounts"][0]
        out["tenants"][tid] = {
            "id": tid, "admin_user": f"{tid}/{account['name']}", "password": account["password"],
            "enrolment_token": t["enrolment_tokens"][0]["token"],
        }
    with open(path + ".new", "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        json.dump(out, f, indent=2, ensure_ascii=False)
        f.write("\n")
    os.replace(path + ".new", path)


def show(path):
    d = json.load(open(path, encoding="utf-8"))
    print(f"\nSekisho runs.\n\n  Console   {d['console_url']}   (its certificate is signed by {d['ca_file']})")
    for t in d["tenants"].values():
        print(f"  Sign in   {t['admin_user']}   {t['password']}")
    print(f"  Threats   drop a test virus into {d['watched_folder']}")
    print(f"  Operator  {d['operator']['program']} --config {d['operator']['config']} tenant list")
    print(f"  All this  {path}\n")
    print("The passwords are for the first sign-in, which asks for new ones.")


if sys.argv[1] == "token":
    token(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "print":
    show(sys.argv[2])
else:
    parser = argparse.ArgumentParser()
    for name in ("tenants", "console-url", "agent-url", "ops-url", "ca", "watched", "operator-config", "operator-program"):
        parser.add_argument("--" + name, required=True)
    write(sys.argv[2], parser.parse_args(sys.argv[3:]))
