# SPDX-License-Identifier: Apache-2.0
"""The common model of both contracts: messages, fields, enums, and how they are written down as C.

api.py and wire.py read their YAML into this model; cwriter.py makes C from it. Mistakes in a contract raise ContractError
with the path of the place at fault.
"""
import re
from dataclasses import dataclass, field

import yaml

INT_SAFE = 9007199254740991  # 2^53 - 1: what JSON carries exactly
NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")


class ContractError(Exception):
    """A contract breaks the dialect: 'file: path: what is wrong'."""

    def __init__(self, where, what):
        super().__init__(f"{where}: {what}")


class UniqueLoader(yaml.SafeLoader):
    """YAML with repeated keys refused, and on/off/yes/no kept as text: they are enum values here."""


def _mapping(loader, node, deep=False):
    seen = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=deep)
        if key in seen:
            mark = key_node.start_mark
            raise ContractError(f"{mark.name}:{mark.line + 1}", f"the key {key} stands here twice")
        seen[key] = loader.construct_object(value_node, deep=True)
    return seen


UniqueLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
UniqueLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
UniqueLoader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$") if tag == "tag:yaml.org,2002:bool" else pattern)
        for tag, pattern in rows
        if tag != "tag:yaml.org,2002:timestamp"
    ]
    for first, rows in UniqueLoader.yaml_implicit_resolvers.items()
}


def load_yaml(path):
    try:
        with open(path, encoding="utf-8") as f:  # a file, so that errors name it
            return yaml.load(f, Loader=UniqueLoader)
    except yaml.YAMLError as e:
        raise ContractError(path, str(e).replace("\n", " ")) from e


C_KEYWORDS = set(
    """auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false
    errno stdin stdout stderr""".split()
)


def c_name(name):
    """The C identifier of a field; keywords get an underscore."""
    return name + "_" if name in C_KEYWORDS else name


def snake(name):
    """DevicePage -> device_page; Problem_ -> problem_item."""
    if name.endswith("_"):
        name = name[:-1] + "Item"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@dataclass
class Enum:
    c_name: str  # wire_reason, api_device_status
    values: list
    open: bool = False  # values[0] is unknown; text that is not listed decodes to it
    doc: str = ""

    def constant(self, value):
        return f"{self.c_name}_{re.sub(r'[^a-zA-Z0-9]', '_', value)}".upper()


@dataclass
class Field:
    name: str
    kind: str  # string uuid time int number bool enum object json
    required: bool = False
    array: bool = False
    min: int = 0  # characters of strings, least of ints, bytes of json
    max: int = 0
    min_items: int = 0
    max_items: int = 0
    default: object = None
    target: object = None  # the Enum or Message of enum and object
    doc: str = ""
    secret: bool = False

    @property
    def c_name(self):
        return c_name(self.name)

    @property
    def has(self):
        """Optional ints, bools, numbers and enums say by has_<name> whether they are there."""
        return (
            not self.array
            and not self.required
            and self.default is None
            and self.kind in ("int", "number", "bool", "enum")
        )

    @property
    def by_pointer(self):
        return self.kind == "object" and not self.array and not self.required


@dataclass
class Message:
    c_name: str  # wire_event, api_device
    fields: list = field(default_factory=list)
    closed: bool = False  # unknown fields are errors
    doc: str = ""
    source_name: str = ""


def in_order(path, messages):
    """Messages with those they are made of first; a message that contains itself is refused."""
    done, open_, out = set(), [], []

    def visit(m):
        if m.c_name in done:
            return
        if m.c_name in open_:
            raise ContractError(f"{path}: {m.source_name}", "contains itself: " + " -> ".join(open_ + [m.c_name]))
        open_.append(m.c_name)
        for f in m.fields:
            if f.kind == "object":
                visit(f.target)
        open_.pop()
        done.add(m.c_name)
        out.append(m)

    for m in messages:
        visit(m)
    return out


def check_unique(where, names):
    seen = set()
    for n in names:
        if n in seen:
            raise ContractError(where, f"two things would have the C name {n}")
        seen.add(n)
