"""Answers as JSON, CSV and Arrow: one shape for the HTTP API, the page and ``--json`` of the commands.

Each encoder gives chunks, so that a large answer is sent while it is encoded. Needs msgspec (the ``serve`` and the
``cli`` extra's house side), and PyArrow for Arrow.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from stathouse.model import Answer, Event, SeriesInfo, SeriesRows
from stathouse.wire import csv_text
from stathouse.wire.durations import rfc3339
from stathouse.wire.tags import to_text

if TYPE_CHECKING:
    import pyarrow as pa
    from _typeshed import ReadableBuffer as Buffer

__all__ = [
    "AnswerOut",
    "EventOut",
    "EventsOut",
    "RowOut",
    "SeriesListOut",
    "SeriesOut",
    "SeriesRowsOut",
    "UnitOf",
    "answer_arrow",
    "answer_csv",
    "answer_json",
    "event_out",
    "safe_json",
    "series_out",
]

UnitOf: TypeAlias = Callable[[str], tuple[str, str]]
"""Series name → its unit and description, empty when unknown."""

_CHUNK_ROWS: Final = 5_000
_SECOND: Final = 10**9


class RowOut(msgspec.Struct, frozen=True):
    """One value; ``time`` is Unix seconds, the start of its bucket. ``null`` is a number JSON has no words for."""

    time: float
    value: float | int | str | None


class SeriesRowsOut(msgspec.Struct, frozen=True):
    """The rows of one series or group."""

    name: str
    tags: dict[str, str]
    field: str
    unit: str
    kind: str
    rows: list[RowOut]


class AnswerOut(msgspec.Struct, frozen=True):
    """What ``/api/query`` answers; ``truncated`` says that ``limit`` cut series off."""

    series: list[SeriesRowsOut]
    truncated: bool


class SeriesOut(msgspec.Struct, frozen=True):
    """One series as the catalogue knows it."""

    name: str
    tags: dict[str, str]
    kind: str
    fields: list[str]
    unit: str
    description: str
    first_time: float
    last_time: float


class SeriesListOut(msgspec.Struct, frozen=True):
    """What ``/api/series`` answers; ``total`` counts all that match, ``series`` is one page of them."""

    series: list[SeriesOut]
    total: int


class EventOut(msgspec.Struct, frozen=True):
    """One event row."""

    key: list[str | int]
    state: str
    rank: int
    id: str
    time: float
    payload: dict[str, object]


class EventsOut(msgspec.Struct, frozen=True):
    """What ``/api/events`` answers, newest first."""

    events: list[EventOut]


def safe_json(value: object) -> bytes:
    """Return JSON that is safe inside a page as well: no ``<``, no line separators of JavaScript, no NaN.

    >>> safe_json({"name": "<b>"})
    b'{"name":"\\\\u003cb>"}'
    """
    # The three can stand only inside texts, where the escape means the same.
    body = msgspec.json.encode(value)
    return body.replace(b"<", b"\\u003c").replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def series_out(info: SeriesInfo, unit_of: UnitOf) -> SeriesOut:
    """Return a series in its JSON shape."""
    unit, description = unit_of(info.name)
    return SeriesOut(
        name=info.name,
        tags=dict(info.tags),
        kind=info.kind,
        fields=list(info.fields),
        unit=unit,
        description=description,
        first_time=info.first_ns / _SECOND,
        last_time=info.last_ns / _SECOND,
    )


def event_out(event: Event) -> EventOut:
    """Return an event in its JSON shape."""
    return EventOut(
        key=list(event.key),
        state=event.state,
        rank=event.rank,
        id=event.id,
        time=event.time_ns / _SECOND,
        payload=dict(event.payload),
    )


def answer_json(answer: Answer, unit_of: UnitOf) -> Iterator[bytes]:
    """Return the JSON of :class:`AnswerOut` in chunks."""
    opening = b'{"series":['
    for series in answer.series:
        head = {"name": series.name, "tags": dict(series.tags), "field": series.field, "unit": unit_of(series.name)[0]}
        yield opening + safe_json(head | {"kind": series.kind})[:-1] + b',"rows":['
        for start in range(0, len(series.rows), _CHUNK_ROWS):
            rows = [RowOut(row.time_ns / _SECOND, row.value) for row in series.rows[start : start + _CHUNK_ROWS]]
            yield (b"," if start else b"") + safe_json(rows)[1:-1]
        yield b"]}"
        opening = b","
    yield (opening if opening != b"," else b"") + b'],"truncated":' + (b"true}" if answer.truncated else b"false}")


def answer_csv(answer: Answer) -> Iterator[bytes]:
    """Return CSV in chunks, with the header ``time,name,tags,field,value``; times are RFC 3339 in UTC."""
    yield csv_text.line(("time", "name", "tags", "field", "value")).encode()
    for series in answer.series:
        middle = ",".join(map(csv_text.cell, (series.name, to_text(series.tags), series.field)))
        for start in range(0, len(series.rows), _CHUNK_ROWS):
            rows = series.rows[start : start + _CHUNK_ROWS]
            yield "".join(f"{rfc3339(row.time_ns)},{middle},{_csv_value(row.value)}\r\n" for row in rows).encode()


def answer_arrow(answer: Answer, unit_of: UnitOf) -> Iterator[bytes]:
    """Return an Arrow IPC stream in chunks, one record batch or more per series.

    The columns are ``name, tags, field, unit, kind, time`` and, by the value's type, ``double``, ``int64`` or ``text``;
    ``tags`` is the canonical text of :mod:`stathouse.wire.tags`.
    """
    import pyarrow as pa  # heavy, and only this format needs it

    sink = _Chunks()
    schema = _arrow_schema()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as stream:
        for series in answer.series:
            for start in range(0, len(series.rows), _CHUNK_ROWS):
                stream.write_batch(_arrow_batch(series, unit_of(series.name)[0], start, schema))
                yield sink.take()
    yield sink.take()


def _csv_value(value: float | str) -> str:
    return "" if isinstance(value, float) and not math.isfinite(value) else csv_text.cell(value)


def _arrow_schema() -> pa.Schema:
    import pyarrow as pa

    heads = ("name", "tags", "field", "unit", "kind")
    columns: list[pa.Field[Any]] = [pa.field(head, pa.string(), nullable=False) for head in heads]
    columns.append(pa.field("time", pa.timestamp("ns", tz="UTC"), nullable=False))
    columns += [pa.field("double", pa.float64()), pa.field("int64", pa.int64()), pa.field("text", pa.string())]
    return pa.schema(columns)


def _arrow_batch(series: SeriesRows, unit: str, start: int, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    rows = series.rows[start : start + _CHUNK_ROWS]
    heads = (series.name, to_text(series.tags), series.field, unit, series.kind)
    columns: list[list[object]] = [[head] * len(rows) for head in heads]
    columns.append([row.time_ns for row in rows])
    columns += [[row.value if type(row.value) is kind else None for row in rows] for kind in (float, int, str)]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


class _Chunks(io.RawIOBase):
    """A file to write to, emptied by :meth:`take`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
