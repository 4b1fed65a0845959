"""What the local archive can be told: when to seal, how long to keep, how much room to leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["ArchiveOptions", "ArchiveSettings"]


class ArchiveOptions(Protocol):
    """The options of the archive; the house's own configuration has these fields."""

    @property
    def seal_rows(self) -> int:
        """Seal when this many rows are recent."""
        ...

    @property
    def seal_bytes(self) -> int:
        """Seal when the recent rows take this many bytes."""
        ...

    @property
    def seal_seconds(self) -> float:
        """Seal when the oldest recent row has waited this long."""
        ...

    @property
    def keep_days(self) -> float:
        """Rows older than this are dropped."""
        ...

    @property
    def min_free_percent(self) -> float:
        """Take no more rows when less of the disk is free; ``min_free_bytes`` caps it."""
        ...

    @property
    def min_free_bytes(self) -> int:
        """The free bytes that are enough on any disk."""
        ...

    @property
    def replaced_minutes(self) -> float:
        """How long a file stays on the disk after it has been replaced by a merged one."""
        ...

    @property
    def memory_limit(self) -> str:
        """What DuckDB may use for an answer, as ``256MB``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """The defaults, for an archive that is opened without a configuration."""

    seal_rows: int = 1_000_000
    seal_bytes: int = 64 << 20
    seal_seconds: float = 60.0
    keep_days: float = 90.0
    min_free_percent: float = 10.0
    min_free_bytes: int = 1 << 30
    replaced_minutes: float = 10.0
    memory_limit: str = "256MB"
