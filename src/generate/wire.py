# SPDX-License-Identifier: Apache-2.0
"""wire/agent.yaml -> wire/agent.gen.{h,c} and protocol.md. Unknown fields are ignored, unknown enum text is `unknown`."""
import re
from dataclasses import dataclass

import cwriter
from model import INT_SAFE, NAME, ContractError, Enum, Field, Message, check_unique, in_order, load_yaml

LIMITS = "((struct json_limits){4 * 1024 * 1024, 64, 200000})"
PLAIN = ("string", "uuid", "time", "int", "bool", "number", "json")
FIELD_KEYS = {"type", "min", "max", "required", "secret", "doc", "item_max", "min_items"}
ROUTE_KEYS = {"id", "method", "path", "auth", "where", "body_limit", "request", "response", "stream", "file", "quota", "summary"}


@dataclass
class Route:
    id: str
    method: str
    path: str
    auth: str
    where: str
    body_limit: int
    request: Message
    response: Message
    stream: bool
    file: bool
    quota: str
    summary: str


class Contract:
    def __init__(self, path, prefix="wire"):
        self.path, self.prefix = path, prefix
        doc = load_yaml(path)
        for key in doc:
            if key not in ("version", "routes", "enums", "messages"):
                raise ContractError(f"{path}: {key}", "not a part of this contract")
        self.version = doc.get("version")
        self.enums = {n: self.read_enum(n, v) for n, v in (doc.get("enums") or {}).items()}
        bodies = doc.get("messages") or {}
        self.messages = {n: Message(f"{prefix}_{n}", source_name=n) for n in bodies}
        check_unique(path, list(self.enums) + list(self.messages) + ["route"])
        for name, fields in bodies.items():
            self.name(f"messages.{name}", name)
            self.messages[name].fields = [self.read_field(f"messages.{name}.{f}", f, d) for f, d in fields.items()]
        self.ordered = in_order(path, self.messages.values())
        self.routes = [self.read_route(i, r) for i, r in enumerate(doc.get("routes") or [])]

    def fail(self, at, what):
        raise ContractError(f"{self.path}: {at}", what)

    def name(self, at, name):
        if not isinstance(name, str) or not NAME.match(name):
            self.fail(at, "a name is lower-case letters, digits and _")

    def read_enum(self, name, values):
        at = f"enums.{name}"
        self.name(at, name)
        if not isinstance(values, list) or not values or values[0] != "unknown":
            self.fail(at, "the first value of an enum is unknown")
        for v in values:
            self.name(f"{at}: {v}", v)
        check_unique(f"{self.path}: {at}", values)
        return Enum(f"{self.prefix}_{name}", values, open=True)

    def read_field(self, at, name, d):
        self.name(at, name)
        if not isinstance(d, dict) or "type" not in d:
            self.fail(at, "a field is { type: ..., ... }")
        for key in d:
            if key not in FIELD_KEYS:
                self.fail(at, f"the key {key} is not known; known are {', '.join(sorted(FIELD_KEYS))}")
        base, array = d["type"], False
        if base.endswith("[]"):
            base, array = base[:-2], True
        f = Field(name, base, required=bool(d.get("required")), array=array, doc=d.get("doc", ""), secret=bool(d.get("secret")))
        if array:
            f.min_items, f.max_items = d.get("min_items", 0), self.number(at, d, "max")
        if base in self.enums:
            f.kind, f.target = "enum", self.enums[base]
        elif base in self.messages:
            f.kind, f.target = "object", self.messages[base]
        elif base not in PLAIN:
            self.fail(at, f"the type {base} is not known")
        if base == "int":
            if array:
                f.min, f.max = -INT_SAFE, INT_SAFE
            else:
                f.min, f.max = self.number(at, d, "min"), self.number(at, d, "max")
        elif base == "number":
            f.min, f.max = d.get("min", -INT_SAFE), d.get("max", INT_SAFE)
        elif base in ("string", "json"):
            f.min, f.max = (0 if array else d.get("min", 0)), self.number(at, d, "item_max" if array else "max")
        if not cwriter.bounds_ok(f):
            self.fail(at, "min and max must be within 53 bits, min first")
        return f

    def number(self, at, d, key):
        if not isinstance(d.get(key), int):
            self.fail(at, f"{key} is required and a number")
        return d[key]

    def read_route(self, i, r):
        at = f"routes[{i}]"
        for key in r:
            if key not in ROUTE_KEYS:
                self.fail(at, f"the key {key} is not known")
        for key in ("id", "method", "path", "auth", "where", "body_limit", "quota", "summary"):
            if key not in r:
                self.fail(at, f"{key} is missing")
        at = f"routes.{r['id']}"
        self.one_of(at, "method", r["method"], ("GET", "POST", "PUT", "DELETE"))
        self.one_of(at, "auth", r["auth"], ("device", "any"))
        self.one_of(at, "where", r["where"], ("loop", "blocking", "batch", "slow"))
        message = {}
        for key in ("request", "response"):
            if key in r and r[key] not in self.messages:
                self.fail(at, f"{key}: there is no message {r[key]}")
            message[key] = self.messages.get(r.get(key))
        if not r.get("stream") and not r.get("file") and not message["response"]:
            self.fail(at, "a route has a response, or stream or file")
        return Route(
            r["id"], r["method"], r["path"], r["auth"], r["where"], r["body_limit"], message["request"], message["response"],
            bool(r.get("stream")), bool(r.get("file")), r["quota"], r["summary"],
        )

    def one_of(self, at, key, value, allowed):
        if value not in allowed:
            self.fail(at, f"{key} must be one of {', '.join(allowed)}")


