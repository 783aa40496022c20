#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP relay that is slow, silent or gone when it is told so; also the balancer in front of several servers.

  relay.py --listen ADDRESS:PORT [--listen ...] --to PORT|ADDRESS:PORT[,...]

Orders on standard input, one a line, each answered by "ok":
  to PORT[,PORT]  connections that are new from now on go to these, in turn; one that refuses is passed over
  delay S         what comes from now on is passed on S seconds later, in both directions
  hold | go       nothing is passed on, connections stay; go passes on what was kept
  cut | mend      all connections are reset and new ones too, until mend
It ends when its standard input does. One thread; what is kept of a connection and direction has a ceiling, beyond which the
sender has to wait, as in a real network.
"""
import argparse
import asyncio
import socket
import struct
import sys

CHUNK = 65536
KEPT = 64  # chunks of one direction
CONNECT_SECONDS = 5
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close sends a reset


def address(text):
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


class Relay:
    def __init__(self, targets):
        self.targets, self.turn, self.delay, self.is_cut = targets, 0, 0.0, False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.pairs = set()

    # ---- connections

    async def backend(self):
        """The next server that takes a connection, or None."""
        self.turn += 1
        first, targets = self.turn, self.targets
        for i in range(len(targets)):
            target = targets[(first + i) % len(targets)]
            try:
                return await asyncio.wait_for(asyncio.open_connection(*target), CONNECT_SECONDS)
            except (OSError, asyncio.TimeoutError):
                pass
        return None

    async def serve(self, reader, writer):
        if self.is_cut:
            reset(writer)
            return
        await self.flowing.wait()
        other = await self.backend()
        if not other or self.is_cut:
            for w in (writer, other[1] if other else None):
                reset(w)
            return
        pair = (writer, other[1])
        for w in pair:
            w.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs.add(pair)
        tasks = []
        for source, sink in ((reader, other[1]), (other[0], writer)):
            kept = asyncio.Queue(KEPT)
            tasks += [asyncio.ensure_future(self.take(source, kept)), asyncio.ensure_future(self.send(kept, sink))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)  # a reset is passed on as one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.pairs.discard(pair)
            for w in pair:
                reset(w)

    async def take(self, reader, kept):
        data = b"x"
        while data:
            data = await reader.read(CHUNK)
            await kept.put((asyncio.get_running_loop().time() + self.delay, data))

    async def send(self, kept, writer):
        while True:
            due, data = await kept.get()
            wait = due - asyncio.get_running_loop().time()
            if wait > 0:
                await asyncio.sleep(wait)
            await self.flowing.wait()
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    # ---- orders

    def order(self, words):
        verb, rest = words[0], words[1:]
        if verb == "to":
            self.targets = [address(t) for t in rest[0].split(",")]
        elif verb == "delay":
            self.delay = float(rest[0])
        elif verb == "hold":
            self.flowing.clear()
        elif verb == "go":
            self.flowing.set()
        elif verb == "cut":
            self.is_cut = True
            for pair in list(self.pairs):
                for w in pair:
                    reset(w)
        elif verb == "mend":
            self.is_cut = False
        else:
            raise ValueError(f"unknown order {verb}")


def reset(writer):
    if writer is None or writer.transport.is_closing():
        return
    try:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    except OSError:
        pass
    writer.transport.abort()


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--listen", action="append", required=True)
    p.add_argument("--to", required=True)
    args = p.parse_args()
    relay = Relay([address(t) for t in args.to.split(",")])
    for host, port in map(address, args.listen):
        await asyncio.start_server(relay.serve, host, port, backlog=1024)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    print("ready", flush=True)
    while line := await orders.readline():
        relay.order(line.decode().split())
        print("ok", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
