"""What is going on now: finished rows of the last seconds and a peek at the running interval."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stathouse._core import Aggregator, Distinct, Sketch
from stathouse.model import Clock, FieldValue, Kind, Payload, Point, SeriesInfo, Tags
from stathouse.wire.globs import is_glob, to_regex
from stathouse.wire.tables import points_payload, read_stream, write_stream
from stathouse.wire.tags import from_text, to_text

__all__ = ["Live"]

_KEPT_SECONDS: Final = 5.0  # finished rows wait this long for a reader that ticks once a second
_KEPT_BYTES: Final = 32 << 20  # and no more than this of them, but for the newest
_READERS: Final = 256
_ROWS: Final = 2_000  # of one answer
_LATEST: Final = 5_000
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Finished:
    number: int
    at: float
    points: Sequence[Point]
    body: bytes


class Live:
    """Keeps the rows of the last seconds for readers that come once a second.

    Args:
        aggregator: holds the running interval.
        interval_start_ns: says when it began.
        unit: says a series' unit.
        clock: time.
    """

    def __init__(
        self,
        *,
        aggregator: Aggregator,
        interval_start_ns: Callable[[], int],
        unit: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._aggregator = aggregator
        self._interval_start_ns = interval_start_ns
        self._unit = unit
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._finished: deque[_Finished] = deque()
        self._finished_bytes = 0
        self._served: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._latest: OrderedDict[tuple[str, Tags], Point] = OrderedDict()
        self._last_flush = b""

    def offer_points(self, points: Sequence[Point]) -> None:
        """Take points that a source has just read."""
        with self._lock:
            for point in points:
                key = (point.name, point.tags)
                self._latest[key] = point
                self._latest.move_to_end(key)
            while len(self._latest) > _LATEST:
                self._latest.popitem(last=False)
            self._keep(points, b"")

    def offer_payload(self, payload: Payload, *, is_flush: bool = False) -> None:
        """Take rows that were flushed or came in by HTTP."""
        with self._lock:
            if is_flush:
                self._last_flush = payload.body
            if self._served:  # nobody looks: nothing to keep
                self._keep((), payload.body)

    def read(self, globs: Sequence[str]) -> list[dict[str, object]]:
        """Return what has come since this reader's last call, then the running interval.

        Args:
            globs: which series, as ``host.*``; readers with the same globs share their place.
        """
        with self._lock:
            key = tuple(globs)
            since = self._served.get(key, self._number)
            self._served[key] = self._number
            self._served.move_to_end(key)
            while len(self._served) > _READERS:
                self._served.popitem(last=False)
            finished = [entry for entry in self._finished if entry.number > since]
        match = _matcher(globs)
        rows: list[dict[str, object]] = []
        for entry in finished:
            rows += self._describe(_from_points(entry.points, match))
            if entry.body:
                rows += self._describe(_from_table(read_stream(entry.body), match))
        peeked = self._aggregator.peek(start_ns=self._interval_start_ns(), names=list(globs), limit=_ROWS)
        if globs and peeked.rows:
            rows += self._describe(_from_table(read_stream(peeked.body), match), partial=True)
        return rows[:_ROWS]

    def top(self, *, limit: int, search: str = "") -> dict[str, Any]:
        """Return the busiest series of now, then those of the last interval, then what sources read.

        Args:
            limit: at most this many.
            search: only names or tags that contain this text.
        """
        start_ns = self._interval_start_ns()
        with self._lock:
            last_flush, latest = self._last_flush, list(self._latest.values())
        names = [f"*{search}*"] if search and not is_glob(search) else []
        peeked = self._aggregator.peek(start_ns=start_ns, names=names, limit=limit).body
        found: dict[tuple[str, str], dict[str, object]] = {}
        for body in (peeked, last_flush):
            if body and len(found) < limit:
                self._collect(found, _from_table(read_stream(body), _containing(search), limit), limit)
        self._collect(found, _from_points(latest, _containing(search)), limit)
        return {"time": self._clock.now_ns() / _NS, "interval_start": start_ns / _NS, "series": list(found.values())}

    def series(self, search: str) -> list[SeriesInfo]:
        """Return the series that are not flushed yet, or were just read: those that the kept ones may lack.

        Args:
            search: a part of a name or of the tags' text, or a glob over one of them.
        """
        match = _searching(search)
        start_ns = self._interval_start_ns()
        with self._lock:
            latest = list(self._latest.values())
        table = read_stream(self._aggregator.peek(start_ns=start_ns, limit=_LATEST).body)
        columns = [table[name].to_pylist() for name in ("name", "tags", "kind", "field")]
        found = [
            SeriesInfo(name=name, tags=from_text(tags), kind=kind, fields=(field,), first_ns=start_ns, last_ns=start_ns)
            for name, tags, kind, field in zip(*columns, strict=True)
            if match(name) or match(tags)
        ]
        return found + [
            SeriesInfo(
                name=point.name,
                tags=point.tags,
                kind=point.kind.value if point.kind else "",
                fields=tuple(sorted(point.fields)),
                first_ns=point.time_ns,
                last_ns=point.time_ns,
            )
            for point in latest
            if match(point.name) or match(to_text(point.tags))
        ]

    def join(self, running: bytes, waiting: Sequence[Point], glob: str) -> bytes | None:
        """Return the running interval's rows and the waiting points whose name matches, as one stream."""
        match = _matcher([glob])
        points = [point for point in waiting if match(point.name)]
        if not points:
            return running or None
        body = points_payload(points).body
        if not running:
            return body
        joined = pa.concat_tables([read_stream(running), read_stream(body)]).combine_chunks()
        return write_stream(joined.to_batches()[0])

    def _collect(self, found: dict[tuple[str, str], dict[str, object]], rows: Iterable[_Live], limit: int) -> None:
        mine: set[tuple[str, str]] = set()
        for row in rows:
            key = (row.name, repr(row.tags))
            if key in mine:
                fields = found[key]["fields"]
                assert isinstance(fields, dict)
                fields[row.field] = row.value
            elif key not in found and len(found) < limit:
                mine.add(key)
                found[key] = {
                    "name": row.name,
                    "tags": dict(row.tags),
                    "kind": row.kind,
                    "unit": self._unit(row.name),
                    "time": row.time_ns / _NS,
                    "fields": {row.field: row.value},
                }

    def _keep(self, points: Sequence[Point], body: bytes) -> None:
        now = self._clock.monotonic()
        self._number += 1
        self._finished.append(_Finished(self._number, now, points, body))
        self._finished_bytes += len(body)
        while self._finished[0].at < now - _KEPT_SECONDS or (
            self._finished_bytes > _KEPT_BYTES and len(self._finished) > 1
        ):
            self._finished_bytes -= len(self._finished.popleft().body)

    def _describe(self, rows: Iterable[_Live], *, partial: bool = False) -> Iterator[dict[str, object]]:
        for row in rows:
            yield {
                "name": row.name,
                "tags": dict(row.tags),
                "kind": row.kind,
                "field": row.field,
                "unit": self._unit(row.name),
                "time": row.time_ns / _NS,
                "value": row.value,
                "partial": partial,
            }


