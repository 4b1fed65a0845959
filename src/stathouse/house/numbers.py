"""The house's own numbers, declared once: they become ``/metrics`` and points under ``stathouse.``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from stathouse.model import Kind, Point, Tags
from stathouse.sources.reading import Description
from stathouse.wire.prometheus import Metric

__all__ = ["DESCRIPTIONS", "Number", "OwnPoints", "to_metrics"]

Sort = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of the house at one moment.

    Args:
        name: the series' name without ``stathouse.``.
        value: the running total of a counter, the value of a gauge.
        tags: sorted tags.
    """

    name: str
    value: float
    tags: Tags = ()

    @property
    def sort(self) -> Sort:
        """Whether it only grows."""
        return _DECLARED[self.name][0]

    @property
    def description(self) -> Description:
        """Its unit and meaning."""
        return _DECLARED[self.name][1]


_DECLARED: Final[Mapping[str, tuple[Sort, Description]]] = {
    "samples.received": ("counter", Description("1", "Samples that came in by statsd")),
    "samples.accepted": ("counter", Description("1", "Samples folded into a series")),
    "samples.rejected": ("counter", Description("1", "Samples refused (tag reason)")),
    "samples.merged": ("counter", Description("1", "Samples folded into a row that was there")),
    "samples.overflowed": ("counter", Description("1", "Samples counted in an overflow series")),
    "rows.carried": ("counter", Description("1", "Gauge rows that no new sample made")),
    "rows.direct": ("counter", Description("1", "Rows that came as rows: HTTP, host, the house itself")),
    "rows.stored": ("counter", Description("1", "Rows that a backend took (tag backend)")),
    "rows.dropped": ("counter", Description("1", "Rows lost after they were accepted (tag reason)")),
    "rows.rejected": ("counter", Description("1", "Rows that a backend refused (tags backend, reason)")),
    "rows.in_flight": ("gauge", Description("1", "Rows between their door and the first backend")),
    "accounting.residual": ("gauge", Description("1", "What does not add up; anything but 0 is a fault of the house")),
    "kernel.drops": ("counter", Description("1", "Datagrams the kernel dropped (tag door)")),
    "door.datagrams": ("counter", Description("1", "Datagrams received (tag door)")),
    "door.bytes": ("counter", Description("By", "Bytes received (tag door)")),
    "door.connections": ("gauge", Description("1", "Open connections (tag door)")),
    "series.live": ("gauge", Description("1", "Series that live in memory")),
    "series.refused": ("gauge", Description("1", "Estimate of distinct series over the limits")),
    "series.kept": ("gauge", Description("1", "Series in sealed files of the archive")),
    "flush.seconds": ("gauge", Description("s", "Time the last flush took")),
    "flush.rows": ("gauge", Description("1", "Rows of the last flush")),
    "spool.batches": ("gauge", Description("1", "Batches in the spool")),
    "spool.rows": ("gauge", Description("1", "Rows in the spool")),
    "spool.bytes": ("gauge", Description("By", "Bytes in the spool")),
    "backend.lag_rows": ("gauge", Description("1", "Rows that a backend has still to take (tag backend)")),
    "backend.lag_seconds": ("gauge", Description("s", "Age of the oldest batch a backend has still to take")),
    "archive.files": ("gauge", Description("1", "Sealed files")),
    "archive.bytes": ("gauge", Description("By", "Bytes of sealed files")),
    "archive.rows_sealed": ("gauge", Description("1", "Rows in sealed files")),
    "archive.rows_recent": ("gauge", Description("1", "Rows not sealed yet")),
    "archive.quarantined": ("gauge", Description("1", "Damaged files set aside")),
    "tasks.failed": ("counter", Description("1", "Runs of the house's own tasks that failed")),
    "memory.bytes": ("gauge", Description("By", "Resident memory of the house")),
    "cpu.percent": ("gauge", Description("%", "Processor time of the house, of one processor")),
}

DESCRIPTIONS: Final[Mapping[str, Description]] = {f"stathouse.{name}": item for name, (_, item) in _DECLARED.items()}
"""Series → unit and meaning."""


class OwnPoints:
    """Turns running totals into points: a counter's growth since the last time, a gauge's value."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, Tags], float] = {}

    def make(self, numbers: Iterable[Number], time_ns: int) -> list[Point]:
        """Return points of that time; a counter that has not grown sends nothing."""
        return list(self._points(numbers, time_ns))

    def _points(self, numbers: Iterable[Number], time_ns: int) -> Iterator[Point]:
        for number in numbers:
            name = f"stathouse.{number.name}"
            if number.sort == "gauge":
                fields, kind = {"last": float(number.value)}, Kind.GAUGE
            else:
                key = (number.name, number.tags)
                grown = number.value - self._last.get(key, 0)
                self._last[key] = number.value
                if not grown:
                    continue
                fields, kind = {"sum": float(grown)}, Kind.COUNTER
            yield Point(name=name, tags=number.tags, time_ns=time_ns, kind=kind, fields=fields)


def to_metrics(numbers: Iterable[Number]) -> list[Metric]:
    """Return the numbers as Prometheus metrics, one for each name."""
    samples: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for number in numbers:
        samples.setdefault(number.name, []).append((dict(number.tags), number.value))
    return [
        Metric(name=f"stathouse.{name}", kind=_DECLARED[name][0], help=_DECLARED[name][1].text, samples=tuple(pairs))
        for name, pairs in samples.items()
    ]
