# SPDX-License-Identifier: Apache-2.0
"""handler/openapi.yaml -> handler/api.gen.{h,c}, routes.gen.c (table and glue) and api.md. Unknown request fields are errors.

The dialect is a small part of OpenAPI 3.1, so that every bound is stated and C can carry it; see the file's head.
"""
import re
from dataclasses import dataclass, field

import cwriter
from model import INT_SAFE, NAME, ContractError, Enum, Field, Message, c_name, check_unique, in_order, load_yaml, snake

LIMITS = "JSON_LIMITS_DEFAULT"
METHODS = ("get", "post", "put", "patch", "delete")
SCHEMA_KEYS = {
    "object": {"type", "description", "required", "properties"},
    "array": {"type", "description", "minItems", "maxItems", "items"},
    "string": {"type", "description", "minLength", "maxLength", "enum", "format", "default", "x-secret"},
    "integer": {"type", "description", "minimum", "maximum", "default"},
    "number": {"type", "description", "minimum", "maximum"},
    "boolean": {"type", "description", "default"},
}
OPERATION_KEYS = {
    "operationId", "tags", "summary", "description", "security", "parameters", "requestBody", "responses",
    "x-where", "x-auth", "x-permission", "x-quota", "x-body-limit", "x-audit", "x-stream", "x-entitlement",
}  # fmt: skip
NEEDED = ("operationId", "summary", "x-where", "x-auth", "x-permission", "x-quota", "x-body-limit", "x-audit", "responses")


@dataclass
class Operation:
    id: str
    method: str
    path: str
    where: str
    auth: str
    permission: str
    quota: str
    body_limit: int
    audit: str
    stream: bool
    summary: str
    description: str = ""
    entitlement: str = "none"
    path_fields: list = field(default_factory=list)
    query_fields: list = field(default_factory=list)
    body: Message = None
    response: Message = None
    status: int = 200

    @property
    def has_request(self):
        return bool(self.path_fields or self.query_fields or self.body)


