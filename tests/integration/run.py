# SPDX-License-Identifier: Apache-2.0
"""Runs every test_*.py below this folder, or those whose path contains a word given, each in a process of its own, as many at
once as there are processors; a file that fails is run once more, alone. The last line is "N passed, N failed, N skipped"."""
import os
import re
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILE_SECONDS = 1500
# Begun first: what takes longest decides when all is done.
LONGEST = ["store/test_provision.py", "store/test_store.py", "agent/test_agent.py", "bad_input/test_bad_input.py", "agent_protect/test_protect.py"]


def one(path):
    """In the child: the tests of one file."""
    sys.path[:0] = [str(path.parent), str(HERE)]
    suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    print(f"count {max(0, result.testsRun - failed - skipped)} {failed} {skipped}", flush=True)
    os._exit(0 if failed == 0 else 1)  # nothing that a test left behind holds the run up


def run(path):
    began = time.monotonic()
    try:
        done = subprocess.run([sys.executable, __file__, "--one", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=FILE_SECONDS, check=False)
        text = done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b"").decode(errors="replace") + f"\n{path} did not end within {FILE_SECONDS} s\n"
    counts = re.findall(r"^count (\d+) (\d+) (\d+)$", text, re.M)
    passed, failed, skipped = map(int, counts[-1]) if counts else (0, 1, 0)
    print(f"==== {path.relative_to(HERE)}: {passed} passed, {failed} failed, {skipped} skipped ({time.monotonic() - began:.0f} s)", flush=True)
    return path, text, passed, failed, skipped


def order(path):
    name = str(path.relative_to(HERE))
    return (LONGEST.index(name) if name in LONGEST else len(LONGEST), name)


def main(words):
    paths = [p for p in HERE.rglob("test_*.py") if not words or any(w in str(p.relative_to(HERE)) for w in words)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(run, sorted(paths, key=order)))
    for i, (path, text, _, failed, _) in enumerate(results):
        if failed:  # once more, alone: many of these tests have time-outs, and beside others they may come too late
            print(f"\n==== {path.relative_to(HERE)} failed beside others:\n{text}\n==== again, alone", flush=True)
            results[i] = run(path)
    for path, text, _, failed, _ in results:
        if failed or words:
            print(f"\n==== {path.relative_to(HERE)}\n{text}")
    totals = [sum(r[i] for r in results) for i in (2, 3, 4)]
    print("{} passed, {} failed, {} skipped".format(*totals))
    sys.exit(0 if totals[1] == 0 and totals[0] else 1)


if sys.argv[1:2] == ["--one"]:
    one(Path(sys.argv[2]))
main(sys.argv[1:])
