"""Numbers that look like a host's and a shop's, computed from the time alone: the same question has the same answer."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FLUSH_SECONDS", "Line", "host_lines", "shop_lines"]

FLUSH_SECONDS = 10
"""The flush interval of the made-up house."""

_GIB = 2.0**30
_CORES = 4
_STATES = ("user", "system", "iowait", "nice", "irq", "softirq", "steal", "idle")


@dataclass(frozen=True, slots=True)
class Line:
    """One field of one series.

    Args:
        name: the series' name.
        tags: its tags.
        field: the field, as a query answers it.
        kind: counter, gauge, timer, set or empty.
        unit: the unit.
        every: seconds from one row to the next.
        level: the value in the middle.
        swing: how far it moves, as a share of the level.
        seed: makes lines differ.
    """

    name: str
    tags: tuple[tuple[str, str], ...]
    field: str
    kind: str
    unit: str
    every: int
    level: float
    swing: float
    seed: int

    def value(self, time: float) -> float:
        """Return the value of the row at a time."""
        slow = math.sin(time / (37.0 + self.seed % 23) + self.seed)
        quick = math.sin(time * 0.9 + self.seed * 1.7) * math.sin(time * 0.31 + self.seed)
        noise = math.modf(abs(math.sin(time * 12.9898 + self.seed * 78.233)) * 43758.5453)[0] - 0.5
        moved = self.level * (1 + self.swing * (0.55 * slow + 0.25 * quick + 0.3 * noise))
        if self.unit == "%":
            moved = min(100.0, max(0.0, moved))
        return float(round(moved)) if self.kind in ("counter", "set") or self.field == "count" else round(moved, 4)

    def rows(self, start: float, end: float, step: float) -> list[dict[str, float]]:
        """Return rows from start to end, one each step (each ``every`` seconds without one)."""
        width = max(step, self.every)
        first = math.ceil(start / width) * width
        factor = width / self.every if self.kind == "counter" else 1.0
        count = max(0, math.ceil((end - first) / width))
        return [{"time": first + at * width, "value": self.value(first + at * width) * factor} for at in range(count)]

    def matches(self, glob: str, tags: list[tuple[str, str]]) -> bool:
        """Say whether a query's globs mean this line."""
        own = dict(self.tags)
        return fnmatch.fnmatchcase(self.name, glob) and all(
            key in own and fnmatch.fnmatchcase(own[key], pattern) for key, pattern in tags
        )


def host_lines() -> list[Line]:
    """Return the host source's lines: gauges, once a second."""
    return [
        Line(name, (("host", "fixture"), *tags), "last", "gauge", unit, 1, level, swing, seed)
        for seed, (name, tags, unit, level, swing) in enumerate(_host())
    ]


def shop_lines() -> list[Line]:
    """Return lines as programs send them: each kind, with and without tags."""
    lines = [
        Line("shop.orders", (), "sum", "counter", "", FLUSH_SECONDS, 42, 0.7, 101),
        Line("shop.orders", (("shop", "berlin"),), "sum", "counter", "", FLUSH_SECONDS, 17, 0.6, 102),
        Line("shop.basket.items", (), "last", "gauge", "", FLUSH_SECONDS, 310, 0.1, 103),
        Line("shop.visitors", (), "distinct", "set", "", FLUSH_SECONDS, 870, 0.2, 104),
    ]
    for number, shop in enumerate(("berlin", "oslo")):
        for field, level in (("count", 210), ("mean", 48), ("p50", 41), ("p95", 120), ("p99", 260), ("max", 400)):
            name, tags = "shop.checkout.time", (("shop", shop),)
            lines.append(Line(name, tags, field, "timer", "ms", FLUSH_SECONDS, level, 0.3, 110 + number))
    return lines


def _host() -> Iterator[tuple[str, tuple[tuple[str, str], ...], str, float, float]]:
    shares = {"user": 24.0, "system": 7.0, "iowait": 2.5, "softirq": 0.8, "idle": 65.7}
    for state in _STATES:
        swing = 0.2 if state == "idle" else 0.5
        yield "host.cpu.percent", (("cpu", "all"), ("state", state)), "%", shares.get(state, 0.0), swing
    for core in range(_CORES):
        yield "host.cpu.percent", (("cpu", str(core)), ("state", "idle")), "%", 50.0 + 8 * core, 0.6
    for minutes in (1, 5, 15):
        yield f"host.load{minutes}", (), "1", 1.4 - minutes / 40, 0.5 / minutes
    memory = (("used", 5.1, 0.05), ("available", 18.2, 0.02), ("cached", 7.4, 0.01), ("total", 24.0, 0.0))
    for word, level, swing in memory:
        yield f"host.memory.{word}_bytes", (), "By", level * _GIB, swing
    yield "host.swap.used_bytes", (), "By", 0.2 * _GIB, 0.02
    yield "host.swap.total_bytes", (), "By", 2 * _GIB, 0.0
    for way, level in (("read", 2.2e6), ("write", 5.8e6)):
        yield f"host.disk.{way}_bytes_per_second", (("device", "vda"),), "By/s", level, 1.0
    for interface, level in (("eth0", 9.0e5), ("lo", 2.0e5)):
        for way, share in (("receive", 1.0), ("transmit", 0.4)):
            yield f"host.network.{way}_bytes_per_second", (("interface", interface),), "By/s", level * share, 0.8
    for resource in ("cpu", "memory", "io"):
        yield "host.pressure.some_percent", (("resource", resource),), "%", 3.0 if resource != "memory" else 0.0, 0.9
    for mount, used in (("/", 61.0), ("/home", 88.0)):
        yield "host.filesystem.used_percent", (("mount", mount),), "%", used, 0.0
        yield "host.filesystem.used_bytes", (("mount", mount),), "By", used * 2.5 * _GIB, 0.0
        yield "host.filesystem.total_bytes", (("mount", mount),), "By", 250 * _GIB, 0.0
    yield "host.file_descriptors.open", (), "1", 2304, 0.02
    yield "host.file_descriptors.limit", (), "1", 1_048_576, 0.0
    yield "host.temperature_celsius", (("sensor", "coretemp 0"),), "Cel", 52.0, 0.08
