"""Group commit: one thread takes what was put meanwhile and commits it to the spool in one transaction.

Many acknowledgements share one fsync, and nothing is acknowledged before it. What has no room is refused and counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from stathouse.delivery.counts import EntryCounts
from stathouse.delivery.options import DeliveryOptions
from stathouse.delivery.records import Advance, Committed, Entry
from stathouse.delivery.spool import Spool
from stathouse.errors import Overloaded, StoreError, StoreFull
from stathouse.model import BatchName, Clock, Payload

__all__ = ["Committer"]

_log = logging.getLogger(__name__)

_FULL_GROUP_BYTES: Final = 1 << 20  # a group of this size waits no longer for others …
_MOST_BYTES: Final = 16 << 20  # … and one transaction holds no more than this
_IDLE_SECONDS: Final = 1.0

_Losses: TypeAlias = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A payload in the queue, and who waits for it."""

    entry: Entry
    future: Future[BatchName]


@dataclass(slots=True)
class _Work:
    """What one transaction has to write."""

    waiting: list[_Waiting] = field(default_factory=list)
    losses: _Losses = field(default_factory=dict)
    advances: list[Advance] = field(default_factory=list)
    repair: bool = False


class Committer:
    """Commits what is put, on a thread of its own.

    Args:
        spool: where it goes; from :meth:`start` on only this object writes to it.
        clock: stamps the last commit.
        options: the bounds of the queue, and how long a group waits for company.
        committed: is called after every commit that brought rows.
    """

    def __init__(self, spool: Spool, *, clock: Clock, options: DeliveryOptions, committed: Callable[[], None]) -> None:
        self._spool = spool
        self._clock = clock
        self._options = options
        self._tell = committed
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._full = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._losses: _Losses = {}
        self._advances: dict[str, Advance] = {}
        self._repair = False
        self._busy = False
        self._accepting = True
        self._ending = False
        self._counts = EntryCounts(offered=0, spooled=0, duplicates=0, dropped={}, queued=0, commits=0)
        self._problem = ""
        self._last_commit_ns = 0
        self._thread = threading.Thread(target=self._run, name="stathouse-commit", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
        """Queue rows for the next commit; see :class:`stathouse.model.Sink`.

        Raises:
            Overloaded: the queue is full, or the house is stopping; nothing was taken and it is counted.
        """
        future: Future[BatchName] = Future()
        future.set_running_or_notify_cancel()  # from here on it is committed, whoever stops waiting
        options, size = self._options, len(payload.body)
        with self._lock:
            if not self._accepting:
                self._drop("shutdown_timeout", payload.rows, stage="queue")
                raise Overloaded("the queue (the house is stopping)")
            if self._waiting and (
                self._waiting_bytes + size > options.queue_bytes or len(self._waiting) >= options.queue_items
            ):
                self._drop("queue_full", payload.rows, stage="queue")
                raise Overloaded("the queue before the spool")
            counts = self._counts
            self._counts = replace(counts, offered=counts.offered + payload.rows, queued=counts.queued + payload.rows)
            self._waiting.append(_Waiting(entry=Entry(payload=payload, key=key), future=future))
            self._waiting_bytes += size
            if len(self._waiting) == 1:
                self._arrived.notify()
            if self._waiting_bytes >= _FULL_GROUP_BYTES:
                self._full.notify()
        return future

    def drop(self, reason: str, rows: int, *, stage: str) -> None:
        """Count rows that were lost before they could be put."""
        with self._lock:
            self._drop(reason, rows, stage=stage)

    def advance(self, step: Advance) -> None:
        """Write down, with the next commit, what a backend has for good."""
        with self._lock:
            earlier = self._advances.get(step.backend)
            self._advances[step.backend] = _joined(earlier, step)
            self._arrived.notify()

    def request_repair(self) -> None:
        """Have the spool repaired: a reader found it damaged."""
        with self._lock:
            self._repair = True
            self._arrived.notify()

    def counts(self) -> tuple[EntryCounts, str, int]:
        """Return the counts, why the last commit failed (or nothing), and when the last one was, Unix ns."""
        with self._lock:
            return self._counts, self._problem, self._last_commit_ns

    def settle(self, timeout_seconds: float) -> bool:
        """Take nothing more in, and wait until the queue is committed; False when the time ran out."""
        with self._lock:
            self._accepting = False
            self._full.notify()
            return self._emptied.wait_for(lambda: not self._waiting and not self._busy, timeout_seconds)

    def close(self, timeout_seconds: float) -> bool:
        """Commit what is there and end the thread; what is still queued after the time is dropped and counted."""
        with self._lock:
            self._accepting = False
            self._ending = True
            self._arrived.notify()
            self._full.notify()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_seconds))
        with self._lock:
            left, self._waiting, self._waiting_bytes = self._waiting, [], 0
            for item in left:
                self._fail(item.entry.payload.rows, "shutdown_timeout")
        for item in left:
            item.future.set_exception(Overloaded("the queue (the house is stopping)"))
        return not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            work = self._take()
            if work is None:
                return
            failed = not self._commit(work)
            with self._lock:
                self._busy = False
                if not self._waiting:
                    self._emptied.notify_all()
                if failed and not self._ending and not self._waiting:
                    self._full.wait(_IDLE_SECONDS)  # the disk is full: what waits is only counters and cursors

    def _take(self) -> _Work | None:
        """Wait for work and take it; None at the end."""
        with self._lock:
            while not self._has_work():
                if self._ending:
                    return None
                if not self._arrived.wait(_IDLE_SECONDS):
                    break
            if self._has_work() and self._waiting_bytes < _FULL_GROUP_BYTES and self._accepting:
                self._full.wait(self._options.group_commit_millis / 1000)
            self._busy = True
            work = _Work(losses=self._losses, advances=list(self._advances.values()), repair=self._repair)
            work.waiting, self._waiting = _split(self._waiting)
            self._waiting_bytes -= sum(len(item.entry.payload.body) for item in work.waiting)
            self._losses, self._advances, self._repair = {}, {}, False
            return work

    def _has_work(self) -> bool:
        return bool(self._waiting or self._advances or self._repair or (self._ending and self._losses))

    def _commit(self, work: _Work) -> bool:
        try:
            if work.repair:
                self._spool.repair()
            taken, refused = self._admit(work.waiting)
            if taken or work.losses or work.advances:
                results = self._spool.commit([item.entry for item in taken], losses=work.losses, advances=work.advances)
            else:
                results = []
                while (self._spool.trim() or self._spool.tidy()) and not self._pressing():
                    pass
        except StoreError as error:
            self._give_back(work, error)
            return False
        except Exception as error:
            # A fault of this program must not end the thread that everything waits for.
            _log.exception("a commit failed")
            self._give_back(work, StoreError(f"the commit failed: {error!r}"))
            return False
        self._settle(taken, results, refused, wrote=bool(work.losses or work.advances))
        return True

    def _admit(self, waiting: Sequence[_Waiting]) -> tuple[list[_Waiting], list[tuple[_Waiting, str]]]:
        """Part what there is room for from what is shed, with the reason."""
        taken: list[_Waiting] = []
        refused: list[tuple[_Waiting, str]] = []
        rows = size = 0
        for item in waiting:
            payload = item.entry.payload
            reason = self._spool.refusal(rows + payload.rows, size + len(payload.body))
            if reason:
                refused.append((item, reason))
            else:
                taken.append(item)
                rows, size = rows + payload.rows, size + len(payload.body)
        return taken, refused

    def _settle(
        self,
        taken: Sequence[_Waiting],
        results: Sequence[Committed],
        refused: Sequence[tuple[_Waiting, str]],
        *,
        wrote: bool,
    ) -> None:
        """Count what happened, then answer those who wait."""
        spooled = sum(item.entry.payload.rows for item, result in _pairs(taken, results) if not result.duplicate)
        duplicates = sum(item.entry.payload.rows for item, result in _pairs(taken, results) if result.duplicate)
        with self._lock:
            counts = self._counts
            self._counts = replace(
                counts,
                spooled=counts.spooled + spooled,
                duplicates=counts.duplicates + duplicates,
                queued=counts.queued - spooled - duplicates,
                commits=counts.commits + bool(taken),
            )
            for item, reason in refused:
                self._fail(item.entry.payload.rows, reason)
            if taken:
                self._last_commit_ns = self._clock.now_ns()
            if taken or refused or wrote:
                self._problem = _PROBLEMS[refused[-1][1]] if refused else ""
        if taken:
            self._tell()
        for item, result in _pairs(taken, results):
            item.future.set_result(result.name)
        for item, reason in refused:
            item.future.set_exception(StoreFull(f"{_PROBLEMS[reason]}; nothing was taken."))

    def _give_back(self, work: _Work, error: StoreError) -> None:
        """Fail those who wait; counters and cursors are written with the next commit instead."""
        reason = "disk_full" if isinstance(error, StoreFull) else "disk_error"
        with self._lock:
            for item in work.waiting:
                self._fail(item.entry.payload.rows, reason)
            for key, rows in work.losses.items():
                self._losses[key] = self._losses.get(key, 0) + rows
            for step in work.advances:
                later = self._advances.get(step.backend)
                self._advances[step.backend] = _joined(step, later) if later else step
            changed, self._problem = str(error) != self._problem, str(error)
        if changed:
            _log.error("nothing can be committed: %s", error)
        for item in work.waiting:
            item.future.set_exception(error)

    def _pressing(self) -> bool:
        with self._lock:
            return self._ending or self._has_work()

    def _fail(self, rows: int, reason: str) -> None:
        """Count queued rows as dropped; call it with the lock."""
        counts = self._counts
        self._counts = replace(counts, offered=counts.offered - rows, queued=counts.queued - rows)
        self._drop(reason, rows, stage="spool")

    def _drop(self, reason: str, rows: int, *, stage: str) -> None:
        counts = self._counts
        dropped: Mapping[str, int] = {**counts.dropped, reason: counts.dropped.get(reason, 0) + rows}
        self._counts = replace(counts, offered=counts.offered + rows, dropped=dropped)
        self._losses[stage, reason] = self._losses.get((stage, reason), 0) + rows


_PROBLEMS: Final = {
    "disk_full": "there is too little room on the disk",
    "queue_full": "the spool is full: a backend takes less than comes in",
}


def _pairs(taken: Sequence[_Waiting], results: Sequence[Committed]) -> Iterable[tuple[_Waiting, Committed]]:
    return zip(taken, results, strict=True)


def _split(waiting: list[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Part the oldest payloads, up to what one transaction holds, from the rest."""
    size = 0
    for index, item in enumerate(waiting):
        size += len(item.entry.payload.body)
        if size > _MOST_BYTES and index:
            return waiting[:index], waiting[index:]
    return waiting, []


def _joined(earlier: Advance | None, later: Advance) -> Advance:
    if earlier is None:
        return later
    losses = dict(earlier.losses)
    for reason, rows in later.losses.items():
        losses[reason] = losses.get(reason, 0) + rows
    return Advance(backend=later.backend, mark=later.mark, losses=losses)
