"""The Arrow schemas of the two tables, and how rows become an Arrow IPC stream. Needs PyArrow (the ``serve`` extra).

A point with several fields is several rows, but a timer or a set is one row, whose sketch holds the whole:

=========  ============  ==============================================================================
kind       field         columns that are set
=========  ============  ==============================================================================
counter    ``sum``       ``double``
gauge      ``last``      ``double``
timer      ``sketch``    ``bytes`` (DDSketch), ``double`` (sum), ``count``, ``min``, ``max``
set        ``hll``       ``bytes`` (HyperLogLog)
(empty)    the field's   one of ``double``, ``int64``, ``text``, ``bytes`` by the value's type
=========  ============  ==============================================================================

``tags`` is the canonical text of :mod:`stathouse.wire.tags`. ``time`` is the start of the interval.
The Rust core writes the same schema (``rust/src/arrow.rs``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa

from stathouse.model import Event, Kind, Payload, Point
from stathouse.wire.tags import to_text

__all__ = ["EVENTS", "FORMAT_VERSION", "POINTS", "events_payload", "points_payload", "read_stream", "write_stream"]

FORMAT_VERSION: Final = 1
"""Stands in the schema metadata as ``stathouse.format``; a reader refuses a higher one."""

_TIME = pa.timestamp("ns", tz="UTC")
_METADATA: Final[dict[bytes | str, bytes | str]] = {"stathouse.format": str(FORMAT_VERSION)}

_POINT_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("name", pa.string(), nullable=False),
    pa.field("tags", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("field", pa.string(), nullable=False),
    pa.field("time", _TIME, nullable=False),
    pa.field("double", pa.float64()),
    pa.field("int64", pa.int64()),
    pa.field("text", pa.string()),
    pa.field("bytes", pa.binary()),
    pa.field("count", pa.float64()),
    pa.field("min", pa.float64()),
    pa.field("max", pa.float64()),
]
_EVENT_FIELDS: Final[list[pa.Field[Any]]] = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("state", pa.string(), nullable=False),
    pa.field("rank", pa.int32(), nullable=False),
    pa.field("id", pa.string(), nullable=False),
    pa.field("time", _TIME, nullable=False),
    pa.field("payload", pa.string(), nullable=False),
]

POINTS: Final = pa.schema(_POINT_FIELDS, metadata=_METADATA)
EVENTS: Final = pa.schema(_EVENT_FIELDS, metadata=_METADATA)
"""``key`` and ``payload`` are JSON texts."""

_TYPED_COLUMNS = {float: 5, int: 6, str: 7, bytes: 8}


def points_payload(points: Iterable[Point]) -> Payload:
    """Return points as rows of the points table."""
    rows: list[tuple[object, ...]] = []
    for point in points:
        head = (point.name, to_text(point.tags), point.kind.value if point.kind else "")
        for name, value in point.fields.items():
            typed: list[object] = [None] * 7
            number = (
                float(value)
                if point.kind in (Kind.COUNTER, Kind.GAUGE) and not isinstance(value, str | bytes)
                else value
            )
            typed[_TYPED_COLUMNS[type(number)] - 5] = number
            rows.append((*head, name, point.time_ns, *typed))
    return Payload(table="points", rows=len(rows), body=_to_stream(rows, POINTS))


def events_payload(events: Iterable[Event]) -> Payload:
    """Return events as rows of the events table."""
    rows = [
        (_json(list(event.key)), event.state, event.rank, event.id, event.time_ns, _json(event.payload))
        for event in events
    ]
    return Payload(table="events", rows=len(rows), body=_to_stream(rows, EVENTS))


def write_stream(batch: pa.RecordBatch) -> bytes:
    """Return a record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def read_stream(body: bytes) -> pa.Table:
    """Return the rows of an Arrow IPC stream, without copying them.

    Raises:
        pyarrow.ArrowInvalid: the bytes are no Arrow stream.
    """
    with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
        return stream.read_all()


def _to_stream(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> bytes:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return write_stream(pa.record_batch(arrays, schema=schema))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
