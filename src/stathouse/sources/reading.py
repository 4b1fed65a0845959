"""What a source reads: one number of one series, and how running totals become rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stathouse.model import Kind, Point, Tags

__all__ = ["Description", "Rates", "Reading", "to_points"]


class Reading(NamedTuple):
    """One number as it was read: the series' name, its sorted tags, the value."""

    name: str
    tags: Tags
    value: float


@dataclass(frozen=True, slots=True)
class Description:
    """What a series means.

    Args:
        unit: the unit in UCUM's words, as ``By``, ``By/s``, ``%``, ``Cel``, ``1``.
        text: one sentence.
    """

    unit: str
    text: str


class Rates:
    """Turns running totals into rates per second; a total that went backwards (a device came back) begins anew."""

    def __init__(self) -> None:
        self._last: Mapping[str, float] = {}
        self._at = 0.0

    def update(self, totals: Mapping[str, float], now: float) -> dict[str, float]:
        """Return the rate of each total since the last call; empty at the first.

        Args:
            totals: key → running total.
            now: monotonic seconds.
        """
        elapsed = now - self._at
        last, self._last, self._at = self._last, totals, now
        if elapsed <= 0:
            return {}
        return {
            key: (total - last[key]) / elapsed for key, total in totals.items() if key in last and total >= last[key]
        }


def to_points(readings: list[Reading], time_ns: int) -> list[Point]:
    """Return readings as gauge points of that time."""
    return [
        Point(name=name, tags=tags, time_ns=time_ns, kind=Kind.GAUGE, fields={"last": value})
        for name, tags, value in readings
    ]
