"""Sealing: recent rows become verified files; only then are they no longer recent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from stathouse.backends.local.catalogue import event_rows
from stathouse.backends.local.index import describe
from stathouse.backends.local.ledger import Ledger, Ranges
from stathouse.backends.local.manifest import FileEntry
from stathouse.backends.local.recent import Recent
from stathouse.backends.local.sealed import Draft, Written, verify, write
from stathouse.backends.local.shelf import Shelf
from stathouse.backends.local.sorting import sort_events, sort_points
from stathouse.errors import StoreError
from stathouse.model import Table

__all__ = ["Sealer", "place"]

_OTHER: dict[Table, Table] = {"points": "events", "events": "points"}


class Sealer:
    """Seals what is recent on a shelf. One seal at a time; the caller sees to that."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.failures = 0
        self._retry_at = 0.0

    def is_allowed(self) -> bool:
        """Tell whether the wait after a failure is over."""
        return self._shelf.clock.monotonic() >= self._retry_at

    def seal(self) -> bool:
        """Seal all recent rows; False when it failed, and then they are still recent.

        A failure (a full disk, an I/O error) is counted; the next try, a little later, writes a new file.
        """
        shelf = self._shelf
        recent = shelf.begin_seal()
        placed: list[Path] = []
        try:
            written = [(one, table) for one, table in self._write(recent, placed) if one is not None]

            def index() -> None:
                for one, table in written:
                    if one.entry.table == "points":
                        shelf.catalogue.add_points(one.entry, describe(table), one.groups)
                    else:
                        shelf.catalogue.add_events(one.entry, event_rows(table))

            shelf.end_seal([one.entry for one, _ in written], index)
        except (OSError, pa.ArrowException, StoreError) as error:
            shelf.abandon_seal()
            self.failures += 1
            self._retry_at = shelf.clock.monotonic() + min(60.0, 2.0 ** min(self.failures, 6))
            shelf.note(f"sealing failed: {error}; the rows stay in memory and in the spool, the next try follows")
            for path in placed:
                _remove(shelf, path)
            return False
        except BaseException:
            # A fault of this program: rows left behind here would be passed over by the next seal, and forgotten.
            shelf.abandon_seal()
            raise
        self.failures = 0
        return True

    def _write(self, recent: Recent, placed: list[Path]) -> Iterable[tuple[Written | None, pa.Table]]:
        for table in _OTHER:
            chunks = recent.chunks(table)
            if not chunks:
                continue
            rows = pa.concat_tables([chunk.table for chunk in chunks])
            ordered = sort_points(rows) if table == "points" else sort_events(rows)
            del rows
            number = self._shelf.next_number()
            draft = Draft(table=table, level=0, number=number, order=number, batches=_batches(recent, table))
            written = write(self._shelf.files, self._shelf.folder, draft, [ordered])
            if written is not None:
                place(self._shelf, written, placed)
            yield written, ordered


def place(shelf: Shelf, written: Written, placed: list[Path]) -> FileEntry:
    """Give a written file its name, and read it back.

    Raises:
        StoreDamaged: it does not hold what was written.
    """
    target = shelf.folder / written.entry.path
    placed.append(written.temporary)
    shelf.files.make_folder(target.parent)
    shelf.files.rename(written.temporary, target)
    placed.append(target)
    shelf.files.sync_folder(target.parent)
    verify(target, written.entry)
    return written.entry


def _batches(recent: Recent, table: Table) -> Ranges:
    ledger = Ledger()
    ledger.add(
        [name for chunk in recent.chunks(table) for name in chunk.names],
        others=[name for chunk in recent.chunks(_OTHER[table]) for name in chunk.names],
    )
    return ledger.to_ranges()


def _remove(shelf: Shelf, path: Path) -> None:
    try:
        shelf.files.remove(path)
    except OSError as error:
        shelf.note(f"{path} could not be removed: {error}")
