# SPDX-License-Identifier: Apache-2.0
"""The real agent at rest, with its engine beside it."""
import shutil
import sys
import tempfile
import time
from pathlib import Path

from house import ROOT
from meter import cpu_ns, pss_kib, rss_kib
from table import bench, figure


def engine():
    """(a running clamd, its folder), or (None, folder): without it the agent says so and is measured all the same."""
    folder = Path(tempfile.mkdtemp(prefix="skc-", dir="/tmp"))
    folder.chmod(0o755)
    sys.path.insert(0, str(ROOT / "tests/integration/agent_protect"))
    try:
        from test_protect import Clamd
        (folder / "clamd").mkdir()
        return Clamd(folder / "clamd"), folder
    except (ImportError, OSError, RuntimeError, AssertionError) as e:
        print(f"    no engine: {e}", flush=True)
        return None, folder


@bench("agent", house="plain")
def agent(h):
    """CPU time and memory of an agent with nothing to do."""
    from fleet import Agent
    clamd, folder = engine()
    try:
        with Agent(h.service, clamd, "bench", log_level="info") as a:
            a.wait_state("connected", 60)
            time.sleep(15 if h.scale.full else 3)
            pids = a.family()
            before, began = sum(map(cpu_ns, pids)), time.monotonic()
            time.sleep(25 if h.scale.full else 3)
            seconds = time.monotonic() - began
            share = (sum(map(cpu_ns, pids)) - before) / 1e9 / seconds * 100
            pss, rss = (sum(map(f, pids)) / 1024 for f in (pss_kib, rss_kib))
    finally:
        if clamd:
            clamd.process.terminate()
            clamd.process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
    yield figure("agent at rest: CPU", share, "% of a core", at_most=0.1, detail=f"{len(pids)} processes, without the engine, {seconds:.0f} s")
    yield figure("agent at rest: memory (Pss)", pss, "MB", at_most=20, detail=f"Rss {rss:.1f} MB")
