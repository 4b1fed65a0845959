"""Writes every batch as a file of its own, named after the batch: under that name it is there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from stathouse.backends.jsonl.lines import rows_as_lines
from stathouse.errors import ConfigError, StoreError
from stathouse.model import Batch, BatchName, Outcome, Rejection
from stathouse.wire.tables import EVENTS, POINTS, read_stream

__all__ = ["JsonlWriter", "open"]

_ENDINGS: Final = {"points": ".points.jsonl", "events": ".events.jsonl"}
_CUT_OFF: Final = ".part"


class JsonlWriter:
    """Writes batches as files of JSON lines; a :class:`stathouse.model.Writer`.

    A batch is written to a temporary name, synced, renamed and the folder synced, so a crash leaves no half file and
    a batch that comes twice is stored once.

    Args:
        folder: where the files go; made with mode 0700 when it is missing.

    Raises:
        StoreError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._last = _newest(folder)
            for leftover in folder.glob(f"*{_CUT_OFF}"):
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be used: {error.strerror}.") from error

    def write(self, batch: Batch) -> Outcome:
        """Keep a batch, for good when this returns."""
        name = f"{batch.name}{_ENDINGS[batch.table]}"
        try:
            if (self._folder / name).exists():
                os.fsync(self._descriptor)  # it may have been renamed just before a crash
            else:
                rows, problem = _rows_of(batch)
                if rows is None:
                    return _refused(batch, problem)
                self._store(name, batch, rows)
        except OSError as error:
            return Outcome(keep=batch.rows, detail=f"{self._folder}: {error.strerror}")
        except (ValueError, TypeError) as error:  # an event whose key or payload is no JSON
            return _refused(batch, str(error))
        self._last = batch.name
        return Outcome(accepted=batch.rows)

    def durable_through(self) -> BatchName | None:
        """Return the last batch that was written; each is synced before the next begins."""
        return self._last

    def close(self) -> None:
        """Let go of the folder; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _store(self, name: str, batch: Batch, rows: pa.Table) -> None:
        part = self._folder / f"{name}{_CUT_OFF}"
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                os.fchmod(file.fileno(), 0o600)
                file.writelines(rows_as_lines(batch.table, rows))
                file.flush()
                os.fsync(file.fileno())
            part.rename(self._folder / name)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        os.fsync(self._descriptor)


def open(url: str, options: object = None) -> JsonlWriter:
    """Return the backend of a URL ``jsonl:/folder`` or ``jsonl:folder``; ``%20`` and the like are understood.

    Raises:
        ConfigError: the URL has no folder, or more than one.
        StoreError: the folder cannot be used.
    """
    parts = urlsplit(url)
    folder = unquote(parts.path)
    if parts.scheme != "jsonl" or parts.netloc or parts.query or parts.fragment or not folder or "\0" in folder:
        raise ConfigError(
            f"{url!r} is no URL of this backend.", advice="Write jsonl: and a folder, as jsonl:/var/lib/points."
        )
    return JsonlWriter(Path(folder))


def _rows_of(batch: Batch) -> tuple[pa.Table | None, str]:
    """Return the rows, or None and what is wrong with them."""
    try:
        rows = read_stream(batch.body)
    except (pa.ArrowException, OSError) as error:  # Arrow says OSError for some bytes that are no stream
        return None, f"no Arrow stream: {error}"
    if not rows.schema.equals(POINTS if batch.table == "points" else EVENTS):
        return None, f"not the columns of the table {batch.table}"
    return (rows, "") if rows.num_rows == batch.rows else (None, f"{rows.num_rows} rows instead of {batch.rows}")


def _refused(batch: Batch, detail: str) -> Outcome:
    return Outcome(rejected=(Rejection(reason="rejected_by_store", rows=batch.rows, detail=detail[:300]),))


def _newest(folder: Path) -> BatchName | None:
    """Return the batch that was written last. Batches come in order, so all before it are there as well."""
    newest: tuple[int, int, int] | None = None
    found: BatchName | None = None
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _batch_name(entry.name)
            if name is None:
                continue
            rank = (entry.stat().st_mtime_ns, name.epoch, name.sequence)
            if newest is None or rank > newest:
                newest, found = rank, name
    return found


def _batch_name(file_name: str) -> BatchName | None:
    for ending in _ENDINGS.values():
        parts = file_name.removesuffix(ending).split("-")
        if file_name.endswith(ending) and len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
            return BatchName(writer=parts[0], epoch=int(parts[1]), sequence=int(parts[2]))
    return None
