"""What the tests of the archive share: a clock that stands still, batches by number, and a disk that can fail."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from stathouse.backends.local.archive import LocalArchive
from stathouse.backends.local.files import Files
from stathouse.backends.local.options import ArchiveSettings
from stathouse.model import Batch, BatchName, Event, Kind, Point, Query
from stathouse.wire.tables import events_payload, points_payload

SECOND = 10**9
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_699_920_000 * SECOND
"""The beginning of a day."""

WRITER = "0123456789abcdef" * 2


class HandClock:
    """A clock that goes on when it is told to."""

    def __init__(self, now_ns: int = START) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic(self) -> float:
        return self.time_ns / SECOND

    def go(self, step_ns: int) -> None:
        self.time_ns += step_ns


class Killed(BaseException):
    """The process died here."""


class FaultyFiles(Files):
    """A disk on which everything works until step ``die_at``; from there on nothing does.

    With ``refuse`` set, that operation fails with this error number instead, as long as it is set. With ``lies`` set,
    a bit of each write is flipped on the way to the disk.
    """

    def __init__(self, *, die_at: int | None = None) -> None:
        self.die_at = die_at
        self.steps: list[str] = []
        self.refuse: tuple[str, int] | None = None
        self.free = (1 << 40, 1 << 39)
        self.lies = False

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if self.die_at is not None and len(self.steps) > self.die_at:
            raise Killed(name)
        if self.refuse is not None and self.refuse[0] == name:
            raise OSError(self.refuse[1], "refused")

    def create(self, path: Path) -> BinaryIO:
        self._step("create")
        return _Torn(super().create(path), self)  # type: ignore[return-value]

    def sync(self, file: BinaryIO) -> None:
        # A process that dies loses nothing that the kernel has, so these tests need not wait for the disk.
        self._step("sync")
        file.flush()

    def rename(self, source: Path, target: Path) -> None:
        self._step("rename")
        super().rename(source, target)
        self._step("renamed")

    def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder")

    def remove(self, path: Path) -> None:
        if path.exists():
            self._step("remove")
        super().remove(path)

    def room(self, folder: Path) -> tuple[int, int]:
        return self.free


class _Torn:
    """A file whose writes are steps; one that dies writes half of its bytes first."""

    def __init__(self, file: BinaryIO, files: FaultyFiles) -> None:
        self._file = file
        self._files = files

    def write(self, body: bytes) -> int:
        try:
            self._files._step("write")
        except Killed:
            self._file.write(bytes(body)[: len(body) // 2])
            self._file.flush()
            raise
        if self._files.lies and len(body) > 8:
            body = bytes(body)
            return self._file.write(body[:-8] + bytes([body[-8] ^ 1]) + body[-7:])
        return self._file.write(body)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def counter(value: float, *, time_ns: int = START, name: str = "hits", **tags: str) -> Point:
    return Point(
        name=name, tags=tuple(sorted(tags.items())), time_ns=time_ns, kind=Kind.COUNTER, fields={"sum": float(value)}
    )


def points_batch(sequence: int, points: Iterable[Point], *, epoch: int = 1) -> Batch:
    payload = points_payload(points)
    name = BatchName(writer=WRITER, epoch=epoch, sequence=sequence)
    return Batch(name=name, table="points", rows=payload.rows, body=payload.body)


def events_batch(sequence: int, events: Iterable[Event], *, epoch: int = 1) -> Batch:
    payload = events_payload(events)
    name = BatchName(writer=WRITER, epoch=epoch, sequence=sequence)
    return Batch(name=name, table="events", rows=payload.rows, body=payload.body)


def open_archive(
    folder: Path, clock: HandClock, *, files: Files | None = None, **options: float | int | str
) -> LocalArchive:
    return LocalArchive(folder, options=ArchiveSettings(**options), clock=clock, files=files)  # type: ignore[arg-type]


def everything(series: str = "*", **more: object) -> Query:
    return Query(series=series, start_ns=0, end_ns=2**62, **more)  # type: ignore[arg-type]


def values(archive: LocalArchive, series: str = "*") -> list[float | int | str]:
    """Return all kept values of matching series, sorted."""
    answer = archive.query(everything(series))
    return sorted((row.value for one in answer.series for row in one.rows), key=lambda value: (str(type(value)), value))


DISK_FULL = errno.ENOSPC