class Contract:
    def __init__(self, path, prefix="api"):
        self.path, self.prefix = path, prefix
        self.doc = load_yaml(path)
        self.enums, self.messages, self.inline = {}, {}, []
        components = self.doc.get("components") or {}
        self.schemas = components.get("schemas") or {}
        self.parameters = components.get("parameters") or {}
        for name, s in self.schemas.items():
            at = f"components.schemas.{name}"
            if name == "Problem":
                continue  # written by call/, read by nobody
            if s.get("type") == "object":
                self.messages[name] = Message(f"{prefix}_{snake(name)}", closed=True, doc=s.get("description", ""), source_name=name)
            elif "enum" in s:
                self.enums[name] = self.read_enum(at, f"{prefix}_{snake(name)}", s)
            else:
                self.fail(at, "a named schema is an object or an enum")
        for name, m in self.messages.items():
            s, at = self.schemas[name], f"components.schemas.{name}"
            self.check_keys(at, s)
            required = s.get("required") or []
            for r in required:
                if r not in (s.get("properties") or {}):
                    self.fail(f"{at}.required", f"{r} is no property")
            for f, d in (s.get("properties") or {}).items():
                m.fields.append(self.read_field(f"{at}.{f}", m.c_name, f, d, f in required))
        self.ordered = in_order(path, self.messages.values())
        self.operations = [
            self.read_operation(p, method, op)
            for p, item in (self.doc.get("paths") or {}).items()
            for method, op in self.methods(p, item)
        ]
        check_unique(path, [e.c_name for e in self.all_enums()] + [m.c_name for m in self.ordered])
        check_unique(path, [o.id for o in self.operations])
        self.check_patterns()

    def all_enums(self):
        return list(self.enums.values()) + self.inline

    def fail(self, at, what):
        raise ContractError(f"{self.path}: {at}", what)

    def methods(self, p, item):
        for method, op in item.items():
            if method not in METHODS:
                self.fail(f"paths.{p}", f"{method} is no method; known are {', '.join(METHODS)}")
            yield method, op

    def check_keys(self, at, s):
        kind = s.get("type")
        if kind not in SCHEMA_KEYS:
            self.fail(at, f"type must be one of {', '.join(SCHEMA_KEYS)}")
        for key in s:
            if key not in SCHEMA_KEYS[kind]:
                self.fail(at, f"{key} is not in the dialect for {kind}")

    def read_enum(self, at, name, s):
        self.check_keys(at, s)
        values = s["enum"]
        for v in values:
            if not isinstance(v, str) or not re.match(r"^[a-z0-9][a-z0-9_-]*$", v):
                self.fail(f"{at}.enum", f"{v} is no value; they are lower-case words")
            if len(v) > self.need(at, s, "maxLength"):
                self.fail(f"{at}.enum", f"{v} is longer than maxLength")
        check_unique(f"{self.path}: {at}", [Enum(name, values).constant(v) for v in values])
        if "default" in s and s["default"] not in values:
            self.fail(at, "the default is not a value of the enum")
        return Enum(name, values, doc=s.get("description", ""))

    def need(self, at, s, key):
        if not isinstance(s.get(key), int):
            self.fail(at, f"{key} is required and a number")
        return s[key]

    def resolve(self, at, s):
        """(schema, name of it or None)"""
        if "$ref" not in s:
            return s, None
        prefix = "#/components/schemas/"
        if set(s) - {"$ref", "description"} or not s["$ref"].startswith(prefix):
            self.fail(at, "a $ref stands alone and names a schema")
        name = s["$ref"][len(prefix):]
        if name not in self.schemas or name == "Problem":
            self.fail(at, f"there is no schema {name}")
        return self.schemas[name], name

    def read_field(self, at, owner, name, d, required):
        if not NAME.match(name):
            self.fail(at, "a field's name is lower-case letters, digits and _")
        s, ref = self.resolve(at, d)
        doc = d.get("description", "") or ("" if ref else s.get("description", ""))
        self.check_keys(at, s)
        f = Field(name, "", required=required, doc=doc)
        if s["type"] == "array":
            f.array = True
            f.min_items, f.max_items = s.get("minItems", 0), self.need(at, s, "maxItems")
            if not isinstance(s.get("items"), dict):
                self.fail(at, "items is missing")
            s, ref = self.resolve(at + ".items", s["items"])
            self.check_keys(at + ".items", s)
            if s["type"] == "array":
                self.fail(at + ".items", "an array of arrays is not in the dialect")
        self.read_type(at, owner, f, s, ref)
        if f.default is not None and required:
            self.fail(at, "a required field has no default")
        return f

    def read_type(self, at, owner, f, s, ref):
        kind = s["type"]
        if kind == "object":
            if not ref:
                self.fail(at, "an object is a schema of its own, used by $ref")
            f.kind, f.target = "object", self.messages[ref]
        elif "enum" in s:
            f.kind = "enum"
            if ref:
                f.target = self.enums[ref]
            else:
                f.target = self.read_enum(at, f"{owner}_{f.name}", s)
                self.inline.append(f.target)
            f.default = s.get("default")
        elif kind == "string":
            f.min, f.max, f.secret = s.get("minLength", 0), self.need(at, s, "maxLength"), bool(s.get("x-secret"))
            f.kind = {None: "string", "uuid": "uuid", "date-time": "time"}.get(s.get("format"))
            if f.kind is None:
                self.fail(at, f"format {s['format']} is not in the dialect; uuid and date-time are")
            if "default" in s:
                self.fail(at, "only integers, enums and booleans have defaults")
        elif kind == "integer":
            f.kind, f.min, f.max, f.default = "int", self.need(at, s, "minimum"), self.need(at, s, "maximum"), s.get("default")
            if f.default is not None and not f.min <= f.default <= f.max:
                self.fail(at, "the default is out of range")
        elif kind == "number":
            f.kind, f.min, f.max = "number", s.get("minimum", -INT_SAFE), s.get("maximum", INT_SAFE)
        else:
            f.kind, f.default = "bool", s.get("default")
        if f.array:
            f.default = None
        if not cwriter.bounds_ok(f):
            self.fail(at, "bounds must be within 53 bits, the least first")

    def read_operation(self, path, method, op):
        at = f"paths.{path}.{method}"
        for key in op:
            if key not in OPERATION_KEYS:
                self.fail(at, f"{key} is not in the dialect")
        for key in NEEDED:
            if key not in op:
                self.fail(at, f"{key} is missing")
        at = f"paths.{path}.{method} ({op['operationId']})"
        if not NAME.match(op["operationId"]):
            self.fail(at, "operationId is lower-case letters, digits and _")
        self.one_of(at, "x-where", op["x-where"], ("loop", "blocking", "slow"))
        self.one_of(at, "x-auth", op["x-auth"], ("none", "refresh", "user"))
        if (op["x-auth"] == "user") != (op.get("security") is None):
            self.fail(at, "`security: []` belongs to x-auth none and refresh, and only to them")
        if not re.match(r"^(none|[a-z_]+\.(read|use|write))$", str(op["x-permission"])):
            self.fail(at, "x-permission is none or <functionality>.read, .use or .write")
        o = Operation(
            op["operationId"], method.upper(), path, op["x-where"], op["x-auth"], op["x-permission"], op["x-quota"],
            self.need(at, op, "x-body-limit"), op["x-audit"], bool(op.get("x-stream")), op["summary"], op.get("description", ""),
            op.get("x-entitlement", "none"),
        )  # fmt: skip
        self.read_parameters(at, o, op)
        self.read_body(at, o, op)
        self.read_responses(at, o, op)
        return o

    def one_of(self, at, key, value, allowed):
        if value not in allowed:
            self.fail(at, f"{key} must be one of {', '.join(allowed)}")

    def read_parameters(self, at, o, op):
        in_path = {}
        for i, p in enumerate(op.get("parameters") or []):
            where = f"{at}.parameters[{i}]"
            if "$ref" in p:
                name = p["$ref"].rpartition("/")[2]
                if name not in self.parameters:
                    self.fail(where, f"there is no parameter {name}")
                p = self.parameters[name]
            for key in p:
                if key not in ("name", "in", "description", "required", "schema"):
                    self.fail(where, f"{key} is not in the dialect")
            self.one_of(where, "in", p.get("in"), ("path", "query"))
            f = self.read_field(f"{where} {p['name']}", f"{self.prefix}_{o.id}", p["name"], p["schema"], bool(p.get("required")))
            f.doc = p.get("description", f.doc)
            if f.array or f.kind == "object":
                self.fail(where, "a parameter is a scalar")
            if p["in"] == "path":
                if f.kind not in ("uuid", "string") or not f.required:
                    self.fail(where, "a path parameter is a required string or uuid")
                in_path[f.name] = f
            else:
                o.query_fields.append(f)
        named = re.findall(r"\{(\w+)\}", o.path)
        if sorted(named) != sorted(in_path):
            self.fail(at, "the path's {…} and its parameters differ")
        if len(named) > 4:
            self.fail(at, "a path has at most 4 parameters")
        o.path_fields = [in_path[n] for n in named]
        check_unique(f"{self.path}: {at}", [c_name(f.name) for f in o.path_fields + o.query_fields])

    def read_body(self, at, o, op):
        if "requestBody" not in op:
            if o.body_limit:
                self.fail(at, "x-body-limit without a requestBody")
            return
        if not o.body_limit:
            self.fail(at, "x-body-limit is 0 but there is a requestBody")
        _, ref = self.resolve(f"{at}.requestBody", self.content(at + ".requestBody", op["requestBody"]))
        if ref not in self.messages:
            self.fail(f"{at}.requestBody", "a body is an object schema by $ref")
        o.body = self.messages[ref]
        check_unique(f"{self.path}: {at}", [f.name for f in o.path_fields + o.query_fields] + ["body"])

    def content(self, at, d, media="application/json"):
        if list(d.get("content") or {}) != [media]:
            self.fail(at, f"has exactly one content, {media}")
        return d["content"][media]["schema"]

    def read_responses(self, at, o, op):
        good = [s for s in op["responses"] if s != "default"]
        if "default" not in op["responses"] or len(good) != 1 or str(good[0]) not in ("200", "201", "204"):
            self.fail(f"{at}.responses", "are one of 200, 201, 204, and default")
        o.status = int(good[0])
        r = op["responses"][good[0]]
        if o.stream or o.status == 204:
            if o.status == 204 and "content" in r:
                self.fail(f"{at}.responses", "204 has no content")
            return
        _, ref = self.resolve(f"{at}.responses", self.content(f"{at}.responses.{good[0]}", r))
        if ref not in self.messages:
            self.fail(f"{at}.responses", "an answer is an object schema by $ref")
        o.response = self.messages[ref]

    def check_patterns(self):
        seen = {}
        for o in self.operations:
            shape = re.sub(r"\{\w+\}", "{}", o.path)
            if seen.setdefault(shape, o.path) != o.path:
                self.fail(f"paths.{o.path}", f"cannot be told from {seen[shape]}")


