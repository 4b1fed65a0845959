"""What becomes of an error: one line on stderr and an exit code; a traceback only when it was asked for."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from stathouse.cli.exits import Exit
from stathouse.cli.output import one_line
from stathouse.errors import ConfigError, HouseUnreachable, InputError, MissingExtra, StathouseError, UnknownSeries

__all__ = ["guarded", "take_debug"]


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run a command and return its exit code; no error leaves.

    Args:
        command: what to do.
        debug: show the traceback of an error.
    """
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes stdout at exit and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.PIPE_CLOSED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        return _report(_as_known(error))
    return code


def take_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``--debug``, and whether tracebacks are wanted.

    >>> take_debug(["status", "--debug"])
    (['status'], True)
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    head = [argument for argument in arguments[:end] if argument != "--debug"]
    wanted = len(head) < end or os.environ.get("STATHOUSE_DEBUG", "") not in ("", "0")
    return head + arguments[end:], wanted


def _report(error: Exception) -> int:
    """Write one line for an error and return the exit code for it."""
    text = str(error) if isinstance(error, StathouseError) else _unexpected(error)
    print(f"stathouse: {one_line(text)}", file=sys.stderr)
    match error:
        case HouseUnreachable():
            return Exit.UNREACHABLE
        case UnknownSeries():
            return Exit.NOTHING
        case ConfigError() | InputError():
            return Exit.USAGE
        case _:
            return Exit.FAILURE


def _as_known(error: Exception) -> Exception:
    """Return the error, or what a module that is not installed means to the user."""
    cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
    if not isinstance(cause, ModuleNotFoundError):
        return error
    if cause.name == "stathouse._core":
        return ConfigError("the Rust core is not built.", advice="Run: pip install '.[serve]'")
    if (cause.name or "").partition(".")[0] == "stathouse":
        return error
    return MissingExtra("The command line of the house", "serve")


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used: {error.strerror} (--debug shows where)"
    return f"{type(error).__name__}: {error} (--debug shows where)"
