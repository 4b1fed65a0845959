"""Cuts time into intervals that are multiples of the wall clock."""

from __future__ import annotations

from typing import Final

__all__ = ["Intervals"]

_NS: Final = 1_000_000_000


class Intervals:
    """The running interval and the one after it.

    Starts always grow, also when the wall clock is set back: an interval that would begin before the one that ended
    begins a nanosecond after it instead. So they are in step again as soon as the wall clock has passed them.

    Args:
        every_seconds: the length.
        now_ns: Unix time in ns.
    """

    def __init__(self, every_seconds: float, now_ns: int) -> None:
        self._length_ns = int(every_seconds * _NS)
        self._start_ns = now_ns - now_ns % self._length_ns

    @property
    def start_ns(self) -> int:
        """Start of the running interval, Unix ns."""
        return self._start_ns

    @property
    def every_seconds(self) -> float:
        """Length of an interval in seconds."""
        return self._length_ns / _NS

    def is_over(self, now_ns: int) -> bool:
        """Say whether the running interval has ended – or the clock was set back past its start."""
        return not self._start_ns <= now_ns < self._start_ns + self._length_ns

    def begin_next(self, now_ns: int) -> int:
        """Begin the interval of now and return the start of the one that ended."""
        ended = self._start_ns
        self._start_ns = max(now_ns - now_ns % self._length_ns, ended + 1)
        return ended

    def change_length(self, every_seconds: float) -> None:
        """Cut intervals of another length from now on; the running one keeps its start."""
        self._length_ns = int(every_seconds * _NS)
