# SPDX-License-Identifier: Apache-2.0
"""Writes C: files that change only when their content does, structs, enums, and the tables that common/decode.c reads."""
from pathlib import Path

from model import INT_SAFE


def banner(name, source):
    return (
        "/* SPDX-License-Identifier: Apache-2.0 */\n"
        f"/* {name} - made by src/generate from {c_comment(source)}; do not edit. */\n"
    )


def write(path, text):
    """Writes text unless the file has it already, so that builds stay incremental."""
    path = Path(path)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def c_string(s):
    out = []
    for ch in s:
        if ch in '"\\':
            out.append("\\" + ch)
        elif ch == "\n":
            out.append("\\n")
        elif ch == "?":
            out.append("\\?")  # no trigraphs
        else:
            out.append(ch)
    return '"' + "".join(out) + '"'


def c_comment(s):
    return " ".join(s.split()).replace("*/", "* /").replace("/*", "/ *")


def header(name, source, guard, body):
    return banner(name, source) + f"#ifndef {guard}\n#define {guard}\n\n{body}\n#endif\n"


TYPES = {
    "string": "struct slice",
    "json": "struct slice",
    "uuid": "struct uuid",
    "time": "usec_t",
    "int": "int64_t",
    "number": "double",
    "bool": "bool",
}


def c_type(f):
    if f.kind == "enum":
        return "enum " + f.target.c_name
    if f.kind == "object":
        return "struct " + f.target.c_name
    return TYPES[f.kind]


def declare(f, indent="    "):
    """The members of one field."""
    t, n, doc = c_type(f), f.c_name, f"  /* {c_comment(f.doc)} */" if f.doc else ""
    if f.array:
        return [f"{indent}{t} *{n};{doc}", f"{indent}size_t n_{f.name};"]
    if f.by_pointer:
        return [f"{indent}{t} *{n};{doc}"]
    lines = [f"{indent}bool has_{f.name};"] if f.has else []
    return lines + [f"{indent}{t} {n};{doc}"]


def struct(m):
    lines = [f"/* {c_comment(m.doc)} */"] if m.doc else []
    lines.append(f"struct {m.c_name} {{")
    for f in m.fields:
        lines += declare(f)
    if not m.fields:
        lines.append("    char nothing; /* C knows no empty struct */")
    return "\n".join(lines + ["};\n"])


def enum_header(e):
    lines = [f"/* {c_comment(e.doc)} */"] if e.doc else []
    values = ", ".join(e.constant(v) + (" = 0" if i == 0 else "") for i, v in enumerate(e.values))
    lines.append(f"enum {e.c_name} {{ {values} }};")
    lines.append(f"#define {e.c_name.upper()}_COUNT {len(e.values)}")
    lines.append(f"const char *{e.c_name}_text(enum {e.c_name} v); /* static */")
    if e.open:
        lines.append(f"enum {e.c_name} {e.c_name}_parse(struct slice s); /* unknown text: {e.constant(e.values[0])} */")
    else:
        lines.append(f"bool {e.c_name}_parse(struct slice s, enum {e.c_name} *ret);")
    return "\n".join(lines) + "\n"


def enum_source(e):
    texts = ", ".join(c_string(v) for v in e.values)
    shown = [v for v in e.values if not (e.open and v == "unknown")]
    out = f"""static const char *const {e.c_name}_texts[] = {{{texts}}};
static const struct enum_desc {e.c_name}_desc = {{
    .texts = {e.c_name}_texts, .n = {len(e.values)}, .open = {"true" if e.open else "false"},
    .allowed = {c_string(", ".join(shown))}}};

const char *{e.c_name}_text(enum {e.c_name} v)
{{
    return enum_text(&{e.c_name}_desc, (int)v);
}}

"""
    if e.open:
        out += f"""enum {e.c_name} {e.c_name}_parse(struct slice s)
{{
    int v = 0;
    return enum_find(&{e.c_name}_desc, s, &v) ? (enum {e.c_name})v : {e.constant(e.values[0])};
}}

"""
    else:
        out += f"""bool {e.c_name}_parse(struct slice s, enum {e.c_name} *ret)
{{
    int v = 0;
    if (!enum_find(&{e.c_name}_desc, s, &v))
        return false;
    *ret = (enum {e.c_name})v;
    return true;
}}

"""
    return out


