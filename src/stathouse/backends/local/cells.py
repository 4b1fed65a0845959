"""One cell of an answer – the rows of a series or group in one bucket – and what each aggregate makes of it.

=========  ========================================================================================
kind       aggregates
=========  ========================================================================================
counter    sum, mean, min, max, first, last, count (rows), rate (sum a second), percentiles of rows
gauge      the same, but rate
timer      sum, mean, min, max, count (samples), rate (samples a second), percentiles of samples
set        distinct
posted     numbers: as a gauge, and distinct; text: first, last, count, distinct; bytes: count
=========  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stathouse._core import Distinct, Sketch
from stathouse.backends.local.plan import Plan, fraction_of

__all__ = ["Cell", "Value", "labelled"]

Value = float | int | str
"""What a row of an answer holds."""


@dataclass(slots=True, kw_only=True)
class Cell:
    """What is known of the rows of one kind and field in one bucket; integers stay apart from doubles."""

    kind: str
    field: str
    rows: int = 0
    doubles: int = 0
    integers: int = 0
    texts: int = 0
    sum_double: float | None = None
    sum_integer: int | None = None
    min_double: float | None = None
    min_integer: int | None = None
    max_double: float | None = None
    max_integer: int | None = None
    samples: float | None = None
    low: float | None = None
    high: float | None = None
    distinct: int = 0
    percentiles: Sequence[Value | None] = ()
    first: Value | None = None
    last: Value | None = None
    sketch: Sketch | None = None
    members: Distinct | None = None

    def value(self, aggregate: str, plan: Plan) -> Value | None:
        """Return an aggregate of this cell; None when the kind does not have it."""
        if self.kind == "timer":
            return self._timer(aggregate, plan)
        if self.kind == "set":
            return self.members.estimate() if aggregate == "distinct" and self.members else None
        if aggregate == "count":
            return self.rows
        if aggregate in ("first", "last"):
            return self.first if aggregate == "first" else self.last
        if aggregate == "distinct":
            return self.distinct if not self.kind and self.distinct else None
        return self._number(aggregate, plan)

    def _timer(self, aggregate: str, plan: Plan) -> Value | None:
        fraction = fraction_of(aggregate)
        if fraction is not None:
            return self.sketch.quantile(fraction) if self.sketch else None
        count, total = self.samples or 0.0, self.sum_double or 0.0
        match aggregate:
            case "count":
                return count
            case "sum":
                return total
            case "mean":
                return total / count if count else None
            case "min":
                return self.low
            case "max":
                return self.high
            case "rate":
                return count / _seconds(plan)
        return None

    def _number(self, aggregate: str, plan: Plan) -> Value | None:
        if not self.doubles and not self.integers:
            return None
        fraction = fraction_of(aggregate)
        if fraction is not None:
            value = self.percentiles[plan.fractions.index(fraction)] if self.percentiles else None
            return int(value) if value is not None and not self.doubles else value
        total: float | int = (
            (self.sum_double or 0.0) + (self.sum_integer or 0) if self.doubles else self.sum_integer or 0
        )
        match aggregate:
            case "sum":
                return total
            case "mean":
                return total / (self.doubles + self.integers)
            case "min":
                return _least(self.min_double, self.min_integer)
            case "max":
                return _greatest(self.max_double, self.max_integer)
            case "rate":
                return total / _seconds(plan) if self.kind == "counter" else None
        return None


def labelled(cell: Cell, plan: Plan) -> list[tuple[str, Value]]:
    """Return (field of the answer, value) of a cell.

    A posted field keeps its name where no aggregate was named; where one was it is ``field.aggregate``,
    and just the aggregate for a field that is called ``value``.
    """
    aggregates = plan.aggregates_for(cell.kind)
    if not aggregates:
        value = cell.last
        if plan.query.step_ns is not None and (cell.doubles or cell.integers):
            value = cell.value("mean", plan)
        return [] if value is None else [(cell.field, value)]
    labels: list[tuple[str, Value]] = []
    for aggregate in aggregates:
        value = cell.value(aggregate, plan)
        if value is not None:
            is_plain = bool(cell.kind) or cell.field == "value"
            labels.append((aggregate if is_plain else f"{cell.field}.{aggregate}", value))
    return labels


def _seconds(plan: Plan) -> float:
    return (plan.query.step_ns or 0) / 1e9


def _least(double: float | None, integer: int | None) -> float | int | None:
    values = [value for value in (double, integer) if value is not None]
    return min(values, default=None)


def _greatest(double: float | None, integer: int | None) -> float | int | None:
    values = [value for value in (double, integer) if value is not None]
    return max(values, default=None)
