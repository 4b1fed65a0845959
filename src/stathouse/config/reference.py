"""Writes the reference page of all options: ``python -m stathouse.config.reference > docs/config.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from stathouse.config.fields import Option, Section, sections
from stathouse.config.options import BackendOptions
from stathouse.config.sample import toml_value

__all__ = ["main", "reference"]

_HEAD: Final = """\
<!-- Made by: python -m stathouse.config.reference > docs/config.md -->

# Configuration

The house runs without any configuration. What you want to change, you set in one of three places:

| place | example | wins over |
|---|---|---|
| a TOML file (`--config FILE` or `STATHOUSE_CONFIG`) | `port = 9000` under `[statsd]` | the defaults |
| an environment variable | `STATHOUSE_STATSD_PORT=9000` | the file |
| a flag of `stathouse serve` | `--statsd-port 9000` | the variable |

- `stathouse sample-config > stathouse.toml` writes a file with every option, its meaning and its default.
- `stathouse sample-config --schema` writes the JSON Schema of that file.
- `stathouse doctor --config stathouse.toml` says what is wrong with it and what to do.
- An unknown name or a wrong value stops the start with one line that says where it stands and what is allowed.
- A value that is set later replaces an earlier one as a whole, a list or a table too.
- In a flag or a variable, a list is separated by commas, tags are written `key=value,key2=value2`, and
  `backends` is a list of URLs. An empty variable sets nothing.
- `SIGHUP` (`systemctl reload stathouse`) reads the file again. `[host]`, `[series]` and
  `statsd.flush_every_seconds` hold at once; of any other option that was changed the log says that it needs a restart.
- A secret never stands in the file, only the name of a file or of a variable that holds it.
- In Kubernetes, a service called `stathouse` puts variables such as `STATHOUSE_PORT` and `STATHOUSE_SERVICE_HOST`
  into every pod beside it. They are ignored. A service called `stathouse-statsd` would set `STATHOUSE_STATSD_PORT`
  to a URL, which is refused: set `enableServiceLinks: false` or give the service another name.
"""


def reference() -> str:
    """Return the reference page in Markdown."""
    parts = [_HEAD]
    for section in sections():
        parts.append("\n".join(_section(section)))
    return "\n".join(parts).rstrip("\n") + "\n"


def main() -> None:
    """Print the reference page."""
    sys.stdout.write(reference())


def _section(section: Section) -> Iterator[str]:
    if section.form == "root":
        yield "## Top level"
    else:
        yield f"## `{section.header}`"
        yield ""
        yield section.description
    for option in section.options:
        yield from _option(option, section)
    yield ""


def _option(option: Option, section: Section) -> Iterator[str]:
    if section.form != "map" and option.shape != "tables":
        yield ""
        yield f"### `{option.path}`"
        yield ""
        yield option.description
    yield ""
    if option.shape != "tables":
        yield f"- Takes {option.allowed}."
    if option.shape == "tables":
        yield "- Default: " + ", ".join(f"`{entry.url}`" for entry in _entries(option.default)) + "."
    elif option.has_default:
        yield f"- Default: `{toml_value(option.default)}`."
    else:
        yield "- Has to be set."
    if option.example is not None:
        yield f"- Example: `{toml_value(option.example)}`."
    if option.outside:
        yield f"- Flag `{option.flag}`, variable `{option.variable}`."


def _entries(default: object) -> list[BackendOptions]:
    return default if isinstance(default, list) else []


if __name__ == "__main__":
    main()
