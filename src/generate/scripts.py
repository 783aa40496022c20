# SPDX-License-Identifier: Apache-2.0
"""cache/scripts/*.lua -> cache/scripts.gen.{h,c}: the text of each as script_<name>, without comments and blank lines."""
import cwriter
from model import NAME, ContractError


def read(paths):
    scripts = []
    for path in paths:
        if not NAME.match(path.stem):
            raise ContractError(str(path), "the name of a script is lower case with underscores")
        lines = [line.split(" -- ")[0].rstrip() for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [s for s in lines if s and not s.lstrip().startswith("--")]
        if not lines:
            raise ContractError(str(path), "the script is empty")
        scripts.append((path.stem, lines))
    return scripts


def header(scripts):
    body = "".join(f"extern const char script_{name}[];\n" for name, _ in scripts)
    return cwriter.header("cache/scripts.gen.h", "cache/scripts/*.lua", "SEKISHO_SCRIPTS_GEN_H", body)


def source(scripts):
    out = [cwriter.banner("cache/scripts.gen.c", "cache/scripts/*.lua"), '#include "cache/scripts.gen.h"\n']
    for name, lines in scripts:
        text = "\n".join("    " + cwriter.c_string(s + "\n") for s in lines)
        out.append(f"\nconst char script_{name}[] =\n{text};\n")
    return "".join(out)
