#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The generator refuses contracts that break the dialect, and says where."""
import copy
import re
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "src/generate"))

import api  # noqa: E402
import model  # noqa: E402
import problems  # noqa: E402
import sql  # noqa: E402
import wire  # noqa: E402


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def refused(self, read, expected):
        with self.assertRaises(model.ContractError) as caught:
            read()
        self.assertIn(expected, str(caught.exception).replace(str(self.folder) + "/", ""))


class Api(Case):
    def edit(self, change):
        doc = model.load_yaml(HERE / "things.yaml")
        change(doc)
        return self.file("api.yaml", yaml.safe_dump(doc, sort_keys=False))

    def check(self, change, expected):
        self.refused(lambda: api.Contract(self.edit(change), "x"), expected)

    @staticmethod
    def operation(doc):
        return doc["paths"]["/things"]["get"]

    @staticmethod
    def box(doc):
        return doc["components"]["schemas"]["Box"]["properties"]

    def test_the_real_contract_is_read(self):
        self.assertGreater(len(api.Contract(ROOT / "src/handler/openapi.yaml").operations), 25)

    def test_bounds_are_required(self):
        self.check(lambda d: self.box(d)["note"].pop("maxLength"), "api.yaml: components.schemas.Box.note: maxLength is required")
        self.check(lambda d: self.box(d)["size"].pop("maximum"), "components.schemas.Box.size: maximum is required")
        self.check(lambda d: self.box(d)["tags"].pop("maxItems"), "components.schemas.Box.tags: maxItems is required")
        self.check(lambda d: self.box(d)["count"].update(minimum=10), "components.schemas.Box.count: bounds")
        self.check(lambda d: self.box(d)["size"].update(maximum=2**60), "components.schemas.Box.size: bounds")

    def test_what_is_not_in_the_dialect_is_refused(self):
        self.check(lambda d: self.box(d)["note"].update(pattern="^a"), "components.schemas.Box.note: pattern is not in the dialect")
        self.check(lambda d: self.box(d)["note"].update(format="email"), "components.schemas.Box.note: format email")
        self.check(lambda d: self.box(d)["note"].update(type="null"), "components.schemas.Box.note: type must be one of")
        self.check(lambda d: self.box(d).update(Bad={"type": "boolean"}), "components.schemas.Box.Bad: a field's name")
        self.check(lambda d: self.box(d)["lid"].update({"$ref": "#/components/schemas/None"}), "Box.lid: there is no schema None")
        self.check(lambda d: self.box(d).update(inner={"type": "object"}), "Box.inner: an object is a schema of its own")
        self.check(lambda d: self.box(d)["finish"].update(default="blue"), "Box.finish: the default is not a value")
        self.check(lambda d: self.box(d)["retries"].update(default=99), "Box.retries: the default is out of range")
        self.check(lambda d: self.box(d)["note"].update(default="x"), "Box.note: only integers, enums and booleans")
        self.check(lambda d: d["components"]["schemas"]["Box"]["required"].append("gone"), "Box.required: gone is no property")
        self.check(lambda d: self.box(d)["tags"].update(items={"type": "array", "maxItems": 1, "items": {}}), "Box.tags.items: an array of arrays")

    def test_operations_are_whole(self):
        for key in api.NEEDED[1:]:
            self.check(lambda d, key=key: self.operation(d).pop(key), f"paths./things.get: {key} is missing")
        self.check(lambda d: self.operation(d).update({"x-where": "moon"}), "(list): x-where must be one of")
        self.check(lambda d: self.operation(d).update({"x-permission": "things"}), "(list): x-permission is none or")
        self.check(lambda d: self.operation(d).update({"x-body-limit": 5}), "(list): x-body-limit without a requestBody")
        self.check(lambda d: self.operation(d).update({"x-new": 5}), "x-new is not in the dialect")
        self.check(lambda d: self.operation(d).update(security=[]), "(list): `security: []`")
        self.check(lambda d: self.operation(d)["responses"].pop("default"), "(list).responses: are one of")

    def test_paths_and_parameters_agree(self):
        def rename(d):
            d["paths"]["/things/{owner}/{other}"] = d["paths"].pop("/things/{owner}/{thing_name}")

        def twice(d):
            other = copy.deepcopy(d["paths"]["/things"])
            other["get"]["operationId"] = "again"
            other["get"]["parameters"].append({"name": "x", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 3}})
            d["paths"]["/things/{x}"] = copy.deepcopy(other)
            other["get"]["operationId"] = "once_more"
            other["get"]["parameters"][-1]["name"] = "y"
            d["paths"]["/things/{y}"] = other

        self.check(rename, "(replace): the path's {…} and its parameters differ")
        self.check(twice, "paths./things/{y}: cannot be told from /things/{x}")
        self.check(lambda d: self.operation(d)["parameters"][0].update({"in": "header"}), "parameters[0]: in must be one of")
        self.check(lambda d: self.operation(d).update(operationId="replace"), "two things would have the C name replace")

    def test_a_schema_that_contains_itself_is_refused(self):
        def change(d):
            d["components"]["schemas"]["Hinge"]["properties"]["lid"] = {"$ref": "#/components/schemas/Lid"}

        self.check(change, "api.yaml: Lid: contains itself: x_box -> x_lid -> x_hinge -> x_lid")

    def test_equal_c_names_are_refused(self):
        def change(d):
            d["components"]["schemas"]["BoxShape"] = {"type": "string", "maxLength": 3, "enum": ["a"]}

        self.check(change, "two things would have the C name x_box_shape")

    def test_repeated_keys_are_refused(self):
        path = self.file("twice.yaml", "a: 1\nb:\n  c: 1\n  c: 2\n")
        self.refused(lambda: model.load_yaml(path), "twice.yaml:4: the key c stands here twice")


