# SPDX-License-Identifier: Apache-2.0
"""CPU time and memory of process trees, from the kernel's own accounts: nothing is sampled.

    meter = Meter(sekishod=[pid], postgres=[pid])     # roots; their descendants count too, also those that end meanwhile
    before = meter.read(); ...; spent = meter.since(before)   # {"sekishod": microseconds, ...}
"""
import os
import re
import time
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(pid):
    """User and system time of a process with all its threads, ended ones too; 0 when it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # the clock that clock_getcpuclockid() names
    except OSError:
        return 0


def children(pid):
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(p) for p in (task / "children").read_text().split()]
    except OSError:
        pass
    return found


def family(root):
    """root and its living descendants."""
    found, new = [], [root]
    while new:
        pid = new.pop()
        found.append(pid)
        new += children(pid)
    return found


def ended_ns(pid):
    """What the children of a process used that have ended (in ticks of 10 ms)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0
    return (int(fields[13]) + int(fields[14])) * TICK_NS


class Reading:
    def __init__(self, roots):
        pids = [p for root in roots for p in family(root)]
        self.total = sum(map(cpu_ns, pids)) + sum(map(ended_ns, pids))


class Meter:
    def __init__(self, **roots):
        self.roots = roots

    def read(self):
        return {name: Reading(roots) for name, roots in self.roots.items()}

    def since(self, before):
        after = self.read()
        return {name: max(0.0, (after[name].total - before[name].total) / 1000) for name in after}

    def memory_mb(self):
        """Proportional memory of all processes together: what would be free without them."""
        return round(sum(pss_kib(p) for roots in self.roots.values() for root in roots for p in family(root)) / 1024, 1)


def rollup(pid, field):
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{field}:\s+(\d+) kB", text, re.M)
    return int(found.group(1)) if found else 0


def pss_kib(pid):
    return rollup(pid, "Pss")


def rss_kib(pid):
    return rollup(pid, "Rss")


def anonymous_kib(pid):
    return rollup(pid, "Anonymous")


def own_us():
    """Of this process and its children that have ended: for programs that this one runs and waits for."""
    t = os.times()
    return (t.user + t.system + t.children_user + t.children_system) * 1e6
