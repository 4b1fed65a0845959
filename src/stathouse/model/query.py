"""Questions to the kept rows, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stathouse.model.values import Tags

__all__ = ["Answer", "EventQuery", "Query", "Row", "SeriesInfo", "SeriesRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question about points.

    Args:
        series: a glob over names (``*``, ``?``, ``[a-z]``), as ``shop.*``.
        start_ns: first time, inclusive, Unix ns.
        end_ns: last time, exclusive, Unix ns.
        tags: tag key → glob over its value; a series without the key does not match.
        step_ns: width of the buckets; None gives the rows as they are kept.
        aggregates: what to compute in each bucket: ``sum mean min max last first count rate distinct``
            or a percentile ``p0`` … ``p100`` (``p99.9``). Empty: what the series' kind is usually asked for
            (counter ``sum``, gauge ``last`` – ``mean`` with a step –, timer ``count mean p50 p95 p99 max``,
            set ``distinct``, posted fields as they are).
        by: tag keys to group by; None keeps every series apart, an empty tuple merges them all.
        limit: at most this many series.
    """

    series: str
    start_ns: int
    end_ns: int
    tags: Mapping[str, str] = field(default_factory=dict)
    step_ns: int | None = None
    aggregates: tuple[str, ...] = ()
    by: tuple[str, ...] | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of an answer: ``time_ns`` is the start of its bucket or interval."""

    time_ns: int
    value: float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRows:
    """The rows of one series (or group), in order of time.

    Args:
        name: the series' name; the glob when several names were merged.
        tags: its tags; only the ``by`` tags when it is a group.
        field: the aggregate or the posted field.
        kind: ``counter``, ``gauge``, ``timer``, ``set`` or empty for posted fields.
    """

    name: str
    tags: Tags
    field: str
    kind: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found; ``truncated`` says that ``limit`` cut series off."""

    series: tuple[SeriesRows, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesInfo:
    """A series as the catalogue knows it; ``fields`` are those seen, sorted."""

    name: str
    tags: Tags
    kind: str
    fields: tuple[str, ...]
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """A question about events.

    Args:
        key: a pattern over the row's key, element by element; None matches anything in its place; shorter than the
            row's key matches as a prefix.
        state: only rows in this state; empty for any.
        start_ns: first time, inclusive, Unix ns.
        end_ns: last time, exclusive, Unix ns.
        limit: at most this many rows, newest first.
    """

    key: tuple[str | int | None, ...] = ()
    state: str = ""
    start_ns: int = 0
    end_ns: int = 2**63 - 1
    limit: int = 1000
