"""Gives a command every option of the config as a flag."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from cyclopts import Group, Parameter

from stathouse.config.fields import Option, sections
from stathouse.config.load import FlagValue
from stathouse.config.sample import toml_value

__all__ = ["Flags", "with_config_flags"]

Flags = Mapping[str, FlagValue]
"""Option path → what its flag brings, only for flags that were given."""


def with_config_flags(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with a flag for every option; the command gets those that were given as ``flags``.

    Args:
        command: a function whose keyword ``flags`` takes :data:`Flags`; its other parameters stay as they are.
    """
    own = [parameter for parameter in _parameters(command) if parameter.name != "flags"]
    options = {f"option__{index}": (option, group) for index, (option, group) in enumerate(_options())}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(option, group))
        for name, (option, group) in options.items()
    ]

    def run(**given: Any) -> int:
        flags: dict[str, FlagValue] = {}
        for name, (option, _) in options.items():
            value = given.pop(name, None)
            if value is not None and value != []:
                flags[option.path] = value
        return command(flags=flags, **given)

    # cyclopts reads the signature; building it saves a second list of all options.
    signature = inspect.Signature([*own, *added])
    vars(run)["__signature__"] = signature
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    run.__doc__ = command.__doc__
    return run


def _parameters(command: Callable[..., int]) -> list[inspect.Parameter]:
    return list(inspect.signature(command, eval_str=True).parameters.values())


def _options() -> list[tuple[Option, Group]]:
    found: list[tuple[Option, Group]] = []
    for order, section in enumerate(sections()):
        if not any(option.outside for option in section.options):
            continue
        title = f"Options of {section.path}" if section.path else "Options of the house"
        group = Group(title, sort_key=(1, order))
        found += [(option, group) for option in section.options if option.outside]
    return found


def _annotation(option: Option, group: Group) -> object:
    hint: object = str | None
    if option.shape == "bool":
        hint = bool | None
    elif option.shape in ("texts", "map", "tables"):
        hint = list[str] | None
    parameter = Parameter(
        name=option.flag,
        group=group,
        help=_help(option),
        metavar=_metavar(option),
        negative_iterable=(),
        negative_none=(),
        show_default=False,
        allow_leading_hyphen=True,
    )
    return Annotated[hint, parameter]


def _help(option: Option) -> str:
    text = option.description.replace("`", "'")
    if option.shape == "tables":
        return f"{text} May come more than once. [default: local:]"
    if option.default in ("", [], {}):
        return text
    return f"{text} [default: {toml_value(option.default)}]"


def _metavar(option: Option) -> str | None:
    if option.choices:
        return "|".join(option.choices)
    return {
        "bool": None,
        "int": "N",
        "float": "X",
        "text": "TEXT",
        "texts": "LIST",
        "map": "KEY=VALUE",
        "tables": "URL",
    }[option.shape]
