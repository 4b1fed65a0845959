"""The manifest: one small JSON file that names the live files and the batches in them, replaced in one step."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stathouse.backends.local.files import Files
from stathouse.backends.local.ledger import Ranges
from stathouse.errors import StoreDamaged, StoreError
from stathouse.model import BatchName, Table

__all__ = ["FORMAT_VERSION", "MANIFEST", "FileEntry", "Manifest", "Retired", "load", "save"]

FORMAT_VERSION: Final = 1
"""Of the manifest and of the sealed files; a reader refuses a higher one."""

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A sealed file.

    Args:
        path: relative to the archive's folder.
        table: ``points`` or ``events``.
        level: 0 sealed, 1 several seals of a running hour, 2 an hour, 3 a day.
        number: grows with every file.
        order: the smallest number of the seals that are in it; rows of equal time keep this order.
        rows: rows in it.
        bytes: its size.
        first_ns: earliest time in it.
        last_ns: latest time in it.
        checksum: SHA-256 of the rows, hex (see :mod:`stathouse.backends.local.sealed`).
        footer: SHA-256 of the Parquet footer, hex.
        batches: which batches are in it.
        replaces: paths of the files whose rows it took over.
    """

    path: str
    table: Table
    level: int
    number: int
    order: int
    rows: int
    bytes: int
    first_ns: int
    last_ns: int
    checksum: str
    footer: str
    batches: Ranges
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A replaced file: still on the disk for readers that know an older manifest."""

    entry: FileEntry
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the archive holds; every change makes the next generation."""

    generation: int = 0
    next_number: int = 1
    files: tuple[FileEntry, ...] = ()
    retired: tuple[Retired, ...] = ()
    ledgers: dict[str, Ranges] = field(default_factory=dict)
    durable: BatchName | None = None


def save(files: Files, folder: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before."""
    durable = manifest.durable
    body: dict[str, object] = {
        "format": FORMAT_VERSION,
        "generation": manifest.generation,
        "next_number": manifest.next_number,
        "durable": [durable.writer, durable.epoch, durable.sequence] if durable else None,
        "ledgers": manifest.ledgers,
        "files": [_entry_out(entry) for entry in manifest.files],
        "retired": [{"entry": _entry_out(one.entry), "until_ns": one.until_ns} for one in manifest.retired],
    }
    body["sha256"] = _digest(body)
    files.write_whole(folder / MANIFEST, json.dumps(body, indent=1).encode())


def load(folder: Path) -> Manifest | None:
    """Return the manifest; None when there is none.

    Raises:
        StoreDamaged: it is not what was written.
        StoreError: a newer version wrote it.
    """
    path = folder / MANIFEST
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StoreDamaged(str(path), "no JSON") from error
    if not isinstance(body, dict) or body.pop("sha256", None) != _digest(body):
        raise StoreDamaged(str(path), "its checksum is wrong")
    if body["format"] > FORMAT_VERSION:
        raise StoreError(
            f"{path} was written by a newer Stathouse (format {body['format']}, this one reads {FORMAT_VERSION}). "
            "Nothing was touched. Start that version, or choose another folder with --data."
        )
    durable = body["durable"]
    return Manifest(
        generation=body["generation"],
        next_number=body["next_number"],
        files=tuple(_entry_in(item) for item in body["files"]),
        retired=tuple(Retired(entry=_entry_in(item["entry"]), until_ns=item["until_ns"]) for item in body["retired"]),
        ledgers=body["ledgers"],
        durable=BatchName(writer=durable[0], epoch=durable[1], sequence=durable[2]) if durable else None,
    )


def _digest(body: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _entry_out(entry: FileEntry) -> dict[str, object]:
    return {name: getattr(entry, name) for name in FileEntry.__slots__}


def _entry_in(item: dict[str, object]) -> FileEntry:
    replaces = item.pop("replaces")
    assert isinstance(replaces, list)
    return FileEntry(**item, replaces=tuple(replaces))  # type: ignore[arg-type]
