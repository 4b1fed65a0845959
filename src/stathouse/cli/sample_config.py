"""``stathouse sample-config``: every option with its meaning and default, as TOML or JSON Schema."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

__all__ = ["sample_config"]


def sample_config(
    *,
    schema: Annotated[
        bool, Parameter(help="Print the JSON Schema of the file instead.", negative=(), show_default=False)
    ] = False,
) -> int:
    """Print a config file with every option, its meaning and its default.

    Args:
        schema: print the JSON Schema instead.
    """
    if schema:
        import msgspec

        from stathouse.cli.output import write_json
        from stathouse.config.options import HouseConfig

        write_json(msgspec.json.schema(HouseConfig))
        return 0
    from stathouse.config.sample import sample

    sys.stdout.write(sample())
    return 0