@dataclass(frozen=True, slots=True)
class _Live:
    name: str
    tags: Tags
    kind: str
    field: str
    time_ns: int
    value: FieldValue


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    patterns = [to_regex(glob) for glob in globs]
    return lambda name: any(pattern.fullmatch(name) for pattern in patterns)


def _searching(text: str) -> Callable[[str], bool]:
    return _matcher([text]) if is_glob(text) else _containing(text)


def _containing(search: str) -> Callable[[str], bool]:
    return (lambda name: search in name) if search else (lambda name: True)


def _from_points(points: Iterable[Point], match: Callable[[str], bool]) -> Iterator[_Live]:
    for point in points:
        if match(point.name):
            kind = point.kind.value if point.kind else ""
            for field, value in point.fields.items():
                yield _Live(point.name, point.tags, kind, field, point.time_ns, value)


def _from_table(table: pa.Table, match: Callable[[str], bool], limit: int = _ROWS) -> Iterator[_Live]:
    names = [name for name in pc.unique(table["name"]).to_pylist() if name is not None and match(name)]
    chosen = table.filter(pc.is_in(table["name"], pa.array(names, pa.string()))).slice(0, limit)
    chosen = chosen.set_column(4, "time", chosen["time"].cast(pa.int64()))
    for row in chosen.to_pylist():
        tags = from_text(row["tags"])
        for field, value in _values(row):
            yield _Live(row["name"], tags, row["kind"], field, row["time"], value)


def _values(row: Mapping[str, object]) -> Iterator[tuple[str, FieldValue]]:
    """Return the readable fields of a row: a sketch becomes its percentiles, a HyperLogLog its estimate."""
    kind, body = row["kind"], row["bytes"]
    if kind == Kind.TIMER.value and isinstance(body, bytes):
        sketch = Sketch.from_bytes(body)
        if sketch.count:
            yield "count", sketch.count
            yield "mean", sketch.sum / sketch.count
            for name, fraction in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
                yield name, sketch.quantile(fraction) or 0.0
            yield "max", sketch.max
    elif kind == Kind.SET.value and isinstance(body, bytes):
        yield "distinct", Distinct.from_bytes(body).estimate()
    else:
        value = next((row[column] for column in ("double", "int64", "text") if row[column] is not None), None)
        if isinstance(value, float | int | str):
            yield str(row["field"]), value
