"""What the kernel says of a process and of a UDP socket."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["cpu_seconds", "median", "rss_mib", "udp_drops", "wait_until"]

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads, in seconds (from the scheduler's clock where there is one)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])  # ns on a processor
        except (OSError, IndexError, ValueError):
            break
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_mib(pid: int) -> float:
    """Return resident memory in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20


def udp_drops(port: int) -> int:
    """Return datagrams the kernel dropped for the sockets bound to a port; -1 when none is bound."""
    drops, found = 0, False
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                drops, found = drops + int(fields[-1]), True
    return drops if found else -1


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come true in time.
    """
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.005)
