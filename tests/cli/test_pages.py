"""The page about the command line and the examples are current."""

from __future__ import annotations

import configparser
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stathouse.cli.app import COMMANDS
from stathouse.config.fields import by_path
from stathouse.config.load import load
from tests.cli.conftest import RunCommand

_ROOT = Path(__file__).parents[2]
_FLAG = re.compile(r"^  (--[a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_is_on_the_page(command: RunCommand, name: str) -> None:
    page = (_ROOT / "docs" / "cli.md").read_text()
    heading = f"## stathouse {name}\n"
    assert heading in page
    section = page.split(heading)[1].split("\n## ")[0]
    general = page.split("## What holds for all")[1].split("\n## ")[0]
    options = {option.flag for option in by_path().values()}  # these are on the page about the config
    flags = set(_FLAG.findall(command(name, "--help").stdout)) - options - {"--help", "--version"}
    missing = {flag for flag in flags if f"{flag}`" not in section + general and f"{flag} " not in section + general}
    assert not missing


def test_every_exit_code_is_on_the_page() -> None:
    from stathouse.cli.exits import Exit

    page = (_ROOT / "docs" / "cli.md").read_text()
    assert all(f"| {int(code)} |" in page for code in Exit)


def test_the_unit_starts_a_house_that_its_config_takes() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(_ROOT / "examples" / "stathouse.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    for name in ("DynamicUser", "NoNewPrivileges"):
        assert service[name] == "yes"
    for name in ("StateDirectory", "RuntimeDirectory", "MemoryMax", "SystemCallFilter", "WatchdogSec", "LimitCORE"):
        assert service[name]
    text = (_ROOT / "examples" / "stathouse.service").read_text()
    variables = dict(re.findall(r"^Environment=([A-Z_]+)=(.*)$", text, re.MULTILINE))
    config = load(
        None, {name: value.replace("%S", "/var/lib").replace("%t", "/run") for name, value in variables.items()}
    )
    assert (config.data, config.runtime) == ("/var/lib/stathouse", "/run/stathouse")


def test_the_example_sends_lines_of_every_type() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        port = str(receiver.getsockname()[1])
        example = [sys.executable, str(_ROOT / "examples" / "send_statsd.py"), "--port", port, "--seconds", "0"]
        subprocess.run(example, check=True, timeout=20, stdout=subprocess.DEVNULL)
        lines = receiver.recv(65_536).decode().splitlines()
    assert {line.split("|")[1] for line in lines} == {"c", "g", "ms", "s"}
