# SPDX-License-Identifier: Apache-2.0
"""An innocent client beside one that floods: what its answers take longer. The attacker is a process of its own that comes back
at once whenever it is cut; it, the innocent client and the server share the machine."""
import select
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/integration/edge"), str(ROOT / "tests/bench")]
from h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, H2, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, block, context,  # noqa: E402
                frame, setting, u32)
from table import bench, figure, percentile  # noqa: E402

ESH = END_STREAM | END_HEADERS


def fields(method, path, *extra):
    return block([(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *extra])


GET, POST = fields("GET", "/api/v1/me"), fields("POST", "/api/v1/sign-in", ("content-type", "application/json"))
BODY = b'{"name":"nobody/nobody","password":"wrong wrong wrong"}'
# name -> (bytes of the n-th step on the stream s, what is sent first, the client's settings)
FLOODS = {
    "rapid reset": (lambda s, n: frame(HEADERS, ESH, s, GET) + frame(RST_STREAM, 0, s, u32(8)), b"", b""),
    "rapid reset of sign-ins": (lambda s, n: frame(HEADERS, END_HEADERS, s, POST) + frame(DATA, END_STREAM, s, BODY) + frame(RST_STREAM, 0, s, u32(8)), b"", b""),
    "resets by a window of 0": (lambda s, n: frame(HEADERS, ESH, s, GET) + frame(WINDOW_UPDATE, 0, s, u32(0)), b"", b""),
    "resets by a window that overflows": (lambda s, n: frame(HEADERS, ESH, s, GET) + frame(WINDOW_UPDATE, 0, s, u32(0x7FFFFFFF)), b"", b""),
    "resets by DATA after the end": (lambda s, n: frame(HEADERS, ESH, s, GET) + frame(DATA, 0, s, b"x"), b"", setting(4, 0)),
    "CONTINUATION": (lambda s, n: frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b"), frame(HEADERS, END_STREAM, 1, GET), b""),
    "empty DATA": (lambda s, n: frame(DATA, 0, 1), frame(HEADERS, END_HEADERS, 1, POST), b""),
    "SETTINGS": (lambda s, n: frame(SETTINGS, 0, 0, setting(3, n)), b"", b""),
    "PING": (lambda s, n: frame(PING, 0, 0, b"12345678"), b"", b""),
    "PRIORITY": (lambda s, n: frame(PRIORITY, 0, 1 + 2 * (n % 15), u32(0x80000000) + bytes([n % 256])), b"", b""),
    "header fields of one byte": (lambda s, n: frame(HEADERS, END_HEADERS, s, POST + b"\xbe" * 500), frame(
        HEADERS, ESH, 1, GET + b"\x40\x01a\x7f\xbd\x1d" + b"b" * 3900), b""),
    "requests without a path": (lambda s, n: frame(HEADERS, ESH, s, fields("GET", "")), b"", b""),
}
HANDSHAKES = "handshakes that are never finished"
NOT_CUT = (HANDSHAKES, "requests without a path")  # they end by themselves, or ask for what is answered


def flood(name, port):
    """The attacker's process: until it is ended."""
    if name == HANDSHAKES:
        import socket
        import ssl
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            context().wrap_bio(incoming, outgoing).do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = outgoing.read()
        held = []
        print("ready", flush=True)
        while True:
            held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
            held[-1].sendall(hello)
            if len(held) > 500:
                held.pop(0).close()
    piece, begin, settings = FLOODS[name]
    pieces = [b"".join(piece(2 * n + 3, n) for n in range(at, at + 50)) for at in range(0, 12_000, 50)]
    print("ready", flush=True)
    while True:
        try:
            c = H2(port, settings=settings)
            c.send(begin)
            for p in pieces:
                c.send(p)
                c.read(0.0001)
                if c.closed:
                    break
            c.close()
        except (OSError, AssertionError):
            time.sleep(0.001)


class Innocent:
    """200 requests a second on a connection of its own to each port."""

    def __init__(self, h):
        self.ports = {"console": (h.service.console_port, "/api/v1/me", 401), "agent": (h.service.agent_port, "/agent/v1/none", 404)}

    def once(self, port, path, status, seconds, took, errors):
        c = H2(port, timeout=30)
        c.send(frame(WINDOW_UPDATE, 0, 0, u32(1 << 30)))
        began = time.monotonic()
        n = 0
        while (due := began + n / 100) < began + seconds:
            n += 1
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            s = c.request(path)
            if c.answer(s, 20) is None or c.statuses.get(s) != status:
                errors.append(c.goaways)
                return
            took.append((time.monotonic() - sent) * 1000)
        c.close()

    def run(self, seconds):
        """Milliseconds of each answer."""
        took, errors = [], []
        threads = [threading.Thread(target=self.once, args=(*p, seconds, took, errors)) for p in self.ports.values()]
        for t in threads:
            t.start()
        for t in threads:
            t.join(seconds + 60)
        if errors:
            raise RuntimeError(f"the innocent client was not served: {errors[:3]}")
        return took


@bench("attack", house="plain")
def attack(h):
    """An innocent client's p99 beside each flood."""
    client = Innocent(h)
    seconds, rounds = (1.5, min(3, h.scale.rounds)) if h.scale.full else (0.5, 1)
    client.run(seconds)
    for name in (*FLOODS, HANDSHAKES):
        quiet, beside = [], []
        cut = h.counters()["connections_cut"]
        for _ in range(rounds):
            quiet.append(client.run(seconds))
            attacker = subprocess.Popen([sys.executable, __file__, name, str(h.service.console_port)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                if not select.select([attacker.stdout], [], [], 60)[0] or attacker.stdout.readline() != b"ready\n":
                    raise RuntimeError(f"the attacker does not begin: {name}")
                time.sleep(0.3)
                beside.append(client.run(seconds))
            finally:
                attacker.kill()
                attacker.wait(10)
                attacker.stdout.close()
            time.sleep(0.2)
        cut = h.counters()["connections_cut"] - cut
        if cut == 0 and name not in NOT_CUT:
            raise RuntimeError(f"no attacker was cut: {name}")
        usual, slow = (statistics.median(percentile(x, 99) for x in xs) for xs in (quiet, beside))
        ratios = [percentile(b, 99) / percentile(a, 99) for a, b in zip(quiet, beside)]
        ratio = statistics.median(ratios)
        yield figure(f"innocent client beside a flood of {name}: p99", slow, "ms", goal="<= 3 x", limit_name="alone", limit_value=usual, ratio=ratio,
                     ratios=ratios, met=ratio <= 3, p50=statistics.median(percentile(x, 50) for x in beside), p99=slow,
                     detail=f"{cut:.0f} connections cut; the attacker has one of the machine's processors")


if __name__ == "__main__":
    flood(sys.argv[1], int(sys.argv[2]))
