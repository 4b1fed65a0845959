"""The shelf: recent rows, sealed files and the ledger as one state that changes in single steps.

Readers take a view, which never changes under them: a row is in it once, recent or sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import apsw
import pyarrow as pa
import pyarrow.parquet as pq

from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.catalogue import CATALOGUE, Catalogue, event_rows
from stathouse.backends.local.files import Files
from stathouse.backends.local.index import Index, describe, join_described
from stathouse.backends.local.ledger import Ledger
from stathouse.backends.local.manifest import FileEntry, Manifest, Retired, save
from stathouse.backends.local.options import ArchiveOptions
from stathouse.backends.local.recent import Chunk, Recent
from stathouse.backends.local.recovery import QUARANTINE, recover, set_aside, without_file
from stathouse.backends.local.sealed import reading
from stathouse.errors import StoreDamaged, StoreError
from stathouse.model import BatchName, Clock, Table

__all__ = ["Shelf", "View"]

_PROBLEMS_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a reader sees; ``others`` are rows that were brought along and are not kept."""

    files: tuple[FileEntry, ...]
    recent: Recent
    others: tuple[Chunk, ...] = ()

    def sealed(self, table: Table) -> list[FileEntry]:
        """Return the files of a table in the order in which their rows came."""
        return sorted((entry for entry in self.files if entry.table == table), key=lambda entry: entry.order)


