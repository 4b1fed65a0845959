"""The table of commands."""

from __future__ import annotations

import difflib
import sys
from typing import Final

from cyclopts import App, CycloptsError
from cyclopts.exceptions import UnknownCommandError
from rich.console import Console

import stathouse
from stathouse.cli.exits import Exit
from stathouse.errors import ConfigError

__all__ = ["COMMANDS", "build", "run"]

_HELP: Final = """\
Keeps the statistics of programs and of the builds that make them.

'stathouse serve' starts a house: statsd on port 8125, page and API on port 8127. The other commands ask a running one.
"""

_EPILOGUE: Final = """\
Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 no house answers, 4 nothing found, 130 interrupted.
--debug or STATHOUSE_DEBUG=1 shows the traceback of an error. NO_COLOR=1 takes colour away.
"""

_WIDE: Final = 1_000  # no line break in what a program reads

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "serve": (
        "stathouse.cli.serve_command:serve",
        "Start the house and run it until SIGTERM or Ctrl-C.\n\n"
        "Needs no configuration. Every option below can also stand in the TOML file and in the environment.",
    ),
    "top": (
        "stathouse.cli.top:top",
        "Show what comes in, live.\n\n"
        "On a terminal a table that follows every second (q leaves); elsewhere plain lines, once a second.",
    ),
    "query": (
        "stathouse.cli.query:query",
        "Ask for the values of series.\n\nWithout --start, --end and --last: the last 10 minutes.",
    ),
    "events": (
        "stathouse.cli.events:events",
        "List events, newest first: builds, deployments, whatever was posted.",
    ),
    "status": (
        "stathouse.cli.status:status",
        "Say what came in, what is stored, and what was lost and why.",
    ),
    "doctor": (
        "stathouse.cli.doctor_command:doctor",
        "Check ports, folders, versions and config: what is wrong and what to do.\n\n"
        "Takes the same options as 'stathouse serve', and exits with 1 when a check fails.",
    ),
    "sample-config": (
        "stathouse.cli.sample_config:sample_config",
        "Print a config file with every option, its meaning and its default.",
    ),
    "version": (
        "stathouse.cli.version:version",
        "Print the versions of Stathouse and of what it stands on.",
    ),
    "completion": (
        "stathouse.cli.completion:completion",
        "Print the completion script of a shell.\n\nAs: stathouse completion bash >> ~/.bashrc",
    ),
}
"""Command → (where it is, imported only when it runs; its help)."""


def build() -> App:
    """Return the command line."""
    app = App(
        name="stathouse",
        help=_HELP,
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        help_formatter="default" if sys.stdout.isatty() else "plain",
        console=None if sys.stdout.isatty() else Console(width=_WIDE, highlight=False, color_system=None),
        version=stathouse.__version__,
        version_flags=["--version"],
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for order, (name, (place, text)) in enumerate(COMMANDS.items()):
        app.command(place, name=name, help=text, sort_key=order)
    return app


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: what follows the program's name.

    Raises:
        ConfigError: the command line is wrong.
    """
    try:
        code = build()(arguments)
    except UnknownCommandError as error:
        raise _unknown_command(error) from error
    except CycloptsError as error:
        raise ConfigError(str(error)) from error
    return code if isinstance(code, int) else Exit.OK


def _unknown_command(error: UnknownCommandError) -> ConfigError:
    # cyclopts would import every command to word this, also those whose extra is not installed.
    word = next(iter(error.unused_tokens or ()), "")
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"The commands are {', '.join(COMMANDS)}."
    return ConfigError(f"unknown command {word!r}.", advice=advice)
