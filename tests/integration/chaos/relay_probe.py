# SPDX-License-Identifier: Apache-2.0
"""The relay of tests/chaos by itself: passing on, delay, hold, cut, several servers."""
import socket
import threading
import time

from world import Relay


def serve_echo(listener, name):
    while True:
        try:
            c, _ = listener.accept()
        except OSError:
            return

        def echo(s=c):
            try:
                s.sendall(name)
                while data := s.recv(65536):
                    s.sendall(data)
            except OSError:
                pass
            s.close()
        threading.Thread(target=echo, daemon=True).start()


def ask(port, data=b"x", seconds=5):
    """(who answered, seconds until the echo came)."""
    with socket.create_connection(("127.0.0.1", port), seconds) as s:
        s.settimeout(seconds)
        name = s.recv(1)
        began = time.monotonic()
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            part = s.recv(65536)
            if not part:
                raise OSError("ended")
            got += part
        assert got == data
        return name, time.monotonic() - began


def echo_through_relay(test):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for listener, name in zip(listeners, (b"a", b"b")):
        threading.Thread(target=serve_echo, args=(listener, name), daemon=True).start()
    ports = [x.getsockname()[1] for x in listeners]
    relay = Relay(f"{ports[0]},{ports[1]}")
    try:
        test.assertEqual({ask(relay.port)[0] for _ in range(4)}, {b"a", b"b"})
        ask(relay.port, b"y" * (5 << 20))
        listeners[1].shutdown(socket.SHUT_RDWR)
        listeners[1].close()
        test.assertEqual({ask(relay.port)[0] for _ in range(4)}, {b"a"})
        relay.order("delay", 0.3)
        took = ask(relay.port)[1]
        test.assertTrue(0.55 < took < 2, took)
        relay.order("delay", 0)
        with socket.create_connection(("127.0.0.1", relay.port), 5) as s:
            s.settimeout(0.5)
            test.assertEqual(s.recv(1), b"a")
            relay.order("hold")
            s.sendall(b"kept")
            test.assertRaises(TimeoutError, s.recv, 4)
            relay.order("go")
            s.settimeout(5)
            test.assertEqual(s.recv(4), b"kept")
            relay.order("cut")
            test.assertRaises(ConnectionResetError, s.recv, 1)
        test.assertRaises(OSError, ask, relay.port)
        relay.order("mend")
        test.assertEqual(ask(relay.port)[0], b"a")
    finally:
        relay.stop()
        listeners[0].close()
