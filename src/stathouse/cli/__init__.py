"""The commands: ``stathouse serve``, ``top``, ``query`` and the rest. :func:`main` is the entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stathouse.cli.report import guarded, take_debug

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (:class:`stathouse.cli.exits.Exit`).

    Args:
        arguments: what follows the program's name; None for ``sys.argv``.
    """
    words, debug = take_debug(list(sys.argv[1:] if arguments is None else arguments))
    # The imports come inside: without the extras they fail, and that is an error to be told like any other.
    return guarded(lambda: _run(words), debug=debug)


def _run(words: list[str]) -> int:
    if words[:1] == ["serve"]:
        from stathouse.cli.start import plain_flags, start

        plain = plain_flags(words[1:])
        if plain is not None:
            return start(*plain)
    from stathouse.cli.app import run

    return run(words)
