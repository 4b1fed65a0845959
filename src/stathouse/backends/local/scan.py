"""Reads the rows that a question needs, and no more: from sealed files by row group, and from recent rows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from stathouse.backends.local.arrow import Array, integer, run_ends, word
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.catalogue import Found
from stathouse.backends.local.manifest import FileEntry
from stathouse.backends.local.recent import Chunk
from stathouse.backends.local.sealed import footer_digest, reading
from stathouse.backends.local.shelf import Shelf
from stathouse.errors import StoreDamaged

__all__ = ["Openings", "Stale", "Wanted", "scan"]

_GROUPS_AT_ONCE = 8
_CACHED_COLUMN_CHUNKS = 200_000
_ALWAYS = ["kind", "field", "time", "double", "int64", "text", "count", "min", "max"]


class Stale(Exception):
    """A file that the view names is gone or was set aside: take a new view and ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows: of these series, in this range.

    Args:
        series: in the order of their names and tags; the answer's ``series`` column counts along it.
        with_bytes: also the sketches.
    """

    series: Sequence[Found]
    start_ns: int
    end_ns: int
    with_bytes: bool


class Openings:
    """Opens sealed files; footers are checked and parsed once, as long as there is room to remember them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = Lock()
        self._known: OrderedDict[str, pq.FileMetaData] = OrderedDict()
        self._chunks = 0

    def open(self, entry: FileEntry) -> pq.ParquetFile:
        """Return the open file.

        Raises:
            StoreDamaged: its footer is not the one that was written.
            FileNotFoundError: it is gone.
        """
        path = self._shelf.folder / entry.path
        with self._lock:
            metadata = self._known.get(entry.path)
            if metadata is not None:
                self._known.move_to_end(entry.path)
        if metadata is None and footer_digest(path) != entry.footer:
            raise StoreDamaged(str(path), "its footer is not the one that was written")
        file = pq.ParquetFile(path, metadata=metadata, page_checksum_verification=True, pre_buffer=False)
        if metadata is None:
            self._remember(entry.path, file.metadata)
        return file

    def _remember(self, path: str, metadata: pq.FileMetaData) -> None:
        with self._lock:
            if path not in self._known:
                self._known[path] = metadata
                self._chunks += metadata.num_row_groups * metadata.num_columns
            while self._chunks > _CACHED_COLUMN_CHUNKS and len(self._known) > 1:
                _, old = self._known.popitem(last=False)
                self._chunks -= old.num_row_groups * old.num_columns


def scan(
    shelf: Shelf, openings: Openings, wanted: Wanted, *, files: Sequence[FileEntry], chunks: Sequence[Chunk]
) -> Iterator[pa.Table]:
    """Yield tables of the rows: ``series`` (a place in ``wanted.series``), ``kind``, ``field``, ``time`` and values.

    Raises:
        Stale: a file is gone or damaged; it has been set aside.
    """
    ids = pa.array([one.id or -1 for one in wanted.series], pa.int64())
    if any(one.id for one in wanted.series):
        for entry in files:
            if entry.last_ns < wanted.start_ns or entry.first_ns >= wanted.end_ns:
                continue
            try:
                yield from _sealed(shelf, openings, wanted, ids, entry)
            except StoreDamaged as error:
                shelf.damaged(entry, str(error))
                raise Stale from error
            except FileNotFoundError as error:
                shelf.damaged(entry, "it is missing")  # or replaced since the view was taken, and then nothing changes
                raise Stale from error
    keys = pa.array([f"{one.name}\0{one.tags}" for one in wanted.series], pa.string())
    for chunk in chunks:
        first, last = chunk.time_range
        if last >= wanted.start_ns and first < wanted.end_ns:
            table = _recent(chunk, wanted, keys)
            if table.num_rows:
                yield table


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    end: int
    place: int


