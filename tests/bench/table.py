# SPDX-License-Identifier: Apache-2.0
"""What a bench is and what it gives. A family of benches is a file in families/; each bench is a generator of rows:

    @bench("checkin", house="plain")
    def checkin(h):                       # h: house.House, running
        ours, limit = pairs(h, a, b)      # two callables that each give a Sample, run in turn
        yield compare("unchanged check-in", ours, limit, "nginx, static reply", at_most=1.5)

CPU time is that of all server processes; a ratio is the median of the ratios of neighbours. A bench that raises is reported
as failed and the others go on.
"""
from dataclasses import dataclass, field
from statistics import median

BENCHES = {}


def bench(name, house=None):
    """house: "plain" (one tenant), "wide" (a thousand), None (none is needed)."""
    def note(function):
        if name in BENCHES:
            raise RuntimeError(f"there are two benches {name}")
        function.house, function.about = house, (function.__doc__ or "").strip().splitlines()[0]
        BENCHES[name] = function
        return function
    return note


@dataclass
class Scale:
    """How much of everything. Results are written only at the full scale."""
    full: bool = True
    rounds: int = 5
    devices: int = 1000     # of the fleet that checks in
    many: int = 8000        # connections at rest
    tenants: int = 1000
    per_tenant: int = 100   # devices
    big: int = 100_000      # devices of the one big tenant
    seconds: float = 1.0    # what measured parts take, as a factor

    def n(self, full, least=1):
        """A number of operations."""
        return max(least, int(full * self.seconds))


QUICK = Scale(False, 1, 40, 120, 12, 10, 1500, 0.05)


@dataclass
class Sample:
    """One measured part. cpu: microseconds by party; p50, p99: milliseconds; client_us: the client's CPU per operation."""
    n: int
    seconds: float
    cpu: dict
    p50: float = 0.0
    p99: float = 0.0
    client_us: float = 0.0
    errors: int = 0
    memory_mb: float = 0.0
    more: dict = field(default_factory=dict)

    @property
    def us(self):
        return sum(self.cpu.values()) / self.n


def pairs(h, ours, limit):
    """Both in turn, as often as the scale says, first one first, then the other."""
    a, b = [], []
    for i in range(h.scale.rounds):
        for run, to in ((ours, a), (limit, b)) if i % 2 == 0 else ((limit, b), (ours, a)):
            to.append(run())
    return a, b


def middle(samples, key=lambda s: s.us):
    return sorted(samples, key=key)[len(samples) // 2]


def side(s):
    return {"n": s.n, "us": s.us, "cpu": {k: v / s.n for k, v in s.cpu.items()}, "rate": s.n / s.seconds if s.seconds else 0,
            "p50": s.p50, "p99": s.p99, "client_us": s.client_us, "memory_mb": s.memory_mb}


def check(samples, what):
    """A remark on what was refused or failed; when it is more than a hundredth, the measure is none."""
    bad, n = sum(s.errors for s in samples), sum(s.n for s in samples)
    if bad > n / 100:
        raise RuntimeError(f"{what}: {bad:,} operations were refused or failed beside {n:,} that were not")
    return f"{bad} of {n + bad:,} refused or failed" if bad else ""


def words(*texts):
    return "; ".join(t for t in texts if t)


def row(operation, value, unit, goal="", met=None, **more):
    return {"operation": operation, "value": value, "unit": unit, "goal": goal, "met": met, **more}


def verdict(value, at_most, at_least):
    if at_most is not None:
        return value <= at_most
    return value >= at_least if at_least is not None else None


def figure(operation, value, unit, at_most=None, at_least=None, goal=None, met=None, detail="", **more):
    """Something that is not CPU time. goal and met: when neither bound can say it."""
    text = f"<= {number(at_most)} {unit}" if at_most is not None else f">= {number(at_least)} {unit}" if at_least is not None else ""
    return row(operation, value, unit, goal or text.strip(), verdict(value, at_most, at_least) if met is None else met, detail=detail, **more)


def alone(operation, samples, at_most=None, detail="", **more):
    """CPU time per operation; the goal, if there is one, in microseconds."""
    detail = words(detail, check(samples, operation))
    s = middle(samples)
    return row(operation, s.us, "us", "" if at_most is None else f"<= {number(at_most)} us", verdict(s.us, at_most, None), ours=side(s),
               detail=detail, spread=[x.us for x in samples], **more)


def compare(operation, ours, limit, name, at_most=None, us_at_most=None, detail="", key=lambda s: s.us, **more):
    """Two sides. at_most: the goal for the ratio; us_at_most: one for our CPU time; both count when both are given."""
    detail = words(detail, check(ours, operation))
    check(limit, f"{operation}: {name}")
    ratios = [key(a) / key(b) for a, b in zip(ours, limit)]
    ratio, s = median(ratios), middle(ours, key)
    goals = [f"<= {number(at_most)} x"] if at_most is not None else []
    goals += [f"<= {number(us_at_most)} us"] if us_at_most is not None else []
    met = None
    if goals:
        met = (at_most is None or ratio <= at_most) and (us_at_most is None or s.us <= us_at_most)
    return row(operation, s.us, "us", " and ".join(goals), met, ours=side(s), limit=side(middle(limit, key)), limit_name=name, ratio=ratio,
               ratios=ratios, detail=detail, **more)


def percentile(values, percent):
    values = sorted(values)
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else 0.0


def number(v):
    if isinstance(v, int):
        return f"{v:,}"
    return f"{v:,.1f}".removesuffix(".0") if abs(v) >= 10 else f"{v:.2f}".rstrip("0").rstrip(".")
