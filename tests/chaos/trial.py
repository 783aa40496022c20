# SPDX-License-Identifier: Apache-2.0
"""One fault against a world: load before, the fault, recovery, load after, the books; all of it within the fault's time."""
import signal
import time

from world import Trouble

BEFORE_S, AFTER_S = 1.5, 1.5  # of load around a fault


class Row:
    def __init__(self, fault):
        self.fault, self.books, self.recovery, self.why, self.seconds = fault, None, None, [], 0.0

    @property
    def passed(self):
        return not self.why

    def cells(self):
        b = self.books
        figures = (b.acknowledged, b.lost, b.doubled, b.foreign) if b else ("-",) * 4
        return [self.fault.name, *map(str, figures), "-" if self.recovery is None else f"{self.recovery:.1f}", "passed" if self.passed else "FAILED"]


def too_long(*_):
    raise Trouble("the fault's time is over")


def one(world, fault):
    """Runs one fault; its row. What goes wrong is in the row, the world may be of no use then."""
    row, began = Row(fault), time.monotonic()
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(fault.seconds)
    try:
        world.steady(30)
        time.sleep(BEFORE_S)
        moments = fault.run(world)
        back, steady = moments if isinstance(moments, tuple) else (moments, None)
        row.recovery = max(0.0, (steady or world.steady(60)) - back)
        time.sleep(AFTER_S)
        if row.recovery > fault.limit:
            row.why.append(f"{row.recovery:.1f} s to steady state, {fault.limit} allowed; last, {world.waited_for}")
        row.books = world.ledger.check()
        row.why += row.books.problems
        if row.books.acknowledged == 0:
            row.why.append("no event was acknowledged: nothing was tested")
    except Exception as e:  # pylint: disable=broad-except - it is the row's failure, whatever it is
        row.why.append(f"{type(e).__name__}: {e}")
    finally:
        signal.alarm(0)
    row.seconds = time.monotonic() - began
    return row