# ---------------------------------------------------------------- C


def request_struct(c, o):
    fields = o.path_fields + o.query_fields
    lines = [f"/* {cwriter.c_comment(o.method + ' ' + o.path + ': ' + o.summary)} */", f"struct {c.prefix}_{o.id}_request {{"]
    for f in fields:
        lines += cwriter.declare(f)
    if o.body:
        lines.append(f"    struct {o.body.c_name} body;")
    return "\n".join(lines + ["};\n"])


def handler_prototype(c, o):
    if o.stream:
        return f"enum rc {c.prefix}_{o.id}(struct call *c) MUST_CHECK;"
    args = ["struct call *c"]
    if o.has_request:
        args.append(f"const struct {c.prefix}_{o.id}_request *req")
    if o.response:
        args.append(f"struct {o.response.c_name} *ret")
    return f"enum rc {c.prefix}_{o.id}({', '.join(args)}) MUST_CHECK;"


def agent_prototype(r):
    if r.where == "batch":
        return f"void agent_{r.id}(struct call *c); /* decodes and answers by itself */"
    args = ["struct call *c"]
    if not r.stream and not r.file:
        if r.request:
            args.append(f"const struct {r.request.c_name} *req")
        args.append(f"struct {r.response.c_name} *ret")
    return f"enum rc agent_{r.id}({', '.join(args)}) MUST_CHECK;"


