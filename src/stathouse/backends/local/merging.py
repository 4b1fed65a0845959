"""Merging and retention: many small files become one, old rows go; readers notice nothing.

Files are sorted alike, so a merge takes the same stretch of series out of each, sorts that, and writes it: memory is
bounded by the stretch, not by the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stathouse.backends.local.arrow import Array, run_ends
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.index import Index
from stathouse.backends.local.jobs import DAY_NS, Job, next_job
from stathouse.backends.local.ledger import Ledger
from stathouse.backends.local.sealed import Draft, reading, write
from stathouse.backends.local.sealing import place
from stathouse.backends.local.shelf import Shelf
from stathouse.backends.local.sorting import sort_events, sort_points
from stathouse.errors import StoreDamaged, StoreError

__all__ = ["Interrupted", "Merger"]

_STRETCH_ROWS = 200_000
_TEXTS = ["name", "tags", "kind", "field"]


class Interrupted(Exception):
    """The archive is being closed: the merge is given up, its sources stay."""


class Merger:
    """Does the jobs, one at a time.

    Args:
        shelf: whose files.
        pause: called between small steps, so that merging does not take the machine; may raise :class:`Interrupted`.
    """

    def __init__(self, shelf: Shelf, *, pause: Callable[[], None] = lambda: None) -> None:
        self._shelf = shelf
        self._pause = pause
        self.failures = 0

    def merge_once(self) -> bool:
        """Do the next job, if any; also remove replaced files whose time is up.

        Returns:
            True when there was something to do, so that there may be more.
        """
        shelf = self._shelf
        shelf.catch_up()
        removed = shelf.remove_retired()
        keep_ns = int(shelf.options.keep_days * 86_400e9)
        now_ns = shelf.clock.now_ns()
        job = next_job(shelf.manifest.files, now_ns=now_ns, keep_ns=keep_ns)
        if job is None:
            return removed > 0
        if job.sources[-1].last_ns < job.from_ns:
            shelf.retire(job.sources, (), lambda: shelf.catalogue.expire(job.from_ns - 2 * DAY_NS))
            return True
        placed: list[Path] = []
        try:
            self._do(job, placed)
        except Interrupted:
            return False
        except StoreDamaged as error:
            self._blame(job, error)
        except FileNotFoundError as error:
            self._miss(job, error)
        except (OSError, pa.ArrowException, StoreError) as error:
            shelf.note(f"merging failed: {error}; the files stay as they are")
        else:
            self.failures = 0
            return True
        self.failures += 1
        for path in placed:
            shelf.files.remove(path)
        return False

    def _do(self, job: Job, placed: list[Path]) -> None:
        shelf = self._shelf
        ledger = Ledger()
        for entry in job.sources:
            ledger.merge(entry.batches)
        draft = Draft(
            table=job.table,
            level=job.level,
            number=shelf.next_number(),
            order=job.sources[0].order,
            batches=ledger.to_ranges(),
            replaces=tuple(entry.path for entry in job.sources),
        )
        counts: dict[int, int] = {}
        tables = self._events(job) if job.table == "events" else self._points(job, counts)
        written = write(shelf.files, shelf.folder, draft, tables)
        if written is None:
            shelf.retire(job.sources, (), lambda: None)
            return
        entry = place(shelf, written, placed)

        def index() -> None:
            if job.table == "points":
                shelf.catalogue.add_merged(entry, list(counts), list(counts.values()), written.groups)
            else:
                shelf.catalogue.add_events(entry, [])

        shelf.retire(job.sources, (entry,), index)

    def _points(self, job: Job, counts: dict[int, int]) -> Iterator[pa.Table]:
        """Yield sorted stretches, and count the rows of each series on the way, in the order of the rows."""
        shelf = self._shelf
        indexes = [shelf.index(entry) for entry in job.sources]
        wanted = pc.unique(pa.concat_arrays([index.ids for index in indexes]))
        order = shelf.catalogue.order(wanted)
        if len(order) != len(wanted):
            # Retention forgets a series by its last row, which may be in a file that is still to be written again.
            indexes = [shelf.index_again(entry) for entry in job.sources]
            wanted = pc.unique(pa.concat_arrays([index.ids for index in indexes]))
            order = shelf.catalogue.order(wanted)
        if len(order) != len(wanted):
            raise StoreError("the catalogue has forgotten series that the files have")
        ranks = [pc.index_in(index.ids, value_set=order) for index in indexes]
        for low, high in _stretches(indexes, ranks, len(order)):
            parts = [
                part
                for entry, index, rank in zip(job.sources, indexes, ranks, strict=True)
                if (part := _part(shelf.folder / entry.path, index, rank, low, high)) is not None
            ]
            ordered = sort_points(pa.concat_tables(parts))
            if job.from_ns > -(2**63):
                ordered = ordered.filter(pc.greater_equal(ordered.column("time").cast(pa.int64()), job.from_ns))
            for pair in pc.value_counts(ordered.column("rank")).to_pylist():
                counts[order[pair["values"]].as_py()] = pair["counts"]
            yield ordered.drop_columns(["rank"])
            self._pause()

    def _events(self, job: Job) -> Iterator[pa.Table]:
        tables = []
        for entry in job.sources:
            path = self._shelf.folder / entry.path
            with reading(path):
                tables.append(pq.read_table(path, page_checksum_verification=True, use_threads=False))
        ordered = sort_events(pa.concat_tables(tables))
        yield ordered.filter(pc.greater_equal(ordered.column("time").cast(pa.int64()), job.from_ns))

    def _blame(self, job: Job, error: StoreDamaged) -> None:
        """Set the damaged source aside; a damaged result only makes this merge fail."""
        for entry in job.sources:
            if error.path == str(self._shelf.folder / entry.path):
                self._shelf.damaged(entry, str(error))
                return
        self._shelf.note(f"merging failed: {error}; the files stay as they are")

    def _miss(self, job: Job, error: FileNotFoundError) -> None:
        """Take a source that is gone off the shelf, or no merge would ever get past it."""
        for entry in job.sources:
            if not (self._shelf.folder / entry.path).exists():
                self._shelf.damaged(entry, "it is missing")
                return
        self._shelf.note(f"merging failed: {error}; the files stay as they are")


def _stretches(indexes: Sequence[Index], ranks: Sequence[Array], series: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of ranks that hold about 200,000 rows over all files; a series is never cut."""
    counts = [pc.subtract(index.ends, index.starts) for index in indexes]
    table = pa.table({"rank": pa.concat_arrays(ranks), "rows": pa.concat_arrays(counts)})
    grouped = table.group_by("rank").aggregate([("rows", "sum")]).sort_by("rank")
    totals: list[Any] = grouped.column("rows_sum").to_pylist()
    low = rows = 0
    for rank, count in enumerate(totals):
        if rows and rows + count > _STRETCH_ROWS:
            yield low, rank
            low, rows = rank, 0
        rows += count
    if low < series:
        yield low, series


def _part(path: Path, index: Index, ranks: Array, low: int, high: int) -> pa.Table | None:
    """Return the rows of a stretch of series from one file, with the rank of their series."""
    first = _count_below(ranks, low)
    last = _count_below(ranks, high)
    if first == last:
        return None
    start = index.ends[first - 1].as_py() if first else 0
    end = index.ends[last - 1].as_py()
    groups: list[int] = []
    offset = skipped = 0
    for number, (rows, _, _) in enumerate(index.groups):
        if offset + rows <= start:
            skipped += rows
        elif offset < end:
            groups.append(number)
        offset += rows
    with (
        reading(path),
        pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=_TEXTS, pre_buffer=False) as file,
    ):
        table = file.read_row_groups(groups, use_threads=False)
    ends = pc.subtract(index.ends.slice(first, last - first), start).cast(pa.int32())
    rank = run_ends(ends, ranks.slice(first, last - first))
    return table.slice(start - skipped, end - start).append_column("rank", rank)


def _count_below(ranks: Array, limit: int) -> int:
    return int(pc.sum(pc.less(ranks, limit)).as_py() or 0)
