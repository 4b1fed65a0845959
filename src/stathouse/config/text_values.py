"""Values of single options: from the text of a flag or variable, and checked against the option's limits."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec

from stathouse.config.fields import Option
from stathouse.errors import ConfigError

__all__ = ["check", "check_length", "parse"]

_WHOLE: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


def parse(option: Option, given: str | bool | list[str], *, source: str) -> object:
    """Return the value that a text stands for.

    Lists are separated by commas, tags are ``key=value`` pairs separated by commas; a list of texts holds several
    such texts.

    Args:
        option: the option.
        given: the text, or texts.
        source: the flag or variable, for the error.

    Raises:
        ConfigError: the text is no such value.
    """
    value: object
    if isinstance(given, bool):
        value = given
    elif option.shape in ("texts", "map", "tables"):
        value = _parse_many(option, given, source)
    else:
        text = given if isinstance(given, str) else given[-1]
        value = _parse_one(option, text.strip())
        if value is None:
            raise _wrong(option, text, option.path, source)
    if option.shape != "tables":
        check(value, option, where=option.path, source=source)
    return value


def check(value: object, option: Option, *, where: str, source: str) -> None:
    """Check a value against its option.

    Raises:
        ConfigError: it is of another type or over a limit; the message says what is allowed.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(option, value, where, source)
    try:
        msgspec.convert(value, option.hint)
    except msgspec.ValidationError as error:
        raise _wrong(option, value, where, source) from error


def check_length(value: list[Any], hint: object, *, where: str, source: str) -> None:
    """Check that a list of tables is not shorter than its option asks for."""
    shortest = max((meta.min_length or 0 for meta in getattr(hint, "__metadata__", ())), default=0)
    if len(value) < shortest:
        raise ConfigError(f"the list is empty, but has to name at least {shortest}.", where=where, source=source)


def _parse_one(option: Option, text: str) -> object:
    """Return the scalar, None when the text is none."""
    match option.shape:
        case "bool":
            low = text.lower()
            return True if low in _TRUE else False if low in _FALSE else None
        case "int":
            return int(text) if _WHOLE.fullmatch(text) else None
        case "float":
            return float(text) if _NUMBER.fullmatch(text) else None
        case _:
            return text


def _parse_many(option: Option, given: str | list[str], source: str) -> object:
    texts = [given] if isinstance(given, str) else given
    parts = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    if option.shape == "texts":
        return parts
    if option.shape == "tables":
        if not parts:
            raise _wrong(option, "", option.path, source)
        return [{"url": part} for part in parts]
    pairs: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"{part!r} is no tag.", where=option.path, source=source, advice="Write key=value.")
        pairs[key.strip()] = value.strip()
    return pairs


def _wrong(option: Option, value: object, where: str, source: str) -> ConfigError:
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    return ConfigError(
        f"{_toml_word(value, shown)} is not allowed; it has to be {option.allowed}.", where=where, source=source
    )


def _toml_word(value: object, shown: str) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else shown
