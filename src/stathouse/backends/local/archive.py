"""The local archive: takes named batches, seals them into files, merges the files, and answers questions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread
from types import TracebackType

import pyarrow as pa

from stathouse.backends.local.aggregate import Engine
from stathouse.backends.local.events import find_events
from stathouse.backends.local.files import Files
from stathouse.backends.local.lock import hold
from stathouse.backends.local.merging import Interrupted, Merger
from stathouse.backends.local.options import ArchiveOptions, ArchiveSettings
from stathouse.backends.local.query import Answerer
from stathouse.backends.local.recent import Chunk, Recent
from stathouse.backends.local.sealed import SCHEMAS
from stathouse.backends.local.sealing import Sealer
from stathouse.backends.local.selection import search as search_series
from stathouse.backends.local.shelf import Shelf
from stathouse.errors import InputError
from stathouse.model import (
    Answer,
    Batch,
    BatchName,
    Clock,
    Event,
    EventQuery,
    Outcome,
    Query,
    Rejection,
    SeriesInfo,
    SystemClock,
    Table,
)
from stathouse.wire.tables import FORMAT_VERSION, read_stream

__all__ = ["LocalArchive"]

_log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_REST_AFTER_FAILURE_SECONDS = 30.0
_SEALS_IN_MEMORY = 3


class LocalArchive:
    """Keeps rows on the local disk: a writer and a reader, and a context manager.

    Recent rows live in memory until they are sealed: whoever writes keeps each batch until ``durable_through`` has
    passed it, and after a start sends again what came later.

    Args:
        folder: where the files are; one archive at a time, see :mod:`stathouse.backends.local.lock`.
        options: when to seal, how long to keep.
        clock: the time.
        files: the disk.
        in_background: seal by time, merge and expire on a thread of its own; without it call ``tick`` and
            ``merge_once``.

    Raises:
        StoreLocked: another house has it open.
        StoreError: a newer version wrote the folder; nothing was touched.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        options: ArchiveOptions | None = None,
        clock: Clock | None = None,
        files: Files | None = None,
        in_background: bool = False,
    ) -> None:
        self._options = options or ArchiveSettings()
        self._clock = clock or SystemClock()
        files = files or Files()
        files.make_folder(Path(folder))
        with ExitStack() as stack:
            stack.enter_context(hold(folder))
            self._shelf = Shelf(Path(folder), options=self._options, clock=self._clock, files=files)
            stack.callback(self._shelf.close)
            self._open = stack.pop_all()
        self._sealing = Lock()
        self._merging = Lock()
        self._first_row_at: float | None = None
        self._stop = Signal()
        self._sealer = Sealer(self._shelf)
        self._merger = Merger(self._shelf, pause=self._pause)
        self._engine = Engine(self._options.memory_limit)
        self._answerer = Answerer(self._shelf, self._engine)
        self._thread = Thread(target=self._run, name="archive", daemon=True) if in_background else None
        if self._thread is not None:
            self._thread.start()

    @property
    def folder(self) -> Path:
        """Return where the files are."""
        return self._shelf.folder

    def write(self, batch: Batch) -> Outcome:
        """Keep a batch, once however often it is sent; when enough is recent, seal."""
        if self._shelf.has(batch.table, batch.name):
            return Outcome(accepted=batch.rows)
        if not self.room():
            return Outcome(keep=batch.rows, retry_after_seconds=1.0, detail="the disk is nearly full")
        if self._is_full():
            return Outcome(keep=batch.rows, retry_after_seconds=1.0, detail="sealing does not keep up")
        rows, problem = _rows_of(batch)
        recent = self._shelf.take(batch.table, batch.name, rows, len(batch.body))
        if self._first_row_at is None:
            self._first_row_at = self._clock.monotonic()
        if self._is_due(recent):
            self.seal(wait=False)
        if problem:
            return Outcome(rejected=(Rejection(reason="rejected_by_store", rows=batch.rows, detail=problem),))
        return Outcome(accepted=batch.rows)

    def durable_through(self) -> BatchName | None:
        """Return the last batch that is in sealed, verified files together with all before it."""
        return self._shelf.manifest.durable

    def tick(self) -> None:
        """Seal when it is time; to be called about once a second."""
        view = self._shelf.view()
        if self._is_due(view.recent):
            self.seal(wait=False)

    def seal(self, *, wait: bool = True) -> bool:
        """Seal what is recent now.

        Args:
            wait: for a seal that is running; else leave it to that one.

        Returns:
            False when there is no room, when it failed, or when another seal runs; the rows are still recent then.
        """
        if not self._sealing.acquire(blocking=wait):
            return False
        try:
            recent = self._shelf.view().recent
            if not recent.rows and not recent.empty:
                return True
            if not self.room():
                return False
            first, self._first_row_at = self._first_row_at, None
            done = self._sealer.seal()
            if not done:
                self._first_row_at = first
            return done
        finally:
            self._sealing.release()

    def merge_once(self) -> bool:
        """Do one merge, one removal of old rows, or the removal of replaced files; True when there may be more."""
        with self._merging:
            return self._merger.merge_once()

    def room(self) -> bool:
        """Tell whether enough of the disk is free to take rows."""
        total, free = self._shelf.files.room(self._shelf.folder)
        share = int(total * self._options.min_free_percent / 100)
        return free >= min(share, self._options.min_free_bytes)

    def query(self, query: Query, *, unflushed: bytes | None = None, on_the_way: Sequence[Batch] = ()) -> Answer:
        """Answer a question about points.

        Raises:
            InputError: the question makes no sense, or its answer would be too large.
        """
        chunks = [_chunk(batch.body, batch.name) for batch in on_the_way if batch.table == "points"]
        if unflushed is not None:
            chunks.append(_chunk(unflushed))
        return self._answerer.answer(query, unflushed=chunks)

    def series(self, *, search: str = "", limit: int = 1000) -> Sequence[SeriesInfo]:
        """Return series whose name or tags contain ``search`` (or match it, when it is a glob), by name."""
        if limit <= 0:
            raise InputError("the limit has to be 1 or more.", where="limit")
        return search_series(self._shelf.catalogue, self._shelf.view().recent.points, search, limit)

    def events(self, query: EventQuery) -> Sequence[Event]:
        """Return for each matching key the row that stands for it, newest first."""
        return find_events(self._shelf.catalogue, self._shelf.view().recent.events, query)

    def stats(self) -> dict[str, object]:
        """Return figures of now: files, bytes, rows_sealed, rows_recent, series, quarantined, and problems in words."""
        view = self._shelf.view()
        return {
            "files": len(view.files),
            "bytes": sum(entry.bytes for entry in view.files),
            "rows_sealed": sum(entry.rows for entry in view.files),
            "rows_recent": view.recent.rows,
            "series": self._shelf.catalogue.count(),
            "quarantined": self._shelf.quarantined,
            "problems": list(self._shelf.problems),
        }

    def close(self) -> None:
        """Seal what is recent, give up the merge that runs, and let go of the files."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.seal()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the files without sealing, as a crash would."""
        self._stop.set()
        with self._merging, self._sealing:
            self._engine.close()
            self._open.close()

    def __enter__(self) -> LocalArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_due(self, recent: Recent) -> bool:
        if not (recent.rows or recent.empty) or not self._sealer.is_allowed():
            return False
        options = self._options
        waited = 0.0 if self._first_row_at is None else self._clock.monotonic() - self._first_row_at
        return recent.rows >= options.seal_rows or recent.bytes >= options.seal_bytes or waited >= options.seal_seconds

    def _is_full(self) -> bool:
        """Tell whether so much waits for a seal (they fail, or the disk is slow) that memory has to be spared."""
        recent, options = self._shelf.view().recent, self._options
        return (
            recent.rows >= _SEALS_IN_MEMORY * options.seal_rows or recent.bytes >= _SEALS_IN_MEMORY * options.seal_bytes
        )

    def _run(self) -> None:
        rest_until = 0.0
        while not self._stop.wait(_TICK_SECONDS):
            try:
                self.tick()
                while self._clock.monotonic() >= rest_until and not self._stop.is_set() and self.merge_once():
                    self.tick()
            except Exception as error:
                # A fault of this program must not end the thread that seals by time: the spool would grow for ever.
                _log.exception("sealing or merging failed")
                self._shelf.note(f"sealing or merging failed: {error}; the files stay as they are")
                rest_until = self._clock.monotonic() + _REST_AFTER_FAILURE_SECONDS
            if self._merger.failures:
                rest_until = self._clock.monotonic() + _REST_AFTER_FAILURE_SECONDS

    def _pause(self) -> None:
        """Leave the machine to others between two steps of a merge; in the foreground there is no hurry to yield.

        Raises:
            Interrupted: the archive is being closed.
        """
        if self._thread is not None:
            if self._stop.wait(0.05):
                raise Interrupted
            self.tick()


