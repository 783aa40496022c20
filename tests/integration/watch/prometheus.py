# SPDX-License-Identifier: Apache-2.0
"""A strict reader of Prometheus' text format 0.0.4, after its specification; what is only tolerated is an error here.

    families = parse(text)      # {name: Family}; Malformed tells the line
    families["sekisho_answers"].value(status="2xx")
"""
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN")
KINDS = ("counter", "gauge", "histogram", "summary", "untyped")


class Malformed(Exception):
    pass


class Family:
    def __init__(self, name, text):
        self.name, self.help, self.kind, self.samples = name, text, None, {}

    def value(self, suffix="", **labels):
        return self.samples[(self.name + suffix, tuple(sorted(labels.items())))]


def _labels(rest, line):
    """'{a="b",c="d"}' at the start of rest: labels and what follows."""
    labels, at = {}, 1
    while True:
        m = LABEL.match(rest, at)
        if not m or rest[m.end():m.end() + 2] != '="':
            raise Malformed(f"label: {line!r}")
        at, value = m.end() + 2, ""
        while rest[at:at + 1] != '"':
            c = rest[at:at + 1]
            if c == "":
                raise Malformed(f"label without an end: {line!r}")
            if c == "\\":
                at += 1
                c = {"\\": "\\", '"': '"', "n": "\n"}.get(rest[at:at + 1])
                if c is None:
                    raise Malformed(f"escape: {line!r}")
            value, at = value + c, at + 1
        if m[0] in labels or m[0].startswith("__"):
            raise Malformed(f"label twice, or reserved: {line!r}")
        labels[m[0]], at = value, at + 1
        if rest[at:at + 1] == "}":
            return labels, rest[at + 1:]
        if rest[at:at + 1] != ",":
            raise Malformed(f"labels: {line!r}")
        at += 1


def _sample(family, line):
    m = NAME.match(line)
    if not m:
        raise Malformed(f"name: {line!r}")
    name, rest, labels = m[0], line[m.end():], {}
    allowed = {"histogram": ("_bucket", "_sum", "_count")}.get(family.kind, ("",))
    if name not in [family.name + s for s in allowed]:
        raise Malformed(f"{name} stands among those of {family.name}")
    if rest.startswith("{"):
        labels, rest = _labels(rest, line)
    if not rest.startswith(" ") or not NUMBER.fullmatch(rest[1:]):
        raise Malformed(f"value: {line!r}")
    key, value = (name, tuple(sorted(labels.items()))), float(rest[1:])
    if key in family.samples:
        raise Malformed(f"twice: {line!r}")
    if family.kind in ("counter", "histogram") and not value >= 0:
        raise Malformed(f"below 0: {line!r}")
    if ("le" in labels) != (family.kind == "histogram" and name.endswith("_bucket")):
        raise Malformed(f"le: {line!r}")
    family.samples[key] = value


def _histogram(f):
    groups = {}
    for (name, labels), value in f.samples.items():
        rest = tuple(x for x in labels if x[0] != "le")
        g = groups.setdefault(rest, {"buckets": []})
        if name.endswith("_bucket"):
            g["buckets"].append((float(dict(labels)["le"].replace("+Inf", "inf")), value))
        else:
            g[name[len(f.name):]] = value
    for g in groups.values():
        bounds, counts = [b for b, _ in g["buckets"]], [n for _, n in g["buckets"]]
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            raise Malformed(f"{f.name}: the bounds do not ascend to +Inf: {bounds}")
        if counts != sorted(counts):
            raise Malformed(f"{f.name}: the buckets are not cumulative: {counts}")
        if g.get("_count") != counts[-1] or "_sum" not in g:
            raise Malformed(f"{f.name}: sum or count is missing or wrong")


def parse(text):
    if not text.endswith("\n"):
        raise Malformed("the last line has no end")
    families, current = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            if not NAME.fullmatch(name) or name in families or not words or re.search(r"\\(?![\\n])", words):
                raise Malformed(line)
            families[name] = current = Family(name, words)
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            if current is None or name != current.name or current.kind or current.samples or kind not in KINDS:
                raise Malformed(line)
            current.kind = kind
        elif not line or line.startswith("#"):
            raise Malformed(f"a line that says nothing: {line!r}")
        elif current is None or current.kind is None:
            raise Malformed(f"a sample before its type: {line!r}")
        else:
            _sample(current, line)
    for f in families.values():
        if not f.samples or f.kind is None:
            raise Malformed(f"{f.name} has no samples, or no type")
        if f.kind == "histogram":
            _histogram(f)
    return families
