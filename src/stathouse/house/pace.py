"""How fast things go: samples a second, the last flush, the house's own use of memory and processor."""

from __future__ import annotations

import os

import psutil

from stathouse.model import Clock

__all__ = ["Pace"]

_NS = 1_000_000_000


class Pace:
    """Measured once a second.

    Args:
        clock: time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._process = psutil.Process(os.getpid())
        self._at = clock.monotonic()
        self._received = 0
        self._cpu_seconds = 0.0
        self.samples_per_second = 0.0
        self.cpu_percent = 0.0
        self.memory_bytes = self._process.memory_info().rss
        self.last_flush_seconds = 0.0
        self.last_flush_rows = 0
        self.last_flush_time: float | None = None

    def measure(self, received: int) -> None:
        """Take the measure of the time since the last call.

        Args:
            received: running total of samples received.
        """
        now = self._clock.monotonic()
        elapsed = now - self._at
        if elapsed <= 0:
            return
        times = self._process.cpu_times()
        cpu_seconds = times.user + times.system
        self.samples_per_second = (received - self._received) / elapsed
        if self._cpu_seconds:
            self.cpu_percent = 100 * (cpu_seconds - self._cpu_seconds) / elapsed
        self.memory_bytes = self._process.memory_info().rss
        self._at, self._received, self._cpu_seconds = now, received, cpu_seconds

    def flushed(self, *, rows: int, seconds: float) -> None:
        """Note a flush of so many rows that took so long."""
        self.last_flush_rows = rows
        self.last_flush_seconds = seconds
        self.last_flush_time = self._clock.now_ns() / _NS
