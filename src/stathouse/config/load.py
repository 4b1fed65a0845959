"""Makes the config of a house: defaults, then the TOML file, then the environment, then the flags.

A later one replaces a whole value of an earlier one, a list or table too. Whatever is wrong is one
:class:`~stathouse.errors.ConfigError` that says where it stands and what would be right.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from stathouse.config import checks, fields, text_values
from stathouse.config.options import HouseConfig
from stathouse.errors import ConfigError

__all__ = ["FlagValue", "load", "read_toml"]

FlagValue: TypeAlias = str | bool | list[str]
"""What a flag brings: its text, or several."""

_PREFIX: Final = "STATHOUSE_"
_OTHERS: Final = frozenset({"STATHOUSE_CONFIG", "STATHOUSE_DEBUG", "STATHOUSE_URL", "STATHOUSE_TOKEN_FILE"})
"""Variables that are no options of the house but mean something to its commands."""

_TEST_VARIABLES: Final = frozenset({"STATHOUSE_NO_SKIPS"})
"""Variables of this project's own test run, which the houses it starts inherit."""


def load(path: str | None, environ: Mapping[str, str], flags: Mapping[str, FlagValue] | None = None) -> HouseConfig:
    """Return the config of a house.

    Args:
        path: the TOML file; None for ``STATHOUSE_CONFIG``, and without that none.
        environ: the environment.
        flags: option path (``statsd.port``) → what its flag brings.

    Raises:
        ConfigError: a file cannot be read, a name is unknown, or a value is wrong.

    >>> load(None, {"STATHOUSE_STATSD_PORT": "9000"}).statsd.port
    9000
    """
    file = path or environ.get("STATHOUSE_CONFIG", "")
    tree = read_toml(file) if file else {}
    sources: dict[str, str] = {}
    _check_tree(tree, HouseConfig, "", file)
    for option, value in _from_environment(environ, tree):
        _put(tree, sources, option, value, option.variable)
    for place, given in (flags or {}).items():
        option = fields.by_path()[place]
        _put(tree, sources, option, text_values.parse(option, given, source=option.flag), option.flag)
    config = msgspec.convert(tree, HouseConfig)
    return checks.checked(config, environ, lambda place: sources.get(place, file))


def read_toml(path: str) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ConfigError: it cannot be read or is no TOML; the message has line and column.
    """
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}.", source=path) from error
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"the file is not UTF-8 (at line {line}).", source=path) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the file is not TOML: {error}.", source=path) from error


def _check_tree(tree: Mapping[str, Any], struct: type[msgspec.Struct], path: str, source: str) -> None:
    """Check names and values of one table and of those below it, so that an error can name its place."""
    known = {info.name: info for info in msgspec.structs.fields(struct)}
    for key, value in tree.items():
        place = f"{path}.{key}" if path else key
        if key not in known:
            raise ConfigError("unknown option.", where=place, source=source, advice=_did_you_mean(key, known, place))
        _check_value(value, known[key], place, source)
    missing = [info.name for info in known.values() if info.required and info.name not in tree]
    if missing:
        raise ConfigError(f"`{missing[0]}` is missing.", where=path, source=source)


def _check_value(value: object, info: msgspec.structs.FieldInfo, place: str, source: str) -> None:
    inner = info.type
    below = fields.struct_below(inner)
    if below is None:
        return text_values.check(value, fields.option_of(info, place), where=place, source=source)
    struct, holder = below
    if holder == "table" and isinstance(value, dict):
        _check_tree(value, struct, place, source)
    elif holder == "array" and isinstance(value, list) and all(isinstance(item, dict) for item in value):
        text_values.check_length(value, inner, where=place, source=source)
        for index, item in enumerate(value):
            _check_tree(item, struct, f"{place}[{index}]", source)
    elif holder == "named" and isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
        for name, item in value.items():
            _check_tree(item, struct, f'{place}."{name}"', source)
    else:
        header = {"table": f"[{place}]", "array": f"[[{place}]]", "named": f'[{place}."NAME"]'}[holder]
        raise ConfigError(f"this is a table, written under {header}.", where=place, source=source)
    return None


def _from_environment(environ: Mapping[str, str], tree: Mapping[str, Any]) -> Iterable[tuple[fields.Option, object]]:
    """Yield the options that the environment sets. An empty variable sets nothing."""
    options = {option.variable: option for option in fields.settable()}
    named = {token.get("environment") for token in tree.get("http", {}).get("tokens", ())}
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in named or name in _OTHERS | _TEST_VARIABLES or _from_kubernetes(name):
            continue
        if name not in options:
            # Compared without the prefix, which would make any two names alike.
            tails = [known.removeprefix(_PREFIX) for known in (*options, *_OTHERS)]
            near = difflib.get_close_matches(name.removeprefix(_PREFIX), tails, n=1)
            advice = f"Did you mean {_PREFIX}{near[0]}?" if near else "'stathouse sample-config' lists the options."
            raise ConfigError("no option has this name.", source=name, advice=advice)
        if environ[name]:
            yield options[name], text_values.parse(options[name], environ[name], source=name)


def _from_kubernetes(name: str) -> bool:
    """Tell whether Kubernetes sets this variable in every pod beside a service that is called ``stathouse``."""
    return name == "STATHOUSE_PORT" or name.startswith(("STATHOUSE_SERVICE_", "STATHOUSE_PORT_"))


def _put(tree: dict[str, Any], sources: dict[str, str], option: fields.Option, value: object, source: str) -> None:
    table = tree
    *above, key = option.path.split(".")
    for part in above:
        table = table.setdefault(part, {})
    table[key] = value
    sources[option.path] = source


def _did_you_mean(key: str, known: Iterable[str], place: str) -> str:
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    elsewhere = [option.path for option in fields.settable() if option.name == key and option.path != place]
    if elsewhere:
        return f"Did you mean `{elsewhere[0]}`?"
    return f"The options here are {', '.join(f'`{name}`' for name in names)}."
