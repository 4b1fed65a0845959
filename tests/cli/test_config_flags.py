"""Every option is a flag, and only what was given reaches the command."""

from __future__ import annotations

from typing import Annotated

import pytest
from cyclopts import App, CycloptsError, Parameter

from stathouse.cli.config_flags import Flags, with_config_flags
from stathouse.config.fields import Option, by_path


def _run(*arguments: str) -> tuple[str, Flags]:
    got: list[tuple[str, Flags]] = []

    def command(*, config: Annotated[str, Parameter(help="The file.")] = "", flags: Flags) -> int:
        got.append((config, flags))
        return 0

    app = App(exit_on_error=False, print_error=False, result_action="return_value")
    app.default(with_config_flags(command))
    assert app(list(arguments)) == 0
    return got[0]


def test_no_flag_sets_nothing() -> None:
    assert _run() == ("", {})


def test_given_flags_reach_the_command_under_their_paths() -> None:
    config, flags = _run(
        *("--config", "a.toml", "--statsd-port", "9000", "--no-statsd-tcp", "--host-enabled"),
        *("--statsd-allow", "10.0.0.0/8", "--statsd-allow", "::1", "--tags", "a=b,c=d", "--backends", "null:"),
    )
    assert config == "a.toml"
    assert flags == {
        "statsd.port": "9000",
        "statsd.tcp": False,
        "host.enabled": True,
        "statsd.allow": ["10.0.0.0/8", "::1"],
        "tags": ["a=b,c=d"],
        "backends": ["null:"],
    }


@pytest.mark.parametrize("option", by_path().values(), ids=by_path())
def test_every_option_is_a_flag(option: Option) -> None:
    arguments = [option.flag] if option.shape == "bool" else [option.flag, "x"]
    assert list(_run(*arguments)[1]) == [option.path]


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(CycloptsError):
        _run("--statsd-prot", "1")
