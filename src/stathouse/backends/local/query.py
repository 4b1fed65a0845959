"""Answers questions about points over recent and sealed rows together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa

from stathouse.backends.local.aggregate import Engine, Folder, cells_of_rows
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.arrow import word
from stathouse.backends.local.catalogue import Found
from stathouse.backends.local.cells import Cell, labelled
from stathouse.backends.local.plan import MAX_ROWS, Plan, check_buckets, make_plan
from stathouse.backends.local.recent import Chunk
from stathouse.backends.local.scan import Openings, Stale, Wanted, scan
from stathouse.backends.local.selection import select
from stathouse.backends.local.shelf import Shelf, View
from stathouse.errors import InputError, StoreError
from stathouse.model import Answer, Query, Row, SeriesRows, Tags
from stathouse.wire.tags import from_text

__all__ = ["Answerer"]

_TRIES = 20


class Answerer:
    """Answers questions. Safe for any number of threads.

    Args:
        shelf: what is kept.
        engine: the DuckDB that folds numbers.
    """

    def __init__(self, shelf: Shelf, engine: Engine) -> None:
        self._shelf = shelf
        self._engine = engine
        self._openings = Openings(shelf)

    def answer(self, query: Query, *, unflushed: Sequence[Chunk] = ()) -> Answer:
        """Answer a question.

        Args:
            query: the question.
            unflushed: rows to be answered with the kept ones, but for those whose batch is kept.

        Raises:
            InputError: it makes no sense, or its answer would be too large.
        """
        plan = make_plan(query)
        for _ in range(_TRIES):
            try:
                return self._answer(plan, self._shelf.view(unflushed))
            except Stale:
                continue
        raise StoreError("the sealed files change faster than they can be read; ask again.")

    def _answer(self, plan: Plan, view: View) -> Answer:
        query = plan.query
        chunks = [*view.recent.points, *view.others]
        series = select(self._shelf.catalogue, chunks, query)
        if not series:
            return Answer(series=())
        plan = make_plan(query, kinds=frozenset().union(*(one.kinds for one in series)))
        files = view.sealed("points")
        ends = [chunk.time_range for chunk in chunks if chunk.table.num_rows]
        ends += [(entry.first_ns, entry.last_ns) for entry in files]
        check_buckets(query, min(first for first, _ in ends), max(last for _, last in ends))
        reader = partial(scan, self._shelf, self._openings, files=files, chunks=chunks)
        question = _Question(plan, engine=self._engine, reader=reader)
        return question.grouped(series) if query.by is not None else question.each(series)


class _Question:
    """One question over one view."""

    def __init__(self, plan: Plan, *, engine: Engine, reader: Callable[[Wanted], Iterator[pa.Table]]) -> None:
        self._plan = plan
        self._engine = engine
        self._reader = reader

    def each(self, series: Sequence[Found]) -> Answer:
        """Answer with every series apart. Only as many are read as the answer may have."""
        limit = self._plan.query.limit
        answered: list[SeriesRows] = []
        count = at = 0
        while at < len(series) and count <= limit:
            some = series[at : at + max(limit + 1 - count, 16)]
            at += len(some)
            for found, rows in self._rows_of(some):
                count += 1
                if count <= limit:
                    answered.extend(
                        SeriesRows(name=found.name, tags=from_text(found.tags), field=field, kind=kind, rows=its_rows)
                        for (kind, field), its_rows in rows
                    )
            if sum(len(one.rows) for one in answered) > MAX_ROWS:
                raise _too_many()
        return Answer(series=tuple(answered), truncated=count > limit)

    def grouped(self, series: Sequence[Found]) -> Answer:
        """Answer with the series merged by their ``by`` tags."""
        by = self._plan.query.by or ()
        keys: dict[Tags, int] = {}
        groups = [keys.setdefault(_group_of(found, by), len(keys)) for found in series]
        cells: dict[int, list[tuple[int, Cell]]] = {}
        names: dict[int, set[str]] = {}
        for is_gauge in (False, True):
            part = [place for place, one in enumerate(series) if _has_kind(one, is_gauge=is_gauge)]
            if not part:
                continue
            folder = Folder(self._engine, self._plan, [groups[place] for place in part])
            tables = _of_kind(self._scan([series[place] for place in part]), is_gauge=is_gauge)
            folded, spans = folder.fold(tables, last_of_each=is_gauge)
            for (group, _, _, bucket), cell in folded.items():
                cells.setdefault(group, []).append((bucket, cell))
            for group, (low, high) in spans.items():
                names.setdefault(group, set()).update((series[part[low]].name, series[part[high]].name))
        ordered = sorted((tags, group) for tags, group in keys.items() if group in cells)
        limit = self._plan.query.limit
        answered = [
            SeriesRows(name=self._name(names[group]), tags=tags, field=field, kind=kind, rows=rows)
            for tags, group in ordered[:limit]
            for (kind, field), rows in _by_field(cells[group], self._plan)
        ]
        return Answer(series=tuple(answered), truncated=len(ordered) > limit)

    def _name(self, names: set[str]) -> str:
        return next(iter(names)) if len(names) == 1 else self._plan.query.series

    def _rows_of(
        self, series: Sequence[Found]
    ) -> Iterator[tuple[Found, list[tuple[tuple[str, str], tuple[Row, ...]]]]]:
        """Yield each series that has rows, with its rows by kind and field."""
        if self._plan.query.step_ns is None:
            cells = self._kept(series)
        else:
            folder = Folder(self._engine, self._plan, range(len(series)))
            folded, _ = folder.fold(self._scan(series), last_of_each=False)
            cells = {}
            for (place, _, _, bucket), cell in folded.items():
                cells.setdefault(place, []).append((bucket, cell))
        for place in sorted(cells):
            yield series[place], _by_field(cells[place], self._plan)

    def _kept(self, series: Sequence[Found]) -> dict[int, list[tuple[int, Cell]]]:
        """Return the rows as they are kept."""
        cells: dict[int, list[tuple[int, Cell]]] = {}
        count = 0
        for table in self._scan(series):
            count += table.num_rows
            if count > MAX_ROWS:
                raise _too_many()
            for place, time_ns, cell in cells_of_rows(table):
                cell.percentiles = [cell.last] * len(self._plan.fractions)
                cells.setdefault(place, []).append((time_ns, cell))
        return cells

    def _scan(self, series: Sequence[Found]) -> Iterator[pa.Table]:
        query = self._plan.query
        wanted = Wanted(series=series, start_ns=query.start_ns, end_ns=query.end_ns, with_bytes=self._plan.needs_bytes)
        return self._reader(wanted)


def _by_field(cells: Iterable[tuple[int, Cell]], plan: Plan) -> list[tuple[tuple[str, str], tuple[Row, ...]]]:
    """Return rows by (kind, field of the answer), in the order of the aggregates and of time."""
    rows: dict[tuple[str, str], list[Row]] = {}
    # The order of the kinds and fields is fixed first; rows of equal time keep the order in which they came.
    for time_ns, cell in sorted(cells, key=lambda pair: (pair[1].kind, pair[1].field, pair[0])):
        for field, value in labelled(cell, plan):
            rows.setdefault((cell.kind, field), []).append(Row(time_ns=time_ns, value=value))
    return [(key, tuple(some)) for key, some in rows.items()]


def _group_of(found: Found, by: Sequence[str]) -> Tags:
    wanted = set(by)
    return tuple(pair for pair in from_text(found.tags) if pair[0] in wanted)


def _has_kind(found: Found, *, is_gauge: bool) -> bool:
    return "gauge" in found.kinds if is_gauge else found.kinds != {"gauge"}


def _of_kind(tables: Iterable[pa.Table], *, is_gauge: bool) -> Iterator[pa.Table]:
    """Yield the rows that are gauges, or those that are not."""
    for table in tables:
        mask = pc.equal(table.column("kind"), word("gauge"))
        yield table.filter(mask if is_gauge else pc.invert(mask))


def _too_many() -> InputError:
    return InputError(
        f"the answer has more than {MAX_ROWS:,} rows. Ask with a step, for fewer series or for a shorter range.",
        where="step",
    )
