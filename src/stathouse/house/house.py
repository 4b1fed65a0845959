"""The house: wires doors, sources, delivery and backends, and answers what is asked of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

from stathouse.config import backend_names, open_backend
from stathouse.config.options import HouseConfig
from stathouse.delivery import Delivery, DeliveryOptions
from stathouse.errors import ConfigError, Overloaded, StathouseError
from stathouse.house import numbers, status
from stathouse.house.accounts import Accounts
from stathouse.house.clockwork import Clockwork, Task
from stathouse.house.entrance import Entrance
from stathouse.house.intervals import Intervals
from stathouse.house.live import Live
from stathouse.house.pace import Pace
from stathouse.model import (
    Answer,
    Batch,
    BatchName,
    Clock,
    Event,
    EventQuery,
    Payload,
    Point,
    Query,
    Reader,
    SeriesInfo,
    Sink,
    Tags,
    Writer,
)
from stathouse.sources import host
from stathouse.sources.reading import Description
from stathouse.wire.prometheus import Metric
from stathouse.wire.tables import events_payload, points_payload
from stathouse.wire.tags import canonical

__all__ = ["House"]

_NS = 1_000_000_000
_CLOCK_JUMP_SECONDS = 2.0
_COMMIT_SECONDS = 2.0

_log = logging.getLogger("stathouse.house")


@runtime_checkable
class HasStats(Protocol):
    """A backend that can say what it holds."""

    def stats(self) -> Mapping[str, object]:
        """Return its numbers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handed:
    """Rows of the last flush, on their way through the spool to the backends."""

    payload: Payload
    future: Future[BatchName]

    def batch(self) -> Batch | None:
        """Wait for the name that the rows are kept under; None when they were refused, or it takes too long."""
        try:
            name = self.future.result(_COMMIT_SECONDS)
        except (StathouseError, TimeoutError):
            return None
        return Batch(name=name, table=self.payload.table, rows=self.payload.rows, body=self.payload.body)


