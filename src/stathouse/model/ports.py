"""The small protocols between the rooms: a clock, a way in, and the two sides of a backend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

from stathouse.model.batch import Batch, BatchName, Outcome, Payload
from stathouse.model.query import Answer, EventQuery, Query, SeriesInfo
from stathouse.model.values import Event

__all__ = ["Clock", "Reader", "Sink", "SystemClock", "Writer"]


class Clock(Protocol):
    """Time, passed in so that no test sleeps."""

    def now_ns(self) -> int:
        """Return the wall clock, Unix time in ns."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards, for intervals and deadlines."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Return the wall clock, Unix time in ns."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()


class Sink(Protocol):
    """Where doors hand in what they received."""

    def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
        """Hand rows in; the future is done when they are committed to the spool.

        Args:
            payload: the rows.
            key: an idempotency key; the same key again answers with the first batch's name and stores nothing.

        Raises:
            Overloaded: the queue before the spool is full; nothing was taken and it is counted.
        """
        ...


class Writer(Protocol):
    """Keeps rows. Every write is idempotent under the batch's name."""

    def write(self, batch: Batch) -> Outcome:
        """Keep a batch; never raises for what the batch holds."""
        ...

    def durable_through(self) -> BatchName | None:
        """Return the last batch that survives a crash together with all before it; None before the first."""
        ...

    def close(self) -> None:
        """Finish what can be finished and let go of files and connections."""
        ...


@runtime_checkable
class Reader(Protocol):
    """Answers questions about what is kept."""

    def query(self, query: Query, *, unflushed: bytes | None = None, on_the_way: Sequence[Batch] = ()) -> Answer:
        """Answer a question about points.

        Args:
            query: the question.
            unflushed: an Arrow IPC stream of point rows that are not written yet, to be answered together with
                the kept ones.
            on_the_way: batches that may have been written or not: their rows are answered once either way.

        Raises:
            InputError: the question makes no sense (an unknown aggregate, a step of 0).
        """
        ...

    def series(self, *, search: str = "", limit: int = 1000) -> Sequence[SeriesInfo]:
        """Return series whose name or tags contain ``search`` (or match it, when it has ``*`` or ``?``), by name."""
        ...

    def events(self, query: EventQuery) -> Sequence[Event]:
        """Return event rows, newest first."""
        ...
