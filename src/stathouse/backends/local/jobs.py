"""Which files are to be made one next: a plan from the list of files and the time, nothing else.

Levels: 0 sealed, 1 ten seals of the running hour, 2 an hour, 3 a day. A file belongs to the hour of its last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stathouse.backends.local.manifest import FileEntry
from stathouse.model import Table

__all__ = ["DAY_NS", "HOUR_NS", "Job", "next_job"]

HOUR_NS: Final = 3_600 * 10**9
DAY_NS: Final = 24 * HOUR_NS
_GRACE_NS = 120 * 10**9
_SEALS_A_PART = 10
_LATE_FILES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Files to be made one.

    Args:
        sources: the files, in the order of their numbers.
        level: of the file that replaces them.
        from_ns: rows before this time are left out.
    """

    table: Table
    sources: tuple[FileEntry, ...]
    level: int
    from_ns: int = -(2**63)


def next_job(files: Sequence[FileEntry], *, now_ns: int, keep_ns: int) -> Job | None:
    """Return what is to be done next; None when all is in order."""
    cutoff = now_ns - keep_ns
    tables: tuple[Table, ...] = ("points", "events")
    for table in tables:
        mine = sorted((entry for entry in files if entry.table == table), key=lambda entry: entry.order)
        for entry in mine:
            # A file that reaches far past the retention is written again without those rows; a few old rows wait.
            if entry.first_ns < cutoff - DAY_NS or entry.last_ns < cutoff:
                return Job(table=table, sources=(entry,), level=entry.level, from_ns=cutoff)
        job = _by_hour(table, mine, now_ns) or _by_day(table, mine, now_ns)
        if job is not None:
            return job
    return None


def _by_hour(table: Table, mine: Sequence[FileEntry], now_ns: int) -> Job | None:
    hours: dict[int, list[FileEntry]] = {}
    for entry in mine:
        if entry.level < 3:
            hours.setdefault(entry.last_ns // HOUR_NS, []).append(entry)
    for hour, entries in sorted(hours.items()):
        if (hour + 1) * HOUR_NS + _GRACE_NS <= now_ns:
            small = [entry for entry in entries if entry.level < 2]
            if small and len(entries) > 1 and (len(small) == len(entries) or len(small) >= _LATE_FILES):
                return Job(table=table, sources=tuple(entries), level=2)
        else:
            seals = [entry for entry in entries if entry.level == 0]
            if len(seals) >= _SEALS_A_PART:
                return Job(table=table, sources=tuple(seals), level=1)
    return None


def _by_day(table: Table, mine: Sequence[FileEntry], now_ns: int) -> Job | None:
    days: dict[int, list[FileEntry]] = {}
    for entry in mine:
        days.setdefault(entry.last_ns // DAY_NS, []).append(entry)
    for day, entries in sorted(days.items()):
        if (day + 1) * DAY_NS + _GRACE_NS > now_ns:
            continue
        late = [entry for entry in entries if entry.level < 3]
        if late and len(entries) > 1 and (len(late) == len(entries) or len(late) >= _LATE_FILES):
            return Job(table=table, sources=tuple(entries), level=3)
    return None
