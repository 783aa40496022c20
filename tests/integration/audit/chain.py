# SPDX-License-Identifier: Apache-2.0
"""The audit's chain once more, written from its description in src/store/audit.h and not from its code."""
import hashlib


def field(value):
    if value is None:
        return b"-:"
    data = str(value).encode()
    return str(len(data)).encode() + b":" + data


def canonical(r):
    """r: values in the order of the description, from "v1" to detail."""
    return b"".join(field(v) for v in ("v1", *r))


def start(schema):
    return hashlib.sha256(schema.encode()).digest()


def follow(before, r):
    return hashlib.sha256(before + canonical(r)).digest()


SELECT = """SELECT seq, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), account_id, account, session_id, address, action,
object_type, object_id, object_name, result, group_id, detail FROM {}.audit WHERE seq IS NOT NULL ORDER BY seq"""

if __name__ == "__main__":
    print(follow(start("t_7"), (7, "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "2026-11-24T10:00:00.000120Z", "11111111-2222-4333-8444-555555555555", "山田",
                                None, "192.0.2.7", "device.update", "device", "99999999-8888-4777-8666-555555555555", "", "done", None,
                                '{"changes":[]}')).hex())
