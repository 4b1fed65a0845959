"""How the house starts, as far as it does: folders that cannot be used, and what it writes."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from stathouse.cli.exits import Exit
from tests.cli.conftest import RunCommand

serve = pytest.importorskip("stathouse.cli.serve", reason="the Rust core is not built")


@pytest.mark.parametrize("place", ["file", "file/below", "link/none"])
def test_a_data_folder_that_cannot_be_used_is_one_clear_message(
    command: RunCommand, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/proc/self")
    ports = ("--statsd-port", "0", "--http-port", "0", "--runtime", str(tmp_path / "run"))
    result = command("serve", "--data", str(tmp_path / place), *ports)
    assert result.returncode == Exit.USAGE
    assert result.stderr.startswith(f"stathouse: data: {tmp_path / place} cannot be used: ")
    assert "--data" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_below_that_cannot_be_used_is_named(command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "archive").touch()
    ports = ("--statsd-port", "0", "--http-port", "0", "--runtime", str(tmp_path / "run"))
    result = command("serve", "--data", str(tmp_path / "data"), *ports)
    assert result.returncode == Exit.FAILURE
    assert f"{tmp_path / 'data' / 'archive'} cannot be used: " in result.stderr.splitlines()[-1]


def test_a_traceback_in_the_log_obeys_no_control_character() -> None:
    try:
        raise ValueError("a\x1b[31mb")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it\nfailed", (), sys.exc_info())
    lines = serve._TextLines().format(record).splitlines()
    assert lines[0].endswith("error   it\\nfailed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: a\\x1b[31mb"
