# SPDX-License-Identifier: Apache-2.0
"""The machine, and the results as text for people."""
import os
import platform
import re
import subprocess
import time
from pathlib import Path

from table import BENCHES, number

ROOT = Path(__file__).resolve().parents[2]


def version(*args):
    try:
        done = subprocess.run(args, capture_output=True, text=True, check=True, timeout=20)
        return (done.stdout or done.stderr).splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return "?"


def yardstick():
    """CPU microseconds of one ECDSA P-256 signature and verification: how fast the machine is just now."""
    found = re.search(r"([\d.]+)\s+([\d.]+)\s*$", subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256"], capture_output=True, text=True,
                                                                check=False, timeout=30).stdout)
    return [round(1e6 / float(x), 1) for x in found.groups()] if found else None


def commit_time_us(h):
    """What the disk takes for a commit."""
    from cell import pg_bin
    found = re.search(r"^\s+fdatasync\s+([\d.]+) ops", subprocess.run([pg_bin("pg_test_fsync"), "-s", "1", "-f", str(h / "fsync")], capture_output=True,
                                                                       text=True, check=False, timeout=60).stdout, re.M)
    return round(1e6 / float(found.group(1))) if found else None


def machine(folder):
    from cell import pg_bin
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1))
    return {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "load": os.getloadavg()[0], "cores": os.cpu_count(),
            "cpu": cpu.group(1) if cpu else platform.machine(), "memory_gb": round(memory / 1048576, 1), "kernel": platform.release(),
            "yardstick": yardstick(), "fdatasync_us": commit_time_us(folder), "commit": version("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
            "versions": {"PostgreSQL": version(pg_bin("postgres"), "--version").split(") ")[-1].split(" ")[0],
                         "Redis": re.sub(r".*v=(\S+).*", r"\1", version("redis-server", "--version")), "OpenSSL": version("openssl", "version").split()[1],
                         "nginx": version("nginx", "-v").split("/")[-1], "h2o": version("pkg-config", "--modversion", "libh2o-evloop"),
                         "nghttp2": version("pkg-config", "--modversion", "libnghttp2")}}


def value_text(r):
    return f"{number(r['value'])} {r['unit']}"


def verdict_text(r):
    return "" if r["met"] is None else "met" if r["met"] else "missed"


def parts(side):
    return " + ".join(f"{k} {number(v)}" for k, v in side["cpu"].items() if v >= 0.005)


def ratio_text(r):
    if "ratio" not in r:
        return ""
    some = r.get("ratios") or []
    return f"{r['ratio']:.2f}" + (f" ({min(some):.2f} to {max(some):.2f})" if len(some) > 1 else "")


def limit_text(r):
    if r.get("limit"):
        return f"{r['limit_name']}: {number(r['limit']['us'])} us"
    return f"{r['limit_name']}: {number(r['limit_value'])} {r['unit']}" if "limit_value" in r else ""


def show(r):
    """One line while it runs."""
    side = r.get("ours")
    middle = f" [{parts(side)}] {number(side['rate'])}/s p50 {side['p50']:.2f} p99 {side['p99']:.2f} ms" if side else ""
    limit = f"  | {limit_text(r)}" if limit_text(r) else ""
    ratio = f"  ratio {ratio_text(r)}" if ratio_text(r) else ""
    goal = f"  goal {r['goal']}: {verdict_text(r).upper()}" if r["goal"] else ""
    print(f"    {r['operation']}: {value_text(r)}{middle}{limit}{ratio}{goal}", flush=True)
    if r.get("detail"):
        print(f"        {r['detail']}", flush=True)


def latency(side):
    return f"{number(side['p50'])} / {number(side['p99'])}" if side.get("p50") else ""


def table_row(r):
    ours, limit = r.get("ours"), r.get("limit")
    return [r["operation"], f"**{value_text(r)}**" + (f"<br>{parts(ours)}" if ours and len(ours["cpu"]) > 1 else ""),
            number(round(ours["rate"])) if ours else "", latency(ours or r), number(ours["memory_mb"]) if ours and ours["memory_mb"] else "",
            limit_text(r) + (f"<br>{number(round(limit['rate']))}/s, {latency(limit) or '-'} ms" if limit else ""), ratio_text(r), r["goal"], verdict_text(r),
            " / ".join(number(s["client_us"]) for s in (ours, limit) if s and s["client_us"])]


HEAD = ["operation", "measured", "rate /s", "p50 / p99 ms", "MB", "limit beside it", "ratio", "goal", "", "client us"]


def markdown(data):
    m = data["machine"]
    rows = [r for name in data["rows"] for r in data["rows"][name]]
    judged = [r for r in rows if r["met"] is not None]
    yard = f" A P-256 signature takes {m['yardstick'][0]} us of CPU time, a verification {m['yardstick'][1]} us." if m.get("yardstick") else ""
    disk = f" An fdatasync takes {m['fdatasync_us']:,} us." if m.get("fdatasync_us") else ""
    out = ["# Results", "",
           "Made by `./ops/bench`; do not edit. us: CPU time, user and system, of all server processes together (sekishod, PostgreSQL with all its",
           "processes, Redis), per operation; below it, of which. The clients run on the same cores; their CPU time is in the last column (ours / the",
           "limit's) and in nothing else. MB: proportional memory of all server processes. A limit runs in turn with ours, with the same client,",
           "certificates and database settings; the ratio is the median of neighbours' ratios (least to greatest). Rates are what the client got while it",
           "shared the cores, not the most that is possible. PostgreSQL is durable: fsync, full_page_writes and synchronous_commit are on.", "",
           f"{m['cores']} cores of {m['cpu']}, {m['memory_gb']} GB, Linux {m['kernel']}; " + ", ".join(f"{k} {v}" for k, v in m["versions"].items()) +
           f"; commit {m['commit']}, {m['date']}; load before: {m['load']:.1f}.{yard}{disk}", "",
           f"{sum(r['met'] for r in judged)} goals of {len(judged)} are met.", ""]
    for name, about in data["about"].items():
        if name not in data["rows"] and name not in data["failed"]:
            continue
        out += [f"## {name}", "", about, ""]
        if name in data["failed"]:
            out += [f"**failed**: {data['failed'][name]}", ""]
        mine = data["rows"].get(name, [])
        if not mine:
            continue
        out += ["| " + " | ".join(HEAD) + " |", "|---|---|---:|---:|---:|---|---:|---|---|---:|"]
        out += ["| " + " | ".join(table_row(r)) + " |" for r in mine]
        out += ["", *[f"- {r['operation']}: {r['detail']}" for r in mine if r.get("detail")], ""]
    return "\n".join(out)


def about():
    return {name: f.about for name, f in BENCHES.items()}