def _rows_of(batch: Batch) -> tuple[pa.Table, str]:
    """Return a batch's rows and why they cannot be kept; a batch that cannot be kept has no rows."""
    try:
        table = read_stream(batch.body)
        version = int((table.schema.metadata or {}).get(b"stathouse.format", b"1"))
        if version > FORMAT_VERSION:
            return _empty(batch.table), f"the rows have format {version}, this house keeps {FORMAT_VERSION}"
        rows = _plain(table, batch.table)
        rows.validate(full=True)
        if any(rows.column(field.name).null_count for field in SCHEMAS[batch.table] if not field.nullable):
            return _empty(batch.table), "a name, kind, field, time or key is missing"
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        return _empty(batch.table), " ".join(str(error).split())[:200]
    if rows.num_rows != batch.rows:
        return _empty(batch.table), f"the body has {rows.num_rows} rows, the batch says {batch.rows}"
    return rows, ""


def _chunk(body: bytes, *names: BatchName) -> Chunk:
    return Chunk(names=names, table=_plain(read_stream(body), "points"))


def _plain(table: pa.Table, name: Table) -> pa.Table:
    """Return a table in exactly the schema of its kind, without copying where it has it already."""
    schema = SCHEMAS[name].remove_metadata()
    return table.select(schema.names).replace_schema_metadata(None).cast(schema)


def _empty(name: Table) -> pa.Table:
    return SCHEMAS[name].remove_metadata().empty_table()
