# SPDX-License-Identifier: Apache-2.0
"""call/problems.yaml -> call/problems.gen.{h,c}: every refusal with its status and its text in each language."""
import re

import cwriter
from model import NAME, ContractError, load_yaml

ARGUMENTS = {"field", "allowed", "limit", "used", "until", "seconds", "reason"}


def read(path):
    problems = load_yaml(path)
    for code, p in problems.items():
        at = f"{path}: {code}"
        if not NAME.match(code):
            raise ContractError(at, "a code is lower-case letters, digits and _")
        if not isinstance(p, dict) or set(p) != {"status", "en", "ja"}:
            raise ContractError(at, "a problem has exactly status, en and ja")
        if not isinstance(p["status"], int) or not 400 <= p["status"] <= 599:
            raise ContractError(at, "status is 400 to 599")
        named = {lang: set(re.findall(r"\{(\w*)\}", p[lang])) for lang in ("en", "ja")}
        for lang, names in named.items():
            if not names <= ARGUMENTS:
                raise ContractError(f"{at}.{lang}", f"unknown argument {', '.join(sorted(names - ARGUMENTS))}")
        if named["en"] != named["ja"]:
            raise ContractError(at, "the languages use different arguments")
    return problems


def header(problems):
    names = ",\n    ".join(["PROBLEM_NONE = 0"] + [f"PROBLEM_{c}" for c in problems])
    body = f"""enum problem {{
    {names},
    PROBLEM_COUNT
}};

struct problem_text {{
    const char *code;
    int status; /* of HTTP */
    const char *en;
    const char *ja;
}};

extern const struct problem_text problem_texts[PROBLEM_COUNT];
enum problem problem_by_code(const char *code); /* PROBLEM_NONE: no such code */
"""
    return cwriter.header("problems.gen.h", "call/problems.yaml", "SEKISHO_PROBLEMS_GEN_H", body)


def source(problems):
    rows = "\n".join(
        f"    [PROBLEM_{c}] = {{{cwriter.c_string(c)}, {p['status']}, {cwriter.c_string(p['en'])},\n        {cwriter.c_string(p['ja'])}}},"
        for c, p in problems.items()
    )
    return (
        cwriter.banner("problems.gen.c", "call/problems.yaml")
        + f"""#include "call/problems.gen.h"
#include <string.h>

const struct problem_text problem_texts[PROBLEM_COUNT] = {{
    [PROBLEM_NONE] = {{"", 500, "", ""}},
{rows}
}};

enum problem problem_by_code(const char *code)
{{
    for (int i = 1; i < PROBLEM_COUNT; i++) {{
        if (strcmp(problem_texts[i].code, code) == 0)
            return (enum problem)i;
    }}
    return PROBLEM_NONE;
}}
"""
    )
