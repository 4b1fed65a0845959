"""A slow and obvious answer to every question, straight from the rows: what the archive is compared with."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stathouse.model import Query, Tags

Value = float | int | str


@dataclass(frozen=True, kw_only=True)
class KeptRow:
    """One row: a counter or gauge has a number, a timer its samples, a set its members, posted data any value."""

    name: str
    tags: Tags
    kind: str
    field: str
    time_ns: int
    value: Value | None = None
    samples: tuple[float, ...] = ()
    members: tuple[str, ...] = ()


Key = tuple[str, Tags, str, str]
"""(name, tags, kind, field) of an answered series."""

_DEFAULTS = {"counter": ["sum"], "timer": ["count", "mean", "p50", "p95", "p99", "max"], "set": ["distinct"]}


def ask(rows: Sequence[KeptRow], query: Query) -> dict[Key, list[tuple[int, Value]]]:
    """Return the answer, without limit."""
    matching = [row for row in rows if _matches(row, query)]
    answer: dict[Key, list[tuple[int, Value]]] = {}
    for (tags, name), group in _groups(matching, query).items():
        for (kind, field, bucket), cell in _cells(group, query).items():
            for label, value in _labels(kind, field, cell, query):
                if value is not None:
                    answer.setdefault((name, tags, kind, label), []).append((bucket, value))
    return {key: sorted(some, key=lambda pair: pair[0]) for key, some in answer.items()}


def _matches(row: KeptRow, query: Query) -> bool:
    tags = dict(row.tags)
    return (
        fnmatch.fnmatchcase(row.name, query.series)
        and query.start_ns <= row.time_ns < query.end_ns
        and all(key in tags and fnmatch.fnmatchcase(tags[key], glob) for key, glob in query.tags.items())
    )


def _groups(rows: Iterable[KeptRow], query: Query) -> dict[tuple[Tags, str], list[KeptRow]]:
    groups: dict[object, list[KeptRow]] = {}
    for row in rows:
        if query.by is None:
            key: object = (row.tags, row.name)
        else:
            key = tuple(pair for pair in row.tags if pair[0] in query.by)
        groups.setdefault(key, []).append(row)
    named: dict[tuple[Tags, str], list[KeptRow]] = {}
    for key, group in groups.items():
        if query.by is None:
            named[group[0].tags, group[0].name] = group
        else:
            names = {row.name for row in group}
            named[key, names.pop() if len(names) == 1 else query.series] = group  # type: ignore[index]
    return named


def _cells(rows: Iterable[KeptRow], query: Query) -> dict[tuple[str, str, int], list[KeptRow]]:
    cells: dict[tuple[str, str, int], list[KeptRow]] = {}
    for row in rows:
        bucket = row.time_ns if query.step_ns is None else row.time_ns // query.step_ns * query.step_ns
        cells.setdefault((row.kind, row.field, bucket), []).append(row)
    if query.by is not None:
        for key, cell in cells.items():
            if key[0] == "gauge":
                last: dict[object, KeptRow] = {}
                for row in sorted(cell, key=lambda row: row.time_ns):
                    last[row.name, row.tags] = row
                cells[key] = list(last.values())
    return cells


def _labels(kind: str, field: str, cell: list[KeptRow], query: Query) -> Iterable[tuple[str, Value | None]]:
    cell = sorted(cell, key=lambda row: (row.time_ns, row.name, row.tags))
    if not query.aggregates and not kind:
        numbers = [row.value for row in cell if isinstance(row.value, int | float)]
        yield field, sum(numbers) / len(numbers) if numbers and query.step_ns else cell[-1].value
        return
    gauge = ["mean"] if query.step_ns else ["last"]
    for aggregate in query.aggregates or _DEFAULTS.get(kind, gauge):
        label = aggregate if kind or field == "value" else f"{field}.{aggregate}"
        yield label, _value(kind, aggregate, cell, query)


def _value(kind: str, aggregate: str, cell: list[KeptRow], query: Query) -> Value | None:
    seconds = (query.step_ns or 1) / 1e9
    if kind == "set":
        return len({member for row in cell for member in row.members}) if aggregate == "distinct" else None
    if kind == "timer":
        samples = sorted(sample for row in cell for sample in row.samples)
        extra = {"rate": lambda: len(samples) / seconds, "count": lambda: len(samples)}
        return _of_numbers(aggregate, samples, extra)
    values = [row.value for row in cell if row.value is not None]
    if aggregate == "count":
        return len(cell)
    if aggregate in ("first", "last"):
        return values[0] if aggregate == "first" else values[-1]
    if aggregate == "distinct":
        return None if kind else len(set(values))
    numbers = sorted(value for value in values if not isinstance(value, str))
    return _of_numbers(aggregate, numbers, {"rate": lambda: sum(numbers) / seconds} if kind == "counter" else {})


def _of_numbers(aggregate: str, numbers: Sequence[float], extra: dict[str, Callable[[], float]]) -> float | int | None:
    if not numbers:
        return None
    if aggregate in extra:
        return extra[aggregate]()
    if aggregate.startswith("p"):
        rank = math.ceil(float(aggregate[1:]) / 100 * len(numbers))
        return numbers[max(rank, 1) - 1]
    simple = {"sum": sum(numbers), "mean": sum(numbers) / len(numbers), "min": numbers[0], "max": numbers[-1]}
    return simple.get(aggregate)
