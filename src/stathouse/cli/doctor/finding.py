"""One line of the doctor: what was looked at, how it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Finding", "Level"]

Level: TypeAlias = Literal["ok", "warn", "fail"]
"""``ok``; ``warn``: it runs, but worse than it could; ``fail``: it does not run, or loses what it should keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Args:
        level: how bad it is.
        part: what was looked at, as ``port``.
        found: how it is, one line.
        advice: what to do, one sentence; empty when nothing.
    """

    level: Level
    part: str
    found: str
    advice: str = ""
