"""How long to wait before a batch is sent again: full jitter, doubling, with a cap."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MAX_RETRY_AFTER_SECONDS", "Backoff", "Random"]

MAX_RETRY_AFTER_SECONDS = 300.0
"""A store's own wish is followed up to here."""


class Random(Protocol):
    """A source of randomness, as :class:`random.Random`."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between ``a`` and ``b``."""
        ...


class Backoff:
    """Pauses that grow with every failure in a row.

    A pause is uniform in [0, min(cap, base · 2ⁿ)] ("full jitter"), so that many clients do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        random: where the jitter comes from.
        base_seconds: the longest first pause.
        cap_seconds: the longest pause.
    """

    def __init__(self, random: Random, *, base_seconds: float, cap_seconds: float) -> None:
        self._random = random
        self._base_seconds = base_seconds
        self._cap_seconds = cap_seconds
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many failures there were in a row."""
        return self._failures

    def succeed(self) -> None:
        """Begin again with short pauses."""
        self._failures = 0

    def fail(self, retry_after_seconds: float | None = None) -> float:
        """Count a failure and return the pause in seconds.

        Args:
            retry_after_seconds: the store's wish; it is the least pause, clamped to [0, 300], and jitter is added.
        """
        # The exponent is bounded as well: 2.0 ** 1100 overflows after a long outage.
        ceiling = min(self._cap_seconds, self._base_seconds * 2.0 ** min(self._failures, 32))
        self._failures += 1
        wish = 0.0
        if retry_after_seconds is not None and retry_after_seconds > 0:  # false for NaN
            wish = min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS)
        return wish + self._random.uniform(0.0, ceiling)
