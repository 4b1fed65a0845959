"""Prints what the project needs, read from ``pyproject.toml``: for pip, before the project itself is built.

``python build_backend/requirements.py serve dev`` prints the requirements of extras and dependency groups of these
names, one a line. With ``--pins`` it reads the output of ``pip freeze`` and prints it as ``constraints.txt``.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main", "pins", "requirements"]

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_HEADER = "# Every Python package of the project and its tools, pinned. Written by 'make pins'; do not edit."
_OWN_EXTRA = re.compile(r"stathouse\[([a-z,]+)\]")


def requirements(project: dict[str, Any], names: list[str]) -> Iterator[str]:
    """Yield the requirements of extras and groups; an extra that names another is followed.

    Raises:
        KeyError: there is no extra and no group of that name.
    """
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    for name in names:
        for entry in extras[name] if name in extras else groups[name]:
            if isinstance(entry, dict):
                yield from requirements(project, [entry["include-group"]])
            elif own := _OWN_EXTRA.fullmatch(entry):
                yield from requirements(project, own.group(1).split(","))
            else:
                yield entry


def pins(frozen: list[str]) -> str:
    """Return the text of ``constraints.txt`` for the lines of ``pip freeze --all``."""
    kept = sorted(
        {line.strip() for line in frozen if "==" in line and not line.startswith("stathouse==")}, key=str.lower
    )
    return "\n".join([_HEADER, *kept, ""])


def main(arguments: list[str]) -> int:
    """Print requirements, or pins; return the exit code."""
    if arguments == ["--pins"]:
        sys.stdout.write(pins(sys.stdin.readlines()))
        return 0
    with _PROJECT.open("rb") as file:
        project = tomllib.load(file)
    print("\n".join(requirements(project, arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