def header(c, name="agent.gen.h"):
    body = '#include "common/decode.h"\n\n'
    body += "\n".join(cwriter.enum_header(e) for e in c.enums.values()) + "\n"
    for m in c.ordered:
        body += cwriter.codec_header(m) + "\n"
    body += cwriter.all_header(c.prefix) + "\n"
    if c.routes:
        p = c.prefix.upper()
        body += f"enum {c.prefix}_route {{ {', '.join(f'{p}_ROUTE_{r.id.upper()}' for r in c.routes)}, {p}_ROUTE_COUNT }};\n"
        body += "/* Of each route, in order of the enum: for clients. */\n"
        body += "struct wire_route_info {\n    const char *method;\n    const char *path; /* up to a {…} */\n    size_t body_limit;\n};\n"
        body += f"extern const struct wire_route_info wire_routes[{p}_ROUTE_COUNT];\n"
    return cwriter.header(name, "wire/agent.yaml", f"SEKISHO_{c.prefix.upper()}_GEN_H", body)


def source(c, include="wire/agent.gen.h", name="agent.gen.c"):
    out = cwriter.banner(name, "wire/agent.yaml")
    out += f'#include "{include}"\n#include "common/encode.h"\n\n'
    out += "".join(cwriter.enum_source(e) for e in c.enums.values())
    out += "".join(cwriter.codec_source(m, LIMITS) for m in c.ordered)
    out += cwriter.all_source(c.prefix, c.ordered)
    if c.routes:
        out += f"const struct wire_route_info wire_routes[{c.prefix.upper()}_ROUTE_COUNT] = {{\n"
        for r in c.routes:
            path = re.sub(r"\{.*", "", r.path)
            out += f"    {{{cwriter.c_string(r.method)}, {cwriter.c_string(path)}, {r.body_limit}}},\n"
        out += "};\n"
    return out


def type_text(f):
    t = f.target.c_name.replace("wire_", "") if f.target else f.kind
    if f.kind in ("string", "json"):
        t += f" ≤ {f.max}"
    elif f.kind == "int" and not f.array:
        t += f" {f.min} to {f.max}"
    return f"list of {t}, ≤ {f.max_items}" if f.array else t


def markdown(c):
    out = [f"# The agent protocol, version {c.version}", "", "Made from `src/wire/agent.yaml`. Unknown fields are ignored;", "unknown enum values read as `unknown`.", "", "## Routes", ""]
    out += ["| route | request | answer | identity | body limit |", "|---|---|---|---|---|"]
    for r in c.routes:
        request = f"`{r.request.source_name}`" if r.request else "none"
        answer = f"`{r.response.source_name}`" if r.response else "a file"
        out.append(f"| `{r.method} {r.path}` {r.summary} | {request} | {answer}{' (stream)' if r.stream else ''} | {r.auth} | {r.body_limit} |")
    out += ["", "## Enums", "", "| enum | values |", "|---|---|"]
    out += [f"| {n} | {', '.join(e.values)} |" for n, e in c.enums.items()]
    out += ["", "## Messages"]
    for n, m in c.messages.items():
        out += ["", f"### {n}", "", "| field | type | required | |", "|---|---|---|---|"]
        out += [f"| {f.name} | {type_text(f)} | {'yes' if f.required else ''} | {f.doc} |" for f in m.fields]
    return "\n".join(out) + "\n"
