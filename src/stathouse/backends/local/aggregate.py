"""Folds rows into cells: numbers in DuckDB, sketches in the Rust core, both in one pass over the same tables.

DuckDB sees only the Arrow tables that it is handed. It has no access to files or the network, loads no extension,
and its configuration is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from stathouse._core import Distinct, Sketch
from stathouse.backends.local.arrow import Column, integer, word
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.cells import Cell, Value
from stathouse.backends.local.plan import MAX_ROWS, Plan
from stathouse.errors import InputError

__all__ = ["Engine", "Folder", "cells_of_rows"]

CellKey = tuple[int, str, str, int]
"""(group, kind, field, start of the bucket)."""

_NUMBER_FIELDS: list[pa.Field[Any]] = [
    pa.field("grp", pa.int32()),
    pa.field("series", pa.int32()),
    pa.field("kind", pa.string()),
    pa.field("field", pa.string()),
    pa.field("bucket", pa.int64()),
    pa.field("time", pa.int64()),
    pa.field("place", pa.int64()),
    pa.field("double", pa.float64()),
    pa.field("int64", pa.int64()),
    pa.field("text", pa.string()),
    pa.field("count", pa.float64()),
    pa.field("min", pa.float64()),
    pa.field("max", pa.float64()),
]
_NUMBERS = pa.schema(_NUMBER_FIELDS)

_END = "{'t': time, 's': series, 'p': place, 'd': double, 'i': int64, 'x': text}"

_LAST_OF_EACH = f"""(
    SELECT grp, series, kind, field, bucket, l.t AS time, l.p AS place, l.d AS double, l.i AS int64, l.x AS text,
        NULL::DOUBLE AS count, NULL::DOUBLE AS min, NULL::DOUBLE AS max
    FROM (SELECT grp, series, kind, field, bucket, max({_END}) AS l FROM numbers GROUP BY ALL))"""
"""Gauges of a group count once each: with the last value that each series had in the bucket."""


class Engine:
    """A DuckDB in memory that can reach nothing but what it is handed; it is started by the first question.

    Args:
        memory_limit: as ``256MB``.
    """

    def __init__(self, memory_limit: str) -> None:
        self._memory_limit = memory_limit
        self._lock = Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the engine, so that questions from several threads do not meet."""
        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect(
                    ":memory:",
                    config={
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                        "enable_external_access": False,
                        "lock_configuration": True,
                        "memory_limit": self._memory_limit,
                        "threads": 2,
                    },
                )
            return self._connection.cursor()

    def close(self) -> None:
        """Stop the engine, if it was started."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class Folder:
    """Folds the rows of one question.

    Args:
        engine: the DuckDB to use.
        plan: the question.
        groups: the group of each series, by the series' place.
    """

    def __init__(self, engine: Engine, plan: Plan, groups: Sequence[int]) -> None:
        self._engine = engine
        self._plan = plan
        self._groups = pa.array(groups, pa.int32())
        self._sketches: dict[CellKey, Sketch] = {}
        self._members: dict[CellKey, Distinct] = {}
        self._failure: Exception | None = None

    def fold(
        self, tables: Iterable[pa.Table], *, last_of_each: bool
    ) -> tuple[dict[CellKey, Cell], dict[int, tuple[int, int]]]:
        """Return the cells, and for each group the first and the last of its series that has rows.

        Args:
            tables: rows of :func:`stathouse.backends.local.scan.scan`.
            last_of_each: let each series count once a bucket, with its last value.

        Raises:
            InputError: the answer would be too large, or needs more memory than it may have.
        """
        source = _LAST_OF_EACH if last_of_each else "numbers"
        cells: dict[CellKey, Cell] = {}
        spans: dict[int, tuple[int, int]] = {}
        try:
            for row in self._rows(self._sql(source), tables):
                key, cell = self._cell(row)
                cells[key] = cell
                low, high = spans.get(key[0], (row[4], row[5]))
                spans[key[0]] = min(low, row[4]), max(high, row[5])
                if len(cells) > MAX_ROWS:
                    raise InputError(
                        f"the answer has more than {MAX_ROWS:,} rows. Ask for a larger step or fewer series.",
                        where="step",
                    )
        except duckdb.Error as error:
            if self._failure is not None:
                raise self._failure from error
            if not isinstance(error, duckdb.OutOfMemoryException):
                raise
            raise InputError(
                "the question needs more memory than it may have. Ask for fewer series or a shorter range.",
                where="series",
            ) from error
        for sketch_key, sketch in self._sketches.items():
            cells[sketch_key].sketch = sketch
        for members_key, members in self._members.items():
            cells[members_key].members = members
        return cells, spans

    def _rows(self, sql: str, tables: Iterable[pa.Table]) -> Iterator[tuple[Any, ...]]:
        reader = pa.RecordBatchReader.from_batches(_NUMBERS, self._kept_failure(self._numbers(tables)))
        with self._engine.cursor() as cursor:
            cursor.register("numbers", reader)
            cursor.execute(sql)
            while rows := cursor.fetchmany(10_000):
                yield from rows

    def _kept_failure(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches; what goes wrong on the way is remembered, since DuckDB passes on no more than its text."""
        try:
            yield from batches
        except Exception as error:
            self._failure = error
            raise

    def _numbers(self, tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        """Yield the rows as DuckDB takes them, and fold the sketches on the way."""
        place = 0
        for table in tables:
            groups = self._groups.take(table.column("series").combine_chunks())
            buckets = _buckets(table.column("time"), self._plan.query.step_ns)
            table = table.append_column("grp", groups).append_column("bucket", buckets)
            table = table.append_column("place", pa.array(range(place, place + table.num_rows), pa.int64()))
            place += table.num_rows
            if self._plan.needs_bytes:
                self._fold_bytes(table)
            yield from table.select(_NUMBERS.names).cast(_NUMBERS).to_batches()

    def _fold_bytes(self, table: pa.Table) -> None:
        keys = ["grp", "kind", "field", "bucket"]
        for kind in ("timer", "set"):
            is_kind = pc.and_(pc.equal(table.column("kind"), word(kind)), pc.is_valid(table.column("bytes")))
            rows = table.filter(is_kind).select([*keys, "bytes"])
            if not rows.num_rows:
                continue
            grouped = rows.group_by(keys).aggregate([("bytes", "list")])
            columns = [grouped.column(name).to_pylist() for name in (*keys, "bytes_list")]
            for group, one_kind, field, bucket, bodies in zip(*columns, strict=True):
                self._add((group, one_kind, field, bucket), bodies)

    def _add(self, key: CellKey, bodies: list[bytes]) -> None:
        if key[1] == "timer":
            sketch = Sketch.merge_bytes(bodies)
            if key in self._sketches:
                self._sketches[key].merge(sketch)
            else:
                self._sketches[key] = sketch
            return
        members = Distinct.merge_bytes(bodies)
        if key in self._members:
            self._members[key].merge(members)
        else:
            self._members[key] = members

    def _sql(self, source: str) -> str:
        plan = self._plan
        wants = plan.query.aggregates
        ends = f"min({_END}), max({_END})" if plan.needs_ends else "NULL, NULL"
        distinct = (
            "count(DISTINCT CASE WHEN kind = '' THEN coalesce(text, double::VARCHAR, int64::VARCHAR) END)"
            if "distinct" in wants
            else "0"
        )
        # The fractions are numbers of ours, not text from outside.
        fractions = ", ".join(repr(fraction) for fraction in plan.fractions)
        percentiles = (
            f"""CASE WHEN kind IN ('timer', 'set') THEN NULL WHEN count(double) = 0
                THEN quantile_disc(int64, [{fractions}])::VARCHAR[] END,
            CASE WHEN kind IN ('timer', 'set') THEN NULL WHEN count(double) > 0
                THEN quantile_disc(coalesce(double, int64::DOUBLE), [{fractions}]) END"""
            if fractions
            else "NULL, NULL"
        )
        return f"""SELECT grp, kind, field, bucket, min(series), max(series), count(*),
            count(double), count(int64), count(text), sum(double), sum(int64), min(double), min(int64),
            max(double), max(int64), sum(count), min(min), max(max), {distinct}, {ends}, {percentiles}
            FROM {source} GROUP BY grp, kind, field, bucket"""

    def _cell(self, row: tuple[Any, ...]) -> tuple[CellKey, Cell]:
        (group, kind, field, bucket, _, _, rows, doubles, integers, texts, *numbers) = row
        (sum_d, sum_i, min_d, min_i, max_d, max_i, samples, low, high, distinct, first, last, exact, inexact) = numbers
        cell = Cell(
            kind=kind,
            field=field,
            rows=rows,
            doubles=doubles,
            integers=integers,
            texts=texts,
            sum_double=sum_d,
            sum_integer=None if sum_i is None else int(sum_i),
            min_double=min_d,
            min_integer=min_i,
            max_double=max_d,
            max_integer=max_i,
            samples=samples,
            low=low,
            high=high,
            distinct=distinct,
            percentiles=[int(text) for text in exact] if exact else inexact or (),
            first=_end_value(first),
            last=_end_value(last),
        )
        return (group, kind, field, bucket), cell


def cells_of_rows(table: pa.Table) -> Iterator[tuple[int, int, Cell]]:
    """Yield (place of the series, time, cell) for each row of a scanned table: rows as they are kept."""
    names = ["series", "time", "kind", "field", "double", "int64", "text", "count", "min", "max"]
    columns = [table.column(name).to_pylist() for name in names]
    bodies = table.column("bytes").to_pylist() if "bytes" in table.column_names else [None] * table.num_rows
    for series, time_ns, kind, field, double, whole, text, count, low, high, body in zip(*columns, bodies, strict=True):
        number: Value | None = double if double is not None else whole
        value = number if number is not None else text
        cell = Cell(
            kind=kind,
            field=field,
            rows=1,
            doubles=double is not None,
            integers=whole is not None,
            texts=text is not None,
            sum_double=double,
            sum_integer=whole,
            min_double=double,
            min_integer=whole,
            max_double=double,
            max_integer=whole,
            samples=count,
            low=low,
            high=high,
            distinct=value is not None,
            first=value,
            last=value,
            sketch=Sketch.from_bytes(body) if body is not None and kind == "timer" else None,
            members=Distinct.from_bytes(body) if body is not None and kind == "set" else None,
        )
        yield series, time_ns, cell


def _buckets(times: Column, step_ns: int | None) -> Column:
    """Return the start of each time's bucket; buckets begin at multiples of the step since 1970."""
    if step_ns is None:
        return times
    step = integer(step_ns)
    starts = pc.multiply(pc.divide(times, step), step)
    # Division cuts towards zero; before 1970 that is one bucket too late.
    buckets: Column = pc.if_else(pc.greater(starts, times), pc.subtract(starts, step), starts)
    return buckets


def _end_value(end: dict[str, Any] | None) -> Value | None:
    if end is None:
        return None
    for name in ("d", "i", "x"):
        if end[name] is not None:
            value: Value = end[name]
            return value
    return None
