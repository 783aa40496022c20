# SPDX-License-Identifier: Apache-2.0
"""Prints "passed failed skipped" as a test runner's log tells them: count.py ctest|vitest|plain LOG"""
import re
import sys


def number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def ctest(text):
    failed, total = number(r"(\d+) tests? failed out of", text), number(r"failed out of (\d+)", text)
    return total - failed, failed, 0


def vitest(text):
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    line = (re.findall(r"^\s*Tests\s+(.*)$", text, re.M) or [""])[-1]
    return number(r"(\d+) passed", line), number(r"(\d+) failed", line), number(r"(\d+) skipped", line)


def plain(text):
    found = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M)
    return tuple(int(n or 0) for n in found[-1]) if found else (0, 0, 0)


print(*{"ctest": ctest, "vitest": vitest, "plain": plain}[sys.argv[1]](open(sys.argv[2], errors="replace").read()))
