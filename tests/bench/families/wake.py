# SPDX-License-Identifier: Apache-2.0
"""From the console to the agent, and the agents' return after an outage."""
import random
import subprocess
import threading
import time

from people import Line
from table import bench, figure, percentile

from families.connect import two_fleets


def wait_streams(h, services, wanted, seconds):
    """Until so many wake-up streams are open; seconds it took, or None."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        if sum(h.counters(s)["streams_wake"] for s in services) >= wanted:
            return time.monotonic() - began
        time.sleep(0.2)
    return None


class Tasks:
    """A person who gives one device after the other a task, and when each device got it."""

    def __init__(self, h, runs, devices):
        self.h, self.runs, self.devices = h, runs, devices
        self.token, self.line, self.sent, self.answers = h.administrator("bench"), Line(h), {}, []

    def give(self, device):
        began = time.monotonic_ns()
        status, value, ms = self.line.ask("POST", "/api/v1/tasks", self.token,
                                          {"type": "show_message", "devices": device if isinstance(device, list) else [device], "message": {"text": "."}})
        if status != 201:
            return f"{status} {(value or {}).get('code')}"
        self.answers.append(ms)
        for d in device if isinstance(device, list) else [device]:
            self.sent[d] = began
        return None

    def give_many(self, n, rate, during=lambda: None):
        """n devices that had none before, rate a second; how many were not accepted."""
        chosen, self.sent, self.answers, refused = self.devices[:n], {}, [], 0
        del self.devices[:n]
        began = time.monotonic()
        for i, device in enumerate(chosen):
            time.sleep(max(0.0, began + i / rate - time.monotonic()))
            during()
            refused += self.give(device) is not None
            for run in self.runs:
                run.take()
        return refused

    def arrivals(self, seconds):
        """Milliseconds from each request to the agent's having the task; missing ones count as the whole wait."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for run in self.runs:
                run.take(0.05)
            if all(any(d in run.tasks for run in self.runs) for d in self.sent):
                break
        got = {}
        for run in self.runs:
            got.update(run.tasks)
        return [((got[d] - t) / 1e6 if d in got else seconds * 1000) for d, t in self.sent.items()], sum(d not in got for d in self.sent)


@bench("wake", house="plain")
def wake(h):
    """A task made at the API until the agent has it, with 8,000 connected to two servers."""
    fleets = two_fleets(h)
    h.restart()
    other = h.service.replica()
    h.replicas.append(other)
    try:
        with fleets[0].run("--tell-tasks") as one, fleets[1].run("--tell-tasks", service=other) as two:
            n = sum(f.devices for f in fleets)
            if wait_streams(h, (h.service, other), n, 150) is None:
                raise RuntimeError("not all agents opened their wake-up stream")
            yield from measure(h, [one, two], [d for f in fleets for d in f.ids()])
    finally:
        h.replicas.remove(other)
        other.stop()