class Wire(Case):
    def check(self, text, expected):
        path = self.file("w.yaml", text)
        self.refused(lambda: wire.Contract(path), expected)

    def test_the_real_contract_is_read(self):
        self.assertGreater(len(wire.Contract(ROOT / "src/wire/agent.yaml").messages), 20)

    def test_mistakes_are_named(self):
        self.check("enums: { e: [a, b] }", "w.yaml: enums.e: the first value of an enum is unknown")
        self.check("enums: { e: [unknown, a, a] }", "two things would have the C name a")
        self.check("messages: { m: { f: { type: string } } }", "w.yaml: messages.m.f: max is required")
        self.check("messages: { m: { f: { type: int, max: 3 } } }", "messages.m.f: min is required")
        self.check("messages: { m: { f: { type: 'int[]' } } }", "messages.m.f: max is required")
        self.check("messages: { m: { f: { type: 'string[]', max: 3 } } }", "messages.m.f: item_max is required")
        self.check("messages: { m: { f: { type: thing } } }", "messages.m.f: the type thing is not known")
        self.check("messages: { m: { f: { type: bool, most: 1 } } }", "messages.m.f: the key most is not known")
        self.check("messages: { m: { F: { type: bool } } }", "messages.m.F: a name is lower-case")
        self.check("messages: { m: { f: { type: 'm[]', max: 2 } } }", "contains itself")
        self.check("message: {}", "w.yaml: message: not a part of this contract")
        route = "routes: [ { id: a, method: GET, path: /a, auth: any, where: loop, body_limit: 0, quota: none, summary: x%s } ]"
        self.check(route % ", response: gone", "routes.a: response: there is no message gone")
        self.check(route % "", "routes.a: a route has a response")
        self.check((route % ", stream: true").replace("GET", "FETCH"), "routes.a: method must be one of")


class Problems(Case):
    def test_mistakes_are_named(self):
        def check(text, expected):
            path = self.file("p.yaml", text)
            self.refused(lambda: problems.read(path), expected)

        check("a: { status: 400, en: x }", "p.yaml: a: a problem has exactly status, en and ja")
        check("a: { status: 200, en: x, ja: y }", "p.yaml: a: status is 400 to 599")
        check("a: { status: 400, en: '{what}', ja: '{what}' }", "p.yaml: a.en: unknown argument what")
        check("a: { status: 400, en: '{field}', ja: y }", "p.yaml: a: the languages use different arguments")

    def test_every_code_that_decoders_use_exists(self):
        codes = problems.read(ROOT / "src/call/problems.yaml")
        for name in ("decode.c", "encode.c", "json.c"):
            text = (ROOT / "src/common" / name).read_text()
            for code in set(re.findall(r'"((?:field|query|json|body)_[a-z_]+)"', text)):
                self.assertIn(code, codes, name)


