"""The aggregator, written for reading: the oracle for ``stathouse._core.Aggregator``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.reference.parser import Limits, Parsed, parse
from tests.reference.sketch import ReferenceSketch

__all__ = ["ReferenceAggregator", "Row"]

Who: TypeAlias = tuple[str, str]
"""Name and canonical tags."""

Row: TypeAlias = float | ReferenceSketch | frozenset[str]
"""What a row holds: a sum or last value, a distribution, or members."""

_LARGEST = 1.7976931348623157e308
_OVERFLOW = "stathouse.overflow"
_SECOND = 10**9
_MAX_TIMED = 100_000


@dataclass(slots=True)
class _Series:
    kind: str
    counted: bool
    seen_ns: int | None = None
    """When the interval of its last sample was flushed; None while that one runs."""
    touched_ns: int | None = 0
    """The same for the last sample without a time of its own, which a gauge's value is carried by."""
    kept: float | None = None
    """The value of a gauge."""


@dataclass(slots=True)
class ReferenceAggregator:
    """Folds lines as the core does, one dictionary at a time."""

    limits: Limits
    max_series: int = 100_000
    max_series_per_name: int = 2_000
    gauge_ttl_ns: int = 300 * _SECOND
    series_ttl_ns: int = 600 * _SECOND
    counts: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    _series: dict[Who, _Series] = field(default_factory=dict)
    _rows: dict[tuple[Who, int | None], Row] = field(default_factory=dict)
    _last_ns: int = -(2**63)

    def feed(self, data: bytes) -> None:
        """Parse and fold lines."""
        for sample in parse(data, self.limits):
            self.counts["received"] += 1
            reason = sample if isinstance(sample, str) else self._fold(sample)
            if reason:
                self.rejected[reason] += 1
            else:
                self.counts["accepted"] += 1

    @property
    def live(self) -> int:
        """Series that count against the limit."""
        return sum(series.counted for series in self._series.values())

    def flush(self, now_ns: int) -> dict[tuple[Who, int | None], Row]:
        """Return the rows by series and own time, with the gauges that keep their value."""
        now_ns = self._last_ns = max(now_ns, self._last_ns)
        rows = self._rows
        self._rows = {}
        for who, series in self._series.items():
            series.seen_ns = now_ns if series.seen_ns is None else series.seen_ns
            running = series.touched_ns is None
            series.touched_ns = now_ns if series.touched_ns is None else series.touched_ns
            if series.kept is None or running:
                continue
            if now_ns - series.touched_ns >= self.gauge_ttl_ns:
                series.kept = None
            else:
                rows[who, None] = series.kept
                self.counts["carried"] += 1
        self.counts["flushed"] += len(rows)
        self._series = {who: series for who, series in self._series.items() if not self._is_over(series, now_ns)}
        return rows

    def _is_over(self, series: _Series, now_ns: int) -> bool:
        life = self.gauge_ttl_ns if series.kind == "gauge" else self.series_ttl_ns
        assert series.seen_ns is not None
        return now_ns - series.seen_ns >= life

    def _fold(self, sample: Parsed) -> str | None:
        name, tags, op, value, rate, time_ns = sample
        kind = "gauge" if op == "gauge_delta" else op
        who = (name, tags)
        if name == _OVERFLOW:
            return "bad_name"
        kinds = {series.kind for (known, _), series in self._series.items() if known == name}
        if kinds and kinds != {kind}:
            return "type_conflict"
        if who not in self._series:
            who = self._make(who, kind)
        series = self._series[who]
        key = (who, time_ns)
        timed = sum(own is not None for _, own in self._rows)
        if time_ns is not None and key not in self._rows and timed >= _MAX_TIMED:
            return "queue_full"
        self.counts["merged"] += key in self._rows
        series.seen_ns = None
        self._rows[key] = self._folded(series, self._rows.get(key), op, value, rate, time_ns)
        return None

    def _make(self, who: Who, kind: str) -> Who:
        name = who[0]
        same = [series for (known, _), series in self._series.items() if known == name]
        counted = True
        if same and sum(series.counted for series in same) >= self.max_series_per_name:
            who, counted = (name, "overflow=true"), False
        elif self.live >= self.max_series:
            who, counted = (_OVERFLOW, f"kind={kind},overflow=true"), False
        self.counts["overflowed"] += not counted
        self._series.setdefault(who, _Series(kind=kind, counted=counted))
        return who

    def _folded(
        self, series: _Series, row: Row | None, op: str, value: float | str, rate: float, time_ns: int | None
    ) -> Row:
        if op == "set":
            assert isinstance(value, str)
            return (row if isinstance(row, frozenset) else frozenset()) | {value}
        assert isinstance(value, float)
        if op == "timer":
            sketch = row if isinstance(row, ReferenceSketch) else ReferenceSketch()
            sketch.add(value, 1 / rate)
            return sketch
        before = row if isinstance(row, float) else 0.0
        if op == "counter":
            return _finite(before + value / rate)
        if time_ns is None:
            before = series.kept or 0.0
        now = value if op == "gauge" else _finite(before + value)
        if time_ns is None:
            series.kept, series.touched_ns = now, None
        return now


def _finite(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)