def measure(h, runs, devices):
    n, rate = (300, 15) if h.scale.full else (20, 10)
    random.Random(1).shuffle(devices)
    tasks = Tasks(h, runs, devices)
    tasks.give_many(10, 10)
    tasks.arrivals(10)
    refused = tasks.give_many(n, rate)
    times, lost = tasks.arrivals(30)
    yield figure("task made at the API until the agent has it: p99", percentile(times, 99), "ms", at_most=250,
                 detail=f"p50 {percentile(times, 50):.1f} ms, greatest {max(times):.0f} ms, of {len(times)}; {lost} never; {refused} not accepted; "
                 f"the API's answer alone p50 {percentile(tasks.answers, 50):.1f} ms", p50=percentile(times, 50), p99=percentile(times, 99))
    several = tasks.devices[:min(500, len(tasks.devices) // 2)]
    del tasks.devices[:len(several)]
    tasks.sent, tasks.answers = {}, []
    failed = tasks.give(several)
    times, lost = tasks.arrivals(30)
    if failed:
        raise RuntimeError(f"a task for {len(several)} devices is refused: {failed}")
    yield figure(f"one task for {len(several)} devices until the last has it", max(times), "ms",
                 detail=f"p50 {percentile(times, 50):.0f} ms, {lost} never; the API's answer after {tasks.answers[0]:.0f} ms")
    yield outage(h, tasks, "Redis pub/sub cut again and again for 10 s (CLIENT KILL TYPE pubsub)", rate, cut=True)
    yield outage(h, tasks, "Redis gone for 10 s (kill -9, then empty)", rate, cut=False)


def cut_channels(h, stop):
    while not stop.wait(0.05):
        subprocess.run(["redis-cli", "-s", str(h.cell.redis_socket), "CLIENT", "KILL", "TYPE", "pubsub"], capture_output=True, timeout=10, check=False)


def outage(h, tasks, what, rate, cut):
    """Tasks go on while the servers' way to each other is disturbed."""
    seconds, stop = 10 if h.scale.full else 2, threading.Event()
    thread = threading.Thread(target=cut_channels, args=(h, stop))
    began = time.monotonic()
    away = not cut
    if cut:
        thread.start()
    else:
        h.cell.redis_kill()

    def during():
        nonlocal away
        # On this thread: a process that another one starts ends with it.
        if away and time.monotonic() >= began + seconds:
            h.cell.redis_start()
            away = False

    try:
        refused = tasks.give_many((seconds + 2) * rate, rate, during)
    finally:
        stop.set()
        if cut:
            thread.join(30)
        began = 0
        during()
    times, lost = tasks.arrivals(40)
    if not times:
        raise RuntimeError(f"no task was accepted while {what}")
    return figure(f"the same with {what}: the latest", max(times) / 1000, "s", at_most=5,
                  detail=f"p50 {percentile(times, 50):.0f} ms, p99 {percentile(times, 99):.0f} ms, of {len(times)}; {lost} never; {refused} not accepted")


@bench("storm", house="plain")
def storm(h):
    """8,000 agents lose the server for 30 s."""
    fleets = two_fleets(h)
    n, gone = sum(f.devices for f in fleets), 30 if h.scale.full else 4
    h.restart()
    args = ("--interval", 60)
    with fleets[0].run(*args) as one, fleets[1].run(*args) as two:
        if wait_streams(h, [h.service], n, 150) is None:
            raise RuntimeError("not all agents opened their wake-up stream")
        time.sleep(5 * h.scale.full)
        h.service.process.kill()
        h.service.process.wait(10)
        time.sleep(gone)
        h.service.start()  # its counters begin at nothing
        history, took, began = [], None, time.monotonic()
        last, watch, echo = 0.0, 90 if h.scale.full else 12, 65 if h.scale.full else 5
        while time.monotonic() < began + (watch if took is None else took + echo):
            time.sleep(max(0.0, began + len(history) + 1 - time.monotonic()))
            c = h.counters()
            history.append(c["requests"] - last)
            last = c["requests"]
            if took is None and c["streams_wake"] >= n:
                took = time.monotonic() - began
        after = h.counters()
    first = max(history[:20])
    # The second peak: what comes after the fleet is back and quiet has returned.
    back = min(len(history) - 1, int(took or watch) + 5)
    second = max(history[back:] or [0])
    if not one.final or not two.final:
        raise RuntimeError("a load client gave no report at its end")
    told = one.final["answers_5xx"] + two.final["answers_5xx"]
    yield figure(f"{n:,} agents lose the server for {gone} s: all served after its return", took if took is not None else float(watch), "s", at_most=15,
                 detail=f"{after['streams_wake']:.0f} back; {after['handshakes_full']:,.0f} full handshakes, {after['handshakes_resumed']:,.0f} resumed; "
                 f"most requests in a second {first:.0f}", history=history)
    yield figure("answers of 5xx to the agents", told, "answers", at_most=0,
                 detail=f"{after['jobs_shed']:.0f} jobs shed, {after['connections_cut']:.0f} connections cut")
    yield figure("second peak, as a share of the first", second / first * 100 if first else 0.0, "%", at_most=20,
                 detail=f"{second:.0f} of {first:.0f} requests in a second, from {back} s after the return on; agents check in each 60 s")
