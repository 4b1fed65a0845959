"""Writes the sample config: every option with its meaning, limits and default, all commented out."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from stathouse.config.fields import Option, Section, sections

__all__ = ["sample", "toml_value"]

_WIDTH: Final = 108
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_EXAMPLE_NAMES: Final = {"series": "shop.orders"}

_HEAD: Final = """\
The config of a Stathouse house. Every line below shows a default or an example; take the '#' away to set it.
Start with it: stathouse serve --config stathouse.toml
An option can also be set by a flag (--statsd-port 9000) or a variable (STATHOUSE_STATSD_PORT=9000);
a flag wins over a variable, a variable over this file.
"""


def sample() -> str:
    """Return the sample config, a TOML document that sets nothing."""
    lines = [f"# {line}" for line in _HEAD.splitlines()]
    for section in sections():
        lines.append("")
        lines += _section(section)
    return "\n".join(lines) + "\n"


def toml_value(value: object) -> str:
    """Return a value as TOML.

    >>> toml_value({"host": "web-1"})
    '{ host = "web-1" }'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case float() if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
            return f"{value:.1f}"
        case int() if value >= 10_000:
            return f"{value:_}"
        case int() | float():
            return str(value)
        case list():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
        case dict():
            inner = ", ".join(f"{_key(key)} = {toml_value(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return _text(str(value))


def _section(section: Section) -> Iterator[str]:
    optional = section.form in ("array", "named")
    if section.form != "root":
        header = section.header.replace("NAME", _EXAMPLE_NAMES.get(section.path, "NAME"))
        yield from _comment(section.description)
        # An uncommented [table] sets nothing, but an uncommented [[array]] or name would add an entry.
        yield f"#{header}" if optional else header
    for option in section.options:
        if option.shape == "tables":
            continue
        if section.form == "map":
            example = option.example if isinstance(option.example, dict) else {}
            yield from (f"#{_key(key)} = {toml_value(value)}" for key, value in example.items())
            continue
        if section.form != "root" or option is not section.options[0]:
            yield ""
        yield from _comment(f"{option.description} {_limits(option)}".strip())
        shown = option.example if option.example is not None and (optional or not option.default) else option.default
        yield f"#{option.name} = {toml_value(shown)}"


def _limits(option: Option) -> str:
    if option.shape in ("int", "float") or option.choices:
        allowed = option.allowed.replace("`", "")
        return f"{allowed[0].upper()}{allowed[1:]}."
    return ""


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False):
        yield f"# {line}"


def _key(key: object) -> str:
    text = str(key)
    return text if _BARE.fullmatch(text) else _text(text)


def _text(value: str) -> str:
    # A JSON text is a TOML text, but for one control character that JSON lets pass.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
