"""What moves and what is full: disks, file systems, network interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import psutil

from stathouse.sources.reading import Description, Rates, Reading

__all__ = ["DESCRIPTIONS", "Disks", "Network", "filesystems"]

DESCRIPTIONS: Final = {
    "host.disk.read_bytes_per_second": Description("By/s", "Bytes read from a disk"),
    "host.disk.write_bytes_per_second": Description("By/s", "Bytes written to a disk"),
    "host.disk.reads_per_second": Description("1/s", "Reads finished by a disk"),
    "host.disk.writes_per_second": Description("1/s", "Writes finished by a disk"),
    "host.disk.busy_percent": Description("%", "Share of time in which a disk had work"),
    "host.filesystem.total_bytes": Description("By", "Size of a file system"),
    "host.filesystem.used_bytes": Description("By", "Bytes in use on a file system"),
    "host.filesystem.free_bytes": Description("By", "Bytes that programs may still use on a file system"),
    "host.filesystem.used_percent": Description("%", "Share of a file system in use"),
    "host.network.receive_bytes_per_second": Description("By/s", "Bytes received on an interface"),
    "host.network.transmit_bytes_per_second": Description("By/s", "Bytes sent on an interface"),
    "host.network.receive_packets_per_second": Description("1/s", "Packets received on an interface"),
    "host.network.transmit_packets_per_second": Description("1/s", "Packets sent on an interface"),
    "host.network.receive_drops_per_second": Description("1/s", "Received packets dropped on an interface"),
    "host.network.errors_per_second": Description("1/s", "Packets with errors on an interface, both ways"),
}

# Disks that only stand for memory or for a file on another disk would be counted twice.
_NO_DISK: Final = ("loop", "ram", "zram")


class Disks:
    """Rates of whole disks (partitions are part of their disk)."""

    def __init__(self) -> None:
        self._rates = Rates()

    def read(self, now: float) -> list[Reading]:
        """Return rates since the last call; ``now`` is monotonic seconds."""
        counters = psutil.disk_io_counters(perdisk=True, nowrap=True) or {}
        whole = [name for name in counters if not name.startswith(_NO_DISK) and not _is_partition(name, counters)]
        totals: dict[str, float] = {}
        for name in whole:
            disk = counters[name]
            totals[f"read_bytes_per_second {name}"] = disk.read_bytes
            totals[f"write_bytes_per_second {name}"] = disk.write_bytes
            totals[f"reads_per_second {name}"] = disk.read_count
            totals[f"writes_per_second {name}"] = disk.write_count
            if hasattr(disk, "busy_time"):  # milliseconds; Linux and FreeBSD
                totals[f"busy_percent {name}"] = disk.busy_time / 10
        return _named("host.disk", "device", self._rates.update(totals, now))


class Network:
    """Rates of network interfaces, without those that never carried a packet."""

    def __init__(self) -> None:
        self._rates = Rates()

    def read(self, now: float) -> list[Reading]:
        """Return rates since the last call; ``now`` is monotonic seconds."""
        totals: dict[str, float] = {}
        for name, nic in psutil.net_io_counters(pernic=True, nowrap=True).items():
            if nic.packets_recv or nic.packets_sent:
                totals[f"receive_bytes_per_second {name}"] = nic.bytes_recv
                totals[f"transmit_bytes_per_second {name}"] = nic.bytes_sent
                totals[f"receive_packets_per_second {name}"] = nic.packets_recv
                totals[f"transmit_packets_per_second {name}"] = nic.packets_sent
                totals[f"receive_drops_per_second {name}"] = nic.dropin
                totals[f"errors_per_second {name}"] = nic.errin + nic.errout
        return _named("host.network", "interface", self._rates.update(totals, now))


def filesystems() -> list[Reading]:
    """Return how full the mounted disks are; one reading per device, at its first mount point."""
    readings: list[Reading] = []
    seen: set[str] = set()
    for partition in psutil.disk_partitions(all=False):
        if partition.device in seen or "/loop" in partition.device:
            continue
        seen.add(partition.device)
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:  # not ours to look at, or gone since
            continue
        tags = (("mount", partition.mountpoint),)
        readings += [
            Reading("host.filesystem.total_bytes", tags, float(usage.total)),
            Reading("host.filesystem.used_bytes", tags, float(usage.used)),
            Reading("host.filesystem.free_bytes", tags, float(usage.free)),
            Reading("host.filesystem.used_percent", tags, usage.percent),
        ]
    return readings


def _is_partition(name: str, names: Mapping[str, object]) -> bool:
    """Say whether another disk's name with digits (``sda1``) or ``p`` and digits (``nvme0n1p2``) makes this name."""
    base = name.rstrip("0123456789")
    return base != name and (base in names or (base.endswith("p") and base[:-1] in names))


def _named(prefix: str, tag: str, rates: dict[str, float]) -> list[Reading]:
    readings: list[Reading] = []
    for key, rate in rates.items():
        what, _, which = key.partition(" ")
        readings.append(Reading(f"{prefix}.{what}", ((tag, which),), rate))
    return readings
