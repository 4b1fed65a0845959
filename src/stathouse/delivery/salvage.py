"""Reads what can be read of a damaged spool into a new one, and counts the rest.

Batches keep their names and positions, so that backends go on where they were. Every batch is looked up by its own
position: one bad page costs the batches on it, not those behind it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import apsw

from stathouse.delivery.records import Mark, Spooled, State
from stathouse.delivery.spoolfile import DAMAGE, insert, read_state, spooled, write_state
from stathouse.errors import StoreDamaged

__all__ = ["Salvage", "salvage"]

_UNREADABLE: Final = (*DAMAGE, apsw.CantOpenError)
_MOST_PROBES: Final = 2_000_000  # positions looked up one by one, should damage hide where the batches end
_CORRUPT: Final = ("spool", "corrupt_spool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What came out of a damaged spool.

    Args:
        kept_batches: batches that are in the new file.
        lost_rows: rows that are not; at least 1 when that cannot be known.
        exact: the spool's own state could be read, so that ``lost_rows`` is exact.
    """

    kept_batches: int
    lost_rows: int
    exact: bool


def salvage(old: Path, target: apsw.Connection, *, vfs: str = "") -> Salvage:
    """Copy every good row of ``old`` into the empty tables of ``target``, in one transaction.

    Args:
        old: the damaged file; it and its write-ahead log are only read.
        target: a new spool.
        vfs: SQLite's name of the file system layer; empty for the usual one.
    """
    source = _open(old, vfs)
    target.execute("BEGIN IMMEDIATE")
    try:
        result = _copy(source, target)
    except BaseException:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise
    finally:
        if source is not None:
            source.close()
    target.execute("COMMIT")
    return result


def _copy(source: apsw.Connection | None, target: apsw.Connection) -> Salvage:
    state = _state(source)
    through = state.trimmed if state else None
    kept = lost = 0
    for item in _batches(source):
        before = Mark(position=item.mark.position - 1, rows=item.mark.rows - item.batch.rows)
        if through is None:
            # Nothing tells where the spool began: a new writer, so that no name is ever given twice.
            state = State(writer=uuid.uuid4().hex, trimmed=before)
        else:
            lost += before.rows - through.rows
        insert(target, item)
        through, kept = item.mark, kept + 1
    exact = _state(source) is not None
    state = state or State(writer=uuid.uuid4().hex)
    if exact:
        lost += state.end.rows - (through or state.trimmed).rows
    else:
        state, lost = replace(state, end=through or Mark()), max(1, lost)
    if lost:
        state = replace(state, losses={**state.losses, _CORRUPT: state.losses.get(_CORRUPT, 0) + lost})
    for row in _rows(source, "SELECT key, writer, epoch, sequence, made_ns FROM keys"):
        with suppress(apsw.ConstraintError):  # a spoiled row: nothing where a text has to be, or a text for a number
            target.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", row)
    write_state(target, state)
    return Salvage(kept_batches=kept, lost_rows=lost, exact=exact)


def _batches(source: apsw.Connection | None) -> Iterator[Spooled]:
    """Yield the batches whose bytes are as they were written, by position."""
    state = _state(source)
    if state:
        first, last = state.trimmed.position + 1, state.end.position
    else:
        first = _number(source, "SELECT min(position) FROM batches", otherwise=1)
        last = _number(source, "SELECT max(position) FROM batches", otherwise=0)
    for position in range(first, min(last, first + _MOST_PROBES) + 1):
        for row in _rows(source, "SELECT * FROM batches WHERE position = ?", (position,)):
            item = spooled(row)
            if item is not None:
                yield item


def _state(source: apsw.Connection | None) -> State | None:
    if source is None:
        return None
    try:
        return read_state(source)
    except (*_UNREADABLE, StoreDamaged):
        return None


def _number(source: apsw.Connection | None, statement: str, *, otherwise: int) -> int:
    for row in _rows(source, statement):
        if isinstance(row[0], int):
            return row[0]
    return otherwise


def _open(path: Path, vfs: str) -> apsw.Connection | None:
    try:
        source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs or None)
        # The bytes in quarantine stay as they were found.
        source.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        # Or SQLite opens no file that is shorter than its header says.
        source.execute("PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF")
    except _UNREADABLE:
        return None
    return source


def _rows(
    source: apsw.Connection | None, statement: str, bindings: tuple[int, ...] = ()
) -> Iterator[tuple[apsw.SQLiteValue, ...]]:
    """Yield rows until the first one that cannot be read."""
    if source is None:
        return
    try:
        yield from source.execute(statement, bindings)
    except _UNREADABLE:
        return
