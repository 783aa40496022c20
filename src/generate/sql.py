# SPDX-License-Identifier: Apache-2.0
"""store/*.sql -> store/sql.gen.{h,c}. A statement begins with `-- name: device_find` and ends with `;`; see store/README.md.

`-- variant sort: name = lower(d.name) : text, id = d.id : uuid` makes one statement per value, with {sort} (and {sort_type},
what stands behind the colon) put in; several variants make the cross product. {t} stays: it is the tenant's schema.

`{reach:d.group_id}` stands for the condition that the group is one that the caller's right reaches, and `{reach-all:s.group_ids}`
that all of an array are; `{everything}` that the right reaches all groups. The groups are one more parameter, the last, which store/db.c adds by itself (tx_reach_*).
"""
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

import cwriter
from model import NAME, ContractError, check_unique

LINE = re.compile(r"^--\s*(name|scope|doc|variant(?:\s+\w+)?)\s*:\s*(.*)$")


@dataclass
class Choice:
    name: str
    text: str
    type: str = ""


@dataclass
class Variant:
    name: str
    choices: list


@dataclass
class Statement:
    name: str
    where: str  # file:line
    scope: str = "tenant"
    doc: list = field(default_factory=list)
    variants: list = field(default_factory=list)
    text: str = ""
    reach: bool = False
    base: str = ""  # of a variant: the name it was made from


def split_top(s, sep):
    """Splits at sep outside of parentheses and quotes."""
    parts, depth, quoted, last = [], 0, False, 0
    for i, ch in enumerate(s):
        if ch == "'":
            quoted = not quoted
        elif not quoted:
            depth += (ch in "([") - (ch in ")]")
            if ch == sep and depth == 0:
                parts.append(s[last:i])
                last = i + 1
    return [p.strip() for p in parts + [s[last:]]]


def read_variant(where, name, text):
    choices = []
    for part in split_top(text, ","):
        key, eq, value = part.partition("=")
        key = key.strip()
        if not NAME.match(key):
            raise ContractError(where, f"variant {name}: {key} is no name")
        value, colon, kind = value.partition(" : ")
        choices.append(Choice(key, value.strip() if eq else key, kind.strip()))
    return Variant(name, choices)


def strip(text):
    """Without comments and string contents, for looking at words; lines stay."""
    text = re.sub(r"--[^\n]*", "", text)
    return re.sub(r"'(?:[^']|'')*'", "''", text)


def read_file(path):
    out, current = [], None
    for no, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        where, m = f"{path}:{no}", LINE.match(line)
        if m and m[1] == "name":
            if current and not current.text.rstrip().endswith(";"):
                raise ContractError(current.where, f"{current.name} does not end with ;")
            if not NAME.match(m[2]):
                raise ContractError(where, f"{m[2]} is no name")
            current = Statement(m[2], where, base=m[2])
            out.append(current)
        elif m and not current:
            raise ContractError(where, "stands before the first -- name:")
        elif m and m[1] == "scope":
            if m[2] not in ("tenant", "control"):
                raise ContractError(where, "scope is tenant or control")
            current.scope = m[2]
        elif m and m[1] == "doc":
            current.doc.append(m[2])
        elif m:
            current.variants.append(read_variant(where, m[1].split()[-1], m[2]))
        elif current is None:
            if line.strip() and not line.startswith("--"):
                raise ContractError(where, "SQL before the first -- name:")
        elif not line.lstrip().startswith("--"):
            if current.text.rstrip().endswith(";") and line.strip():
                raise ContractError(where, f"{current.name} has more than one statement")
            current.text += line + "\n"
    if current and not current.text.rstrip().endswith(";"):
        raise ContractError(current.where, f"{current.name} does not end with ;")
    return out


def check(s):
    bare = strip(s.text)
    words = bare.lower()

    def fail(what):
        raise ContractError(s.where, f"{s.name}: {what}")

    if ";" in bare.rstrip().rstrip(";"):
        fail("has more than one statement")
    if re.search(r"\b(select|returning)\s+(distinct\s+)?\*|\w\.\*|,\s*\*\s*(,|from\b|;)", words):
        fail("names no columns (*)")
    if "search_path" in words:
        fail("uses search_path")
    if s.scope == "tenant" and "{t}" not in bare:
        fail("does not use {t}; give it `-- scope: control` if no tenant is meant")
    if s.scope == "control" and "{t}" in bare:
        fail("has the scope control, where there is no {t}")
    if re.search(r"\bfor\s+update\b", words) is None and re.match(r"\s*(begin|commit|rollback|set|savepoint)\b", words):
        fail("transactions and settings are store/'s own business")
    params = {}
    for m in re.finditer(r"\$(\d+)(::\w+)?", bare):
        if int(m[1]) not in params and not m[2]:
            fail(f"${m[1]} has no cast at its first use")
        params.setdefault(int(m[1]), m[2])
    if sorted(params) != list(range(1, len(params) + 1)):
        fail("its parameters are not $1 to $n without gaps")
    return len(params)