def _sealed(shelf: Shelf, openings: Openings, wanted: Wanted, ids: Array, entry: FileEntry) -> Iterator[pa.Table]:
    index = shelf.index(entry)
    places = pc.index_in(index.ids, value_set=ids)
    hits = pc.indices_nonzero(pc.is_valid(places))
    if not len(hits):
        return
    runs = [
        _Run(start, end, place)
        for start, end, place in zip(
            index.starts.take(hits).to_pylist(),
            index.ends.take(hits).to_pylist(),
            places.take(hits).to_pylist(),
            strict=True,
        )
    ]
    needed = _groups(runs, index.groups, wanted)
    if not needed:
        return
    path = shelf.folder / entry.path
    columns = [*_ALWAYS, "bytes"] if wanted.with_bytes else _ALWAYS
    with reading(path), openings.open(entry) as file:
        for at in range(0, len(needed), _GROUPS_AT_ONCE):
            some = needed[at : at + _GROUPS_AT_ONCE]
            table = file.read_row_groups([number for number, _, _ in some], columns=columns, use_threads=False)
            yield from _numbered(table, _places(runs, some), wanted)


def _groups(runs: Sequence[_Run], groups: Sequence[tuple[int, int, int]], wanted: Wanted) -> list[tuple[int, int, int]]:
    """Return (number, first row, row after the last) of the row groups that have rows of the runs in the range."""
    starts, ends = [run.start for run in runs], [run.end for run in runs]
    needed: list[tuple[int, int, int]] = []
    offset = 0
    for number, (rows, first, last) in enumerate(groups):
        low, high = offset, offset + rows
        offset = high
        if last < wanted.start_ns or first >= wanted.end_ns:
            continue
        if bisect_right(ends, low) < bisect_left(starts, high):
            needed.append((number, low, high))
    return needed


def _places(runs: Sequence[_Run], groups: Sequence[tuple[int, int, int]]) -> Array:
    """Return the place of each row's series, null for rows of other series, over the rows of some row groups."""
    ends = [run.end for run in runs]
    row_ends: list[int] = []
    values: list[int | None] = []
    offset = 0
    for _, low, high in groups:
        at = low
        for run in runs[bisect_right(ends, low) :]:
            if run.start >= high:
                break
            if run.start > at:
                row_ends.append(offset + run.start - low)
                values.append(None)
            at = min(run.end, high)
            row_ends.append(offset + at - low)
            values.append(run.place)
        if at < high:
            row_ends.append(offset + high - low)
            values.append(None)
        offset += high - low
    return run_ends(pa.array(row_ends, pa.int32()), pa.array(values, pa.int32()))


def _numbered(table: pa.Table, places: Array, wanted: Wanted) -> Iterator[pa.Table]:
    times = table.column("time").cast(pa.int64())
    table = table.set_column(table.schema.get_field_index("time"), "time", times)
    table = _shaped(table.append_column("series", places), wanted)
    in_range = pc.and_(pc.greater_equal(times, integer(wanted.start_ns)), pc.less(times, integer(wanted.end_ns)))
    table = table.filter(pc.and_(in_range, pc.is_valid(places)))
    if table.num_rows:
        yield table


def _recent(chunk: Chunk, wanted: Wanted, keys: Array) -> pa.Table:
    times = chunk.table.column("time").cast(pa.int64())
    table = chunk.table.set_column(chunk.table.schema.get_field_index("time"), "time", times)
    table = table.filter(
        pc.and_(pc.greater_equal(times, integer(wanted.start_ns)), pc.less(times, integer(wanted.end_ns)))
    )
    names = pa.array(sorted({one.name for one in wanted.series}), pa.string())
    table = table.filter(pc.is_in(table.column("name"), value_set=names))
    key = pc.binary_join_element_wise(table.column("name"), table.column("tags"), word("\0"))
    places = pc.index_in(key, value_set=keys)
    return _shaped(table.append_column("series", places).filter(pc.is_valid(places)), wanted)


def _shaped(table: pa.Table, wanted: Wanted) -> pa.Table:
    columns = ["series", *_ALWAYS, "bytes"] if wanted.with_bytes else ["series", *_ALWAYS]
    return table.select(columns)
