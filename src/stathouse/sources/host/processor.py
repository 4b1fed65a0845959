"""Processors, load and open files of the host."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from stathouse.sources.reading import Description, Reading

__all__ = ["DESCRIPTIONS", "Processor", "file_descriptors", "load"]

DESCRIPTIONS: Final = {
    "host.cpu.percent": Description("%", "Share of time a processor (tag cpu; all = mean) spent in a state"),
    "host.load1": Description("1", "Runnable and blocked tasks, mean over 1 minute"),
    "host.load5": Description("1", "Runnable and blocked tasks, mean over 5 minutes"),
    "host.load15": Description("1", "Runnable and blocked tasks, mean over 15 minutes"),
    "host.file_descriptors.open": Description("1", "File descriptors in use on the host"),
    "host.file_descriptors.limit": Description("1", "Most file descriptors that the kernel hands out"),
}

_FILE_NR: Final = Path("/proc/sys/fs/file-nr")
# Guest time is counted in user and nice already (proc_stat(5)), so it is left out of states and total.
_GUEST: Final = frozenset({"guest", "guest_nice"})


class Processor:
    """Shares of time per processor and state, since the last reading."""

    def __init__(self) -> None:
        self._last: list[tuple[float, ...]] = []

    def read(self) -> list[Reading]:
        """Return shares in percent; empty at the first call."""
        times = psutil.cpu_times(percpu=True)
        if not times:
            return []
        states = [state for state in times[0]._fields if state not in _GUEST]
        rows = [tuple(getattr(cpu, state) for state in states) for cpu in times]
        rows.append(tuple(sum(column) for column in zip(*rows, strict=True)))
        last, self._last = self._last, rows
        if len(last) != len(rows):  # the first reading, or a processor was switched on or off
            return []
        readings: list[Reading] = []
        for index, (before, after) in enumerate(zip(last, rows, strict=True)):
            name = "all" if index == len(rows) - 1 else str(index)
            spent = [max(0.0, b - a) for a, b in zip(before, after, strict=True)]
            total = sum(spent)
            if total > 0:
                readings += [
                    Reading("host.cpu.percent", (("cpu", name), ("state", state)), 100 * share / total)
                    for state, share in zip(states, spent, strict=True)
                ]
        return readings


def load() -> list[Reading]:
    """Return the three load averages."""
    one, five, fifteen = psutil.getloadavg()
    return [Reading("host.load1", (), one), Reading("host.load5", (), five), Reading("host.load15", (), fifteen)]


def file_descriptors(path: Path = _FILE_NR) -> list[Reading]:
    """Return open and possible file descriptors (proc_sys_fs(5)); empty where the kernel does not say."""
    try:
        allocated, unused, limit = (int(word) for word in path.read_text().split())
    except (OSError, ValueError):
        return []
    readings = [Reading("host.file_descriptors.open", (), allocated - unused)]
    if limit < 2**62:  # the kernel's word for "no limit"
        readings.append(Reading("host.file_descriptors.limit", (), limit))
    return readings
