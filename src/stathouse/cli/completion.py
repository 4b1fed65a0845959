"""``stathouse completion``: the completion script of a shell."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

__all__ = ["completion"]


def completion(shell: Annotated[Literal["bash", "fish", "zsh"], Parameter(help="The shell.")], /) -> int:
    """Print the completion script of a shell.

    Args:
        shell: the shell.
    """
    from stathouse.cli.app import build

    sys.stdout.write(build().generate_completion(shell=shell))
    return 0
