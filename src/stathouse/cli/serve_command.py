"""``stathouse serve`` on the full command line; plain flags take the short way of :mod:`stathouse.cli.start`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from stathouse.cli.config_flags import Flags, with_config_flags
from stathouse.cli.start import start

__all__ = ["serve"]


def _serve(
    *,
    config: Annotated[str | None, Parameter(env_var="STATHOUSE_CONFIG", help="The TOML file.", metavar="FILE")] = None,
    flags: Flags,
) -> int:
    """Start the house and run it until SIGTERM or Ctrl-C.

    Args:
        config: the TOML file.
        flags: options given as flags.
    """
    return start(config, flags)


serve = with_config_flags(_serve)
