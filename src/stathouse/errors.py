"""The exception tree of the whole house.

::

    StathouseError
    ├── ConfigError          a setting is wrong: file, field path, allowed values
    │   ├── MissingExtra     a part is not installed: names the ``pip install``
    │   └── AddressTaken     a door's address is in use: names the option
    ├── InputError           what came in is wrong: where, what, what to do
    │   ├── TooLarge         over a limit that the error names
    │   └── UnknownSeries    nothing by that name is kept
    ├── StoreError           a store could not do its work
    │   ├── StoreFull        no room: shed and try again later
    │   ├── StoreLocked      another house holds the folder
    │   └── StoreDamaged     bytes on disk are not what was written
    ├── Overloaded           a bounded queue is full: try again after ``retry_after_seconds``
    └── HouseUnreachable     no house answers at that address
"""

from __future__ import annotations

__all__ = [
    "AddressTaken",
    "ConfigError",
    "HouseUnreachable",
    "InputError",
    "MissingExtra",
    "Overloaded",
    "StathouseError",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "TooLarge",
    "UnknownSeries",
]


class StathouseError(Exception):
    """Any error that Stathouse raises on purpose."""


class ConfigError(StathouseError):
    """A setting is wrong.

    Args:
        problem: what is wrong, in one sentence.
        where: the field path, as ``statsd.port``; empty when it is not one field.
        source: the file, environment variable or flag it came from; empty when unknown.
        advice: what to do, in one sentence.
    """

    def __init__(self, problem: str, *, where: str = "", source: str = "", advice: str = "") -> None:
        self.problem = problem
        self.where = where
        self.source = source
        self.advice = advice
        place = ": ".join(part for part in (source, where) if part)
        super().__init__(" ".join(part for part in (f"{place}: {problem}" if place else problem, advice) if part))


class MissingExtra(ConfigError):
    """A part of Stathouse is not installed.

    Args:
        feature: what was asked for.
        extra: the extra that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        self.feature = feature
        self.extra = extra
        super().__init__(f"{feature} is not installed.", advice=f"Run: pip install 'stathouse[{extra}]'")


class AddressTaken(ConfigError):
    """A door's address is used by another program.

    Args:
        address: the address as ``host:port`` or a path.
        option: the option that moves the door, as ``--statsd-port``.
    """

    def __init__(self, address: str, option: str) -> None:
        self.address = address
        self.option = option
        super().__init__(
            f"{address} is already in use.",
            advice=f"Stop the program that uses it, or choose another address with {option}.",
        )


class InputError(StathouseError):
    """What came in is wrong.

    Args:
        problem: what is wrong, in one sentence.
        where: the place in the input, as ``points[3].time`` or ``line 7``.
        reason: one of :data:`stathouse.model.REASONS`, under which it is counted.
    """

    def __init__(self, problem: str, *, where: str = "", reason: str = "bad_line") -> None:
        self.problem = problem
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {problem}" if where else problem)


class TooLarge(InputError):
    """The input is over a limit.

    Args:
        what: what is too large.
        limit: the limit, in ``unit``.
        option: the option that moves the limit; empty when it is fixed.
    """

    def __init__(self, what: str, *, limit: int, unit: str = "bytes", option: str = "") -> None:
        self.limit = limit
        advice = f" ({option} moves the limit)" if option else ""
        super().__init__(f"{what} is larger than {limit} {unit}{advice}.", reason="too_long")


class UnknownSeries(InputError):
    """Nothing is kept under that name."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        super().__init__(f"no series matches {pattern!r}; 'stathouse top' lists what comes in.", where="series")


class StoreError(StathouseError):
    """A store could not do its work."""


class StoreFull(StoreError):
    """There is no room on the disk or in the spool."""


class StoreLocked(StoreError):
    """Another house holds the data folder.

    Args:
        folder: the data folder.
        url: where that house answers; empty when it did not say.
    """

    def __init__(self, folder: str, url: str = "") -> None:
        self.folder = folder
        self.url = url
        ask = f"Ask it at {url}, or" if url else "Stop it, or"
        super().__init__(f"{folder} is held by another running house. {ask} choose another folder with --data.")


class StoreDamaged(StoreError):
    """Bytes on disk are not what was written.

    Args:
        path: the damaged file.
        problem: how it shows.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class Overloaded(StathouseError):
    """A bounded queue is full; nothing was taken.

    Args:
        what: the queue.
        retry_after_seconds: when to try again.
    """

    def __init__(self, what: str, retry_after_seconds: float = 1.0) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{what} is full; try again in {retry_after_seconds:g} s.")


class HouseUnreachable(StathouseError):
    """No house answers at that address."""

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        super().__init__(
            f"no house answers at {url} ({problem}). Start one with 'stathouse serve', or name another with --url."
        )