class House:
    """A running house; a context manager that starts on entry and stops, everything flushed, on exit.

    Args:
        entrance: the sockets, already open.
        config: the options.
        data: the data folder.
        clock: time.

    Raises:
        ConfigError: a backend cannot be opened, or two have one name.
    """

    def __init__(self, entrance: Entrance, config: HouseConfig, *, data: Path, clock: Clock) -> None:
        self.entrance = entrance
        self.config = config
        self.data = data
        self.clock = clock
        self.tags: Tags = entrance.tags
        self.started_ns = clock.now_ns()
        self._began = clock.monotonic()
        self.pace = Pace(clock)
        self.intervals = Intervals(config.statsd.flush_every_seconds, self.started_ns)
        self.now = Live(
            aggregator=entrance.aggregator,
            interval_start_ns=lambda: self.intervals.start_ns,
            unit=lambda name: self.unit(name)[0],
            clock=clock,
        )
        self._descriptions = _descriptions(config)
        self._stack = ExitStack()
        self.writers = self._open_writers()
        self.reader = next((writer for writer in self.writers.values() if isinstance(writer, Reader)), None)
        self.delivery = Delivery(data / "spool", self.writers, clock=clock, options=_delivery_options(config))
        self.accounts = Accounts(entrance.aggregator, self.delivery.counts)
        self._buffer: list[Point] = []
        self._handed: list[_Handed] = []
        self._host = host.HostSource()
        self._processes = host.Processes(top=config.host.top_processes)
        self._process_table = host.ProcessTable(time_ns=0)
        self._own = numbers.OwnPoints()
        self._clock_offset = clock.now_ns() / _NS - clock.monotonic()
        self.clockwork = Clockwork(self._tasks(), clock)
        self.is_up = False
        self.http_counts: Callable[[], Mapping[str, int]] = dict
        """Says what the HTTP door counts; set by whoever puts the web on this house."""

    def __enter__(self) -> House:
        self.delivery.start()
        self._stack.callback(self._close)
        self.clockwork.start()
        self.is_up = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # What comes in

    @property
    def sink(self) -> Sink:
        """Where the web room hands in rows."""
        return self

    def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
        """Take rows that came by HTTP (the :class:`stathouse.model.Sink` of the web room).

        Raises:
            Overloaded: the queue before the spool is full.
        """
        with self.accounts.handover:
            self.accounts.direct += payload.rows
            future = self.delivery.put(payload, key=key)
        if payload.table == "points":
            self.now.offer_payload(payload)
        return future

    def flush(self) -> None:
        """End the running interval and hand its rows, and those that sources read meanwhile, to delivery."""
        began = self.clock.monotonic()
        with self.accounts.handover:
            start_ns = self.intervals.begin_next(self.clock.now_ns())
            # Lifetimes of idle series are counted in steady time: a wall clock that is set must not end them all.
            steady_ns = int(self.clock.monotonic() * _NS)
            flushed = self.entrance.aggregator.flush(start_ns=start_ns, now_ns=steady_ns)
            payload = Payload(table="points", rows=flushed.rows, body=flushed.body)
            self._buffer_points(self._own_points(start_ns))
            points, self._buffer = self._buffer, []
            self.accounts.waiting = 0
            parts = [part for part in (payload, points_payload(points)) if part.rows]
            self._handed = [_Handed(payload=part, future=future) for part in parts if (future := self._put(part))]
        self.now.offer_payload(payload, is_flush=True)
        self.pace.flushed(rows=flushed.rows, seconds=self.clock.monotonic() - began)

    # What is asked

    def status(self) -> dict[str, object]:
        """Return the document of ``GET /api/status``."""
        return status.document(self)

    def ready(self) -> tuple[bool, list[str]]:
        """Say whether the house does what it promises; and what is wrong when it does not, or was and is no more."""
        problems = status.problems(self)
        return self.is_up and not problems, [*problems, *status.remarks(self)]

    def answer(self, query: Query, *, unflushed: bool = True) -> Answer:
        """Answer a question about points, the running interval included unless told otherwise.

        Raises:
            InputError: the question makes no sense.
            ConfigError: no backend can answer.
        """
        reader = self._readable()
        if not unflushed:
            return reader.query(query)
        running, handed = self._running_rows(query)
        return reader.query(query, unflushed=running, on_the_way=[batch for one in handed if (batch := one.batch())])

    def series(self, *, search: str, limit: int) -> Sequence[SeriesInfo]:
        """Return the series that are kept, and those that have just appeared, by name."""
        found = {(info.name, info.tags): info for info in self._readable().series(search=search, limit=limit)}
        for info in self.now.series(search):
            found.setdefault((info.name, info.tags), info)
        return sorted(found.values(), key=lambda info: (info.name, info.tags))[:limit]

    def events(self, query: EventQuery) -> Sequence[Event]:
        """Return event rows."""
        return self._readable().events(query)

    def top(self, *, limit: int, search: str) -> dict[str, object]:
        """Return the document of ``GET /api/top``."""
        return self.now.top(limit=limit, search=search)

    def processes(self) -> dict[str, object]:
        """Return the document of ``GET /api/processes``."""
        return status.processes(self._process_table)

    def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
        """Return the tiles, and what has come in the series that ``globs`` match since the last such call."""
        return status.tiles(self), self.now.read(globs)

    def metrics(self) -> list[Metric]:
        """Return the house's own numbers as Prometheus metrics."""
        return numbers.to_metrics(status.own_numbers(self))

    def unit(self, name: str) -> tuple[str, str]:
        """Return a series' unit and description, empty when nobody gave one."""
        description = self._descriptions.get(name)
        return (description.unit, description.text) if description else ("", "")

    def archive_stats(self) -> Mapping[str, object]:
        """Return what the readable backend says of its files, empty when it says nothing."""
        return self.reader.stats() if isinstance(self.reader, HasStats) else {}

    def uptime_seconds(self) -> float:
        """Return the seconds since the start."""
        return self.clock.monotonic() - self._began

    # How it lives

    def reload(self, config: HouseConfig) -> list[str]:
        """Take over what can change while the house runs; return the options that need a restart.

        Sockets, queues and series in memory stay as they are.
        """
        changed = status.changed_options(self.config, config)
        with self.accounts.handover:
            self.intervals.change_length(config.statsd.flush_every_seconds)
            self._processes = host.Processes(top=config.host.top_processes)
            self._descriptions = _descriptions(config)
            self.config = status.reloaded(self.config, config)
        return [option for option in changed if not option.startswith(status.RELOADABLE)]

    def _tasks(self) -> list[Task]:
        return [
            Task(
                name="reading the host",
                every_seconds=lambda: self.config.host.every_seconds,
                run=self._read_host,
                at_once=True,
            ),
            Task(
                name="reading the processes",
                every_seconds=lambda: self.config.host.processes_every_seconds,
                run=self._read_processes,
                at_once=True,
            ),
            Task(name="the flush", every_seconds=lambda: self.intervals.every_seconds, run=self._flush_if_over),
            Task(name="the pace", every_seconds=lambda: 1.0, run=self._measure),
        ]

    def _flush_if_over(self) -> None:
        if self.intervals.is_over(self.clock.now_ns()):
            self.flush()

    def _read_host(self) -> None:
        if self.config.host.enabled:
            now_ns, slot_ns = self.clock.now_ns(), int(self.config.host.every_seconds * _NS)
            points = self._host.read(self.clock.monotonic(), now_ns - now_ns % slot_ns)
            points = _tagged(points, self.tags)
            with self.accounts.handover:
                self._buffer_points(points)
            self.now.offer_points(points)

    def _read_processes(self) -> None:
        if self.config.host.enabled:
            self._process_table = self._processes.read(self.clock.monotonic(), self.clock.now_ns())

    def _measure(self) -> None:
        self.pace.measure(self.entrance.aggregator.counters()["received"])
        offset = self.clock.now_ns() / _NS - self.clock.monotonic()
        jumped, self._clock_offset = offset - self._clock_offset, offset
        if abs(jumped) >= _CLOCK_JUMP_SECONDS:
            now_ns = self.clock.now_ns()
            _log.warning("the wall clock jumped by %.1f s", jumped)
            event = Event(
                key=("stathouse", "clock"),
                state="jump",
                id=f"clock-{now_ns}",
                time_ns=now_ns,
                payload={"seconds": jumped},
            )
            with self.accounts.handover:
                self.accounts.direct += 1
                self._put(events_payload([event]))

    def _buffer_points(self, points: Sequence[Point]) -> None:
        rows = sum(len(point.fields) for point in points)
        self._buffer += points
        self.accounts.direct += rows
        self.accounts.waiting += rows

    def _own_points(self, time_ns: int) -> list[Point]:
        """Return the house's own numbers as points; none when they cannot be read."""
        try:
            return _tagged(self._own.make(status.own_numbers(self), time_ns), self.tags)
        except Exception:
            # What the house has to say of itself must not cost the rows that others sent.
            _log.exception("the house's own numbers could not be read")
            return []

    def _put(self, payload: Payload) -> Future[BatchName] | None:
        """Hand rows over; delivery counts them as dropped when it has no room."""
        try:
            return self.delivery.put(payload)
        except Overloaded as error:
            _log.warning("%d rows dropped: %s", payload.rows, error)
            return None

    def _running_rows(self, query: Query) -> tuple[bytes | None, list[_Handed]]:
        """Return the rows of the running interval that the question may be about, and what the last flush handed over.

        Both at one moment: a flush in between would show its rows twice or not at all.
        """
        with self.accounts.handover:
            start_ns = self.intervals.start_ns
            peeked = self.entrance.aggregator.peek(start_ns=start_ns, names=[query.series], limit=100_000)
            waiting, handed = list(self._buffer), self._handed
        return self.now.join(peeked.body if peeked.rows else b"", waiting, query.series), handed

    def _readable(self) -> Reader:
        if self.reader is None:
            raise ConfigError(
                "no backend of this house can answer questions.", where="backends", advice="Add a backend 'local:'."
            )
        return self.reader

    def _open_writers(self) -> dict[str, Writer]:
        writers: dict[str, Writer] = {}
        for name, backend in zip(backend_names(self.config.backends), self.config.backends, strict=True):
            url = f"local:{self.data / 'archive'}" if backend.url == "local:" else backend.url
            writers[name] = open_backend(url, options=self.config.archive)
            self._stack.callback(writers[name].close)
        return writers

    def _close(self) -> None:
        """Stop in the order in which things flow: doors, the last interval, delivery; then the backends close."""
        self.is_up = False
        self.clockwork.stop(timeout_seconds=2.0)
        self.entrance.doors.stop(2.0)
        self.flush()
        self.delivery.stop(deadline_seconds=4.0)


def _delivery_options(config: HouseConfig) -> DeliveryOptions:
    return DeliveryOptions(
        max_bytes=config.spool.max_bytes,
        max_rows=config.spool.max_rows,
        queue_bytes=config.spool.queue_bytes,
        group_commit_millis=config.spool.group_commit_millis,
        key_days=config.spool.key_days,
        min_free_bytes=config.archive.min_free_bytes,
        min_free_percent=config.archive.min_free_percent,
    )


def _descriptions(config: HouseConfig) -> Mapping[str, Description]:
    named = {name: Description(series.unit, series.description) for name, series in config.series.items()}
    return {**host.DESCRIPTIONS, **numbers.DESCRIPTIONS, **named}


def _tagged(points: list[Point], tags: Tags) -> list[Point]:
    """Return points with the house's tags; a point's own tag goes first."""
    if not tags:
        return points
    return [replace(point, tags=canonical((*tags, *point.tags))) for point in points]
