"""Rows as JSON texts, one object per line."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator
from typing import Final, cast

import pyarrow as pa

from stathouse.model import Table
from stathouse.wire.tags import from_text

__all__ = ["rows_as_lines"]

_QUANTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
_VALUES: Final = ("double", "int64", "text", "bytes", "count", "min", "max")


def rows_as_lines(table: Table, rows: pa.Table) -> Iterator[str]:
    r"""Yield every row as a JSON object with a newline.

    A time is Unix time in ns, a whole number: seconds as a float would lose the last digits. Bytes are Base64. A
    number that JSON has not (NaN, Infinity) is a text. Columns without a value are left out. A timer has its
    percentiles beside its sketch.

    Args:
        table: which table they are of.
        rows: the rows, in the table's schema.
    """
    to_object = _point if table == "points" else _event
    # A slice at a time: a hundred thousand rows as Python objects would take ten times the memory of the batch.
    for part in rows.to_batches(max_chunksize=4_096):
        columns = _plain(part)
        names = list(columns)
        for values in zip(*columns.values(), strict=True):
            yield (
                json.dumps(to_object(dict(zip(names, values, strict=True))), ensure_ascii=False, allow_nan=False) + "\n"
            )


def _plain(part: pa.RecordBatch) -> dict[str, list[object]]:
    """Return the columns as Python values; a time as ns, since ``datetime`` ends at µs."""
    columns = {}
    for field, column in zip(part.schema, part.columns, strict=True):
        columns[field.name] = (column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column).to_pylist()
    return columns


def _point(row: dict[str, object]) -> dict[str, object]:
    line: dict[str, object] = {
        "name": row["name"],
        "tags": dict(from_text(cast(str, row["tags"]))),
        "kind": row["kind"],
        "field": row["field"],
        "time_ns": row["time"],
    }
    for name in _VALUES:
        value = row[name]
        if value is None:
            continue
        if isinstance(value, bytes):
            line[name] = base64.b64encode(value).decode()
            if row["kind"] == "timer":
                line.update(_quantiles(value))
        else:
            line[name] = _finite(value)
    return line


def _event(row: dict[str, object]) -> dict[str, object]:
    return {
        "key": json.loads(cast(str, row["key"])),
        "state": row["state"],
        "rank": row["rank"],
        "id": row["id"],
        "time_ns": row["time"],
        "payload": json.loads(cast(str, row["payload"])),
    }


def _quantiles(sketch: bytes) -> dict[str, object]:
    from stathouse._core import Sketch  # only where there are timers: the rest works without the Rust core

    try:
        quantile: Callable[[float], float | None] = Sketch.from_bytes(sketch).quantile
    except ValueError:
        return {}  # the Base64 text keeps whatever it is
    return {name: _finite(quantile(fraction)) for name, fraction in _QUANTILES}


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
