# SPDX-License-Identifier: Apache-2.0
"""Codes of a second factor as an authenticator app makes them: RFC 6238 with SHA-1, six digits, 30 seconds."""
import base64
import hashlib
import hmac
import struct
import time


def step_now(offset=0):
    return int(time.time() + offset) // 30


def code_of(secret, step):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"
