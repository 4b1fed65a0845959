"""What a sealed file holds, series by series: which rows are whose, and the time range of each row group."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from stathouse.backends.local.arrow import Array, DictionaryArray, run_ends
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.sorting import as_dictionary, runs_of

__all__ = ["Described", "Index", "decode", "describe", "encode", "join_described"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A series as a stretch of sorted rows shows it; ``kinds`` and ``fields`` are JSON lists."""

    name: str
    tags: str
    kind: str
    kinds: str
    fields: str
    first_ns: int
    last_ns: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Where the series of a file are.

    Args:
        ids: the series' ids in the order of their rows.
        ends: the row after the last of each series.
        groups: (rows, first time, last time) of each row group.
    """

    ids: Array
    ends: Array
    groups: tuple[tuple[int, int, int], ...]

    @property
    def starts(self) -> Array:
        """Return the first row of each series."""
        return pa.concat_arrays([pa.array([0], pa.int64()), self.ends.slice(0, max(len(self.ends) - 1, 0))])


def encode(ids: Sequence[int], counts: Sequence[int]) -> bytes:
    """Return ids and their row counts as compressed bytes: ids as differences, which are small."""
    numbers = pa.array(ids, pa.int64())
    steps = pc.fill_null(pc.pairwise_diff(numbers), numbers[0] if len(numbers) else 0).cast(pa.int32())
    return zlib.compress(_bytes(steps) + _bytes(pa.array(counts, pa.int32())), 6)


def decode(body: bytes, groups: tuple[tuple[int, int, int], ...]) -> Index:
    """Return the index of a file from :func:`encode`'s bytes."""
    plain = pa.py_buffer(zlib.decompress(body))
    length = plain.size // 8
    steps = pa.Array.from_buffers(pa.int32(), length, [None, plain.slice(0, length * 4)])
    counts = pa.Array.from_buffers(pa.int32(), length, [None, plain.slice(length * 4)])
    return Index(
        ids=pc.cumulative_sum(steps.cast(pa.int64())), ends=pc.cumulative_sum(counts.cast(pa.int64())), groups=groups
    )


def describe(table: pa.Table) -> Iterator[Described]:
    """Yield the series of sorted points, one object a series."""
    if table.num_rows == 0:
        return
    for name in ("name", "tags", "kind", "field"):
        if not pa.types.is_dictionary(table.column(name).type) or table.column(name).num_chunks != 1:
            table = table.set_column(table.schema.get_field_index(name), name, as_dictionary(table.column(name)))
    starts = runs_of(table)
    ends = [*starts.slice(1).to_pylist(), table.num_rows]
    columns: dict[str, DictionaryArray] = {
        name: table.column(name).chunk(0) for name in ("name", "tags", "kind", "field")
    }
    run_numbers = run_ends(pa.array(ends, pa.int32()), pa.array(range(len(ends)), pa.int32()))
    times: Array = table.column("time").cast(pa.int64())
    grouped = (
        pa.table(
            {
                "run": run_numbers,
                "kind": columns["kind"].indices,
                "field": columns["field"].indices,
                "time": times,
            }
        )
        .group_by("run", use_threads=False)
        .aggregate([("kind", "distinct"), ("field", "distinct"), ("time", "min"), ("time", "max")])
    )
    kinds, fields = columns["kind"].dictionary.to_pylist(), columns["field"].dictionary.to_pylist()
    texts: dict[tuple[int, tuple[int, ...]], str] = {}

    def as_json(words: Sequence[str], codes: Sequence[int]) -> str:
        key = (id(words), tuple(codes))
        if key not in texts:
            texts[key] = json.dumps(sorted(words[code] for code in codes), ensure_ascii=False)
        return texts[key]

    rows = zip(
        columns["name"].take(starts).to_pylist(),
        columns["tags"].take(starts).to_pylist(),
        grouped.column("kind_distinct").to_pylist(),
        grouped.column("field_distinct").to_pylist(),
        grouped.column("time_min").to_pylist(),
        grouped.column("time_max").to_pylist(),
        starts.to_pylist(),
        ends,
        strict=True,
    )
    for name, tags, kind_codes, field_codes, first, last, start, end in rows:
        kind = kinds[kind_codes[0]] if len(kind_codes) == 1 else _latest_kind(table.slice(start, end - start))
        yield Described(
            name=name,
            tags=tags,
            kind=kind,
            kinds=as_json(kinds, kind_codes),
            fields=as_json(fields, field_codes),
            first_ns=first,
            last_ns=last,
            rows=end - start,
        )


def join_described(stretches: Iterable[Described]) -> Iterator[Described]:
    """Yield series, those that a boundary of two stretches cut in two made whole again."""
    held: Described | None = None
    for one in stretches:
        if held is None:
            held = one
        elif (held.name, held.tags) == (one.name, one.tags):
            held = Described(
                name=one.name,
                tags=one.tags,
                kind=one.kind if one.last_ns >= held.last_ns else held.kind,
                kinds=union_names(held.kinds, one.kinds),
                fields=union_names(held.fields, one.fields),
                first_ns=min(held.first_ns, one.first_ns),
                last_ns=max(held.last_ns, one.last_ns),
                rows=held.rows + one.rows,
            )
        else:
            yield held
            held = one
    if held is not None:
        yield held


def union_names(first: str, second: str) -> str:
    """Return the union of two JSON lists of names, sorted."""
    return json.dumps(sorted({*json.loads(first), *json.loads(second)}), ensure_ascii=False)


def _latest_kind(rows: pa.Table) -> str:
    times = rows.column("time").cast(pa.int64())
    place = pc.index(times, pc.max(times)).as_py()
    return str(rows.column("kind")[place].as_py())


def _bytes(numbers: Array) -> bytes:
    buffer = numbers.buffers()[1]
    width = numbers.type.byte_width
    return buffer.slice(numbers.offset * width, len(numbers) * width).to_pybytes() if buffer else b""
