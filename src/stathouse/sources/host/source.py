"""All readings of the host, each as often as it is worth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from stathouse.model import Point
from stathouse.sources.host import kernel, memory, processor, transfer
from stathouse.sources.reading import Description, Reading, to_points

__all__ = ["DESCRIPTIONS", "HostSource"]

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    **processor.DESCRIPTIONS,
    **memory.DESCRIPTIONS,
    **transfer.DESCRIPTIONS,
    **kernel.DESCRIPTIONS,
}
"""Series → unit and meaning, for all that this source reads."""

_SLOW_SECONDS: Final = 10.0  # file systems and sensors change slowly and cost most

_log = logging.getLogger("stathouse.sources.host")


class HostSource:
    """Reads this host.

    A part that fails (a device went away, a file is not readable) is left out and logged once, the others go on.
    """

    def __init__(self) -> None:
        cpu, disks, network = processor.Processor(), transfer.Disks(), transfer.Network()
        pressure, group = kernel.Pressure(), kernel.ControlGroup()
        self._each_time: tuple[Callable[[float], list[Reading]], ...] = (
            lambda now: cpu.read(),
            lambda now: processor.load(),
            lambda now: processor.file_descriptors(),
            lambda now: memory.memory(),
            disks.read,
            network.read,
            pressure.read,
            group.read,
        )
        self._slowly: tuple[Callable[[float], list[Reading]], ...] = (
            lambda now: transfer.filesystems(),
            lambda now: kernel.temperatures(),
        )
        self._slow_due = 0.0
        self._failed: set[str] = set()

    def read(self, now: float, time_ns: int) -> list[Point]:
        """Return what there is to read now.

        Args:
            now: monotonic seconds.
            time_ns: Unix ns, stamped on all points.
        """
        readers = self._each_time
        if now >= self._slow_due:
            self._slow_due = now + _SLOW_SECONDS
            readers += self._slowly
        readings: list[Reading] = []
        for reader in readers:
            try:
                readings += reader(now)
            except (OSError, ValueError, RuntimeError) as error:  # what psutil and the kernel's files raise
                self._log_once(f"{type(error).__name__}: {error}")
        return to_points(readings, time_ns)

    def _log_once(self, problem: str) -> None:
        if problem not in self._failed and len(self._failed) < 100:
            self._failed.add(problem)
            _log.warning("a reading of the host failed: %s", problem)
