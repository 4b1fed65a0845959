"""Flags that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter

from stathouse.errors import ConfigError

__all__ = ["JsonFlag", "Limit", "TimeRange"]

_TIME: Final = "Unix time in seconds, or as 2026-11-20T12:00:00Z"

JsonFlag: TypeAlias = Annotated[bool, Parameter(name="--json", help="Print JSON.", negative=(), show_default=False)]
"""``--json``."""

Limit: TypeAlias = Annotated[int, Parameter(help="At most this many.")]
"""``--limit``."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """Which time is asked for."""

    last: Annotated[str | None, Parameter(help="How far back: 90s, 10m, 6h, 7d.")] = None
    start: Annotated[str | None, Parameter(help=f"First time: {_TIME}.")] = None
    end: Annotated[str | None, Parameter(help=f"Last time, not included: {_TIME}.")] = None

    def parameters(self, default_last: str | None = None) -> list[tuple[str, str]]:
        """Return the parameters of the HTTP API.

        Args:
            default_last: how far back when neither ``last`` nor ``start`` is given; None for as far as there is.

        Raises:
            ConfigError: ``last`` and ``start`` are both given.
        """
        if self.last and self.start:
            raise ConfigError("--last and --start exclude each other.")
        last = self.last or (None if self.start else default_last)
        named = (("last", last), ("start", self.start), ("end", self.end))
        return [(name, value) for name, value in named if value]
