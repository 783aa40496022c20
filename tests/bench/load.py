# SPDX-License-Identifier: Apache-2.0
"""The load clients. Each is a process of its own, so that its CPU time is known apart from the servers'.

Sim is `sekisho-sim bench --gate`: its devices are connected once, and each round() is one measured part, so that two of them, at
two servers, can run in turn. Run is `sekisho-sim run`: a fleet that lives. Both speak the real protocol with real certificates.
"""
import json
import os
import select
import signal
import subprocess
import time

from table import Sample

SETUP_SECONDS = 400
ROUND_SECONDS = 120
# A measured part ends after its operations, or after so long: on a slow machine it is made of fewer.
PART_SECONDS = 4
# Each address has ports and enrolment rates of its own.
ADDRESSES = "127.0.0.2-80"


class Lines:
    """Lines of a pipe, with a time-out."""

    def __init__(self, pipe):
        self.fd, self.rest = pipe.fileno(), b""

    def next(self, seconds):
        """A line, or None at the pipe's end; TimeoutError."""
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError
            more = os.read(self.fd, 1 << 16)
            if not more:
                return None
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()


def end(process, seconds=60):
    """Waits for a process that has been told to end; its exit code."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(10)


class Program:
    """A sekisho-sim. target: (host:port, CA file); log: where its complaints go."""

    def __init__(self, program, verbs, target, state, devices, log, *args, token_file=None):
        argv = [program, *verbs, "--server", target[0], "--ca", str(target[1]), "--state", str(state), "--devices", str(devices),
                "--local-addresses", ADDRESSES, "--concurrency", "32", *map(str, args)]
        if token_file:
            argv += ["--token-file", str(token_file)]
        self.log = log
        with open(log, "w", encoding="utf-8") as err:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        self.lines = Lines(self.process.stdout)

    def complaint(self):
        try:
            return self.log.read_text()[-400:].strip().splitlines()[-1]
        except (OSError, IndexError):
            return "it said nothing"

    def next(self, seconds, what):
        try:
            line = self.lines.next(seconds)
        except TimeoutError:
            self.kill()
            raise RuntimeError(f"the load client gave no {what} within {seconds} s: {self.complaint()}") from None
        if line is None:
            raise RuntimeError(f"the load client ended with {end(self.process)} instead of giving {what}: {self.complaint()}")
        return line

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        self.close()


class Pace:
    """The service lets a device have 50 check-ins at once and 5 a second; on a new connection with a wake-up stream it saves up for
    the 50 from nothing. A round waits until it stays within: what is refused is no measurement. One for a fleet, which all its
    clients at our server share."""

    BURST, RATE = 50, 5

    def __init__(self):
        self.left, self.at = self.BURST, time.monotonic()

    def wait(self, least, each):
        """least: check-ins that a device must be able to have; each: what the round takes from it on the average."""
        if each > self.BURST * 0.9:
            raise RuntimeError(f"a round of {each:.0f} check-ins for each device is more than the service allows")
        now, least = time.monotonic(), min(least, self.BURST)
        self.left = min(self.BURST, self.left + (now - self.at) * self.RATE)
        pause = max(0.0, (least - self.left) / self.RATE)
        time.sleep(pause)
        self.left, self.at = self.left + pause * self.RATE - each, now + pause


class Sim(Program):
    """per: how many things one operation is made of; pace and each: check-ins of each device in a round, on the average."""

    def __init__(self, program, what, target, state, devices, log, meter, *args, per=1, token_file=None, pace=None):
        options = dict(zip(map(str, args), args[1:]))
        if "--duration" not in options and what != "waves":
            args = (*args, "--duration", PART_SECONDS)
        super().__init__(program, ["bench", what, "--gate"], target, state, devices, log, *args, token_file=token_file)
        self.meter, self.per, self.last = meter, per, None
        self.each = options.get("--operations", options.get("--rate", 0) * options.get("--duration", 0)) / devices
        self.least = max(self.each * 1.4 + 6, options.get("--streams", 0) + 4)
        self.pace = pace if what in ("checkin", "visit", "inventory", "detections") else None
        self.next(SETUP_SECONDS, "sign of readiness")
        if self.pace and "--no-wake" not in args and what != "visit":
            self.pace.left, self.pace.at = 0, time.monotonic()

    def wait(self):
        if self.pace:
            self.pace.wait(self.least, self.each)

    def round(self):
        """One measured part."""
        self.wait()
        before = self.meter.read()
        self.begin()
        return self.finish(before)

    def begin(self):
        """Half a round, for two at once: wait(), begin(), finish()."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def finish(self, before):
        r = self.last = json.loads(self.next(ROUND_SECONDS, "result"))
        cpu = self.meter.since(before)
        if not r["operations"]:
            raise RuntimeError(f"nothing was done: {self.complaint()}")
        n = r["operations"] * self.per
        return Sample(n=n, seconds=r["seconds"], cpu=cpu, p50=r["p50_us"] / 1000, p99=r["p99_us"] / 1000,
                      client_us=r["client_cpu_us"] / self.per, errors=r["errors"], memory_mb=self.meter.memory_mb(), more=r)

    def close(self):
        """The connections end and the state is saved."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        code = end(self.process)
        self.process.stdout.close()
        return code


class Run(Program):
    """A fleet that lives until close(). report() gives the newest report; told() what --tell-tasks printed so far."""

    def __init__(self, program, target, state, devices, log, *args, token_file=None):
        super().__init__(program, ["run", "--json", "--drain", "0"], target, state, devices, log, *args, token_file=token_file)
        self.tasks = {}  # device -> monotonic ns of its newest task
        self.final = None

    def take(self, seconds=0.0):
        """Reads what has come; seconds: waits for something at most so long."""
        while True:
            try:
                line = self.lines.next(seconds)
            except TimeoutError:
                return
            if line is None:
                return
            seconds = 0.0
            value = json.loads(line)
            if "device" in value:
                self.tasks[value["device"]] = value["mono_ns"]
            elif value.get("final"):
                self.final = value

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.take(60)
        until = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < until:
            self.take(0.2)
        end(self.process, 1)
        self.take()
        self.process.stdin.close()
        self.process.stdout.close()
