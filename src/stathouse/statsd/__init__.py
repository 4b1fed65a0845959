"""The statsd side of the house: the sockets through which lines come in."""

from stathouse.statsd.doors import DoorOptions, Doors, open_doors

__all__ = ["DoorOptions", "Doors", "open_doors"]