def header(c, name="api.gen.h", wire=None):
    """With wire (the agents' contract): also the prototypes of all handlers."""
    body = '#include "common/decode.h"\n' + ('#include "wire/agent.gen.h"\n\nstruct call;\n\n' if wire else "\n")
    body += "\n".join(cwriter.enum_header(e) for e in c.all_enums()) + "\n"
    body += "\n".join(cwriter.codec_header(m) for m in c.ordered)
    body += "\n" + cwriter.all_header(c.prefix)
    body += "\n/* ---------------------------------------------------------------- requests */\n\n"
    for o in c.operations:
        if o.has_request:
            n = f"{c.prefix}_{o.id}"
            body += request_struct(c, o)
            body += f"extern const struct message_desc {n}_path_desc, {n}_query_desc;\n\n" if not o.stream else "\n"
    if wire:
        body += "/* ---------------------------------------------------------------- handlers, written in handler/\n"
        body += " * Each fills *ret (memory of c->arena), or c->fault and returns what is not RC_OK. */\n\n"
        body += "\n".join(handler_prototype(c, o) for o in c.operations) + "\n\n"
        body += "\n".join(agent_prototype(r) for r in wire.routes) + "\n"
    return cwriter.header(name, "handler/openapi.yaml", f"SEKISHO_{c.prefix.upper()}_GEN_H", body)


