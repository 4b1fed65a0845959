"""The live stream's one clock: asks the house once a tick and hands the answer to every stream.

Streams that ask for the same series share one answer. A stream whose reader is slow loses its oldest ticks, counted,
and never holds up the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from stathouse.errors import StathouseError
from stathouse.model import Clock
from stathouse.web.counters import WebCounters
from stathouse.web.lanes import Lane
from stathouse.web.ports import HouseView
from stathouse.web.refusals import refuse, retry_after
from stathouse.wire.answers import safe_json

__all__ = ["LiveHub", "Stream"]

_log = logging.getLogger(__name__)

_TICKS_KEPT: Final = 8
_HEARTBEAT_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 10.0


class Stream:
    """One reader's queue of ticks that are already text."""

    def __init__(self, globs: tuple[str, ...], counters: WebCounters) -> None:
        self.globs = globs
        self._ticks: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._counters = counters
        self._ended = False

    def push(self, tick: bytes) -> None:
        """Add a tick; the oldest goes when the reader is too far behind."""
        if len(self._ticks) >= _TICKS_KEPT:
            self._ticks.popleft()
            self._counters.add("live_ticks_dropped")
        self._ticks.append(tick)
        self._wake.set()

    def end(self) -> None:
        """Let the reader go after what it has."""
        self._ended = True
        self._wake.set()

    async def ticks(self) -> AsyncIterator[bytes]:
        """Give ticks as they come, a comment when none comes for long, until the end."""
        yield b": the house, live\nretry: 2000\n\n"
        while True:
            while self._ticks:
                yield self._ticks.popleft()
            if self._ended:
                return
            self._wake.clear()
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                yield b": still here\n\n"


class LiveHub:
    """Asks the house once a tick for every distinct set of series, while anybody listens.

    Args:
        house: the house.
        clock: for the pace.
        counters: where streams and dropped ticks are counted.
        tick_seconds: time between two ticks.
        most: most streams at a time.
    """

    def __init__(
        self, house: HouseView, *, clock: Clock, counters: WebCounters, tick_seconds: float = 1.0, most: int = 64
    ) -> None:
        self._house = house
        self._clock = clock
        self._counters = counters
        self._tick_seconds = tick_seconds
        self._most = most
        self._streams: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        # One thread: the house is asked by one at a time.
        self._lane = Lane("live points", at_once=1, waiting=most)

    async def open(self, globs: Sequence[str]) -> Stream:
        """Add a stream; hand it back to :meth:`leave`.

        Raises:
            litestar.exceptions.HTTPException: 503, there are too many, or the house is stopping.
        """
        if self._closed or len(self._streams) >= self._most:
            problem = "the house is stopping" if self._closed else f"more than {self._most} live streams"
            raise refuse(503, "overloaded", problem, headers=retry_after(5))
        stream = Stream(tuple(sorted(set(globs))), self._counters)
        self._streams.add(stream)
        self._counters.add("live_streams")
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live")
        return stream

    def leave(self, stream: Stream) -> None:
        """Remove a stream."""
        if stream in self._streams:
            self._streams.remove(stream)
            self._counters.add("live_streams", -1)

    def close(self) -> None:
        """End all streams; new ones are refused. To be called on the loop."""
        self._closed = True
        for stream in self._streams:
            stream.end()
        if self._task is not None:
            self._task.cancel()
        self._lane.close()

    async def _run(self) -> None:
        due = self._clock.monotonic()
        while self._streams:
            await self._tick()
            # A tick that took long is not made up for; the pace goes on from here.
            due = max(due + self._tick_seconds, self._clock.monotonic())
            await asyncio.sleep(due - self._clock.monotonic())

    async def _tick(self) -> None:
        for globs in {stream.globs for stream in self._streams}:
            try:
                tick = await self._lane.run(lambda asked=globs: self._text(asked), deadline_seconds=_ANSWER_SECONDS)  # type: ignore[misc]
            except StathouseError as error:
                _log.warning("no live tick: %s", error)
                continue
            except Exception:
                # One failure must not end everybody's stream; the next tick tries again.
                _log.exception("no live tick")
                continue
            for stream in self._streams:
                if stream.globs == globs:
                    stream.push(tick)

    def _text(self, globs: tuple[str, ...]) -> bytes:
        tiles, points = self._house.live(globs)
        number = self._clock.now_ns() // 1_000_000
        parts = [b"id: %d\nevent: status\ndata: %s\n\n" % (number, safe_json(tiles))]
        if points:
            parts.append(b"id: %d\nevent: points\ndata: %s\n\n" % (number, safe_json({"points": points})))
        return b"".join(parts)
