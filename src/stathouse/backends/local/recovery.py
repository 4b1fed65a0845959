"""What start-up makes of the folder that it finds: it always ends with a manifest that is true, and needs nobody.

A file is adopted, kept, removed or set aside by the batches that its footer names, so that every batch is in exactly
one live file or is sent again by the spool.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from stathouse.backends.local.files import TEMPORARY, Files
from stathouse.backends.local.ledger import Ledger
from stathouse.backends.local.manifest import MANIFEST, FileEntry, Manifest, Retired, load, save
from stathouse.backends.local.sealed import Footer, NewerFormat, inspect, verify
from stathouse.errors import StoreDamaged

__all__ = ["QUARANTINE", "Recovered", "recover", "set_aside"]

QUARANTINE = "quarantine"
_TABLES = ("points", "events")


@dataclass(slots=True)
class Recovered:
    """The manifest to go on with, and what had to be said on the way."""

    manifest: Manifest
    problems: list[str] = field(default_factory=list)


def recover(files: Files, folder: Path, *, now_ns: int, keep_replaced_ns: int) -> Recovered:
    """Bring the folder into order and return its manifest.

    Raises:
        StoreError: a newer version wrote the manifest; nothing was touched.
    """
    problems: list[str] = []
    try:
        manifest = load(folder)
    except StoreDamaged as error:
        set_aside(files, folder, folder / MANIFEST)
        problems.append(f"{error}; it was rebuilt from the files")
        manifest = None
    for path in sorted(folder.glob(f"{TEMPORARY}*")):
        files.remove(path)
    found = {str(path.relative_to(folder)): path for table in _TABLES for path in files.walk(folder / table)}
    recovered = Recovered(manifest or Manifest(), problems)
    if manifest is None:
        _rebuild(files, folder, found, recovered, until_ns=now_ns + keep_replaced_ns)
    else:
        _check_live(files, folder, found, recovered)
        _place_orphans(files, folder, found, recovered)
    if recovered.manifest != manifest:
        recovered.manifest = replace(recovered.manifest, generation=recovered.manifest.generation + 1)
        save(files, folder, recovered.manifest)
    return recovered


def set_aside(files: Files, folder: Path, path: Path) -> None:
    """Move a file that cannot be used into the quarantine; nothing is deleted."""
    files.make_folder(folder / QUARANTINE)
    target = folder / QUARANTINE / path.name
    number = 1
    while target.exists():
        number += 1
        target = folder / QUARANTINE / f"{path.name}.{number}"
    files.rename(path, target)
    files.sync_folder(target.parent)


def without_file(manifest: Manifest, folder: Path, entry: FileEntry) -> tuple[Manifest, str]:
    """Return the manifest without a damaged file, and what became of its rows."""
    live = tuple(one for one in manifest.files if one.path != entry.path)
    sources = [one for one in manifest.retired if one.entry.path in entry.replaces]
    if sources and len(sources) == len(entry.replaces) and all(_is_whole(folder, one.entry) for one in sources):
        retired = tuple(one for one in manifest.retired if one not in sources)
        return replace(
            manifest, files=live + tuple(one.entry for one in sources), retired=retired
        ), "the files it was made of took its place"
    # Its batches count as unseen again: what the spool still holds comes back by itself.
    ledger = Ledger(manifest.ledgers.get(entry.table))
    ledger.subtract(entry.batches)
    ledgers = {**manifest.ledgers, entry.table: ledger.to_ranges()}
    said = f"{entry.rows} rows are lost, but for those that the spool still holds"
    return replace(manifest, files=live, ledgers=ledgers, durable=None), said


def _check_live(files: Files, folder: Path, found: dict[str, Path], recovered: Recovered) -> None:
    """Set aside live files whose size or end is wrong; what is wrong inside shows by checksums when it is read."""
    for entry in recovered.manifest.files:
        if _is_whole(folder, entry):
            continue
        recovered.manifest, said = without_file(recovered.manifest, folder, entry)
        what = "is damaged and was set aside" if entry.path in found else "is missing"
        recovered.problems.append(f"{entry.path} {what}; {said}")
        if entry.path in found:
            set_aside(files, folder, found.pop(entry.path))
    retired = tuple(one for one in recovered.manifest.retired if one.entry.path in found)
    if retired != recovered.manifest.retired:
        recovered.manifest = replace(recovered.manifest, retired=retired)


def _place_orphans(files: Files, folder: Path, found: dict[str, Path], recovered: Recovered) -> None:
    """Decide on files that the manifest does not name."""
    manifest = recovered.manifest
    named = {entry.path for entry in manifest.files} | {one.entry.path for one in manifest.retired}
    for relative, path in found.items():
        if relative in named:
            continue
        footer = _inspect(files, folder, path, recovered)
        if footer is None:
            continue
        entry = footer.entry
        ledger = Ledger(recovered.manifest.ledgers.get(entry.table))
        if entry.batches and ledger.covers(entry.batches):
            # Made by a merge, or replaced by one, that a crash cut short: its rows are in live files.
            files.remove(path)
        elif entry.batches and not ledger.overlaps(entry.batches):
            _adopt(files, folder, path, entry, recovered)
        else:
            set_aside(files, folder, path)
            recovered.problems.append(f"{relative} is not known and was set aside")


def _adopt(files: Files, folder: Path, path: Path, entry: FileEntry, recovered: Recovered) -> None:
    """Take in a file that was sealed before a crash kept the manifest from naming it."""
    try:
        verify(path, entry)
    except StoreDamaged as error:
        set_aside(files, folder, path)
        recovered.problems.append(f"{error}; it was set aside, the spool sends its rows again")
        return
    manifest = recovered.manifest
    ledger = Ledger(manifest.ledgers.get(entry.table))
    ledger.merge(entry.batches)
    recovered.manifest = replace(
        manifest,
        files=(*manifest.files, entry),
        next_number=max(manifest.next_number, entry.number + 1),
        ledgers={**manifest.ledgers, entry.table: ledger.to_ranges()},
    )


def _rebuild(files: Files, folder: Path, found: dict[str, Path], recovered: Recovered, *, until_ns: int) -> None:
    """Make a manifest from the footers; of files that hold the same batches the newest one counts."""
    entries: list[FileEntry] = []
    for path in found.values():
        footer = _inspect(files, folder, path, recovered)
        if footer is not None:
            entries.append(footer.entry)
    entries.sort(key=lambda entry: (entry.number, entry.level), reverse=True)
    replaced = {path for entry in entries for path in entry.replaces}
    ledgers = {table: Ledger() for table in _TABLES}
    live: list[FileEntry] = []
    for entry in entries:
        if entry.path in replaced:
            continue
        if not entry.batches or ledgers[entry.table].overlaps(entry.batches):
            set_aside(files, folder, folder / entry.path)
            recovered.problems.append(f"{entry.path} holds batches that a newer file holds too; it was set aside")
            continue
        ledgers[entry.table].merge(entry.batches)
        live.append(entry)
    live.reverse()
    recovered.manifest = Manifest(
        next_number=max((entry.number for entry in entries), default=0) + 1,
        files=tuple(live),
        retired=tuple(Retired(entry=entry, until_ns=until_ns) for entry in entries if entry.path in replaced),
        ledgers={table: ledger.to_ranges() for table, ledger in ledgers.items() if ledger},
    )


def _inspect(files: Files, folder: Path, path: Path, recovered: Recovered) -> Footer | None:
    try:
        return inspect(folder, path)
    except NewerFormat as error:
        recovered.problems.append(str(error))
    except StoreDamaged as error:
        set_aside(files, folder, path)
        recovered.problems.append(f"{error}; it was set aside")
    return None


def _is_whole(folder: Path, entry: FileEntry) -> bool:
    """Tell whether a file has its size and ends like a Parquet file."""
    try:
        with (folder / entry.path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - 4, 0))
            return size == entry.bytes and file.read(4) == b"PAR1"
    except OSError:
        return False