def number(n):
    if n == -(2**63):
        return "INT64_MIN"
    if n == 2**63 - 1:
        return "INT64_MAX"
    return f"INT64_C({n})" if abs(n) > 2**31 - 1 else str(n)


def default_of(f):
    if f.kind == "bool":
        return 1 if f.default else 0
    if f.kind == "enum":
        return f.target.values.index(f.default)
    return f.default


def field_row(struct_name, f):
    parts = [f".name = {c_string(f.name)}", f".kind = FIELD_{f.kind.upper()}"]
    parts.append(f".offset = offsetof(struct {struct_name}, {f.c_name})")
    flags = []
    if f.required:
        flags.append("FIELD_REQUIRED")
    if f.array:
        flags.append("FIELD_ARRAY")
        parts.append(f".extra = offsetof(struct {struct_name}, n_{f.name})")
        parts.append(f".min_items = {f.min_items}, .max_items = {f.max_items}")
    if f.has:
        flags.append("FIELD_HAS")
        parts.append(f".extra = offsetof(struct {struct_name}, has_{f.name})")
    if f.default is not None:
        flags.append("FIELD_DEFAULT")
        parts.append(f".value = {number(default_of(f))}")
    if flags:
        parts.append(".flags = " + " | ".join(flags))
    if f.kind in ("string", "int", "json", "number"):
        parts.append(f".min = {number(f.min)}, .max = {number(f.max)}")
    if f.kind == "enum":
        parts.append(f".sub = &{f.target.c_name}_desc")
    if f.kind == "object":
        parts.append(f".sub = &{f.target.c_name}_desc")
    return "    {" + ", ".join(parts) + "},"


def table(name, struct_name, title, fields, closed, static=True):
    """A message_desc called <name>_desc over the given fields of struct <struct_name>."""
    out = ""
    if fields:
        out += f"static const struct field_desc {name}_fields[] = {{\n"
        out += "\n".join(field_row(struct_name, f) for f in fields) + "\n};\n"
    out += f"{'static ' if static else ''}const struct message_desc {name}_desc = {{\n    .name = {c_string(title)}, "
    out += f".fields = {name + '_fields' if fields else '(const struct field_desc *)0'}, .n = {len(fields)}, "
    out += f".closed = {'true' if closed else 'false'}, .size = sizeof(struct {struct_name})}};\n\n"
    return out


def codec_header(m):
    n = m.c_name
    return f"""{struct(m)}extern const struct message_desc {n}_desc;
enum rc {n}_decode(struct arena *a, const json_t *v, struct {n} *ret, struct decode_error *err) MUST_CHECK;
enum rc {n}_parse(struct arena *a, struct slice text, struct {n} *ret, struct decode_error *err) MUST_CHECK;
void {n}_encode(struct json_writer *w, const struct {n} *m);
"""


def codec_source(m, limits):
    n = m.c_name
    return (
        table(n, n, m.source_name or n, m.fields, m.closed, static=False)
        + f"""enum rc {n}_decode(struct arena *a, const json_t *v, struct {n} *ret, struct decode_error *err)
{{
    return decode_message(a, &{n}_desc, v, ret, err);
}}

enum rc {n}_parse(struct arena *a, struct slice text, struct {n} *ret, struct decode_error *err)
{{
    return decode_text(a, &{n}_desc, text, {limits}, ret, err);
}}

void {n}_encode(struct json_writer *w, const struct {n} *m)
{{
    encode_message(w, &{n}_desc, m);
}}

"""
    )


def all_header(prefix):
    """Every message of a contract: for tests and fuzzers that walk them all."""
    return f"extern const struct message_desc *const {prefix}_messages[];\nextern const size_t {prefix}_messages_count;\n"


def all_source(prefix, messages):
    rows = "".join(f"    &{m.c_name}_desc,\n" for m in messages)
    return (
        f"const struct message_desc *const {prefix}_messages[] = {{\n{rows}}};\n"
        f"const size_t {prefix}_messages_count = {len(messages)};\n\n"
    )


def bounds_ok(f):
    return -INT_SAFE <= f.min <= f.max <= INT_SAFE
