"""The busiest processes of the host: a table of now, not series (their number has no bound)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import psutil

__all__ = ["Process", "ProcessTable", "Processes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process: ``cpu_percent`` is of one processor (200 on two), since the last look."""

    pid: int
    name: str
    user: str
    cpu_percent: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTable:
    """The busiest processes at a time (Unix ns)."""

    time_ns: int
    by_cpu: tuple[Process, ...] = ()
    by_memory: tuple[Process, ...] = ()


class Processes:
    """Looks at all processes now and then and keeps what it needs to compare.

    Args:
        top: how many to keep of each table.
    """

    def __init__(self, *, top: int = 10) -> None:
        self._top = top
        self._cpu_seconds: dict[tuple[int, float], float] = {}
        self._at = 0.0

    def read(self, now: float, time_ns: int) -> ProcessTable:
        """Return the table; shares are since the last call, 0 at the first.

        Args:
            now: monotonic seconds.
            time_ns: Unix ns, stamped on the table.
        """
        elapsed = now - self._at
        seen: dict[tuple[int, float], float] = {}
        rows: list[tuple[float, int, psutil.Process]] = []
        for process in psutil.process_iter():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory = process.memory_info().rss
                    key = (process.pid, process.create_time())
            except psutil.Error:  # gone since, or not ours to look at
                continue
            spent = times.user + times.system
            seen[key] = spent
            before = self._cpu_seconds.get(key, spent)
            share = 100 * (spent - before) / elapsed if elapsed > 0 else 0.0
            rows.append((max(0.0, share), memory, process))
        self._cpu_seconds, self._at = seen, now
        return ProcessTable(
            time_ns=time_ns,
            by_cpu=tuple(map(_describe, heapq.nlargest(self._top, rows, key=lambda row: row[0]))),
            by_memory=tuple(map(_describe, heapq.nlargest(self._top, rows, key=lambda row: row[1]))),
        )


def _describe(row: tuple[float, int, psutil.Process]) -> Process:
    share, memory, process = row
    try:
        name, user = process.name(), process.username()
    except psutil.Error:
        name, user = "", ""
    return Process(pid=process.pid, name=name, user=user, cpu_percent=share, memory_bytes=memory)