def source(c, include="handler/api.gen.h", name="api.gen.c"):
    out = cwriter.banner(name, "handler/openapi.yaml")
    out += f'#include "{include}"\n#include "common/encode.h"\n\n'
    out += "".join(cwriter.enum_source(e) for e in c.all_enums())
    out += "".join(cwriter.codec_source(m, LIMITS) for m in c.ordered)
    out += cwriter.all_source(c.prefix, c.ordered)
    for o in c.operations:
        if o.has_request and not o.stream:
            n = f"{c.prefix}_{o.id}"
            out += cwriter.table(f"{n}_path", f"{n}_request", o.id, o.path_fields, True, static=False)
            out += cwriter.table(f"{n}_query", f"{n}_request", o.id, o.query_fields, True, static=False)
    return out


def serve_api(c, o):
    n = f"{c.prefix}_{o.id}"
    if o.stream:
        return f"static enum rc serve_{n}(struct call *c)\n{{\n    return {n}(c);\n}}\n\n"
    lines, args = [], ["c"]
    if o.has_request:
        lines.append(f"    struct {n}_request req = {{0}};")
        args.append("&req")
    if o.response:
        lines.append(f"    struct {o.response.c_name} ret = {{0}};")
        args.append("&ret")
    if o.has_request:
        body = f"&{o.body.c_name}_desc, &req.body" if o.body else "NULL, NULL"
        lines.append(f"    enum rc rc = glue_request(c, &{n}_path_desc, &{n}_query_desc, &req, {body});")
    else:
        lines.append("    enum rc rc = glue_no_request(c);")
    lines += ["", "    if (rc == RC_OK)", f"        rc = {n}({', '.join(args)});"]
    answer = f"&{o.response.c_name}_desc, &ret" if o.response else "NULL, NULL"
    lines.append(f"    return rc == RC_OK ? glue_answer(c, {o.status}, {answer}) : rc;")
    return f"static enum rc serve_{n}(struct call *c)\n{{\n" + "\n".join(lines) + "\n}\n\n"


def serve_agent(r):
    n = f"agent_{r.id}"
    head = f"static enum rc serve_{n}(struct call *c)\n{{\n"
    if r.where == "batch":
        return head + f"    {n}(c);\n    return RC_OK;\n}}\n\n"
    if r.stream or r.file:
        return head + f"    return {n}(c);\n}}\n\n"
    lines, args, rc = [], ["c"], "RC_OK"
    if r.request:
        lines.append(f"    struct {r.request.c_name} req = {{0}};")
        args.append("&req")
        rc = f"glue_message(c, &{r.request.c_name}_desc, &req)"
    lines.append(f"    struct {r.response.c_name} ret = {{0}};")
    lines += [f"    enum rc rc = {rc};", "", "    if (rc == RC_OK)", f"        rc = {n}({', '.join(args + ['&ret'])});"]
    lines.append(f"    return rc == RC_OK ? glue_answer(c, 200, &{r.response.c_name}_desc, &ret) : rc;")
    return head + "\n".join(lines) + "\n}\n\n"


def specific(pattern):
    """Literal segments go before {…}."""
    return [(1 if s.startswith("{") else 0, s) for s in pattern.split("/")]