class Sql(Case):
    def read(self, text):
        return sql.read([self.file("s.sql", text)])

    def check(self, text, expected):
        self.refused(lambda: self.read(text), expected)

    def test_statements_are_read(self):
        statements, families = self.read(
            "-- a file\n\n-- name: one\n-- doc: first\nSELECT t.a -- why\nFROM {t}.x t\nWHERE t.a = $1::int AND t.b = $1;\n\n"
            "-- name: two\n-- scope: control\nDELETE FROM control.y WHERE b = ';' AND a = $2::text AND c = $1::uuid;\n"
        )
        self.assertEqual([(s.name, s.scope, s.n_params) for s in statements], [("one", "tenant", 1), ("two", "control", 2)])
        self.assertEqual(families, [])
        self.assertIn('.writes = true', sql.source(statements, families).split("SQL_two")[1])

    def test_variants_make_the_cross_product(self):
        statements, families = self.read(
            "-- name: page\n-- variant sort: name = lower(d.name) : text, at = coalesce(d.at, d.b) : timestamptz\n"
            "-- variant direction: asc, desc\n-- variant page: first = true, next = ({sort}, d.id) {cmp} ($1::text::{sort_type}, $2::uuid)\n"
            "SELECT d.id FROM {t}.d d WHERE $1::text IS NULL AND $2::uuid IS NULL AND {page} ORDER BY {sort} {direction};\n"
        )
        self.assertEqual(len(statements), 8)
        self.assertEqual(statements[7].name, "page_by_at_desc_next")
        self.assertIn("(coalesce(d.at, d.b), d.id) < ($1::text::timestamptz, $2::uuid)", statements[7].text)
        self.assertIn("ORDER BY lower(d.name) asc", statements[0].text)
        self.assertIn("SQL_page_by_name_asc_first + ((sort) * 2 + direction) * 2 + page", sql.source(statements, families))

    def test_mistakes_are_named(self):
        self.check("SELECT 1;", "s.sql:1: SQL before the first -- name:")
        self.check("-- name: a\nSELECT 1 FROM {t}.x", "s.sql:1: a does not end with ;")
        self.check("-- name: a\nSELECT 1 FROM {t}.x;\nSELECT 2;", "s.sql:3: a has more than one statement")
        self.check("-- name: a\nSELECT 1 FROM {t}.x; SELECT 2;", "a: has more than one statement")
        self.check("-- name: a\nSELECT * FROM {t}.x;", "a: names no columns (*)")
        self.check("-- name: a\nSELECT x.a, x.* FROM {t}.x x;", "a: names no columns (*)")
        self.check("-- name: a\nDELETE FROM {t}.x RETURNING *;", "a: names no columns (*)")
        self.check("-- name: a\nSET search_path = {t};", "a: uses search_path")
        self.check("-- name: a\nSELECT 1;", "a: does not use {t}")
        self.check("-- name: a\n-- scope: control\nSELECT 1 FROM {t}.x;", "a: has the scope control")
        self.check("-- name: a\n-- scope: world\nSELECT 1;", "scope is tenant or control")
        self.check("-- name: a\nSELECT 1 FROM {t}.x WHERE a = $1;", "a: $1 has no cast at its first use")
        self.check("-- name: a\nSELECT 1 FROM {t}.x WHERE a = $2::int;", "a: its parameters are not $1 to $n")
        self.check("-- name: a\nSELECT 1 FROM {t}.x WHERE {page};", "a: nothing stands for {page}")
        self.check("-- name: A\nSELECT 1 FROM {t}.x;", "A is no name")
        self.check("-- name: a\nSELECT 1 FROM {t}.x;\n-- name: a\nSELECT 1 FROM {t}.x;", "two things would have the C name a")
        self.check("-- name: a\nBEGIN;", "a: does not use {t}")

    def test_arithmetic_is_no_star(self):
        self.read("-- name: a\nSELECT count(*), 2 * x.b, x.b * 3 FROM {t}.x x WHERE x.c = 'select *';\n")


if __name__ == "__main__":
    unittest.main()
