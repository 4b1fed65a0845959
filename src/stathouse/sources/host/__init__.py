"""The host source: processors, memory, disks, network, pressure, limits, temperatures and the busiest processes."""

from stathouse.sources.host.processes import Process, Processes, ProcessTable
from stathouse.sources.host.source import DESCRIPTIONS, HostSource

__all__ = ["DESCRIPTIONS", "HostSource", "Process", "ProcessTable", "Processes"]