def put_reach(s):
    """The conditions on groups; {reach:...} may stand in a statement as often as it likes."""
    n = max([0, *(int(x) for x in re.findall(r"\$(\d+)", strip(s.text)))]) + 1
    tests = {"reach": "IN (SELECT unnest(${n}::uuid[]))", "reach-all": "<@ ${n}::uuid[]"}

    def condition(m):
        s.reach = True
        return f"(${n}::uuid[] IS NULL OR {m[2]} {tests[m[1]].replace('{n}', str(n))})"
    s.text = re.sub(r"\{(reach|reach-all):((?:[^{}]|\{t\})*)\}", condition, s.text).replace("{everything}", f"${n}::uuid[] IS NULL")


def expand(s):
    """The statement itself, or one per combination of its variants."""
    if not s.variants:
        return [s]
    out = []
    for combination in itertools.product(*(v.choices for v in s.variants)):
        text, names = s.text, []
        values = {}
        for v, c in zip(s.variants, combination):
            names.append(c.name)
            values[v.name] = c.text
            if c.type:
                values[v.name + "_type"] = c.type
            if v.name == "direction":
                values["cmp"] = ">" if c.name == "asc" else "<"
        for _ in range(3):  # a choice may use others
            for key, value in values.items():
                text = text.replace("{" + key + "}", value)
        out.append(Statement(f"{s.name}_by_{'_'.join(names)}", s.where, s.scope, s.doc, [], text, s.name))
    return out


def read(paths):
    statements, families = [], []
    for path in sorted(paths):
        for s in read_file(path):
            made = expand(s)
            if s.variants:
                families.append((s, [m.name for m in made]))
            for m in made:
                put_reach(m)
                left = re.search(r"\{(?!t\})\w+\}", m.text)
                if left:
                    raise ContractError(s.where, f"{s.name}: nothing stands for {left[0]}")
                m.n_params = check(m)
            statements += made
    check_unique("store/*.sql", [s.name for s in statements] + [f.name for f, _ in families])
    return statements, families


def function(s):
    args = ", ".join(f"unsigned {v.name}" for v in s.variants)
    return f"enum sql_id sql_{s.name}({args})"


def header(statements, families):
    body = '#include "store/sql.h"\n\nenum sql_id {\n'
    for s in statements:
        body += f"    SQL_{s.name},\n"
    body += "    SQL_COUNT\n};\n\nextern const struct sql_statement sql_statements[SQL_COUNT];\n"
    for s, _ in families:
        body += "\n/* " + cwriter.c_comment(" ".join(s.doc)) + "\n" if s.doc else "\n/*"
        for v in s.variants:
            body += f" * {v.name}: " + ", ".join(f"{i} {c.name}" for i, c in enumerate(v.choices)) + "\n"
        body += f" */\n{function(s)};\n"
    return cwriter.header("sql.gen.h", "store/*.sql", "SEKISHO_SQL_GEN_H", body)


def source(statements, families):
    out = cwriter.banner("sql.gen.c", "store/*.sql")
    out += '#include "store/sql.gen.h"\n#include "common/must.h"\n\nconst struct sql_statement sql_statements[SQL_COUNT] = {\n'
    for s in statements:
        text = re.sub(r"[ \t]*\n[ \t]*", "\n", s.text.strip().rstrip(";").rstrip())
        lines = "\n        ".join(cwriter.c_string(line) for line in text.splitlines(keepends=True))
        writes = bool(re.search(r"\b(insert\s+into|update\s|delete\s+from|create|drop|alter)\b", strip(s.text).lower()))
        out += f"    [SQL_{s.name}] = {{.name = \"{s.name}\", .n_params = {s.n_params}, .control = {str(s.scope == 'control').lower()}, .reach = {str(s.reach).lower()}, "
        out += f".writes = {str(writes).lower()},\n        .text = {lines}}},\n"
    out += "};\n"
    for s, names in families:
        index, bounds = "", []
        for v in s.variants:
            n = len(v.choices)
            index = f"({index}) * {n} + {v.name}" if index else v.name
            bounds.append(f"{v.name} < {n}")
        out += f"\n{function(s)}\n{{\n    must({' && '.join(bounds)});\n    return (enum sql_id)(SQL_{names[0]} + {index});\n}}\n"
    return out
