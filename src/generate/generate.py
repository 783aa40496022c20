#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes C and documentation from the contracts (DESIGN law 7).

  generate.py --out build/gen          writes {wire,handler,store,call,cache}/*.gen.{h,c}
  generate.py --docs build/docs        writes api.md and protocol.md
  generate.py --check                  reads everything, writes nothing
  generate.py --fixture PREFIX --wire FILE|--api FILE --out DIR   codecs of one contract alone, for the tests
"""
import argparse
import sys
from pathlib import Path

import api
import cwriter
import problems
import scripts
import sql
import wire
from model import ContractError

SRC = Path(__file__).resolve().parent.parent


def read(src):
    return (
        wire.Contract(src / "wire/agent.yaml"),
        api.Contract(src / "handler/openapi.yaml"),
        problems.read(src / "call/problems.yaml"),
        sql.read(sorted((src / "store").glob("*.sql"))),
    )


def generate(src, out):
    w, a, p, (statements, families) = read(src)
    files = {
        "wire/agent.gen.h": wire.header(w),
        "wire/agent.gen.c": wire.source(w),
        "handler/api.gen.h": api.header(a, wire=w),
        "handler/api.gen.c": api.source(a),
        "handler/routes.gen.c": api.routes_source(a, w),
        "call/problems.gen.h": problems.header(p),
        "call/problems.gen.c": problems.source(p),
        "store/sql.gen.h": sql.header(statements, families),
        "store/sql.gen.c": sql.source(statements, families),
    }
    lua = scripts.read(sorted((src / "cache/scripts").glob("*.lua")))
    files["cache/scripts.gen.h"] = scripts.header(lua)
    files["cache/scripts.gen.c"] = scripts.source(lua)
    for name, text in files.items():
        cwriter.write(out / name, text)


def fixture(args):
    """Codecs called <prefix>_... in <out>/<prefix>.gen.{h,c}."""
    kind, path = (wire, args.wire) if args.wire else (api, args.api)
    contract, n = kind.Contract(path, args.fixture), args.fixture
    cwriter.write(args.out / f"{n}.gen.h", kind.header(contract, f"{n}.gen.h"))
    cwriter.write(args.out / f"{n}.gen.c", kind.source(contract, f"{n}.gen.h", f"{n}.gen.c"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, default=SRC)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--check", "--check-openapi", action="store_true")
    parser.add_argument("--fixture")
    parser.add_argument("--wire", type=Path)
    parser.add_argument("--api", type=Path)
    args = parser.parse_args()
    try:
        if args.fixture:
            fixture(args)
        elif args.out:
            generate(args.src, args.out)
        elif args.docs:
            w, a, _, _ = read(args.src)
            cwriter.write(args.docs / "protocol.md", wire.markdown(w))
            cwriter.write(args.docs / "api.md", api.markdown(a))
        elif args.check:
            read(args.src)
        else:
            parser.error("one of --out, --docs, --check is needed")
    except (ContractError, OSError) as e:
        sys.exit(f"generate.py: {e}")


if __name__ == "__main__":
    main()
