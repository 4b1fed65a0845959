"""What Linux says of scarcity: pressure stall information and the limits of the house's own control group."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from stathouse.sources.reading import Description, Rates, Reading

__all__ = ["DESCRIPTIONS", "ControlGroup", "Pressure", "temperatures"]

DESCRIPTIONS: Final = {
    "host.pressure.some_percent": Description("%", "Share of time in which some task waited for a resource"),
    "host.pressure.full_percent": Description("%", "Share of time in which all tasks waited for a resource"),
    "host.cgroup.memory_used_bytes": Description("By", "Memory used by the house's control group"),
    "host.cgroup.memory_limit_bytes": Description("By", "Memory limit of the house's control group"),
    "host.cgroup.cpu_used_cores": Description("1", "Processors used by the house's control group"),
    "host.cgroup.cpu_limit_cores": Description("1", "Processor limit of the house's control group"),
    "host.cgroup.throttled_percent": Description("%", "Share of time in which the control group was held back"),
    "host.temperature_celsius": Description("Cel", "Temperature of a sensor"),
}


class Pressure:
    """Pressure stall information (https://docs.kernel.org/accounting/psi.html), from the running totals."""

    def __init__(self, folder: Path = Path("/proc/pressure")) -> None:
        self._folder = folder
        self._rates = Rates()

    def read(self, now: float) -> list[Reading]:
        """Return shares in percent since the last call; empty on kernels without it."""
        totals: dict[str, float] = {}
        for resource in ("cpu", "io", "memory"):
            try:
                text = (self._folder / resource).read_text()
            except OSError:
                continue
            for line in text.splitlines():
                kind, *fields = line.split()
                stalled = next((field[6:] for field in fields if field.startswith("total=")), "")
                if stalled.isdigit():  # microseconds
                    totals[f"{kind}_percent {resource}"] = int(stalled) / 1e4
        readings: list[Reading] = []
        for key, share in self._rates.update(totals, now).items():
            what, _, resource = key.partition(" ")
            readings.append(Reading(f"host.pressure.{what}", (("resource", resource),), min(100.0, share)))
        return readings


class ControlGroup:
    """Use and limits of this process' control group (cgroup v2)."""

    def __init__(self, root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> None:
        self._folder = _own_folder(root, own)
        self._rates = Rates()

    def read(self, now: float) -> list[Reading]:
        """Return use and limits; empty where there is no limit at all."""
        folder = self._folder
        if folder is None:
            return []
        readings: list[Reading] = []
        memory_limit = _number(folder / "memory.max")
        if memory_limit is not None:
            readings.append(Reading("host.cgroup.memory_limit_bytes", (), memory_limit))
            used = _number(folder / "memory.current")
            if used is not None:
                readings.append(Reading("host.cgroup.memory_used_bytes", (), used))
        quota = _words(folder / "cpu.max")
        if len(quota) == 2 and quota[0] != "max" and float(quota[1]) > 0:
            readings.append(Reading("host.cgroup.cpu_limit_cores", (), float(quota[0]) / float(quota[1])))
            readings += self._use(folder, now)
        return readings

    def _use(self, folder: Path, now: float) -> list[Reading]:
        words = _words(folder / "cpu.stat")
        stat = dict(zip(words[::2], words[1::2], strict=False))
        totals = {
            name: float(stat[key]) / divisor
            for name, key, divisor in (
                ("cpu_used_cores", "usage_usec", 1e6),
                ("throttled_percent", "throttled_usec", 1e4),
            )
            if key in stat
        }
        return [Reading(f"host.cgroup.{name}", (), rate) for name, rate in self._rates.update(totals, now).items()]


def temperatures() -> list[Reading]:
    """Return the sensors' temperatures; empty where there are none."""
    if not hasattr(psutil, "sensors_temperatures"):
        return []
    readings: list[Reading] = []
    for chip, sensors in psutil.sensors_temperatures().items():
        for index, sensor in enumerate(sensors):
            tags = (("sensor", f"{chip} {sensor.label or index}"),)
            readings.append(Reading("host.temperature_celsius", tags, sensor.current))
    return readings


def _own_folder(root: Path, own: Path) -> Path | None:
    """Return the folder of this process' v2 group: the line that begins with ``0::``."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    if path is None:
        return None
    folder = root / path.lstrip("/")
    return folder if folder.is_dir() else root


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _number(path: Path) -> float | None:
    words = _words(path)
    return float(words[0]) if words and words[0].isdigit() else None
