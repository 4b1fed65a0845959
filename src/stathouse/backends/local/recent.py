"""Recent rows: what is not sealed yet, as the Arrow tables that came in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from stathouse.backends.local.arrow import kernels as pc
from stathouse.model import BatchName, Table

__all__ = ["Chunk", "Recent"]

_JOIN_AT = 64
_SMALL_ROWS = 8_192


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Rows of one or more batches. It never changes, so readers keep it as long as they like."""

    names: tuple[BatchName, ...]
    table: pa.Table

    @cached_property
    def series(self) -> pa.Table:
        """Return (name, tags, kind, field, first, last) of each series and field, made when first asked for."""
        rows = self.table.select(["name", "tags", "kind", "field"]).append_column(
            "time", self.table.column("time").cast(pa.int64())
        )
        grouped = rows.group_by(["name", "tags", "kind", "field"], use_threads=False)
        found = grouped.aggregate([("time", "min"), ("time", "max")])
        return found.select(["name", "tags", "kind", "field", "time_min", "time_max"])

    @cached_property
    def time_range(self) -> tuple[int, int]:
        """Return the first and last time; (0, -1) when there are no rows."""
        if not self.table.num_rows:
            return (0, -1)
        ends = pc.min_max(self.table.column("time").cast(pa.int64()))
        return ends["min"].as_py(), ends["max"].as_py()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The recent rows of both tables, as one value that is replaced whole."""

    points: tuple[Chunk, ...] = ()
    events: tuple[Chunk, ...] = ()
    empty: tuple[tuple[Table, BatchName], ...] = ()
    rows: int = 0
    bytes: int = 0

    def chunks(self, table: Table) -> tuple[Chunk, ...]:
        """Return the chunks of a table, in the order in which they came."""
        return self.points if table == "points" else self.events

    def with_rows(self, table: Table, name: BatchName, rows: pa.Table, size: int) -> Recent:
        """Return this and a batch more."""
        if not rows.num_rows:
            return Recent(
                points=self.points,
                events=self.events,
                empty=(*self.empty, (table, name)),
                rows=self.rows,
                bytes=self.bytes,
            )
        chunks = _joined((*self.chunks(table), Chunk(names=(name,), table=rows)))
        return Recent(
            points=chunks if table == "points" else self.points,
            events=chunks if table == "events" else self.events,
            empty=self.empty,
            rows=self.rows + rows.num_rows,
            bytes=self.bytes + size,
        )

    def names(self, table: Table) -> list[BatchName]:
        """Return the batches of a table that are here, also those without rows."""
        return [name for chunk in self.chunks(table) for name in chunk.names] + [
            name for its_table, name in self.empty if its_table == table
        ]

    def followed_by(self, later: Recent) -> Recent:
        """Return these rows and later ones."""
        return Recent(
            points=self.points + later.points,
            events=self.events + later.events,
            empty=self.empty + later.empty,
            rows=self.rows + later.rows,
            bytes=self.bytes + later.bytes,
        )


def _joined(chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """Return the chunks, the small ones at the end made one when there are many."""
    small = 0
    while small < len(chunks) and chunks[-1 - small].table.num_rows < _SMALL_ROWS:
        small += 1
    if small < _JOIN_AT:
        return chunks
    tail = chunks[-small:]
    table = pa.concat_tables([chunk.table for chunk in tail]).combine_chunks()
    return (*chunks[:-small], Chunk(names=tuple(name for chunk in tail for name in chunk.names), table=table))
