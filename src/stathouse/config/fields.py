"""Reads the option structs: one :class:`Option` per field, in sections, for everything that follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import inspect

from stathouse.config.options import HouseConfig

__all__ = ["Option", "Section", "Shape", "by_path", "option_of", "sections", "settable", "struct_below"]

Shape: TypeAlias = Literal["bool", "int", "float", "text", "texts", "map", "tables"]
"""What a value looks like: one scalar, a list of texts, a map of texts, or tables that hold options of their own."""

Form: TypeAlias = Literal["root", "map", "table", "array", "named"]
"""How a section is written in TOML: top level, ``[tags]``, ``[statsd]``, ``[[backends]]``, ``[series."name"]``."""

_URL_TABLES: Final = frozenset({"backends"})  # tables that one text (their URL) can stand for in a flag or variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Args:
        path: its place in the config, as ``statsd.port``.
        shape: what its value looks like.
        hint: the annotated type that a value is converted to.
        default: its default.
        has_default: whether it may be left out.
        description: one or two sentences.
        allowed: the values that it takes, in words.
        choices: the words that it takes; empty when it takes others too.
        example: a value for the sample config; None when the default serves.
        outside: whether a flag and an environment variable can set it.
    """

    path: str
    shape: Shape
    hint: object
    default: object
    has_default: bool
    description: str
    allowed: str
    choices: tuple[str, ...] = ()
    example: object = None
    outside: bool = True

    @property
    def name(self) -> str:
        """The key in its section."""
        return self.path.rpartition(".")[2]

    @property
    def flag(self) -> str:
        """The flag of ``stathouse serve``.

        >>> by_path()["statsd.port"].flag
        '--statsd-port'
        """
        return "--" + self.path.replace(".", "-").replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable.

        >>> by_path()["statsd.port"].variable
        'STATHOUSE_STATSD_PORT'
        """
        return "STATHOUSE_" + self.path.replace(".", "_").upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Options that stand together in the file.

    Args:
        path: ``statsd``; empty for the top level.
        form: how it is written.
        description: what it is for.
        options: its options, in order.
    """

    path: str
    form: Form
    description: str
    options: tuple[Option, ...]

    @property
    def header(self) -> str:
        """The TOML header, empty for the top level."""
        return {
            "root": "",
            "map": f"[{self.path}]",
            "table": f"[{self.path}]",
            "array": f"[[{self.path}]]",
            "named": f'[{self.path}."NAME"]',
        }[self.form]


@cache
def sections() -> tuple[Section, ...]:
    """Return all sections in the order of the file."""
    return tuple(_sections(HouseConfig, "", "root"))


@cache
def by_path() -> Mapping[str, Option]:
    """Return path → option, for all options that a flag or a variable can set."""
    return {option.path: option for section in sections() for option in section.options if option.outside}


def settable() -> Iterator[Option]:
    """Yield the options that a flag or a variable can set."""
    yield from by_path().values()


def option_of(info: msgspec.structs.FieldInfo, path: str) -> Option:
    """Return the option that a struct's field declares, at the place ``path``."""
    inner, schema = _unwrap(inspect.type_info(info.type))
    return _option(info, path, inner, schema)


def struct_below(hint: object) -> tuple[type[msgspec.Struct], Literal["table", "array", "named"]] | None:
    """Return the struct that a field's type holds and how, None for a plain value."""
    inner, _ = _unwrap(inspect.type_info(hint))
    match inner:
        case inspect.StructType(cls=struct):
            return struct, "table"
        case inspect.ListType(item_type=inspect.StructType(cls=struct)):
            return struct, "array"
        case inspect.DictType(value_type=inspect.StructType(cls=struct)):
            return struct, "named"
        case _:
            return None


