# SPDX-License-Identifier: Apache-2.0
"""cache/scripts/*.lua -> cache/scripts.gen.{h,c}: the text of each, without comments and blank lines, and its SHA-1, by which
Redis knows it."""
import hashlib

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
    names = "".join(f"    SCRIPT_{name.upper()},\n" for name, _ in scripts)
    body = (f"enum cache_script {{\n{names}    SCRIPT_COUNT\n}};\n\n"
            "struct script_source {\n    const char *name;\n    const char *sha1;\n    const char *text;\n};\n"
            "extern const struct script_source script_sources[SCRIPT_COUNT];\n")
    return cwriter.header("cache/scripts.gen.h", "cache/scripts/*.lua", "SEKISHO_SCRIPTS_GEN_H", body)


def source(scripts):
    out = [cwriter.banner("cache/scripts.gen.c", "cache/scripts/*.lua"), '#include "cache/scripts.gen.h"\n\n',
           "const struct script_source script_sources[SCRIPT_COUNT] = {\n"]
    for name, lines in scripts:
        sha1 = hashlib.sha1("".join(s + "\n" for s in lines).encode()).hexdigest()
        text = "\n".join("     " + cwriter.c_string(s + "\n") for s in lines)
        out.append(f'    {{"{name}", "{sha1}",\n{text}}},\n')
    return "".join(out) + "};\n"
