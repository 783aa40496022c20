#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of ops/lint on a file that breaks it, and on one that does not."""
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* {name} - a test. */\n"


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name in ("ops/lint", "ops/lint.d/rules.toml", "CMakeLists.txt", ".clang-format"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)

    def lint(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        r = subprocess.run([self.root / "ops/lint", "--fast", path], cwd=self.root, capture_output=True, text=True)
        return r.stdout

    def c(self, path, text):
        return self.lint(path, HEAD.format(name=Path(path).name) + text)

    def finds(self, out, line, rule):
        self.assertRegex(out, rf"(?m)^\S+:{line}: {rule}: ")

    def test_good_code_passes(self):
        self.assertEqual(self.c("src/domain/x.c", '#include "store/db.h"\n\nint x(void);\n'), "")

    def test_includes_go_one_way(self):
        self.finds(self.c("src/store/x.c", '#include "domain/y.h"\n'), 3, "direction")
        self.finds(self.c("src/agent/x.c", '#include "call/call.h"\n'), 3, "direction")
        self.finds(self.c("src/common/x.h", '#include "wire/agent.gen.h"\n'), 3, "direction")
        self.finds(self.c("src/store/x.c", '#include "db.h"\n'), 3, "include")

    def test_libraries_have_homes(self):
        for header in ("h2o.h", "hiredis/hiredis.h", "libpq-fe.h", "jwt.h", "openssl/ssl.h", "curl/curl.h", "nghttp2/nghttp2.h"):
            self.finds(self.c("src/domain/x.c", f"#include <{header}>\n"), 3, "home")
        self.assertEqual(self.c("src/edge/x.c", "#include <h2o.h>\n"), "")

    def test_makers_belong_to_their_stage(self):
        self.finds(self.c("src/handler/x.c", '#include "call/make_permit.h"\n'), 3, "maker")
        self.assertEqual(self.c("src/quota/x.c", '#include "call/make_permit.h"\n'), "")

    def test_forbidden_functions(self):
        for call in ("strcpy(a, b)", "sprintf(a, b)", "atoi(a)", "strtol (a, 0, 10)", "system(a)", "alloca(3)", "json_loads(a, 0, 0)"):
            self.finds(self.c("src/domain/x.c", f"int x(void)\n{{\n    return {call};\n}}\n"), 5, "forbidden")
        text = 'int x(void)\n{\n    /* strcpy(a) */\n    return y("strcpy(a)") + my_strcpy(1) + z.system(1);\n}\n'
        self.assertEqual(self.c("src/domain/x.c", text), "")

    def test_sql_has_its_homes(self):
        text = 'const char *x = "SELECT a FROM b";\n'
        self.finds(self.c("src/handler/x.c", text), 3, "sql")
        self.finds(self.c("src/handler/x.c", 'const char *x = "select a from b";\n'), 3, "sql")
        self.assertEqual(self.c("src/provision/x.c", text), "")
        self.assertEqual(self.c("src/handler/x.c", 'const char *x = "Select a device";\n'), "")

    def test_heads_and_guards(self):
        self.finds(self.lint("src/domain/x.c", "int x;\n"), 1, "spdx")
        self.finds(self.lint("src/domain/x.c", "/* SPDX-License-Identifier: Apache-2.0 */\nint x;\n"), 2, "head")
        self.finds(self.c("src/domain/x.h", "int x(void);\n"), 1, "guard")
        self.finds(self.lint("ops/x.py", "x = 1\n"), 1, "spdx")

    def test_text(self):
        self.finds(self.c("src/domain/x.c", "int x; \n"), 3, "text")
        self.finds(self.c("src/domain/x.c", "\tint x;\n"), 3, "text")
        self.finds(self.lint("a.md", "a\r\n"), 1, "text")
        self.finds(self.lint("a.md", "a"), 1, "text")
        self.finds(self.lint("a.md", b"\xff\n"), 1, "text")
        self.finds(self.lint("a.md", "TO" + "DO: later\n"), 1, "text")
        self.finds(self.lint("a.md", "in /wo" + "rk/main\n"), 1, "text")
        self.finds(self.lint("src/x/README.md", "a\n" * 21), 21, "readme")

    def test_a_line_may_say_why(self):
        text = "#include <zlib.h> /* lint: allow home: here for a reason */\n"
        self.assertEqual(self.c("src/domain/x.c", text), "")

    def test_migrations(self):
        self.finds(self.lint("migrations/tenant/1.sql", "CREATE TABLE a (b int);\nINSERT INTO a SELECT * FROM c;\n"), 2, "sql")
        self.assertEqual(self.lint("migrations/tenant/1.sql", "COMMENT ON TABLE a IS 'select * from b'; -- select *\n"), "")

    def test_format(self):
        self.finds(self.c("src/domain/x.c", "int  x(void){return 1;}\n"), 3, "format")


if __name__ == "__main__":
    unittest.main()
