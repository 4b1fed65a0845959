"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """What a command's exit code means."""

    OK = 0
    """It did what was asked."""
    FAILURE = 1
    """It could not, or a check failed; stderr says why."""
    USAGE = 2
    """The command line, the config or a question is wrong, or a part is not installed."""
    UNREACHABLE = 3
    """No house answers."""
    NOTHING = 4
    """The question was fine, but nothing was found."""
    INTERRUPTED = 130
    """Ctrl-C."""
    PIPE_CLOSED = 141
    """Whoever read the output went away."""