def routes_source(c, wire):
    rows = []  # (listener, pattern, method, c row)
    for o in c.operations:
        permission = "NULL" if o.permission == "none" else cwriter.c_string(o.permission)
        audit = "NULL" if o.audit == "none" else cwriter.c_string(o.audit)
        rows.append(("CONSOLE", o.path, o.method, o.id, o.where, o.auth, permission, o.quota, o.body_limit, audit, o.stream, f"{c.prefix}_{o.id}", o.entitlement))
    for r in wire.routes:
        auth = "agent_any" if r.auth == "any" else "device"
        rows.append(("AGENT", r.path, r.method, f"agent_{r.id}", r.where, auth, "NULL", r.quota, r.body_limit, "NULL", r.stream, f"agent_{r.id}", "none"))
    rows.sort(key=lambda r: (r[0], specific(r[1]), r[2]))
    out = cwriter.banner("routes.gen.c", "handler/openapi.yaml and wire/agent.yaml")
    out += '#include "call/call.h"\n#include "handler/glue.h"\n#include "handler/api.gen.h"\n\n'
    out += "".join(serve_api(c, o) for o in c.operations) + "".join(serve_agent(r) for r in wire.routes)
    functionalities = sorted({o.permission.partition(".")[0] for o in c.operations if o.permission != "none"})
    out += "/* The contract names no functionality that call/permission.h lacks. */\nenum {\n"
    out += "".join(f"    NAMED_{f} = FUNCTIONALITY_{f},\n" for f in functionalities) + "};\n\n"
    out += "const struct route routes[] = {\n"
    for listener, pattern, method, op, where, auth, permission, quota, limit, audit, stream, fn, entitlement in rows:
        out += f"    {{.listener = LISTENER_{listener}, .method = \"{method}\", .pattern = {cwriter.c_string(pattern)}, .operation = \"{op}\",\n"
        out += f"     .where = WHERE_{where.upper()}, .auth = AUTH_{auth.upper()}, .permission = {permission}, .quota = QUOTA_{quota.upper()},\n"
        if entitlement != "none":
            out += f"     .entitlement = \"{entitlement}\", .entitled = ENTITLED({entitlement}),\n"
        out += f"     .body_limit = {limit}, .audit = {audit}, .stream = {str(stream).lower()}, .serve = serve_{fn}}},\n"
    out += "};\nconst size_t routes_count = sizeof(routes) / sizeof(routes[0]);\n\n"
    out += "const struct route_place route_places[] = {\n"
    i = 0
    while i < len(rows):
        n = i
        while n < len(rows) and rows[n][:2] == rows[i][:2]:
            n += 1
        allowed = ", ".join(r[2] for r in rows[i:n])
        out += f"    {{.first = &routes[{i}], .n = {n - i}, .allowed = \"{allowed}\"}},\n"
        i = n
    out += "};\nconst size_t route_places_count = sizeof(route_places) / sizeof(route_places[0]);\n"
    return out


# ---------------------------------------------------------------- documentation


def type_text(f):
    t = f.kind
    if f.kind == "enum":
        t = ", ".join(f"`{v}`" for v in f.target.values)
    elif f.kind == "object":
        t = f"[{f.target.source_name}](#{f.target.source_name.lower()})"
    elif f.kind == "string":
        t = f"string, {f.min} to {f.max}"
    elif f.kind == "int":
        t = f"integer, {f.min} to {f.max}"
    if f.array:
        t = f"list of {t}; {f.min_items} to {f.max_items} items"
    return t if f.default is None else t + f"; default `{str(f.default).lower()}`"


def field_table(fields):
    out = ["| field | type | required | |", "|---|---|---|---|"]
    return out + [f"| `{f.name}` | {type_text(f)} | {'yes' if f.required else ''} | {f.doc} |" for f in fields]


def markdown(c):
    info = c.doc.get("info") or {}
    out = [f"# {info.get('title', 'API')}", "", " ".join(str(info.get("description", "")).split()), "", "Made from `src/handler/openapi.yaml`."]
    for o in c.operations:
        out += ["", f"## {o.id}", "", f"`{o.method} {o.path}` — {o.summary}.", ""]
        if o.description:
            out += [" ".join(o.description.split()), ""]
        rights = {"none": "anyone", "refresh": "the refresh cookie"}.get(o.auth, "a signed-in user")
        if o.permission != "none":
            rights += f" with `{o.permission}`"
        if o.entitlement != "none":
            rights += f", and a plan with `{o.entitlement}`"
        out.append(f"Needs {rights}. Quota `{o.quota}`." + (f" Body up to {o.body_limit} bytes." if o.body else ""))
        if o.path_fields or o.query_fields:
            out += [""] + field_table(o.path_fields + o.query_fields)
        if o.body:
            out += ["", f"Body: [{o.body.source_name}](#{o.body.source_name.lower()})."]
        answer = f"[{o.response.source_name}](#{o.response.source_name.lower()})" if o.response else "nothing" if o.status == 204 else "events"
        out.append(f"\nAnswers {o.status} with {answer}.")
    out += ["", "# Schemas"]
    for m in c.messages.values():
        out += ["", f"## {m.source_name}", ""] + ([m.doc, ""] if m.doc else []) + field_table(m.fields)
    return "\n".join(out) + "\n"
