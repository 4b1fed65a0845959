"""Delivery: the door out. What is put is spooled, then goes to every backend, and every row is accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from random import SystemRandom
from types import TracebackType

from stathouse.delivery.backoff import Backoff, Random
from stathouse.delivery.commit import Committer
from stathouse.delivery.counts import Counts
from stathouse.delivery.lane import Lane, LaneReports
from stathouse.delivery.options import DeliveryOptions
from stathouse.delivery.spool import Spool
from stathouse.errors import StoreError
from stathouse.model import BatchName, Clock, Payload, Writer

__all__ = ["Delivery"]


class Delivery:
    """Takes rows, keeps them in the spool, and writes them to every backend. A :class:`stathouse.model.Sink`.

    It is a context manager: :meth:`start` on the way in, :meth:`stop` on the way out. The writers are the caller's:
    close them after :meth:`stop`.

    Args:
        folder: the spool's folder.
        writers: backend name → backend. The name is what the spool remembers the backend by.
        clock: the time.
        random: the jitter of retries; the system's own when it is not given.
        options: bounds and pauses.
    """

    def __init__(
        self,
        folder: Path,
        writers: Mapping[str, Writer],
        *,
        clock: Clock,
        random: Random | None = None,
        options: DeliveryOptions | None = None,
    ) -> None:
        self._folder = folder
        self._writers = dict(writers)
        self._clock = clock
        self._random: Random = random or SystemRandom()
        self._options = options or DeliveryOptions()
        self._spool: Spool | None = None
        self._committer: Committer | None = None
        self._lanes: list[Lane] = []
        self._last: Counts | None = None

    def __enter__(self) -> Delivery:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the spool and begin; what waited in the spool is written first.

        Raises:
            StoreLocked: another process has the spool open.
            StoreError: a newer Stathouse wrote it, or the disk fails.
        """
        if self._committer is not None:
            raise StoreError("delivery runs already, or has run: make another one.")
        options = self._options
        spool = Spool(self._folder, clock=self._clock, options=options)
        cursors = spool.attach(list(self._writers))
        committer = Committer(spool, clock=self._clock, options=options, committed=self._wake)
        reports = LaneReports(advance=committer.advance, damaged=committer.request_repair)
        self._lanes = [
            Lane(
                name,
                writer,
                spool=spool,
                begin=cursors[name],
                backoff=Backoff(
                    self._random, base_seconds=options.retry_base_seconds, cap_seconds=options.retry_cap_seconds
                ),
                reports=reports,
                options=options,
            )
            for name, writer in self._writers.items()
        ]
        self._spool, self._committer = spool, committer
        committer.start()
        for lane in self._lanes:
            lane.start()

    def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
        """Take rows; the future is done when they are committed to the spool.

        It ends in :class:`stathouse.errors.StoreFull` where there was no room for them, and in another
        :class:`stathouse.errors.StoreError` where the disk failed; both are counted.

        Args:
            payload: the rows.
            key: an idempotency key; the same key again answers with the first batch's name and stores nothing.

        Raises:
            Overloaded: the queue before the spool is full; nothing was taken and it is counted.
        """
        return self._running().put(payload, key=key)

    def drop(self, reason: str, rows: int, *, stage: str = "door") -> None:
        """Count rows that were lost before they could be put; they count as offered and dropped.

        Args:
            reason: one of :data:`stathouse.model.REASONS`.
            rows: how many.
            stage: where; the counters of loss are kept by stage and reason, over restarts.
        """
        self._running().drop(reason, rows, stage=stage)

    def counts(self) -> Counts:
        """Return what was done with every row. After :meth:`stop` these are the last counts."""
        if self._last is not None:
            return self._last
        committer, spool = self._running(), self._spool
        if spool is None:
            raise StoreError("delivery was not started.")
        entry, problem, last_commit_ns = committer.counts()
        now_ns = self._clock.now_ns()
        refusal = spool.refusal(0, 0)
        return Counts(
            entry=entry,
            lanes=tuple(lane.counts(now_ns) for lane in self._lanes),
            depth=spool.depth(),
            losses=spool.losses,
            shedding=bool(refusal or problem),
            problem=problem or refusal,
            last_commit_ns=last_commit_ns,
        )

    def stop(self, deadline_seconds: float = 10.0) -> tuple[str, ...]:
        """Take nothing more, commit the queue, let the backends write what is spooled, and close the spool.

        What a backend cannot take in time stays in the spool for the next start. A second call does nothing.

        Args:
            deadline_seconds: when to be done.

        Returns:
            the backends that were still in the middle of a write.
        """
        if self._last is not None or self._committer is None or self._spool is None:
            return ()
        end = self._clock.monotonic() + deadline_seconds
        self._committer.settle(deadline_seconds / 2)
        for lane in self._lanes:
            lane.drain()
        busy = tuple(lane.name for lane in self._lanes if not lane.join(end - self._clock.monotonic()))
        # A second at least: the lanes' last word belongs into the spool, or their batches come again.
        ended = self._committer.close(max(1.0, end - self._clock.monotonic()))
        self._last = self.counts()
        if ended:  # a commit that hangs still uses the file
            self._spool.close()
        return busy

    def _running(self) -> Committer:
        if self._committer is None:
            raise StoreError("delivery was not started.")
        return self._committer

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.wake()
