"""A lane: the way from the spool to one backend, on a thread of its own, so that a slow backend starves no other.

Batches go in order and none is passed over. A batch that the backend cannot take now is sent again, under the same
name and with the same bytes, until it is taken or refused for good. How far the backend has everything *for good* is
written to the spool, not how far it was sent: after a crash the rest comes again, and the backend knows it by name.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stathouse.delivery.backoff import Backoff
from stathouse.delivery.counts import LaneCounts, LaneState
from stathouse.delivery.options import DeliveryOptions
from stathouse.delivery.records import Advance, Mark, Spooled
from stathouse.delivery.spool import Spool
from stathouse.errors import StoreDamaged, StoreError
from stathouse.model import Batch, BatchName, Outcome, Writer

__all__ = ["Lane", "LaneReports"]

_log = logging.getLogger(__name__)

_LONGEST_DETAIL: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReports:
    """Whom a lane tells what.

    Args:
        advance: what the backend has for good.
        damaged: the spool cannot be read.
    """

    advance: Callable[[Advance], None]
    damaged: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A batch that was answered for, but is not known to be durable.

    ``settled``: the backend stored nothing of it, so there is nothing to wait for.
    """

    name: BatchName
    mark: Mark
    losses: Mapping[str, int]
    settled: bool


class Lane:
    """Writes batches to one backend.

    Args:
        name: the backend's name.
        writer: the backend.
        spool: where batches are read.
        begin: what the backend has for good; the lane goes on behind it.
        backoff: the pauses between retries.
        reports: whom to tell.
        options: how much is read ahead, how often an idle lane looks.
        pause: waits some seconds before a retry; by default until the lane is to end.
    """

    def __init__(
        self,
        name: str,
        writer: Writer,
        *,
        spool: Spool,
        begin: Mark,
        backoff: Backoff,
        reports: LaneReports,
        options: DeliveryOptions,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.name = name
        self._writer = writer
        self._spool = spool
        self._backoff = backoff
        self._reports = reports
        self._options = options
        self._draining = threading.Event()
        self._ending = threading.Event()
        self._awake = threading.Event()
        self._pause = pause or self._draining.wait
        self._lock = threading.Lock()
        self._begin = begin
        self._spooled_before = spool.end.rows
        self._written = begin
        self._durable = begin
        self._durable_name: BatchName | None = None
        self._sent: deque[_Sent] = deque()
        self._stored = 0
        self._rejected: dict[str, int] = {}
        self._dropped = 0
        self._failures = 0
        self._state: LaneState = "ok"
        self._last_error = ""
        self._thread = threading.Thread(target=self._run, name=f"stathouse-lane-{name}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be new batches."""
        self._awake.set()

    def drain(self) -> None:
        """End once everything spooled is written, or at the first batch that the backend cannot take now."""
        self._draining.set()
        self._awake.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end, at most so long; then no further batch is begun. False while a write is still going on."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_seconds))
        self._ending.set()
        return not self._thread.is_alive()

    def counts(self, now_ns: int) -> LaneCounts:
        """Return the counts; ``now_ns`` is the time, Unix ns, against which the lag is told."""
        with self._lock:
            written = self._written
            counted = (self._stored, dict(self._rejected), self._dropped, self._failures, self._state, self._last_error)
        stored, rejected, dropped, failures, state, last_error = counted
        end = self._spool.end  # after what was written, so that the lag is never below 0
        waiting_ns = self._spool.made_after(written.position)
        return LaneCounts(
            name=self.name,
            backlog=self._spooled_before - self._begin.rows,
            spooled=end.rows - self._spooled_before,
            stored=stored,
            rejected=rejected,
            dropped=dropped,
            lag_batches=end.position - written.position,
            lag_rows=end.rows - written.rows,
            lag_seconds=max(0.0, (now_ns - waiting_ns) / 1e9) if waiting_ns else 0.0,
            failures=failures,
            state=state,
            last_error=last_error,
        )

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                draining = self._draining.is_set()  # before the step: what was spooled until then is still to be seen
                if not self._step() and draining:
                    break
        except Exception as error:
            # A fault of this program: the other lanes go on, the spool keeps the batches, the state shows it.
            _log.exception("the lane to %r ended", self.name)
            self._note(f"the lane ended: {error!r}")
        finally:
            self._settle()
            with self._lock:
                self._state = "stopped"

    def _step(self) -> bool:
        """Write what is there; False when there was nothing or it could not be written."""
        try:
            reading = self._spool.read(self._written.position, self._options.read_bytes)
        except StoreDamaged as error:
            self._fail(str(error), None)
            self._reports.damaged()
            return False
        except StoreError:
            self._ending.set()  # the spool was closed over a write that took too long
            return False
        for spooled in reading.batches:
            if not self._deliver(spooled):
                return False
        found = reading.through.position > self._written.position or bool(reading.batches)
        if reading.through.position > self._written.position:
            self._pass_over(reading.through)
        self._recover()
        self._settle()
        if not found and not self._draining.is_set():
            self._awake.wait(self._options.poll_seconds)
            self._awake.clear()
        return found

    def _deliver(self, spooled: Spooled) -> bool:
        """Write a batch until it is taken or refused; False when the lane is to end first."""
        before = Mark(position=spooled.mark.position - 1, rows=spooled.mark.rows - spooled.batch.rows)
        if before.rows > self._written.rows:
            self._pass_over(before)
        while not self._ending.is_set():
            outcome = self._write(spooled.batch)
            if outcome.keep == 0:
                self._take(spooled, outcome)
                self._settle()
                return True
            if self._draining.is_set():
                self._note(outcome.detail)
                return False
            self._fail(outcome.detail, outcome.retry_after_seconds)
        return False

    def _write(self, batch: Batch) -> Outcome:
        try:
            return self._writer.write(batch)
        except Exception as error:
            # Not to be counted as delivered, not to be lost: whatever a backend raises means "keep".
            return Outcome(keep=max(1, batch.rows), detail=f"{type(error).__name__}: {error}")

    def _take(self, spooled: Spooled, outcome: Outcome) -> None:
        refused: dict[str, int] = {}
        for rejection in outcome.rejected:
            refused[rejection.reason] = refused.get(rejection.reason, 0) + rejection.rows
            _log.warning("%r refused %d rows (%s): %r", self.name, rejection.rows, rejection.reason, rejection.detail)
        settled = outcome.accepted == 0
        self._sent.append(_Sent(name=spooled.batch.name, mark=spooled.mark, losses=refused, settled=settled))
        self._recover()
        with self._lock:
            self._written = spooled.mark
            self._stored += outcome.accepted
            for reason, rows in refused.items():
                self._rejected[reason] = self._rejected.get(reason, 0) + rows
            if outcome.rejected:
                self._last_error = outcome.rejected[-1].detail[:_LONGEST_DETAIL]

    def _pass_over(self, mark: Mark) -> None:
        """Count the rows up to ``mark`` as unreadable: the running total has jumped."""
        with self._lock:
            rows = mark.rows - self._written.rows
            self._written = mark
            self._dropped += rows
        if rows or self._sent:
            name = BatchName(writer="", epoch=0, sequence=0)
            losses = {"corrupt_spool": rows} if rows else {}
            self._sent.append(_Sent(name=name, mark=mark, losses=losses, settled=True))
        if rows:
            _log.error("%d rows for %r could not be read from the spool any more", rows, self.name)

    def _settle(self) -> None:
        """Find out what the backend has for good by now, and say so."""
        through = self._durable_count()
        mark = self._durable
        losses: dict[str, int] = {}
        while self._sent and (through > 0 or self._sent[0].settled):
            sent = self._sent.popleft()
            through -= 1
            mark = sent.mark
            for reason, rows in sent.losses.items():
                losses[reason] = losses.get(reason, 0) + rows
        if mark.position > self._durable.position:
            self._durable = mark
            self._reports.advance(Advance(backend=self.name, mark=mark, losses=losses))

    def _durable_count(self) -> int:
        """Return how many of the sent batches, from the oldest on, the backend has for good."""
        if not self._sent:
            return 0
        try:
            name = self._writer.durable_through()
        except Exception as error:
            self._note(f"{type(error).__name__}: {error}")
            return 0
        if name is None:
            return 0
        # What was not covered the last time is not covered now, but for the newest; and from the newest on, a backend
        # that is durable at once is found at the first look.
        if name == self._durable_name and not _covers(name, self._sent[-1].name):
            return 0
        self._durable_name = name
        for index in range(len(self._sent) - 1, -1, -1):
            if _covers(name, self._sent[index].name):
                return index + 1
        return 0

    def _fail(self, detail: str, retry_after_seconds: float | None) -> None:
        first = self._backoff.failures == 0
        seconds = self._backoff.fail(retry_after_seconds)
        self._note(detail)
        with self._lock:
            self._failures += 1
            self._state = "retrying"
        if first:
            _log.warning("%r cannot take batches, they wait in the spool: %r", self.name, detail[:_LONGEST_DETAIL])
        self._pause(seconds)

    def _recover(self) -> None:
        if self._backoff.failures == 0:
            return
        self._backoff.succeed()
        with self._lock:
            self._state = "ok"
        _log.warning("%r takes batches again", self.name)

    def _note(self, problem: str) -> None:
        with self._lock:
            self._last_error = problem[:_LONGEST_DETAIL]


def _covers(durable: BatchName, name: BatchName) -> bool:
    """Say whether a batch is durable when ``durable`` and all before it are; other writers' names tell nothing."""
    return durable.writer == name.writer and (durable.epoch, durable.sequence) >= (name.epoch, name.sequence)
