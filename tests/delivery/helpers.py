"""What the tests of delivery share: payloads, a clock that stands still, backends that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from stathouse.delivery.records import Entry
from stathouse.model import Batch, BatchName, Outcome, Payload

__all__ = ["Clock", "Least", "Shop", "entry", "faulty_disk", "payload"]


def payload(rows: int = 1, *, size: int = 100, fill: bytes = b"x") -> Payload:
    """Return a payload; delivery never looks into the body, so it need not be Arrow."""
    return Payload(table="points", rows=rows, body=fill * size)


def entry(rows: int = 1, *, key: str = "", size: int = 100, fill: bytes = b"x") -> Entry:
    """Return rows to commit."""
    return Entry(payload=payload(rows, size=size, fill=fill), key=key)


class Clock:
    """Time that goes on only when it is told to."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1e9


class Least:
    """Randomness that always gives the lower bound, so that no retry pauses."""

    def uniform(self, a: float, b: float, /) -> float:
        return a


class Shop:
    """A backend in memory that answers as it is told.

    Args:
        answer: makes the outcome of a write; by default everything is accepted.
        durable_at_once: what is accepted is durable at once; else after :meth:`sync`.
    """

    def __init__(self, answer: Callable[[Batch], Outcome] | None = None, *, durable_at_once: bool = True) -> None:
        self.answer = answer or (lambda batch: Outcome(accepted=batch.rows))
        self.durable_at_once = durable_at_once
        self.stored: dict[BatchName, Batch] = {}
        self.calls: list[BatchName] = []
        self.durable: BatchName | None = None
        self.lock = threading.Lock()

    def write(self, batch: Batch) -> Outcome:
        with self.lock:
            self.calls.append(batch.name)
        outcome = self.answer(batch)
        if outcome.keep == 0:
            with self.lock:
                if outcome.accepted:
                    self.stored.setdefault(batch.name, batch)
                if self.durable_at_once and outcome.accepted:
                    self.durable = batch.name
        return outcome

    def sync(self) -> None:
        self.durable = self.calls[-1]

    def durable_through(self) -> BatchName | None:
        return self.durable

    def close(self) -> None:
        pass

    @property
    def rows(self) -> int:
        with self.lock:
            return sum(batch.rows for batch in self.stored.values())


class _File(apsw.VFSFile):
    def __init__(self, disk: _Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk

    def xSync(self, flags: int) -> None:
        self._disk.sync()
        super().xSync(flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full:
            raise apsw.FullError("no room, says the test")
        super().xWrite(data, offset)


class _Disk(apsw.VFS):
    """A file system layer of SQLite over the real one, whose syncs fail and whose room ends when it is told so."""

    def __init__(self, name: str) -> None:
        super().__init__(name, base="")
        self.failing_syncs = 0
        self.after_sync = False
        self.full = False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _File:
        return _File(self, name, flags)

    def sync(self) -> None:
        if self.failing_syncs:
            self.failing_syncs -= 1
            raise apsw.IOError("the sync failed, says the test")


@contextmanager
def faulty_disk(name: str = "faulty") -> Iterator[_Disk]:
    """Yield the layer; open a spool with ``vfs=name`` on it."""
    disk = _Disk(name)
    try:
        yield disk
    finally:
        disk.unregister()
