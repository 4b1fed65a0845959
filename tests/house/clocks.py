"""A clock that a test moves by hand."""

from __future__ import annotations

__all__ = ["HandClock"]


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.wall = seconds
        self.steady = 0.0

    def now_ns(self) -> int:
        return int(self.wall * 1_000_000_000)

    def monotonic(self) -> float:
        return self.steady

    def move(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
