"""The spool: batches on disk, committed before anything is acknowledged, kept until every backend has them for good.

One row of one SQLite table is one batch. A single writing connection commits and checkpoints; another one reads.
All writing happens on one thread (see :mod:`stathouse.delivery.commit`), in one transaction for a whole group:
batches, idempotency keys, counters of loss, the cursors of the backends, and what is trimmed behind them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import apsw

from stathouse.delivery.counts import Depth
from stathouse.delivery.options import DeliveryOptions
from stathouse.delivery.records import Advance, Committed, Entry, Mark, Reading, Spooled, State
from stathouse.delivery.spoolfile import DAMAGE, connect, insert, read_state, spooled, write_state
from stathouse.delivery.spoolfolder import SpoolFolder
from stathouse.errors import StoreDamaged, StoreError, StoreFull
from stathouse.model import Batch, BatchName, Clock

__all__ = ["Spool"]

_log = logging.getLogger(__name__)

_TRIM_BATCHES: Final = 4_096  # in one transaction, so that a long backlog does not hold up the commits
_VACUUM_PAGES: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """How many batches there are, and their bytes."""

    batches: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """What holds once a transaction is committed."""

    state: State
    held: _Held
    sequence: int
    committed: list[Committed]


class Spool:
    """Opens or makes the spool of a folder, and repairs it where that is needed.

    Args:
        folder: where the spool lives, alone; made with mode 0700.
        clock: stamps batches.
        options: bounds, and the life of keys.
        vfs: SQLite's name of the file system layer; empty for the usual one.

    Raises:
        StoreLocked: another process has it open.
        StoreError: a newer Stathouse wrote it; the file is untouched.
        StoreFull: there is no room to make or open it.
    """

    def __init__(self, folder: Path, *, clock: Clock, options: DeliveryOptions, vfs: str = "") -> None:
        self._clock = clock
        self._options = options
        self._vfs = vfs
        self._reading = threading.Lock()
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._state = State(writer="")
        self._held = _Held(batches=0, bytes=0)
        self._sequence = 0
        self._made_ns = 0
        self._suspect = False
        self._attempt: _Attempt | None = None
        self._folder = SpoolFolder(folder, clock=clock, vfs=vfs)
        try:
            self._open()
        except BaseException:
            self._folder.close()
            raise

    # -- what it holds ------------------------------------------------------------------------------------------

    @property
    def end(self) -> Mark:
        """The last batch that was committed."""
        return self._state.end

    @property
    def losses(self) -> Mapping[tuple[str, str], int]:
        """(stage, reason) → rows lost ever."""
        return self._state.losses

    def depth(self) -> Depth:
        """Return what the spool holds and how much room is left on its disk."""
        state, held = self._state, self._held
        made_ns = self.made_after(state.trimmed.position)
        return Depth(
            batches=held.batches,
            rows=state.end.rows - state.trimmed.rows,
            bytes=held.bytes,
            oldest_seconds=max(0.0, (self._clock.now_ns() - made_ns) / 1e9) if made_ns else 0.0,
            free_bytes=self._folder.free_bytes()[0],
        )

    def refusal(self, rows: int, size: int) -> str:
        """Return why there is no room for more rows: ``disk_full``, ``queue_full`` or empty.

        Args:
            rows: how many rows would come.
            size: how many bytes they have.
        """
        options, state = self._options, self._state
        if self._held.bytes + size > options.max_bytes or state.end.rows - state.trimmed.rows + rows > options.max_rows:
            return "queue_full"
        free, total = self._folder.free_bytes()
        least = min(options.min_free_bytes, int(total * options.min_free_percent / 100))
        return "disk_full" if free - size < least else ""

    def made_after(self, position: int) -> int:
        """Return when the first batch after ``position`` was committed, Unix ns; 0 when there is none."""
        if position >= self._state.end.position:
            return 0
        try:
            with self._reading:
                statement = "SELECT made_ns FROM batches WHERE position > ? ORDER BY position LIMIT 1"
                return _integer(self._reader.execute(statement, (position,)).get) if self._reader else 0
        except DAMAGE:
            return 0  # the next read finds it as well, and asks for a repair

    # -- writing, on one thread ---------------------------------------------------------------------------------

    def attach(self, backends: Sequence[str]) -> Mapping[str, Mark]:
        """Say which backends there are, and return where each goes on.

        A new backend begins at the oldest batch; one that is gone no longer holds the spool.
        """
        known = self._state.cursors
        self._state = replace(self._state, cursors={name: known.get(name, self._state.trimmed) for name in backends})
        return self._state.cursors

    def commit(
        self,
        entries: Sequence[Entry],
        *,
        losses: Mapping[tuple[str, str], int] | None = None,
        advances: Iterable[Advance] = (),
    ) -> list[Committed]:
        """Commit a group; when this returns it is on the disk.

        Args:
            entries: rows and their keys.
            losses: (stage, reason) → rows to add to the counters of loss.
            advances: what backends have for good by now.

        Raises:
            StoreFull: there is no room; nothing of the group is kept, a later commit may succeed.
            StoreError: the disk fails, and a new file could not be begun either.
        """
        steps = tuple(advances)
        if self._suspect:
            self._replace()
        try:
            try:
                return self._transact(entries, losses or {}, steps)
            except DAMAGE as error:
                # After a failed fsync nobody knows what is on the disk, and a second fsync may lie: begin a new file.
                _log.error("the spool failed: %s", error)
                self._suspect = True
            attempt = self._attempt
            self._replace()
            if attempt is not None and self._state.commits == attempt.state.commits:
                return attempt.committed  # the commit had reached the old file after all, so the new one has it
            return self._transact(entries, losses or {}, steps)
        except apsw.FullError as error:
            raise StoreFull(f"{self._folder.path}: there is no room on the disk.") from error
        except DAMAGE as error:
            self._suspect = True
            raise StoreError(f"{self._folder.path} cannot be written: {error}.") from error
        except apsw.Error as error:
            raise StoreError(f"{self._folder.path} cannot be written now: {error}.") from error

    def trim(self) -> bool:
        """Forget a further part of what every backend has, after a long backlog; False when nothing is left of it.

        Raises:
            StoreError: as :meth:`commit`.
        """
        marks = self._state.cursors.values()
        if min((mark.position for mark in marks), default=0) <= self._state.trimmed.position:
            return False
        self.commit(())
        return True

    def tidy(self) -> bool:
        """Give some free pages back to the disk; True while there are more than are kept for reuse."""
        writer = self._writer
        if self._suspect or writer is None:
            return False
        try:
            free = _integer(writer.execute("PRAGMA freelist_count").get)
            page = _integer(writer.execute("PRAGMA page_size").get)
            if free * page <= self._options.keep_free_bytes:
                return False
            for _ in writer.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})"):
                pass
        except apsw.FullError:
            return False
        except DAMAGE:
            self._suspect = True
            return False
        return True

    def repair(self) -> None:
        """Begin a new file with what can be read of this one.

        Raises:
            StoreError: that is not possible now; the next commit tries again.
        """
        self._suspect = True
        self._replace()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        with self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None
        self._folder.close()

    # -- reading, on any thread ---------------------------------------------------------------------------------

    def read(self, after: int, max_bytes: int) -> Reading:
        """Return the batches after a position, in order: about ``max_bytes`` of them, but at least one.

        Raises:
            StoreDamaged: the file cannot be read; :meth:`repair` it.
            StoreError: the spool is closed.
        """
        end = self._state.end
        batches: list[Spooled] = []
        size = 0
        statement = "SELECT * FROM batches WHERE position > ? AND position <= ? ORDER BY position"
        try:
            with self._reading:
                if self._reader is None:
                    raise StoreError("the spool is closed.")
                for row in self._reader.execute(statement, (after, end.position)):
                    item = spooled(row)
                    if item is None:
                        continue
                    batches.append(item)
                    size += len(item.batch.body)
                    if size >= max_bytes:
                        return Reading(batches=tuple(batches), through=item.mark)
        except DAMAGE as error:
            if batches:
                return Reading(batches=tuple(batches), through=batches[-1].mark)
            raise StoreDamaged(str(self._folder.path), str(error)) from error
        return Reading(batches=tuple(batches), through=end)

    # -- inside -------------------------------------------------------------------------------------------------

    def _transact(
        self, entries: Sequence[Entry], losses: Mapping[tuple[str, str], int], advances: tuple[Advance, ...]
    ) -> list[Committed]:
        self._attempt = None
        writer = self._writer
        if writer is None:
            raise StoreError("the spool is closed.")
        writer.execute("BEGIN IMMEDIATE")
        try:
            attempt = self._write(writer, entries, losses, advances)
            self._attempt = attempt
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise
        self._sequence, self._held, self._state = attempt.sequence, attempt.held, attempt.state
        return attempt.committed

    def _write(
        self,
        writer: apsw.Connection,
        entries: Sequence[Entry],
        losses: Mapping[tuple[str, str], int],
        advances: tuple[Advance, ...],
    ) -> _Attempt:
        state = self._state
        end, sequence, committed = self._insert(writer, entries)
        cursors = {**state.cursors, **{step.backend: step.mark for step in advances if step.backend in state.cursors}}
        all_losses = dict(state.losses)
        refused = {(step.backend, reason): rows for step in advances for reason, rows in step.losses.items()}
        for key, rows in (*losses.items(), *refused.items()):
            all_losses[key] = all_losses.get(key, 0) + rows
        trimmed, gone = _trim(writer, cursors, state.trimmed)
        after = replace(state, commits=state.commits + 1, end=end, trimmed=trimmed, cursors=cursors, losses=all_losses)
        write_state(writer, after)
        fresh = [entry for entry, result in zip(entries, committed, strict=True) if not result.duplicate]
        held = _Held(
            batches=self._held.batches + len(fresh) - gone.batches,
            bytes=self._held.bytes + sum(len(entry.payload.body) for entry in fresh) - gone.bytes,
        )
        return _Attempt(state=after, held=held, sequence=sequence, committed=committed)

    def _insert(self, writer: apsw.Connection, entries: Sequence[Entry]) -> tuple[Mark, int, list[Committed]]:
        end, sequence = self._state.end, self._sequence
        made_ns = self._made_ns = max(self._clock.now_ns(), self._made_ns + 1)
        committed: list[Committed] = []
        for entry in entries:
            known = _name_of(writer, entry.key) if entry.key else None
            if known is not None:
                committed.append(Committed(name=known, duplicate=True))
                continue
            payload, sequence = entry.payload, sequence + 1
            end = Mark(position=end.position + 1, rows=end.rows + payload.rows)
            name = BatchName(writer=self._state.writer, epoch=self._state.epoch, sequence=sequence)
            batch = Batch(name=name, table=payload.table, rows=payload.rows, body=payload.body)
            insert(writer, Spooled(batch=batch, mark=end, made_ns=made_ns))
            committed.append(Committed(name=name))
            if entry.key:
                row = (entry.key, name.writer, name.epoch, name.sequence, made_ns)
                writer.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", row)
        if any(entry.key for entry in entries):
            oldest_ns = made_ns - int(self._options.key_days * 86_400e9)
            writer.execute("DELETE FROM keys WHERE made_ns < ?", (oldest_ns,))
        return end, sequence, committed

    def _open(self) -> None:
        try:
            self._folder.prepare()
            self._connect(checked=True)
        except StoreDamaged as error:
            _log.error("the spool is damaged: %s", error)
            self._suspect = True
            self._replace()
        else:
            # Written with the first commit, so that a full disk does not keep the house from starting.
            self._state = replace(self._state, epoch=self._folder.next_epoch(self._state.epoch))

    def _connect(self, *, checked: bool = False) -> None:
        writer = connect(self._folder.path, vfs=self._vfs, checked=checked)
        try:
            state = read_state(writer)
            statement = "SELECT count(*), sum(length(body)), max(made_ns) FROM batches"
            batches, size, made_ns = (_integer(value) for value in _only(writer, statement))
            reader = connect(self._folder.path, vfs=self._vfs)
        except DAMAGE as error:
            writer.close()
            raise StoreDamaged(str(self._folder.path), str(error)) from error
        except StoreError:
            writer.close()
            raise
        self._writer, self._reader, self._state = writer, reader, state
        self._held = _Held(batches=batches, bytes=size)
        self._made_ns = max(self._made_ns, made_ns)

    def _replace(self) -> None:
        """Put the file into quarantine and go on in a new one with what can be read of it."""
        before = self._state
        found = self._folder.rebuild(self._folder.path)
        with self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    # No checkpoint: nothing more is written to the old file.
                    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                    connection.close()
            self._reader = self._writer = None
            self._folder.take_over()
            self._connect()
        state = self._state
        self._state = replace(
            state,
            # A new epoch: names that were given in vain are never given again.
            epoch=self._folder.next_epoch(max(before.epoch, state.epoch)),
            # Positions never go back, or a lane would pass over what comes next.
            end=max(before.end, state.end, key=lambda mark: mark.position),
            # What is known in memory was committed; before the first opening there is nothing in memory.
            cursors=before.cursors if before.writer else state.cursors,
        )
        self._sequence = 0
        self._suspect = False
        _log.error(
            "the spool goes on in a new file: %d batches kept, %s%d rows lost; the old file is in %s",
            *(found.kept_batches, "" if found.exact else "at least ", found.lost_rows, self._folder.quarantine),
        )


def _trim(writer: apsw.Connection, cursors: Mapping[str, Mark], trimmed: Mark) -> tuple[Mark, _Held]:
    """Forget what every backend has for good; returns the new mark and what went."""
    least = min(cursors.values(), key=lambda mark: mark.position, default=trimmed)
    if least.position <= trimmed.position:
        return trimmed, _Held(batches=0, bytes=0)
    statement = (
        "SELECT count(*), sum(size), max(position), max(through) FROM"
        " (SELECT length(body) AS size, position, through FROM batches WHERE position <= ? ORDER BY position LIMIT ?)"
    )
    count, size, position, through = (
        _integer(value) for value in _only(writer, statement, (least.position, _TRIM_BATCHES))
    )
    reached = Mark(position=position, rows=through) if count == _TRIM_BATCHES else least
    writer.execute("DELETE FROM batches WHERE position <= ?", (reached.position,))
    return reached, _Held(batches=count, bytes=size)


def _name_of(writer: apsw.Connection, key: str) -> BatchName | None:
    for row in writer.execute("SELECT writer, epoch, sequence FROM keys WHERE key = ?", (key,)):
        return BatchName(writer=str(row[0]), epoch=_integer(row[1]), sequence=_integer(row[2]))
    return None


def _only(connection: apsw.Connection, statement: str, bindings: tuple[int, ...] = ()) -> tuple[apsw.SQLiteValue, ...]:
    return next(iter(connection.execute(statement, bindings)))


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