def _sections(struct: type[msgspec.Struct], path: str, form: Form) -> Iterator[Section]:
    """Yield the section of ``struct`` and then those below it."""
    options: list[Option] = []
    below: list[Section] = []
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    for info, node in zip(msgspec.structs.fields(struct), described.fields, strict=True):
        place = f"{path}.{info.name}" if path else info.name
        inner, schema = _unwrap(node.type)
        if isinstance(inner, inspect.StructType):
            below += _sections(inner.cls, place, "table")
        elif isinstance(inner, inspect.ListType) and isinstance(inner.item_type, inspect.StructType):
            if place in _URL_TABLES:
                options.append(_option(info, place, inner, schema))
            below += _sections(inner.item_type.cls, place, "array")
        elif isinstance(inner, inspect.DictType) and isinstance(inner.value_type, inspect.StructType):
            below += _sections(inner.value_type.cls, place, "named")
        else:
            options.append(_option(info, place, inner, schema, outside=form in ("root", "table")))
    if form == "root":  # what is written as a table of its own cannot stand among the top-level keys
        maps = [option for option in options if option.shape in ("map", "tables")]
        below = [
            Section(path=option.path, form="map", description=option.description, options=(option,))
            for option in maps
            if option.shape == "map"
        ] + [_with_url_option(section, maps) for section in below]
        options = [option for option in options if option not in maps]
    yield Section(path=path, form=form, description=_first_words(struct), options=tuple(options))
    yield from below


def _with_url_option(section: Section, tables: list[Option]) -> Section:
    """Return the section with the option that sets all its tables from outside put first."""
    whole = tuple(option for option in tables if option.path == section.path)
    return Section(
        path=section.path, form=section.form, description=section.description, options=whole + section.options
    )


def _option(
    info: msgspec.structs.FieldInfo,
    path: str,
    inner: inspect.Type,
    schema: Mapping[str, Any],
    *,
    outside: bool = True,
) -> Option:
    if info.default_factory is not msgspec.NODEFAULT:
        default = info.default_factory()
    else:
        default = info.default if info.default is not msgspec.NODEFAULT else ""
    return Option(
        path=path,
        shape=_shape(inner),
        hint=info.type,
        default=default,
        has_default=not info.required,
        description=schema.get("description", ""),
        allowed=_allowed(inner),
        choices=_choices(inner),
        example=next(iter(schema.get("examples", ())), None),
        outside=outside,
    )


def _unwrap(node: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
    if isinstance(node, inspect.Metadata):
        return node.type, node.extra_json_schema or {}
    return node, {}


def _shape(node: inspect.Type) -> Shape:
    match node:
        case inspect.BoolType():
            return "bool"
        case inspect.IntType():
            return "int"
        case inspect.FloatType():
            return "float"
        case inspect.DictType():
            return "map"
        case inspect.ListType(item_type=inspect.StructType()):
            return "tables"
        case inspect.ListType():
            return "texts"
        case _:
            return "text"


def _choices(node: inspect.Type) -> tuple[str, ...]:
    if isinstance(node, inspect.ListType):
        node = node.item_type
    return tuple(str(value) for value in node.values) if isinstance(node, inspect.LiteralType) else ()


def _allowed(node: inspect.Type) -> str:
    """Return the values that a type takes, in words."""
    match node:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_range(node)}"
        case inspect.FloatType():
            return f"a number{_range(node)}"
        case inspect.LiteralType():
            return "one of " + ", ".join(f"`{value}`" for value in node.values)
        case inspect.ListType(item_type=inspect.LiteralType() as item):
            return "a list of " + ", ".join(f"`{value}`" for value in item.values)
        case inspect.ListType(item_type=inspect.StructType()):
            return "a list of URLs, or tables"
        case inspect.ListType():
            return "a list of texts"
        case inspect.DictType():
            return "names with texts"
        case inspect.StrType(pattern=str()):
            return "a size, as `256MB`"
        case inspect.StrType(max_length=int() as longest):
            return f"text of at most {longest} characters"
        case _:
            return "text"


def _range(node: inspect.IntType | inspect.FloatType) -> str:
    parts = []
    if node.ge is not None:
        parts.append(f" from {_plain(node.ge)}")
    if node.gt is not None:
        parts.append(f" above {_plain(node.gt)}")
    if node.le is not None:
        parts.append(f" {'up ' if node.gt is not None else ''}to {_plain(node.le)}")
    return "".join(parts)


def _plain(number: float) -> str:
    return f"{number:,}" if number == int(number) else f"{number:g}"


def _first_words(struct: type) -> str:
    return " ".join((struct.__doc__ or "").split()).replace("``", "`")
