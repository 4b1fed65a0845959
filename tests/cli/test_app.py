"""Commands, help and exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import stathouse
from stathouse.cli.app import COMMANDS
from stathouse.cli.exits import Exit
from tests.cli.conftest import RunCommand, TinyHouse

_SOURCE = Path(__file__).parents[2] / "src"


def test_help_names_every_command_and_imports_none(command: RunCommand) -> None:
    result = command("--help")
    assert result.returncode == Exit.OK
    for name, (_, text) in COMMANDS.items():
        assert f"{name}: {text.splitlines()[0]}" in result.stdout
    program = (
        "import sys; from stathouse.cli import main; main(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(_SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stderr.split()
    assert "stathouse.cli.app" in loaded
    assert not {"duckdb", "pyarrow", "litestar", "msgspec", "httpx2", "psutil", "apsw"} & set(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: RunCommand, name: str) -> None:
    result = command(name, "--help")
    assert (result.returncode, result.stderr) == (Exit.OK, "")
    assert result.stdout.startswith(f"Usage: stathouse {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    module, _, function = COMMANDS[name][0].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_version(command: RunCommand) -> None:
    assert command("--version").stdout.strip() == stathouse.__version__
    assert "stathouse" in command("version").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["srve"], "unknown command 'srve'. Did you mean 'serve'?"),
        (["xyzzy"], "unknown command 'xyzzy'. The commands are serve, top,"),
        (["query"], "SERIES requires an argument"),
        (["query", "a", "--lst", "1m"], "Unknown option: --lst. Did you mean --last?"),
        (["query", "a", "--limit", "many"], "many"),
        (["query", "a", "--last", "1m", "--start", "1"], "--last and --start exclude each other."),
        (["query", "a", "--json", "--csv"], "exclude each other"),
        (["query", "a", "--tag", "shop"], "--tag: 'shop' is no tag."),
        (["status", "--url", "ftp://house"], "--url: 'ftp://house' is no address of a house."),
        (["serve", "--statsd-prot", "1"], "Unknown option: --statsd-prot. Did you mean --statsd-port?"),
        (["serve", "--statsd-port", "x"], "--statsd-port: statsd.port: 'x' is not allowed"),
        (["serve", "--config", "/no/such.toml"], "/no/such.toml: the file cannot be read"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(command: RunCommand, arguments: list[str], said: str) -> None:
    result = command(*arguments)
    assert result.returncode == Exit.USAGE
    assert result.stderr.startswith("stathouse: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_house_is_exit_code_3(command: RunCommand, free_port: int) -> None:
    result = command("status", url=f"http://127.0.0.1:{free_port}")
    assert result.returncode == Exit.UNREACHABLE
    assert f"no house answers at http://127.0.0.1:{free_port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_traceback_only_when_asked_for(command: RunCommand, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    assert "Traceback" in command("status", "--debug", url=url).stderr
    assert "Traceback" in command("status", url=url, STATHOUSE_DEBUG="1").stderr


def test_a_reader_that_goes_away_is_no_error(house: TinyHouse) -> None:
    rows = b"".join(b"2026-11-20T12:00:00Z,1\n" for _ in range(100_000))
    house.answer("/api/query", b"time,value\n" + rows)
    program = f"{sys.executable} -m stathouse.cli query a --csv --url {house.url} | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(
        ["bash", "-c", program],
        env={"PYTHONPATH": str(_SOURCE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.splitlines() == ["time,value", str(int(Exit.PIPE_CLOSED))]
    assert result.stderr == ""


@pytest.mark.parametrize("words", [["serve"], ["query", "a"], ["--help"], []])
def test_the_base_install_says_what_is_missing(words: list[str]) -> None:
    # -S: only the standard library, as after a 'pip install' of the base alone.
    program = (
        f"import sys; sys.path.insert(0, {str(_SOURCE)!r}); from stathouse.cli import main; sys.exit(main({words!r}))"
    )
    result = subprocess.run([sys.executable, "-S", "-I", "-c", program], capture_output=True, text=True, timeout=60)
    assert result.returncode == Exit.USAGE
    assert (
        result.stderr
        == "stathouse: The command line of the house is not installed. Run: pip install 'stathouse[serve]'\n"
    )


def test_without_the_house_its_commands_say_what_is_missing() -> None:
    program = (
        "import sys; sys.modules['msgspec'] = None; from stathouse.cli import main; sys.exit(main(['sample-config']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(_SOURCE)}, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == Exit.USAGE
    assert (
        result.stderr
        == "stathouse: The command line of the house is not installed. Run: pip install 'stathouse[serve]'\n"
    )


def test_sample_config_prints_toml_or_its_schema(command: RunCommand) -> None:
    assert "[statsd]" in command("sample-config").stdout
    assert '"$defs"' in command("sample-config", "--schema").stdout


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_completion_knows_the_commands(command: RunCommand, shell: str) -> None:
    script = command("completion", shell).stdout
    assert all(name in script for name in COMMANDS)
