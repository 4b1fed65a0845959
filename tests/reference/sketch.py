"""The DDSketch, written for reading: the oracle for ``stathouse._core.Sketch``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

__all__ = ["ALPHA", "MAX_BINS", "ReferenceSketch", "nearest_rank"]

ALPHA = 0.01
MAX_BINS = 2_048
_LOG_GAMMA = math.log((1 + ALPHA) / (1 - ALPHA))
_SMALLEST = 2.2250738585072014e-308


class ReferenceSketch:
    """Bins in a dictionary: index → weight, one dictionary for each sign."""

    def __init__(self, values: Iterable[tuple[float, float]] = ()) -> None:
        self.positive: Counter[int] = Counter()
        self.negative: Counter[int] = Counter()
        self.zero = 0.0
        self.count = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        for value, weight in values:
            self.add(value, weight)

    def add(self, value: float, weight: float = 1.0) -> None:
        """Add a value that stands for ``weight`` values."""
        self.count += weight
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)
        if abs(value) < _SMALLEST:
            self.zero += weight
            return
        bins = self.positive if value > 0 else self.negative
        bins[math.ceil(math.log(abs(value)) / _LOG_GAMMA)] += weight  # type: ignore[assignment]

    def quantile(self, fraction: float) -> float | None:
        """Return the value of the bin that holds the nearest rank."""
        if self.count == 0:
            return None
        if fraction in (0, 1):
            return self.maximum if fraction else self.minimum
        steps = [(-_value(index), weight) for index, weight in sorted(_collapsed(self.negative).items(), reverse=True)]
        steps += [(0.0, self.zero)] if self.zero else []
        steps += [(_value(index), weight) for index, weight in sorted(_collapsed(self.positive).items())]
        rank = fraction * self.count * (1 - 1e-12)
        reached = 0.0
        for value, weight in steps:
            reached += weight
            if reached >= rank:
                return min(max(value, self.minimum), self.maximum)
        return self.maximum


def nearest_rank(values: list[float], fraction: float) -> float:
    """Return the exact nearest-rank quantile of plain values."""
    if fraction == 0:
        return min(values)
    return sorted(values)[math.ceil(fraction * len(values) * (1 - 1e-12)) - 1]


def _collapsed(bins: Counter[int]) -> dict[int, float]:
    """Count what lies below the highest bins in the lowest of them."""
    if not bins:
        return {}
    lowest = max(bins) - MAX_BINS + 1
    collapsed: dict[int, float] = {}
    for index, weight in bins.items():
        collapsed[max(index, lowest)] = collapsed.get(max(index, lowest), 0.0) + weight
    return collapsed


def _value(index: int) -> float:
    try:
        return (1 - ALPHA) * math.exp(index * _LOG_GAMMA)
    except OverflowError:
        return math.inf  # the highest bin reaches past the largest double; the quantile is cut at the maximum
