# SPDX-License-Identifier: Apache-2.0
"""Runs every test_*.py below this folder (or those whose path contains a word given) with unittest."""
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def load(words):
    suite, loader = unittest.TestSuite(), unittest.TestLoader()
    sys.path.insert(0, str(HERE))
    for path in sorted(HERE.rglob("test_*.py")):
        if words and not any(w in str(path.relative_to(HERE)) for w in words):
            continue
        sys.path.insert(0, str(path.parent))
        name = path.stem
        sys.modules.pop(name, None)
        suite.addTests(loader.loadTestsFromName(name))
        sys.path.pop(0)
    return suite


result = unittest.TextTestRunner(verbosity=2).run(load(sys.argv[1:]))
sys.exit(0 if result.wasSuccessful() else 1)
