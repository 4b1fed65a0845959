"""Starts the house from the words of a command line, without the time that a command line library takes to load.

``stathouse serve`` has its sockets open within 0.3 s; half of that would go into cyclopts and its picture of all
options. So plain flags are read here. Whatever is not plain (help, a mistake, a value that looks like a flag) is left
to the full command line, which knows the words for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from stathouse.config.fields import by_path
from stathouse.config.load import FlagValue, load
from stathouse.config.options import HouseConfig

__all__ = ["plain_flags", "start"]


def start(config: str | None, flags: Mapping[str, FlagValue]) -> int:
    """Read the config and run the house; the exit code.

    Args:
        config: the TOML file; None for the one that ``STATHOUSE_CONFIG`` names.
        flags: option path → what its flag brings.
    """

    def read() -> HouseConfig:
        return load(config, os.environ, flags)

    first = read()  # before the house's imports: a mistake in the config is told at once
    from stathouse.cli.serve import run

    return run(first, config or os.environ.get("STATHOUSE_CONFIG") or None, read)


def plain_flags(words: Sequence[str]) -> tuple[str | None, dict[str, FlagValue]] | None:
    """Return the config file and the flags that the words after ``serve`` name; None when they are not plain.

    >>> plain_flags(["--statsd-port", "9000", "--no-statsd-tcp"])
    (None, {'statsd.port': '9000', 'statsd.tcp': False})
    >>> plain_flags(["--help"]) is None
    True
    """
    options = {option.flag: option for option in by_path().values()}
    config: str | None = None
    flags: dict[str, FlagValue] = {}
    left = list(words)
    while left:
        name, equals, value = left.pop(0).partition("=")
        option = options.get(name) or options.get("--" + name.removeprefix("--no-"))
        if option is not None and option.shape == "bool":
            if equals or option.path in flags:
                return None
            flags[option.path] = name == option.flag
            continue
        if not equals:
            value = left.pop(0) if left else ""
        if not value or value.startswith("-") or (name != "--config" and name not in options):
            return None
        if option is None:
            if config is not None:
                return None
            config = value
        elif not _add(flags, option.path, value, several=option.shape in ("texts", "map", "tables")):
            return None
    return config, flags


def _add(flags: dict[str, FlagValue], path: str, value: str, *, several: bool) -> bool:
    """Take a value; False when the flag came before and takes only one."""
    before = flags.get(path)
    if several:
        flags[path] = [*before, value] if isinstance(before, list) else [value]
        return True
    flags[path] = value
    return before is None