class Shelf:
    """Holds the state of one archive folder.

    Args:
        folder: where it is; made when it is not there.
        options: the archive's options.
        clock: the time.
        files: the disk.

    Raises:
        StoreError: a newer version wrote it.
    """

    def __init__(self, folder: Path, *, options: ArchiveOptions, clock: Clock, files: Files) -> None:
        self.folder, self.options, self.clock, self.files = folder, options, clock, files
        self.problems: list[str] = []
        files.make_folder(folder)
        keep_ns = int(options.replaced_minutes * 60e9)
        recovered = recover(files, folder, now_ns=clock.now_ns(), keep_replaced_ns=keep_ns)
        for problem in recovered.problems:
            self.note(problem)
        self._changing = Lock()
        self._lock = Lock()
        self._manifest = recovered.manifest
        self._sealing = Recent()
        self._recent = Recent()
        self._catalogue_is_behind = False
        self._names: set[tuple[Table, BatchName]] = set()
        self._ledgers = _ledgers(self._manifest)
        self.catalogue = self._open_catalogue()
        self.complete_catalogue()

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()

    @property
    def manifest(self) -> Manifest:
        """Return the manifest of now."""
        return self._manifest

    @property
    def quarantined(self) -> int:
        """Return how many files were set aside."""
        folder = self.folder / QUARANTINE
        return sum(1 for _ in self.files.walk(folder)) if folder.is_dir() else 0

    def note(self, problem: str) -> None:
        """Keep a problem for the status; the newest twenty are kept, each once."""
        if problem in self.problems:
            self.problems.remove(problem)
        self.problems.append(problem)
        del self.problems[:-_PROBLEMS_KEPT]

    def view(self, brought: Sequence[Chunk] = ()) -> View:
        """Return what is kept at this moment.

        Args:
            brought: chunks of points; those whose batch is kept are left out of the view.
        """
        with self._lock:
            others = tuple(chunk for chunk in brought if not any(self._has("points", name) for name in chunk.names))
            return View(files=self._manifest.files, recent=self._sealing.followed_by(self._recent), others=others)

    def has(self, table: Table, name: BatchName) -> bool:
        """Tell whether a batch was taken."""
        with self._lock:
            return self._has(table, name)

    def _has(self, table: Table, name: BatchName) -> bool:
        return (table, name) in self._names or name in self._ledgers[table]

    def take(self, table: Table, name: BatchName, rows: pa.Table, size: int) -> Recent:
        """Add a batch to the recent rows, and return those that wait to be sealed."""
        with self._lock:
            self._recent = self._recent.with_rows(table, name, rows, size)
            self._names.add((table, name))
            return self._recent

    def begin_seal(self) -> Recent:
        """Return the recent rows; what is taken from now on is for the next seal."""
        with self._lock:
            self._sealing, self._recent = self._recent, Recent()
            return self._sealing

    def abandon_seal(self) -> None:
        """Put the rows back that could not be sealed."""
        with self._lock:
            self._recent, self._sealing = self._sealing.followed_by(self._recent), Recent()

    def end_seal(self, entries: Sequence[FileEntry], index: Callable[[], None]) -> None:
        """Make sealed files live in the place of the rows that were being sealed."""

        def change(manifest: Manifest) -> Manifest:
            ledgers = {table: Ledger(manifest.ledgers.get(table)) for table in self._ledgers}
            names = {table: self._sealing.names(table) for table in ledgers}
            ledgers["points"].add(names["points"], others=names["events"])
            ledgers["events"].add(names["events"], others=names["points"])
            last = max((name for group in names.values() for name in group), default=None)
            return replace(
                manifest,
                files=(*manifest.files, *entries),
                ledgers={table: ledger.to_ranges() for table, ledger in ledgers.items() if ledger},
                durable=last or manifest.durable,
            )

        def forget() -> None:
            self._names.difference_update(
                (table, name) for table in self._ledgers for name in self._sealing.names(table)
            )
            self._sealing = Recent()

        self.change(change, index=index, also=forget)

    def next_number(self) -> int:
        """Return a number that no file had, also after a crash."""
        with self._changing:
            number = self._manifest.next_number
            self._manifest = replace(self._manifest, next_number=number + 1)
            return number

    def change(
        self,
        step: Callable[[Manifest], Manifest],
        *,
        index: Callable[[], None] = lambda: None,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """Go from one manifest to the next: on the disk, then in the catalogue, then for readers.

        Args:
            step: makes the next manifest.
            index: brings the catalogue up to it.
            also: what else changes in the same moment for readers.
        """
        with self._changing:
            changed = step(self._manifest)
            changed = replace(changed, generation=changed.generation + 1)
            save(self.files, self.folder, changed)
            try:
                index()
            except (apsw.Error, OSError) as error:
                self._catalogue_is_behind = True
                self.note(f"the catalogue could not be written ({error}); it is completed later")
            with self._lock:
                self._manifest = changed
                self._ledgers = _ledgers(changed)
                also()

    def retire(self, replaced: Sequence[FileEntry], entries: Sequence[FileEntry], index: Callable[[], None]) -> None:
        """Put files in the place of others, which stay on the disk for a while."""
        until_ns = self.clock.now_ns() + int(self.options.replaced_minutes * 60e9)
        gone = {entry.path for entry in replaced}
        retired = tuple(Retired(entry=entry, until_ns=until_ns) for entry in replaced)
        self.change(
            lambda manifest: replace(
                manifest,
                files=(*(entry for entry in manifest.files if entry.path not in gone), *entries),
                retired=(*manifest.retired, *retired),
            ),
            index=index,
        )

    def remove_retired(self) -> int:
        """Remove replaced files whose time is up, and return how many."""
        now_ns = self.clock.now_ns()
        old = [one for one in self._manifest.retired if one.until_ns <= now_ns]
        if not old:
            return 0
        for one in old:
            self.files.remove(self.folder / one.entry.path)
            self.catalogue.remove(one.entry.path)
        self.change(
            lambda manifest: replace(manifest, retired=tuple(one for one in manifest.retired if one not in old))
        )
        return len(old)

    def damaged(self, entry: FileEntry, problem: str) -> None:
        """Set a live file aside that turned out to be damaged."""
        said = ""

        def step(manifest: Manifest) -> Manifest:
            nonlocal said
            if all(one.path != entry.path for one in manifest.files):
                return manifest
            changed, said = without_file(manifest, self.folder, entry)
            return changed

        self.change(step)
        if said:
            if (self.folder / entry.path).exists():
                set_aside(self.files, self.folder, self.folder / entry.path)
            self.note(f"{entry.path} is damaged and was set aside ({problem}); {said}")
            self.complete_catalogue()

    def catch_up(self) -> None:
        """Complete the catalogue when it could not be written before."""
        if not self._catalogue_is_behind:
            return
        self._catalogue_is_behind = False
        try:
            self.complete_catalogue()
        except BaseException:
            self._catalogue_is_behind = True
            raise

    def index_again(self, entry: FileEntry) -> Index:
        """Index a file anew: the catalogue has forgotten some of its series."""
        self.catalogue.remove(entry.path)
        return self.index(entry)

    def index(self, entry: FileEntry) -> Index:
        """Return where the series of a file are.

        Raises:
            StoreDamaged: the file cannot be read.
        """
        known = self.catalogue.index(entry.path)
        if known is None:
            self._catalogue_file(entry)
            known = self.catalogue.index(entry.path)
        if known is None:
            raise StoreError(f"the catalogue does not keep {entry.path}")
        return known

    def complete_catalogue(self) -> None:
        """Index live files that the catalogue does not know, and forget files that are gone."""
        known = self.catalogue.paths()
        kept = {entry.path for entry in self._manifest.files} | {one.entry.path for one in self._manifest.retired}
        for path in known - kept:
            self.catalogue.remove(path)
        for entry in self._manifest.files:
            if entry.path not in known:
                try:
                    self._catalogue_file(entry)
                except StoreDamaged as error:
                    self.damaged(entry, str(error))

    def _catalogue_file(self, entry: FileEntry) -> None:
        path = self.folder / entry.path
        with reading(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            if entry.table == "events":
                for batch in file.iter_batches(use_threads=False):
                    self.catalogue.add_events(entry, event_rows(pa.Table.from_batches([batch])))
                return
            groups: list[tuple[int, int, int]] = []
            columns = ["name", "tags", "kind", "field", "time"]
            tables = (file.read_row_group(i, columns=columns, use_threads=False) for i in range(file.num_row_groups))
            series = join_described(one for table in _noting(tables, groups) for one in describe(table))
            self.catalogue.add_points(entry, list(series), groups)

    def _open_catalogue(self) -> Catalogue:
        path = self.folder / CATALOGUE
        try:
            return Catalogue(path)
        except apsw.Error as error:
            self.note(f"the catalogue could not be used ({error}); it was rebuilt from the files")
            for name in (CATALOGUE, f"{CATALOGUE}-wal", f"{CATALOGUE}-shm"):
                if (self.folder / name).exists():
                    set_aside(self.files, self.folder, self.folder / name)
            return Catalogue(path)


def _ledgers(manifest: Manifest) -> dict[Table, Ledger]:
    return {"points": Ledger(manifest.ledgers.get("points")), "events": Ledger(manifest.ledgers.get("events"))}


def _noting(tables: Iterable[pa.Table], groups: list[tuple[int, int, int]]) -> Iterator[pa.Table]:
    """Yield tables, and note the rows and the time range of each."""
    for table in tables:
        ends = pc.min_max(table.column("time").cast(pa.int64()))
        groups.append((table.num_rows, ends["min"].as_py(), ends["max"].as_py()))
        yield table
